//! `[database]`: where everything is kept.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{
    key::{Key, Kind, key},
    problem::Findings,
};

pub(super) const KEYS: &[Key] = &[key("database.url", Kind::Url), key("database.max_connections", Kind::Integer)];

const SCHEMES: &[&str] = &["sqlite", "postgres", "postgresql", "memory"];

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
        Self { url: DatabaseUrl::new("sqlite://data/tidegate.db"), max_connections: 10 }
    }
}

/// `sqlite://<path>`, `postgres://…` or `memory:`. `Debug` and `Display` leave out its password.
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let scheme = text.split(':').next().unwrap_or_default();
        if !text.contains(':') || !SCHEMES.contains(&scheme) {
            return Err("must begin with sqlite://, postgres:// or memory:".to_owned());
        }
        if scheme.starts_with("postgres") && Url::parse(text).is_err() {
            return Err("is no URL; a password with special characters must be percent-encoded".to_owned());
        }
        Ok(Self::new(text))
    }

    /// The whole URL: for connecting, never for a log or an error.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
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
        let text = self.expose();
        let Some(rest) = text.split_once("://").filter(|(scheme, _)| scheme.starts_with("postgres")) else {
            return f.write_str(text);
        };
        let (scheme, rest) = rest;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let rest = match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user.to_owned(), |(user, _)| format!("{user}:[redacted]"));
                format!("{user}@{host}")
            }
            None => rest.to_owned(),
        };
        write!(f, "{scheme}://{rest}")?;
        // A password may stand among the parameters too: of those only the names are shown.
        query.map_or(Ok(()), |query| {
            let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
            write!(f, "?{}", names.map(|name| format!("{name}=…")).collect::<Vec<_>>().join("&"))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (given, shown) in [
            ("postgres://ada:s3cret@db:5432/gate", "postgres://ada:[redacted]@db:5432/gate"),
            (
                "postgres://ada:s3@cret@db/gate?sslmode=require&password=x",
                "postgres://ada:[redacted]@db/gate?sslmode=…&password=…",
            ),
            ("postgres://ada@db/gate", "postgres://ada@db/gate"),
            ("sqlite://data/tidegate.db", "sqlite://data/tidegate.db"),
            ("memory:", "memory:"),
        ] {
            assert_eq!(DatabaseUrl::new(given).to_string(), shown);
        }
    }
}
