//! People: who they are to the gate, and what they are in workspaces.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    scope::Scope,
    text::InvalidText,
    workspace::{WorkspaceId, length_prefixed},
};

/// The configured name of an issuer: `[a-z0-9][a-z0-9_-]{0,62}`. Renaming an issuer changes who its people are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerName(String);

impl IssuerName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidText`] when the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let mut characters = text.chars();
        let head = characters.next().is_some_and(fits);
        if head && text.len() <= 63 && characters.all(|c| fits(c) || matches!(c, '_' | '-')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText::new("must be 1 to 63 of a-z, 0-9, _ and -, and begin with a letter or digit"))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a person is: the issuer that vouches for them, and its `sub`. On the wire `workos:user_01…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId {
    issuer: IssuerName,
    subject: String,
}

impl UserId {
    /// The person whom this issuer calls so.
    ///
    /// # Errors
    /// [`InvalidText`] when the subject is empty, longer than 255 characters, or holds U+0000.
    pub fn new(issuer: IssuerName, subject: impl Into<String>) -> Result<Self, InvalidText> {
        let subject = subject.into();
        if subject.is_empty() || subject.contains('\0') || subject.chars().count() > 255 {
            return Err(InvalidText::new("must have a subject of 1 to 255 characters behind the colon"));
        }
        Ok(Self { issuer, subject })
    }

    /// Reads `issuer:subject`.
    ///
    /// # Errors
    /// [`InvalidText`] when the text has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let (issuer, subject) = text
            .split_once(':')
            .ok_or_else(|| InvalidText::new("must be an issuer's configured name, a colon and a subject"))?;
        Self::new(IssuerName::parse(issuer)?, subject)
    }

    /// The issuer's configured name.
    pub const fn issuer(&self) -> &IssuerName {
        &self.issuer
    }

    /// What the issuer calls them.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The id of the workspace that they get at first sight: `u-` and 20 base32 characters of the SHA-256 of the
    /// length-prefixed (issuer name, `sub`).
    ///
    /// # Errors
    /// None in practice: it is a slug.
    pub fn default_workspace(&self) -> Result<WorkspaceId, InvalidText> {
        let digest = Sha256::digest(length_prefixed(&[self.issuer.as_str(), &self.subject]));
        let text: String = data_encoding::BASE32_NOPAD.encode(&digest).chars().take(DEFAULT_ID_LENGTH).collect();
        WorkspaceId::parse(&format!("{DEFAULT_ID_PREFIX}{text}"))
    }
}

/// What the id of a default workspace begins with, and how many characters of base32 follow.
const DEFAULT_ID_PREFIX: &str = "u-";
const DEFAULT_ID_LENGTH: usize = 20;

/// Whether an id has the form of a default workspace's: nobody makes such a one themselves, or they would lie in wait for
/// the person whose it is.
pub fn is_default_workspace(id: &WorkspaceId) -> bool {
    let rest = id.as_str().strip_prefix(DEFAULT_ID_PREFIX);
    rest.is_some_and(|text| {
        text.len() == DEFAULT_ID_LENGTH && text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'2'..=b'7'))
    })
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.issuer, self.subject)
    }
}

/// A person whom the gate has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// What they are called, as their issuer last said.
    pub username: Option<String>,
    /// Their verified mail address, likewise.
    pub email: Option<String>,
    /// When they were first seen.
    pub created_at: Timestamp,
}

/// What somebody is in a workspace; a later one holds all that an earlier one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Works.
    Member,
    /// Also sees to members and tokens.
    Admin,
    /// Also to owners.
    Owner,
}

impl Role {
    /// Every role, the lowest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether it sees to members.
    pub fn administers(self) -> bool {
        self >= Self::Admin
    }

    /// Whether the role gives this right. Instance-wide rights never come from a membership.
    pub const fn gives(self, scope: Scope) -> bool {
        match scope {
            Scope::WorkflowsRead => true,
            Scope::WorkflowsWrite
            | Scope::WorkflowsExecute
            | Scope::JobsWork
            | Scope::ChatkitSession
            | Scope::VaultRead => !matches!(self, Self::Viewer),
            Scope::ProcessImpersonate | Scope::VaultWrite | Scope::AdminTokensRead | Scope::AdminTokensWrite => {
                matches!(self, Self::Admin | Self::Owner)
            }
            Scope::AdminAuditRead | Scope::AdminWorkspacesWrite | Scope::AdminMetricsRead => false,
        }
    }
}

/// That somebody belongs to a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Who; they need not have been seen yet.
    pub user: UserId,
    /// Where.
    pub workspace: WorkspaceId,
    /// As what.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// What somebody is by their memberships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belonging {
    /// They never had one: their issuer's `default_workspaces` are for them.
    Never,
    /// What they are, and where; nothing, once the last one was taken away.
    As(BTreeMap<WorkspaceId, Role>),
}

impl Belonging {
    /// Whether they are a member of any workspace.
    pub fn is_anywhere(&self) -> bool {
        matches!(self, Self::As(roles) if !roles.is_empty())
    }

    /// Makes them a member.
    pub fn join(&mut self, workspace: WorkspaceId, role: Role) {
        match self {
            Self::Never => *self = Self::As(BTreeMap::from([(workspace, role)])),
            Self::As(roles) => drop(roles.insert(workspace, role)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_an_issuer_and_a_subject() {
        let id = UserId::parse("workos:user_01:x").unwrap();
        assert_eq!((id.issuer().as_str(), id.subject()), ("workos", "user_01:x"));
        assert_eq!(id.to_string(), "workos:user_01:x");
        for bad in ["", "workos", "workos:", ":sub", "Work os:sub"] {
            assert!(UserId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_default_workspace_is_a_persons_own() {
        let of = |text: &str| UserId::parse(text).unwrap().default_workspace().unwrap().to_string();
        assert_eq!(of("a:bc").len(), 22);
        assert!(of("a:bc").starts_with("u-") && of("a:bc") != of("ab:c"));
        assert!(is_default_workspace(&WorkspaceId::parse(&of("a:bc")).unwrap()));
        for free in ["u-", "u-demo", "v-aaaaaaaaaaaaaaaaaaaa", "u-aaaaaaaaaaaaaaaaaaa1", "u-aaaaaaaaaaaaaaaaaaaaa"] {
            assert!(!is_default_workspace(&WorkspaceId::parse(free).unwrap()), "{free}");
        }
    }

    #[test]
    fn roles_rise() {
        for scope in Scope::ALL {
            for pair in Role::ALL.windows(2) {
                assert!(!pair[0].gives(*scope) || pair[1].gives(*scope), "{scope}");
            }
        }
        assert!(Role::Member.gives(Scope::VaultRead) && !Role::Member.gives(Scope::VaultWrite));
    }
}
