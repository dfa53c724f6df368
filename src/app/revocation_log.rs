//! Reads the revocation log into this replica's [`Standing`](super::standing::Standing).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use super::signals::Signals;
use crate::ports::repository::{Repository, RepositoryError};

/// How long a look into the log may take: a store that answers later has not answered.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the first may take, or one after a long time without: it reads all revocations that hold. (The store bounds each
/// of its steps.)
const LONG_PATIENCE: Duration = Duration::from_mins(1);

/// Reads the log, one look at a time.
#[derive(Debug)]
pub struct RevocationLog {
    repository: Arc<dyn Repository>,
    signals: Arc<Signals>,
    turn: Mutex<()>,
    /// How many looks are over, however they ended.
    looks: AtomicU64,
}

/// The store took too long.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no answer within {0:?}")]
struct TooSlow(Duration);

impl RevocationLog {
    /// From this store into these signals' standing.
    pub fn new(repository: Arc<dyn Repository>, signals: Arc<Signals>) -> Self {
        Self { repository, signals, turn: Mutex::default(), looks: AtomicU64::default() }
    }

    /// Reads on from where the last look ended.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self) -> Result<(), RepositoryError> {
        let turn = self.turn.lock().await;
        self.look(&turn).await
    }

    async fn look(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), RepositoryError> {
        let began = Instant::now();
        let position = self.signals.standing.begin_look();
        let patience = if self.signals.standing.is_far_behind() { LONG_PATIENCE } else { PATIENCE };
        let look = async { self.repository.view().await?.revocations().read_log(position).await };
        let looked = tokio::time::timeout(patience, look).await;
        self.looks.fetch_add(1, Ordering::Relaxed);
        let read = looked.map_err(|_| RepositoryError::Unavailable(Box::new(TooSlow(patience))))??;
        self.signals.standing.took(read, began);
        Ok(())
    }

    /// Reads the log if it was never read: a gate answers right after its start. Any number that ask at once have it read
    /// once; whether that went well, the [`Standing`](super::standing::Standing) knows.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_first(&self) -> Result<(), RepositoryError> {
        let read = || self.signals.standing.position().is_some();
        if read() {
            return Ok(());
        }
        let before = self.looks.load(Ordering::Relaxed);
        let turn = self.turn.lock().await;
        // Whoever had the turn before has done it, or could not: who waited for that does not try again.
        if read() || self.looks.load(Ordering::Relaxed) != before { Ok(()) } else { self.look(&turn).await }
    }
}
