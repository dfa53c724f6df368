//! The credential as it came.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A bearer token (RFC 6750), unjudged. `Debug` hides it, and its memory is wiped when it goes.
#[derive(Clone)]
pub struct BearerToken(SecretString);

impl BearerToken {
    /// Wraps the text that followed `Bearer `.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The token itself: for judging it and for passing it on, never for a log or an error.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken([redacted])")
    }
}
