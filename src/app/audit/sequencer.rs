//! Gives entries their places in the chain, after they have committed.

use crate::{
    app::{commands::Commands, error::AppError},
    domain::audit::AuditEntry,
    ports::repository::{AuditHead, RepositoryError, UnchainedEntry},
};

use super::chain::AuditKey;

/// How many entries are chained at once.
const BATCH: u32 = 500;

/// Chains entries. Replicas may each have one: the head of the chain is in one's hands at a time.
#[derive(Debug, Clone)]
pub struct Sequencer {
    commands: Commands,
    key: AuditKey,
}

impl Sequencer {
    /// Under this key.
    pub const fn new(commands: Commands, key: AuditKey) -> Self {
        Self { commands, key }
    }

    /// Chains a batch of what waits; says whether more may be waiting.
    ///
    /// # Errors
    /// The store's.
    pub async fn chain(&self) -> Result<bool, AppError> {
        // A look is cheaper than a unit of work, and mostly there is nothing.
        if self.commands.view().await?.audit().unchained(1).await?.is_empty() {
            return Ok(false);
        }
        let key = self.key.clone();
        self.commands
            .run(move |unit| {
                let key = key.clone();
                Box::pin(async move {
                    let audit = unit.uow().audit();
                    let Some(head) = audit.lock_head().await? else { return Ok(false) };
                    let waiting = audit.unchained(BATCH).await?;
                    let more = u32::try_from(waiting.len()).is_ok_and(|count| count == BATCH);
                    audit.chain(&links(&key, head, waiting)).await?;
                    Ok(more)
                })
            })
            .await
    }

    /// The head of the chain.
    ///
    /// # Errors
    /// The store's.
    pub async fn head(&self) -> Result<AuditHead, RepositoryError> {
        self.commands.view().await?.audit().head().await
    }
}

fn links(key: &AuditKey, mut head: AuditHead, waiting: Vec<UnchainedEntry>) -> Vec<(i64, AuditHead)> {
    let link = |UnchainedEntry { row, entry }| {
        let sequence = head.sequence.saturating_add(1);
        let hash = key.hash(&head.hash, &AuditEntry { sequence, ..entry });
        head = AuditHead { sequence, hash };
        (row, head)
    };
    waiting.into_iter().map(link).collect()
}
