//! People: whom the tokens of issuers name. They become users at first sight as their issuer's policy has it, and their
//! memberships say what they may do where the token names no workspace (authentication.md section 3).

mod directory;
mod first_sight;
mod profiles;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

pub use self::directory::Person;
use self::{directory::Directory, first_sight::Sight};
use super::{commands::Commands, named::Named, revocation_log::RevocationLog};
use crate::{
    domain::{
        identity::{CredentialKind, Identity, IdentityKind},
        issuer::{IssuerPolicy, Provision},
        rights::Rights,
        user::{Belonging, UserId},
    },
    ports::{
        profile_source::ProfileSource,
        token_validator::{AuthError, IdentityExtractor, ValidatedToken},
    },
};

/// An issuer, as far as its people are concerned.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// What its tokens can come to.
    pub policy: IssuerPolicy,
    /// Who tells what its people are called, where its tokens do not.
    pub profiles: Option<Arc<dyn ProfileSource>>,
}

impl From<IssuerPolicy> for Issuer {
    fn from(policy: IssuerPolicy) -> Self {
        Self { policy, profiles: None }
    }
}

/// Knows the people of the configured issuers.
#[derive(Debug)]
pub struct People {
    issuers: BTreeMap<String, Issuer>,
    directory: Arc<Directory>,
    named: Named<Caller>,
}

/// A caller as they were named: what a look into the cache gives costs nothing but a count.
#[derive(Debug, Clone)]
struct Caller {
    identity: Arc<Identity>,
    /// Whose present memberships it was made of.
    person: Option<Arc<Person>>,
}

impl People {
    /// The people of these issuers. Where it `only_looks`, nobody becomes a user by being looked at: they are judged as if
    /// they had.
    pub fn new(
        issuers: impl IntoIterator<Item = Issuer>,
        only_looks: bool,
        commands: Commands,
        log: Arc<RevocationLog>,
    ) -> Self {
        let named = |issuer: Issuer| (issuer.policy.name.as_str().to_owned(), issuer);
        let directory = Directory::new(commands, log, only_looks);
        Self {
            issuers: issuers.into_iter().map(named).collect(),
            directory: Arc::new(directory),
            named: Named::default(),
        }
    }

    /// What the tokens of an issuer can come to.
    pub fn policy(&self, issuer: &str) -> Option<&IssuerPolicy> {
        self.issuers.get(issuer).map(|issuer| &issuer.policy)
    }

    /// The names of the configured issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.keys().map(String::as_str)
    }

    /// What a credential of the gate's own may do that belongs to a person: no more than they may now, nor than their
    /// issuer's `max_scopes`. The person comes along, so that the answer can be remembered while they [hold](Self::holds).
    ///
    /// # Errors
    /// [`AuthError::InvalidIssuer`] where their issuer is not configured any more, [`AuthError::NotProvisioned`] where they
    /// would not be let in, [`AuthError::Unavailable`].
    pub async fn cut_to_owner(&self, own: &Rights, owner: &UserId) -> Result<(Rights, Arc<Person>), AuthError> {
        let policy = self.policy(owner.issuer().as_str()).ok_or(AuthError::InvalidIssuer)?;
        let person = self.directory.person(owner, None).await?;
        admitted(policy, &person)?;
        Ok((own.cut_to_owner(&person.belonging, &policy.default_workspaces, &policy.max_scopes), person))
    }

    /// Whether what was read of a person still counts.
    pub fn holds(&self, person: &Person) -> bool {
        self.directory.holds(person)
    }

    /// Names a caller of an issuer's.
    async fn name(&self, validated: &Arc<Identity>) -> Result<Caller, AuthError> {
        let issuer = validated.issuer.as_deref().and_then(|name| self.issuers.get(name));
        let issuer = issuer.ok_or(AuthError::InvalidIssuer)?;
        let policy = &issuer.policy;
        let (identity, person) = if validated.kind == IdentityKind::User {
            let person = self.meet(validated, issuer).await?;
            (named_person(validated, policy, &person), Some(person))
        } else {
            // Services belong to nobody and are members of nothing.
            let rights = validated.rights.with_memberships(&Belonging::Never, &policy.default_workspaces);
            (Identity { rights, ..Identity::clone(validated) }, None)
        };
        Ok(Caller { identity: Arc::new(identity), person })
    }

    async fn meet(&self, who: &Identity, issuer: &Issuer) -> Result<Arc<Person>, AuthError> {
        let id = who.user().ok_or(AuthError::InvalidToken)?;
        let sight = Sight { who, provision: issuer.policy.provision, profiles: issuer.profiles.as_ref() };
        let person = self.directory.person(&id, Some(sight)).await?;
        admitted(&issuer.policy, &person)?;
        Ok(self.directory.keep_profile(person, sight).await)
    }
}

/// Where nobody becomes a user by showing up, only who is known already or a member comes in.
fn admitted(policy: &IssuerPolicy, person: &Person) -> Result<(), AuthError> {
    if policy.provision == Provision::None && person.user.is_none() && !person.belonging.is_anywhere() {
        return Err(AuthError::NotProvisioned);
    }
    Ok(())
}

fn named_person(validated: &Identity, policy: &IssuerPolicy, person: &Person) -> Identity {
    let known = person.user.as_ref();
    Identity {
        rights: validated.rights.with_memberships(&person.belonging, &policy.default_workspaces),
        username: validated.username.clone().or_else(|| known.and_then(|user| user.username.clone())),
        email: validated.email.clone().or_else(|| known.and_then(|user| user.email.clone())),
        ..validated.clone()
    }
}

#[async_trait]
impl IdentityExtractor for People {
    async fn identify(&self, token: &ValidatedToken) -> Result<Arc<Identity>, AuthError> {
        let validated = token.identity();
        if validated.credential != CredentialKind::External {
            return Ok(Arc::clone(validated));
        }
        if let Some(named) = self.named.find(validated)
            && named.person.as_ref().is_none_or(|person| self.holds(person))
        {
            return Ok(named.identity);
        }
        let named = self.name(validated).await?;
        self.named.keep(validated, named.clone());
        Ok(named.identity)
    }
}
