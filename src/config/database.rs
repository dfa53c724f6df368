//! `[database]`: where everything is kept.

use std::{fmt, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::adapters::persistence::sea_orm::DatabaseUrl as StoredUrl;

use super::{
    key::{Key, Kind, key},
    problem::Findings,
};

pub(super) const KEYS: &[Key] = &[key("database.url", Kind::Url), key("database.max_connections", Kind::Integer)];

/// Everything ends with the process.
const MEMORY: &str = "memory:";

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// Which database.
    pub url: DatabaseUrl,
    /// The most connections to hold at once.
    pub max_connections: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        let file = "data/tidegate.db";
        let url = DatabaseUrl {
            text: SecretString::from(format!("sqlite://{file}")),
            stored: Some(StoredUrl::Sqlite(PathBuf::from(file))),
        };
        Self { url, max_connections: 16 }
    }
}

/// `sqlite://<path>`, `postgres://…` or `memory:`. `Debug` and `Display` leave out its password.
#[derive(Clone)]
pub struct DatabaseUrl {
    text: SecretString,
    stored: Option<StoredUrl>,
}

impl DatabaseUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let stored = if text.starts_with(MEMORY) {
            None
        } else if ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme)) {
            Some(StoredUrl::parse(text).map_err(|error| error.to_string())?)
        } else {
            return Err("must begin with sqlite://, postgres:// or memory:".to_owned());
        };
        Ok(Self { text: SecretString::from(text), stored })
    }

    /// The whole URL: for connecting, never for a log or an error.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Which database it is; `None`: none, everything ends with the process.
    pub const fn stored(&self) -> Option<&StoredUrl> {
        self.stored.as_ref()
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for DatabaseUrl {}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stored {
            Some(stored) => stored.fmt(f),
            None => f.write_str(MEMORY),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    url: Option<SecretText>,
    max_connections: Option<i64>,
}

/// Text that `Debug` hides.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct SecretText(String);

impl SecretText {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> DatabaseConfig {
        let default = DatabaseConfig::default();
        DatabaseConfig {
            url: self
                .url
                .and_then(|text| findings.take("database.url", DatabaseUrl::parse(text.expose())))
                .unwrap_or(default.url),
            max_connections: self
                .max_connections
                .and_then(|number| findings.take("database.max_connections", parse_connections(number)))
                .unwrap_or(default.max_connections),
        }
    }
}

fn parse_connections(number: i64) -> Result<u32, String> {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=1_000).contains(number))
        .ok_or_else(|| format!("must lie between 1 and 1000, not {number}"))
}

impl DatabaseConfig {
    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        vec![("database.url", json!(self.url.to_string())), ("database.max_connections", json!(self.max_connections))]
    }
}
