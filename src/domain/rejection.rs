//! Why a bearer token was rejected: for operators. Callers are told the code of [`AuthError`](crate::ports::token_validator::AuthError) and
//! nothing else, so that nobody learns from the answer how near a forged token came.

use super::claims::InvalidClaims;

/// Why a bearer token was rejected. It never holds a token or a claim. The audit has its name, the log and `authz why` its
/// `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectionReason {
    /// The `Authorization` header is malformed, or several credentials came.
    #[error("the credential is not one bearer token, or is over 16 KiB")]
    MalformedCredential,
    /// No configured validator takes tokens of this form.
    #[error("no configured issuer takes tokens of this form")]
    UnknownForm,
    /// It is no JWT in compact form with canonical base64url and two JSON objects.
    #[error("the text is not a JWT in compact form")]
    MalformedToken,
    /// `typ`, `cty`, `crit`, `kid` or what marks JWE, nested and unencoded tokens.
    #[error("the header's typ, cty, crit, kid, zip, b64 or enc is not one of a signed access token")]
    Header,
    /// No key has the `kid`.
    #[error("no key of the issuer fits the token's kid and algorithm")]
    UnknownKey,
    /// No `kid`, and not exactly one key that fits.
    #[error("the token has no kid, and not exactly one key of the issuer fits")]
    AmbiguousKey,
    /// The signature does not match.
    #[error("the signature does not match")]
    Signature,
    /// `exp` is absent.
    #[error("the claim exp is missing")]
    MissingExpiry,
    /// A time claim is malformed.
    #[error("a claim of exp, nbf and iat is not a time between 1970 and 9999")]
    MalformedTime,
    /// `nbf` is ahead.
    #[error("the claim nbf is ahead of this gateway's clock by more than the leeway")]
    NotYetValid,
    /// `iat` is ahead.
    #[error("the claim iat is ahead of this gateway's clock by more than the leeway")]
    IssuedAhead,
    /// It lives too long.
    #[error("the token lives longer than the issuer's max_token_life")]
    LifeTooLong,
    /// `sub`.
    #[error("the claim sub is missing, empty, no text, or too long")]
    Subject,
    /// An ID, refresh, offline or logout token.
    #[error("token_use, type or typ says that it is an ID, refresh, offline or logout token")]
    TokenKind,
    /// A workspace claim holds something that is no slug.
    #[error("a workspace claim holds something that is not a workspace's id")]
    Workspace,
    /// `jti` or `sid`.
    #[error("the claim jti or sid is not a text")]
    TokenName,
    /// The claims are not those of a widget's session.
    #[error("the claims are not those of a session")]
    Session,
    /// The introspection endpoint says that it is not active.
    #[error("the introspection endpoint says that it is not active")]
    Inactive,
    /// Nobody has this service token.
    #[error("no service token has this secret")]
    UnknownServiceToken,
}

impl RejectionReason {
    /// Its name, in `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedCredential => "malformed_credential",
            Self::UnknownForm => "unknown_form",
            Self::MalformedToken => "malformed_token",
            Self::Header => "header",
            Self::UnknownKey => "unknown_key",
            Self::AmbiguousKey => "ambiguous_key",
            Self::Signature => "signature",
            Self::MissingExpiry => "missing_expiry",
            Self::MalformedTime => "malformed_time",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedAhead => "issued_ahead",
            Self::LifeTooLong => "life_too_long",
            Self::Subject => "subject",
            Self::TokenKind => "token_kind",
            Self::Workspace => "workspace",
            Self::TokenName => "token_name",
            Self::Session => "session",
            Self::Inactive => "inactive",
            Self::UnknownServiceToken => "unknown_service_token",
        }
    }
}

impl From<InvalidClaims> for RejectionReason {
    fn from(invalid: InvalidClaims) -> Self {
        match invalid {
            InvalidClaims::Subject => Self::Subject,
            InvalidClaims::Kind => Self::TokenKind,
            InvalidClaims::Workspace => Self::Workspace,
            InvalidClaims::Name => Self::TokenName,
            InvalidClaims::Session => Self::Session,
            InvalidClaims::Time(_) => Self::MalformedTime,
        }
    }
}
