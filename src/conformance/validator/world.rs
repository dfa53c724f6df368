//! What the cases stand on.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    adapters::clock::ManualClock,
    domain::{bearer::BearerToken, json::JsonObject},
    ports::{
        clock::Clock,
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
};

/// A promise that was not kept, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

/// What a case comes to.
pub type Outcome = Result<(), Broken>;

/// Whether a claim is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Always.
    Always,
    /// Where it is present.
    IfPresent,
    /// Not at all.
    Never,
}

/// Signs as the validator's issuer does.
pub trait Mint: fmt::Debug + Send + Sync {
    /// The header of a good token: `alg`, and `kid` where keys have ids.
    fn header(&self) -> JsonObject;

    /// The claims of a good token, beside `sub`, `iat` and `exp`: `iss`, `aud`, what else the validator asks for.
    fn claims(&self) -> JsonObject;

    /// The signature over this text.
    fn sign(&self, text: &[u8]) -> Vec<u8>;

    /// The public key in every form that somebody might take for a secret: PEM, DER, JWK. Empty where there is none.
    fn public_key_forms(&self) -> Vec<Vec<u8>>;

    /// Whether `iss` is judged.
    fn judges_issuer(&self) -> Judged;

    /// Whether `aud` is judged.
    fn judges_audience(&self) -> Judged;
}

/// A validator, and what it takes to try it.
#[derive(Debug)]
pub struct Subject {
    /// Whom the cases try.
    pub validator: Arc<dyn TokenValidator>,
    /// The clock that it reads.
    pub clock: Arc<ManualClock>,
    /// Signs as its issuer does.
    pub mint: Box<dyn Mint>,
}

impl Subject {
    /// The `sub` of good tokens.
    pub const SUBJECT: &'static str = "ada";

    /// The present moment of the validator's clock and so many seconds.
    pub fn seconds(&self, more: i64) -> i64 {
        self.clock.now().as_second().saturating_add(more)
    }

    /// Lets time pass.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The claims of a good token.
    pub fn claims(&self) -> JsonObject {
        let mut claims = self.mint.claims();
        claims.insert("sub".to_owned(), json!(Self::SUBJECT));
        claims.insert("iat".to_owned(), json!(self.seconds(-5)));
        claims.insert("exp".to_owned(), json!(self.seconds(300)));
        claims
    }

    /// A good token.
    pub fn good_token(&self) -> String {
        self.token_with(&[])
    }

    /// A well-signed token with other claims: `null` takes one out.
    pub fn token_with(&self, claims: &[(&str, Value)]) -> String {
        self.token(&[], claims)
    }

    /// A well-signed token with another header: `null` takes a parameter out.
    pub fn token_headed(&self, header: &[(&str, Value)]) -> String {
        self.token(header, &[])
    }

    /// A well-signed token with another header and other claims.
    pub fn token(&self, header: &[(&str, Value)], claims: &[(&str, Value)]) -> String {
        let header = changed(self.mint.header(), header);
        let claims = changed(self.claims(), claims);
        self.sign_texts(&Value::Object(header).to_string(), &Value::Object(claims).to_string())
    }

    /// A well-signed token of these very texts.
    pub fn sign_texts(&self, header: &str, claims: &str) -> String {
        self.sign_segments(&encode(header), &encode(claims))
    }

    /// A well-signed token of these very segments.
    pub fn sign_segments(&self, header: &str, claims: &str) -> String {
        let text = format!("{header}.{claims}");
        let signature = encode(self.mint.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    async fn judge(&self, token: &str) -> Result<ValidatedToken, Rejection> {
        let token = BearerToken::new(token);
        // What is not its own ends up with nobody.
        if self.validator.recognizes(&token) {
            self.validator.validate(&token).await
        } else {
            Err(AuthError::InvalidToken.into())
        }
    }

    /// The token must be accepted.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn accepts(&self, token: &str) -> Result<ValidatedToken, Broken> {
        let judged = self.judge(token).await;
        judged.map_err(|rejection| Broken(format!("refused as {:?}: {}", rejection.error, described(token))))
    }

    /// The token must be refused; gives the refusal.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn rejection(&self, token: &str) -> Result<Rejection, Broken> {
        match self.judge(token).await {
            Ok(_) => Err(Broken(format!("accepted: {}", described(token)))),
            Err(rejection) => Ok(rejection),
        }
    }

    /// The token must be refused so.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn refuses(&self, token: &str, error: AuthError) -> Outcome {
        let rejection = self.rejection(token).await?;
        if rejection.error == error {
            return Ok(());
        }
        Err(Broken(format!("refused as {:?}, not as {error:?}: {}", rejection.error, described(token))))
    }

    /// The token must be refused as invalid.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn is_invalid(&self, token: &str) -> Outcome {
        self.refuses(token, AuthError::InvalidToken).await
    }

    /// What must hold.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn expect(&self, what: &str, holds: bool) -> Outcome {
        if holds { Ok(()) } else { Err(Broken(format!("not so: {what}"))) }
    }
}

fn changed(mut object: JsonObject, changes: &[(&str, Value)]) -> JsonObject {
    for (name, value) in changes {
        match value {
            Value::Null => object.remove(*name),
            value => object.insert((*name).to_owned(), value.clone()),
        };
    }
    object
}

/// Base64url without padding.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims of a token that the suite made, for a message.
fn described(token: &str) -> String {
    let read = |segment: &str| match URL_SAFE_NO_PAD.decode(segment) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).chars().take(300).collect(),
        Err(_) => segment.chars().take(60).collect::<String>(),
    };
    token.split('.').take(2).map(read).collect::<Vec<_>>().join(" . ")
}
