//! What is left of a session's rights: no more than those of the credential that it was made with, as they are now.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    app::{
        people::{People, Person},
        signals::Signals,
        standing::Epoch,
    },
    domain::{
        identity::{CredentialKind, IdentityKind},
        rights::Rights,
        scope::Scopes,
        service_token::{ServiceToken, ServiceTokenId, TokenStatus},
        session::Session,
        user::{IssuerName, UserId},
        workspace::WorkspaceAccess,
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
        token_validator::AuthError,
    },
};

/// What the bootstrap token may do, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapRights {
    /// What.
    pub scopes: Scopes,
    /// From this moment on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// Knows the credentials that sessions are made with.
#[derive(Debug)]
pub struct Parents {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    people: Arc<People>,
    bootstrap: Option<BootstrapRights>,
}

/// What a session's parent has now, and what that was read of.
#[derive(Debug, Clone)]
pub struct Present {
    /// What is left of the session's rights.
    pub rights: Rights,
    token: Option<Arc<ServiceToken>>,
    person: Option<Arc<Person>>,
    at: Epoch,
}

impl Parents {
    /// Looks them up here.
    pub const fn new(
        repository: Arc<dyn Repository>,
        clock: Arc<dyn Clock>,
        signals: Arc<Signals>,
        people: Arc<People>,
        bootstrap: Option<BootstrapRights>,
    ) -> Self {
        Self { repository, clock, signals, people, bootstrap }
    }

    /// Whether what was read still counts.
    ///
    /// # Errors
    /// As [`present`](Self::present), for what ended by time or by revocation.
    pub fn holds(&self, session: &Session, present: &Present) -> Result<bool, AuthError> {
        if let Some(token) = &present.token {
            self.in_force(session, token)?;
        }
        let standing = &self.signals.standing;
        Ok(standing.is_fresh()
            && present.token.as_ref().is_none_or(|token| standing.token_holds(&token.id, present.at))
            && present.person.as_ref().is_none_or(|person| self.people.holds(person)))
    }

    /// What is left of a session's rights now.
    ///
    /// # Errors
    /// [`AuthError::TokenRevoked`], [`AuthError::TokenExpired`] where its parent is; what the gate says of people it does
    /// not let in; [`AuthError::Unavailable`].
    pub async fn present(&self, session: &Session) -> Result<Present, AuthError> {
        // Taken before the store is read: a change in between makes what was read stale at once.
        let at = self.signals.standing.epoch();
        let own = session.own_rights();
        let unread = |rights| Present { rights, token: None, person: None, at };
        match session.parent.credential {
            CredentialKind::ServiceToken => self.of_token(session, own, at).await,
            CredentialKind::External => self.of_external(session, own, at).await,
            CredentialKind::Bootstrap => self.of_bootstrap(&own).map(unread),
            // None of these makes sessions.
            CredentialKind::None | CredentialKind::Session => Err(AuthError::InvalidToken),
        }
    }

    fn of_bootstrap(&self, own: &Rights) -> Result<Rights, AuthError> {
        let bootstrap = self.bootstrap.as_ref().ok_or(AuthError::TokenRevoked)?;
        if bootstrap.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(AuthError::TokenExpired);
        }
        Ok(own.narrowed(|scope| bootstrap.scopes.contains(&scope), &WorkspaceAccess::All))
    }

    async fn of_token(&self, session: &Session, own: Rights, at: Epoch) -> Result<Present, AuthError> {
        let id = session.parent.token_id.as_deref().and_then(|id| ServiceTokenId::parse(id).ok());
        let id = id.ok_or(AuthError::InvalidToken)?;
        let found = async { self.repository.view().await?.tokens().find(&id).await };
        let found = found.await.map_err(|error| unavailable(&error))?;
        let token = Arc::new(found.ok_or(AuthError::TokenRevoked)?);
        self.in_force(session, &token)?;
        let mut rights = own.narrowed(|scope| token.scopes.contains(&scope), &token.workspaces);
        let mut person = None;
        if let Some(owner) = &token.owner {
            let (cut, known) = self.people.cut_to_owner(&rights, owner).await?;
            (rights, person) = (cut, Some(known));
            self.in_force(session, &token)?;
        }
        Ok(Present { rights, token: Some(token), person, at })
    }

    /// A session ends with its token, with the person to whom that belongs, and with the secret that it was made with.
    fn in_force(&self, session: &Session, token: &ServiceToken) -> Result<(), AuthError> {
        let (standing, now) = (&self.signals.standing, self.clock.now());
        if token.owner.as_ref().is_some_and(|owner| standing.revokes_user(owner, token.issued_at)) {
            return Err(AuthError::TokenRevoked);
        }
        match token.status(now) {
            TokenStatus::Revoked => Err(AuthError::TokenRevoked),
            TokenStatus::Expired => Err(AuthError::TokenExpired),
            // The secret that it was made with works no more.
            TokenStatus::Active if token.rotated_at.is_some_and(|at| session.issued_at < at) => {
                Err(AuthError::TokenExpired)
            }
            TokenStatus::Active | TokenStatus::Rotating => Ok(()),
        }
    }

    /// Revocations of the parent itself are found by what the session is known by, like those of any token.
    async fn of_external(&self, session: &Session, own: Rights, at: Epoch) -> Result<Present, AuthError> {
        let issuer = session.issuer.as_deref().ok_or(AuthError::InvalidIssuer)?;
        let policy = self.people.policy(issuer).ok_or(AuthError::InvalidIssuer)?;
        if session.kind == IdentityKind::User && session.parent.by_membership {
            let name = IssuerName::parse(issuer).map_err(|_| AuthError::InvalidIssuer)?;
            let user = UserId::new(name, session.subject.clone()).map_err(|_| AuthError::InvalidToken)?;
            let (rights, person) = self.people.cut_to_owner(&own, &user).await?;
            return Ok(Present { rights, token: None, person: Some(person), at });
        }
        let rights = own.narrowed(|scope| policy.max_scopes.contains(&scope), &WorkspaceAccess::All);
        Ok(Present { rights, token: None, person: None, at })
    }
}

fn unavailable(error: &RepositoryError) -> AuthError {
    tracing::warn!(error = %error, "a session's service token could not be looked up");
    AuthError::Unavailable
}
