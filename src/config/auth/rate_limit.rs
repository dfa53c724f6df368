//! `[auth.rate_limit]`: how many failures are judged (authentication.md section 6).

use std::ops::RangeInclusive;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    database::SecretText,
    key::{Key, Kind, key},
    problem::Findings,
    quantity::{show_duration, show_seconds},
    secret::REDACTED,
    telemetry::one_of,
};
use crate::adapters::rate_limit::redis::RedisLimiter;

pub(in crate::config) const KEYS: &[Key] = &[
    key(KIND, Kind::Text),
    key(IP, Kind::Integer),
    key(IDENTITY, Kind::Integer),
    key(INTERVAL, Kind::Duration),
    key(REDIS_URL, Kind::Url),
];

const KIND: &str = "auth.rate_limit.kind";
const IP: &str = "auth.rate_limit.ip";
const IDENTITY: &str = "auth.rate_limit.identity";
const INTERVAL: &str = "auth.rate_limit.interval_seconds";
const REDIS_URL: &str = "auth.rate_limit.redis_url";

/// A limit above holds nobody back, and each failure below it is remembered.
const MOST_FAILURES: u32 = 1_000_000;
/// Redis counts in milliseconds, and keeps what is counted for as long.
const INTERVALS: RangeInclusive<SignedDuration> = SignedDuration::from_millis(100)..=SignedDuration::from_hours(24);

/// How failures are limited: so many within the interval.
#[derive(Debug, Clone)]
pub struct RateLimitConfig {
    /// Where they are counted.
    pub kind: RateLimitKind,
    /// Failures of one address; 0: not limited.
    pub ip: u32,
    /// Failures of one identity; 0: not limited.
    pub identity: u32,
    /// The window.
    pub interval: SignedDuration,
}

/// Where failures are counted.
#[derive(Debug, Clone)]
pub enum RateLimitKind {
    /// By each replica for itself.
    Memory,
    /// By all replicas together, at this URL.
    Redis(SecretString),
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self { kind: RateLimitKind::Memory, ip: 60, identity: 30, interval: SignedDuration::from_secs(60) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    kind: Option<String>,
    ip: Option<i64>,
    identity: Option<i64>,
    interval_seconds: Option<SignedDuration>,
    redis_url: Option<SecretText>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> RateLimitConfig {
        let default = RateLimitConfig::default();
        let most = |key: &'static str, number: Option<i64>, findings: &mut Findings| {
            number.and_then(|number| findings.take(key, parse_failures(number)))
        };
        RateLimitConfig {
            ip: most(IP, self.ip, findings).unwrap_or(default.ip),
            identity: most(IDENTITY, self.identity, findings).unwrap_or(default.identity),
            interval: self
                .interval_seconds
                .and_then(|interval| findings.take(INTERVAL, parse_interval(interval)))
                .unwrap_or(default.interval),
            kind: judge_kind(self.kind.as_deref(), self.redis_url.as_ref(), findings).unwrap_or(default.kind),
        }
    }
}

/// The URL is judged where it has no effect, too: whoever switches over later shall know now.
fn judge_kind(kind: Option<&str>, url: Option<&SecretText>, findings: &mut Findings) -> Option<RateLimitKind> {
    let url = match url {
        Some(url) => Some(findings.take(REDIS_URL, parse_url(url.expose()))?),
        None => None,
    };
    match (kind, url) {
        (None | Some("memory"), _) => Some(RateLimitKind::Memory),
        (Some("redis"), Some(url)) => Some(RateLimitKind::Redis(url)),
        (Some("redis"), None) => {
            findings.refuse(KIND, "redis needs auth.rate_limit.redis_url");
            None
        }
        (Some(other), _) => {
            findings.refuse(KIND, one_of(other, &["memory", "redis"]));
            None
        }
    }
}

/// No message shows the URL: a password may be in it.
fn parse_url(text: &str) -> Result<SecretString, String> {
    let url = SecretString::from(text);
    RedisLimiter::at(&url, "").map_err(|error| error.to_string())?;
    Ok(url)
}

fn parse_failures(number: i64) -> Result<u32, String> {
    u32::try_from(number)
        .ok()
        .filter(|number| *number <= MOST_FAILURES)
        .ok_or_else(|| format!("must be 0 (not limited) or more, at most {MOST_FAILURES}, not {number}"))
}

fn parse_interval(interval: SignedDuration) -> Result<SignedDuration, String> {
    if INTERVALS.contains(&interval) {
        return Ok(interval);
    }
    Err(format!("must lie between 0.1 seconds and a day, not {}", show_duration(interval)))
}

impl RateLimitConfig {
    pub(super) fn entries(&self) -> [(&'static str, Value); 5] {
        let (kind, url) = match self.kind {
            RateLimitKind::Memory => ("memory", None),
            RateLimitKind::Redis(_) => ("redis", Some(REDACTED)),
        };
        [
            (KIND, json!(kind)),
            (IP, json!(self.ip)),
            (IDENTITY, json!(self.identity)),
            (INTERVAL, show_seconds(self.interval)),
            (REDIS_URL, json!(url)),
        ]
    }
}
