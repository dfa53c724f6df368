//! Revocations: what ends the tokens of issuers before their time, entered by people and by the issuers themselves
//! (authentication.md section 5).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{
    access, audit,
    commands::{Commands, Unit},
    error::{AppError, Noun},
    people::People,
    service_tokens::{end_made_by_service, end_with_owner},
};
use crate::{
    domain::{
        identity::{Identity, Maker},
        ids::RevocationId,
        issuer::IssuerPolicy,
        page::{Page, PageRequest},
        revocation::{Notice, Revocation, Revoked},
        scope::Scope,
        text::Remark,
        user::{IssuerName, UserId},
        workspace::length_prefixed,
    },
    ports::rng::RngExt,
};

/// How much longer than a token's life its revocation is kept: clocks may be apart by the leeway, at most 60 s, when it is
/// issued and again when it ends.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);

/// The subject of what the gate does because an issuer told of something.
const ISSUER: &str = "issuer";

/// Which tokens of an issuer are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A person's: the claim `sub`.
    User,
    /// Those of a session: the claim `sid`.
    Session,
    /// One: the claim `jti`.
    Token,
}

/// What is to be revoked.
#[derive(Debug, Clone)]
pub struct NewRevocation {
    /// Which tokens.
    pub target: Target,
    /// Whose: the issuer's configured name.
    pub issuer: String,
    /// The claim.
    pub value: String,
    /// Why.
    pub reason: Option<Remark>,
    /// For a person: also tokens to come, until the revocation is lifted.
    pub ban: bool,
}

/// What an issuer says has happened at its side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerEvent {
    /// The issuer.
    pub issuer: IssuerName,
    /// Its id for the event, which may be said more than once, and late.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A session ended, by the claim `sid`.
    SessionEnded(String),
    /// A person is no more.
    UserDeleted(String),
    /// What a person may do has changed: tokens issued before say what holds no longer.
    RightsChanged(String),
}

/// Enters, lists and lifts revocations.
#[derive(Debug, Clone)]
pub struct Revocations {
    commands: Commands,
    people: Arc<People>,
}

impl Revocations {
    /// Of the issuers of these people.
    pub const fn new(commands: Commands, people: Arc<People>) -> Self {
        Self { commands, people }
    }

    /// Those that hold, newest first.
    ///
    /// # Errors
    /// A right on all workspaces is missing.
    pub async fn list(&self, who: &Identity, page: &PageRequest) -> Result<Page<Revocation>, AppError> {
        access::in_all_workspaces(who, Scope::AdminTokensRead)?;
        Ok(self.commands.view().await?.revocations().list(page).await?)
    }

    /// Enters one. It counts on this replica before the answer, and within a second on all.
    ///
    /// # Errors
    /// A right on all workspaces is missing; [`AppError::Invalid`], also for an issuer that is not configured.
    pub async fn add(&self, who: &Identity, new: NewRevocation) -> Result<Revocation, AppError> {
        access::in_all_workspaces(who, Scope::AdminTokensWrite)?;
        let policy = self.policy(&new.issuer)?;
        let life = policy.max_token_life;
        if new.ban && new.target != Target::User {
            return Err(AppError::invalid("/ban", "only a person can be banned"));
        }
        let revoked = revoked(new.target, policy.name.clone(), new.value)?;
        let now = self.commands.now();
        let id = RevocationId::new(self.commands.rng().uuid_v7(now));
        let (ban, reason, who) = (new.ban, new.reason, who.clone());
        self.commands
            .run(move |unit| {
                let entry = Revocation {
                    id,
                    revoked: revoked.clone(),
                    reason: reason.clone(),
                    ban,
                    at: unit.now,
                    ends_at: if ban { None } else { Some(end(unit.now, life)) },
                    created_by: Maker::from(&who),
                };
                let who = who.clone();
                Box::pin(async move {
                    enter(unit, &who, &entry).await?;
                    Ok(entry)
                })
            })
            .await
    }

    /// Lifts one: tokens that nothing else stands against count again.
    ///
    /// # Errors
    /// A right on all workspaces is missing; [`AppError::NotFound`].
    pub async fn lift(&self, who: &Identity, id: RevocationId) -> Result<(), AppError> {
        access::in_all_workspaces(who, Scope::AdminTokensWrite)?;
        let who = who.clone();
        self.commands
            .run(move |unit| {
                let who = who.clone();
                Box::pin(async move {
                    if !unit.uow().revocations().lift(id).await? {
                        return Err(AppError::NotFound(Noun::Revocation));
                    }
                    unit.wake.notices.push(Notice::Lifted(id));
                    audit::record(unit, &who, audit::action::REVOCATION_LIFT, &id.to_string(), None).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Draws the consequences of what an issuer says. Once for each of its events, however often it says it, and whatever
    /// people have done about them meanwhile.
    ///
    /// # Errors
    /// [`AppError::Invalid`] where the event names nobody; the store's.
    pub async fn heard(&self, event: IssuerEvent) -> Result<(), AppError> {
        let policy = self.policy(event.issuer.as_str())?;
        let (target, value, gone, reason) = match event.what {
            Happened::SessionEnded(sid) => (Target::Session, sid, false, "the issuer ended the session"),
            Happened::UserDeleted(subject) => (Target::User, subject, true, "the issuer deleted the user"),
            Happened::RightsChanged(subject) => (Target::User, subject, false, "the issuer changed the user's rights"),
        };
        let revoked = revoked(target, policy.name.clone(), value)?;
        let id = id_of(&event.issuer, &event.id);
        let ends_at = if gone { None } else { Some(end(event.at, policy.max_token_life)) };
        let entry = Revocation {
            id,
            revoked,
            reason: Remark::parse(reason).ok(),
            ban: gone,
            at: event.at,
            ends_at,
            created_by: Maker::from(&Identity::system(ISSUER)),
        };
        self.commands
            .run(move |unit| {
                let entry = entry.clone();
                Box::pin(async move {
                    let now = unit.now;
                    if !unit.uow().revocations().hear(entry.id, now).await? {
                        return Ok(());
                    }
                    // Before the entry, whose line must not be old when it commits: workspaces may have to be waited for.
                    if let Revoked::User(user) = &entry.revoked
                        && entry.ban
                    {
                        leave_everything(unit, user).await?;
                    }
                    enter(unit, &Identity::system(ISSUER), &entry).await
                })
            })
            .await
    }

    fn policy(&self, issuer: &str) -> Result<&IssuerPolicy, AppError> {
        self.people.policy(issuer).ok_or_else(|| {
            let known: Vec<_> = self.people.issuers().collect();
            let message = match known.as_slice() {
                [] => "no issuer is configured (auth.issuers)".to_owned(),
                known => format!("must be a configured issuer: {}", known.join(", ")),
            };
            AppError::invalid("/issuer", message)
        })
    }
}

/// Adds a line of the log with it. (The store writes that line itself; this replica learns of it here.)
async fn enter(unit: &mut Unit, who: &Identity, entry: &Revocation) -> Result<(), AppError> {
    if let Revoked::User(user) = &entry.revoked {
        // What they are about to mint is there after this, or is never made.
        unit.uow().users().lock(user).await?;
    }
    // An issuer may tell so late that no token can be left.
    if entry.ends_at.is_none_or(|end| end > unit.now) {
        unit.uow().revocations().insert(entry).await?;
        unit.wake.notices.push(Notice::Revoked(entry.clone()));
        audit::record(unit, who, audit::action::REVOCATION_CREATE, &entry.id.to_string(), None).await?;
    }
    let Revoked::User(user) = &entry.revoked else { return Ok(()) };
    // Issuers do not say of a revocation whether its subject is a person or a service.
    end_made_by_service(unit, user, entry.reason.as_ref()).await?;
    // A ban stands until it is lifted. Another entry will be forgotten, and what the person made must not come back then.
    if entry.ban { Ok(()) } else { end_with_owner(unit, user, entry.at, entry.reason.as_ref()).await }
}

/// Takes all memberships of a person away who is no more; also that of a last owner, in whose place only who has
/// `admin:workspaces:write` can put another.
async fn leave_everything(unit: &mut Unit, user: &UserId) -> Result<(), AppError> {
    let mut workspaces: Vec<_> =
        unit.uow().memberships().of_user(user).await?.into_iter().map(|membership| membership.workspace).collect();
    // In one order, so that two who leave do not wait for each other.
    workspaces.sort();
    for workspace in &workspaces {
        unit.uow().workspaces().lock(workspace).await?;
        if unit.uow().memberships().remove(user, workspace).await? {
            let who = Identity::system(ISSUER);
            let target = user.to_string();
            audit::record(unit, &who, audit::action::MEMBERSHIP_REMOVE, &target, Some(workspace)).await?;
        }
    }
    unit.tell(Notice::Memberships(user.clone()));
    Ok(())
}

fn revoked(target: Target, issuer: IssuerName, value: String) -> Result<Revoked, AppError> {
    // What names a person has the same limits as the other claims.
    let user = UserId::new(issuer.clone(), value.clone())
        .map_err(|_| AppError::invalid("/value", "must have 1 to 255 characters, without U+0000"))?;
    Ok(match target {
        Target::User => Revoked::User(user),
        Target::Session => Revoked::Session { issuer, sid: value },
        Target::Token => Revoked::Token { issuer, jti: value },
    })
}

/// From then on no token can be left that was issued up to a moment.
fn end(at: Timestamp, life: SignedDuration) -> Timestamp {
    at.saturating_add(life.saturating_add(MARGIN)).unwrap_or(Timestamp::MAX)
}

/// The id of the revocation that an event leads to, always the same.
fn id_of(issuer: &IssuerName, event: &str) -> RevocationId {
    let digest: [u8; 32] = Sha256::digest(length_prefixed(&["issuer event", issuer.as_str(), event])).into();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    RevocationId::new(Builder::from_custom_bytes(bytes).into_uuid())
}
