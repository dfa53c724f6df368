//! Service tokens, found by the hash of their secret (authentication.md section 4).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moka::sync::Cache;

use crate::{
    app::signals::Signals,
    domain::{
        bearer::BearerToken,
        identity::Identity,
        service_token::{HashedToken, PREFIX, SecretVerdict, ServiceToken, is_well_formed},
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
        token_validator::{AuthError, TokenValidator, ValidatedToken},
    },
};

/// How long a found token is believed without a look at the store: a revocation by another replica holds within this time.
const BELIEVED_FOR: Duration = Duration::from_millis(500);
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

/// A token as it was found, until its time is over or tokens change on this replica.
#[derive(Debug, Clone)]
struct Found {
    token: Arc<ServiceToken>,
    /// Whom the token names, made once: what a look into the cache gives costs nothing but a count.
    identity: Arc<Identity>,
    at: Instant,
    generation: u64,
}

impl ServiceTokenValidator {
    /// Looks tokens up here.
    pub fn new(repository: Arc<dyn Repository>, clock: Arc<dyn Clock>, signals: Arc<Signals>) -> Self {
        Self { repository, clock, signals, found: Cache::new(CACHED) }
    }

    async fn find(&self, hash: HashedToken) -> Result<Found, AuthError> {
        // Both read before the store: a change in between makes the entry stale at once, and a slow answer is old already.
        let (generation, at) = (self.signals.token_generation(), Instant::now());
        if let Some(found) = self.found.get(&hash)
            && found.generation == generation
            && found.at.elapsed() < BELIEVED_FOR
        {
            return Ok(found);
        }
        let found = async { self.repository.view().await?.tokens().find_by_hash(&hash).await };
        let token = found.await.map_err(|error| unavailable(&error))?;
        let token = Arc::new(token.ok_or(AuthError::InvalidToken)?);
        let found = Found { identity: Arc::new(named_by(&token, &hash)), token, at, generation };
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

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, AuthError> {
        if !is_well_formed(token.expose()) {
            return Err(AuthError::InvalidToken);
        }
        let hash = HashedToken::of(token.expose());
        let found = self.find(hash).await?;
        match found.token.judge(&hash, self.clock.now()) {
            SecretVerdict::Expired => Err(AuthError::TokenExpired),
            SecretVerdict::Revoked => Err(AuthError::TokenRevoked),
            SecretVerdict::Good(_) => Ok(ValidatedToken::own(found.identity)),
        }
    }
}
