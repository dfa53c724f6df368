//! Widgets' sessions: JWTs that the gate signs, and judges as an issuer of its own (authentication.md section 8).

mod keys;

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::{Value, json};

pub use self::keys::{SessionKey, SessionKeyError};
use super::jwt::{Audience, InvalidIssuer, IssuerConfig, JwtIssuer};
use crate::{
    domain::{
        issuer::{IssuerPolicy, Provision},
        service_token::HashedToken,
        session::{Session, identity_of},
        user::IssuerName,
    },
    ports::session_signer::{SessionSigner, SigningError},
};

/// What the issuer of sessions is called where issuers have names. No identity bears it: a session's is that of its maker.
const NAME: &str = "sessions";

/// What sessions are signed with, and what they say of themselves.
pub struct SessionTokens {
    issuer: String,
    audience: String,
    key: SessionKey,
    /// The first segment: the same for all.
    header: String,
    built_in: Arc<JwtIssuer>,
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens").field("issuer", &self.issuer).field("key", &self.key).finish_non_exhaustive()
    }
}

/// What was signed with what makes no sessions.
#[derive(Debug, thiserror::Error)]
#[error("a session is made with a token")]
struct NoParent;

impl SessionTokens {
    /// Tokens of this issuer, for this audience.
    ///
    /// # Errors
    /// [`InvalidIssuer::Nobody`] for an empty name.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, key: SessionKey) -> Result<Self, InvalidIssuer> {
        let (issuer, audience) = (issuer.into(), audience.into());
        let name = IssuerName::parse(NAME).map_err(|_| InvalidIssuer::Nobody("sessions"))?;
        let built_in = JwtIssuer::of_given_keys(IssuerConfig {
            issuers: vec![issuer.clone()],
            audience: Audience::OneOf(vec![audience.clone()]),
            algorithms: vec![key.algorithm()],
            secret: key.secret().cloned(),
            jwks: key.public().map(|jwk| json!([Value::Object(jwk.as_ref().clone())])),
            read: identity_of,
            ..IssuerConfig::jwt(IssuerPolicy::new(name, Provision::None))
        })?;
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{}","typ":"JWT"}}"#, key.algorithm()));
        Ok(Self { issuer, audience, key, header, built_in: Arc::new(built_in) })
    }

    /// The issuer that judges them, as other issuers judge theirs.
    pub fn built_in(&self) -> Arc<JwtIssuer> {
        Arc::clone(&self.built_in)
    }
}

impl SessionSigner for SessionTokens {
    fn sign(&self, session: &Session) -> Result<SecretString, SigningError> {
        let mut claims = session.claims().ok_or_else(|| SigningError(Box::new(NoParent)))?;
        claims.insert("iss".to_owned(), json!(self.issuer));
        claims.insert("aud".to_owned(), json!(self.audience));
        let signed = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string()));
        let signature = self.key.sign(signed.as_bytes()).map_err(|error| SigningError(Box::new(error)))?;
        Ok(SecretString::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn mark(&self, secret: &HashedToken) -> String {
        self.key.mark(secret)
    }
}
