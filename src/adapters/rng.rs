//! Randomness: the system's, and a sequence for tests.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::ports::rng::Rng;

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    /// # Panics
    /// When the operating system has no randomness to give: a gate that cannot make secrets must not go on.
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::expect_used, reason = "there is no safe way on without randomness")]
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// A predictable sequence. Its bytes are fit for tests and for nothing else.
#[derive(Debug, Default)]
pub struct SequenceRng(AtomicU64);

impl Rng for SequenceRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}
