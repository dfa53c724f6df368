//! Where a page of a list ended, as text, and back.

use std::str::FromStr;

use jiff::Timestamp;

use crate::domain::{page::PageRequest, user::UserId};

/// A position that no list gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Foreign;

/// The place of something that sorts by a moment and then by its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimePosition {
    /// Microseconds since 1970.
    pub(super) micros: i64,
    /// The id.
    pub(super) id: String,
}

impl TimePosition {
    pub(super) fn new(at: Timestamp, id: impl Into<String>) -> Self {
        Self { micros: at.as_microsecond(), id: id.into() }
    }

    /// The text form.
    pub(super) fn text(&self) -> String {
        format!("{}/{}", self.micros, self.id)
    }
}

impl FromStr for TimePosition {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let (micros, id) = text.split_once('/').ok_or(Foreign)?;
        Ok(Self { micros: micros.parse().map_err(|_| Foreign)?, id: id.to_owned() })
    }
}

/// Where the page before ended, if there was one. A list that meets a position of no list has an empty page.
pub(super) fn below<T: FromStr>(page: &PageRequest) -> Result<Option<T>, Foreign> {
    page.after.as_ref().map(|after| after.0.parse().map_err(|_| Foreign)).transpose()
}

/// The place of something that has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberPosition(pub(super) u64);

impl NumberPosition {
    /// The text form.
    pub(super) fn text(self) -> String {
        self.0.to_string()
    }
}

impl FromStr for NumberPosition {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        text.parse().map(Self).map_err(|_| Foreign)
    }
}

/// The place of a member: since when, then who, the issuer first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberPosition {
    /// Microseconds since 1970.
    pub(super) micros: i64,
    /// Who.
    pub(super) user: UserId,
}

impl MemberPosition {
    pub(super) fn new(since: Timestamp, user: UserId) -> Self {
        Self { micros: since.as_microsecond(), user }
    }

    /// The text form.
    pub(super) fn text(&self) -> String {
        format!("{}/{}", self.micros, self.user)
    }
}

impl FromStr for MemberPosition {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let (micros, user) = text.split_once('/').ok_or(Foreign)?;
        let user = UserId::parse(user).map_err(|_| Foreign)?;
        Ok(Self { micros: micros.parse().map_err(|_| Foreign)?, user })
    }
}
