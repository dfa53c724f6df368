//! What the databases answer, as the port's errors.

use std::{borrow::Cow, path::PathBuf};

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::ports::repository::RepositoryError;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Another gateway works on this file.
    #[error("another gateway uses {path}; stop it first", path = .0.display())]
    InUse(PathBuf),
    /// There is no such file, and whoever only reads makes none.
    #[error("there is no database {path}", path = .0.display())]
    Missing(PathBuf),
    /// The schema is older than this program: whoever only reads changes none.
    #[error("the database was made by an older version; start the gateway once to bring it up to date")]
    Outdated,
    /// The file or its folder cannot be made or opened.
    #[error("{path} cannot be opened", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database does not answer, or refuses.
    #[error("the database cannot be opened")]
    Database(#[source] DbErr),
    /// The schema cannot be brought up to date.
    #[error("the database's schema cannot be brought up to date")]
    Migration(#[source] DbErr),
}

/// Sorts a database's answer into what the caller can do about it.
pub(super) fn sorted(error: DbErr) -> RepositoryError {
    if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
        return RepositoryError::Conflict;
    }
    match code(&error).as_deref() {
        // serialization_failure, deadlock_detected
        Some("40001" | "40P01") => return RepositoryError::Serialization,
        // read_only_sql_transaction
        Some("25006") => return RepositoryError::ReadOnly,
        _ => {}
    }
    match error {
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => RepositoryError::Corrupt { what: "row" },
        DbErr::Query(RuntimeErr::SqlxError(ref source))
            if matches!(**source, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) =>
        {
            RepositoryError::Corrupt { what: "row" }
        }
        other => RepositoryError::Unavailable(Box::new(other)),
    }
}

/// The SQLSTATE, or SQLite's result code.
fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))
    | DbErr::Conn(RuntimeErr::SqlxError(source))) = error
    else {
        return None;
    };
    match &**source {
        sqlx::Error::Database(database) => database.code().map(Cow::into_owned),
        _ => None,
    }
}

/// That a stored value cannot be read back.
pub(super) const fn corrupt(what: &'static str) -> RepositoryError {
    RepositoryError::Corrupt { what }
}
