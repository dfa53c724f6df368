//! What the gate knows of people, remembered until the revocation log tells of a change, or cannot be read.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use moka::{Entry, future::Cache, ops::compute::Op};

use super::{
    first_sight::{self, Sight},
    profiles::Profiles,
};
use crate::{
    app::{
        commands::Commands,
        error::AppError,
        revocation_log::RevocationLog,
        standing::{Epoch, Standing},
    },
    domain::user::{Belonging, User, UserId},
    ports::{
        repository::{RepositoryError, UnitOfWork},
        token_validator::AuthError,
    },
};

/// How many people are remembered, and how long after they were last asked for.
const REMEMBERED: u64 = 50_000;
const REMEMBERED_FOR: Duration = Duration::from_mins(10);
/// How often somebody is read again whose memberships change meanwhile.
const LOOKS: u32 = 4;

/// A person, as the gate knew them at a moment.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// What they are called, if the gate has seen them.
    pub user: Option<User>,
    /// What they are, and where.
    pub belonging: Belonging,
    /// When that was read.
    pub(super) read_at: Epoch,
    /// Of when the token is that they were last named after; `None`: before this replica remembered them.
    pub(super) named_as_of: Option<Timestamp>,
}

/// Knows people.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) commands: Commands,
    log: Arc<RevocationLog>,
    pub(super) people: Cache<UserId, Arc<Person>>,
    pub(super) profiles: Profiles,
    pub(super) only_looks: bool,
}

impl Directory {
    pub(super) fn new(commands: Commands, log: Arc<RevocationLog>, only_looks: bool) -> Self {
        let people = Cache::builder().max_capacity(REMEMBERED).time_to_idle(REMEMBERED_FOR).build();
        Self { commands, log, people, profiles: Profiles::default(), only_looks }
    }

    /// Whether what was read of a person still counts.
    pub(super) fn holds(&self, person: &Person) -> bool {
        self.standing().user_holds(&person.id, person.read_at) && self.standing().is_fresh()
    }

    fn standing(&self) -> &Standing {
        &self.commands.signals().standing
    }

    /// Somebody as they are known now. Who is seen for the first time becomes a user if the sight says so. Any number that
    /// ask at once for one person wait for one answer.
    pub(super) async fn person(&self, id: &UserId, sight: Option<Sight<'_>>) -> Result<Arc<Person>, AuthError> {
        let makes_user = sight.is_some_and(|sight| sight.makes_user());
        let usable = |person: &Person| self.holds(person) && (person.user.is_some() || !makes_user);
        if let Some(known) = self.people.get(id).await
            && usable(&known)
        {
            return Ok(known);
        }
        if let Err(error) = self.log.read_first().await {
            return Err(unavailable(id, &error.into()));
        }
        if !self.standing().is_fresh() {
            return Err(AuthError::Unavailable);
        }
        for _ in 0..LOOKS {
            let person = self.people.try_get_with_by_ref(id, self.look(id, sight)).await;
            let person = person.map_err(|error| AuthError::clone(&error))?;
            if usable(&person) {
                return Ok(person);
            }
            self.forget(id, &person).await;
        }
        // Others change them faster than they are read: what was read last is as good as any.
        self.look(id, sight).await
    }

    /// Forgets what is remembered, unless it is something newer already.
    async fn forget(&self, id: &UserId, person: &Arc<Person>) {
        let if_same = |entry: Option<Entry<UserId, Arc<Person>>>| {
            let same = entry.is_some_and(|entry| Arc::ptr_eq(entry.value(), person));
            std::future::ready(if same { Op::Remove } else { Op::Nop })
        };
        self.people.entry_by_ref(id).and_compute_with(if_same).await;
    }

    async fn look(&self, id: &UserId, sight: Option<Sight<'_>>) -> Result<Arc<Person>, AuthError> {
        let mut person = self.read(id).await?;
        if person.user.is_none()
            && let Some(sight) = sight.filter(Sight::makes_user)
        {
            if self.only_looks {
                first_sight::suppose(&mut person, sight, self.commands.now());
            } else {
                // Who is banned does not become a user on the way out.
                self.standing().judge(sight.who)?;
                let profile = self.profiles.introduction(id, sight, self.commands.now()).await;
                let made = first_sight::make(&self.commands, id, sight, profile).await;
                made.map_err(|error| unavailable(id, &error))?;
                person = self.read(id).await?;
            }
        }
        Ok(Arc::new(person))
    }

    async fn read(&self, id: &UserId) -> Result<Person, AuthError> {
        // Taken before the store is read: a change in between makes what was read stale at once.
        let read_at = self.standing().epoch();
        let read = async {
            let mut view = self.commands.view().await?;
            Ok((view.users().find(id).await?, belonging(&mut *view, id).await?))
        };
        let (user, belonging) = read.await.map_err(|error: RepositoryError| unavailable(id, &error.into()))?;
        Ok(Person { id: id.clone(), user, belonging, read_at, named_as_of: None })
    }
}

async fn belonging(view: &mut dyn UnitOfWork, id: &UserId) -> Result<Belonging, RepositoryError> {
    let memberships = view.memberships().of_user(id).await?;
    if memberships.is_empty() && !view.memberships().ever(id).await? {
        return Ok(Belonging::Never);
    }
    Ok(Belonging::As(memberships.into_iter().map(|membership| (membership.workspace, membership.role)).collect()))
}

fn unavailable(id: &UserId, error: &AppError) -> AuthError {
    tracing::warn!(issuer = %id.issuer(), error = %error, "a person could not be looked up");
    AuthError::Unavailable
}
