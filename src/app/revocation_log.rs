//! Reads the revocation log into this replica's [`Standing`](super::standing::Standing).

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::signals::Signals;
use crate::ports::repository::{Repository, RepositoryError};

/// How long a look into the log may take: a store that answers later has not answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the log, one look at a time.
#[derive(Debug)]
pub struct RevocationLog {
    repository: Arc<dyn Repository>,
    signals: Arc<Signals>,
    turn: Mutex<()>,
}

/// The store took too long.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no answer within {PATIENCE:?}")]
struct TooSlow;

impl RevocationLog {
    /// From this store into these signals' standing.
    pub fn new(repository: Arc<dyn Repository>, signals: Arc<Signals>) -> Self {
        Self { repository, signals, turn: Mutex::default() }
    }

    /// Reads on from where the last look ended.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self) -> Result<(), RepositoryError> {
        let _turn = self.turn.lock().await;
        let began = Instant::now();
        let position = self.signals.standing.position();
        let look = async { self.repository.view().await?.revocations().read_log(position).await };
        let looked = tokio::time::timeout(PATIENCE, look).await;
        let read = looked.map_err(|_| RepositoryError::Unavailable(Box::new(TooSlow)))??;
        self.signals.standing.took(read, began);
        Ok(())
    }

    /// Reads the log if it was never read: a gate answers right after its start.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_first(&self) -> Result<(), RepositoryError> {
        if self.signals.standing.position().is_some() { Ok(()) } else { self.read().await }
    }
}
