//! People and members over HTTP: the shapes, and who is refused what.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate::{
    adapters::http::Settings,
    app::authenticate::Mode,
    domain::{identity::Identity, issuer::Provision, scope::Scope, user::UserId},
    wiring::Parts,
};

use crate::support::{
    gateway::{Answer, BOOTSTRAP, Client, TestGateway},
    people::{TestIssuer, bounded, person, placed, policy},
};

struct Town {
    gateway: TestGateway,
    issuer: TestIssuer,
}

impl Town {
    async fn start() -> Self {
        let issuer = TestIssuer::default();
        let parts = Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP);
        let parts = issuer.join(Parts { mode: Mode::Required, ..parts }, policy(Provision::Workspace));
        let gateway = TestGateway::of(parts, Settings::default()).await;
        let town = Self { gateway, issuer };
        let made = town.gateway.bootstrap().post("/api/workspaces", &json!({"id": "demo"})).await;
        assert_eq!(made.status, 201, "{made:?}");
        town
    }

    fn sign_in(&self, who: Identity) -> Client {
        self.gateway.bearer(&self.issuer.token(who))
    }

    fn user(&self, name: &str) -> Client {
        self.sign_in(person(name))
    }

    async fn put(&self, by: &Client, user: &str, role: &str) -> Answer {
        put(by, &format!("corp:{user}"), &json!({ "role": role })).await
    }

    async fn member(&self, user: &str, role: &str) {
        let put = self.put(&self.gateway.bootstrap(), user, role).await;
        assert_eq!(put.status, 200, "{put:?}");
    }
}

async fn put(by: &Client, user: &str, body: &Value) -> Answer {
    let request = by.request("PUT", &format!("/api/workspaces/demo/members/{user}"));
    Answer::of(request.json(body).send().await.unwrap()).await
}

fn items(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

const MEMBERS: &str = "/api/workspaces/demo/members";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_entered_ahead_listed_changed_and_removed() {
    let town = Town::start().await;
    let root = town.gateway.bootstrap();
    let put = town.put(&root, "ada", "owner").await;
    assert_eq!(
        (put.status.as_u16(), &put.body["user_id"], &put.body["role"], &put.body["username"]),
        (200, &json!("corp:ada"), &json!("owner"), &Value::Null)
    );
    let ada = town.sign_in(Identity { username: Some("Ada".to_owned()), ..person("ada") });
    let whoami = ada.get("/api/whoami").await.body;
    let demo = whoami["workspaces"].as_array().unwrap().iter().find(|place| place["id"] == "demo").unwrap();
    assert_eq!(demo["role"], "owner", "{whoami}");
    town.member("bob", "viewer").await;
    let listed = items(&ada.get(MEMBERS).await);
    let names: Vec<_> = listed.iter().map(|member| (&member["user_id"], &member["username"])).collect();
    assert_eq!(names, [(&json!("corp:bob"), &Value::Null), (&json!("corp:ada"), &json!("Ada"))], "newest first");
    assert!(listed.iter().all(|member| member["since"].as_str().is_some_and(|since| since.ends_with('Z'))));
    let promoted = town.put(&ada, "bob", "admin").await;
    assert_eq!((&promoted.body["role"], &promoted.body["since"]), (&json!("admin"), &listed[0]["since"]));
    assert_eq!(ada.delete(&format!("{MEMBERS}/corp:bob")).await.status, 204);
    assert_eq!(ada.delete(&format!("{MEMBERS}/corp:bob")).await.refused(404), "membership.not_found");
    assert_eq!(town.put(&ada, "ada", "viewer").await.refused(409), "membership.last_owner");
    assert_eq!(ada.delete(&format!("{MEMBERS}/corp:ada")).await.refused(409), "membership.last_owner");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_of_a_member_is_said() {
    let town = Town::start().await;
    let root = town.gateway.bootstrap();
    for malformed in ["ada", ":ada", "corp:", "Corp:ada", "corp:%00"] {
        let answer = put(&root, malformed, &json!({"role": "viewer"})).await;
        assert_eq!(answer.refused(404), "membership.not_found", "{malformed}");
    }
    for body in [json!({"role": "king"}), json!({"role": ""})] {
        assert_eq!(put(&root, "corp:ada", &body).await.refused(422), "request.invalid", "{body}");
    }
    for body in [json!({}), json!({"role": 1}), json!({"role": "viewer", "rank": 1}), json!([])] {
        assert_eq!(put(&root, "corp:ada", &body).await.refused(400), "request.invalid", "{body}");
    }
    let misspelt = put(&root, "crop:ada", &json!({"role": "viewer"})).await;
    assert_eq!(misspelt.refused(422), "request.invalid");
    assert_eq!(misspelt.body["errors"][0]["parameter"], "user_id", "{misspelt:?}");
    let odd = put(&root, "corp:a%3Ab%20%C3%A4%2Fc", &json!({"role": "viewer"})).await;
    assert_eq!(odd.body["user_id"], "corp:a:b ä/c", "{odd:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_that_is_not_theirs_is_forbidden_whether_or_not_it_exists() {
    let town = Town::start().await;
    town.member("ada", "owner").await;
    let stranger = town.user("eve");
    for id in ["demo", "nowhere", "no%20slug"] {
        let path = format!("/api/workspaces/{id}/members");
        assert_eq!(stranger.get(&path).await.refused(403), "auth.workspace_forbidden", "{id}");
        assert_eq!(stranger.delete(&format!("{path}/corp:ada")).await.refused(403), "auth.workspace_forbidden");
    }
    assert_eq!(town.put(&stranger, "eve", "owner").await.refused(403), "auth.workspace_forbidden");
    let root = town.gateway.bootstrap();
    assert_eq!(root.get("/api/workspaces/nowhere/members").await.refused(404), "workspace.not_found");
    assert_eq!(town.gateway.anonymous().get(MEMBERS).await.refused(401), "auth.missing_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_makes_a_workspace_and_owns_it() {
    let town = Town::start().await;
    let ada = town.user("ada");
    let keyed = async |id: &str| {
        let request = ada.request("POST", "/api/workspaces").header("idempotency-key", "k");
        Answer::of(request.json(&json!({ "id": id })).send().await.unwrap()).await
    };
    let made = keyed("hers").await;
    assert_eq!((made.status.as_u16(), &made.body["role"]), (201, &json!("owner")), "{made:?}");
    let again = keyed("hers").await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &made.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let seen: Vec<_> = items(&ada.get("/api/workspaces").await).iter().map(|place| place["id"].clone()).collect();
    assert_eq!(seen.len(), 2, "hers, and her own: {seen:?}");
    assert_eq!(ada.get("/api/workspaces/hers").await.body["role"], "owner");
    assert_eq!(items(&ada.get("/api/workspaces/hers/members").await).len(), 1);
    assert_eq!(town.user("bob").get("/api/workspaces/hers").await.refused(403), "auth.workspace_forbidden");
    let bounded = town.sign_in(bounded("ada", &[Scope::WorkflowsRead]));
    assert_eq!(bounded.post("/api/workspaces", &json!({"id": "more"})).await.status, 201);
    let service = town.gateway.service("ci", &["admin:workspaces:write"], &["demo"]).await;
    let refused = service.post("/api/workspaces", &json!({"id": "none"})).await;
    assert_eq!(refused.refused(403), "auth.workspace_forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_what_will_be_a_persons_own_workspace() {
    let town = Town::start().await;
    let bobs = UserId::parse("corp:bob").unwrap().default_workspace().unwrap();
    for by in [town.user("eve"), town.gateway.bootstrap()] {
        let refused = by.post("/api/workspaces", &json!({"id": bobs.as_str()})).await;
        assert_eq!(refused.refused(422), "request.invalid");
        assert_eq!(refused.pointers(), ["/id"]);
        by.post("/api/workspaces", &json!({"id": bobs.as_str().to_uppercase()})).await.refused(422);
    }
    let bob = town.user("bob").get("/api/whoami").await;
    assert_eq!(bob.body["workspace_ids"], json!([bobs.as_str()]), "{bob:?}");
}

/// An admin of `demo` and a viewer of `other`, by a token of theirs and by one that belongs to them; nobody of these has
/// more than the admin of one workspace.
async fn lesser(town: &Town) -> Vec<(&'static str, Client)> {
    town.member("ada", "admin").await;
    let ada = town.user("ada");
    let all = ["admin:tokens:read", "admin:tokens:write", "workflows:read", "workflows:write"];
    let order = json!({"identifier": "hers", "scopes": all, "workspace_ids": ["demo"]});
    let minted = ada.post("/api/admin/service-tokens", &order).await;
    assert_eq!(minted.status, 201, "{minted:?}");
    let hers = town.gateway.bearer(minted.body["secret"].as_str().unwrap());
    let service = town.gateway.service("lesser", &all, &["demo"]).await;
    vec![("person", ada), ("their token", hers), ("service", service)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_less_mints_rotates_widens_shows_and_revokes_no_more() {
    let town = Town::start().await;
    let root = town.gateway.bootstrap();
    assert_eq!(root.post("/api/workspaces", &json!({"id": "other"})).await.status, 201);
    let tokens = "/api/admin/service-tokens";
    for (name, scopes, places) in [
        ("wide", json!(["jobs:work"]), json!(["demo", "other"])),
        ("strong", json!(["admin:workspaces:write"]), json!(["demo"])),
        ("elsewhere", json!(["workflows:read"]), json!(["other"])),
        ("nowhere", json!(["admin:metrics:read"]), json!([])),
    ] {
        let order = json!({"identifier": name, "scopes": scopes, "workspace_ids": places});
        assert_eq!(root.post(tokens, &order).await.status, 201);
    }
    let order = json!({"identifier": "everywhere", "scopes": ["workflows:read"], "all_workspaces": true});
    assert_eq!(root.post(tokens, &order).await.status, 201);
    for (who, caller) in lesser(&town).await {
        let refused = async |order: Value| caller.post(tokens, &order).await.refused(403).to_owned();
        assert_eq!(refused(json!({"scopes": ["admin:workspaces:write"]})).await, "auth.missing_scope", "{who}");
        assert_eq!(refused(json!({"scopes": ["admin:audit:read"], "workspace_ids": []})).await, "auth.missing_scope");
        assert_eq!(refused(json!({"workspace_ids": ["demo", "other"]})).await, "auth.workspace_forbidden", "{who}");
        assert_eq!(refused(json!({"all_workspaces": true})).await, "auth.workspace_forbidden", "{who}");
        for hidden in ["wide", "elsewhere", "everywhere", "nowhere"] {
            let path = format!("{tokens}/{hidden}");
            assert_eq!(caller.get(&path).await.refused(404), "service_token.not_found", "{who}: {hidden}");
            assert_eq!(caller.delete(&path).await.refused(404), "service_token.not_found", "{who}: {hidden}");
            let rotated = caller.post(&format!("{path}/rotate"), &json!({})).await;
            assert_eq!(rotated.refused(404), "service_token.not_found", "{who}: {hidden}");
        }
        let rotated = caller.post(&format!("{tokens}/strong/rotate"), &json!({})).await;
        assert_eq!(rotated.refused(403), "auth.missing_scope", "{who}");
        let widened = json!({"add_scopes": ["admin:workspaces:write"], "overlap_seconds": 0});
        let widened = caller.post(&format!("{tokens}/hers/rotate"), &widened).await;
        assert_eq!(widened.refused(403), "auth.missing_scope", "{who}");
        let listed: Vec<_> = items(&caller.get(tokens).await).iter().map(|token| token["identifier"].clone()).collect();
        assert!(
            !listed.iter().any(|name| ["wide", "elsewhere", "everywhere", "nowhere"].contains(&name.as_str().unwrap()))
        );
        let crowned = town.put(&caller, "eve", "owner").await;
        assert_eq!(crowned.refused(403), "auth.missing_scope", "{who} makes no owner");
        let code = if who == "person" { "auth.workspace_forbidden" } else { "auth.missing_scope" };
        assert_eq!(caller.get("/api/workspaces/other/members").await.refused(403), code, "{who}");
    }
    for name in ["wide", "strong", "elsewhere", "nowhere", "everywhere"] {
        let shown = root.get(&format!("{tokens}/{name}")).await;
        assert_eq!((&shown.body["status"], &shown.body["rotated_at"]), (&json!("active"), &Value::Null), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_token_sees_to_no_members_and_makes_no_workspace_in_their_name() {
    let town = Town::start().await;
    for (who, caller) in lesser(&town).await.into_iter().skip(1) {
        assert_eq!(town.put(&caller, "eve", "viewer").await.refused(403), "auth.missing_scope", "{who}");
        assert_eq!(caller.get(MEMBERS).await.refused(403), "auth.missing_scope", "{who}");
        assert_eq!(caller.delete(&format!("{MEMBERS}/corp:ada")).await.refused(403), "auth.missing_scope", "{who}");
        let made = caller.post("/api/workspaces", &json!({"id": "another"})).await;
        assert_eq!(made.refused(403), "auth.missing_scope", "{who}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoami_of_a_persons_token_shows_what_is_left_of_it() {
    let town = Town::start().await;
    let [_, (_, hers), _] = <[_; 3]>::try_from(lesser(&town).await).unwrap();
    let rights = async || hers.get("/api/whoami").await.body["workspaces"].clone();
    let before = rights().await;
    assert_eq!(before[0]["scopes"].as_array().map(Vec::len), Some(4), "{before}");
    town.member("ada", "viewer").await;
    assert_eq!(rights().await, json!([{"id": "demo", "role": "viewer", "scopes": ["workflows:read"]}]));
    let removed = town.gateway.bootstrap().delete(&format!("{MEMBERS}/corp:ada")).await;
    assert_eq!(removed.status, 204);
    assert_eq!(rights().await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoami_explains_which_rule_decided() {
    let town = Town::start().await;
    town.member("ada", "viewer").await;
    let explained = async |caller: &Client, operation: &str, workspace: &str| {
        let asked = format!("/api/whoami?explain={}&workspace_id={workspace}", operation.replace(' ', "%20"));
        let said = caller.get(&asked).await.body["explain"].clone();
        let because = said["because"].as_array().unwrap_or_else(|| panic!("{said}"));
        (said["code"].clone(), because.last().unwrap().as_str().unwrap().to_owned())
    };
    let ada = town.user("ada");
    for (operation, place, code, rule) in [
        ("GET /api/workflows", "demo", None, "the role viewer in demo"),
        (
            "POST /api/workflows",
            "demo",
            Some("auth.missing_scope"),
            "the role viewer in demo, which does not give workflows:write",
        ),
        ("GET /api/workflows", "other", Some("auth.workspace_forbidden"), "the caller is no member of other"),
        ("GET /api/workspaces/demo/members", "other", Some("auth.missing_scope"), "the role viewer in demo"),
        ("POST /api/workspaces", "other", None, "the caller is a person, who may always make a workspace, and owns it"),
    ] {
        assert_eq!(
            explained(&ada, operation, place).await,
            (json!(code), format!("decided by: {rule}")),
            "{operation}"
        );
    }
    let narrow = town.sign_in(bounded("ada", &[Scope::JobsWork]));
    let (code, rule) = explained(&narrow, "GET /api/workflows", "demo").await;
    assert_eq!((code, rule.as_str()), (json!("auth.missing_scope"), "decided by: the scopes that the token states"));
    let placed = town.sign_in(placed("ada", &["here"]));
    let (code, rule) = explained(&placed, "GET /api/workflows", "demo").await;
    assert_eq!(code, "auth.workspace_forbidden");
    assert_eq!(rule, "decided by: the workspaces that the token names, which decide alone");
}

/// 100 first requests over HTTP; the users' table has one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_first_requests_at_once_are_one_person() {
    let town = Arc::new(Town::start().await);
    let asked = (0..100).map(|_| {
        let town = Arc::clone(&town);
        async move { town.user("ada").get("/api/workspaces").await }
    });
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(items(&answer).len(), 1, "{answer:?}");
    }
    let root = town.gateway.bootstrap();
    assert_eq!(items(&root.get("/api/workspaces").await).len(), 2, "demo and hers");
}
