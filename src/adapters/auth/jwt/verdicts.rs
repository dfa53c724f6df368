//! The tokens that were verified a moment ago, by the SHA-256 of each: what they claim, never the tokens.

use std::{mem, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use quick_cache::{Weighter, sync::Cache};
use serde_json::Value;

use super::keys::key::Key;
use crate::domain::{identity::Identity, json::JsonObject, workspace::WorkspaceAccess};

/// A verdict counts so long at most.
const COUNTS: SignedDuration = SignedDuration::from_secs(60);
/// How much is kept, in bytes as they are estimated.
pub const USUAL_BYTES: u64 = 64 * 1024 * 1024;
/// A token that is remembered takes no less, in bytes.
const LEAST_BYTES: u64 = 4_096;
/// What the cache itself keeps of an entry: its key, its place in queues and tables, the verdict.
const OVERHEAD: usize = 256;
/// What an allocation costs beside its bytes.
const ALLOCATION: usize = 16;

/// A token that was verified.
#[derive(Debug)]
struct Verdict {
    identity: Arc<Identity>,
    verified_at: Timestamp,
    until: Timestamp,
    /// What it was verified by; `None`: the secret, which stays.
    key: Option<Arc<Key>>,
}

/// Weighs an entry in bytes.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<[u8; 32], Arc<Verdict>> for Bytes {
    fn weight(&self, _: &[u8; 32], verdict: &Arc<Verdict>) -> u64 {
        u64::try_from(weight(&verdict.identity)).unwrap_or(u64::MAX)
    }
}

/// The tokens that were verified a moment ago. What is over goes when there is need of its room.
#[derive(Debug)]
pub(super) struct Verdicts(Cache<[u8; 32], Arc<Verdict>, Bytes>);

impl Verdicts {
    /// Keeps so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / LEAST_BYTES).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(entries, bytes, Bytes))
    }

    /// Whom a token names that was verified lately, is not over, and whose key still counts.
    pub(super) fn find(&self, digest: &[u8; 32], now: Timestamp) -> Option<Arc<Identity>> {
        let verdict = self.0.get(digest)?;
        let stands = verdict.key.as_ref().is_none_or(|key| key.vouches_at(now));
        (stands && (verdict.verified_at..verdict.until).contains(&now)).then(|| Arc::clone(&verdict.identity))
    }

    /// Keeps a token that was verified now and ends then.
    pub(super) fn keep(
        &self,
        digest: [u8; 32],
        identity: &Arc<Identity>,
        key: Option<Arc<Key>>,
        now: Timestamp,
        end: Timestamp,
    ) {
        let until = now.checked_add(COUNTS).unwrap_or(end).min(end);
        let verdict = Verdict { identity: Arc::clone(identity), verified_at: now, until, key };
        self.0.insert(digest, Arc::new(verdict));
    }

    /// How many there are, and their weight in bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        (u64::try_from(self.0.len()).unwrap_or(u64::MAX), self.0.weight())
    }
}

/// About how many bytes an entry takes.
fn weight(identity: &Identity) -> usize {
    let texts = [
        Some(&identity.subject),
        identity.issuer.as_ref(),
        identity.token_id.as_ref(),
        identity.session_id.as_ref(),
        identity.username.as_ref(),
        identity.email.as_ref(),
        identity.actor.as_ref(),
    ];
    let texts: usize = texts.into_iter().flatten().map(|text| text.len() + ALLOCATION).sum();
    OVERHEAD + mem::size_of::<Identity>() + texts + rights(identity) + object(&identity.claims)
}

fn rights(identity: &Identity) -> usize {
    // A set of scopes is a node or two; workspaces are texts in nodes.
    let workspaces = match identity.rights.reach() {
        WorkspaceAccess::All => 0,
        WorkspaceAccess::Only(ids) => ids.len(),
    };
    512 + workspaces * 128
}

fn object(members: &JsonObject) -> usize {
    // A B-tree's node has room for eleven, and is about two thirds full.
    let slot = (mem::size_of::<String>() + mem::size_of::<Value>()) * 3 / 2;
    let members = members.iter().map(|(name, value)| slot + name.len() + ALLOCATION + heap(value));
    mem::size_of::<JsonObject>() + members.sum::<usize>()
}

fn heap(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(number) => number.to_string().len() + ALLOCATION,
        Value::String(text) => text.len() + ALLOCATION,
        Value::Array(items) => {
            items.iter().map(|item| mem::size_of::<Value>() + heap(item)).sum::<usize>() + ALLOCATION
        }
        Value::Object(members) => object(members) + 256,
    }
}
