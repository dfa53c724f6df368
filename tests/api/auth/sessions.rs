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
