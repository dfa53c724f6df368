//! What is remembered of tokens that were verified, and what ends that.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    adapters::auth::jwt::{Algorithm, IssuerConfig, JwtValidator},
    domain::{
        identity::{CredentialKind, IdentityKind, Maker},
        ids::RevocationId,
        revocation::{Notice, Revocation, Revoked},
        user::{IssuerName, UserId},
    },
    ports::{clock::Clock, token_validator::AuthError},
};

use super::{
    kinds::{Ground, judge, jwt, refusal, remote},
    mint::{Key, set},
};
use crate::support::scripted::{Reply, Scripted};

fn ground() -> (Ground, Key, JwtValidator) {
    let (ground, key) = (Ground::new(), Key::new(Algorithm::EdDsa, Some("ed")));
    let validator = ground.validator([IssuerConfig { jwks: Some(set(&[&key])), ..jwt(&[Algorithm::EdDsa]) }]);
    (ground, key, validator)
}

fn revoke(ground: &Ground, revoked: Revoked, ban: bool) {
    let maker = Maker { kind: IdentityKind::Bootstrap, issuer: None, subject: "bootstrap".to_owned() };
    let at = ground.clock.now();
    let id = RevocationId::new(uuid::Uuid::from_u128(u128::try_from(at.as_microsecond()).unwrap()));
    let revocation = Revocation { id, revoked, reason: None, ban, at, ends_at: None, created_by: maker };
    ground.signals.standing.apply([Notice::Revoked(revocation)]);
}

fn issuer() -> IssuerName {
    IssuerName::parse("demo").unwrap()
}

#[tokio::test]
async fn a_token_is_verified_once_a_minute() {
    let (ground, key, validator) = ground();
    let token = key.token(&ground.claims(&json!({})));
    let first = judge(&validator, &token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &judge(&validator, &token).await.unwrap()));
    ground.pass(59);
    assert!(Arc::ptr_eq(&first, &judge(&validator, &token).await.unwrap()));
    ground.pass(1);
    let again = judge(&validator, &token).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &again) && first == again);
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_says() {
    let (ground, key, validator) = ground();
    let token = key.token(&ground.claims(&json!({"exp": ground.clock.now().as_second() + 10})));
    let first = judge(&validator, &token).await.unwrap();
    ground.pass(9);
    assert!(Arc::ptr_eq(&first, &judge(&validator, &token).await.unwrap()));
    // Within the leeway it is judged each time.
    ground.pass(1);
    assert!(!Arc::ptr_eq(&first, &judge(&validator, &token).await.unwrap()));
    ground.pass(29);
    assert_eq!(refusal(&validator, &token).await, None);
    ground.pass(1);
    assert_eq!(refusal(&validator, &token).await, Some(AuthError::TokenExpired));
}

#[tokio::test]
async fn a_revocation_counts_for_a_remembered_token() {
    let targets = [
        Revoked::User(UserId::new(issuer(), "ada").unwrap()),
        Revoked::Session { issuer: issuer(), sid: "s-1".to_owned() },
        Revoked::Token { issuer: issuer(), jti: "t-1".to_owned() },
    ];
    for target in targets {
        let (ground, key, validator) = ground();
        let token = key.token(&ground.claims(&json!({"sid": "s-1", "jti": "t-1"})));
        let other = key.token(&ground.claims(&json!({"sub": "eve", "sid": "s-2", "jti": "t-2"})));
        for token in [&token, &other] {
            assert_eq!(refusal(&validator, token).await, None);
        }
        revoke(&ground, target.clone(), false);
        let rejection = judge(&validator, &token).await.unwrap_err();
        assert_eq!((rejection.error, rejection.of.unwrap().name()), (AuthError::TokenRevoked, "t-1"));
        assert_eq!(refusal(&validator, &other).await, None, "{target:?}");
    }
}

/// A revocation that comes while the keys are still waited for.
#[tokio::test]
async fn who_is_revoked_while_their_token_is_verified_is_neither_let_in_nor_remembered() {
    let (ground, key) = (Ground::new(), Key::new(Algorithm::EdDsa, Some("ed")));
    let keys = Reply::json(&set(&[&key]));
    let provider = Scripted::start(keys.after(Duration::from_millis(300))).await;
    let validator = ground.validator([remote(Algorithm::EdDsa, &provider.url("/"))]);
    let token = key.token(&ground.claims(&json!({"jti": "t-1"})));
    let revoked = async {
        provider.asked(1).await;
        revoke(&ground, Revoked::Token { issuer: issuer(), jti: "t-1".to_owned() }, false);
    };
    let (judged, ()) = tokio::join!(refusal(&validator, &token), revoked);
    assert_eq!(judged, Some(AuthError::TokenRevoked));
    assert_eq!((refusal(&validator, &token).await, validator.remembered().0), (Some(AuthError::TokenRevoked), 0));
}

#[tokio::test]
async fn revoked_is_said_before_expired_and_after_the_audience() {
    let (ground, key, validator) = ground();
    revoke(&ground, Revoked::User(UserId::new(issuer(), "ada").unwrap()), true);
    let error = async |more| refusal(&validator, &key.token(&ground.claims(&more))).await;
    assert_eq!(error(json!({})).await, Some(AuthError::TokenRevoked));
    assert_eq!(error(json!({"exp": 0})).await, Some(AuthError::TokenRevoked));
    assert_eq!(error(json!({"aud": "others"})).await, Some(AuthError::InvalidAudience));
    assert_eq!(error(json!({"sub": "eve", "exp": 0})).await, Some(AuthError::TokenExpired));
}

#[tokio::test]
async fn a_user_revocation_refuses_what_was_issued_up_to_then() {
    let (ground, key, validator) = ground();
    let old = key.token(&ground.claims(&json!({})));
    assert_eq!(refusal(&validator, &old).await, None);
    ground.pass(1);
    revoke(&ground, Revoked::User(UserId::new(issuer(), "ada").unwrap()), false);
    let ahead = key.token(&ground.claims(&json!({"iat": ground.clock.now().as_second() + 20})));
    assert_eq!(refusal(&validator, &ahead).await, Some(AuthError::TokenRevoked), "its clock may be ahead");
    ground.pass(31);
    let new = key.token(&ground.claims(&json!({})));
    assert_eq!(refusal(&validator, &old).await, Some(AuthError::TokenRevoked));
    assert_eq!(refusal(&validator, &new).await, None);
}

#[tokio::test]
async fn what_is_remembered_is_bounded_in_bytes() {
    let (ground, key, validator) = ground();
    let validator = validator.remembering(1024 * 1024);
    for number in 0..2_000 {
        let token = key.token(&ground.claims(&json!({"jti": number.to_string(), "more": "x".repeat(2_000)})));
        assert_eq!(refusal(&validator, &token).await, None);
    }
    let (tokens, bytes) = validator.remembered();
    assert!((100..500).contains(&tokens) && bytes <= 1024 * 1024, "{tokens} tokens, {bytes} bytes");
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nobody_remembered() {
    let (ground, key, validator) = ground();
    let token = key.token(&ground.claims(&json!({"iat": ground.clock.now().as_second() - 60})));
    let first = judge(&validator, &token).await.unwrap();
    ground.clock.advance(SignedDuration::from_secs(-20));
    assert!(!Arc::ptr_eq(&first, &judge(&validator, &token).await.unwrap()));
    assert_eq!(first.credential, CredentialKind::External);
}
