//! Validators of others: who keeps the promises passes the public suite, and who breaks one is told which.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use serde_json::Value;
use tidegate::{
    adapters::auth::jwt::{Algorithm, Audience, IssuerConfig, JwtValidator},
    conformance::validator::{self, Subject},
    domain::{
        bearer::BearerToken,
        identity::{CredentialKind, Identity, IdentityKind},
        json::JsonObject,
        rights::Rights,
    },
    ports::token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
};

use super::{
    kinds::{self, Ground, jwt, policy},
    mint::{Key, set},
};

/// What somebody may get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    TakesUnsigned,
    TakesPublicKeysForSecrets,
    ForgetsTheEnd,
    RemembersForever,
    OverlooksTheIssuer,
    OverlooksTheAudience,
    TakesLongLives,
    OverlooksPadding,
    WantsEverything,
    NamesWhoeverIsClaimed,
    SaysWhyTooEarly,
    ShowsTokens,
}

/// A validator of JWTs by RS256, as somebody might write it around ours.
struct Own {
    mistake: Mistake,
    within: JwtValidator,
    forms: Vec<Vec<u8>>,
    remembered: Mutex<HashMap<String, ValidatedToken>>,
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.mistake {
            Mistake::ShowsTokens => f.debug_list().entries(self.remembered.lock().unwrap().keys()).finish(),
            _ => f.write_str("Own"),
        }
    }
}

fn part(token: &str, at: usize) -> JsonObject {
    let bytes = token.split('.').nth(at).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn named(token: &str) -> ValidatedToken {
    let subject = part(token, 1).get("sub").and_then(Value::as_str).unwrap_or("nobody").to_owned();
    ValidatedToken::own(Identity::new(subject, IdentityKind::User, CredentialKind::External, Rights::none()))
}

impl Own {
    /// Whether a public key made this HMAC.
    fn is_by_public_key(&self, token: &str) -> bool {
        use hmac::{Hmac, KeyInit, Mac};
        let Some((text, signature)) = token.rsplit_once('.') else { return false };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        self.forms.iter().any(|form| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(form).unwrap();
            mac.update(text.as_bytes());
            mac.verify_slice(&signature).is_ok()
        })
    }
}

#[async_trait]
impl TokenValidator for Own {
    fn recognizes(&self, token: &BearerToken) -> bool {
        self.mistake == Mistake::WantsEverything || self.within.recognizes(token)
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        let text = token.expose().to_owned();
        let judged = match self.mistake {
            Mistake::OverlooksPadding => {
                let trimmed = text.replace(['=', '\n', ' '], "");
                self.within.validate(&BearerToken::new(trimmed)).await
            }
            _ => self.within.validate(token).await,
        };
        let known = self.remembered.lock().unwrap().get(&text).cloned();
        let judged = match (self.mistake, judged) {
            (Mistake::TakesUnsigned, Err(rejection)) => match part(&text, 0).get("alg").and_then(Value::as_str) {
                Some("none") => Ok(named(&text)),
                _ => Err(rejection),
            },
            (Mistake::TakesPublicKeysForSecrets, Err(_)) if self.is_by_public_key(&text) => Ok(named(&text)),
            (Mistake::ForgetsTheEnd, Err(rejection)) if rejection.error == AuthError::TokenExpired => Ok(named(&text)),
            (Mistake::RemembersForever, Err(rejection)) => known.ok_or(rejection),
            (Mistake::NamesWhoeverIsClaimed, Err(rejection)) => {
                let who = Identity::new("somebody", IdentityKind::User, CredentialKind::External, Rights::none());
                Err(rejection.error.of(&who))
            }
            (Mistake::SaysWhyTooEarly, Err(rejection)) if part(&text, 1).get("exp") == Some(&0.into()) => {
                Err(Rejection { error: AuthError::TokenExpired, ..rejection })
            }
            (_, judged) => judged,
        };
        if let Ok(good) = &judged {
            self.remembered.lock().unwrap().insert(text, good.clone());
        }
        judged
    }
}

fn subject(mistake: Mistake) -> Subject {
    let key = Key::new(Algorithm::Rs256, Some("rs"));
    let ground = Ground::new();
    let mut config = IssuerConfig { jwks: Some(set(&[&key])), ..jwt(&[Algorithm::Rs256]) };
    match mistake {
        Mistake::OverlooksTheIssuer => config.issuers = Vec::new(),
        Mistake::OverlooksTheAudience => config.audience = Audience::NotJudged,
        Mistake::TakesLongLives => {
            config.policy = policy("demo");
            config.policy.max_token_life = SignedDuration::from_hours(24 * 365 * 10_000);
        }
        _ => {}
    }
    let mint = kinds::mint(key);
    let (within, forms) = (ground.validator([config]), validator::Mint::public_key_forms(&mint));
    let own = Own { mistake, within, forms, remembered: Mutex::default() };
    kinds::subject_of(ground, Arc::new(own), mint)
}

#[tokio::test]
async fn a_validator_that_keeps_the_promises_passes() {
    assert_eq!(validator::check(&subject(Mistake::None)).await, Ok(()));
}

#[tokio::test]
async fn a_broken_promise_is_told_by_its_name() {
    for (mistake, case) in [
        (Mistake::TakesUnsigned, "an_unsigned_token_is_refused"),
        (Mistake::TakesPublicKeysForSecrets, "a_public_key_is_no_secret"),
        (Mistake::ForgetsTheEnd, "an_expired_token_is_refused"),
        (Mistake::RemembersForever, "an_expired_token_is_refused"),
        (Mistake::OverlooksTheIssuer, "the_issuer_is_judged"),
        (Mistake::OverlooksTheAudience, "the_audience_is_judged"),
        (Mistake::TakesLongLives, "a_life_longer_than_allowed_is_refused"),
        (Mistake::OverlooksPadding, "a_token_is_spelled_in_one_way"),
        (Mistake::WantsEverything, "a_shape_is_recognized_by_itself"),
        (Mistake::NamesWhoeverIsClaimed, "a_refusal_names_only_who_signed"),
        (Mistake::SaysWhyTooEarly, "a_long_token_is_not_read"),
        (Mistake::ShowsTokens, "a_token_shows_up_nowhere"),
    ] {
        let broken = validator::check(&subject(mistake)).await.unwrap_err();
        assert!(broken.iter().any(|what| what.starts_with(&format!("{case}: "))), "{mistake:?}: {broken:#?}");
        assert!(broken.len() <= 3, "one mistake is not many: {mistake:?}: {broken:#?}");
    }
}
