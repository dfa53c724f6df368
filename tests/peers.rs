//! The products that tests meet do what the tests rely on.

mod oidc;
mod redis;
mod scripted;
mod workos;

use josekit::{
    jwk::Jwk,
    jws::{ES256, EdDSA, JwsVerifier, PS256, RS256},
    jwt,
};
use serde_json::Value;

use crate::support::peers::header;

/// A key set as it is published.
async fn key_set(url: &str) -> Value {
    get(url).await.expect("a key set").json().await.expect("JSON")
}

/// The ids of its keys.
fn ids(set: &Value) -> Vec<&str> {
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    client.get(url).send().await
}

/// The claims of a token, if a key of the set signed it.
fn verified(token: &str, set: &Value) -> Option<Value> {
    let kid = header(token)["kid"].clone();
    let key = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid)?;
    let key = Jwk::from_map(key.as_object().unwrap().clone()).unwrap();
    let verifier: Box<dyn JwsVerifier> = match key.algorithm().unwrap() {
        "RS256" => Box::new(RS256.verifier_from_jwk(&key).unwrap()),
        "PS256" => Box::new(PS256.verifier_from_jwk(&key).unwrap()),
        "ES256" => Box::new(ES256.verifier_from_jwk(&key).unwrap()),
        _ => Box::new(EdDSA.verifier_from_jwk(&key).unwrap()),
    };
    let (payload, _) = jwt::decode_with_verifier(token, &*verifier).ok()?;
    Some(Value::Object(payload.claims_set().clone()))
}
