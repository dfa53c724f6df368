//! Randomness.

use std::fmt;

use jiff::Timestamp;
use uuid::{Builder, Uuid};

/// Gives unpredictable bytes.
///
/// # Contract
/// - The bytes are fit for secrets. (A test's double says in its documentation that its bytes are not.)
pub trait Rng: fmt::Debug + Send + Sync {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);
}

/// Comforts over [`Rng`].
pub trait RngExt: Rng {
    /// A fresh UUID of version 7 (RFC 9562), which sorts by `now`.
    fn uuid_v7(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// 256 random bits.
    fn bits256(&self) -> [u8; 32] {
        let mut bits = [0; 32];
        self.fill(&mut bits);
        bits
    }
}

impl<R: Rng + ?Sized> RngExt for R {}
