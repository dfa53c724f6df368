//! What files were read to, kept for a little while: so that a deployment is read before its unit of work begins, and read
//! once only when that runs again.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::machine::{self, ModelError, Process};

/// How much text the kept readings may stand for, in bytes.
const CAPACITY: u64 = 32 * 1024 * 1024;

/// How long one is kept.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// A file, read.
#[derive(Debug)]
pub(super) struct Reading {
    /// The SHA-256 of the file.
    pub(super) digest: [u8; 32],
    /// Its executable processes, or what is wrong with it.
    pub(super) outcome: Result<Vec<Arc<Process>>, Vec<ModelError>>,
    /// The size of the file, in bytes.
    weight: usize,
}

/// The files read of late. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Readings(Cache<[u8; 32], Arc<Reading>>);

impl Default for Readings {
    fn default() -> Self {
        let weigh = |_: &[u8; 32], reading: &Arc<Reading>| u32::try_from(reading.weight).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(CAPACITY).weigher(weigh).time_to_live(KEPT_FOR).build())
    }
}

impl Readings {
    /// Reads a file. That is CPU work: not for the runtime's own threads.
    pub(super) fn read(&self, content: &str) -> Arc<Reading> {
        let digest = Sha256::digest(content).into();
        self.0.get_with(digest, || {
            let outcome = machine::read(content).map(|processes| processes.into_iter().map(Arc::new).collect());
            Arc::new(Reading { digest, outcome, weight: content.len() })
        })
    }
}
