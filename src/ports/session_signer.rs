//! Makes the tokens of widgets' sessions.

use std::fmt;

use secrecy::SecretString;

use crate::domain::{service_token::HashedToken, session::Session};

/// The session could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the session could not be signed")]
pub struct SigningError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Makes the tokens of widgets' sessions.
///
/// # Contract
/// - The token says all that the session does, and whoever validates sessions on any replica takes it for that.
/// - The key shows up in no token, error, log line or `Debug` form.
pub trait SessionSigner: fmt::Debug + Send + Sync {
    /// The session's token.
    ///
    /// # Errors
    /// [`SigningError`].
    fn sign(&self, session: &Session) -> Result<SecretString, SigningError>;

    /// Marks a session with the secret that its maker showed: each secret has its own mark, and whoever does not know the key
    /// learns nothing of the secret by it, not even whether they guess it.
    fn mark(&self, secret: &HashedToken) -> String;
}
