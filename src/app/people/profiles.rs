//! What people are called: as their tokens say, else as their issuer tells who asks it. Kept with the user, and no more than
//! told: nothing is decided by it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use moka::{future, sync::Cache};

use super::{Person, directory::Directory, first_sight::Sight};
use crate::{
    app::{commands::Commands, context, error::AppError},
    domain::{
        identity::Identity,
        user::{User, UserId},
    },
    ports::profile_source::{Profile, ProfileError, ProfileSource},
};

/// How many people are remembered as asked after.
const REMEMBERED: u64 = 50_000;
/// How long what an issuer told of somebody is good enough.
const ASKED_EVERY: Duration = Duration::from_hours(24);
/// How long an issuer that did not tell is left alone about somebody.
const RETRIED_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// When people's issuers may be asked after them again.
#[derive(Debug)]
pub(super) struct Profiles {
    due: Cache<UserId, Timestamp>,
}

impl Default for Profiles {
    fn default() -> Self {
        Self { due: Cache::builder().max_capacity(REMEMBERED).time_to_live(ASKED_EVERY).build() }
    }
}

impl Profiles {
    /// What the issuer tells of somebody at first sight; nothing where the token says it all, or the issuer does not tell.
    pub(super) async fn introduction(&self, id: &UserId, sight: Sight<'_>, now: Timestamp) -> Profile {
        match sight.profiles.filter(|_| is_nameless(sight)) {
            Some(source) => self.ask(id, &**source, now).await.unwrap_or_default(),
            None => Profile::default(),
        }
    }

    fn is_due(&self, id: &UserId, now: Timestamp) -> bool {
        self.due.get(id).is_none_or(|due| due <= now)
    }

    async fn ask(&self, id: &UserId, source: &dyn ProfileSource, now: Timestamp) -> Option<Profile> {
        // Marked before the answer comes, so that one asks for all.
        self.due.insert(id.clone(), now.saturating_add(RETRIED_AFTER).unwrap_or(Timestamp::MAX));
        match source.profile(id.subject()).await {
            Ok(profile) => {
                self.due.insert(id.clone(), Timestamp::MAX);
                profile
            }
            Err(ProfileError(reason)) => {
                tracing::warn!(issuer = %id.issuer(), reason, "an issuer did not tell what a person is called");
                None
            }
        }
    }
}

fn is_nameless(sight: Sight<'_>) -> bool {
    sight.who.username.is_none() || sight.who.email.is_none()
}

impl Directory {
    /// Writes down what a token newly says of its person's name and address: once, not at each request. Of two tokens that
    /// differ the younger one counts. What no token says is asked of the issuer, once a day, while the request goes on.
    pub(super) async fn keep_profile(self: &Arc<Self>, person: Arc<Person>, sight: Sight<'_>) -> Arc<Person> {
        let Some(user) = person.user.as_ref().filter(|_| !self.only_looks) else { return person };
        let now = self.commands.now();
        if let Some(source) = sight.profiles.filter(|_| is_nameless(sight) && self.profiles.is_due(&person.id, now)) {
            self.ask_meanwhile(&person.id, sight.who, source, now);
        }
        let younger = person.named_as_of.is_none_or(|last| sight.who.issued_at.is_some_and(|at| at > last));
        let said = Profile { username: sight.who.username.clone(), email: sight.who.email.clone() };
        match renamed(user, &said).filter(|_| younger) {
            Some(renamed) => self.rename(person, renamed, sight.who.issued_at).await,
            None => person,
        }
    }

    /// What the issuer tells fills in what the token leaves out, and replaces what it told before.
    fn ask_meanwhile(self: &Arc<Self>, id: &UserId, who: &Identity, source: &Arc<dyn ProfileSource>, now: Timestamp) {
        let (directory, id, source) = (Arc::clone(self), id.clone(), Arc::clone(source));
        let (unnamed, unaddressed) = (who.username.is_none(), who.email.is_none());
        drop(context::spawn(self.commands.tasks(), async move {
            let Some(told) = directory.profiles.ask(&id, &*source, now).await else { return };
            let told =
                Profile { username: told.username.filter(|_| unnamed), email: told.email.filter(|_| unaddressed) };
            let Some(person) = directory.people.get(&id).await else { return };
            if let Some(renamed) = person.user.as_ref().and_then(|user| renamed(user, &told)) {
                let named_as_of = person.named_as_of;
                directory.rename(person, renamed, named_as_of).await;
            }
        }));
    }

    async fn rename(&self, person: Arc<Person>, renamed: User, named_as_of: Option<Timestamp>) -> Arc<Person> {
        if let Err(error) = write(&self.commands, renamed.clone()).await {
            tracing::warn!(issuer = %person.id.issuer(), error = %error, "what a person is called could not be written");
            return person;
        }
        let person = Arc::new(Person {
            id: person.id.clone(),
            user: Some(renamed),
            belonging: person.belonging.clone(),
            read_at: person.read_at,
            named_as_of,
        });
        remember(&self.people, &person).await;
        person
    }
}

async fn remember(people: &future::Cache<UserId, Arc<Person>>, person: &Arc<Person>) {
    people.insert(person.id.clone(), Arc::clone(person)).await;
}

/// What a user is called where that says something new.
fn renamed(user: &User, said: &Profile) -> Option<User> {
    let renamed = User {
        username: said.username.clone().or_else(|| user.username.clone()),
        email: said.email.clone().or_else(|| user.email.clone()),
        ..user.clone()
    };
    (renamed != *user).then_some(renamed)
}

async fn write(commands: &Commands, user: User) -> Result<(), AppError> {
    commands
        .run(move |unit| {
            let user = user.clone();
            Box::pin(async move { Ok(unit.uow().users().update(&user).await?) })
        })
        .await
}
