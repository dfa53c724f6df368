//! Service tokens, found by the hash of their secret (authentication.md section 4).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use moka::sync::Cache;

use crate::{
    app::signals::Signals,
    domain::{
        bearer::BearerToken,
        identity::Identity,
        service_token::{HashedToken, PREFIX, SecretVerdict, ServiceToken, ServiceTokenId, is_well_formed},
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError, TokenUse},
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
    uses: Mutex<HashMap<ServiceTokenId, TokenUse>>,
}

/// A token as it was found, until its time is over or tokens change on this replica.
#[derive(Debug, Clone)]
struct Found {
    token: Arc<ServiceToken>,
    at: Instant,
    generation: u64,
}

impl ServiceTokenValidator {
    /// Looks tokens up here.
    pub fn new(repository: Arc<dyn Repository>, clock: Arc<dyn Clock>, signals: Arc<Signals>) -> Self {
        Self { repository, clock, signals, found: Cache::new(CACHED), uses: Mutex::default() }
    }

    async fn find(&self, hash: HashedToken) -> Result<Arc<ServiceToken>, AuthError> {
        // Read before the store, so that a change in between makes the entry stale at once.
        let generation = self.signals.token_generation();
        if let Some(found) = self.found.get(&hash)
            && found.generation == generation
            && found.at.elapsed() < BELIEVED_FOR
        {
            return Ok(found.token);
        }
        let found = async { self.repository.view().await?.tokens().find_by_hash(&hash).await };
        let token = found.await.map_err(|error| unavailable(&error))?;
        let token = Arc::new(token.ok_or(AuthError::InvalidToken)?);
        self.found.insert(hash, Found { token: Arc::clone(&token), at: Instant::now(), generation });
        Ok(token)
    }

    fn note_use(&self, id: &ServiceTokenId, now: Timestamp) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(id) {
            Some(seen) => {
                seen.count += 1;
                seen.last = seen.last.max(now);
            }
            None => {
                uses.insert(id.clone(), TokenUse { id: id.clone(), count: 1, last: now });
            }
        }
    }

    /// Writes down the uses gathered since the last time.
    ///
    /// # Errors
    /// The store's; the uses are kept for the next time.
    pub async fn write_uses(&self) -> Result<(), RepositoryError> {
        let uses: Vec<_> =
            self.uses.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, seen)| seen).collect();
        if uses.is_empty() {
            return Ok(());
        }
        let written = self.write(&uses).await;
        if written.is_err() {
            let mut kept = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            for seen in uses {
                kept.entry(seen.id.clone()).and_modify(|now| now.count += seen.count).or_insert(seen);
            }
        }
        written
    }

    async fn write(&self, uses: &[TokenUse]) -> Result<(), RepositoryError> {
        let mut unit = self.repository.begin().await?;
        unit.tokens().record_uses(uses).await?;
        unit.commit().await
    }
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
        let now = self.clock.now();
        match found.judge(&hash, now) {
            SecretVerdict::Expired => Err(AuthError::TokenExpired),
            SecretVerdict::Revoked => Err(AuthError::TokenRevoked),
            SecretVerdict::Good(expires_at) => {
                self.note_use(&found.id, now);
                let who = Identity::service(found.id.as_str(), found.scopes.clone(), found.workspaces.clone());
                Ok(ValidatedToken::own(Identity { issued_at: Some(found.issued_at), expires_at, ..who }))
            }
        }
    }
}
