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
    /// A fresh UUID of version 7 (RFC 9562), which sorts by `now`, to the microsecond: the 12 bits after the milliseconds
    /// are the fraction of one (section 6.2, method 3).
    fn uuid_v7(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let fraction = u16::try_from(now.subsec_microsecond().rem_euclid(1_000) * 4_096 / 1_000).unwrap_or(0);
        let [high, low, ..] = &mut random;
        [*high, *low] = fraction.to_be_bytes();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Ones;

    impl Rng for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn ids_sort_by_the_microsecond_of_their_making() {
        let id = |micros| Ones.uuid_v7(Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX));
        let ids: Vec<_> = (1_700_000_000_000_000..1_700_000_000_002_500).step_by(7).map(id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(id(1_700_000_000_000_000).get_version_num(), 7);
        assert_eq!(id(1_700_000_000_000_999).get_timestamp().map(|at| at.to_unix().0), Some(1_700_000_000));
    }
}
