//! Who vouches for a bearer token, and whom it names.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::domain::{
    bearer::BearerToken,
    claims::{self, InvalidClaims},
    identity::{Identity, IdentityKind},
    json::JsonObject,
    rejection::RejectionReason,
    scope::Scopes,
};

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
    /// Its algorithm is not one of its issuer's.
    #[error("Bearer token is signed with an unsupported algorithm")]
    UnsupportedAlgorithm,
    /// It is meant for others.
    #[error("Bearer token has an invalid audience")]
    InvalidAudience,
    /// Nobody whom the gate trusts made it.
    #[error("Bearer token has an invalid issuer")]
    InvalidIssuer,
    /// It was good once.
    #[error("Bearer token has expired")]
    TokenExpired,
    /// It was ended before its time.
    #[error("Service token has been revoked")]
    TokenRevoked,
    /// The caller is no user of the gate, and this issuer's are not made at first sight.
    #[error("User is not known here")]
    NotProvisioned,
    /// The caller lacks scopes.
    #[error("Missing required scopes: {}", join(.0))]
    MissingScope(Scopes),
    /// The caller named a workspace that is not theirs.
    #[error("Workspace access denied")]
    WorkspaceForbidden,
    /// The caller asked for a credential that outlives their own.
    #[error("Requested life exceeds the caller's")]
    LifeExceeded,
    /// The keys that it is to be verified with cannot be had now: a 503 outside, never a 401.
    #[error("Unable to resolve signing key for bearer token")]
    KeyUnavailable,
    /// The question could not be answered now: a 503 outside, never a 401.
    #[error("Unable to judge the bearer token now")]
    Unavailable,
    /// Too many bad tokens came from this address.
    #[error("Too many authentication attempts from IP {ip}")]
    LimitedAddress {
        /// The address, as it is limited.
        ip: String,
        /// In how many seconds another attempt is judged.
        retry_after: u64,
    },
    /// Too many bad tokens came of this identity.
    #[error("Too many authentication attempts for identity {identity}")]
    LimitedIdentity {
        /// The token's id, or the subject.
        identity: String,
        /// In how many seconds another attempt is told why it failed.
        retry_after: u64,
    },
}

/// A refusal, with whom it is about where that is sure: the token's hash or signature held, and something else did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// What the caller is told.
    pub error: AuthError,
    /// What only operators are told, where `error` does not say it all.
    pub reason: Option<RejectionReason>,
    /// Whose token it is.
    pub of: Option<Box<Suspect>>,
}

/// Whose token was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Suspect {
    /// What sort of caller it would have been.
    pub kind: IdentityKind,
    /// The configured name of the issuer; `None` for the gate's own credentials.
    pub issuer: Option<String>,
    /// The subject.
    pub subject: String,
    /// The token's id.
    pub token_id: Option<String>,
}

impl Suspect {
    /// Whoever these claims of an issuer's name, whatever else is wrong with them; `None`: nobody.
    pub fn of_claims(issuer: &str, claims: &JsonObject) -> Option<Self> {
        let text = |name: &str| claims.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let token_id = text("jti");
        let subject = text("sub").or_else(|| token_id.clone())?;
        Some(Self { kind: claims::stated_kind(claims), issuer: Some(issuer.to_owned()), subject, token_id })
    }

    /// What is counted by: the token's id, or the subject.
    pub fn name(&self) -> &str {
        self.token_id.as_deref().unwrap_or(&self.subject)
    }
}

impl From<&Identity> for Suspect {
    fn from(who: &Identity) -> Self {
        Self {
            kind: who.kind,
            issuer: who.issuer.clone(),
            subject: who.subject.clone(),
            token_id: who.token_id.clone(),
        }
    }
}

impl From<AuthError> for Rejection {
    fn from(error: AuthError) -> Self {
        Self { error, reason: None, of: None }
    }
}

/// An invalid token, for this reason.
impl From<RejectionReason> for Rejection {
    fn from(reason: RejectionReason) -> Self {
        Self { error: AuthError::InvalidToken, reason: Some(reason), of: None }
    }
}

impl From<InvalidClaims> for Rejection {
    fn from(invalid: InvalidClaims) -> Self {
        RejectionReason::from(invalid).into()
    }
}

impl Rejection {
    /// The same, about somebody, or nobody.
    #[must_use]
    pub fn about(self, of: Option<Suspect>) -> Self {
        Self { of: of.map(Box::new), ..self }
    }
}

impl AuthError {
    /// The same, about somebody.
    pub fn of(self, suspect: impl Into<Suspect>) -> Rejection {
        Rejection { error: self, reason: None, of: Some(Box::new(suspect.into())) }
    }

    /// Whether a credential was judged and is bad: a 401 outside. Nothing else is a failure that limits count.
    pub const fn is_failure(&self) -> bool {
        match self {
            Self::InvalidToken
            | Self::UnsupportedAlgorithm
            | Self::InvalidAudience
            | Self::InvalidIssuer
            | Self::TokenExpired
            | Self::TokenRevoked => true,
            Self::MissingToken
            | Self::NotProvisioned
            | Self::MissingScope(_)
            | Self::WorkspaceForbidden
            | Self::LifeExceeded
            | Self::KeyUnavailable
            | Self::Unavailable
            | Self::LimitedAddress { .. }
            | Self::LimitedIdentity { .. } => false,
        }
    }
}

fn join(scopes: &Scopes) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

/// What a validator found in a token that it vouches for. Only validators make one.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedToken {
    identity: Arc<Identity>,
    leaves: Leaves,
}

/// What may leave the gate on behalf of whom a token names.
#[derive(Debug, Clone, PartialEq)]
enum Leaves {
    Nothing,
    Itself,
    Another(BearerToken),
}

impl ValidatedToken {
    /// One of our own credentials (service, bootstrap and session tokens): it never leaves the gate.
    pub fn own(identity: impl Into<Arc<Identity>>) -> Self {
        Self { identity: identity.into(), leaves: Leaves::Nothing }
    }

    /// A token that an external issuer made: pass-through may send it on to engines.
    pub fn external(identity: impl Into<Arc<Identity>>) -> Self {
        Self { identity: identity.into(), leaves: Leaves::Itself }
    }

    /// A token for which engines are shown another: one that the validator got for the same caller. None of the gate's own
    /// credentials may be that other.
    pub fn in_place_of(identity: impl Into<Arc<Identity>>, another: BearerToken) -> Self {
        Self { identity: identity.into(), leaves: Leaves::Another(another) }
    }

    /// Whom the token names, as the validator read it.
    pub const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// What may be passed on for who showed this token; `None`: nothing.
    pub fn forwardable(&self, shown: &BearerToken) -> Option<BearerToken> {
        match &self.leaves {
            Leaves::Nothing => None,
            Leaves::Itself => Some(shown.clone()),
            Leaves::Another(token) => Some(token.clone()),
        }
    }
}

/// Judges bearer tokens of one kind.
///
/// # Contract
/// - [`recognizes`](Self::recognizes) looks at the shape alone: no key, no network, no failure.
/// - The first validator that recognizes a token decides; after a refusal nobody else is asked.
/// - [`AuthError::Unavailable`] and [`AuthError::KeyUnavailable`] say that the question could not be answered: a 503 outside,
///   never a 401.
/// - A [`Rejection`] names whose token it is only when its hash or signature held.
/// - Revoked is said before expired.
/// - A token that was judged good before is judged by what holds now: an answer may be remembered, a revocation is not
///   overlooked.
/// - The token shows up in no error, log line or `Debug` form.
#[async_trait]
pub trait TokenValidator: fmt::Debug + Send + Sync {
    /// Whether a token of this shape is this validator's to judge.
    fn recognizes(&self, token: &BearerToken) -> bool;

    /// Judges it.
    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection>;
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
