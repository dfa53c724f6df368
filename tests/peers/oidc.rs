//! The OpenID provider: tokens of each kind, rotation, introspection, trouble.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{get, ids, key_set, verified};
use crate::support::peers::{Endpoint, Fault, OidcProvider, claims, header};

#[tokio::test]
async fn its_discovery_document_says_where_the_keys_and_the_introspection_are() {
    let provider = OidcProvider::start().await;
    let document: Value = get(&provider.discovery_url()).await.unwrap().json().await.unwrap();
    assert_eq!(document["issuer"], provider.issuer());
    assert_eq!(document["jwks_uri"], provider.jwks_url());
    assert_eq!(document["introspection_endpoint"], provider.introspection_url());
    assert_eq!((provider.requests(Endpoint::Discovery).await, provider.requests(Endpoint::Token).await), (1, 0));
}

#[tokio::test]
async fn its_tokens_are_signed_with_whatever_algorithm_a_test_asks_for() {
    let algorithms = ["RS256", "PS256", "ES256", "EdDSA"];
    let provider = OidcProvider::with(&algorithms).await;
    let set = key_set(&provider.jwks_url()).await;
    for algorithm in algorithms {
        let token = provider.user_token("ada").algorithm(algorithm).audience("gate").scope("a b").mint().await;
        assert_eq!((&header(&token)["alg"], &header(&token)["typ"]), (&json!(algorithm), &json!("at+jwt")));
        let claims = verified(&token, &set).expect(algorithm);
        assert_eq!(claims["iss"], provider.issuer());
        assert_eq!((&claims["sub"], &claims["aud"], &claims["scope"]), (&json!("ada"), &json!("gate"), &json!("a b")));
    }
}

#[tokio::test]
async fn a_service_gets_a_token_for_itself() {
    let provider = OidcProvider::start().await;
    let token = provider.service_token().scope("workflows:read").lives(60).mint().await;
    let claims = verified(&token, &key_set(&provider.jwks_url()).await).unwrap();
    assert_eq!((&claims["sub"], &claims["scope"]), (&json!("service"), &json!("workflows:read")));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
}

#[tokio::test]
async fn a_test_puts_claims_and_headers_into_a_token_and_takes_claims_out() {
    let provider = OidcProvider::start().await;
    let wanted =
        json!({ "email": "ada@example.com", "aud": ["gate", "other"], "exp": "soon", "iat": 1.5, "jti": null });
    let token = provider.user_token("ada").claims(&wanted).header(&json!({ "typ": "JWT" })).mint().await;
    assert_eq!(header(&token)["typ"], "JWT");
    let claims = claims(&token);
    assert_eq!((&claims["email"], &claims["aud"]), (&json!("ada@example.com"), &json!(["gate", "other"])));
    assert_eq!((&claims["exp"], claims.get("jti")), (&json!("soon"), None));
}

#[tokio::test]
async fn a_rotation_publishes_signs_and_removes_in_steps() {
    let provider = OidcProvider::start().await;
    let old_token = provider.user_token("ada").mint().await;

    let kid = provider.add_key("RS256").await;
    assert_eq!(ids(&key_set(&provider.jwks_url()).await), [provider.first_kid(), &kid]);
    assert_eq!(header(&provider.user_token("ada").mint().await)["kid"], provider.first_kid());

    provider.sign_with(&kid).await;
    let new_token = provider.user_token("ada").mint().await;
    assert_eq!(header(&new_token)["kid"], kid.as_str());

    provider.remove_key(provider.first_kid()).await;
    let set = key_set(&provider.jwks_url()).await;
    assert!(verified(&new_token, &set).is_some());
    assert!(verified(&old_token, &set).is_none());
    assert_eq!(provider.requests(Endpoint::Jwks).await, 2);
}

#[tokio::test]
async fn a_careless_rotation_leaves_one_key() {
    let provider = OidcProvider::start().await;
    let kid = provider.rotate(provider.first_kid(), "RS256").await;
    let set = key_set(&provider.jwks_url()).await;
    assert_eq!(ids(&set), [&kid]);
    assert!(verified(&provider.user_token("ada").mint().await, &set).is_some());
}

#[tokio::test]
async fn a_key_may_have_any_name() {
    let provider = OidcProvider::start().await;
    provider.add_key_as("RS256", "../../etc/passwd").await;
    provider.sign_with("../../etc/passwd").await;
    assert_eq!(header(&provider.user_token("ada").mint().await)["kid"], "../../etc/passwd");
}

#[tokio::test]
async fn an_opaque_token_is_told_to_who_introspects_it_until_it_is_revoked() {
    let provider = OidcProvider::start().await;
    let request = provider.user_token("ada").opaque().audience("gate").scope("a").claims(&json!({ "email": "a@b.c" }));
    let token = request.mint().await;
    assert!(!token.contains('.'));

    for client in [provider.introspection_client(), provider.odd_introspection_client()] {
        let told = introspect(&provider, client, &token).await;
        assert_eq!((&told["active"], &told["sub"], &told["aud"]), (&json!(true), &json!("ada"), &json!("gate")));
        assert_eq!((&told["scope"], &told["email"]), (&json!("a"), &json!("a@b.c")));
    }
    provider.add_key("ES256").await;
    assert_eq!(introspect(&provider, provider.introspection_client(), &token).await["active"], true);

    provider.revoke(&token).await;
    assert_eq!(introspect(&provider, provider.introspection_client(), &token).await, json!({ "active": false }));
    let stranger = introspect(&provider, ("gate", "wrong"), &token).await;
    assert_eq!(stranger["error"], "invalid_client");
    assert_eq!(provider.requests(Endpoint::Introspection).await, 5);
}

#[tokio::test]
async fn its_key_set_fails_in_every_way_and_recovers() {
    let provider = OidcProvider::start().await;
    let url = provider.jwks_url();
    let read = async || get(&url).await?.error_for_status()?.bytes().await;

    provider.fault(Endpoint::Jwks, Fault::Status(500)).await;
    assert_eq!(get(&url).await.unwrap().status(), 500);
    provider.fault(Endpoint::Jwks, Fault::Html).await;
    assert!(read().await.unwrap().starts_with(b"<!DOCTYPE html>"));
    provider.fault(Endpoint::Jwks, Fault::Body(r#"{"keys":[]}"#.to_owned())).await;
    assert_eq!(read().await.unwrap(), r#"{"keys":[]}"#);
    provider.fault(Endpoint::Jwks, Fault::Redirect("http://127.0.0.1:1/".to_owned())).await;
    assert_eq!(get(&url).await.unwrap().headers()["location"], "http://127.0.0.1:1/");
    provider.fault(Endpoint::Jwks, Fault::Huge).await;
    assert!(read().await.unwrap().len() > 50 << 20);
    for broken in [Fault::Cut, Fault::Drop] {
        provider.fault(Endpoint::Jwks, broken).await;
        assert!(read().await.is_err());
    }
    assert_eq!(provider.requests(Endpoint::Jwks).await, 7);
    for silent in [Fault::Hang, Fault::Slow(Duration::from_mins(1))] {
        provider.fault(Endpoint::Jwks, silent).await;
        assert!(timeout(Duration::from_millis(100), read()).await.is_err());
    }
    provider.fault(Endpoint::Jwks, Fault::Slow(Duration::from_millis(1))).await;
    assert_eq!(ids(&key_set(&url).await), [provider.first_kid()]);
    provider.fault(Endpoint::Jwks, Fault::None).await;
    provider.headers(Endpoint::Jwks, &[("cache-control", "max-age=5")]).await;
    assert_eq!(get(&url).await.unwrap().headers()["cache-control"], "max-age=5");
}

#[tokio::test]
async fn a_provider_that_was_down_comes_back_with_its_keys_and_tokens() {
    let provider = OidcProvider::start().await;
    let token = provider.user_token("ada").opaque().mint().await;
    provider.go_down().await;
    assert!(get(&provider.jwks_url()).await.unwrap_err().is_connect());
    provider.come_back().await;
    assert_eq!(ids(&key_set(&provider.jwks_url()).await), [provider.first_kid()]);
    assert_eq!(introspect(&provider, provider.introspection_client(), &token).await["active"], true);
}

async fn introspect(provider: &OidcProvider, (id, secret): (&str, &str), token: &str) -> Value {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(provider.introspection_url()).basic_auth(encode(id), Some(encode(secret)));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(format!("token={token}")).send().await.unwrap().json().await.unwrap()
}
