//! Service tokens, found by the hash of their secret (authentication.md section 4).

use std::sync::Arc;

use async_trait::async_trait;
use moka::sync::Cache;

use crate::{
    app::{signals::Signals, standing::Epoch},
    domain::{
        bearer::BearerToken,
        identity::Identity,
        service_token::{HashedToken, PREFIX, SecretVerdict, ServiceToken, is_well_formed},
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
};

/// How many tokens are believed at once.
const CACHED: u64 = 10_000;

/// Validates service tokens.
#[derive(Debug)]
pub struct ServiceTokenValidator {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    found: Cache<HashedToken, Found>,
}

/// A token as it was found, until the revocation log tells of a change, or cannot be read.
#[derive(Debug, Clone)]
struct Found {
    token: Arc<ServiceToken>,
    /// Whom the token names, made once: what a look into the cache gives costs nothing but a count.
    identity: Arc<Identity>,
    at: Epoch,
}

impl ServiceTokenValidator {
    /// Looks tokens up here.
    pub fn new(repository: Arc<dyn Repository>, clock: Arc<dyn Clock>, signals: Arc<Signals>) -> Self {
        Self { repository, clock, signals, found: Cache::new(CACHED) }
    }

    async fn find(&self, hash: HashedToken) -> Result<Found, AuthError> {
        // Taken before the store is read: a change in between makes the entry stale at once.
        let at = self.signals.standing.epoch();
        if let Some(found) = self.found.get(&hash)
            && self.signals.standing.token_holds(&found.token.id, found.at)
            && self.signals.standing.is_fresh()
        {
            return Ok(found);
        }
        let found = async { self.repository.view().await?.tokens().find_by_hash(&hash).await };
        let token = found.await.map_err(|error| unavailable(&error))?;
        let token = Arc::new(token.ok_or(AuthError::InvalidToken)?);
        let found = Found { identity: Arc::new(named_by(&token, &hash)), token, at };
        self.found.insert(hash, found.clone());
        Ok(found)
    }
}

/// Whom a token names to who shows this secret of it: an older secret ends before the token.
fn named_by(token: &ServiceToken, secret: &HashedToken) -> Identity {
    let older = token.previous.filter(|previous| previous.hash == *secret).map(|previous| previous.ends_at);
    let who = Identity::service(token.id.as_str(), token.scopes.clone(), token.workspaces.clone());
    Identity { issued_at: Some(token.issued_at), expires_at: older.or(token.expires_at), ..who }
}

fn unavailable(error: &RepositoryError) -> AuthError {
    tracing::warn!(error = %error, "a service token could not be looked up");
    AuthError::Unavailable
}

#[async_trait]
impl TokenValidator for ServiceTokenValidator {
    fn recognizes(&self, token: &BearerToken) -> bool {
        token.expose().starts_with(PREFIX)
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        if !is_well_formed(token.expose()) {
            return Err(AuthError::InvalidToken.into());
        }
        let hash = HashedToken::of_bearer(token);
        let found = self.find(hash).await?;
        match found.token.judge(&hash, self.clock.now()) {
            SecretVerdict::Expired => Err(AuthError::TokenExpired.of(None, found.token.id.as_str())),
            SecretVerdict::Revoked => Err(AuthError::TokenRevoked.of(None, found.token.id.as_str())),
            SecretVerdict::Good(_) => Ok(ValidatedToken::own(found.identity)),
        }
    }
}
