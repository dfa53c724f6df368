//! The credential as it came.

use std::{fmt, sync::OnceLock};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A bearer token (RFC 6750), unjudged. `Debug` hides it, and its memory is wiped when it goes.
#[derive(Clone)]
pub struct BearerToken {
    text: SecretString,
    digest: OnceLock<[u8; 32]>,
}

impl BearerToken {
    /// Wraps the text that followed `Bearer `.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: SecretString::from(text.into()), digest: OnceLock::new() }
    }

    /// The token itself: for judging it and for passing it on, never for a log or an error.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Its SHA-256: what stores and caches know it by. Computed once.
    pub fn digest(&self) -> &[u8; 32] {
        self.digest.get_or_init(|| Sha256::digest(self.expose().as_bytes()).into())
    }
}

/// By their digests: how long that takes tells nothing of the tokens.
impl PartialEq for BearerToken {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for BearerToken {}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken([redacted])")
    }
}
