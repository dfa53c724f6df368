//! Service tokens and the bootstrap token, as section 4 of authentication.md makes them.

use serde_json::json;

use super::setup::{BOOTSTRAP, gate_with, refusal, whoami};
use crate::api::{
    gate::{Gate, ROOT},
    world::{World, mint, unique},
};

const TOKENS: &str = "/api/admin/service-tokens";
const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Six characters, big-endian, left-padded.
fn base62(mut number: u32) -> String {
    let mut text = Vec::new();
    while text.len() < 6 {
        text.push(DIGITS[usize::try_from(number % 62).unwrap()]);
        number /= 62;
    }
    text.reverse();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_secret_has_the_promised_form() {
    let world = World::new().await;
    for _ in 0..20 {
        let made = world.root.post(TOKENS, json!({"workspace_ids": [world.id]})).await.is(201);
        let body = made.str("secret").strip_prefix("tgs_").expect("tgs_").to_owned();
        assert_eq!(body.len(), 49, "{body}");
        assert!(body.bytes().all(|byte| DIGITS.contains(&byte)), "{body}");
        let (random, sum) = body.split_at(43);
        assert_eq!(sum, base62(crc32fast::hash(random.as_bytes())), "{body}");
    }
    // One that is well made, but not by this gate; one whose sum is wrong; other forms.
    let random = "0".repeat(43);
    let known = format!("tgs_{random}{}", base62(crc32fast::hash(random.as_bytes())));
    for token in [
        known.clone(),
        format!("tgs_{random}000000"),
        known[..52].to_owned(),
        format!("{known}0"),
        known.to_uppercase(),
    ] {
        assert_eq!(refusal(&world.gate.caller(&token)).await, (401, "auth.invalid_token".to_owned()), "{token}");
    }
}

#[tokio::test]
async fn identifiers_are_made_or_given_within_their_form() {
    let world = World::new().await;
    let called =
        |identifier: &str| world.root.post(TOKENS, json!({"identifier": identifier, "workspace_ids": [world.id]}));
    let longest = format!("{}{}", unique("L"), "x".repeat(40));
    for good in [unique("A.b_c-9"), unique("0"), longest] {
        assert_eq!(called(&good).await.is(201).str("identifier"), good);
    }
    for bad in ["", ".x", "-x", "_x", "a b", "ä", "a/b", &"x".repeat(64)] {
        called(bad).await.problem(422, "request.invalid");
    }
    let made = world.root.post(TOKENS, json!({"workspace_ids": [world.id]})).await.is(201);
    assert!(!made.str("identifier").is_empty());
    assert_eq!((&made["scopes"], &made["status"], &made["use_count"]), (&json!([]), &json!("active"), &json!(0)));
    assert_eq!(made["created_by"], "bootstrap");
    let shown = world.root.get(&format!("{TOKENS}/{}", made.str("identifier"))).await.is(200);
    assert!(shown["secret"].is_null() && !shown.text.contains("tgs_"), "{}", shown.text);
}

#[tokio::test]
async fn a_caller_widens_nothing_beyond_themselves() {
    let (world, other) = (World::new().await, World::new().await);
    let strong = world
        .root
        .post(
            TOKENS,
            json!({"scopes": ["admin:tokens:read", "admin:tokens:write", "workflows:read"],
        "workspace_ids": [world.id], "expires_in_seconds": 3600}),
        )
        .await
        .is(201);
    let weak = world.gate.caller(strong.str("secret"));
    let target = |scopes: &[&str], workspaces: &[&str], life: Option<u32>| {
        let mut order = json!({"scopes": scopes, "workspace_ids": workspaces});
        if let Some(life) = life {
            order["expires_in_seconds"] = json!(life);
        }
        world.root.post(TOKENS, order)
    };
    let same = target(&["workflows:read"], &[&world.id], Some(600)).await.is(201);
    let stronger = target(&["workflows:write"], &[&world.id], Some(600)).await.is(201);
    let longer = target(&["workflows:read"], &[&world.id], Some(7200)).await.is(201);
    let endless = target(&["workflows:read"], &[&world.id], None).await.is(201);
    let wider = target(&["workflows:read"], &[&world.id, &other.id], Some(600)).await.is(201);
    let rotate = |token: &crate::api::gate::Answer| format!("{TOKENS}/{}/rotate", token.str("identifier"));
    for (what, path, order, code, status) in [
        ("scopes", rotate(&stronger), json!({}), "auth.missing_scope", 403),
        ("life", rotate(&longer), json!({}), "auth.life_exceeded", 403),
        ("no end", rotate(&endless), json!({}), "auth.life_exceeded", 403),
        ("workspaces", rotate(&wider), json!({}), "service_token.not_found", 404),
        ("a new end", rotate(&same), json!({"expires_in_seconds": 7200}), "auth.life_exceeded", 403),
        ("added scopes", rotate(&same), json!({"add_scopes": ["workflows:write"]}), "auth.missing_scope", 403),
    ] {
        let refused = weak.post(&path, order).await;
        assert_eq!((refused.status, refused["code"].as_str()), (status, Some(code)), "{what}: {}", refused.text);
    }
    // What was refused was not done.
    for token in [&same, &stronger, &longer, &endless, &wider] {
        whoami(&world.gate.caller(token.str("secret"))).await;
    }
    weak.post(&rotate(&same), json!({"expires_in_seconds": 1200})).await.is(200);
    // Itself it may rotate, but not prolong.
    weak.post(&rotate(&strong), json!({"expires_in_seconds": 7200})).await.problem(403, "auth.life_exceeded");
    weak.post(&rotate(&strong), json!({})).await.is(200);
    // A list of a wider place shows nothing of it.
    let seen = weak.all(TOKENS).await;
    assert!(!seen.iter().any(|token| token["identifier"] == wider["identifier"]));
    assert!(seen.iter().any(|token| token["identifier"] == stronger["identifier"]));
}

#[tokio::test]
async fn the_bootstrap_tokens_end_is_a_time_or_a_number() {
    for (end, told) in [
        ("2099-01-02T03:04:05Z", "2099-01-02T03:04:05"),
        ("4102444800", "2100-01-01T00:00:00"),
        ("2099-01-02T03:04:05+01:00", "2099-01-02T02:04:05"),
    ] {
        let gate = Gate::with(&[BOOTSTRAP, ("TIDEGATE_AUTH__BOOTSTRAP_TOKEN_EXPIRES_AT", end)]);
        let me = whoami(&gate.root()).await;
        assert!(me.str("expires_at").starts_with(told), "{}", me.text);
    }
    let gate = gate_with("[auth]\nbootstrap_token_expires_at = 1\n", &[BOOTSTRAP]);
    assert_eq!(refusal(&gate.caller(ROOT)).await, (401, "auth.token_expired".to_owned()));
}

#[tokio::test]
async fn a_token_of_nowhere_may_nothing() {
    let world = World::new().await;
    let nowhere = mint(&world.root, &["workflows:read", "workflows:write"], &[]).await;
    let me = whoami(&nowhere).await;
    assert_eq!(
        (&me["workspace_ids"], &me["all_workspaces"], &me["workspaces"]),
        (&json!([]), &json!(false), &json!([]))
    );
    let order = json!({"workspace_id": world.id, "name": "w"});
    nowhere.post("/api/workflows", order).await.problem(403, "auth.workspace_forbidden");
    assert!(nowhere.get("/api/workspaces").await.is(200).items().is_empty());
}
