//! Walks the chain, and says what does not fit.

use std::fmt;

use super::chain::{AuditKey, ZERO, head_text};
use crate::{
    domain::audit::AuditEntry,
    ports::repository::{AuditHead, Repository, RepositoryError},
};

/// How many entries are read at once.
const BATCH: u32 = 1_000;
/// How many faults are named; more are counted.
const NAMED: usize = 100;

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Entries are not there: they were deleted.
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// An entry's hash does not fit: it was altered, or is in another's place.
    Altered(u64),
    /// An entry cannot be read: it was altered.
    Unreadable(u64),
    /// The head in the database names another last entry than there is.
    Head(AuditHead),
    /// The chain ends before the anchor: its end was cut off.
    Truncated(AuditHead),
    /// The entry at the anchor is another one than it was: the chain was made anew.
    Rewritten(AuditHead),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing: it was deleted"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing: they were deleted"),
            Self::Altered(sequence) => {
                write!(f, "entry {sequence} does not fit the chain: it was altered, or is in another's place")
            }
            Self::Unreadable(sequence) => {
                write!(f, "entry {sequence} cannot be read: it was altered")
            }
            Self::Head(head) => write!(f, "the head in the database, {}, is not the last entry", head_text(head)),
            Self::Truncated(anchor) => {
                write!(f, "the chain ends before the anchor, {}: its end was cut off", head_text(anchor))
            }
            Self::Rewritten(anchor) => {
                write!(
                    f,
                    "entry {} is not the one of the anchor, {}: the chain was made anew",
                    anchor.sequence,
                    head_text(anchor)
                )
            }
        }
    }
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How many entries were read.
    pub entries: u64,
    /// The last entry: an anchor for the next time.
    pub head: AuditHead,
    /// Up to which entry nothing can have been cut off: the anchor's.
    pub anchored: u64,
    /// What does not fit, at most a hundred.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub more_faults: u64,
}

impl Verification {
    /// Whether all fits.
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Verifies the chain under a key: that no entry was deleted, altered or moved; with an anchor (a head that was kept
/// elsewhere) also that its end was not cut off.
///
/// # Errors
/// The store's, where it does not answer. What cannot be read back is a fault.
pub async fn verify(
    repository: &dyn Repository,
    key: &AuditKey,
    anchor: Option<AuditHead>,
) -> Result<Verification, RepositoryError> {
    // Before the walk: while a gate is running, the chain grows.
    let head = match repository.view().await?.audit().head().await {
        Err(RepositoryError::Corrupt { .. }) => None,
        head => Some(head?),
    };
    let mut walk = Walk::new(key, head, anchor);
    loop {
        // A view each: what is walked for long holds nothing.
        let entries = repository.view().await?.audit().read(walk.last.sequence, BATCH).await?;
        if entries.is_empty() {
            return Ok(walk.end());
        }
        for entry in &entries {
            match entry {
                Ok(entry) => walk.step(entry),
                Err(unreadable) => walk.pass_over(unreadable.sequence),
            }
        }
    }
}

struct Walk<'a> {
    key: &'a AuditKey,
    head: Option<AuditHead>,
    head_found: bool,
    anchor: Option<AuditHead>,
    anchor_found: bool,
    /// Where the walk is.
    last: AuditHead,
    /// Whether the entry at the place where the walk is was read: without it the next hash cannot be made.
    known: bool,
    entries: u64,
    faults: Vec<Fault>,
    more_faults: u64,
}

impl<'a> Walk<'a> {
    fn new(key: &'a AuditKey, head: Option<AuditHead>, anchor: Option<AuditHead>) -> Self {
        let (faults, more_faults) = (Vec::new(), 0);
        let (head_found, anchor_found) = (head == Some(ZERO), anchor == Some(ZERO));
        Self { key, head, head_found, anchor, anchor_found, last: ZERO, known: true, entries: 0, faults, more_faults }
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < NAMED {
            self.faults.push(fault);
        } else {
            self.more_faults = self.more_faults.saturating_add(1);
        }
    }

    /// Comes to an entry of this number; says whether it is the next one.
    fn reach(&mut self, sequence: u64) -> bool {
        let next = self.last.sequence.saturating_add(1);
        if sequence > next {
            self.fault(Fault::Missing { from: next, to: sequence.saturating_sub(1) });
        }
        sequence == next
    }

    fn step(&mut self, entry: &AuditEntry) {
        let is_next = self.reach(entry.sequence);
        if is_next && self.known && self.key.hash(&self.last.hash, entry) != entry.hash {
            self.fault(Fault::Altered(entry.sequence));
        }
        self.entries = self.entries.saturating_add(1);
        self.last = AuditHead { sequence: entry.sequence, hash: entry.hash };
        self.known = true;
        self.head_found |= self.head == Some(self.last);
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.sequence == entry.sequence) {
            self.anchor_found = true;
            if anchor.hash != entry.hash {
                self.fault(Fault::Rewritten(anchor));
            }
        }
    }

    /// Passes over an entry that cannot be read.
    fn pass_over(&mut self, sequence: u64) {
        self.reach(sequence);
        self.fault(Fault::Unreadable(sequence));
        self.last.sequence = sequence;
        self.known = false;
        self.head_found |= self.head.is_some_and(|head| head.sequence == sequence);
    }

    fn end(mut self) -> Verification {
        if let Some(head) = self.head
            && !self.head_found
        {
            self.fault(if head.sequence > self.last.sequence {
                Fault::Missing { from: self.last.sequence.saturating_add(1), to: head.sequence }
            } else {
                Fault::Head(head)
            });
        }
        if self.head.is_none() {
            self.fault(Fault::Head(self.last));
        }
        if let Some(anchor) = self.anchor
            && !self.anchor_found
        {
            // An anchor within the chain whose entry is gone is among the missing already.
            if anchor.sequence > self.last.sequence {
                self.fault(Fault::Truncated(anchor));
            }
        }
        let anchored = self.anchor.filter(|_| self.anchor_found).map_or(0, |anchor| anchor.sequence);
        let Self { entries, last, faults, more_faults, .. } = self;
        Verification { entries, head: last, anchored, faults, more_faults }
    }
}
