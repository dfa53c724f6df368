//! How often service tokens are used, and when last: gathered here, and written down in batches.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    domain::{
        identity::{Identity, IdentityKind},
        service_token::ServiceTokenId,
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError, TokenUse},
    },
};

/// Uses that are not yet written down. Bounded by the number of tokens.
#[derive(Debug)]
pub struct TokenUses {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    gathered: Mutex<HashMap<ServiceTokenId, TokenUse>>,
}

impl TokenUses {
    /// Writes here.
    pub fn new(repository: Arc<dyn Repository>, clock: Arc<dyn Clock>) -> Self {
        Self { repository, clock, gathered: Mutex::default() }
    }

    /// Counts a use, if the caller came with a service token.
    pub fn note(&self, who: &Identity) {
        if who.kind != IdentityKind::Service || who.issuer.is_some() {
            return;
        }
        let Some(id) = who.token_id.as_deref().and_then(|id| ServiceTokenId::parse(id).ok()) else { return };
        self.add(TokenUse { id, count: 1, last: self.clock.now() });
    }

    fn add(&self, used: TokenUse) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered
            .entry(used.id.clone())
            .and_modify(|known| {
                known.count = known.count.saturating_add(used.count);
                known.last = known.last.max(used.last);
            })
            .or_insert(used);
    }

    /// Writes down the uses gathered since the last time.
    ///
    /// # Errors
    /// The store's; the uses are kept for the next time.
    pub async fn write(&self) -> Result<(), RepositoryError> {
        let gathered = std::mem::take(&mut *self.gathered.lock().unwrap_or_else(PoisonError::into_inner));
        if gathered.is_empty() {
            return Ok(());
        }
        let uses: Vec<_> = gathered.into_values().collect();
        let written = self.record(&uses).await;
        if written.is_err() {
            for used in uses {
                self.add(used);
            }
        }
        written
    }

    async fn record(&self, uses: &[TokenUse]) -> Result<(), RepositoryError> {
        let mut unit = self.repository.begin().await?;
        unit.tokens().record_uses(uses).await?;
        unit.commit().await
    }
}
