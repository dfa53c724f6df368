//! Users at first sight, members, and the service tokens that users make (authentication.md sections 3 and 4).

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, secret},
    setup::{gate, refusal, whoami},
};
use crate::api::{
    gate::{Answer, Ask, Caller, Gate, Shared, until},
    world::{mint as mint_service, unique},
};

const TOKENS: &str = "/api/admin/service-tokens";

fn config() -> String {
    let issuer = |name: &str, provision: &str| {
        format!(
            "[[auth.issuers]]\nname = \"{name}\"\nkind = \"jwt\"\nissuers = [\"https://{name}.test\"]\n\
             audiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\nprovision = \"{provision}\"\nmax_scopes = [\"*\"]\n"
        )
    };
    [issuer("home", "workspace"), issuer("corp", "user"), issuer("strict", "none"), issuer("ome", "workspace")].concat()
}

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| gate(&config()))
}

fn token(issuer: &str, subject: &str, claims: &Value) -> String {
    secret(&mint::claims(&format!("https://{issuer}.test"), subject, claims))
}

fn user(gate: &Gate, issuer: &str, subject: &str) -> Caller {
    gate.caller(token(issuer, subject, &json!({})))
}

/// A user's path among the members of a workspace.
fn member(workspace: &str, user: &str) -> String {
    let user: String = url::form_urlencoded::byte_serialize(user.as_bytes()).collect();
    format!("/api/workspaces/{workspace}/members/{}", user.replace('+', "%20"))
}

fn put(who: &Caller, workspace: &str, user: &str, role: &str) -> Ask {
    who.ask(Method::PUT, &member(workspace, user)).json(&json!({"role": role}))
}

/// A workspace of somebody new, its owner, and a user of each other role.
struct Place {
    id: String,
    owner: Caller,
    admin: Caller,
    member: Caller,
    viewer: Caller,
    names: [String; 4],
}

async fn place(gate: &Gate) -> Place {
    let id = unique("place");
    let names = ["owner", "admin", "member", "viewer"].map(unique);
    let [owner, admin, member, viewer] = names.each_ref().map(|name| user(gate, "corp", name));
    owner.post("/api/workspaces", json!({"id": id})).await.is(201);
    for (name, role) in names.iter().zip(["owner", "admin", "member", "viewer"]).skip(1) {
        put(&owner, &id, &format!("corp:{name}"), role).await.is(200);
    }
    Place { id, owner, admin, member, viewer, names: names.map(|name| format!("corp:{name}")) }
}

fn ids(answer: &Answer) -> Vec<Value> {
    answer.items().iter().map(|item| item["id"].clone()).collect()
}

#[tokio::test]
async fn a_user_gets_a_workspace_of_their_own_at_first_sight() {
    let gate = town();
    let subject = unique("ada");
    let ada = gate.caller(token("home", &subject, &json!({"preferred_username": "Ada Lovelace"})));
    let me = whoami(&ada).await;
    let id = me["workspace_ids"][0].as_str().unwrap().to_owned();
    assert_eq!(me["workspaces"].as_array().unwrap().len(), 1, "{}", me.text);
    assert_eq!((&me["workspaces"][0]["id"], &me["workspaces"][0]["role"]), (&json!(id), &json!("owner")));
    let own = id.strip_prefix("u-").expect(&id);
    assert!(
        own.len() == 20 && own.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte)),
        "{id}"
    );
    let shown = ada.get(&format!("/api/workspaces/{id}")).await.is(200);
    assert!(shown.str("name").contains("Ada Lovelace"), "{}", shown.text);
    assert_eq!(ids(&ada.get("/api/workspaces").await.is(200)), [json!(id)]);
    ada.post("/api/workflows", json!({"workspace_id": id, "name": "w"})).await.is(201);
    // The same user again, other users, the same subject elsewhere.
    assert_eq!(whoami(&user(&gate, "home", &subject)).await["workspace_ids"], json!([id]));
    for (issuer, other) in [("home", unique("ada")), ("ome", subject.clone()), ("ome", format!("h{subject}"))] {
        let other = whoami(&user(&gate, issuer, &other)).await;
        assert_ne!(other["workspace_ids"], json!([id]), "{}", other.text);
    }
    let mailed = gate.caller(token("home", &unique("m"), &json!({"email": "grace@example.com"})));
    let list = mailed.get("/api/workspaces").await.is(200);
    assert!(list.items()[0]["name"].as_str().unwrap().contains("grace"), "{}", list.text);
}

#[tokio::test]
async fn a_hundred_first_requests_make_one_user_and_one_workspace() {
    let gate = town();
    let subject = unique("rush");
    let callers: Vec<Caller> = (0..100)
        .map(|number| gate.caller(token("home", &subject, &json!({"jti": format!("{subject}-{number}")}))))
        .collect();
    let answers = join_all(callers.iter().map(|caller| async { caller.get("/api/whoami").await })).await;
    let first = answers[0].clone().is(200)["workspace_ids"].clone();
    assert_eq!(first.as_array().unwrap().len(), 1);
    for answer in answers {
        assert_eq!(answer.is(200)["workspace_ids"], first);
    }
    let id = first[0].as_str().unwrap();
    let members = callers[0].get(&format!("/api/workspaces/{id}/members")).await.is(200);
    assert_eq!(members.items().len(), 1, "{}", members.text);
    assert_eq!(members.items()[0]["role"], "owner");
    let made = gate.root().all("/api/workspaces").await;
    assert_eq!(made.iter().filter(|made| made["id"] == id).count(), 1);
}

#[tokio::test]
async fn who_is_provisioned_as_the_issuer_says() {
    let gate = town();
    let me = whoami(&user(&gate, "corp", &unique("bob"))).await;
    assert_eq!((&me["workspace_ids"], &me["kind"]), (&json!([]), &json!("user")));
    for path in ["/api/whoami", "/api/workspaces", "/api/workflows"] {
        user(&gate, "strict", &unique("eve")).get(path).await.problem(403, "auth.not_provisioned");
    }
    let service = json!({"token_use": "service", "scope": "workflows:read"});
    let me = whoami(&gate.caller(token("home", &unique("robot"), &service))).await;
    assert_eq!((&me["kind"], &me["workspace_ids"]), (&json!("service"), &json!([])), "only users get a workspace");
}

#[tokio::test]
async fn a_user_may_be_made_a_member_before_being_seen() {
    let gate = town();
    let place = place(&gate).await;
    let subject = unique("later");
    let put_answer = put(&place.owner, &place.id, &format!("corp:{subject}"), "member").await.is(200);
    assert_eq!((put_answer.str("user_id"), put_answer.str("role")), (format!("corp:{subject}").as_str(), "member"));
    assert!(put_answer.str("since").ends_with('Z'));
    let me = whoami(&user(&gate, "corp", &subject)).await;
    assert_eq!((&me["workspace_ids"], &me["workspaces"][0]["role"]), (&json!([place.id]), &json!("member")));
    // Also one whose issuer makes no users: somebody made this one known.
    let known = unique("known");
    put(&place.owner, &place.id, &format!("strict:{known}"), "viewer").await.is(200);
    let invited = user(&gate, "strict", &known).get("/api/whoami").await;
    assert_eq!(invited.status, 200, "{}", invited.text);
    // Subjects are what issuers make of them.
    for subject in ["auth0|507f", "a:b", "a/b", "ä b", "%2e%2e", "x@example.com"] {
        let subject = format!("{subject}{}", unique("s"));
        put(&place.owner, &place.id, &format!("corp:{subject}"), "viewer").await.is(200);
        let me = whoami(&user(&gate, "corp", &subject)).await;
        assert_eq!(me["workspace_ids"], json!([place.id]), "{subject}: {}", me.text);
        place.owner.delete(&member(&place.id, &format!("corp:{subject}"))).await.is(204);
        assert_eq!(whoami(&user(&gate, "corp", &subject)).await["workspace_ids"], json!([]), "{subject}");
    }
}

#[tokio::test]
async fn members_are_listed_changed_and_removed() {
    let gate = town();
    let place = place(&gate).await;
    let list = place.owner.get(&format!("/api/workspaces/{}/members", place.id)).await.is(200);
    assert_eq!(list.items().len(), 4, "{}", list.text);
    assert_eq!(list["next_cursor"], Value::Null);
    for (name, role) in place.names.iter().zip(["owner", "admin", "member", "viewer"]) {
        let found = list.items().iter().find(|item| item["user_id"] == *name).expect(name);
        assert_eq!(found["role"], role);
        assert!(found["since"].as_str().unwrap().ends_with('Z'), "{found}");
        for key in found.as_object().unwrap().keys() {
            assert!(["user_id", "username", "email", "role", "since"].contains(&key.as_str()), "{found}");
        }
    }
    let paged = place.owner.all(&format!("/api/workspaces/{}/members", place.id)).await;
    assert_eq!(paged.len(), 4);
    let one = place.owner.get(&format!("/api/workspaces/{}/members?limit=1", place.id)).await.is(200);
    assert!(one.items().len() == 1 && one["next_cursor"].is_string(), "{}", one.text);
    put(&place.owner, &place.id, &place.names[2], "viewer").await.is(200);
    assert_eq!(whoami(&place.member).await["workspaces"][0]["role"], "viewer", "at once, on the next request");
    place.owner.delete(&member(&place.id, &place.names[2])).await.is(204);
    assert_eq!(whoami(&place.member).await["workspace_ids"], json!([]));
    place.member.get(&format!("/api/workspaces/{}", place.id)).await.problem(403, "auth.workspace_forbidden");
    let again = place.owner.delete(&member(&place.id, &place.names[2])).await;
    assert!([204, 404].contains(&again.status), "{}", again.text);
    for body in [json!({"role": "king"}), json!({"role": ""}), json!({"role": "OWNER"})] {
        let refused = place.owner.ask(Method::PUT, &member(&place.id, &place.names[3])).json(&body).await;
        refused.complete_problem();
        assert!([400, 422].contains(&refused.status), "{body}: {}", refused.text);
    }
    for body in [json!({}), json!({"rol": "member"}), json!({"role": "member", "x": 1}), json!([])] {
        let refused = place.owner.ask(Method::PUT, &member(&place.id, &place.names[3])).json(&body).await;
        refused.problem(400, "request.invalid");
    }
    for user in ["nobody-knows:ada", "corp", "corp:", ":ada", "bootstrap:x"] {
        let refused = put(&place.owner, &place.id, user, "viewer").await;
        refused.complete_problem();
        assert!([404, 422].contains(&refused.status), "{user}: {}", refused.text);
    }
}

#[tokio::test]
async fn who_may_see_to_members() {
    let gate = town();
    let (place, other) = (place(&gate).await, place(&gate).await);
    let path = format!("/api/workspaces/{}/members", place.id);
    for (who, status) in
        [(&place.owner, 200), (&place.admin, 200), (&place.member, 403), (&place.viewer, 403), (&other.owner, 403)]
    {
        let answer = who.get(&path).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        let answer = put(who, &place.id, &format!("corp:{}", unique("new")), "viewer").await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    other.owner.get(&path).await.problem(403, "auth.workspace_forbidden");
    place.member.get(&path).await.problem(403, "auth.missing_scope");
    gate.anonymous().get(&path).await.problem(401, "auth.missing_token");
    put(&gate.anonymous(), &place.id, "corp:x", "viewer").await.problem(401, "auth.missing_token");
    other.owner.get("/api/workspaces/never-made/members").await.problem(403, "auth.workspace_forbidden");
    gate.root().get("/api/workspaces/never-made/members").await.problem(404, "workspace.not_found");
    put(&gate.root(), "never-made", "corp:x", "viewer").await.problem(404, "workspace.not_found");
    // Tokens need admin:workspaces:write on it.
    let without = mint_service(&gate.root(), &["workflows:read", "admin:tokens:write"], &[&place.id]).await;
    without.get(&path).await.problem(403, "auth.missing_scope");
    let with = mint_service(&gate.root(), &["admin:workspaces:write"], &[&place.id]).await;
    with.get(&path).await.is(200);
    put(&with, &place.id, &format!("corp:{}", unique("new")), "member").await.is(200);
    let elsewhere = mint_service(&gate.root(), &["admin:workspaces:write"], &[&other.id]).await;
    elsewhere.get(&path).await.problem(403, "auth.workspace_forbidden");
    // A claim names the workspace, but gives no role there.
    let named = gate.caller(token("corp", &unique("named"), &json!({"workspaces": [place.id]})));
    named.get(&path).await.problem(403, "auth.missing_scope");
}

#[tokio::test]
async fn nobody_grants_or_takes_a_role_above_their_own() {
    let gate = town();
    let place = place(&gate).await;
    let [owner, admin, member_name, viewer] = &place.names;
    for (target, role) in [(member_name, "owner"), (admin, "owner"), (&format!("corp:{}", unique("new")), "owner")] {
        let refused = put(&place.admin, &place.id, target, role).await;
        assert_eq!(refused.status, 403, "{target} {role}: {}", refused.text);
    }
    // An owner's membership is above an admin's reach, downwards as well.
    assert_eq!(put(&place.admin, &place.id, owner, "viewer").await.status, 403);
    assert_eq!(place.admin.delete(&member(&place.id, owner)).await.status, 403);
    put(&place.admin, &place.id, viewer, "admin").await.is(200);
    put(&place.owner, &place.id, viewer, "owner").await.is(200);
    assert_eq!(whoami(&place.viewer).await["workspaces"][0]["role"], "owner");
    // A stated ceiling bounds what membership would allow.
    let bounded = gate.caller(token("corp", owner.strip_prefix("corp:").unwrap(), &json!({"scope": "workflows:read"})));
    let answer = put(&bounded, &place.id, member_name, "admin").await;
    assert!([200, 403].contains(&answer.status), "{}", answer.text);
}

#[tokio::test]
async fn nobody_grants_what_their_token_leaves_out() {
    let gate = town();
    let place = place(&gate).await;
    let owner = place.names[0].strip_prefix("corp:").unwrap();
    let with = |scope: &str| gate.caller(token("corp", owner, &json!({"scope": scope})));
    let accomplice = format!("corp:{}", unique("mal"));
    let path = format!("/api/workspaces/{}/members", place.id);
    let (nothing, reads) = (with("jobs:work"), with("workflows:read"));
    nothing.get(&path).await.problem(403, "auth.missing_scope");
    reads.get(&path).await.is(200);
    for (who, role) in [(&nothing, "viewer"), (&reads, "viewer"), (&reads, "owner")] {
        put(who, &place.id, &accomplice, role).await.problem(403, "auth.missing_scope");
        who.delete(&member(&place.id, &place.names[2])).await.problem(403, "auth.missing_scope");
    }
    let writes = with("workflows:read workflows:write");
    let refused = put(&writes, &place.id, &accomplice, "owner").await;
    refused.problem(403, "auth.missing_scope");
    assert!(refused.text.contains("vault:write"), "{}", refused.text);
    put(&writes, &place.id, &accomplice, "viewer").await.is(200);
    put(&writes, &place.id, &accomplice, "member").await.problem(403, "auth.missing_scope");
    put(&writes, &place.id, &place.names[1], "viewer").await.is(200);
    writes.delete(&member(&place.id, &accomplice)).await.is(204);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let gate = town();
    let place = place(&gate).await;
    let [owner, admin, ..] = &place.names;
    for root in [&place.owner, &gate.root()] {
        put(root, &place.id, owner, "member").await.problem(409, "membership.last_owner");
        root.delete(&member(&place.id, owner)).await.problem(409, "membership.last_owner");
    }
    put(&place.owner, &place.id, owner, "owner").await.is(200);
    put(&place.owner, &place.id, admin, "owner").await.is(200);
    // Two owners who leave at once: one stays.
    let (one, two) = tokio::join!(async { place.owner.delete(&member(&place.id, owner)).await }, async {
        place.admin.delete(&member(&place.id, admin)).await
    });
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses == [204, 409] || statuses == [204, 403], "{} {}", one.text, two.text);
    let list = gate.root().get(&format!("/api/workspaces/{}/members", place.id)).await.is(200);
    assert_eq!(list.items().iter().filter(|item| item["role"] == "owner").count(), 1, "{}", list.text);
}

#[tokio::test]
async fn a_users_token_has_the_users_present_rights() {
    let gate = town();
    let place = place(&gate).await;
    let order = json!({"scopes": ["workflows:read", "workflows:write"], "workspace_ids": [place.id]});
    let made = place.admin.post(TOKENS, order).await.is(201);
    assert_eq!(made.str("created_by"), place.names[1].strip_prefix("corp:").unwrap_or_default(), "{}", made.text);
    let robot = gate.caller(made.str("secret"));
    let me = whoami(&robot).await;
    assert_eq!((&me["kind"], &me["subject"]), (&json!("service"), &made["identifier"]));
    assert_eq!(me["workspaces"][0]["scopes"], json!(["workflows:read", "workflows:write"]), "{}", me.text);
    robot.post("/api/workflows", json!({"workspace_id": place.id, "name": unique("w")})).await.is(201);
    put(&place.owner, &place.id, &place.names[1], "viewer").await.is(200);
    robot
        .post("/api/workflows", json!({"workspace_id": place.id, "name": "x"}))
        .await
        .problem(403, "auth.missing_scope");
    robot.get(&format!("/api/workflows?workspace_id={}", place.id)).await.is(200);
    assert_eq!(whoami(&robot).await["workspaces"][0]["scopes"], json!(["workflows:read"]));
    place.owner.delete(&member(&place.id, &place.names[1])).await.is(204);
    robot.get(&format!("/api/workflows?workspace_id={}", place.id)).await.problem(403, "auth.workspace_forbidden");
    put(&place.owner, &place.id, &place.names[1], "admin").await.is(200);
    robot.post("/api/workflows", json!({"workspace_id": place.id, "name": unique("w")})).await.is(201);
}

#[tokio::test]
async fn what_only_a_claim_names_does_not_carry_over_to_a_token_that_a_user_makes() {
    let gate = town();
    let (place, subject) = (place(&gate).await, unique("claimed"));
    let claims = json!({"scope": "workflows:read admin:tokens:write", "workspaces": [place.id]});
    let claimed = gate.caller(token("corp", &subject, &claims));
    let order = json!({"scopes": ["workflows:read"], "workspace_ids": [place.id]});
    let made = claimed.post(TOKENS, order).await.is(201);
    let machine = gate.caller(made.str("secret"));
    let workflows = format!("/api/workflows?workspace_id={}", place.id);
    claimed.get(&workflows).await.is(200);
    assert_eq!(whoami(&machine).await["workspaces"], json!([]));
    machine.get(&workflows).await.problem(403, "auth.workspace_forbidden");
    put(&place.owner, &place.id, &format!("corp:{subject}"), "viewer").await.is(200);
    machine.get(&workflows).await.is(200);
}

#[tokio::test]
async fn users_mint_within_their_rights_alone() {
    let gate = town();
    let (place, other) = (place(&gate).await, place(&gate).await);
    for who in [&place.member, &place.viewer] {
        who.post(TOKENS, json!({"workspace_ids": [place.id]})).await.problem(403, "auth.missing_scope");
        who.get(TOKENS).await.problem(403, "auth.missing_scope");
    }
    for (order, code) in [
        (json!({"workspace_ids": [place.id, other.id]}), "auth.workspace_forbidden"),
        (json!({"workspace_ids": ["never-made"]}), "auth.workspace_forbidden"),
        (json!({"all_workspaces": true}), "auth.workspace_forbidden"),
        (json!({"scopes": ["admin:workspaces:write"], "workspace_ids": [place.id]}), "auth.missing_scope"),
        (json!({"scopes": ["admin:audit:read"], "workspace_ids": [place.id]}), "auth.missing_scope"),
    ] {
        place.admin.post(TOKENS, order.clone()).await.problem(403, code);
    }
    // A user may set any life.
    place.admin.post(TOKENS, json!({"workspace_ids": [place.id], "expires_in_seconds": 400_000_000})).await.is(201);
    // Without workspaces named: the minter's own.
    let made = place.admin.post(TOKENS, json!({"scopes": ["workflows:read"]})).await.is(201);
    assert_eq!((&made["workspace_ids"], &made["all_workspaces"]), (&json!([place.id]), &json!(false)));
    // Of two places, of which one lets them read only: no scope beyond it there.
    put(&other.owner, &other.id, &place.names[1], "viewer").await.is(200);
    let order = json!({"scopes": ["workflows:write"], "workspace_ids": [place.id, other.id]});
    let refused = place.admin.post(TOKENS, order).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
}

#[tokio::test]
async fn what_a_users_token_mints_ends_with_the_users_rights_too() {
    let gate = town();
    let place = place(&gate).await;
    let order = json!({"scopes": ["admin:tokens:write", "workflows:read"], "workspace_ids": [place.id]});
    let parent = place.admin.post(TOKENS, order).await.is(201);
    let order = json!({"scopes": ["workflows:read"], "workspace_ids": [place.id]});
    let child = gate.caller(parent.str("secret")).post(TOKENS, order).await.is(201);
    let child = gate.caller(child.str("secret"));
    child.get(&format!("/api/workflows?workspace_id={}", place.id)).await.is(200);
    place.owner.delete(&member(&place.id, &place.names[1])).await.is(204);
    until("the child's end", || async {
        let answer = child.get(&format!("/api/workflows?workspace_id={}", place.id)).await;
        (answer.status == 403).then_some(())
    })
    .await;
}

#[tokio::test]
async fn tokens_of_others_are_out_of_a_users_reach() {
    let gate = town();
    let (place, other) = (place(&gate).await, place(&gate).await);
    let wide = gate
        .root()
        .post(TOKENS, json!({"workspace_ids": [place.id, other.id], "scopes": ["workflows:read"]}))
        .await
        .is(201);
    let strong =
        gate.root().post(TOKENS, json!({"workspace_ids": [place.id], "scopes": ["admin:audit:read"]})).await.is(201);
    let path = |answer: &Answer| format!("{TOKENS}/{}", answer.str("identifier"));
    for ask in [
        place.admin.get(&path(&wide)),
        place.admin.delete(&path(&wide)),
        place.admin.post(&format!("{}/rotate", path(&wide)), json!({})),
    ] {
        ask.await.problem(404, "service_token.not_found");
    }
    // Shown and revoked: all its workspaces are theirs. Not rotated: it may more than they.
    place.admin.get(&path(&strong)).await.is(200);
    place.admin.post(&format!("{}/rotate", path(&strong)), json!({})).await.problem(403, "auth.missing_scope");
    place.admin.delete(&path(&strong)).await.is(204);
    assert_eq!(refusal(&gate.caller(strong.str("secret"))).await, (401, "auth.token_revoked".to_owned()));
}
