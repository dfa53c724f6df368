//! `[audit]`: the chain of the audit.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    database::SecretText,
    key::{Key, Kind, key},
    problem::Findings,
};
use crate::app::audit::AuditKey;

const KEY: &str = "audit.key";
const REDACTED: &str = "[redacted]";

pub(super) const KEYS: &[Key] = &[key(KEY, Kind::Secret)];

/// From how many characters on nobody guesses a key.
const GOOD: usize = 32;

/// The chain of the audit.
#[derive(Debug, Clone, Default)]
pub struct AuditConfig {
    key: Option<SecretString>,
}

impl PartialEq for AuditConfig {
    fn eq(&self, other: &Self) -> bool {
        self.key.as_ref().map(ExposeSecret::expose_secret) == other.key.as_ref().map(ExposeSecret::expose_secret)
    }
}

impl AuditConfig {
    /// What the chain is made under.
    pub fn key(&self) -> AuditKey {
        AuditKey::new(self.key.clone())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    key: Option<SecretText>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> AuditConfig {
        let key = self.key.as_ref().map(SecretText::expose);
        if key == Some("") {
            findings.refuse(KEY, "must not be empty; `openssl rand -base64 32` makes a good one");
        } else if key.is_some_and(|key| key.chars().count() < GOOD) {
            findings.warn(KEY, "has under 32 characters; `openssl rand -base64 32` makes a good one");
        }
        AuditConfig { key: key.map(SecretString::from) }
    }
}

impl AuditConfig {
    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        vec![(KEY, json!(self.key.as_ref().map(|_| REDACTED)))]
    }
}
