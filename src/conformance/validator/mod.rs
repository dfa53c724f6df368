//! What a [`TokenValidator`](crate::ports::token_validator::TokenValidator) of signed JWTs owes: [`check`] it, or run
//! [`CASES`] one by one.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use josekit::jws::{HS256, JwsSigner};
//! use serde_json::json;
//! use tidegate::{
//!     adapters::{
//!         auth::jwt::{Audience, IssuerConfig, JwtIssuer, JwtValidator, Upkeep},
//!         clock::ManualClock,
//!     },
//!     conformance::validator::{self, Judged, Mint, Subject},
//!     domain::{
//!         bearer::BearerToken,
//!         issuer::{IssuerPolicy, Provision},
//!         json::JsonObject,
//!         user::IssuerName,
//!     },
//!     ports::token_validator::{Rejection, TokenValidator, ValidatedToken},
//! };
//!
//! const SECRET: &str = "what-the-partner-and-we-alone-know";
//!
//! /// JWTs of a partner's. Engines know nothing of partners: they are shown a token of their own.
//! #[derive(Debug)]
//! struct Partners(JwtValidator);
//!
//! #[async_trait]
//! impl TokenValidator for Partners {
//!     fn recognizes(&self, token: &BearerToken) -> bool {
//!         self.0.recognizes(token)
//!     }
//!
//!     async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
//!         let found = self.0.validate(token).await?;
//!         Ok(ValidatedToken::in_place_of(Arc::clone(found.identity()), BearerToken::new("for-engines")))
//!     }
//! }
//!
//! /// Signs as the partner does.
//! #[derive(Debug)]
//! struct Partner;
//!
//! impl Mint for Partner {
//!     fn header(&self) -> JsonObject {
//!         JsonObject::from_iter([("alg".to_owned(), json!("HS256"))])
//!     }
//!
//!     fn claims(&self) -> JsonObject {
//!         JsonObject::from_iter([("iss".to_owned(), json!("partner")), ("aud".to_owned(), json!("gate"))])
//!     }
//!
//!     fn sign(&self, text: &[u8]) -> Vec<u8> {
//!         HS256.signer_from_bytes(SECRET).and_then(|signer| signer.sign(text)).unwrap_or_default()
//!     }
//!
//!     fn public_key_forms(&self) -> Vec<Vec<u8>> {
//!         Vec::new()
//!     }
//!
//!     fn judges_issuer(&self) -> Judged {
//!         Judged::Always
//!     }
//!
//!     fn judges_audience(&self) -> Judged {
//!         Judged::Always
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse()?));
//! let upkeep = Upkeep { clock: clock.clone(), tasks: Default::default(), stop: Default::default() };
//! let config = IssuerConfig {
//!     issuers: vec!["partner".to_owned()],
//!     audience: Audience::of(vec!["gate".to_owned()]),
//!     secret: Some(SECRET.into()),
//!     ..IssuerConfig::jwt(IssuerPolicy::new(IssuerName::parse("partner")?, Provision::None))
//! };
//! let partners = JwtValidator::new(vec![JwtIssuer::new(config, &upkeep)?], clock.clone(), Arc::default())?;
//! let subject = Subject { validator: Arc::new(Partners(partners)), clock, mint: Box::new(Partner) };
//! if let Err(broken) = validator::check(&subject).await {
//!     panic!("{}", broken.join("\n"));
//! }
//! # Ok(())
//! # }
//! ```

mod claims;
mod form;
mod keys;
mod world;

use std::{future::Future, pin::Pin};

pub use self::{
    claims::{
        a_life_longer_than_allowed_is_refused, a_subject_is_a_text_that_is_not_empty,
        a_token_without_an_end_is_refused, an_expired_token_is_refused, fractions_of_seconds_count,
        the_audience_is_judged, the_issuer_is_judged, what_is_no_time_is_refused, what_is_not_yet_valid_is_refused,
    },
    form::{
        a_header_has_nothing_that_changes_what_is_signed, a_header_may_name_its_type, a_long_token_is_not_read,
        a_name_comes_once, a_shape_is_recognized_by_itself, a_token_is_spelled_in_one_way,
        encrypted_and_nested_tokens_are_refused,
    },
    keys::{
        a_key_in_the_header_is_not_looked_at, a_key_is_known_by_its_id, a_public_key_is_no_secret,
        a_wrong_signature_is_refused, an_algorithm_is_spelled_exactly, an_unsigned_token_is_refused,
    },
    world::{Broken, Judged, Mint, Outcome, Subject},
};

/// A case: it gives what was promised and not kept.
pub type Case = for<'a> fn(&'a Subject) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        /// Every case, by its name.
        pub const CASES: &[(&str, Case)] = &[$((stringify!($case), |subject| Box::pin($case(subject)))),+];
    };
}

cases! {
    a_good_token_names_its_caller,
    a_shape_is_recognized_by_itself,
    a_wrong_signature_is_refused,
    an_unsigned_token_is_refused,
    an_algorithm_is_spelled_exactly,
    a_public_key_is_no_secret,
    a_key_is_known_by_its_id,
    a_key_in_the_header_is_not_looked_at,
    a_header_may_name_its_type,
    a_header_has_nothing_that_changes_what_is_signed,
    encrypted_and_nested_tokens_are_refused,
    a_name_comes_once,
    a_token_is_spelled_in_one_way,
    a_long_token_is_not_read,
    the_issuer_is_judged,
    the_audience_is_judged,
    a_token_without_an_end_is_refused,
    what_is_no_time_is_refused,
    fractions_of_seconds_count,
    what_is_not_yet_valid_is_refused,
    a_life_longer_than_allowed_is_refused,
    a_subject_is_a_text_that_is_not_empty,
    a_refusal_names_only_who_signed,
    a_token_shows_up_nowhere,
    an_expired_token_is_refused,
}

/// Runs every case.
///
/// # Errors
/// Each promise that is not kept, with the case's name.
pub async fn check(subject: &Subject) -> Result<(), Vec<String>> {
    let mut broken = Vec::new();
    for (name, case) in CASES {
        if let Err(Broken(what)) = case(subject).await {
            broken.push(format!("{name}: {what}"));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken) }
}

/// A token that its issuer made is accepted, and names whom it says; again, and the same.
///
/// # Errors
/// [`Broken`].
pub async fn a_good_token_names_its_caller(subject: &Subject) -> Outcome {
    let token = subject.good_token();
    let first = subject.accepts(&token).await?;
    subject.expect("the subject is the token's", first.identity().subject == Subject::SUBJECT)?;
    let again = subject.accepts(&token).await?;
    subject.expect("a second look gives the same caller", first == again)
}

/// A refusal says whose token it is only where the signature held: else anybody could have others limited.
///
/// # Errors
/// [`Broken`].
pub async fn a_refusal_names_only_who_signed(subject: &Subject) -> Outcome {
    let expired = subject.token_with(&[("exp", subject.seconds(-3_600).into())]);
    let rejection = subject.rejection(&expired).await?;
    subject.expect("an expired token is somebody's", rejection.of.is_some())?;
    let forged = format!("{expired}AAAA");
    let rejection = subject.rejection(&forged).await?;
    subject.expect("a forged token is nobody's", rejection.of.is_none())
}

/// Neither the token nor its signature is in any `Debug` or `Display` form.
///
/// # Errors
/// [`Broken`].
pub async fn a_token_shows_up_nowhere(subject: &Subject) -> Outcome {
    let (good, expired) = (subject.good_token(), subject.token_with(&[("exp", subject.seconds(-3_600).into())]));
    let accepted = subject.accepts(&good).await?;
    let rejection = subject.rejection(&expired).await?;
    let told = format!("{accepted:?} {rejection:?} {} {:?}", rejection.error, subject.validator);
    let shown = [&good, &expired].into_iter().flat_map(|token| token.split('.')).any(|part| told.contains(part));
    subject.expect("no part of a token is shown", !shown)
}
