//! The command line of authentication: tokens, members, revocations, `authz why`, `auth status`.

use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, secret},
    setup::{BOOTSTRAP, call, gate_with, run, whoami},
};
use crate::api::{
    gate::{Caller, Gate, Shared},
    world::{World, unique},
};

fn config() -> String {
    format!(
        "[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\nmax_scopes = [\"*\"]\n"
    )
}

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| gate_with(&config(), &[BOOTSTRAP]))
}

fn user(gate: &Gate, subject: &str) -> Caller {
    gate.caller(secret(&mint::claims("https://corp.test", subject, &json!({}))))
}

#[tokio::test]
async fn tokens_are_made_rotated_and_revoked() {
    let world = World::on(town()).await;
    let root = &world.root;
    let id = unique("cli");
    let arguments = [
        "token",
        "create",
        "--id",
        &id,
        "--workspace",
        &world.id,
        "--scope",
        "workflows:read",
        "--expires-in",
        "1h",
        "--json",
    ];
    let made = call(root, &arguments).await.ok().json();
    assert_eq!(
        (&made["identifier"], &made["scopes"], &made["workspace_ids"]),
        (&json!(id), &json!(["workflows:read"]), &json!([world.id]))
    );
    let token = world.gate.caller(made["secret"].as_str().unwrap());
    whoami(&token).await;
    let arguments =
        ["token", "rotate", &id, "--overlap", "0", "--add-scope", "jobs:work", "--expires-in", "2h", "--json"];
    let rotated = call(root, &arguments).await.ok().json();
    assert_eq!(rotated["scopes"], json!(["workflows:read", "jobs:work"]));
    assert_eq!(token.get("/api/whoami").await.status, 401, "the old secret has ended");
    let shown = call(root, &["token", "show", &id, "--json"]).await.ok();
    assert!(!shown.stdout.contains(rotated["secret"].as_str().unwrap()));
    call(root, &["token", "revoke", &id, "--reason", "leaked"]).await.ok();
    assert_eq!(call(root, &["token", "show", &id, "--json"]).await.ok().json()["revocation_reason"], "leaked");
    assert_eq!(call(root, &["token", "rotate", &id]).await.code, 6);
    assert_eq!(call(root, &["token", "show", "nobody-at-all"]).await.code, 5);
    assert_eq!(call(&world.gate.anonymous(), &["token", "list"]).await.code, 4);
}

#[tokio::test]
async fn members_are_seen_to() {
    let world = World::on(town()).await;
    let subject = unique("ada");
    let name = format!("corp:{subject}");
    call(&world.root, &["workspace", "member", "--help"]).await.ok();
    for verb in ["add", "set", "put"] {
        let ran = call(&world.root, &["workspace", "member", verb, &world.id, &name, "--role", "member"]).await;
        if ran.code == 0 {
            break;
        }
        assert_ne!(verb, "put", "no verb adds a member: {}", ran.said());
    }
    let listed = call(&world.root, &["workspace", "member", "list", &world.id, "--json"]).await.ok().json();
    assert!(
        listed.as_array().unwrap().iter().any(|item| item["user_id"] == name && item["role"] == "member"),
        "{listed}"
    );
    assert_eq!(whoami(&user(&world.gate, &subject)).await["workspace_ids"], json!([world.id]));
    call(&world.root, &["workspace", "member", "remove", &world.id, &name]).await.ok();
    assert_eq!(whoami(&user(&world.gate, &subject)).await["workspace_ids"], json!([]));
}

#[tokio::test]
async fn revocations_are_made_listed_and_lifted() {
    let gate = town();
    let (root, subject) = (gate.root(), unique("ada"));
    let ada = user(&gate, &subject);
    whoami(&ada).await;
    let help = call(&root, &["revocation", "--help"]).await.ok();
    assert!(help.stdout.contains("list"), "{}", help.stdout);
    let name = format!("corp:{subject}");
    let made =
        call(&root, &["revocation", "add", "--user", &name, "--ban", "--reason", "left", "--json"]).await.ok().json();
    assert_eq!(ada.get("/api/whoami").await["code"], "auth.token_revoked");
    let listed = call(&root, &["revocation", "list", "--json"]).await.ok().json();
    assert!(listed.as_array().unwrap().iter().any(|item| item["id"] == made["id"]), "{listed}");
    let id = made["id"].as_str().unwrap();
    call(&root, &["revocation", "lift", id]).await.ok();
    crate::api::gate::until("the end of the ban", || async {
        (ada.get("/api/whoami").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn authz_why_names_the_rule() {
    let world = World::on(town()).await;
    let made = world
        .root
        .post("/api/admin/service-tokens", json!({"scopes": ["workflows:read"], "workspace_ids": [world.id]}))
        .await
        .is(201);
    let file = super::setup::file(&config());
    let url = format!("sqlite://{}/data/tidegate.db", world.gate.folder().display());
    let variables =
        [("TIDEGATE_CONFIG", file.path().to_str().unwrap()), ("TIDEGATE_DATABASE__URL", url.as_str()), BOOTSTRAP];
    let why = async |token: &str, operation: &str| -> (i32, Value) {
        let mut variables = variables.to_vec();
        variables.push(("TIDEGATE_TOKEN", token));
        let ran = run(&["authz", "why", operation, "--workspace", &world.id, "--json"], &variables).await;
        assert!(!ran.said().contains(token), "{}", ran.said());
        (ran.code, ran.json())
    };
    let explained = |told: &(i32, Value)| {
        let explain = if told.1["explain"].is_null() { &told.1 } else { &told.1["explain"] };
        (told.0, explain["allowed"].clone(), explain["code"].clone())
    };
    let jwt =
        secret(&mint::claims("https://corp.test", "ada", &json!({"workspaces": [world.id], "scope": "jobs:work"})));
    for (token, operation, expected) in [
        (made.str("secret"), "POST /api/workflows", (4, json!(false), json!("auth.missing_scope"))),
        (made.str("secret"), "GET /api/workflows", (0, json!(true), Value::Null)),
        (&jwt, "POST /api/jobs/activate", (0, json!(true), Value::Null)),
        (&jwt, "GET /api/workflows", (4, json!(false), json!("auth.missing_scope"))),
    ] {
        let told = why(token, operation).await;
        assert_eq!(explained(&told), expected, "{operation}: {told:?}");
    }
    let described = ["authz", "why", "GET /api/workflows", "--workspace", &world.id, "--user", "corp:never-seen"];
    let ran = run(&described, &variables).await;
    assert_eq!(ran.code, 4, "{}", ran.said());
    assert!(ran.said().contains("auth.workspace_forbidden"), "{}", ran.said());
    let owner = user(&world.gate, &unique("owner"));
    let place = unique("w");
    owner.post("/api/workspaces", json!({"id": place})).await.is(201);
    let name = format!("corp:{}", whoami(&owner).await.str("subject"));
    run(&["authz", "why", "GET /api/workflows", "--workspace", &place, "--user", &name], &variables).await.ok();
}

/// Every kind of credential, as `auth status` shows it: the exit code, and what stands there.
#[tokio::test]
async fn authz_why_describes_anybody_and_makes_nobody_a_user() {
    // A config of its own: the workspaces of those who are seen are counted.
    let config = config() + "provision = \"workspace\"\ndefault_workspaces = [\"lobby\"]\n";
    let gate = gate_with(&config, &[BOOTSTRAP]);
    let root = gate.root();
    root.post("/api/workspaces", json!({"id": "demo"})).await.is(201);
    for (user, role) in [("vic", "viewer"), ("gone", "viewer")] {
        let path = format!("/api/workspaces/demo/members/corp:{user}");
        root.ask(reqwest::Method::PUT, &path).json(&json!({ "role": role })).await.is(200);
    }
    root.delete("/api/workspaces/demo/members/corp:gone").await.is(204);
    let file = super::setup::file(&config);
    let url = format!("sqlite://{}/data/tidegate.db", gate.folder().display());
    let variables =
        [("TIDEGATE_CONFIG", file.path().to_str().unwrap()), ("TIDEGATE_DATABASE__URL", url.as_str()), BOOTSTRAP];
    let why = async |more: &[&str]| run(&[&["authz", "why"], more].concat(), &variables).await;
    let (read, write) = ("GET /api/workflows", "POST /api/workflows");
    for (more, code, rule) in [
        (&[read, "--user", "corp:vic"][..], 0, "the role viewer in demo"),
        (&[write, "--user", "corp:vic"], 4, "the role viewer in demo, which does not give workflows:write"),
        (&[read, "--user", "corp:vic", "--scope", "jobs:work"], 4, "the scopes that the token states"),
        (
            &[read, "--user", "corp:vic", "--token-workspace", "other"],
            4,
            "the workspaces that the token names, which decide alone",
        ),
        (&[read, "--user", "corp:new"], 4, "the caller is no member of demo"),
        (&[read, "--user", "corp:gone"], 4, "the caller is no member of demo"),
        (&["GET /api/admin/revocations", "--user", "corp:vic"], 4, "the memberships of the caller"),
    ] {
        let ran = why(&[more, &["--workspace", "demo"]].concat()).await;
        assert!(ran.code == code && ran.stdout.contains(&format!("decided by: {rule}\n")), "{more:?}: {}", ran.said());
    }
    let misspelt = why(&[read, "--user", "crop:vic"]).await;
    assert!(misspelt.code == 2 && misspelt.said().contains("corp"), "{}", misspelt.said());
    assert_eq!(why(&["nonsense"]).await.code, 2);
    let made = root.all("/api/workspaces").await;
    assert_eq!(made.len(), 1, "nobody has got a workspace by being asked about: {made:?}");
}

#[tokio::test]
async fn auth_status_tells_what_i_am_here() {
    let world = World::on(town()).await;
    let reader = world.someone(&["workflows:read", "chatkit:session"]).await;
    let ada = user(&world.gate, &unique("ada"));
    let made = reader.post("/api/chatkit/session", json!({"workspace_id": world.id})).await.is(200);
    let page = world.gate.caller(made.str("client_secret"));
    for (caller, kind) in [(&reader, "service"), (&world.root, "bootstrap"), (&ada, "user"), (&page, "service")] {
        let me = whoami(caller).await;
        let ran = call(caller, &["auth", "status"]).await.ok();
        let subject = me.str("subject");
        assert!(ran.stdout.contains(subject) && ran.stdout.contains(kind), "{subject}: {}", ran.said());
        assert!(ran.stdout.contains("$TIDEGATE_TOKEN") && ran.stdout.contains("not let in"), "{}", ran.said());
        assert!(!ran.said().contains(caller.token.as_deref().unwrap()), "{}", ran.said());
        let told = call(caller, &["auth", "status", "--json"]).await.ok().json();
        assert_eq!(told["whoami"], me.body, "as the API says it");
        assert_eq!(ran.stderr, "");
    }
    // What is bad is told on standard error, with what to do; where the token came from, all the same.
    let over = mint::claims("https://corp.test", "ada", &json!({"exp": mint::now() - 60}));
    let gone = world.someone(&["workflows:read"]).await;
    let id = whoami(&gone).await.str("token_id").to_owned();
    world.root.delete(&format!("/api/admin/service-tokens/{id}")).await.is(204);
    for (caller, code) in [
        (world.gate.caller(secret(&over)), "auth.token_expired"),
        (gone, "auth.token_revoked"),
        (world.gate.caller("nonsense"), "auth.invalid_token"),
        (world.gate.anonymous(), "auth.missing_token"),
    ] {
        let ran = call(&caller, &["auth", "status"]).await;
        assert_eq!(ran.code, 4, "{}", ran.said());
        assert!(ran.stderr.contains(code) && ran.stderr.contains("try: "), "{}", ran.stderr);
        let from = if caller.token.is_some() { "$TIDEGATE_TOKEN" } else { "none" };
        assert!(ran.stdout.contains(from) && ran.stdout.contains("not let in"), "{}", ran.stdout);
    }
    let nobody = run(&["auth", "status"], &[("TIDEGATE_URL", "http://127.0.0.1:1"), ("TIDEGATE_TOKEN", "x")]).await;
    assert_eq!(nobody.code, 3, "{}", nobody.said());
    let open = Gate::with(&[("TIDEGATE_AUTH__MODE", "disabled"), ("TIDEGATE_DATABASE__URL", "memory:")]);
    assert!(call(&open.anonymous(), &["auth", "status"]).await.ok().stdout.contains("let in as anonymous"));
    assert!(call(&open.caller("x"), &["auth", "status"]).await.ok().stdout.contains("tokens are not looked at"));
}

#[tokio::test]
async fn the_names_of_an_older_client_find_gate_and_token() {
    let world = World::on(town()).await;
    let reader = world.someone(&["workflows:read"]).await;
    let (url, token) = (world.gate.url(""), reader.token.clone().unwrap());
    let old = [("ORCHEO_API_URL", url.as_str()), ("ORCHEO_SERVICE_TOKEN", token.as_str())];
    let told = run(&["auth", "status", "--json"], &old).await.ok().json();
    assert_eq!((&told["url_from"], &told["token_from"]), (&json!("$ORCHEO_API_URL"), &json!("$ORCHEO_SERVICE_TOKEN")));
    assert_eq!(told["whoami"], whoami(&reader).await.body);
    // Our own names win.
    let told = run(&["whoami", "--json"], &[old[0], old[1], ("TIDEGATE_TOKEN", crate::api::gate::ROOT)]).await.ok();
    assert_eq!(told.json()["kind"], "bootstrap");
    let ran = run(&["whoami"], &[old[0], old[1], ("TIDEGATE_URL", "http://127.0.0.1:1")]).await;
    assert_eq!(ran.code, 3, "{}", ran.said());
}

#[tokio::test]
async fn the_audit_is_listed() {
    let world = World::on(town()).await;
    let id = unique("audited");
    let order = ["token", "create", "--id", &id, "--workspace", &world.id, "--json"];
    let made = call(&world.root, &order).await.ok();
    let listed = |more: &[&str]| {
        let arguments: Vec<String> =
            ["audit", "list", "--json"].iter().chain(more).map(|text| (*text).to_owned()).collect();
        let root = world.root.clone();
        async move {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            call(&root, &arguments).await.ok().json().as_array().unwrap().clone()
        }
    };
    let minted = ["--workspace", world.id.as_str(), "--action", "service_token.mint", "--outcome", "allowed"];
    let entry = crate::api::gate::until("the entry", || async {
        listed(&minted).await.into_iter().find(|entry| entry["target"] == id.as_str())
    })
    .await;
    assert_eq!((&entry["identity"]["kind"], &entry["workspace_id"]), (&json!("bootstrap"), &json!(world.id)));
    let time = entry["time"].as_str().unwrap();
    let has = |entries: &[Value]| entries.iter().any(|other| other["sequence"] == entry["sequence"]);
    assert!(has(&listed(&["--subject", "bootstrap", "--from", time]).await));
    assert!(!has(&listed(&["--subject", "bootstrap", "--to", time]).await), "before it");
    assert!(listed(&["--subject", "nobody-of-this-name"]).await.is_empty());
    let shown = call(&world.root, &["audit", "list", "--workspace", &world.id]).await.ok();
    assert!(shown.stdout.contains("service_token.mint") && shown.stdout.contains(&id), "{}", shown.stdout);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(!shown.said().contains(&secret));
    assert_eq!(call(&world.root, &["audit", "list", "--from", "yesterday"]).await.code, 2);
    let reader = world.someone(&["workflows:read"]).await;
    assert_eq!(call(&reader, &["audit", "list"]).await.code, 4);
    assert_eq!(call(&world.gate.anonymous(), &["audit", "list"]).await.code, 4);
}

#[tokio::test]
async fn authz_why_tells_why_a_token_is_rejected_and_the_answer_does_not() {
    let gate = town();
    let file = super::setup::file(&config());
    let url = format!("sqlite://{}/data/tidegate.db", gate.folder().display());
    let now = mint::now();
    let corp = |more: &Value| secret(&mint::claims("https://corp.test", &unique("ada"), more));
    let ada = mint::claims("https://corp.test", "ada", &json!({}));
    let mut answers = Vec::new();
    for (token, reason) in [
        (corp(&json!({"exp": now + 48 * 3600})), "max_token_life"),
        (corp(&json!({"iat": now + 300, "exp": now + 600})), "claim iat is ahead"),
        (corp(&json!({"nbf": now + 300, "exp": now + 600})), "claim nbf is ahead"),
        (corp(&json!({"sub": null})), "claim sub"),
        (corp(&json!({"workspace": "Acme Finance"})), "workspace claim"),
        (corp(&json!({"type": "Refresh"})), "refresh"),
        (format!("{}=", corp(&json!({}))), "compact form"),
        (format!("{}.AAAA", corp(&json!({})).rsplit_once('.').unwrap().0), "signature"),
        (mint::secret_with(&json!({"alg": "HS256", "typ": "id+jwt"}), &ada), "typ"),
    ] {
        let variables = [
            ("TIDEGATE_CONFIG", file.path().to_str().unwrap()),
            ("TIDEGATE_DATABASE__URL", url.as_str()),
            BOOTSTRAP,
            ("TIDEGATE_TOKEN", token.as_str()),
        ];
        let ran = run(&["authz", "why", "GET /api/workflows", "--json"], &variables).await;
        let because = ran.json()["because"].to_string();
        assert!(ran.code == 4 && because.contains(reason), "{reason}: {}", ran.said());
        assert!(!ran.said().contains(&token), "the token is shown");
        let mut refused = gate.caller(token).get("/api/whoami").await;
        refused.problem(401, "auth.invalid_token");
        refused.body["request_id"].take();
        answers.push(refused.body);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one answer for all: {answers:#?}");
}
