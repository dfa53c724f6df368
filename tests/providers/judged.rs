//! What is judged of the answer about an active token (authentication.md section 1.4).

use serde_json::{Value, json};
use tidegate::{
    adapters::auth::jwt::Audience,
    domain::{identity::IdentityKind, scope::Scope},
    ports::token_validator::{AuthError, Rejection},
};

use super::introspection::{NOW, World, active, issuer, suspect};
use crate::support::scripted::{Reply, Scripted};

/// The answer with other claims; null takes one out.
fn with(mut answer: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => answer.as_object_mut().unwrap().remove(name),
            value => answer.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    answer
}

/// What becomes of a token of which this is said, at an issuer that takes `iss` `https://idp` and audience `gate`.
async fn judged(changes: Value) -> Result<(), Rejection> {
    let ours = with(active(), &json!({"iss": "https://idp", "aud": "gate"}));
    let claims = with(ours, &changes);
    let server = Scripted::start(Reply::json(&claims)).await;
    let mut issuer = issuer("op_", &server.url("/"));
    issuer.issuers = vec!["https://idp".to_owned()];
    issuer.audience = Audience::of(vec!["gate".to_owned()]);
    let judged = World::of(vec![issuer]).judge("op_1").await.map(|_| ());
    // Reasons are tested where they are told: in the audit and by `authz why`.
    judged.map_err(|rejection| Rejection { reason: None, ..rejection })
}

#[tokio::test]
async fn an_active_token_is_judged_like_any_other() {
    assert_eq!(judged(json!({})).await, Ok(()));
    assert_eq!(judged(json!({"aud": ["x", "gate"], "nbf": NOW, "exp": 1_800_000_000.5})).await, Ok(()));
    // Its maker's clock is a little ahead.
    assert_eq!(judged(json!({"iat": NOW + 30})).await, Ok(()));
    for (changes, error) in [
        (json!({"iss": "https://other"}), AuthError::InvalidIssuer),
        (json!({"iss": null}), AuthError::InvalidIssuer),
        (json!({"iss": ["https://idp"]}), AuthError::InvalidIssuer),
        (json!({"aud": "other"}), AuthError::InvalidAudience),
        (json!({"aud": null}), AuthError::InvalidAudience),
        (json!({"aud": [], "exp": 1}), AuthError::InvalidAudience),
        // No leeway: that is for JWTs.
        (json!({"exp": NOW}), AuthError::TokenExpired),
        (json!({"exp": NOW - 1, "sub": ""}), AuthError::TokenExpired),
        (json!({"exp": null}), AuthError::InvalidToken),
        (json!({"exp": "1900000000"}), AuthError::InvalidToken),
        (json!({"exp": -1}), AuthError::InvalidToken),
        (json!({"exp": NOW + 86_401}), AuthError::InvalidToken),
        (json!({"nbf": NOW + 1}), AuthError::InvalidToken),
        (json!({"iat": NOW + 31}), AuthError::InvalidToken),
        (json!({"iat": "today"}), AuthError::InvalidToken),
        (json!({"workspace": "not a slug!"}), AuthError::InvalidToken),
        (json!({"typ": "Refresh"}), AuthError::InvalidToken),
    ] {
        let subject = if changes["sub"] == "" { "t1" } else { "ada" };
        let told = error.of(suspect("opaque", subject, Some("t1")));
        assert_eq!(judged(changes.clone()).await, Err(told), "{changes}");
    }
    for sub in [json!(""), json!(7), json!(["ada"])] {
        assert_eq!(judged(json!({"sub": sub})).await.unwrap_err().error, AuthError::InvalidToken, "{sub}");
    }
    assert_eq!(judged(json!({"sub": null, "jti": null})).await, Err(AuthError::InvalidToken.into()));
    assert_eq!(
        judged(json!({"exp": 1, "jti": null})).await,
        Err(AuthError::TokenExpired.of(suspect("opaque", "ada", None)))
    );
}

#[tokio::test]
async fn what_is_not_configured_is_not_judged() {
    let claims = with(
        active(),
        &json!({"iss": "https://anybody", "aud": ["elsewhere"], "token_use": "service", "scope": "jobs:work"}),
    );
    let server = Scripted::start(Reply::json(&claims)).await;
    let who = World::of(vec![issuer("op_", &server.url("/"))]).judge("op_1").await.unwrap();
    assert_eq!(
        (who.kind, who.token_id.as_deref(), who.session_id.as_deref()),
        (IdentityKind::Service, Some("t1"), Some("s1"))
    );
    assert!(who.is_allowed(Scope::JobsWork) && who.claims.get("active").is_none());
}
