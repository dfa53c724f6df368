//! Service tokens, found by the hash of their secret (authentication.md section 4).

use std::sync::Arc;

use async_trait::async_trait;
use moka::sync::Cache;

use crate::{
    app::{
        people::{People, Person},
        signals::Signals,
        standing::Epoch,
    },
    domain::{
        bearer::BearerToken,
        identity::Identity,
        rejection::RejectionReason,
        service_token::{HashedToken, PREFIX, SecretVerdict, ServiceToken, is_well_formed},
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
};

/// How many tokens are believed at once.
const CACHED: u64 = 10_000;

/// Validates service tokens.
#[derive(Debug)]
pub struct ServiceTokenValidator {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    people: Arc<People>,
    found: Cache<HashedToken, Found>,
}

/// A token as it was found, until the revocation log tells of a change, or cannot be read.
#[derive(Debug, Clone)]
struct Found {
    token: Arc<ServiceToken>,
    /// Whom the token names, made once: what a look into the cache gives costs nothing but a count.
    identity: Arc<Identity>,
    at: Epoch,
    /// To whom it belongs, as they were when its rights were cut to theirs.
    owner: Option<Arc<Person>>,
}

impl ServiceTokenValidator {
    /// Looks tokens up here, and those to whom they belong among these people.
    pub fn new(
        repository: Arc<dyn Repository>,
        clock: Arc<dyn Clock>,
        signals: Arc<Signals>,
        people: Arc<People>,
    ) -> Self {
        Self { repository, clock, signals, people, found: Cache::new(CACHED) }
    }

    fn holds(&self, found: &Found) -> bool {
        let standing = &self.signals.standing;
        standing.token_holds(&found.token.id, found.at)
            && standing.is_fresh()
            && found.owner.as_ref().is_none_or(|owner| self.people.holds(owner))
    }

    /// The token of this secret, if it is in force, and whom it names.
    async fn judge(&self, hash: HashedToken) -> Result<Found, Rejection> {
        // Taken before the store is read: a change in between makes the entry stale at once.
        let at = self.signals.standing.epoch();
        if let Some(found) = self.found.get(&hash)
            && self.holds(&found)
        {
            self.in_force(&found.token, &hash)?;
            return Ok(found);
        }
        let found = async { self.repository.view().await?.tokens().find_by_hash(&hash).await };
        let token = found.await.map_err(|error| unavailable(&error))?;
        let token = Arc::new(token.ok_or(RejectionReason::UnknownServiceToken)?);
        // Before its owner is looked at: what is wrong with the token itself is said first.
        self.in_force(&token, &hash)?;
        let mut identity = named_by(&token, &hash);
        let mut owner = None;
        if let Some(id) = &token.owner {
            let cut = self.people.cut_to_owner(&identity.rights, id).await;
            let (rights, person) = cut.map_err(|error| error.of(&identity))?;
            identity.rights = rights;
            owner = Some(person);
            self.in_force(&token, &hash)?;
        }
        let found = Found { identity: Arc::new(identity), token, at, owner };
        self.found.insert(hash, found.clone());
        Ok(found)
    }

    /// Revoked is said before expired; a token ends with the person to whom it belongs.
    fn in_force(&self, token: &ServiceToken, hash: &HashedToken) -> Result<(), Rejection> {
        let standing = &self.signals.standing;
        let verdict = match &token.owner {
            Some(owner) if standing.revokes_user(owner, token.issued_at) => SecretVerdict::Revoked,
            _ => token.judge(hash, self.clock.now()),
        };
        match verdict {
            SecretVerdict::Expired => Err(AuthError::TokenExpired.of(&named_by(token, hash))),
            SecretVerdict::Revoked => Err(AuthError::TokenRevoked.of(&named_by(token, hash))),
            SecretVerdict::Good(_) => Ok(()),
        }
    }
}

/// Whom a token names to who shows this secret of it: an older secret ends before the token.
fn named_by(token: &ServiceToken, secret: &HashedToken) -> Identity {
    let older = token.previous.filter(|previous| previous.hash == *secret).map(|previous| previous.ends_at);
    let who = Identity::service(token.id.as_str(), token.scopes.clone(), token.workspaces.clone());
    let (issued_at, expires_at) = (Some(token.issued_at), older.or(token.expires_at));
    Identity { issued_at, expires_at, secret: Some(*secret), ..who }
}

fn unavailable(error: &RepositoryError) -> AuthError {
    tracing::warn!(error = %error, "a service token could not be looked up");
    AuthError::Unavailable
}

#[async_trait]
impl TokenValidator for ServiceTokenValidator {
    fn recognizes(&self, token: &BearerToken) -> bool {
        token.expose().starts_with(PREFIX)
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        if !is_well_formed(token.expose()) {
            return Err(RejectionReason::UnknownServiceToken.into());
        }
        let found = self.judge(HashedToken::of_bearer(token)).await?;
        Ok(ValidatedToken::own(found.identity))
    }
}
