//! CPU work on what strangers wrote, away from the runtime's own threads.

use crate::ports::engine::EngineError;

/// Runs it on a blocking thread. A panic in it is an [`EngineError::Failure`] of this one call.
///
/// Whoever drops the future abandons the answer only; the work is bounded, and ends by itself.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| EngineError::Failure(Box::new(error)))
}
