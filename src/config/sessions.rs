//! `[sessions]`: the short-lived tokens that the gate makes for widgets (authentication.md section 8).

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    database::SecretText,
    issuers::Algorithm,
    key::{Key, Kind, key},
    problem::Findings,
    quantity::{show_duration, show_seconds},
    secret::{REDACTED, Secret},
    telemetry::one_of,
};
use crate::adapters::auth::sessions::SessionKey;

pub(super) const KEYS: &[Key] = &[
    key("sessions.issuer", Kind::Text),
    key("sessions.audience", Kind::Text),
    key("sessions.ttl_seconds", Kind::Duration),
    key("sessions.algorithm", Kind::Text),
    key(KEY, Kind::Secret),
];

const KEY: &str = "sessions.key";
const ALGORITHMS: [Algorithm; 4] = [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

/// The tokens of widgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsConfig {
    /// Their `iss`, which no issuer has.
    pub issuer: String,
    /// Their `aud`.
    pub audience: String,
    /// How long they live at most.
    pub ttl: SignedDuration,
    /// How they are signed: HS256, RS256, ES256 or `EdDSA`.
    pub algorithm: Algorithm,
    /// What they are signed with: a secret for HS256, else a private key in PEM or as a JWK. Without it the process makes a
    /// secret up, or, where it may have replicas, there are no sessions.
    pub key: Option<Secret>,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            issuer: "tidegate".to_owned(),
            audience: "chatkit".to_owned(),
            ttl: SignedDuration::from_secs(300),
            algorithm: Algorithm::Hs256,
            key: None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    issuer: Option<String>,
    audience: Option<String>,
    ttl_seconds: Option<SignedDuration>,
    algorithm: Option<String>,
    key: Option<SecretText>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> SessionsConfig {
        let default = SessionsConfig::default();
        let algorithm = self
            .algorithm
            .and_then(|text| findings.take("sessions.algorithm", parse_algorithm(&text)))
            .unwrap_or(default.algorithm);
        SessionsConfig {
            issuer: self
                .issuer
                .and_then(|text| findings.take("sessions.issuer", not_empty(text)))
                .unwrap_or(default.issuer),
            audience: self
                .audience
                .and_then(|text| findings.take("sessions.audience", not_empty(text)))
                .unwrap_or(default.audience),
            ttl: self
                .ttl_seconds
                .and_then(|ttl| findings.take("sessions.ttl_seconds", parse_ttl(ttl)))
                .unwrap_or(default.ttl),
            algorithm,
            key: self.key.and_then(|text| findings.take(KEY, parse_key(algorithm, text.expose()))),
        }
    }
}

fn parse_algorithm(text: &str) -> Result<Algorithm, String> {
    let found = ALGORITHMS.into_iter().find(|algorithm| algorithm.as_str() == text);
    found.ok_or_else(|| one_of(text, &ALGORITHMS.map(Algorithm::as_str)))
}

fn not_empty(text: String) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text) }
}

fn parse_ttl(ttl: SignedDuration) -> Result<SignedDuration, String> {
    if (SignedDuration::from_secs(1)..=SignedDuration::from_hours(24)).contains(&ttl) {
        return Ok(ttl);
    }
    Err(format!("must lie between a second and a day, not {}", show_duration(ttl)))
}

/// Whether the key signs by the algorithm. No message shows it.
fn parse_key(algorithm: Algorithm, text: &str) -> Result<Secret, String> {
    let key = SessionKey::parse(algorithm.as_str(), text).map_err(|error| error.to_string())?;
    drop(key);
    Ok(Secret::new(text))
}

impl SessionsConfig {
    /// What sessions are signed with.
    pub(super) fn session_key(&self) -> Option<SessionKey> {
        SessionKey::parse(self.algorithm.as_str(), self.key.as_ref()?.expose()).ok()
    }
}

impl SessionsConfig {
    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("sessions.issuer", json!(self.issuer)),
            ("sessions.audience", json!(self.audience)),
            ("sessions.ttl_seconds", show_seconds(self.ttl)),
            ("sessions.algorithm", json!(self.algorithm.as_str())),
            (KEY, json!(self.key.as_ref().map(|_| REDACTED))),
        ]
    }
}
