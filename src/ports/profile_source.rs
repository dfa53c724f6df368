//! What people are called, where their tokens do not tell (authentication.md section 3; WorkOS's have neither name nor mail).

use std::fmt;

use async_trait::async_trait;

/// What an issuer tells of a person. Texts are as bounded as those of claims: 1 to 255 characters, none of them a control.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// What they are called.
    pub username: Option<String>,
    /// Their verified mail address.
    pub email: Option<String>,
}

/// Names and addresses are nobody's business in a log.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").finish_non_exhaustive()
    }
}

/// The issuer did not tell. `Display` holds neither key nor person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the profile cannot be had now: {0}")]
pub struct ProfileError(pub String);

/// Asks an issuer what a person is called.
///
/// # Contract
/// - `None`: the issuer knows no such person.
/// - It answers in bounded time, with an error if nothing better. A profile decides nothing, so whoever asks lets the person in
///   without one, and asks again another time.
#[async_trait]
pub trait ProfileSource: fmt::Debug + Send + Sync {
    /// The profile of the person whom the issuer calls so.
    async fn profile(&self, subject: &str) -> Result<Option<Profile>, ProfileError>;
}
