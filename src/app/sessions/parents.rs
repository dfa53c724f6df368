//! What is left of a session's rights: no more than those of the credential that it was made with, as they are now.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    app::{
        named::Named,
        people::{People, Person},
        signals::Signals,
        standing::Epoch,
    },
    domain::{
        identity::{CredentialKind, Identity, IdentityKind},
        rights::Rights,
        scope::Scopes,
        service_token::{HashedToken, ServiceToken, ServiceTokenId, TokenStatus},
        session::Session,
        user::{IssuerName, UserId},
        workspace::WorkspaceAccess,
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
        session_signer::SessionSigner,
        token_validator::{AuthError, IdentityExtractor, ValidatedToken},
    },
};

/// The bootstrap token: which it is, what it may do, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapRights {
    /// Which.
    pub hash: HashedToken,
    /// What.
    pub scopes: Scopes,
    /// From this moment on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// Knows the credentials that sessions are made with. Names whom sessions stand for, and leaves the other tokens of issuers
/// to the people.
#[derive(Debug)]
pub struct Parents {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    people: Arc<People>,
    bootstrap: Option<BootstrapRights>,
    signer: Option<Arc<dyn SessionSigner>>,
    named: Named<Present>,
}

/// Whom a session stands for now, and what that was read of.
#[derive(Debug, Clone)]
struct Present {
    session: Arc<Session>,
    identity: Arc<Identity>,
    token: Option<Arc<ServiceToken>>,
    person: Option<Arc<Person>>,
    at: Epoch,
}

/// What is left of a session's rights, and what that was read of.
type Left = (Rights, Option<Arc<ServiceToken>>, Option<Arc<Person>>);

#[async_trait]
impl IdentityExtractor for Parents {
    async fn identify(&self, token: &ValidatedToken) -> Result<Arc<Identity>, AuthError> {
        let validated = token.identity();
        if validated.credential != CredentialKind::Session {
            return self.people.identify(token).await;
        }
        // Whoever has verified it may have allowed for clocks that are apart; a session's parent has its end, too.
        if validated.expires_at.is_none_or(|end| end <= self.clock.now()) {
            return Err(AuthError::TokenExpired);
        }
        let known = self.named.find(validated);
        if let Some(present) = &known
            && self.holds(present)?
        {
            return Ok(Arc::clone(&present.identity));
        }
        let session = match known {
            Some(present) => present.session,
            None => Arc::new(Session::of_claims(&validated.claims).ok_or(AuthError::InvalidToken)?),
        };
        // Taken before the store is read: a change in between makes what was read stale at once.
        let at = self.signals.standing.epoch();
        let (rights, token, person) = self.left(&session).await?;
        let identity = Arc::new(Identity { rights, ..Identity::clone(validated) });
        let present = Present { session, identity: Arc::clone(&identity), token, person, at };
        self.named.keep(validated, present);
        Ok(identity)
    }
}

impl Parents {
    /// Looks them up here. Without a signer nobody has made a session.
    pub fn new(
        repository: Arc<dyn Repository>,
        clock: Arc<dyn Clock>,
        signals: Arc<Signals>,
        people: Arc<People>,
        bootstrap: Option<BootstrapRights>,
        signer: Option<Arc<dyn SessionSigner>>,
    ) -> Self {
        Self { repository, clock, signals, people, bootstrap, signer, named: Named::default() }
    }

    /// Whether what was read still counts.
    fn holds(&self, present: &Present) -> Result<bool, AuthError> {
        if let Some(token) = &present.token {
            self.in_force(&present.session, token)?;
        }
        if present.session.parent.credential == CredentialKind::Bootstrap {
            self.bootstrap_in_force(&present.session)?;
        }
        let standing = &self.signals.standing;
        Ok(standing.is_fresh()
            && present.token.as_ref().is_none_or(|token| standing.token_holds(&token.id, present.at))
            && present.person.as_ref().is_none_or(|person| self.people.holds(person)))
    }

    async fn left(&self, session: &Session) -> Result<Left, AuthError> {
        let own = session.own_rights();
        match session.parent.credential {
            CredentialKind::ServiceToken => self.of_token(session, own).await,
            CredentialKind::External => self.of_external(session, own).await,
            CredentialKind::Bootstrap => {
                let scopes = &self.bootstrap_in_force(session)?.scopes;
                Ok((own.narrowed(|scope| scopes.contains(&scope), &WorkspaceAccess::All), None, None))
            }
            // None of these makes sessions.
            CredentialKind::None | CredentialKind::Session => Err(AuthError::InvalidToken),
        }
    }

    /// A session ends with the bootstrap token that it was made with, which another one does not replace.
    fn bootstrap_in_force(&self, session: &Session) -> Result<&BootstrapRights, AuthError> {
        let bootstrap = self.bootstrap.as_ref().filter(|bootstrap| self.made_with(session, &bootstrap.hash));
        let bootstrap = bootstrap.ok_or(AuthError::TokenRevoked)?;
        if bootstrap.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(AuthError::TokenExpired);
        }
        Ok(bootstrap)
    }

    async fn of_token(&self, session: &Session, own: Rights) -> Result<Left, AuthError> {
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
        Ok((rights, Some(token), person))
    }

    /// A session ends with its token, with the person to whom that belongs, and with the secret that it was made with.
    fn in_force(&self, session: &Session, token: &ServiceToken) -> Result<(), AuthError> {
        let (standing, now) = (&self.signals.standing, self.clock.now());
        if token.owner.as_ref().is_some_and(|owner| standing.revokes_user(owner, token.issued_at)) {
            return Err(AuthError::TokenRevoked);
        }
        match token.status(now) {
            TokenStatus::Revoked => return Err(AuthError::TokenRevoked),
            TokenStatus::Expired => return Err(AuthError::TokenExpired),
            TokenStatus::Active | TokenStatus::Rotating => {}
        }
        let older = token.previous.filter(|previous| previous.ends_at > now).map(|previous| previous.hash);
        let works = [Some(token.hash), older].into_iter().flatten().any(|secret| self.made_with(session, &secret));
        if works { Ok(()) } else { Err(AuthError::TokenExpired) }
    }

    /// Whether this is the secret that a session's maker showed.
    fn made_with(&self, session: &Session, secret: &HashedToken) -> bool {
        let (Some(signer), Some(mark)) = (&self.signer, &session.parent.mark) else { return false };
        signer.mark(secret) == *mark
    }

    /// Revocations of the parent itself are found by what the session is known by, like those of any token.
    async fn of_external(&self, session: &Session, own: Rights) -> Result<Left, AuthError> {
        let issuer = session.issuer.as_deref().ok_or(AuthError::InvalidIssuer)?;
        let policy = self.people.policy(issuer).ok_or(AuthError::InvalidIssuer)?;
        if session.kind == IdentityKind::User && session.parent.by_membership {
            let name = IssuerName::parse(issuer).map_err(|_| AuthError::InvalidIssuer)?;
            let user = UserId::new(name, session.subject.clone()).map_err(|_| AuthError::InvalidToken)?;
            let (rights, person) = self.people.cut_to_owner(&own, &user).await?;
            return Ok((rights, None, Some(person)));
        }
        let rights = own.narrowed(|scope| policy.max_scopes.contains(&scope), &WorkspaceAccess::All);
        Ok((rights, None, None))
    }
}

fn unavailable(error: &RepositoryError) -> AuthError {
    tracing::warn!(error = %error, "a session's service token could not be looked up");
    AuthError::Unavailable
}
