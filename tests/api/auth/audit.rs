//! What is written down, who may read it, and what shows that somebody has changed it (authentication.md section 9).

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, secret},
    setup::{BOOTSTRAP, Ran, gate_with, refusal, run, whoami},
};
use crate::{
    api::{
        gate::{Caller, Gate, Shared, until},
        models::{linear, service},
        socket::{Said, Socket},
        world::{World, mint as mint_service, unique},
    },
    support::peers,
};

const EVENTS: &str = "/api/admin/audit-events";
const KEY: &str = "the-audit-key-of-black-box-tests-0123456789";

fn config() -> String {
    format!(
        "[audit]\nkey = \"{KEY}\"\n[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n"
    )
}

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| gate_with(&config(), &[BOOTSTRAP]))
}

/// The entries that a query finds, once one of them fits.
async fn entry(who: &Caller, query: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Vec::new();
    let deadline = std::time::Instant::now() + crate::api::gate::DEADLINE;
    loop {
        let answer = who.get(&format!("{EVENTS}?limit=200{query}")).await.is(200);
        if let Some(found) = answer.items().iter().find(|item| fits(item)) {
            return found.clone();
        }
        seen.clear();
        seen.extend(answer.items().iter().map(ToString::to_string));
        assert!(std::time::Instant::now() < deadline, "{query}: not among {seen:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_life_of_a_token_is_told() {
    let gate = town();
    let (root, world) = (gate.root(), World::on(gate.clone()).await);
    let identifier = unique("told");
    let made = root
        .post("/api/admin/service-tokens", json!({"identifier": identifier, "workspace_ids": [world.id]}))
        .header("X-Request-Id", "request-of-a-test")
        .await
        .is(201);
    let path = format!("/api/admin/service-tokens/{identifier}");
    root.post(&format!("{path}/rotate"), json!({})).await.is(200);
    root.delete(&path).json(&json!({"reason": "leaked"})).await.is(204);
    let of_it = |action: &'static str| {
        let identifier = identifier.clone();
        move |item: &Value| item["action"] == action && item["target"].to_string().contains(&identifier)
    };
    let created = entry(&root, "", of_it("service_token.mint")).await;
    assert_eq!(
        (&created["identity"]["kind"], &created["identity"]["subject"]),
        (&json!("bootstrap"), &json!("bootstrap"))
    );
    assert_eq!(
        (&created["outcome"], &created["request_id"]),
        (&json!("allowed"), &json!("request-of-a-test")),
        "{created}"
    );
    assert!(created["ip"] == "127.0.0.1" && created["time"].as_str().unwrap().ends_with('Z'), "{created}");
    assert!(created["sequence"].is_u64() && created["hash"].as_str().is_some_and(|hash| hash.len() >= 43), "{created}");
    for action in ["service_token.rotate", "service_token.revoke"] {
        entry(&root, &format!("&action={action}"), of_it(action)).await;
    }
    let all = root.all(EVENTS).await;
    assert!(!Value::Array(all).to_string().contains(made.str("secret")), "no secret is written down");
}

#[tokio::test]
async fn refusals_members_and_workspaces_are_told() {
    let gate = town();
    let (root, id, subject) = (gate.root(), unique("w"), unique("ada"));
    let user = gate.caller(secret(&mint::claims("https://corp.test", &subject, &json!({"act": {"sub": "support"}}))));
    user.post("/api/workspaces", json!({"id": id})).await.is(201);
    let by = |action: String| {
        let id = id.clone();
        move |item: &Value| {
            item["action"].as_str().is_some_and(|told| told.starts_with(&action)) && item["workspace_id"] == id
        }
    };
    let made = entry(&root, "", by("workspace.".to_owned())).await;
    assert_eq!(
        (
            &made["identity"]["kind"],
            &made["identity"]["issuer"],
            &made["identity"]["subject"],
            &made["identity"]["actor"]
        ),
        (&json!("user"), &json!("corp"), &json!(subject), &json!("support")),
        "{made}"
    );
    let member = format!("/api/workspaces/{id}/members/corp:{}", unique("eve"));
    root.ask(Method::PUT, &member).json(&json!({"role": "viewer"})).await.is(200);
    root.delete(&member).await.is(204);
    entry(&root, "", by("membership.".to_owned())).await;
    let other = mint_service(&root, &["workflows:read"], &[&id]).await;
    other.get("/api/workflows?workspace_id=elsewhere").await.problem(403, "auth.workspace_forbidden");
    entry(&root, "&outcome=refused", |item| item["code"] == "auth.workspace_forbidden").await;
    assert_eq!(refusal(&gate.caller("nonsense")).await.0, 401);
    let failed = entry(&root, "", |item| item["code"] == "auth.invalid_token").await;
    assert_ne!(failed["outcome"], "allowed", "{failed}");
    entry(&root, "&subject=bootstrap", |item| item["identity"]["kind"] == "bootstrap").await;
}

#[tokio::test]
async fn a_refused_token_is_told_with_whose_and_what_it_was() {
    let gate = town();
    let (root, client, ada) = (gate.root(), unique("robot"), unique("ada"));
    let expired = |subject: &str, more: Value| {
        let mut all = json!({"exp": 1, "jti": unique("jti")});
        mint::merge(&mut all, &more);
        gate.caller(secret(&mint::claims("https://corp.test", subject, &all)))
    };
    for (subject, more, kind) in [(&client, json!({"token_use": "client"}), "service"), (&ada, json!({}), "user")] {
        assert_eq!(refusal(&expired(subject, more)).await, (401, "auth.token_expired".to_owned()));
        let told = entry(&root, &format!("&subject={subject}"), |item| item["action"] == "auth.failure").await;
        assert_eq!(told["identity"], json!({"kind": kind, "issuer": "corp", "subject": subject}), "{told}");
        assert_eq!(told["code"], "auth.token_expired");
    }
}

#[tokio::test]
async fn the_reason_of_a_rejection_is_told() {
    let gate = town();
    let (root, ada) = (gate.root(), unique("ada"));
    let long = gate.caller(secret(&mint::claims("https://corp.test", &ada, &json!({"exp": mint::now() + 48 * 3600}))));
    assert_eq!(refusal(&long).await, (401, "auth.invalid_token".to_owned()));
    let told = entry(&root, &format!("&subject={ada}"), |item| item["action"] == "auth.failure").await;
    assert_eq!((&told["code"], &told["target"]), (&json!("auth.invalid_token"), &json!("life_too_long")), "{told}");
}

#[tokio::test]
async fn bad_tokens_and_refusals_on_sockets_are_told() {
    let world = World::on(town()).await;
    let (gate, root) = (&world.gate, &world.root);
    let workflow = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    let path = format!("/ws/workflow/{workflow}");
    let ada = |more: Value| secret(&mint::claims("https://corp.test", &unique("ada"), &more));
    let subject = |token: &str| peers::claims(token)["sub"].as_str().unwrap().to_owned();
    let expired = || ada(json!({"exp": 1}));

    let offered = expired();
    let offer = format!("tidegate.v1, bearer.{offered}");
    assert_eq!(Socket::with(gate, &path, &[("sec-websocket-protocol", &offer)]).await.closed().await.0, 4401);
    let asked = expired();
    assert_eq!(Socket::with(gate, &format!("{path}?token={asked}"), &[]).await.closed().await.0, 4401);
    let reader = ada(json!({"workspaces": [world.id], "scope": "workflows:read"}));
    let mut socket = Socket::open(&gate.caller(&reader), &path).await;
    socket.ready().await;
    socket.say(json!({"type": "run_workflow"})).await;
    assert!(matches!(socket.next().await, Said::Frame(frame) if frame["problem"]["code"] == "auth.missing_scope"));
    let handed_in = expired();
    socket.say(json!({"type": "auth", "token": handed_in})).await;
    assert_eq!(socket.closed().await.0, 4401);
    for token in [&offered, &asked, &handed_in] {
        let query = format!("&subject={}", subject(token));
        let told = entry(root, &query, |item| item["action"] == "auth.failure").await;
        assert_eq!((&told["code"], &told["ip"]), (&json!("auth.token_expired"), &json!("127.0.0.1")), "{told}");
        assert!(told["request_id"].is_string(), "{told}");
    }
    let query = format!("&subject={}", subject(&reader));
    let told = entry(root, &query, |item| item["action"] == "auth.refusal").await;
    assert_eq!((&told["code"], &told["target"]), (&json!("auth.missing_scope"), &json!("start_execution")), "{told}");
}

#[tokio::test]
async fn who_is_kept_out_and_what_is_made_for_who_comes_in_are_told_with_their_request() {
    let config = config().replace("[[auth.issuers]]", "[[auth.issuers]]\nprovision = \"none\"")
        + "[[auth.issuers]]\nname = \"open\"\nkind = \"jwt\"\nissuers = [\"https://open.test\"]\naudiences = [\"tidegate\"]\n\
           provision = \"workspace\"\nsecret = \"another-secret-of-forty-eight-bytes-0123456789ab\"\n";
    let gate = gate_with(&config, &[BOOTSTRAP]);
    let root = gate.root();
    let stranger = gate.caller(secret(&mint::claims("https://corp.test", "eve", &json!({}))));
    assert_eq!(refusal(&stranger).await, (403, "auth.not_provisioned".to_owned()));
    let told = entry(&root, "&subject=eve", |item| item["action"] == "auth.refusal").await;
    assert_eq!(told["identity"], json!({"kind": "user", "issuer": "corp", "subject": "eve"}), "{told}");
    assert_eq!(told["code"], "auth.not_provisioned");

    let claims = mint::claims("https://open.test", "ada", &json!({})).to_string();
    let by = |text: &[u8]| mint::hmac(b"another-secret-of-forty-eight-bytes-0123456789ab", text);
    let ada = gate.caller(mint::signed(r#"{"alg":"HS256"}"#, &claims, by));
    ada.get("/api/whoami").header("X-Request-Id", "first-sight").await.is(200);
    let told = entry(&root, "&subject=ada", |item| item["action"] == "workspace.create").await;
    assert_eq!((&told["request_id"], &told["ip"]), (&json!("first-sight"), &json!("127.0.0.1")), "{told}");
}

#[tokio::test]
async fn a_bootstrap_token_after_its_end_is_told_as_that() {
    let gate = gate_with("[auth]\nbootstrap_token_expires_at = 1\n", &[BOOTSTRAP]);
    assert_eq!(refusal(&gate.root()).await, (401, "auth.token_expired".to_owned()));
    gate.stop();
    assert_eq!(gate.ended(), Some(0));
    let lines = audit(&gate, &["export"]).await.ok().stdout;
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = told.iter().find(|entry| entry["action"] == "auth.failure").unwrap();
    assert_eq!(told["identity"], json!({"kind": "bootstrap", "issuer": null, "subject": "bootstrap"}), "{told}");
    assert_eq!(told["code"], "auth.token_expired");
}

#[tokio::test]
async fn a_session_that_is_made_is_told() {
    let world = World::on(town()).await;
    let made = world.root.post("/api/chatkit/session", json!({"workspace_id": world.id})).await.is(200);
    let id = peers::claims(made.str("client_secret"))["jti"].clone();
    let query = format!("&workspace_id={}&action=session.create", world.id);
    let told = entry(&world.root, &query, |item| item["target"] == id).await;
    assert_eq!((&told["identity"]["kind"], &told["outcome"]), (&json!("bootstrap"), &json!("allowed")), "{told}");
}

#[tokio::test]
async fn revocations_are_told() {
    let root = town().root();
    let order = json!({"kind": "session", "issuer": "corp", "value": unique("sid"), "reason": "r"});
    root.post("/api/admin/revocations", order).await.is(201);
    entry(&root, "", |item| item["action"].as_str().is_some_and(|action| action.starts_with("revocation."))).await;
}

#[tokio::test]
async fn the_audit_is_filtered_and_paged() {
    let gate = town();
    let (root, world, other) = (gate.root(), World::on(gate.clone()).await, World::on(gate.clone()).await);
    for place in [&world, &other] {
        mint_service(&root, &[], &[&place.id]).await;
    }
    let query = format!("&workspace_id={}", world.id);
    let found = entry(&root, &query, |item| item["action"] == "service_token.mint").await;
    let listed = root.all(&format!("{EVENTS}?workspace_id={}", world.id)).await;
    assert!(listed.iter().all(|item| item["workspace_id"] == world.id), "{listed:?}");
    let numbers: Vec<_> = root.all(EVENTS).await.iter().map(|item| item["sequence"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {numbers:?}");
    let time = found["time"].as_str().unwrap();
    for (query, any) in [
        (format!("from={time}"), true),
        (format!("to={time}&workspace_id={}", other.id), true),
        ("from=2100-01-01T00:00:00Z".to_owned(), false),
        ("to=2000-01-01T00:00:00Z".to_owned(), false),
        ("subject=nobody-at-all".to_owned(), false),
        ("action=service_token.mint".to_owned(), true),
        ("action=nothing.known".to_owned(), false),
        ("outcome=allowed".to_owned(), true),
    ] {
        let answer = root.get(&format!("{EVENTS}?{query}")).await;
        if any || answer.status == 200 {
            let answer = answer.is(200);
            assert!(any || answer.items().is_empty(), "{query}: {}", answer.text);
        } else {
            answer.complete_problem();
            assert!([400, 422].contains(&answer.status), "{query}: {}", answer.text);
        }
    }
    for bad in ["from=yesterday", "limit=0", "limit=201", "nosuch=1", "cursor=x", "outcome=perhaps"] {
        let answer = root.get(&format!("{EVENTS}?{bad}")).await;
        answer.complete_problem();
        assert!([400, 422].contains(&answer.status), "{bad}: {} {}", answer.status, answer.text);
    }
    // Who has a workspace reads of that one; what belongs to none needs all.
    let reader = mint_service(&root, &["admin:audit:read"], &[&world.id]).await;
    let seen = reader.all(&format!("{EVENTS}?workspace_id={}", world.id)).await;
    assert!(!seen.is_empty() && seen.iter().all(|item| item["workspace_id"] == world.id), "{seen:?}");
    let all = reader.all(EVENTS).await;
    assert!(all.iter().all(|item| item["workspace_id"] == world.id), "{all:?}");
    reader.get(&format!("{EVENTS}?workspace_id={}", other.id)).await.problem(403, "auth.workspace_forbidden");
    world.get(EVENTS).await.problem(403, "auth.missing_scope");
    gate.anonymous().get(EVENTS).await.problem(401, "auth.missing_token");
}

/// `tidegate audit …` beside a gate, on its database.
async fn audit(gate: &Gate, arguments: &[&str]) -> Ran {
    let file = super::setup::file(&config());
    let url = format!("sqlite://{}/data/tidegate.db", gate.folder().display());
    let mut all = vec!["audit"];
    all.extend(arguments);
    let variables =
        [("TIDEGATE_CONFIG", file.path().to_str().unwrap()), ("TIDEGATE_DATABASE__URL", url.as_str()), BOOTSTRAP];
    run(&all, &variables).await
}

/// Changes the database behind the gate's back.
async fn tamper(gate: &Gate, sql: &str) {
    use sea_orm::{ConnectionTrait, Database};
    let database = Database::connect(format!("sqlite://{}/data/tidegate.db", gate.folder().display())).await.unwrap();
    database.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    database.close().await.unwrap();
}

#[tokio::test]
async fn what_is_altered_deleted_or_cut_off_shows() {
    let changes: [(&str, Option<&str>); 4] = [
        ("altered", Some("UPDATE audit_entries SET subject = 'nobody' WHERE sequence = 3")),
        ("deleted", Some("DELETE FROM audit_entries WHERE sequence = 3")),
        (
            "reordered",
            Some(
                "UPDATE audit_entries SET sequence = CASE sequence WHEN 3 THEN 1000003 ELSE sequence END; \
            UPDATE audit_entries SET sequence = 3 WHERE sequence = 4; UPDATE audit_entries SET sequence = 4 WHERE sequence = 1000003",
            ),
        ),
        ("truncated", None),
    ];
    for (what, sql) in changes {
        let gate = gate_with(&config(), &[BOOTSTRAP]);
        let root = gate.root();
        for number in 0..6 {
            root.post("/api/admin/service-tokens", json!({"identifier": format!("t{number}"), "workspace_ids": []}))
                .await
                .is(201);
        }
        let last =
            entry(&root, "", |item| item["target"].to_string().contains("t5") && item["sequence"].is_u64()).await;
        let whole = until("a whole chain", || async {
            let ran = audit(&gate, &["verify"]).await;
            (ran.code == 0).then_some(ran)
        })
        .await;
        assert!(whole.said().contains("unanchored"), "{}", whole.said());
        let export = audit(&gate, &["export"]).await.ok();
        assert!(
            export.stdout.lines().count() >= 6 && export.stdout.contains("service_token.mint"),
            "{}",
            export.said()
        );
        let head = format!("{}:{}", last["sequence"], last["hash"].as_str().unwrap());
        let head = head.as_str();
        audit(&gate, &["verify", "--anchor", head]).await.ok();
        gate.stop();
        assert_eq!(gate.ended(), Some(0));
        if let Some(sql) = sql {
            tamper(&gate, sql).await;
            let ran = audit(&gate, &["verify"]).await;
            assert_eq!(ran.code, 1, "{what}: {}", ran.said());
        } else {
            // Whoever cuts off the end puts the head back, too.
            let cut = format!(
                "DELETE FROM audit_entries WHERE sequence >= {0}; UPDATE audit_head SET sequence = {0} - 1, \
                 hash = (SELECT hash FROM audit_entries WHERE sequence = {0} - 1)",
                last["sequence"]
            );
            tamper(&gate, &cut).await;
            let unanchored = audit(&gate, &["verify"]).await.ok();
            assert!(unanchored.said().contains("unanchored"), "{}", unanchored.said());
            let ran = audit(&gate, &["verify", "--anchor", head]).await;
            assert_eq!(ran.code, 1, "{what}: {}", ran.said());
        }
    }
}

#[tokio::test]
async fn a_read_is_no_use_of_a_right_that_is_not_there() {
    let gate = town();
    let me = whoami(&gate.root()).await;
    assert!(me["scopes"].as_array().unwrap().contains(&json!("admin:audit:read")));
    let user =
        gate.caller(secret(&mint::claims("https://corp.test", &unique("ada"), &json!({"scope": "admin:audit:read"}))));
    user.get(EVENTS).await.problem(403, "auth.missing_scope");
}
