//! Who vouches for a bearer token, and whom it names.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::domain::{bearer::BearerToken, identity::Identity, scope::Scopes};

/// Why a caller was not let in. `Display` is the sentence that the caller reads; it never holds a token or a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// No credential came.
    #[error("Missing bearer token")]
    MissingToken,
    /// The credential is not one, or is nobody's.
    #[error("Invalid bearer token")]
    InvalidToken,
    /// It was good once.
    #[error("Bearer token has expired")]
    TokenExpired,
    /// It was ended before its time.
    #[error("Service token has been revoked")]
    TokenRevoked,
    /// The caller lacks scopes.
    #[error("Missing required scopes: {}", join(.0))]
    MissingScope(Scopes),
    /// The caller named a workspace that is not theirs.
    #[error("Workspace access denied")]
    WorkspaceForbidden,
    /// The caller asked for a credential that outlives their own.
    #[error("Requested life exceeds the caller's")]
    LifeExceeded,
    /// The question could not be answered now: a 503 outside, never a 401.
    #[error("Unable to judge the bearer token now")]
    Unavailable,
}

fn join(scopes: &Scopes) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

/// What a validator found in a token that it vouches for. Only validators make one.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedToken {
    identity: Arc<Identity>,
    forwardable: bool,
}

impl ValidatedToken {
    /// One of our own credentials (service, bootstrap and session tokens): it never leaves the gate.
    pub fn own(identity: impl Into<Arc<Identity>>) -> Self {
        Self { identity: identity.into(), forwardable: false }
    }

    /// A token that an external issuer made: pass-through may send it on to engines.
    pub fn external(identity: impl Into<Arc<Identity>>) -> Self {
        Self { identity: identity.into(), forwardable: true }
    }

    /// Whom the token names, as the validator read it.
    pub const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Whether the token may be passed on.
    pub const fn forwardable(&self) -> bool {
        self.forwardable
    }
}

/// Judges bearer tokens of one kind.
///
/// # Contract
/// - [`recognizes`](Self::recognizes) looks at the shape alone: no key, no network, no failure.
/// - The first validator that recognizes a token decides; after a refusal nobody else is asked.
/// - [`AuthError::Unavailable`] says that the question could not be answered: a 503 outside, never a 401.
/// - The token shows up in no error, log line or `Debug` form.
#[async_trait]
pub trait TokenValidator: fmt::Debug + Send + Sync {
    /// Whether a token of this shape is this validator's to judge.
    fn recognizes(&self, token: &BearerToken) -> bool;

    /// Judges it.
    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, AuthError>;
}

/// Turns a validated token into the caller that the gate knows: where users, memberships and defaults come in.
///
/// # Contract
/// - Never widens: the rights of the answer are within those of the token.
#[async_trait]
pub trait IdentityExtractor: fmt::Debug + Send + Sync {
    /// Who is calling.
    async fn identify(&self, token: &ValidatedToken) -> Result<Arc<Identity>, AuthError>;
}
