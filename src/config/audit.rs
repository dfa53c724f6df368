//! `[audit]`: what keeps the chain of what happened (authentication.md section 9).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    database::SecretText,
    key::{Key, Kind, key},
    problem::Findings,
    secret::{REDACTED, Secret},
};

pub(super) const KEYS: &[Key] = &[key(KEY, Kind::Secret)];

const KEY: &str = "audit.key";
/// As long as what it makes: HMAC-SHA256.
const LEAST: usize = 32;

/// What keeps the chain of what happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditConfig {
    /// Chains the entries by HMAC-SHA256: who has it can write another past.
    pub key: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    key: Option<SecretText>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> AuditConfig {
        let Some(key) = self.key else { return AuditConfig::default() };
        if key.expose().len() < LEAST {
            findings.refuse(KEY, "must have at least 32 bytes; `openssl rand -base64 32` makes a good one");
        }
        AuditConfig { key: Some(Secret::new(key.expose())) }
    }
}

impl AuditConfig {
    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        vec![(KEY, json!(self.key.as_ref().map(|_| REDACTED)))]
    }
}
