//! Who is calling? The token's shape picks the validator, nothing is tried blindly, and after a refusal nobody else is
//! asked (authentication.md sections 1 and 2).

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{limits::Limits, revocation_log::RevocationLog, signals::Signals, token_uses::TokenUses};
use crate::{
    domain::{
        bearer::BearerToken,
        identity::Identity,
        rejection::RejectionReason,
        scope::{Scope, Scopes, all_scopes},
        workspace::WorkspaceAccess,
    },
    ports::{
        repository::Repository,
        token_validator::{AuthError, IdentityExtractor, Rejection, TokenValidator},
    },
};

/// Whether callers must show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As soon as any credential is configured or was ever stored.
    Unset,
    /// Always.
    Required,
    /// They may; a bad token is refused.
    Optional,
    /// Never: tokens are not looked at.
    Disabled,
}

/// The credential of a request, as the edge read it.
#[derive(Debug, Clone)]
pub enum Credential {
    /// None came.
    Missing,
    /// Something came that is no credential.
    Malformed,
    /// A bearer token.
    Bearer(BearerToken),
}

/// Who is calling, and the token to pass on for them.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub identity: Arc<Identity>,
    /// The token, where an external issuer made it, or what its validator put in its place.
    pub forwardable: Option<BearerToken>,
}

/// A kind of tokens: who judges them, and who says whom they name.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Judges.
    pub validator: Arc<dyn TokenValidator>,
    /// Names.
    pub extractor: Arc<dyn IdentityExtractor>,
}

/// What anonymous callers may do in mode `optional` where credentials are configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousAccess {
    /// Which rights.
    pub scopes: Scopes,
    /// Where.
    pub workspaces: WorkspaceAccess,
}

/// Who is let in without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    /// Whether callers must show who they are.
    pub mode: Mode,
    /// Whether the configuration holds a credential: an issuer, a bootstrap token.
    pub configured: bool,
    /// What anonymous callers may do in mode `optional`.
    pub anonymous: AnonymousAccess,
}

/// No token is shorter: the start refuses a shorter bootstrap token.
const SHORTEST_TOKEN: usize = 16;

/// Judges callers.
pub struct Authenticator {
    mode: Mode,
    schemes: Vec<Scheme>,
    anonymous: AnonymousAccess,
    limits: Limits,
    repository: Arc<dyn Repository>,
    uses: Arc<TokenUses>,
    log: Arc<RevocationLog>,
    signals: Arc<Signals>,
    /// Whether any credential is configured or was ever stored; once true it stays so.
    credentials: AtomicBool,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("mode", &self.mode)
            .field("schemes", &self.schemes)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Judges by these schemes, in their order.
    pub fn new(
        entrance: Entrance,
        schemes: Vec<Scheme>,
        limits: Limits,
        repository: Arc<dyn Repository>,
        uses: Arc<TokenUses>,
        log: Arc<RevocationLog>,
        signals: Arc<Signals>,
    ) -> Self {
        let Entrance { mode, configured, anonymous } = entrance;
        let credentials = AtomicBool::new(configured);
        Self { mode, schemes, anonymous, limits, repository, uses, log, signals, credentials }
    }

    /// The mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a text holds what looks like a token that some validator takes: perhaps behind a name and a sign.
    pub fn is_token(&self, text: &str) -> bool {
        let parts = text.split(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | '&' | '?' | ',' | ';'));
        let mut long = parts.filter(|part| part.len() >= SHORTEST_TOKEN);
        long.any(|part| {
            // Names of topics and messages have dots, too; the header of a JWT begins so.
            let is_plain_name = part.contains('.') && !part.starts_with("eyJ");
            let token = BearerToken::new(part);
            !is_plain_name && self.schemes.iter().any(|scheme| scheme.validator.recognizes(&token))
        })
    }

    /// Whether whoever comes may do as they like: told rightly once somebody came without a token.
    pub fn lets_anybody_in(&self) -> bool {
        match self.mode {
            Mode::Disabled => true,
            Mode::Unset | Mode::Optional => !self.credentials.load(Ordering::Relaxed),
            Mode::Required => false,
        }
    }

    /// Says who is calling from this address; counts the use of their token, or their failure.
    ///
    /// # Errors
    /// Why they are not let in; [`AuthError::Unavailable`] when that could not be told.
    pub async fn authenticate(&self, credential: &Credential, from: Option<IpAddr>) -> Result<Caller, AuthError> {
        self.admit(credential, from).await.map_err(|rejection| rejection.error)
    }

    /// The same; a refusal also names whose token it was, where that is sure.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate).
    pub async fn admit(&self, credential: &Credential, from: Option<IpAddr>) -> Result<Caller, Rejection> {
        if self.mode == Mode::Disabled {
            return Ok(anonymous(everywhere(all_scopes())));
        }
        self.limits.admit(credential, from).await?;
        match self.caller(credential).await {
            Ok(caller) => {
                if let Credential::Bearer(token) = credential {
                    self.limits.passed(token);
                }
                self.uses.note(&caller.identity);
                Ok(caller)
            }
            Err(rejection) => {
                let (of, reason) = (rejection.of.clone(), rejection.reason);
                Err(Rejection { error: self.limits.refused(credential, rejection, from).await, reason, of })
            }
        }
    }

    /// Says who a caller is now that was let in before: what an open stream asks from time to time. That is no new use of
    /// a token, and no failure.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate), but for limits; with the reason for operators.
    pub async fn judge_again(&self, credential: &Credential) -> Result<Caller, Rejection> {
        if self.mode == Mode::Disabled {
            return Ok(anonymous(everywhere(all_scopes())));
        }
        self.caller(credential).await
    }

    async fn caller(&self, credential: &Credential) -> Result<Caller, Rejection> {
        match credential {
            Credential::Missing => Ok(self.without_token().await?),
            Credential::Malformed => Err(RejectionReason::MalformedCredential.into()),
            Credential::Bearer(token) => self.judge(token).await,
        }
    }

    async fn judge(&self, token: &BearerToken) -> Result<Caller, Rejection> {
        let scheme = self.schemes.iter().find(|scheme| scheme.validator.recognizes(token));
        let scheme = scheme.ok_or(RejectionReason::UnknownForm)?;
        let validated = scheme.validator.validate(token).await?;
        let identity =
            scheme.extractor.identify(&validated).await.map_err(|error| error.of(&**validated.identity()))?;
        self.still_stands(&identity).await?;
        let forwardable = validated.forwardable(token);
        Ok(Caller { identity, forwardable })
    }

    /// What was revoked since the token was verified, by whichever validator.
    async fn still_stands(&self, who: &Identity) -> Result<(), Rejection> {
        if let Err(error) = self.log.read_first().await {
            tracing::warn!(error = %error, "the revocation log cannot be read");
        }
        self.signals.standing.judge(who).map_err(|error| error.of(who))
    }

    async fn without_token(&self) -> Result<Caller, AuthError> {
        let open = matches!(self.mode, Mode::Unset | Mode::Optional) && !self.any_credential().await?;
        match self.mode {
            _ if open => Ok(anonymous(everywhere(all_but_admin()))),
            Mode::Required | Mode::Unset => Err(AuthError::MissingToken),
            Mode::Optional | Mode::Disabled => Ok(anonymous(self.anonymous.clone())),
        }
    }

    /// A service token ever stored counts: revoking the last one does not reopen the gate.
    async fn any_credential(&self) -> Result<bool, AuthError> {
        if self.credentials.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let any = async { self.repository.view().await?.tokens().any().await };
        let any = any.await.map_err(|error| {
            tracing::warn!(error = %error, "cannot tell whether a credential is stored");
            AuthError::Unavailable
        })?;
        self.credentials.fetch_or(any, Ordering::Relaxed);
        Ok(any)
    }
}

fn all_but_admin() -> Scopes {
    Scope::ALL.iter().copied().filter(|scope| !scope.is_admin()).collect()
}

fn everywhere(scopes: Scopes) -> AnonymousAccess {
    AnonymousAccess { scopes, workspaces: WorkspaceAccess::All }
}

fn anonymous(access: AnonymousAccess) -> Caller {
    Caller { identity: Arc::new(Identity::anonymous(access.scopes, access.workspaces)), forwardable: None }
}
