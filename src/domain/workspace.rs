//! The tenancy unit.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;

use super::text::{InvalidText, Name};

/// A workspace's id: a slug, `[a-z0-9][a-z0-9_-]{0,62}`, case-folded on input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceId(String);

impl WorkspaceId {
    /// Reads a slug, folding its case.
    ///
    /// # Errors
    /// [`InvalidText`] when the text is no slug.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let folded = text.to_ascii_lowercase();
        let mut characters = folded.chars();
        let head = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let tail = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if head && tail && folded.len() <= 63 {
            Ok(Self(folded))
        } else {
            Err(InvalidText::new("must be 1 to 63 of a-z, 0-9, _ and -, and begin with a letter or digit"))
        }
    }

    /// The slug.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Texts one after the other, each behind its length, so that none runs into its neighbour: what ids are hashed from.
pub(crate) fn length_prefixed(parts: &[&str]) -> String {
    parts.iter().flat_map(|part| [part.len().to_string(), ":".to_owned(), (*part).to_owned()]).collect()
}

/// A workspace: everything on an engine belongs to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its slug.
    pub id: WorkspaceId,
    /// What people call it.
    pub name: Name,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which workspaces a caller reaches. An enum, so that an empty set never means "all".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WorkspaceAccess {
    /// Every workspace, also those that come later.
    All,
    /// These and no others.
    Only(BTreeSet<WorkspaceId>),
}

impl WorkspaceAccess {
    /// No workspace at all.
    pub const fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether this workspace is among them.
    pub fn contains(&self, id: &WorkspaceId) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(id),
        }
    }

    /// What both reach.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, some) | (some, Self::All) => some.clone(),
            (Self::Only(mine), Self::Only(theirs)) => Self::Only(mine.intersection(theirs).cloned().collect()),
        }
    }

    /// Whether all that `other` reaches is reached here.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(mine), Self::Only(theirs)) => theirs.is_subset(mine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_slugs_and_fold_their_case() {
        assert_eq!(WorkspaceId::parse("Demo").map(|id| id.to_string()), Ok("demo".to_owned()));
        for bad in ["", "-a", "_a", "a b", "ä", "a/b", &"a".repeat(64)] {
            assert!(WorkspaceId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(WorkspaceId::parse(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn nothing_covers_more_than_it_reaches() -> Result<(), InvalidText> {
        let demo = WorkspaceId::parse("demo")?;
        let only = WorkspaceAccess::Only(BTreeSet::from([demo.clone()]));
        assert!(WorkspaceAccess::All.covers(&only) && only.covers(&WorkspaceAccess::none()));
        assert!(!only.covers(&WorkspaceAccess::All) && !WorkspaceAccess::none().contains(&demo));
        Ok(())
    }
}
