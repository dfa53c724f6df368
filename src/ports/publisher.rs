//! Where numbered events go.

use std::fmt;

use async_trait::async_trait;

use tokio::sync::watch;

use crate::domain::{event::Event, ids::WorkflowId};

/// Events could not be handed over; the relay tries again.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The real-time server does not answer.
    #[error("the real-time server is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Takes numbered events to whoever listens.
///
/// # Contract
/// - Idempotent by event id: the relay delivers at least once.
/// - A batch is in the order of each channel; the relay never has two batches of one channel under way at once.
/// - `Ok` means that the whole batch was taken.
#[async_trait]
pub trait Publisher: fmt::Debug + Send + Sync {
    /// Takes a batch.
    async fn publish(&self, batch: &[Event]) -> Result<(), PublishError>;
}

/// Tells this replica's streams that a channel grew; they read the events themselves, from where they stand.
///
/// # Contract
/// - A receiver's value is a head that the channel has reached; it never goes back.
/// - A channel without receivers is forgotten.
pub trait EventFeed: fmt::Debug + Send + Sync {
    /// Follows a channel. The first value may be older than the channel's head: read once before waiting.
    fn subscribe(&self, workflow: WorkflowId) -> watch::Receiver<u64>;
    /// The channels that are followed now.
    fn followed(&self) -> Vec<WorkflowId>;
    /// The channel has reached this number, as another replica's numbering shows.
    fn reached(&self, workflow: WorkflowId, head: u64);
}
