//! A secret of the config: taken verbatim, compared whole, and never shown.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// What stands for a secret wherever config is shown.
pub(super) const REDACTED: &str = "[redacted]";

/// A secret, as somebody wrote it. `Debug` hides it, and it has no `Display`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret: for the adapter that uses it, never for a log or an error.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<Secret> for SecretString {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

/// For comparing configs with each other: nothing that a caller sends is compared like this.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}
