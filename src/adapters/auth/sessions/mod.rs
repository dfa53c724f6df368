//! Widgets' sessions: JWTs that the gate signs and judges by itself (authentication.md section 8).

mod claims;
mod keys;

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use moka::sync::Cache;
use secrecy::SecretString;
use serde::Deserialize;

use self::claims::Claims;
pub use self::keys::{SessionKey, SessionKeyError};
use crate::{
    app::{
        sessions::{Parents, Present},
        signals::Signals,
    },
    domain::{bearer::BearerToken, identity::Identity, json::JsonObject, session::Session},
    ports::{
        clock::Clock,
        session_signer::{SessionSigner, SigningError},
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
};

/// How many bytes of verified sessions are remembered, about.
const REMEMBERED: u64 = 16 << 20;
/// How far the clocks of replicas may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// What sessions are signed with, and what they say of themselves.
#[derive(Debug)]
pub struct SessionTokens {
    issuer: String,
    audience: String,
    key: SessionKey,
    /// The first segment: the same for all.
    header: String,
}

impl SessionTokens {
    /// Tokens of this issuer, for this audience.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, key: SessionKey) -> Self {
        let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, key.algorithm());
        Self { issuer: issuer.into(), audience: audience.into(), key, header: URL_SAFE_NO_PAD.encode(header) }
    }

    /// Whether somebody claims that it is one of ours. Nothing is believed.
    fn claim(&self, token: &str) -> bool {
        #[derive(Deserialize)]
        struct Unverified {
            iss: Option<String>,
        }
        let payload = token.split('.').nth(1).filter(|_| token.split('.').count() == 3);
        let payload = payload.and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
        let claims = payload.and_then(|payload| serde_json::from_slice::<Unverified>(&payload).ok());
        claims.and_then(|claims| claims.iss).is_some_and(|issuer| issuer == self.issuer)
    }

    /// The claims of a token whose signature holds.
    fn verified(&self, token: &str) -> Result<Vec<u8>, AuthError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(AuthError::InvalidToken)?;
        let (header, payload) = signed.split_once('.').ok_or(AuthError::InvalidToken)?;
        if header != self.header {
            return Err(self.wrong_header(header));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| AuthError::InvalidToken)?;
        if !self.key.verifies(signed.as_bytes(), &signature) {
            return Err(AuthError::InvalidToken);
        }
        URL_SAFE_NO_PAD.decode(payload).map_err(|_| AuthError::InvalidToken)
    }

    fn wrong_header(&self, header: &str) -> AuthError {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
        }
        let header = URL_SAFE_NO_PAD.decode(header).ok();
        let header = header.and_then(|header| serde_json::from_slice::<Header>(&header).ok());
        match header {
            Some(header) if header.alg != self.key.algorithm() => AuthError::UnsupportedAlgorithm,
            _ => AuthError::InvalidToken,
        }
    }
}

impl SessionSigner for SessionTokens {
    fn sign(&self, session: &Session) -> Result<SecretString, SigningError> {
        let claims = Claims::of(session, &self.issuer, &self.audience);
        let claims = serde_json::to_vec(&claims).map_err(|error| SigningError(Box::new(error)))?;
        let signed = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(signed.as_bytes()).map_err(|error| SigningError(Box::new(error)))?;
        Ok(SecretString::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Judges sessions.
#[derive(Debug)]
pub struct SessionValidator {
    tokens: Arc<SessionTokens>,
    parents: Parents,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    known: Cache<[u8; 32], Arc<Known>>,
}

/// A session whose signature held, and what was left of its rights.
#[derive(Debug)]
struct Known {
    session: Session,
    claims: JsonObject,
    identity: Arc<Identity>,
    present: Present,
    bytes: usize,
}

impl SessionValidator {
    /// Judges what these sign, by what those have now that the sessions were made with.
    pub fn new(tokens: Arc<SessionTokens>, parents: Parents, clock: Arc<dyn Clock>, signals: Arc<Signals>) -> Self {
        let weigh = |_: &[u8; 32], known: &Arc<Known>| u32::try_from(known.bytes * 4 + 1_024).unwrap_or(u32::MAX);
        let known = Cache::builder().max_capacity(REMEMBERED).weigher(weigh).build();
        Self { tokens, parents, clock, signals, known }
    }

    fn read(&self, token: &BearerToken) -> Result<(Session, JsonObject), AuthError> {
        let payload = self.tokens.verified(token.expose())?;
        // What the signature vouches for, the gate has written.
        let claims = serde_json::from_slice::<Claims>(&payload).map_err(|_| AuthError::InvalidToken)?;
        let all = serde_json::from_slice(&payload).map_err(|_| AuthError::InvalidToken)?;
        if claims.iss != self.tokens.issuer {
            return Err(AuthError::InvalidIssuer);
        }
        if claims.aud != self.tokens.audience {
            return Err(AuthError::InvalidAudience);
        }
        Ok((claims.session().ok_or(AuthError::InvalidToken)?, all))
    }

    /// Revoked is said before expired.
    fn in_time(&self, session: &Session, identity: &Identity) -> Result<(), AuthError> {
        let now = self.clock.now();
        if self.signals.standing.revokes(identity) {
            Err(AuthError::TokenRevoked)
        } else if session.expires_at <= now {
            Err(AuthError::TokenExpired)
        } else if now.saturating_add(LEEWAY).is_ok_and(|soon| session.issued_at > soon) {
            Err(AuthError::InvalidToken)
        } else {
            Ok(())
        }
    }

    /// Whom a session names now.
    async fn judge(&self, token: &BearerToken, session: Session, claims: JsonObject) -> Result<Arc<Known>, AuthError> {
        self.in_time(&session, &session.caller(session.own_rights(), JsonObject::new()))?;
        let present = self.parents.present(&session).await?;
        let identity = Arc::new(session.caller(present.rights.clone(), claims.clone()));
        let known = Arc::new(Known { session, claims, identity, present, bytes: token.expose().len() });
        self.known.insert(*token.digest(), Arc::clone(&known));
        Ok(known)
    }
}

#[async_trait]
impl TokenValidator for SessionValidator {
    fn recognizes(&self, token: &BearerToken) -> bool {
        self.tokens.claim(token.expose())
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        let (session, claims) = match self.known.get(token.digest()) {
            Some(known) => {
                let held = self.in_time(&known.session, &known.identity);
                let held = held.and_then(|()| self.parents.holds(&known.session, &known.present));
                if held.map_err(|error| about(error, &known.session))? {
                    return Ok(ValidatedToken::own(Arc::clone(&known.identity)));
                }
                (known.session.clone(), known.claims.clone())
            }
            None => self.read(token)?,
        };
        let (issuer, id) = (session.issuer.clone(), session.id.clone());
        let known = self.judge(token, session, claims).await;
        let known = known.map_err(|error| error.of(issuer.as_deref(), id))?;
        Ok(ValidatedToken::own(Arc::clone(&known.identity)))
    }
}

fn about(error: AuthError, session: &Session) -> Rejection {
    error.of(session.issuer.as_deref(), session.id.as_str())
}
