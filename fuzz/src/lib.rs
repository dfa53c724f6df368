//! What the targets share: a validator of one issuer with a secret.

use std::{
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use tidegate::{
    adapters::{
        auth::jwt::{Audience, IssuerConfig, JwtIssuer, JwtValidator, Upkeep},
        clock::ManualClock,
    },
    app::signals::Signals,
    domain::{
        bearer::BearerToken,
        identity::Identity,
        issuer::{IssuerPolicy, Provision},
        user::IssuerName,
    },
    ports::token_validator::{AuthError, TokenValidator},
};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";
/// What the validator's clock shows, in seconds.
pub const NOW: i64 = 1_800_000_000;

static VALIDATOR: LazyLock<JwtValidator> = LazyLock::new(|| {
    let clock = Arc::new(ManualClock::at(jiff::Timestamp::from_second(NOW).unwrap()));
    let config = IssuerConfig {
        issuers: vec!["idp".to_owned()],
        audience: Audience::of(vec!["gate".to_owned()]),
        secret: Some(SecretString::from(SECRET)),
        ..IssuerConfig::jwt(IssuerPolicy::new(IssuerName::parse("idp").unwrap(), Provision::User))
    };
    let upkeep = Upkeep { clock: clock.clone(), tasks: Default::default(), stop: Default::default() };
    let issuer = JwtIssuer::new(config, &upkeep).unwrap();
    // Next to nothing is remembered, so that each look is a judgement.
    JwtValidator::new(vec![issuer], clock, Arc::new(Signals::default())).unwrap().remembering(1)
});

/// What becomes of a token. Nothing is fetched, so nothing is waited for.
pub fn judge(token: &str) -> Result<Arc<Identity>, AuthError> {
    let token = BearerToken::new(token);
    if !VALIDATOR.recognizes(&token) {
        return Err(AuthError::InvalidToken);
    }
    let mut judged = VALIDATOR.validate(&token);
    match judged.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(validated)) => Ok(Arc::clone(validated.identity())),
        Poll::Ready(Err(rejection)) => Err(rejection.error),
        Poll::Pending => panic!("a secret was waited for"),
    }
}

/// A token of this very header and these very claims, well signed.
pub fn signed(header: &[u8], claims: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
