//! What is no unit of work but belongs into the audit: refused credentials, refusals, uses of the bootstrap token. It is
//! gathered here without waiting, and written down in batches. In a flood the first few of a source are entered one by
//! one and the rest as one entry that says how many: who attacks fills no disk, and the numbers are exact.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::{action, kept};
use crate::{
    domain::{
        audit::{AuditIdentity, AuditOutcome, NewAuditEntry},
        identity::{CredentialKind, Identity, IdentityKind},
        rejection::RejectionReason,
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
        token_validator::Suspect,
    },
};

/// How many of a source are entered one by one within an [`INTERVAL`].
const SINGLY: u32 = 5;
/// The same of uses of the bootstrap token.
const USES_SINGLY: u32 = 1;
/// How long the rest is gathered before it becomes an entry.
const INTERVAL: SignedDuration = SignedDuration::from_secs(60);
/// How many sources are told apart; of more, only the code is known.
const SOURCES: usize = 4_096;
/// How many entries wait at most to be written down; more are gathered like a flood.
const WAITING: usize = 10_000;

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The address.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: &'a str,
}

/// What is told apart: the same of one source is gathered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Source {
    action: &'static str,
    code: Option<String>,
    address: Option<IpAddr>,
    kind: IdentityKind,
    issuer: Option<String>,
    subject: String,
}

impl Source {
    fn of(entry: &NewAuditEntry) -> Self {
        Self {
            action: entry.action,
            code: entry.code.clone(),
            address: entry.ip.map(network),
            kind: entry.identity.kind,
            issuer: entry.identity.issuer.clone(),
            subject: entry.identity.subject.clone(),
        }
    }
}

/// An address as floods are told apart by it: of IPv6 the first 64 bits, since a single host has all the others.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & (u128::MAX << 64))),
    }
}

/// What came of a source within an interval.
#[derive(Debug)]
struct Flood {
    begun: Timestamp,
    entered: u32,
    /// The rest, as one entry that says how many.
    rest: Option<NewAuditEntry>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<NewAuditEntry>,
    sources: HashMap<Source, Flood>,
    /// Of sources that are too many to be told apart: by action and code, of which there are few.
    others: HashMap<(&'static str, Option<String>), Flood>,
}

/// Gathers entries.
#[derive(Debug)]
pub struct Collector {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Collector {
    /// Writes here.
    pub fn new(repository: Arc<dyn Repository>, clock: Arc<dyn Clock>) -> Self {
        Self { repository, clock, state: Mutex::default() }
    }

    /// A presented credential was refused; `of` says whose it is, where that is sure. The reason becomes the target.
    pub fn failed(&self, code: &str, reason: Option<RejectionReason>, of: Option<&Suspect>, place: Place<'_>) {
        let identity = of.map_or_else(anonymous, named);
        let entry = self.entry(identity, action::AUTH_FAILURE, AuditOutcome::Refused, Some(code), place);
        self.note(SINGLY, NewAuditEntry { target: reason.map(|reason| reason.as_str().to_owned()), ..entry });
    }

    /// Who came with a good credential is not let in.
    pub fn kept_out(&self, code: &str, of: Option<&Suspect>, place: Place<'_>) {
        let identity = of.map_or_else(anonymous, named);
        self.note(SINGLY, self.entry(identity, action::AUTH_REFUSAL, AuditOutcome::Refused, Some(code), place));
    }

    /// A caller may not do what they asked for.
    pub fn refused(&self, who: &Identity, code: &str, operation: Option<&str>, place: Place<'_>) {
        let entry = self.entry(who.into(), action::AUTH_REFUSAL, AuditOutcome::Refused, Some(code), place);
        self.note(SINGLY, NewAuditEntry { target: operation.map(kept), ..entry });
    }

    /// A caller was let in. Only the bootstrap token's uses are of interest.
    pub fn let_in(&self, who: &Identity, place: Place<'_>) {
        // A session made with it has an entry of its own, of its making.
        if who.credential == CredentialKind::Bootstrap {
            self.note(USES_SINGLY, self.entry(who.into(), action::BOOTSTRAP_USE, AuditOutcome::Allowed, None, place));
        }
    }

    fn entry(
        &self,
        identity: AuditIdentity,
        action: &'static str,
        outcome: AuditOutcome,
        code: Option<&str>,
        place: Place<'_>,
    ) -> NewAuditEntry {
        NewAuditEntry {
            time: self.clock.now(),
            identity,
            action,
            target: None,
            workspace: None,
            outcome,
            code: code.map(kept),
            ip: place.address,
            request_id: Some(kept(place.request_id)),
            count: 1,
        }
    }

    fn note(&self, singly: u32, entry: NewAuditEntry) {
        self.state().note(singly, entry);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves at most a count of one too few.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what was gathered: entries that wait, and floods whose interval is over. Says whether there was any.
    ///
    /// # Errors
    /// The store's; what was gathered is kept for the next time.
    pub async fn write(&self) -> Result<bool, RepositoryError> {
        let now = self.clock.now();
        self.write_if(|flood| now.duration_since(flood.begun) >= INTERVAL).await
    }

    /// The same with all floods, over or not: at the end.
    ///
    /// # Errors
    /// The store's.
    pub async fn write_all(&self) -> Result<bool, RepositoryError> {
        self.write_if(|_| true).await
    }

    async fn write_if(&self, over: impl Fn(&Flood) -> bool) -> Result<bool, RepositoryError> {
        let entries = self.state().take(over);
        if entries.is_empty() {
            return Ok(false);
        }
        let written = self.append(&entries).await;
        if written.is_err() {
            self.state().put_back(entries);
        }
        written.map(|()| true)
    }

    async fn append(&self, entries: &[NewAuditEntry]) -> Result<(), RepositoryError> {
        let mut unit = self.repository.begin().await?;
        unit.audit().append(entries).await?;
        unit.commit().await
    }
}

impl State {
    fn note(&mut self, singly: u32, entry: NewAuditEntry) {
        let full = self.waiting.len() >= WAITING;
        let Some(flood) = self.flood(&entry) else { return self.note_other(entry) };
        if flood.rest.is_none() && entry.time.duration_since(flood.begun) >= INTERVAL {
            (flood.begun, flood.entered) = (entry.time, 0);
        }
        if flood.entered < singly && !full {
            flood.entered += 1;
            self.waiting.push(entry);
        } else {
            gather(&mut flood.rest, entry);
        }
    }

    /// What comes of the entry's source, unless too many are told apart already.
    fn flood(&mut self, entry: &NewAuditEntry) -> Option<&mut Flood> {
        let source = Source::of(entry);
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            return None;
        }
        let begun = entry.time;
        Some(self.sources.entry(source).or_insert(Flood { begun, entered: 0, rest: None }))
    }

    fn note_other(&mut self, entry: NewAuditEntry) {
        let key = (entry.action, entry.code.clone());
        let others = self.others.entry(key).or_insert(Flood { begun: entry.time, entered: 0, rest: None });
        gather(&mut others.rest, NewAuditEntry { identity: anonymous(), ip: None, ..entry });
    }

    fn take(&mut self, over: impl Fn(&Flood) -> bool) -> Vec<NewAuditEntry> {
        let mut entries = std::mem::take(&mut self.waiting);
        let mut end = |flood: &mut Flood| {
            let over = over(flood);
            if over {
                entries.extend(flood.rest.take());
            }
            !over
        };
        self.sources.retain(|_, flood| end(flood));
        self.others.retain(|_, flood| end(flood));
        entries
    }

    fn put_back(&mut self, entries: Vec<NewAuditEntry>) {
        for entry in entries {
            if self.waiting.len() < WAITING {
                self.waiting.push(entry);
            } else if let Some(flood) = self.flood(&entry) {
                gather(&mut flood.rest, entry);
            } else {
                self.note_other(entry);
            }
        }
    }
}

/// Adds to the rest of a flood: what is true of all of it stays, the time is the last one's.
fn gather(rest: &mut Option<NewAuditEntry>, entry: NewAuditEntry) {
    *rest = Some(match rest.take() {
        None => entry,
        Some(before) => {
            let count = before.count.saturating_add(entry.count);
            NewAuditEntry { count, target: None, request_id: None, ..entry }
        }
    });
}

fn named(suspect: &Suspect) -> AuditIdentity {
    let Suspect { kind, issuer, subject, .. } = suspect;
    AuditIdentity { kind: *kind, issuer: issuer.as_deref().map(kept), subject: kept(subject), actor: None }
}

fn anonymous() -> AuditIdentity {
    AuditIdentity { kind: IdentityKind::Anonymous, issuer: None, subject: "anonymous".to_owned(), actor: None }
}

#[cfg(test)]
mod tests;
