//! Where numbered events go.

use std::fmt;

use async_trait::async_trait;

use crate::domain::event::Event;

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
