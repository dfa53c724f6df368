//! The keys of an issuer: a secret for HS*, and for all else a fixed key set, a remote one, or both.

mod fetch;
pub(super) mod key;
mod remote;
mod roca;
pub(super) mod secret;
pub(super) mod set;
mod source;
mod state;

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use self::{
    fetch::Fetcher,
    key::Key,
    remote::{AtHand, RemoteSet},
    secret::Secret,
    set::KeySet,
    source::{Discovery, Source},
    state::Freshness,
};
use super::{
    super::outgoing::{Address, USUAL_TIMEOUT},
    algorithm::Algorithm,
    config::InvalidIssuer,
};
use crate::ports::clock::Clock;

/// What key sets are kept up with.
#[derive(Debug, Clone)]
pub struct Upkeep {
    /// Measures how old they are.
    pub clock: Arc<dyn Clock>,
    /// Owns the tasks that fetch them.
    pub tasks: TaskTracker,
    /// Ends those.
    pub stop: CancellationToken,
}

/// Where a provider publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// At this address.
    At(Url),
    /// Where its discovery document says.
    Discovered {
        /// The issuer; where it has several names, the document must have one of them.
        issuers: Vec<String>,
        /// The document; by default `{issuer}/.well-known/openid-configuration` of the first.
        document: Option<Url>,
    },
}

/// How key sets are fetched and how long they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRules {
    /// A set counts so long at most (`jwks_cache_ttl`).
    pub cache_ttl: SignedDuration,
    /// The last good one serves so long at most while nothing newer can be had (`jwks_max_stale`).
    pub max_stale: SignedDuration,
    /// A fetch may take so long (`jwks_timeout`).
    pub timeout: Duration,
    /// Plain http to others than loopback.
    pub allow_http: bool,
}

impl Default for KeyRules {
    fn default() -> Self {
        Self {
            cache_ttl: SignedDuration::from_secs(300),
            max_stale: SignedDuration::from_hours(24),
            timeout: USUAL_TIMEOUT,
            allow_http: false,
        }
    }
}

/// What a look for a key came to.
#[derive(Debug)]
pub(super) enum Look {
    /// These fit.
    Found(Vec<Arc<Key>>),
    /// There is none.
    None,
    /// That could not be told.
    Unknown,
}

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct IssuerKeys {
    secret: Option<Secret>,
    fixed: Option<Arc<KeySet>>,
    remote: Option<Arc<RemoteSet>>,
}

/// What an issuer's keys are made of.
#[derive(Debug)]
pub(super) struct Material<'a> {
    pub(super) issuer: &'a str,
    pub(super) algorithms: &'a [Algorithm],
    pub(super) secret: Option<&'a SecretString>,
    pub(super) jwks: Option<&'a Value>,
    pub(super) published: Option<&'a Published>,
    pub(super) rules: KeyRules,
}

impl IssuerKeys {
    pub(super) fn new(material: &Material<'_>, upkeep: Option<&Upkeep>) -> Result<Self, InvalidIssuer> {
        let algorithms = material.algorithms;
        let secret = material.secret.map(|secret| Secret::new(secret, algorithms)).transpose()?;
        let fixed = material.jwks.map(|jwks| fixed(jwks, material)).transpose()?;
        let published = material.published.zip(upkeep);
        let remote = published.map(|(published, upkeep)| remote(published, material, upkeep)).transpose()?;
        Ok(Self { secret, fixed, remote: remote.map(Arc::new) })
    }

    /// The secret, for HS* alone.
    pub(super) const fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// Looks among the keys that count now, without waiting; a set that is due is renewed meanwhile.
    pub(super) fn at_hand(&self, id: Option<&str>, algorithm: Algorithm) -> Look {
        match self.remote.as_ref().map(RemoteSet::at_hand) {
            Some(AtHand::Now(set)) => self.look(Some(&set), id, algorithm),
            // Without its `kid` a token fits one key of all, so all must be known.
            Some(AtHand::Soon(_) | AtHand::Nothing) if id.is_none() => Look::Unknown,
            Some(AtHand::Soon(_) | AtHand::Nothing) => match self.look(None, id, algorithm) {
                Look::None => Look::Unknown,
                look => look,
            },
            None => self.look(None, id, algorithm),
        }
    }

    /// The same, and waits for the key set where it is being fetched.
    pub(super) async fn current(&self, id: Option<&str>, algorithm: Algorithm) -> Look {
        let Some(remote) = &self.remote else { return self.look(None, id, algorithm) };
        match remote.current().await {
            Some(set) => self.look(Some(&set), id, algorithm),
            None => Look::Unknown,
        }
    }

    /// The same for what is not among the keys: asks the provider whether there are new ones, unless it was asked just now.
    pub(super) async fn renewed(&self, id: Option<&str>, algorithm: Algorithm) -> Look {
        let Some(remote) = &self.remote else { return self.look(None, id, algorithm) };
        let renewed = remote.renewed().await;
        match self.look(renewed.set.as_deref(), id, algorithm) {
            Look::None if !renewed.is_latest => Look::Unknown,
            look => look,
        }
    }

    fn look(&self, remote: Option<&KeySet>, id: Option<&str>, algorithm: Algorithm) -> Look {
        let sets = self.fixed.as_deref().into_iter().chain(remote);
        let keys: Vec<_> = sets.flat_map(|set| set.fitting(id, algorithm)).collect();
        if keys.is_empty() { Look::None } else { Look::Found(keys) }
    }

    /// How often the provider was asked.
    pub(super) fn fetches(&self) -> u64 {
        self.remote.as_ref().map_or(0, |remote| remote.fetches())
    }

    /// Asks the provider, and tells how many keys there are, and why others cannot be used.
    pub(super) async fn report(&self) -> Option<KeyReport> {
        let remote = self.remote.as_ref()?;
        let renewed = remote.renewed().await;
        let set = renewed.set.filter(|_| renewed.is_latest);
        Some(KeyReport {
            source: remote.shown(),
            failure: remote.failure(),
            usable: set.as_ref().map_or(0, |set| set.len()),
            keys: set.as_ref().map(|set| set.described()).unwrap_or_default(),
            skipped: set
                .map(|set| set.skipped().iter().map(|(at, why)| format!("key {at}: {why}")).collect())
                .unwrap_or_default(),
        })
    }
}

/// What a look at a provider came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// The key set's address, or the discovery document's.
    pub source: String,
    /// Why nothing came.
    pub failure: Option<String>,
    /// How many keys can be used for the issuer's algorithms.
    pub usable: usize,
    /// Those keys, each with its id and the algorithms.
    pub keys: Vec<String>,
    /// Why others cannot.
    pub skipped: Vec<String>,
}

/// A configured set: a JWK Set, or a list of keys.
fn fixed(jwks: &Value, material: &Material<'_>) -> Result<Arc<KeySet>, InvalidIssuer> {
    let keys = match jwks {
        Value::Array(keys) => keys,
        Value::Object(set) => set.get("keys").and_then(Value::as_array).ok_or(InvalidIssuer::KeySet)?,
        _ => return Err(InvalidIssuer::KeySet),
    };
    let set = KeySet::of(keys, material.algorithms);
    for (index, reason) in set.skipped() {
        tracing::warn!(issuer = material.issuer, index, %reason, "a key of the configured key set is not used");
    }
    if set.len() == 0 && material.published.is_none() {
        return Err(InvalidIssuer::NoUsableKey);
    }
    Ok(Arc::new(set))
}

fn remote(published: &Published, material: &Material<'_>, upkeep: &Upkeep) -> Result<RemoteSet, InvalidIssuer> {
    let rules = material.rules;
    let source = match published {
        Published::At(url) => Source::Fixed(Address::new(url.clone(), rules.allow_http)?, Fetcher::new(rules.timeout)),
        Published::Discovered { issuers, document } => {
            let document = document.clone().map_or_else(|| document_of(issuers), Ok)?;
            let document = Address::new(document, rules.allow_http)?;
            let discovery = Discovery::new(document, issuers.clone(), rules.allow_http, rules.timeout);
            Source::Discovered(Box::new(discovery))
        }
    };
    let freshness = Freshness { most_ttl: rules.cache_ttl, most_stale: rules.max_stale };
    let algorithms = material.algorithms.to_vec();
    Ok(RemoteSet::new(material.issuer.to_owned(), source, algorithms, freshness, upkeep.clone()))
}

/// OpenID Connect Discovery 1.0 section 4: a slash at the issuer's end goes first.
fn document_of(issuers: &[String]) -> Result<Url, InvalidIssuer> {
    let issuer = issuers.first().ok_or(InvalidIssuer::IssuerUrl)?;
    let text = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    Url::parse(&text).map_err(|_| InvalidIssuer::IssuerUrl)
}
