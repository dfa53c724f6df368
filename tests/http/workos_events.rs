//! What WorkOS says of its sessions and people at `/auth/workos/events`.

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::{
    adapters::http::{Settings, WorkosWebhook},
    domain::user::IssuerName,
    wiring::Parts,
};

use crate::support::{
    gateway::{Answer, Client},
    peers::WorkosEmulator,
    people::{TestIssuer, person},
    town::{PATIENCE, Town, closed, now, socket, workos_signature},
};

const PATH: &str = "/auth/workos/events";
const SECRET: &str = "webhook-secret-of-a-test";

fn webhook(issuer: &str, secret: &str, stamps_in_seconds: bool) -> WorkosWebhook {
    let issuer = IssuerName::parse(issuer).unwrap();
    WorkosWebhook { issuer, secret: SecretString::from(secret), stamps_in_seconds }
}

async fn town(webhooks: Vec<WorkosWebhook>) -> Town {
    let settings = Settings { workos: webhooks, ..Settings::default() };
    Town::of(Parts::in_memory().unwrap(), settings, TestIssuer::default()).await
}

fn event(id: &str, name: &str, data: &Value, at: Timestamp) -> String {
    json!({"id": id, "event": name, "data": data, "created_at": at.to_string()}).to_string()
}

async fn deliver(town: &Town, header: &str, body: &str) -> Answer {
    let headers = [("workos-signature", header), ("content-type", "application/json")].into();
    town.gateway.anonymous().send("POST", PATH, &headers, body.to_owned()).await
}

/// An event that WorkOS signed just now.
async fn tell(town: &Town, body: &str) -> String {
    let answer = deliver(town, &workos_signature(SECRET, now(), body), body).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.body["outcome"].as_str().unwrap().to_owned()
}

async fn comes_in(client: &Client) -> bool {
    client.get("/api/whoami").await.status.as_u16() == 200
}

fn minutes_ago(minutes: i64) -> Timestamp {
    now().checked_sub(jiff::SignedDuration::from_mins(minutes)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_ends_here() {
    let town = town(vec![webhook("corp", SECRET, false)]).await;
    let workflow = town.demo(&["ada"]).await;
    let token = town.token("ada", "session_1", -60);
    let (ended, other) = (town.gateway.bearer(&token), town.sign_in("ada", "session_2", -60));
    let listening = socket(&town.gateway, &token, &workflow).await;
    let body = event("event_1", "session.revoked", &json!({"id": "session_1", "user_id": "ada"}), now());
    for _ in 0..2 {
        assert_eq!(tell(&town, &body).await, "applied", "also the second time");
    }
    assert_eq!(ended.get("/api/whoami").await.refused(401), "auth.token_revoked");
    assert!(comes_in(&other).await);
    assert_eq!(closed(listening).await.0, 4401);
    let list = town.gateway.bootstrap().get("/api/admin/revocations").await.body;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "once: {list}");
    assert_eq!((&list["items"][0]["value"], &list["items"][0]["created_by"]), (&json!("session_1"), &json!("issuer")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_user_is_banned_and_belongs_to_nothing() {
    let town = town(vec![webhook("corp", SECRET, false)]).await;
    town.demo(&["ada", "bob"]).await;
    let (before, after) = (town.sign_in("ada", "s1", -60), town.sign_in("ada", "s2", 30));
    let body = event("event_1", "user.deleted", &json!({"id": "ada"}), minutes_ago(60 * 24 * 3));
    assert_eq!(tell(&town, &body).await, "applied", "after three days of retries, too");
    assert!(!comes_in(&before).await && !comes_in(&after).await);
    let members = town.gateway.bootstrap().get("/api/workspaces/demo/members").await.body;
    let members: Vec<_> = members["items"].as_array().unwrap().iter().map(|member| member["user_id"].clone()).collect();
    assert_eq!(members, ["corp:bob"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_rights_refuse_the_tokens_issued_before() {
    for name in ["organization_membership.deleted", "organization_membership.updated"] {
        let town = town(vec![webhook("corp", SECRET, false)]).await;
        let (old, between, new) =
            (town.sign_in("ada", "s1", -400), town.sign_in("ada", "s2", -90), town.sign_in("ada", "s3", 0));
        let data = json!({"id": "om_1", "user_id": "ada", "organization_id": "org_1"});
        // The later one comes first.
        tell(&town, &event("event_2", name, &data, minutes_ago(2))).await;
        tell(&town, &event("event_1", name, &data, minutes_ago(5))).await;
        assert!(!comes_in(&old).await && comes_in(&between).await && comes_in(&new).await, "{name}");
        tell(&town, &event("event_3", name, &data, minutes_ago(1))).await;
        assert!(!comes_in(&between).await && comes_in(&new).await, "{name}");
        let long_ago = event("event_0", name, &data, minutes_ago(60 * 48));
        assert_eq!(tell(&town, &long_ago).await, "applied");
        let list = town.gateway.bootstrap().get("/api/admin/revocations").await.body;
        assert_eq!(list["items"].as_array().unwrap().len(), 3, "what no token can be left of is not kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_events_are_taken_and_left_alone() {
    let town = town(vec![webhook("corp", SECRET, false)]).await;
    for name in ["user.created", "session.created", "dsync.user.updated", "organization_membership.created"] {
        assert_eq!(tell(&town, &event("event_1", name, &json!({"id": "ada"}), now())).await, "ignored", "{name}");
    }
    assert_eq!(town.gateway.bootstrap().get("/api/admin/revocations").await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_right_is_refused() {
    let town = town(vec![webhook("corp", SECRET, false)]).await;
    let body = event("event_1", "user.deleted", &json!({"id": "ada"}), now());
    let seconds = format!("t={},v1=00", now().as_second());
    let headers = [
        String::new(),
        "t=1,v1=00".to_owned(),
        seconds,
        workos_signature("another secret", now(), &body),
        workos_signature(SECRET, now(), "{}"),
        workos_signature(SECRET, minutes_ago(4), &body),
        workos_signature(SECRET, minutes_ago(-4), &body),
    ];
    for header in headers {
        assert_eq!(deliver(&town, &header, &body).await.refused(401), "webhook.signature_invalid", "{header}");
    }
    let bare = town.gateway.anonymous().post_text(PATH, body.clone()).await;
    assert_eq!(bare.refused(401), "webhook.signature_invalid", "no header at all");
    for bad in ["", "no json", "[]", r#"{"id":"e","event":"user.deleted","data":{}}"#] {
        assert_eq!(
            deliver(&town, &workos_signature(SECRET, now(), bad), bad).await.refused(400),
            "request.invalid",
            "{bad:?}"
        );
    }
    let large = " ".repeat((1 << 20) + 1);
    let refused = deliver(&town, &workos_signature(SECRET, now(), &large), &large).await;
    assert_eq!(refused.refused(413), "request.body_too_large");
    assert!(comes_in(&town.sign_in("ada", "s1", -60)).await, "nothing came of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_issuer_is_whose_secret_verifies() {
    let town = town(vec![webhook("other", "another secret", false), webhook("corp", SECRET, false)]).await;
    let body = event("event_1", "session.revoked", &json!({"id": "s1"}), now());
    assert_eq!(tell(&town, &body).await, "applied");
    let entry = town.gateway.bootstrap().get("/api/admin/revocations").await.body["items"][0].clone();
    assert_eq!(entry["issuer"], "corp", "{entry}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_secret_there_is_no_such_address() {
    let town = Town::new().await;
    let body = event("event_1", "user.deleted", &json!({"id": "ada"}), now());
    assert_eq!(deliver(&town, &workos_signature(SECRET, now(), &body), &body).await.refused(404), "request.not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workos_itself_ends_a_session() {
    let workos = WorkosEmulator::start().await;
    let town = town(vec![webhook("corp", SECRET, true)]).await;
    let url = format!("http://{}{PATH}", town.gateway.address());
    let events = ["session.revoked", "user.deleted", "organization_membership.deleted"];
    workos.send_events(&url, SECRET, &events).await;
    let (session, other) = (workos.sign_in("ada@example.com").await, workos.sign_in("bob@example.com").await);
    let ada = town.sign_in(&session.user, &session.id, -60);
    let bob = town.sign_in(&other.user, &other.id, -60);
    assert!(comes_in(&ada).await && comes_in(&bob).await);
    workos.revoke_session(&session.id).await;
    refused_soon(&ada).await;
    assert!(comes_in(&bob).await);
    let organization = workos.add_organization("Acme").await;
    let membership = workos.add_member(&organization, &other.user, "member").await;
    workos.remove_member(&membership).await;
    refused_soon(&bob).await;
    let again = town.sign_in(&other.user, "later", 30);
    assert!(comes_in(&again).await);
    workos.delete_user(&other.user).await;
    refused_soon(&again).await;
}

/// The emulator tells when it gets to it.
async fn refused_soon(client: &Client) {
    let refused = async {
        while comes_in(client).await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("it is revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_made_ends_with_their_rights_however_late_that_is_told() {
    let town = town(vec![webhook("corp", SECRET, false)]).await;
    town.demo(&["ada"]).await;
    let root = town.gateway.bootstrap();
    let put = root.request("PUT", "/api/workspaces/demo/members/corp:ada").json(&json!({"role": "admin"}));
    assert_eq!(put.send().await.unwrap().status().as_u16(), 200);
    let token = town.issuer.token(person("ada"));
    let wish = json!({"identifier": "hers", "scopes": ["workflows:read"], "workspace_ids": ["demo"]});
    let made = town.gateway.bearer(&token).post("/api/admin/service-tokens", &wish).await;
    let hers = town.gateway.bearer(made.body["secret"].as_str().unwrap_or_else(|| panic!("{made:?}")));
    assert!(comes_in(&hers).await);
    let data = json!({"id": "om_1", "user_id": "ada", "organization_id": "org_1"});
    let name = "organization_membership.deleted";
    // What happened before it was made is no matter of its.
    tell(&town, &event("event_1", name, &data, minutes_ago(5))).await;
    assert!(comes_in(&hers).await);
    tell(&town, &event("event_2", name, &data, now())).await;
    assert_eq!(hers.get("/api/whoami").await.refused(401), "auth.token_revoked");
    let list = root.get("/api/admin/revocations").await.body;
    for entry in list["items"].as_array().unwrap() {
        let path = format!("/api/admin/revocations/{}", entry["id"].as_str().unwrap());
        assert_eq!(root.delete(&path).await.status.as_u16(), 204);
    }
    assert_eq!(hers.get("/api/whoami").await.refused(401), "auth.token_revoked", "for good");
}
