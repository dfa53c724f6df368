//! `Idempotency-Key`: a repeat of a command gives the same answer, once (DESIGN section 6).

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// How long a key is remembered.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What a key is remembered by: the SHA-256 of caller, method, path and key, length-prefixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(pub [u8; 32]);

/// The SHA-256 of query and raw body: tells a repeat from another request under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_string());
        hash.update(b":");
        hash.update(part);
    }
    hash.finalize().into()
}

impl IdempotencyKey {
    /// The key of one caller's request.
    pub fn new(identity: &str, method: &str, path: &str, key: &str) -> Self {
        Self(digest(&[identity.as_bytes(), method.as_bytes(), path.as_bytes(), key.as_bytes()]))
    }
}

impl Fingerprint {
    /// The fingerprint of a request.
    pub fn new(query: &str, body: &[u8]) -> Self {
        Self(digest(&[query.as_bytes(), body]))
    }
}

/// What an idempotent request is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// What it must match.
    pub fingerprint: Fingerprint,
}

/// What is remembered of an answer: never a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The key.
    pub key: IdempotencyKey,
    /// What a repeat must match.
    pub fingerprint: Fingerprint,
    /// The id of what was made.
    pub subject: String,
    /// When.
    pub created_at: Timestamp,
}
