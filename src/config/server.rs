//! `[server]`: where the gate listens, and the bounds of a request.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{
    key::{Key, Kind, key},
    problem::Findings,
    quantity::{show_duration, show_size},
};

pub(super) const KEYS: &[Key] = &[
    key("server.bind", Kind::Text),
    key("server.public_url", Kind::Text),
    key("server.max_connections", Kind::Integer),
    key("server.max_connections_per_address", Kind::Integer),
    key("server.stall_timeout", Kind::Duration),
    key("server.cors_allow_origins", Kind::Texts),
    key("server.body_limit", Kind::Size),
    key("server.request_timeout", Kind::Duration),
    key("server.shutdown_grace", Kind::Duration),
    key("server.trusted_proxies", Kind::Texts),
];

/// Where the gate listens, and the bounds of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The address to listen on; port 0 lets the system choose one.
    pub bind: SocketAddr,
    /// Where clients reach the gate, when a proxy stands before it.
    pub public_url: Option<Url>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many connections are open at once; 0: as many as the limit of open files has room for.
    pub max_connections: usize,
    /// The same from one address; 0: half of them.
    pub max_connections_per_address: usize,
    /// How long a client may read nothing of what it has asked for.
    pub stall_timeout: Duration,
    /// Origins whose pages may call the API: `*` or `https://app.example.org`.
    pub cors_allow_origins: Vec<String>,
    /// The most bytes that a request's body may have.
    pub body_limit: usize,
    /// How long a request may take, besides the wait that it asks for.
    pub request_timeout: Duration,
    /// How long running requests may go on once the gate is told to stop.
    pub shutdown_grace: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            public_url: None,
            trusted_proxies: Vec::new(),
            max_connections: 0,
            max_connections_per_address: 0,
            stall_timeout: Duration::from_secs(30),
            cors_allow_origins: Vec::new(),
            body_limit: 4 << 20,
            request_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    bind: Option<String>,
    public_url: Option<String>,
    trusted_proxies: Option<Vec<String>>,
    max_connections: Option<i64>,
    max_connections_per_address: Option<i64>,
    stall_timeout: Option<SignedDuration>,
    cors_allow_origins: Option<Vec<String>>,
    body_limit: Option<i64>,
    request_timeout: Option<SignedDuration>,
    shutdown_grace: Option<SignedDuration>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> ServerConfig {
        let default = ServerConfig::default();
        let origins = self.cors_allow_origins.unwrap_or_default();
        let trusted_proxies: Vec<_> = self
            .trusted_proxies
            .unwrap_or_default()
            .iter()
            .filter_map(|text| findings.take("server.trusted_proxies", parse_net(text)))
            .collect();
        if trusted_proxies.iter().any(|net| net.prefix_len() == 0) {
            let message = "trusts everybody: any client can say that it is another, and escape every limit by address";
            findings.warn("server.trusted_proxies", message);
        }
        ServerConfig {
            bind: self.bind.and_then(|text| findings.take("server.bind", parse_bind(&text))).unwrap_or(default.bind),
            public_url: self.public_url.and_then(|text| findings.take("server.public_url", parse_public_url(&text))),
            trusted_proxies,
            max_connections: count(findings, "server.max_connections", self.max_connections),
            max_connections_per_address: count(
                findings,
                "server.max_connections_per_address",
                self.max_connections_per_address,
            ),
            stall_timeout: self
                .stall_timeout
                .and_then(|time| findings.take("server.stall_timeout", within(time, 1, 3_600)))
                .unwrap_or(default.stall_timeout),
            cors_allow_origins: origins
                .iter()
                .filter_map(|text| findings.take("server.cors_allow_origins", parse_origin(text)))
                .collect(),
            body_limit: self
                .body_limit
                .and_then(|bytes| findings.take("server.body_limit", parse_limit(bytes)))
                .unwrap_or(default.body_limit),
            request_timeout: self
                .request_timeout
                .and_then(|time| findings.take("server.request_timeout", within(time, 1, 3_600)))
                .unwrap_or(default.request_timeout),
            shutdown_grace: self
                .shutdown_grace
                .and_then(|time| findings.take("server.shutdown_grace", within(time, 0, 3_600)))
                .unwrap_or(default.shutdown_grace),
        }
    }
}

impl ServerConfig {
    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        let show = |time: Duration| SignedDuration::try_from(time).map_or_else(|_| format!("{time:?}"), show_duration);
        vec![
            ("server.bind", json!(self.bind)),
            ("server.public_url", json!(self.public_url.as_ref().map(Url::as_str))),
            ("server.trusted_proxies", self.trusted_proxies.iter().map(IpNet::to_string).collect()),
            ("server.max_connections", json!(self.max_connections)),
            ("server.max_connections_per_address", json!(self.max_connections_per_address)),
            ("server.stall_timeout", json!(show(self.stall_timeout))),
            ("server.cors_allow_origins", json!(self.cors_allow_origins)),
            ("server.body_limit", json!(show_size(self.body_limit))),
            ("server.request_timeout", json!(show(self.request_timeout))),
            ("server.shutdown_grace", json!(show(self.shutdown_grace))),
        ]
    }
}

fn parse_bind(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        format!("must be an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080, not {text:?}")
    })
}

fn parse_public_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty())
        .ok_or_else(|| "must be an http or https URL without credentials, such as https://gate.example.org".to_owned())
}

/// An address, or a net in the notation of CIDR.
fn parse_net(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.ok_or_else(|| format!("must hold addresses or nets such as 10.0.0.0/8 or fd00::/8, not {text:?}"))
}

/// Takes `*`, or an origin as browsers send it: scheme, host and port, and nothing after them.
fn parse_origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let refused = || format!("must hold * or origins such as https://app.example.org, without a path, not {text:?}");
    let url = Url::parse(text).map_err(|_| refused())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let origin = url.origin();
    if bare && origin.is_tuple() { Ok(origin.ascii_serialization()) } else { Err(refused()) }
}

fn parse_limit(bytes: i64) -> Result<usize, String> {
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| (1_024..=1 << 30).contains(bytes))
        .ok_or_else(|| format!("must lie between 1 KiB and 1 GiB, not {bytes} B"))
}

fn count(findings: &mut Findings, key: &'static str, given: Option<i64>) -> usize {
    let parse = |number: i64| {
        let fits = usize::try_from(number).ok().filter(|number| *number <= 1_000_000);
        fits.ok_or_else(|| format!("must lie between 0 and 1000000, not {number}"))
    };
    given.and_then(|number| findings.take(key, parse(number))).unwrap_or(0)
}

fn within(time: SignedDuration, least: u64, most: u64) -> Result<Duration, String> {
    Duration::try_from(time)
        .ok()
        .filter(|time| (Duration::from_secs(least)..=Duration::from_secs(most)).contains(time))
        .ok_or_else(|| format!("must lie between {least} and {most} seconds, not {}", show_duration(time)))
}
