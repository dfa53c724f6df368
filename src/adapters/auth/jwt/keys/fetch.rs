//! Fetching what a provider publishes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use reqwest::{
    Method, StatusCode,
    header::{CACHE_CONTROL, HeaderMap},
};

use super::{
    super::super::outgoing::{Address, CallError, Outgoing},
    set::NotAKeySet,
};

/// Why nothing came of a fetch.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("HTTP cannot be set up")]
    Http(#[from] Arc<reqwest::Error>),
    #[error("the answer was {0}, not 200")]
    Status(StatusCode),
    #[error(transparent)]
    NotAKeySet(#[from] NotAKeySet),
    #[error("the discovery document {0}")]
    Discovery(String),
    #[error("the gate is stopping")]
    Stopping,
}

/// What came.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) body: Vec<u8>,
    /// `Cache-Control: max-age`.
    pub(super) max_age: Option<SignedDuration>,
}

/// Fetches documents from one address at a time.
#[derive(Debug)]
pub(super) struct Fetcher {
    timeout: Duration,
    client: Mutex<Option<Box<(Address, Outgoing)>>>,
}

impl Fetcher {
    /// A fetch may take so long.
    pub(super) const fn new(timeout: Duration) -> Self {
        Self { timeout, client: Mutex::new(None) }
    }

    pub(super) async fn fetch(&self, address: &Address) -> Result<Fetched, FetchError> {
        let client = self.client_for(address)?;
        let answer = client.send(client.request(Method::GET, address)).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Status(answer.status));
        }
        Ok(Fetched { max_age: max_age(&answer.headers), body: answer.body })
    }

    /// A client costs milliseconds to make; the address hardly ever changes.
    fn client_for(&self, address: &Address) -> Result<Outgoing, FetchError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*client
            && known.0 == *address
        {
            return Ok(known.1.clone());
        }
        let made = Outgoing::to(address, self.timeout)?;
        *client = Some(Box::new((address.clone(), made.clone())));
        Ok(made)
    }
}

/// RFC 9111 section 5.2.2.1; the smallest, if there are several.
fn max_age(headers: &HeaderMap) -> Option<SignedDuration> {
    let texts = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = texts.flat_map(|text| text.split(',')).filter_map(|directive| directive.trim().split_once('='));
    let ages = directives.filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"));
    let seconds = ages.filter_map(|(_, age)| age.trim().trim_matches('"').parse::<u32>().ok()).min()?;
    Some(SignedDuration::from_secs(i64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_read_out_of_its_header() {
        let seconds = |texts: &[&'static str]| {
            let headers = texts.iter().map(|text| (CACHE_CONTROL, text.parse().unwrap())).collect();
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(seconds(&["public, max-age=60, must-revalidate"]), Some(60));
        assert_eq!(seconds(&["Max-Age=\"0\""]), Some(0));
        assert_eq!(seconds(&["max-age=9, max-age=7"]), Some(7));
        for none in ["", "no-cache", "s-maxage=60", "max-age", "max-age=-1", "max-age=x", "xmax-age=1"] {
            assert_eq!(seconds(&[none]), None, "{none}");
        }
    }
}
