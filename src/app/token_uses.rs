//! How often service tokens are used, and when last: gathered here, and written down in batches.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    domain::{
        identity::{CredentialKind, Identity},
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
        if who.credential != CredentialKind::ServiceToken {
            return;
        }
        let (Some(id), last) = (who.token_id.as_deref(), self.clock.now()) else { return };
        let mut gathered = self.gathered();
        // Every request comes here: the name is copied for the first one of a batch alone.
        if let Some(known) = gathered.get_mut(id) {
            known.count = known.count.saturating_add(1);
            known.last = known.last.max(last);
        } else if let Ok(id) = ServiceTokenId::parse(id) {
            gathered.insert(id.clone(), TokenUse { id, count: 1, last });
        }
    }

    fn gathered(&self) -> MutexGuard<'_, HashMap<ServiceTokenId, TokenUse>> {
        // A panic elsewhere leaves the map whole: every change of it is one call.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, used: TokenUse) {
        let mut gathered = self.gathered();
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
        let gathered = std::mem::take(&mut *self.gathered());
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
