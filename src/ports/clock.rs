//! The time of day.

use std::fmt;

use jiff::Timestamp;

/// Tells the time.
///
/// # Contract
/// - [`now`](Self::now) neither blocks nor fails.
/// - Two readings one after the other may be equal, and may go back when the machine's clock is set.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}
