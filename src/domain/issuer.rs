//! What the tokens of a configured issuer can come to (authentication.md sections 1 and 3).

use std::collections::BTreeMap;

use jiff::SignedDuration;
use wildmatch::WildMatch;

use super::{
    claims::ClaimPaths,
    scope::{Scope, Scopes},
    user::IssuerName,
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// What happens at the first sight of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provision {
    /// They become a user with a workspace of their own.
    Workspace,
    /// They become a user.
    User,
    /// Only who is a member of some workspace, or known already, comes in.
    None,
}

/// The workspaces that an issuer's claims may name: globs of ids.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspaceGlobs(Vec<WildMatch>);

impl WorkspaceGlobs {
    /// These globs: `*` stands for any characters, `?` for one.
    pub fn new<'a>(globs: impl IntoIterator<Item = &'a str>) -> Self {
        Self(globs.into_iter().map(WildMatch::new).collect())
    }

    /// The globs, as they were given.
    pub fn globs(&self) -> Vec<String> {
        self.0.iter().map(WildMatch::pattern).collect()
    }

    /// Whether a claim may name it.
    pub fn allow(&self, workspace: &WorkspaceId) -> bool {
        self.0.iter().any(|glob| glob.matches(workspace.as_str()))
    }
}

/// What an issuer's tokens can come to.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerPolicy {
    /// Its configured name.
    pub name: IssuerName,
    /// What happens at the first sight of a person.
    pub provision: Provision,
    /// Added to the scopes of roles, where a token states no scopes.
    pub default_scopes: Scopes,
    /// Where people are who never had a membership, and whose token names no workspace.
    pub default_workspaces: WorkspaceAccess,
    /// The scopes of role claims.
    pub role_scopes: BTreeMap<String, Scopes>,
    /// No token of the issuer's ever has more.
    pub max_scopes: Scopes,
    /// A token that states no scope, and whose roles and the `default_scopes` come to none, has none. Otherwise a person with
    /// such a token is bounded by `max_scopes` and by what they have in their workspaces.
    pub requires_scopes: bool,
    /// The workspaces that its claims may name.
    pub allowed_workspaces: WorkspaceGlobs,
    /// Where else than by their usual names claims are found: `claims.roles = ["realm_access.roles"]` and the like.
    pub claims: ClaimPaths,
    /// Longer-lived tokens are refused: a revocation needs to be kept no longer than this.
    pub max_token_life: SignedDuration,
}

impl IssuerPolicy {
    /// The defaults.
    pub fn new(name: IssuerName, provision: Provision) -> Self {
        Self {
            name,
            provision,
            default_scopes: Scopes::new(),
            default_workspaces: WorkspaceAccess::none(),
            role_scopes: BTreeMap::new(),
            max_scopes: Scope::ALL.iter().copied().filter(|scope| !scope.is_admin()).collect(),
            requires_scopes: false,
            allowed_workspaces: WorkspaceGlobs::new(["*"]),
            claims: ClaimPaths::default(),
            max_token_life: SignedDuration::from_hours(24),
        }
    }
}
