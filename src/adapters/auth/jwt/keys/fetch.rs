//! Fetching what a provider publishes: five seconds, a megabyte, no redirect, https.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use reqwest::{Client, StatusCode, header::CACHE_CONTROL, redirect};
use url::{Host, Url};

use super::set::NotAKeySet;

/// How much is read, in bytes.
const MOST_BYTES: usize = 1024 * 1024;
/// How long a fetch may take unless something else is configured.
pub const USUAL_TIMEOUT: Duration = Duration::from_secs(5);

/// An address that keys must not be fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is no http or https URL with a host.
    #[error("must be an https URL")]
    NotHttp,
    /// Plain http, and neither to loopback nor allowed.
    #[error("plain http is for loopback only (or set allow_http)")]
    Plain,
    /// A user or a password in it would end in logs.
    #[error("must not hold a user or a password")]
    Credentials,
}

/// Why nothing came of a fetch.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no connection, or it broke")]
    Unreachable(#[source] reqwest::Error),
    #[error("no answer in time")]
    Slow,
    #[error("the answer was {0}, not 200")]
    Status(StatusCode),
    #[error("the answer is longer than {MOST_BYTES} bytes")]
    TooLong,
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

/// An address that may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address(Url);

impl Address {
    /// Judges a URL.
    pub(super) fn new(url: Url, allow_http: bool) -> Result<Self, BadAddress> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadAddress::Credentials);
        }
        match (url.scheme(), url.host()) {
            ("https", Some(_)) => Ok(Self(url)),
            ("http", Some(host)) if allow_http || is_loopback(&host) => Ok(Self(url)),
            ("http", Some(_)) => Err(BadAddress::Plain),
            _ => Err(BadAddress::NotHttp),
        }
    }

    /// Scheme, host, port and path: what may be logged.
    pub(super) fn shown(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.into()
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Fetches. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    direct: Client,
    by_environment: Client,
    timeout: Duration,
    pub(super) allow_http: bool,
}

impl Fetcher {
    pub(super) fn new(timeout: Duration, allow_http: bool) -> Result<Self, Arc<reqwest::Error>> {
        let builder = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .timeout(timeout)
                .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
        };
        let (direct, by_environment) = (builder().no_proxy().build()?, builder().build()?);
        Ok(Self { direct, by_environment, timeout, allow_http })
    }

    pub(super) async fn fetch(&self, address: &Address) -> Result<Fetched, FetchError> {
        // Around all of it: the client's own time-out begins anew in places.
        tokio::time::timeout(self.timeout, self.fetch_slowly(address)).await.map_err(|_| FetchError::Slow)?
    }

    async fn fetch_slowly(&self, Address(url): &Address) -> Result<Fetched, FetchError> {
        let at_home = url.host().is_some_and(|host| is_loopback(&host));
        let client = if at_home { &self.direct } else { &self.by_environment };
        let request = client.get(url.clone()).header("accept", "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let headers = response.headers().get_all(CACHE_CONTROL);
        let max_age = headers.iter().filter_map(|value| max_age(value.to_str().ok()?)).min();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { body, max_age })
    }
}

fn broken(error: reqwest::Error) -> FetchError {
    if error.is_timeout() { FetchError::Slow } else { FetchError::Unreachable(error.without_url()) }
}

/// RFC 9111 section 5.2.2.1; the smallest, if there are several.
fn max_age(cache_control: &str) -> Option<SignedDuration> {
    let directives = cache_control.split(',').filter_map(|directive| directive.trim().split_once('='));
    let ages = directives.filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"));
    ages.filter_map(|(_, age)| age.trim().trim_matches('"').parse::<u32>().ok())
        .min()
        .map(|seconds| SignedDuration::from_secs(i64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(url: &str, allow_http: bool) -> Result<String, BadAddress> {
        Address::new(Url::parse(url).unwrap(), allow_http).map(|address| address.shown())
    }

    #[test]
    fn keys_come_over_https_or_loopback() {
        for url in [
            "https://idp.example/keys",
            "http://127.0.0.1:8080/",
            "http://localhost/",
            "http://[::1]/",
            "http://127.9.9.9/",
        ] {
            assert_eq!(judged(url, false).as_deref(), Ok(url));
        }
        for url in ["http://idp.example/", "http://localhost.example/", "http://10.0.0.1/", "http://[::ffff:7f00:1]/"] {
            assert_eq!(judged(url, false), Err(BadAddress::Plain), "{url}");
            assert!(judged(url, true).is_ok(), "{url}");
        }
        for url in ["file:///etc/passwd", "ftp://idp.example/", "data:,x"] {
            assert_eq!(judged(url, true), Err(BadAddress::NotHttp), "{url}");
        }
        assert_eq!(judged("https://me:secret@idp.example/", true), Err(BadAddress::Credentials));
        assert_eq!(judged("https://idp.example/keys?code=1#x", false).as_deref(), Ok("https://idp.example/keys"));
    }

    #[test]
    fn an_age_is_read_out_of_its_header() {
        let seconds = |text: &str| max_age(text).map(|age| age.as_secs());
        assert_eq!(seconds("public, max-age=60, must-revalidate"), Some(60));
        assert_eq!(seconds("Max-Age=\"0\""), Some(0));
        assert_eq!(seconds("max-age=9, max-age=7"), Some(7));
        for none in ["", "no-cache", "s-maxage=60", "max-age", "max-age=-1", "max-age=x", "xmax-age=1"] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }
}
