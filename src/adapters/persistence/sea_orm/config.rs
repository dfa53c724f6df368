//! Where the database is.

use std::{fmt, path::PathBuf};

use sea_orm::sqlx::postgres::PgConnectOptions;
use url::Url;

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How many connections at most; on SQLite those that read, beside the one that writes.
    pub max_connections: u32,
    /// Whose time decides about locks and due times.
    pub clock: DatabaseClock,
}

impl DatabaseConfig {
    /// The database of that URL, with defaults for all else.
    pub fn new(url: DatabaseUrl) -> Self {
        Self { url, max_connections: 16, clock: DatabaseClock::default() }
    }
}

/// Whose time decides about locks and due times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DatabaseClock {
    /// The database's on Postgres, so that replicas agree; the caller's on SQLite, which has one gateway.
    #[default]
    Database,
    /// The caller's: for tests that set it.
    Given,
}

/// A database's URL. Neither `Debug` nor `Display` shows its password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// `sqlite://path`, absolute with a third slash.
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database`.
    Postgres(Box<PostgresUrl>),
}

/// A Postgres URL.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(super) options: PgConnectOptions,
    shown: String,
}

/// Not the URL of a database that the gate can use. Never shows what was given: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDatabaseUrl(&'static str);

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`InvalidDatabaseUrl`] when it is neither SQLite's nor Postgres's.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return sqlite(rest.strip_prefix("//").unwrap_or(rest));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text);
        }
        Err(InvalidDatabaseUrl("must begin with sqlite:// or postgres://"))
    }
}

fn sqlite(path: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    match path {
        "" => Err(InvalidDatabaseUrl("names no file: sqlite://data/tidegate.db, say")),
        ":memory:" => Err(InvalidDatabaseUrl("must be memory: for a store that ends with the process")),
        path if path.contains(['?', '#', '\0']) => Err(InvalidDatabaseUrl("must be a path, without ? and #")),
        path => Ok(DatabaseUrl::Sqlite(PathBuf::from(path))),
    }
}

fn postgres(text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    let invalid = InvalidDatabaseUrl("must be postgres://user:password@host:port/database");
    let mut shown = Url::parse(text).map_err(|_| invalid)?;
    let options = text.parse().map_err(|_| invalid)?;
    if shown.password().is_some() {
        shown.set_password(Some("***")).map_err(|()| invalid)?;
    }
    shown.set_query(None); // a password may stand there too
    Ok(DatabaseUrl::Postgres(Box::new(PostgresUrl { options, shown: shown.to_string() })))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&url.shown),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url = DatabaseUrl::parse("postgres://ada:s3cret@db.example:5433/gate?password=s3cret").unwrap();
        assert_eq!(url.to_string(), "postgres://ada:***@db.example:5433/gate");
        assert!(!format!("{:?}", DatabaseConfig::new(url)).contains("s3cret"));
    }

    #[test]
    fn a_file_is_relative_or_absolute() {
        for (text, path) in [("sqlite://data/t.db", "data/t.db"), ("sqlite:///srv/t.db", "/srv/t.db")] {
            assert!(matches!(DatabaseUrl::parse(text), Ok(DatabaseUrl::Sqlite(found)) if found == Path::new(path)));
        }
        for bad in ["sqlite://", "sqlite::memory:", "sqlite://t.db?mode=rwc", "mysql://h/d", "postgres://", ""] {
            assert!(DatabaseUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
