//! Where a remote key set is: at an address, or where a discovery document says (OpenID Connect Discovery 1.0).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::Url;

use super::{
    super::super::outgoing::Address,
    fetch::{FetchError, Fetched, Fetcher},
    state::{Freshness, is_due},
};

/// Where a key set is.
#[derive(Debug)]
pub(super) enum Source {
    Fixed(Address, Fetcher),
    Discovered(Box<Discovery>),
}

impl Source {
    /// Fetches the key set; `now` is when that began.
    pub(super) async fn fetch(&self, freshness: Freshness, now: Timestamp) -> Result<Fetched, FetchError> {
        match self {
            Self::Fixed(address, fetcher) => fetcher.fetch(address).await,
            Self::Discovered(discovery) => discovery.fetch_keys(freshness, now).await,
        }
    }

    /// Where it begins, for logs.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Fixed(address, _) => address.shown(),
            Self::Discovered(discovery) => discovery.document.shown(),
        }
    }
}

/// A provider's discovery document, and what it said last.
#[derive(Debug)]
pub(super) struct Discovery {
    document: Address,
    /// One of which it must name.
    issuers: Vec<String>,
    allow_http: bool,
    of_document: Fetcher,
    of_keys: Fetcher,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    keys: Address,
    read_at: Timestamp,
    /// How long it counts; nothing once its key set could not be had.
    ttl: SignedDuration,
}

impl Discovery {
    /// The document at this address must name one of these issuers.
    pub(super) fn new(document: Address, issuers: Vec<String>, allow_http: bool, timeout: Duration) -> Self {
        let (of_document, of_keys) = (Fetcher::new(timeout), Fetcher::new(timeout));
        Self { document, issuers, allow_http, of_document, of_keys, known: Mutex::new(None) }
    }

    async fn fetch_keys(&self, freshness: Freshness, now: Timestamp) -> Result<Fetched, FetchError> {
        let keys = self.keys(freshness, now).await?;
        let answer = self.of_keys.fetch(&keys).await;
        if answer.is_err() {
            // The provider may have moved its keys: the next attempt asks anew.
            self.change(|known| known.iter_mut().for_each(|known| known.ttl = SignedDuration::ZERO));
        }
        answer
    }

    async fn keys(&self, freshness: Freshness, now: Timestamp) -> Result<Address, FetchError> {
        let known = self.change(|known| known.clone());
        if let Some(known) = &known
            && !is_due(known.read_at, known.ttl, now)
        {
            return Ok(known.keys.clone());
        }
        match self.read(freshness, now).await {
            Ok(new) => {
                self.change(|known| *known = Some(new.clone()));
                Ok(new.keys)
            }
            // What it said last serves on, as a key set does.
            Err(error) => match known.filter(|known| !freshness.is_stale(known.read_at, now)) {
                Some(known) => {
                    tracing::warn!(document = %self.document.shown(), %error, "a discovery document cannot be read again");
                    Ok(known.keys)
                }
                None => Err(error),
            },
        }
    }

    async fn read(&self, freshness: Freshness, now: Timestamp) -> Result<Known, FetchError> {
        let answer = self.of_document.fetch(&self.document).await?;
        let wrong = |what: &str| FetchError::Discovery(what.to_owned());
        let document: Value = serde_json::from_slice(&answer.body).map_err(|_| wrong("is no JSON"))?;
        let named = document.get("issuer").and_then(Value::as_str);
        if !named.is_some_and(|named| self.issuers.iter().any(|own| own == named)) {
            return Err(wrong("names another issuer than the configured one"));
        }
        let keys = document.get("jwks_uri").and_then(Value::as_str).ok_or_else(|| wrong("has no jwks_uri"))?;
        let keys = Url::parse(keys).map_err(|_| wrong("has a jwks_uri that is no URL"))?;
        let keys =
            Address::new(keys, self.allow_http).map_err(|error| wrong(&format!("has a jwks_uri that {error}")))?;
        Ok(Known { keys, read_at: now, ttl: freshness.ttl(answer.max_age) })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Option<Known>) -> T) -> T {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
