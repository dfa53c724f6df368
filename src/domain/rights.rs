//! Rights per workspace: `rights(w) = ceiling ∩ grant(w)` (authentication.md section 3). Pure, so that whoever may do what
//! is a matter of these few functions.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    scope::{Scope, Scopes, all_scopes},
    user::{Belonging, Role},
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// What a caller may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    ceiling: Ceiling,
    grant: Grant,
    origin: Origin,
}

/// What a grant comes from: nothing is decided by it, but told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The credential names the workspaces.
    Credential,
    /// The caller's memberships.
    Memberships,
    /// The issuer's `default_workspaces`: the caller never had a membership.
    Defaults,
    /// What the person has to whom the credential belongs.
    Owner,
}

/// Nothing outside it is ever allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    scopes: Scopes,
    bounded: bool,
    stated: Scopes,
}

impl Ceiling {
    /// The token itself states these scopes.
    pub fn stated(scopes: Scopes) -> Self {
        Self { stated: scopes.clone(), scopes, bounded: true }
    }

    /// The token states none: its role claims and its issuer's defaults come to these.
    pub const fn derived(scopes: Scopes) -> Self {
        Self { scopes, bounded: true, stated: Scopes::new() }
    }

    /// Neither the token nor its issuer say anything: a person is bounded by their grants alone.
    pub fn open() -> Self {
        Self { scopes: all_scopes(), bounded: false, stated: Scopes::new() }
    }

    /// The same within an issuer's `max_scopes`.
    #[must_use]
    pub fn within(mut self, most: &Scopes) -> Self {
        self.scopes.retain(|scope| most.contains(scope));
        self.stated.retain(|scope| most.contains(scope));
        self
    }

    /// The scopes within it.
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The scopes that the token itself states: what an `admin:*` right in a named workspace needs.
    pub const fn stated_scopes(&self) -> &Scopes {
        &self.stated
    }
}

/// What a caller has in the workspaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The token, or the issuer's `default_workspaces`, name them: every workspace scope there, and the `admin:*` scopes
    /// that the token itself states.
    Named(WorkspaceAccess),
    /// The caller's memberships: what their role gives.
    Member(BTreeMap<WorkspaceId, Role>),
}

impl Grant {
    /// No workspace at all.
    pub const fn none() -> Self {
        Self::Member(BTreeMap::new())
    }

    /// The same in these workspaces only.
    #[must_use]
    pub fn within(self, access: &WorkspaceAccess) -> Self {
        match self {
            Self::Named(own) => Self::Named(own.intersection(access)),
            Self::Member(mut roles) => {
                roles.retain(|workspace, _| access.contains(workspace));
                Self::Member(roles)
            }
        }
    }
}

impl Rights {
    /// Both cut each other.
    pub const fn new(ceiling: Ceiling, grant: Grant) -> Self {
        let origin = match grant {
            Grant::Named(_) => Origin::Credential,
            Grant::Member(_) => Origin::Memberships,
        };
        Self { ceiling, grant, origin }
    }

    /// These scopes in these workspaces: a credential that states both.
    pub fn stated(scopes: Scopes, workspaces: WorkspaceAccess) -> Self {
        Self::new(Ceiling::stated(scopes), Grant::Named(workspaces))
    }

    /// No right at all.
    pub fn none() -> Self {
        Self::new(Ceiling::stated(Scopes::new()), Grant::none())
    }

    /// The same ceiling over what somebody's memberships give, or, for who never had one, their issuer's
    /// `default_workspaces`. Workspaces that the credential names decide alone.
    #[must_use]
    pub fn with_memberships(&self, belonging: &Belonging, defaults: &WorkspaceAccess) -> Self {
        if matches!(self.grant, Grant::Named(_)) {
            return self.clone();
        }
        let (grant, origin) = of_person(belonging, defaults);
        Self { ceiling: self.ceiling.clone(), grant, origin }
    }

    /// What is left of a credential's own rights where it belongs to a person with these memberships, of an issuer with
    /// these `default_workspaces` and these `max_scopes`. Never more than either has.
    #[must_use]
    pub fn cut_to_owner(&self, belonging: &Belonging, defaults: &WorkspaceAccess, most: &Scopes) -> Self {
        let (grant, _) = of_person(belonging, defaults);
        let grant = match (&self.grant, grant) {
            (Grant::Named(own), theirs) => theirs.within(own),
            // No credential of the gate's own is granted by memberships; if one were, it would have no more than both.
            (Grant::Member(_), theirs) => theirs.within(&self.reach()),
        };
        Self { ceiling: self.ceiling.clone().within(most), grant, origin: Origin::Owner }
    }

    /// The ceiling.
    pub const fn ceiling(&self) -> &Ceiling {
        &self.ceiling
    }

    /// The grant.
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// What the grant comes from.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether the ceiling lets this through at all: what the operation table asks, before anything else of a request is
    /// read.
    pub fn allows(&self, scope: Scope) -> bool {
        self.ceiling.scopes.contains(&scope)
    }

    /// Whether the caller has this right in this workspace.
    pub fn may(&self, scope: Scope, workspace: &WorkspaceId) -> bool {
        self.allows(scope)
            && match &self.grant {
                Grant::Named(access) => self.named_gives(scope) && access.contains(workspace),
                Grant::Member(roles) => roles.get(workspace).is_some_and(|role| role.gives(scope)),
            }
    }

    fn named_gives(&self, scope: Scope) -> bool {
        !scope.is_admin() || self.ceiling.stated.contains(&scope)
    }

    /// Whether the caller has this right somewhere. Who has lost all memberships is not refused for want of a scope: they
    /// find nothing. To administer they would have to have something.
    pub fn may_somewhere(&self, scope: Scope) -> bool {
        self.allows(scope)
            && match &self.grant {
                Grant::Named(_) => self.named_gives(scope),
                Grant::Member(roles) if roles.is_empty() => !scope.is_admin(),
                Grant::Member(roles) => roles.values().any(|role| role.gives(scope)),
            }
    }

    /// The workspaces in which the caller has this right.
    pub fn where_may(&self, scope: Scope) -> WorkspaceAccess {
        if !self.allows(scope) {
            return WorkspaceAccess::none();
        }
        match &self.grant {
            Grant::Named(access) if self.named_gives(scope) => access.clone(),
            Grant::Named(_) => WorkspaceAccess::none(),
            Grant::Member(roles) => {
                let there = roles.iter().filter(|(_, role)| role.gives(scope)).map(|(workspace, _)| workspace.clone());
                WorkspaceAccess::Only(there.collect())
            }
        }
    }

    /// Whether the caller may know that the workspace exists.
    pub fn reaches(&self, workspace: &WorkspaceId) -> bool {
        match &self.grant {
            Grant::Named(access) => access.contains(workspace),
            Grant::Member(roles) => roles.contains_key(workspace),
        }
    }

    /// The workspaces that the caller reaches, whatever they may do there.
    pub fn reach(&self) -> WorkspaceAccess {
        match &self.grant {
            Grant::Named(access) => access.clone(),
            Grant::Member(roles) => WorkspaceAccess::Only(roles.keys().cloned().collect()),
        }
    }

    /// Whether every workspace is reached, those to come included. No membership gives that.
    pub const fn reaches_all(&self) -> bool {
        matches!(self.grant, Grant::Named(WorkspaceAccess::All))
    }

    /// The caller's role in a workspace, where that is what their rights there come from.
    pub fn role_in(&self, workspace: &WorkspaceId) -> Option<Role> {
        match &self.grant {
            Grant::Named(_) => None,
            Grant::Member(roles) => roles.get(workspace).copied(),
        }
    }

    /// All rights in a workspace.
    pub fn scopes_in(&self, workspace: &WorkspaceId) -> Scopes {
        self.ceiling.scopes.iter().copied().filter(|scope| self.may(*scope, workspace)).collect()
    }

    /// The ceiling; where there is none, all rights that the caller has anywhere. What `whoami.scopes` tells.
    pub fn told_scopes(&self) -> Scopes {
        if self.ceiling.bounded {
            return self.ceiling.scopes.clone();
        }
        let anywhere = |scope: &Scope| match self.where_may(*scope) {
            WorkspaceAccess::All => true,
            WorkspaceAccess::Only(ids) => !ids.is_empty(),
        };
        self.ceiling.scopes.iter().copied().filter(anywhere).collect()
    }

    /// Whether these scopes in these workspaces are all within these rights: nobody hands on what they do not have.
    pub fn cover(&self, scopes: &Scopes, workspaces: &WorkspaceAccess) -> bool {
        scopes.iter().all(|scope| self.allows(*scope) && self.where_may(*scope).covers(workspaces))
    }

    /// The same without some scopes, in some workspaces only.
    #[must_use]
    pub fn narrowed(&self, scopes: impl Fn(Scope) -> bool, workspaces: &WorkspaceAccess) -> Self {
        let kept: BTreeSet<Scope> = Scope::ALL.iter().copied().filter(|scope| scopes(*scope)).collect();
        let grant = self.grant.clone().within(workspaces);
        Self { ceiling: self.ceiling.clone().within(&kept), grant, origin: self.origin }
    }
}

/// What a person has in the workspaces.
fn of_person(belonging: &Belonging, defaults: &WorkspaceAccess) -> (Grant, Origin) {
    match belonging {
        Belonging::Never => (Grant::Named(defaults.clone()), Origin::Defaults),
        Belonging::As(roles) => (Grant::Member(roles.clone()), Origin::Memberships),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> WorkspaceId {
        WorkspaceId::parse(text).unwrap()
    }

    #[test]
    fn a_named_workspace_gives_admin_scopes_only_as_stated() {
        let named = Grant::Named(WorkspaceAccess::Only(BTreeSet::from([id("demo")])));
        let derived = Rights::new(Ceiling::derived(all_scopes()), named.clone());
        assert!(derived.may(Scope::WorkflowsWrite, &id("demo")));
        assert!(!derived.may(Scope::AdminTokensRead, &id("demo")) && !derived.may_somewhere(Scope::AdminTokensRead));
        let stated = Rights::new(Ceiling::stated(BTreeSet::from([Scope::AdminTokensRead])), named);
        assert!(stated.may(Scope::AdminTokensRead, &id("demo")) && !stated.may(Scope::WorkflowsRead, &id("demo")));
        assert!(!stated.may(Scope::AdminTokensRead, &id("other")));
    }

    #[test]
    fn a_role_gives_what_it_gives_within_the_ceiling() {
        let roles = BTreeMap::from([(id("mine"), Role::Owner), (id("theirs"), Role::Viewer)]);
        let open = Rights::new(Ceiling::open(), Grant::Member(roles.clone()));
        assert!(open.may(Scope::AdminTokensWrite, &id("mine")) && !open.may(Scope::AdminTokensWrite, &id("theirs")));
        assert!(!open.may(Scope::AdminWorkspacesWrite, &id("mine")) && !open.may(Scope::AdminAuditRead, &id("mine")));
        assert_eq!(open.where_may(Scope::WorkflowsWrite), WorkspaceAccess::Only(BTreeSet::from([id("mine")])));
        let low = Rights::new(Ceiling::stated(BTreeSet::from([Scope::WorkflowsRead])), Grant::Member(roles));
        assert!(low.may(Scope::WorkflowsRead, &id("mine")) && !low.may(Scope::WorkflowsWrite, &id("mine")));
        assert_eq!(low.told_scopes(), BTreeSet::from([Scope::WorkflowsRead]));
    }

    #[test]
    fn an_open_ceiling_tells_the_union_of_the_rights() {
        let viewer = Grant::Member(BTreeMap::from([(id("demo"), Role::Viewer)]));
        assert_eq!(Rights::new(Ceiling::open(), viewer).told_scopes(), BTreeSet::from([Scope::WorkflowsRead]));
        assert_eq!(Rights::new(Ceiling::open(), Grant::none()).told_scopes(), Scopes::new());
    }
}
