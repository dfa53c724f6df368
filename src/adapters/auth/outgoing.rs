//! Calls to identity providers: https or loopback, no redirect, in bounded time, and a bounded answer.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap, redirect};
use url::{Host, Url};

/// How much of an answer is read, in bytes.
const MOST_BYTES: usize = 1024 * 1024;
/// How long a call may take unless something else is configured.
pub const USUAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How many connections to a provider are kept open.
const IDLE_CONNECTIONS: usize = 16;

/// An address that must not be called.
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

/// Why nothing came of a call. `Display` holds neither address nor secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("no connection, or it broke")]
    Broken(#[source] reqwest::Error),
    #[error("no answer in time")]
    Slow,
    #[error("the answer is longer than {MOST_BYTES} bytes")]
    TooLong,
}

/// An address that may be called.
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

    /// The address below this one; each name is one segment, whatever is in it.
    pub(super) fn below(&self, names: &[&str]) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(names);
        }
        Self(url)
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
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

/// What came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Calls one address, or what is below it.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    client: Client,
    timeout: Duration,
}

impl Outgoing {
    /// No proxy of the environment's stands between us and loopback.
    pub(super) fn to(address: &Address, timeout: Duration) -> Result<Self, Arc<reqwest::Error>> {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")));
        let client = if address.is_loopback() { builder.no_proxy() } else { builder }.build()?;
        Ok(Self { client, timeout })
    }

    pub(super) fn request(&self, method: Method, Address(url): &Address) -> RequestBuilder {
        self.client.request(method, url.clone()).header("accept", "application/json")
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, CallError> {
        // Around all of it: the client's own time-out begins anew in places.
        tokio::time::timeout(self.timeout, send(request)).await.map_err(|_| CallError::Slow)?
    }
}

async fn send(request: RequestBuilder) -> Result<Answer, CallError> {
    let mut response = request.send().await.map_err(broken)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(CallError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
}

fn broken(error: reqwest::Error) -> CallError {
    if error.is_timeout() { CallError::Slow } else { CallError::Broken(error.without_url()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(url: &str, allow_http: bool) -> Result<Address, BadAddress> {
        Address::new(Url::parse(url).unwrap(), allow_http)
    }

    #[test]
    fn calls_go_over_https_or_loopback() {
        for url in ["https://idp.example/x", "http://127.0.0.1:8080/", "http://localhost/", "http://[::1]/"] {
            assert_eq!(judged(url, false).map(|address| address.shown()).as_deref(), Ok(url));
        }
        for url in ["http://idp.example/", "http://localhost.example/", "http://10.0.0.1/", "http://[::ffff:7f00:1]/"] {
            assert_eq!(judged(url, false), Err(BadAddress::Plain), "{url}");
            assert!(judged(url, true).is_ok(), "{url}");
        }
        for url in ["file:///etc/passwd", "ftp://idp.example/", "data:,x"] {
            assert_eq!(judged(url, true), Err(BadAddress::NotHttp), "{url}");
        }
        assert_eq!(judged("https://me:secret@idp.example/", true), Err(BadAddress::Credentials));
        assert_eq!(judged("https://idp.example/x?code=1#x", false).unwrap().shown(), "https://idp.example/x");
    }

    #[test]
    fn a_name_below_an_address_is_one_segment() {
        let below = |base: &str, name: &str| judged(base, false).unwrap().below(&["users", name]).shown();
        assert_eq!(below("https://x.example", "a"), "https://x.example/users/a");
        assert_eq!(below("https://x.example/v1/", "a/../b?c#d"), "https://x.example/v1/users/a%2F..%2Fb%3Fc%23d");
    }
}
