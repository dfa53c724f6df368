//! Service tokens: shown once, rotated under their name, never beyond their maker (authentication.md section 4).

use serde_json::{Value, json};

use super::{
    gate::{Answer, Caller, Gate, until},
    world::{World, mint, unique},
};

const TOKENS: &str = "/api/admin/service-tokens";

async fn make(by: &Caller, order: Value) -> Answer {
    by.post(TOKENS, order).await.is(201)
}

fn path(token: &Answer) -> String {
    format!("{TOKENS}/{}", token.str("identifier"))
}

#[tokio::test]
async fn a_token_is_shown_once() {
    let world = World::new().await;
    let identifier = unique("Ci.x_");
    let order = json!({"identifier": identifier, "scopes": ["workflows:read"], "workspace_ids": [world.id], "expires_in_seconds": 3600});
    let made = make(&world.root, order).await;
    let secret = made.str("secret");
    assert!(secret.len() == 53 && secret.starts_with("tgs_"), "{secret}");
    assert!(secret[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{secret}");
    assert_eq!(made["status"], "active");
    assert_eq!((&made["all_workspaces"], &made["workspace_ids"]), (&json!(false), &json!([world.id])));
    assert_eq!((&made["created_by"], &made["use_count"]), (&json!("bootstrap"), &json!(0)));
    assert!(made["issued_at"].as_str().unwrap() < made["expires_at"].as_str().unwrap());
    assert_eq!(made.header("location"), path(&made));
    let shown = world.root.get(&path(&made)).await.is(200);
    let mut expected = made.body.clone();
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(shown.body, expected);
    let listed = world.root.all(TOKENS).await;
    assert!(listed.contains(&expected));
    assert!(!listed.iter().any(|token| token.get("secret").is_some()));
}

#[tokio::test]
async fn an_identifier_is_made_if_absent_and_taken_once() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id]})).await;
    assert_eq!(made["scopes"], json!([]));
    let again = json!({"identifier": made["identifier"], "workspace_ids": [world.id]});
    world.root.post(TOKENS, again).await.problem(409, "service_token.identifier_taken");
}

#[tokio::test]
async fn a_revoked_tokens_identifier_stays_taken() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id]})).await;
    world.root.delete(&path(&made)).await.is(204);
    let again = json!({"identifier": made["identifier"], "workspace_ids": [world.id]});
    world.root.post(TOKENS, again).await.problem(409, "service_token.identifier_taken");
}

#[tokio::test]
async fn what_cannot_be_is_named() {
    let world = World::new().await;
    let here = json!([world.id]);
    let many: Vec<String> = (0..33).map(|number| format!("w{number}")).collect();
    let cases = [
        (json!({"scopes": ["workflows:fly"], "workspace_ids": here}), "/scopes/0"),
        (json!({"scopes": ["workflows:read", "workflows:read"], "workspace_ids": here}), "/scopes"),
        (json!({"workspace_ids": [world.id, world.id]}), "/workspace_ids"),
        (json!({"workspace_ids": ["no slug"]}), "/workspace_ids/0"),
        (json!({"identifier": "-x", "workspace_ids": here}), "/identifier"),
        (json!({"identifier": "x".repeat(64), "workspace_ids": here}), "/identifier"),
        (json!({"expires_in_seconds": 0, "workspace_ids": here}), "/expires_in_seconds"),
        (json!({"expires_in_seconds": -5, "workspace_ids": here}), "/expires_in_seconds"),
        (json!({"scopes": many, "workspace_ids": here}), "/scopes"),
    ];
    for (order, pointer) in cases {
        let refused = world.root.post(TOKENS, order.clone()).await;
        let errors = refused.problem(422, "request.invalid")["errors"].clone();
        let named = errors[0]["pointer"].as_str().unwrap_or_default();
        assert!(named.starts_with(pointer), "{order}: {errors}");
    }
    let refused = world.root.post(TOKENS, json!({"scopes": ["workflows:fly"], "workspace_ids": here})).await;
    assert!(refused.text.contains("workflows:execute"), "the known scopes are named: {}", refused.text);
    world.root.post(TOKENS, json!({"scope": []})).await.problem(400, "request.invalid");
}

#[tokio::test]
async fn who_has_all_workspaces_says_which() {
    let world = World::new().await;
    world.root.post(TOKENS, json!({})).await.problem(422, "request.invalid");
    let both = json!({"all_workspaces": true, "workspace_ids": [world.id]});
    world.root.post(TOKENS, both).await.problem(422, "request.invalid");
    let none = make(&world.root, json!({"workspace_ids": [], "scopes": ["workflows:read"]})).await;
    assert_eq!((&none["all_workspaces"], &none["workspace_ids"]), (&json!(false), &json!([])));
    let nowhere = world.gate.caller(none.str("secret"));
    assert_eq!(nowhere.get("/api/workflows").await.is(200).items().len(), 0);
    let all = make(&world.root, json!({"all_workspaces": true})).await;
    assert_eq!(all["all_workspaces"], true);
}

#[tokio::test]
async fn no_workspaces_named_means_the_minters_own() {
    let world = World::new().await;
    let admin = world.someone(&["admin:tokens:write", "admin:tokens:read", "workflows:read"]).await;
    let made = make(&admin, json!({"scopes": ["workflows:read"]})).await;
    assert_eq!((&made["all_workspaces"], &made["workspace_ids"]), (&json!(false), &json!([world.id])));
}

#[tokio::test]
async fn nobody_mints_beyond_themselves() {
    let (world, other) = (World::new().await, World::new().await);
    let admin = world.someone(&["admin:tokens:write", "admin:tokens:read", "workflows:read"]).await;
    admin.post(TOKENS, json!({"scopes": ["workflows:write"]})).await.problem(403, "auth.missing_scope");
    let elsewhere = json!({"workspace_ids": [world.id, other.id]});
    admin.post(TOKENS, elsewhere).await.problem(403, "auth.workspace_forbidden");
    admin.post(TOKENS, json!({"all_workspaces": true})).await.problem(403, "auth.workspace_forbidden");
    let unmade = json!({"workspace_ids": ["nowhere-at-all"]});
    admin.post(TOKENS, unmade).await.problem(403, "auth.workspace_forbidden");
    let reader = world.someone(&["workflows:read"]).await;
    reader.post(TOKENS, json!({})).await.problem(403, "auth.missing_scope");
    reader.get(TOKENS).await.problem(403, "auth.missing_scope");
}

#[tokio::test]
async fn nobody_mints_longer_than_they_live() {
    let world = World::new().await;
    let order = json!({"scopes": ["admin:tokens:write"], "workspace_ids": [world.id], "expires_in_seconds": 600});
    let parent = make(&world.root, order).await;
    let admin = world.gate.caller(parent.str("secret"));
    admin.post(TOKENS, json!({"expires_in_seconds": 6000})).await.problem(403, "auth.life_exceeded");
    let child = make(&admin, json!({})).await;
    assert_eq!(child["expires_at"], parent["expires_at"]);
    make(&admin, json!({"expires_in_seconds": 60})).await;
    let own = format!("{TOKENS}/{}/rotate", parent.str("identifier"));
    admin.post(&own, json!({"expires_in_seconds": 6000})).await.problem(403, "auth.life_exceeded");
}

#[tokio::test]
async fn others_tokens_do_not_exist() {
    let (world, other) = (World::new().await, World::new().await);
    let admin = world.someone(&["admin:tokens:write", "admin:tokens:read"]).await;
    let foreign = make(&world.root, json!({"workspace_ids": [other.id]})).await;
    let wide = make(&world.root, json!({"workspace_ids": [other.id, world.id]})).await;
    let everywhere = make(&world.root, json!({"all_workspaces": true})).await;
    let own = make(&world.root, json!({"workspace_ids": [world.id]})).await;
    for hidden in [&foreign, &wide, &everywhere] {
        admin.get(&path(hidden)).await.problem(404, "service_token.not_found");
        admin.delete(&path(hidden)).await.problem(404, "service_token.not_found");
        admin.post(&format!("{}/rotate", path(hidden)), json!({})).await.problem(404, "service_token.not_found");
    }
    let seen: Vec<Value> = admin.all(TOKENS).await.iter().map(|token| token["identifier"].clone()).collect();
    assert!(seen.contains(&own["identifier"]));
    assert!([foreign, wide, everywhere].iter().all(|hidden| !seen.contains(&hidden["identifier"])), "{seen:?}");
}

#[tokio::test]
async fn a_rotated_token_has_two_secrets_for_a_while() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id], "scopes": ["workflows:read"]})).await;
    let rotate = format!("{}/rotate", path(&made));
    let rotated = world.root.post(&rotate, json!({})).await.is(200);
    assert_eq!((&rotated["identifier"], &rotated["status"]), (&made["identifier"], &json!("rotating")));
    assert_ne!(rotated["secret"], made["secret"]);
    assert!(rotated["previous_secret_ends_at"].as_str().unwrap() > rotated["rotated_at"].as_str().unwrap());
    for secret in [made.str("secret"), rotated.str("secret")] {
        world.gate.caller(secret).get("/api/whoami").await.is(200);
    }
    world.root.post(&rotate, json!({})).await.problem(409, "service_token.already_rotating");
    let last = world.root.post(&rotate, json!({"overlap_seconds": 0})).await.is(200);
    for secret in [made.str("secret"), rotated.str("secret")] {
        assert_eq!(world.gate.caller(secret).get("/api/whoami").await.status, 401);
    }
    world.gate.caller(last.str("secret")).get("/api/whoami").await.is(200);
    assert_eq!(world.root.get(&path(&made)).await.is(200)["status"], "active");
}

#[tokio::test]
async fn a_rotation_may_widen_within_the_rotators_rights() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id], "scopes": ["workflows:read"]})).await;
    let rotate = format!("{}/rotate", path(&made));
    let admin = world.someone(&["admin:tokens:write", "workflows:read", "jobs:work"]).await;
    let beyond = json!({"add_scopes": ["workflows:write"], "overlap_seconds": 0});
    admin.post(&rotate, beyond).await.problem(403, "auth.missing_scope");
    let within = json!({"add_scopes": ["jobs:work"], "overlap_seconds": 0, "expires_in_seconds": 60});
    let wider = admin.post(&rotate, within).await.is(200);
    assert_eq!(wider["scopes"], json!(["workflows:read", "jobs:work"]));
    assert!(wider["expires_at"].is_string());
    let narrow = world.someone(&["admin:tokens:write"]).await;
    let refused = narrow.post(&rotate, json!({"overlap_seconds": 0})).await;
    refused.problem(403, "auth.missing_scope");
    world.gate.caller(wider.str("secret")).get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn an_old_secret_never_outlives_the_token() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id], "expires_in_seconds": 60})).await;
    let rotated = world.root.post(&format!("{}/rotate", path(&made)), json!({"overlap_seconds": 3600})).await.is(200);
    assert!(
        rotated["previous_secret_ends_at"].as_str().unwrap() <= rotated["expires_at"].as_str().unwrap(),
        "{}",
        rotated.text
    );
}

#[tokio::test]
async fn an_overlap_without_end_is_kept() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id]})).await;
    world.root.post(&format!("{}/rotate", path(&made)), json!({"overlap_seconds": 1_u64 << 60})).await.is(200);
    world.root.get(&path(&made)).await.is(200);
    world.gate.caller(made.str("secret")).get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn an_expired_token_says_so_and_cannot_be_rotated() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id], "expires_in_seconds": 1})).await;
    let caller = world.gate.caller(made.str("secret"));
    let refused = until("the token's end", || async {
        let answer = caller.get("/api/whoami").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.problem(401, "auth.token_expired");
    assert_eq!(world.root.get(&path(&made)).await.is(200)["status"], "expired");
    let rotated = world.root.post(&format!("{}/rotate", path(&made)), json!({})).await;
    rotated.problem(409, "service_token.expired");
}

#[tokio::test]
async fn a_revoked_token_is_dead_at_once_and_for_good() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id]})).await;
    world.gate.caller(made.str("secret")).get("/api/whoami").await.is(200);
    world.root.delete(&path(&made)).json(&json!({"reason": "leaked"})).await.is(204);
    world.gate.caller(made.str("secret")).get("/api/whoami").await.problem(401, "auth.token_revoked");
    let shown = world.root.get(&path(&made)).await.is(200);
    assert_eq!((&shown["status"], &shown["revocation_reason"]), (&json!("revoked"), &json!("leaked")));
    world.root.delete(&format!("{}?reason=again", path(&made))).await.is(204);
    let again = world.root.get(&path(&made)).await.is(200);
    assert_eq!(again["revoked_at"], shown["revoked_at"]);
    world.root.post(&format!("{}/rotate", path(&made)), json!({})).await.problem(409, "service_token.revoked");
    world.root.delete(&format!("{TOKENS}/{}", unique("nobody"))).await.problem(404, "service_token.not_found");
}

#[tokio::test]
async fn a_revocation_takes_along_what_was_minted_if_asked() {
    let world = World::new().await;
    let order = json!({"scopes": ["admin:tokens:write"], "workspace_ids": [world.id]});
    let parent = make(&world.root, order.clone()).await;
    let child = make(&world.gate.caller(parent.str("secret")), order).await;
    let grandchild = make(&world.gate.caller(child.str("secret")), json!({})).await;
    assert_eq!(grandchild["created_by"], child["identifier"]);
    world.root.delete(&path(&parent)).await.is(204);
    world.gate.caller(child.str("secret")).get("/api/whoami").await.is(200);
    world.root.delete(&format!("{}?minted=true", path(&parent))).await.is(204);
    for dead in [child, grandchild] {
        world.gate.caller(dead.str("secret")).get("/api/whoami").await.problem(401, "auth.token_revoked");
    }
}

#[tokio::test]
async fn uses_are_counted() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id]})).await;
    for _ in 0..3 {
        world.gate.caller(made.str("secret")).get("/api/whoami").await.is(200);
    }
    let shown = until("three uses", || async {
        let shown = world.root.get(&path(&made)).await.is(200);
        (shown["use_count"] == 3).then_some(shown)
    })
    .await;
    assert!(shown["last_used_at"].is_string());
}

#[tokio::test]
async fn a_secret_is_not_replayed() {
    let world = World::new().await;
    let (key, order) = (unique("key"), json!({"workspace_ids": [world.id]}));
    let made = world.root.post(TOKENS, order.clone()).key(&key).await.is(201);
    let again = world.root.post(TOKENS, order).key(&key).await;
    again.problem(409, "idempotency.not_replayable");
    assert!(again.text.contains(made.str("identifier")), "{}", again.text);
    let other = json!({"workspace_ids": [world.id], "scopes": ["workflows:read"]});
    world.root.post(TOKENS, other).key(&key).await.problem(422, "idempotency.key_reused");
    let (rotate, key) = (format!("{}/rotate", path(&made)), unique("key"));
    world.root.post(&rotate, json!({"overlap_seconds": 0})).key(&key).await.is(200);
    let again = world.root.post(&rotate, json!({"overlap_seconds": 0})).key(&key).await;
    again.problem(409, "idempotency.not_replayable");
}

#[tokio::test]
async fn of_two_rotations_at_once_one_wins() {
    let world = World::new().await;
    let made = make(&world.root, json!({"workspace_ids": [world.id]})).await;
    let rotate = format!("{}/rotate", path(&made));
    let mut answers = Vec::new();
    let (one, two, three) = tokio::join!(
        async { world.root.post(&rotate, json!({})).await },
        async { world.root.post(&rotate, json!({})).await },
        async { world.root.post(&rotate, json!({})).await }
    );
    answers.extend([one, two, three]);
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        lost.problem(409, "service_token.already_rotating");
    }
    world.gate.caller(won[0].str("secret")).get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn the_longest_life_is_the_configs() {
    let gate = Gate::with(&[
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", super::gate::ROOT),
        ("TIDEGATE_AUTH__MAX_SERVICE_TOKEN_LIFE", "1h"),
    ]);
    let order = json!({"all_workspaces": true, "expires_in_seconds": 7200});
    gate.root().post(TOKENS, order).await.problem(422, "request.invalid");
    let within = json!({"all_workspaces": true, "expires_in_seconds": 3600});
    gate.root().post(TOKENS, within).await.is(201);
}

#[tokio::test]
async fn a_token_of_two_workspaces_is_shown_to_who_has_both() {
    let (world, other) = (World::new().await, World::new().await);
    let both = mint(&world.root, &["admin:tokens:read"], &[&world.id, &other.id]).await;
    let made = make(&world.root, json!({"workspace_ids": [other.id, world.id]})).await;
    both.get(&path(&made)).await.is(200);
}

#[tokio::test]
async fn an_identifier_that_could_be_taken_for_another_is_refused() {
    let world = World::new().await;
    let mint = async |identifier: &str| {
        let order = json!({"identifier": identifier, "scopes": ["workflows:read"], "workspace_ids": [world.id]});
        world.root.post("/api/admin/service-tokens", order).await
    };
    for reserved in ["Bootstrap", "BOOTSTRAP", "Anonymous", "sYSTEM"] {
        mint(reserved).await.problem(422, "request.invalid");
    }
    let name = unique("robot");
    mint(&name).await.is(201);
    mint(&name.to_uppercase()).await.problem(409, "service_token.identifier_taken");
}
