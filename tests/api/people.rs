//! People of a real issuer (HS256), on the real binary: made at first sight, members of workspaces, owners of their tokens.

use std::{
    process::{Command, Stdio},
    sync::LazyLock,
};

use futures_util::future::join_all;
use josekit::{
    jws::{HS256, JwsHeader},
    jwt::{self, JwtPayload},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::gate::{Ask, Caller, Gate, ROOT, until};

const SECRET: &str = "a-secret-that-corp-and-the-gate-share-0123456789";
const TOKENS: &str = "/api/admin/service-tokens";

/// What the gate of these tests knows: `corp`, whose people get workspaces of their own and may do all that roles give.
fn settings() -> Vec<(&'static str, &'static str)> {
    vec![
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT),
        ("TIDEGATE_AUTH__ISSUERS__CORP__KIND", "jwt"),
        ("TIDEGATE_AUTH__ISSUERS__CORP__SECRET", SECRET),
        ("TIDEGATE_AUTH__ISSUERS__CORP__PROVISION", "workspace"),
        ("TIDEGATE_AUTH__ISSUERS__CORP__MAX_SCOPES", ALL.as_str()),
    ]
}

static ALL: LazyLock<String> = LazyLock::new(|| {
    tidegate::domain::scope::Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",")
});

fn token(subject: &str, more: &Value) -> String {
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({"sub": subject, "iat": now, "exp": now + 300, "preferred_username": subject});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let payload = JwtPayload::from_map(claims.as_object().unwrap().clone()).unwrap();
    let signer = HS256.signer_from_bytes(SECRET).unwrap();
    jwt::encode_with_signer(&payload, &JwsHeader::new(), &signer).unwrap()
}

/// A gate with the workspace `demo`.
struct Town {
    gate: Gate,
    root: Caller,
}

impl Town {
    async fn new() -> Self {
        let gate = Gate::with(&settings());
        let root = gate.root();
        root.post("/api/workspaces", json!({"id": "demo"})).await.is(201);
        Self { gate, root }
    }

    fn user(&self, subject: &str) -> Caller {
        self.gate.caller(token(subject, &json!({})))
    }

    async fn member(&self, user: &str, role: &str) {
        put(&self.root, user, role).await.is(200);
    }

    /// `tidegate authz why`, on the gate's config and its database.
    fn why(&self, arguments: &[&str], presented: Option<&str>) -> (i32, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["authz", "why", "--json"]).args(arguments).current_dir(self.gate.folder()).stdin(Stdio::null());
        command.env_clear().envs(settings()).env("TIDEGATE_DATABASE__URL", "sqlite://data/tidegate.db");
        command.envs(presented.map(|token| ("TIDEGATE_TOKEN", token)));
        let ran = command.output().unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
        (ran.status.code().unwrap(), serde_json::from_str(&said).unwrap_or_else(|_| json!(errors)))
    }
}

fn put(by: &Caller, user: &str, role: &str) -> Ask {
    by.ask(Method::PUT, &format!("/api/workspaces/demo/members/corp:{user}")).json(&json!({ "role": role }))
}

fn last(because: &Value) -> &str {
    because["because"].as_array().unwrap().last().unwrap().as_str().unwrap()
}

#[tokio::test]
async fn a_hundred_first_requests_make_one_person_with_one_workspace() {
    let town = Town::new().await;
    let asked = (0..100).map(|number| {
        let ada = town.gate.caller(token("ada", &json!({"jti": format!("t{number}")})));
        async move { ada.get("/api/whoami").await.is(200) }
    });
    for whoami in join_all(asked).await {
        assert_eq!(
            (&whoami["subject"], &whoami["issuer"], &whoami["kind"]),
            (&json!("ada"), &json!("corp"), &json!("user"))
        );
        assert_eq!(whoami["workspaces"].as_array().map(Vec::len), Some(1), "{}", whoami.text);
        assert_eq!(whoami["workspaces"][0]["role"], "owner");
    }
    let workspaces = town.root.all("/api/workspaces").await;
    assert_eq!(workspaces.len(), 2, "{workspaces:?}");
    assert_eq!(workspaces[0]["name"], "ada");
}

#[tokio::test]
async fn members_work_within_their_role() {
    let town = Town::new().await;
    for (user, role) in [("olga", "owner"), ("adam", "admin"), ("mia", "member"), ("vic", "viewer")] {
        town.member(user, role).await;
    }
    let order = |name: &str| json!({"workspace_id": "demo", "name": name});
    town.user("mia").post("/api/workflows", order("hers")).await.is(201);
    town.user("vic").get("/api/workflows?workspace_id=demo").await.is(200);
    town.user("vic").post("/api/workflows", order("his")).await.problem(403, "auth.missing_scope");
    town.user("eve").post("/api/workflows", order("hers")).await.problem(403, "auth.workspace_forbidden");
    for user in ["mia", "vic"] {
        town.user(user).get("/api/workspaces/demo/members").await.problem(403, "auth.missing_scope");
        put(&town.user(user), user, "owner").await.problem(403, "auth.missing_scope");
    }
    assert_eq!(town.user("adam").get("/api/workspaces/demo/members").await.is(200).items().len(), 4);
    put(&town.user("adam"), "adam", "owner").await.problem(403, "auth.missing_scope");
    put(&town.user("adam"), "olga", "admin").await.problem(403, "auth.missing_scope");
    put(&town.user("adam"), "vic", "member").await.is(200);
    put(&town.user("olga"), "olga", "admin").await.problem(409, "membership.last_owner");
    town.user("eve").get("/api/workspaces/demo/members").await.problem(403, "auth.workspace_forbidden");
    // A token that is bounded to reading does not hand out rights.
    let reading = town.gate.caller(token("olga", &json!({"scope": "workflows:read"})));
    put(&reading, "eve", "owner").await.problem(403, "auth.missing_scope");
    // Nor does one whose workspaces are those that it names.
    let placed = town.gate.caller(token("olga", &json!({"workspaces": ["other"]})));
    placed.get("/api/workflows?workspace_id=demo").await.problem(403, "auth.workspace_forbidden");
}

#[tokio::test]
async fn a_persons_service_token_is_no_more_than_the_person() {
    let town = Town::new().await;
    town.member("adam", "admin").await;
    let adam = town.user("adam");
    let scopes = json!(["workflows:read", "workflows:write", "admin:tokens:write", "admin:tokens:read"]);
    let minted =
        adam.post(TOKENS, json!({"identifier": "his", "scopes": scopes, "workspace_ids": ["demo"]})).await.is(201);
    let his = town.gate.caller(minted.str("secret"));
    let child = his.post(TOKENS, json!({"identifier": "child", "scopes": ["workflows:read"]})).await.is(201);
    assert_eq!(child["workspace_ids"], json!(["demo"]));
    let child = town.gate.caller(child.str("secret"));
    for order in [json!({"scopes": ["jobs:work"]}), json!({"scopes": ["admin:audit:read"]})] {
        his.post(TOKENS, order).await.problem(403, "auth.missing_scope");
    }
    adam.post(TOKENS, json!({"scopes": ["admin:workspaces:write"]})).await.problem(403, "auth.missing_scope");
    adam.post(TOKENS, json!({"all_workspaces": true})).await.problem(403, "auth.workspace_forbidden");
    put(&his, "eve", "viewer").await.problem(403, "auth.missing_scope");
    town.member("adam", "viewer").await;
    his.post("/api/workflows", json!({"workspace_id": "demo", "name": "w"})).await.problem(403, "auth.missing_scope");
    his.get("/api/workflows?workspace_id=demo").await.is(200);
    town.root.delete("/api/workspaces/demo/members/corp:adam").await.is(204);
    for caller in [his, child] {
        caller.get("/api/workflows?workspace_id=demo").await.problem(403, "auth.workspace_forbidden");
        assert_eq!(caller.get("/api/whoami").await.is(200)["workspaces"], json!([]));
    }
}

#[tokio::test]
async fn why_is_told_beside_the_server() {
    let town = Town::new().await;
    town.member("vic", "viewer").await;
    let demo = ["--workspace", "demo"];
    let ask = |operation: &str, more: &[&str]| town.why(&[&[operation], &demo[..], more].concat(), None);
    let (code, said) = ask("GET /api/workflows", &["--user", "corp:vic"]);
    assert_eq!(
        (code, &said["allowed"], last(&said)),
        (0, &json!(true), "decided by: the role viewer in demo"),
        "{said}"
    );
    let (code, said) = ask("POST /api/workflows", &["--user", "corp:vic"]);
    assert_eq!((code, &said["code"]), (4, &json!("auth.missing_scope")), "{said}");
    assert!(last(&said).contains("does not give workflows:write"), "{said}");
    let (code, said) = ask("GET /api/workflows", &["--user", "corp:vic", "--scope", "jobs:work"]);
    assert_eq!((code, last(&said)), (4, "decided by: the scopes that the token states"), "{said}");
    let (_, said) = ask("GET /api/workflows", &["--user", "corp:vic", "--token-workspace", "other"]);
    assert_eq!(last(&said), "decided by: the workspaces that the token names, which decide alone", "{said}");
    let (code, said) = ask("GET /api/workflows", &["--user", "crop:vic"]);
    assert!(code == 2 && said.as_str().unwrap().contains("corp"), "{said}");
    let (code, said) = town.why(&["GET /api/workflows", "--workspace", "demo"], Some(&token("eve", &json!({}))));
    assert_eq!(
        (code, &said["identity"]["subject"], &said["code"]),
        (4, &json!("eve"), &json!("auth.workspace_forbidden"))
    );
    let (code, said) = town.why(&["GET /api/workflows"], Some(ROOT));
    assert_eq!((code, &said["identity"]["kind"]), (0, &json!("bootstrap")), "{said}");
    let (code, said) = town.why(&["GET /api/workflows"], Some("nonsense"));
    assert_eq!((code, &said["code"]), (4, &json!("auth.invalid_token")), "{said}");
    assert_eq!(town.why(&["nonsense"], None).0, 2);
    // Nobody became a user by being asked about.
    town.root.get("/api/workspaces").await.is(200);
    let workspaces = town.root.all("/api/workspaces").await;
    assert_eq!(workspaces.len(), 1, "{workspaces:?}");
}

#[tokio::test]
async fn a_stream_ends_with_the_membership() {
    let town = Town::new().await;
    town.member("mia", "member").await;
    let mia = town.user("mia");
    let workflow = mia.post("/api/workflows", json!({"workspace_id": "demo", "name": "w"})).await.is(201).id();
    let stream =
        mia.get(&format!("/api/workflows/{workflow}/events")).header("Accept", "text/event-stream").open().await;
    assert_eq!(stream.status(), 200);
    let read = tokio::spawn(async move { stream.text().await.map(drop) });
    town.root.delete("/api/workspaces/demo/members/corp:mia").await.is(204);
    until("the stream's end", || async { read.is_finished().then_some(()) }).await;
}
