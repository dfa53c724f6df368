//! Values as they are stored, and back.

use jiff::Timestamp;
use sea_orm::sea_query::Expr;
use serde::{Serialize, de::DeserializeOwned};

use super::error::corrupt;
use crate::{
    domain::{
        engine::EngineName,
        execution::ExecutionStatus,
        identity::IdentityKind,
        text::{Key, Name, Remark},
        user::{IssuerName, UserId},
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::repository::RepositoryError,
};

type Read<T> = Result<T, RepositoryError>;

/// Microseconds since 1970: what both databases keep of a time.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The microseconds of the moment at which Postgres began the statement (a stable value, fit for index look-ups).
pub(super) fn now_in_database() -> Expr {
    Expr::cust("CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS bigint)")
}

/// The microseconds of the moment at which the database runs the statement.
pub(super) fn time_of_database(postgres: bool) -> Expr {
    if postgres { now_in_database() } else { Expr::cust("CAST(unixepoch('subsec') * 1000000 AS integer)") }
}

/// Through seconds and nanoseconds: `Timestamp::from_microsecond` cannot read the last second that a timestamp can name,
/// where ends that no clock reaches are cut off.
pub(super) fn time(stored: i64) -> Read<Timestamp> {
    let unreadable = || corrupt("time");
    let nanos = stored.rem_euclid(1_000_000).saturating_mul(1_000);
    let nanos = i32::try_from(nanos).map_err(|_| unreadable())?;
    Timestamp::new(stored.div_euclid(1_000_000), nanos).map_err(|_| unreadable())
}

pub(super) fn time_if(stored: Option<i64>) -> Read<Option<Timestamp>> {
    stored.map(time).transpose()
}

/// A count or number, as the databases keep it.
pub(super) fn number(count: u64) -> Read<i64> {
    i64::try_from(count).map_err(|_| corrupt("number"))
}

/// A number that fits, whatever its type.
pub(super) fn count<T: TryFrom<i64>>(stored: i64) -> Read<T> {
    T::try_from(stored).map_err(|_| corrupt("number"))
}

/// How many rows a statement touched.
pub(super) fn touched(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Read<String> {
    serde_json::to_string(value).map_err(|_| corrupt("document"))
}

pub(super) fn unjson<T: DeserializeOwned>(stored: &str) -> Read<T> {
    serde_json::from_str(stored).map_err(|_| corrupt("document"))
}

pub(super) fn hash(stored: Vec<u8>) -> Read<[u8; 32]> {
    stored.try_into().map_err(|_| corrupt("hash"))
}

pub(super) fn workspace(stored: &str) -> Read<WorkspaceId> {
    WorkspaceId::parse(stored).map_err(|_| corrupt("workspace id"))
}

pub(super) fn engine(stored: &str) -> Read<EngineName> {
    EngineName::parse(stored).map_err(|_| corrupt("engine name"))
}

pub(super) fn name(stored: String) -> Read<Name> {
    Name::parse(stored).map_err(|_| corrupt("name"))
}

pub(super) fn key(stored: String) -> Read<Key> {
    Key::parse(stored).map_err(|_| corrupt("key"))
}

pub(super) fn key_if(stored: Option<String>) -> Read<Option<Key>> {
    stored.map(key).transpose()
}

/// A key as text, where there is one.
pub(super) fn text(key: Option<&Key>) -> Option<String> {
    key.map(|key| key.as_str().to_owned())
}

pub(super) fn remark_if(stored: Option<String>) -> Read<Option<Remark>> {
    stored.map(|text| Remark::parse(text).map_err(|_| corrupt("text"))).transpose()
}

pub(super) fn identity_kind(stored: &str) -> Read<IdentityKind> {
    IdentityKind::parse(stored).ok_or_else(|| corrupt("kind of caller"))
}

pub(super) fn issuer(stored: &str) -> Read<IssuerName> {
    IssuerName::parse(stored).map_err(|_| corrupt("issuer's name"))
}

/// A person, who is kept as issuer and subject.
pub(super) fn user(stored_issuer: &str, subject: String) -> Read<UserId> {
    UserId::new(issuer(stored_issuer)?, subject).map_err(|_| corrupt("user's id"))
}

pub(super) fn status(stored: &str) -> Read<ExecutionStatus> {
    ExecutionStatus::parse(stored).ok_or_else(|| corrupt("status"))
}

/// The condition that a column of workspace ids lies within what a caller reaches; `None`: no condition.
pub(super) fn within(column: impl sea_orm::ColumnTrait, access: &WorkspaceAccess) -> Option<Expr> {
    match access {
        WorkspaceAccess::All => None,
        WorkspaceAccess::Only(ids) => Some(column.is_in(ids.iter().map(WorkspaceId::as_str))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_that_is_stored_can_be_read() {
        for at in [Timestamp::MAX, Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::from_microsecond(-1).unwrap()] {
            assert_eq!(time(micros(at)).map(micros).ok(), Some(micros(at)), "{at}");
        }
    }
}
