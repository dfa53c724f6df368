//! What a unit of work answers after an error.

use crate::ports::repository::RepositoryError;

/// Somebody went on with a unit of work that had failed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the unit of work failed before and is spent")]
struct Spent;

/// The answer of a spent unit: nothing more is done in it, and it never commits.
pub(super) fn spent() -> RepositoryError {
    RepositoryError::Unavailable(Box::new(Spent))
}
