//! Short-lived tokens for widgets: `POST /api/chatkit/session` (authentication.md section 8).

use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, hmac, secret, signed},
    setup::{gate, refusal, whoami},
};
use crate::{
    api::{
        gate::{Answer, Caller, Gate, Shared, until},
        models::{linear, service},
        socket::Socket,
        world::{World, unique},
    },
    support::peers,
};

const SESSION: &str = "/api/chatkit/session";
const KEY: &str = "the-session-key-of-black-box-tests-0123456789";

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| {
        gate(&format!(
            "[sessions]\nkey = \"{KEY}\"\nttl_seconds = 200\n[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\n\
             audiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\nmax_scopes = [\"*\"]\n"
        ))
    })
}

fn user(gate: &Gate, more: &Value) -> Caller {
    gate.caller(secret(&mint::claims("https://corp.test", &unique("ada"), more)))
}

async fn session(who: &Caller, order: Value) -> Answer {
    let made = who.post(SESSION, order).await;
    assert!([200, 201].contains(&made.status), "{}", made.text);
    made
}

fn time(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[tokio::test]
async fn a_session_has_less_than_its_parent() {
    let world = World::on(town()).await;
    let gate = &world.gate;
    let parent = user(
        gate,
        &json!({"workspaces": [world.id], "jti": unique("jti"),
        "scope": "workflows:read workflows:execute chatkit:session admin:tokens:write"}),
    );
    let made = session(&parent, json!({})).await;
    let keys: Vec<_> = made.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["client_secret", "expires_at"], "{}", made.text);
    let left = time(made.str("expires_at")) - mint::now();
    assert!((190..=201).contains(&left), "{left} seconds");
    let token = made.str("client_secret");
    let claims = peers::claims(token);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("tidegate"), &json!("chatkit")), "{claims}");
    let widget = gate.caller(token);
    let me = whoami(&widget).await;
    assert_eq!(me["workspaces"][0]["id"], json!(world.id));
    let mut scopes: Vec<_> = me["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["workflows:execute", "workflows:read"], "{}", me.text);
    assert_eq!(me["subject"], whoami(&parent).await["subject"]);
    widget.get("/api/workflows").await.is(200);
    // It mints nothing: no token, no session.
    widget
        .post("/api/admin/service-tokens", json!({"workspace_ids": [world.id]}))
        .await
        .problem(403, "auth.missing_scope");
    widget.post(SESSION, json!({})).await.problem(403, "auth.missing_scope");
    let workspace = widget.post("/api/workspaces", json!({"id": unique("not")})).await;
    assert_eq!(workspace.status, 403, "{}", workspace.text);
}

#[tokio::test]
async fn a_session_lives_no_longer_than_its_parent() {
    let world = World::on(town()).await;
    let short = json!({"workspaces": [world.id], "scope": "chatkit:session workflows:read", "exp": mint::now() + 60});
    let parent = user(&world.gate, &short);
    let made = session(&parent, json!({})).await;
    assert!(time(made.str("expires_at")) <= mint::now() + 60, "{}", made.text);
    let order = json!({"scopes": ["chatkit:session"], "workspace_ids": [world.id], "expires_in_seconds": 30});
    let token = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let made = session(&world.gate.caller(token.str("secret")), json!({})).await;
    assert!(time(made.str("expires_at")) <= mint::now() + 30, "{}", made.text);
}

#[tokio::test]
async fn a_session_may_be_bound_to_a_workflow_and_a_workspace() {
    let (world, other) = (World::on(town()).await, World::on(town()).await);
    let workflow = world.deploy(&linear(&unique("p"), &[])).await;
    let foreign = other.deploy(&linear(&unique("p"), &[])).await;
    let scopes = ["chatkit:session", "workflows:read"];
    let parent = crate::api::world::mint(&world.root, &scopes, &[&world.id, &other.id]).await;
    for order in [
        json!({"workflow_id": workflow, "metadata": {"page": "/x", "n": 1}}),
        json!({"workflowId": workflow}),
        json!({"workspace_id": world.id}),
    ] {
        let made = session(&parent, order.clone()).await;
        let me = whoami(&world.gate.caller(made.str("client_secret"))).await;
        assert_eq!(me["workspace_ids"], json!([world.id]), "{order}: {}", me.text);
    }
    let here = crate::api::world::mint(&world.root, &scopes, &[&world.id]).await;
    here.post(SESSION, json!({"workspace_id": other.id})).await.problem(403, "auth.workspace_forbidden");
    here.post(SESSION, json!({"workspace_id": "never-made"})).await.problem(403, "auth.workspace_forbidden");
    here.post(SESSION, json!({"workflow_id": foreign})).await.problem(404, "workflow.not_found");
    here.post(SESSION, json!({"workflow_id": "x"})).await.complete_problem();
    here.post(SESSION, json!({"nosuch": 1})).await.problem(400, "request.invalid");
    world.someone(&["workflows:read"]).await.post(SESSION, json!({})).await.problem(403, "auth.missing_scope");
    world.gate.anonymous().post(SESSION, json!({})).await.problem(401, "auth.missing_token");
}

#[tokio::test]
async fn a_session_ends_with_its_parent() {
    let world = World::on(town()).await;
    let workflow = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    let identifier = unique("parent");
    let order =
        json!({"identifier": identifier, "scopes": ["chatkit:session", "workflows:read"], "workspace_ids": [world.id]});
    let parent = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let made = session(&world.gate.caller(parent.str("secret")), json!({})).await;
    let widget = world.gate.caller(made.str("client_secret"));
    let mut socket = Socket::open(&widget, &format!("/ws/workflow/{workflow}")).await;
    socket.ready().await;
    world.root.delete(&format!("/api/admin/service-tokens/{identifier}")).await.is(204);
    assert_eq!(refusal(&widget).await, (401, "auth.token_revoked".to_owned()));
    assert_eq!(socket.closed().await.0, 4401);
    // A JWT parent's id is its jti; its user's ban holds as well.
    let jti = unique("jti");
    let parent =
        user(&world.gate, &json!({"jti": jti, "workspaces": [world.id], "scope": "chatkit:session workflows:read"}));
    let widget = world.gate.caller(session(&parent, json!({})).await.str("client_secret"));
    whoami(&widget).await;
    let order = json!({"kind": "token", "issuer": "corp", "value": jti, "reason": "leaked"});
    world.root.post("/api/admin/revocations", order).await.is(201);
    until("the session's end", || async { (refusal(&widget).await.0 == 401).then_some(()) }).await;
    let parent = user(&world.gate, &json!({"workspaces": [world.id], "scope": "chatkit:session workflows:read"}));
    let subject = whoami(&parent).await.str("subject").to_owned();
    let widget = world.gate.caller(session(&parent, json!({})).await.str("client_secret"));
    let order = json!({"kind": "user", "issuer": "corp", "value": subject, "reason": "left", "ban": true});
    world.root.post("/api/admin/revocations", order).await.is(201);
    until("the session's end", || async { (refusal(&widget).await.0 == 401).then_some(()) }).await;
}

/// A session of a service token's, taken apart: what the gate itself has signed.
async fn claims_of_a_session(world: &World) -> Value {
    let parent = crate::api::world::mint(&world.root, &["chatkit:session", "workflows:read"], &[&world.id]).await;
    peers::claims(session(&parent, json!({})).await.str("client_secret"))
}

/// A token by the sessions' key.
fn by_key(header: &Value, claims: &Value) -> String {
    signed(&header.to_string(), &claims.to_string(), |text| hmac(KEY.as_bytes(), text))
}

#[tokio::test]
async fn a_session_is_judged_as_the_tokens_of_issuers_are_and_in_their_order() {
    let world = World::on(town()).await;
    let (claims, now) = (claims_of_a_session(&world).await, mint::now());
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let code = async |header: &Value, more: Value| {
        let mut claims = claims.clone();
        mint::merge(&mut claims, &more);
        refusal(&world.gate.caller(by_key(header, &claims))).await.1
    };
    // The key alone vouches for it, whoever has put the token together.
    whoami(&world.gate.caller(by_key(&header, &claims))).await;
    whoami(&world.gate.caller(by_key(&json!({"alg": "HS256"}), &claims))).await;
    for (more, expected) in [
        (json!({"iss": "elsewhere"}), "auth.invalid_issuer"),
        (json!({"aud": "elsewhere"}), "auth.invalid_audience"),
        (json!({"aud": null}), "auth.invalid_audience"),
        (json!({"aud": ["elsewhere", 7]}), "auth.invalid_audience"),
        (json!({"aud": "elsewhere", "exp": 1}), "auth.invalid_audience"),
        (json!({"exp": now - 31}), "auth.token_expired"),
        (json!({"exp": now - 1}), "auth.token_expired"),
        (json!({"exp": now - 31, "nbf": now + 90}), "auth.token_expired"),
        (json!({"exp": null}), "auth.invalid_token"),
        (json!({"exp": "never"}), "auth.invalid_token"),
        (json!({"exp": now + 90_000}), "auth.invalid_token"),
        (json!({"nbf": now + 90}), "auth.invalid_token"),
        (json!({"iat": now + 90}), "auth.invalid_token"),
        (json!({"sub": ""}), "auth.invalid_token"),
        (json!({"sub": 7}), "auth.invalid_token"),
        (json!({"parent": null}), "auth.invalid_token"),
        (json!({"parent": {"credential": "session"}}), "auth.invalid_token"),
        (json!({"workspace_ids": ["no slug!"]}), "auth.invalid_token"),
        (json!({"workflow_id": "none"}), "auth.invalid_token"),
        (json!({"kind": "nobody"}), "auth.invalid_token"),
    ] {
        assert_eq!(code(&header, more.clone()).await, expected, "{more}");
    }
    for (header, expected) in [
        (json!({"alg": "none"}), "auth.unsupported_algorithm"),
        (json!({"alg": "hs256"}), "auth.unsupported_algorithm"),
        (json!({"alg": "HS512"}), "auth.unsupported_algorithm"),
        (json!({"alg": "RS256", "crit": ["x"]}), "auth.unsupported_algorithm"),
        (json!({"alg": "HS256", "crit": ["x"]}), "auth.invalid_token"),
        (json!({"alg": "HS256", "typ": "logout+jwt"}), "auth.invalid_token"),
        (json!({"alg": "HS256", "zip": "DEF"}), "auth.invalid_token"),
        (json!({"typ": "JWT"}), "auth.invalid_token"),
    ] {
        for name in ["iss", "aud"] {
            assert_eq!(code(&header, json!({name: "elsewhere"})).await, expected, "{header} before {name}");
        }
    }
    let twice = claims.to_string().replacen('{', r#"{"sub":"eve","#, 1);
    let token = signed(&header.to_string(), &twice, |text| hmac(KEY.as_bytes(), text));
    assert_eq!(refusal(&world.gate.caller(token)).await.1, "auth.invalid_token", "a claim that comes twice");
}

#[tokio::test]
async fn whatever_a_session_says_it_has_no_more_than_its_parent() {
    let world = World::on(town()).await;
    let other = World::on(world.gate.clone()).await;
    let mut claims = claims_of_a_session(&world).await;
    let wide = json!({"scope": "workflows:read workflows:write vault:read chatkit:session admin:tokens:write admin:workspaces:write",
        "workspace_ids": [world.id, other.id], "sub": "bootstrap", "kind": "bootstrap"});
    mint::merge(&mut claims, &wide);
    let widget = world.gate.caller(by_key(&json!({"alg": "HS256"}), &claims));
    let me = whoami(&widget).await;
    assert_eq!((&me["scopes"], &me["workspace_ids"]), (&json!(["workflows:read"]), &json!([world.id])), "{}", me.text);
    // Nor does it come back under another parent, or none.
    for parent in [
        json!({"credential": "service_token", "id": "first"}),
        json!({"credential": "bootstrap"}),
        json!({"credential": "external"}),
        json!({"credential": "external", "id": "x"}),
    ] {
        mint::merge(&mut claims, &json!({"parent": parent}));
        let (status, code) = refusal(&world.gate.caller(by_key(&json!({"alg": "HS256"}), &claims))).await;
        assert_eq!(status, 401, "{parent}: {code}");
    }
}

#[tokio::test]
async fn a_session_for_a_workflow_starts_and_follows_that_one_alone() {
    let world = World::on(town()).await;
    let own = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    let other = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    let parent = crate::api::world::mint(
        &world.root,
        &["chatkit:session", "workflows:read", "workflows:write", "workflows:execute", "jobs:work"],
        &[&world.id],
    )
    .await;
    let made = session(&parent, json!({"workflow_id": own})).await;
    let widget = world.gate.caller(made.str("client_secret"));
    let me = whoami(&widget).await;
    assert_eq!(me["scopes"], json!(["workflows:read", "workflows:execute"]), "{}", me.text);
    let started = widget.post(&format!("/api/workflows/{own}/executions"), json!({})).await.is(201);
    widget.get(&format!("/api/executions/{}", started.id())).await.is(200);
    widget.get(&format!("/api/workflows/{own}/events")).await.is(200);
    let instance = started.str("process_instance_id").to_owned();
    widget.get(&format!("/api/process/{instance}/variables")).await.is(200);
    let mut socket = Socket::open(&widget, &format!("/ws/workflow/{own}")).await;
    socket.ready().await;

    let foreign = parent.post(&format!("/api/workflows/{other}/executions"), json!({})).await.is(201);
    for path in [
        format!("/api/workflows/{other}"),
        format!("/api/workflows/{other}/executions"),
        format!("/api/workflows/{other}/events"),
        format!("/api/executions/{}", foreign.id()),
        format!("/api/process/{}/variables", foreign.str("process_instance_id")),
    ] {
        let refused = widget.get(&path).await;
        refused.complete_problem();
        assert_eq!(refused.status, 404, "{path}: {}", refused.text);
    }
    widget.post(&format!("/api/workflows/{other}/executions"), json!({})).await.problem(404, "workflow.not_found");
    let mut elsewhere = Socket::open(&widget, &format!("/ws/workflow/{other}")).await;
    assert_eq!(elsewhere.closed().await.0, 4404);
    for path in ["/api/workflows", "/api/deployments", "/api/userTask"] {
        widget.get(path).await.problem(403, "auth.workspace_forbidden");
    }
    let order = json!({"topics": ["work"], "worker": "w"});
    widget.post("/api/jobs/activate", order).await.problem(403, "auth.missing_scope");
    widget.post("/api/signal/x", json!({})).await.problem(403, "auth.workspace_forbidden");
    widget.post(&format!("/api/executions/{}/cancel", started.id()), json!({})).await.is(200);
}

#[tokio::test]
async fn without_a_key_that_replicas_share_no_session_is_made() {
    let gate = gate("[sessions]\nalgorithm = \"RS256\"\n");
    let world = World::on(gate).await;
    world.root.post(SESSION, json!({"workspace_id": world.id})).await.problem(501, "session.not_configured");
}

#[tokio::test]
async fn a_forged_session_is_refused() {
    let world = World::on(town()).await;
    let now = mint::now();
    let claims = json!({"iss": "tidegate", "aud": "chatkit", "sub": "ada", "iat": now, "exp": now + 100,
        "scope": "workflows:read", "workspaces": [world.id]});
    let by =
        |key: &str| signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string(), |text| hmac(key.as_bytes(), text));
    assert_eq!(refusal(&world.gate.caller(by(SECRET))).await, (401, "auth.invalid_token".to_owned()));
    let none = signed(r#"{"alg":"none"}"#, &claims.to_string(), |_| Vec::new());
    assert_eq!(refusal(&world.gate.caller(none)).await, (401, "auth.unsupported_algorithm".to_owned()));
    // Another audience than ours is not for us, although the key is right; nor is what no gate would have written.
    let mut elsewhere = claims.clone();
    elsewhere["aud"] = json!("elsewhere");
    let token = signed(r#"{"alg":"HS256"}"#, &elsewhere.to_string(), |text| hmac(KEY.as_bytes(), text));
    assert_eq!(refusal(&world.gate.caller(token)).await.0, 401);
}
