//! Members: who belongs to a workspace, and as what. Nobody grants, changes or removes a role above their own, nor grants
//! what their token leaves out (authentication.md section 3).

use std::sync::Arc;

use super::{
    access, audit,
    commands::{Commands, Unit},
    error::{AppError, ConflictError, Noun},
    people::People,
};
use crate::{
    domain::{
        identity::Identity,
        page::{Page, PageRequest},
        revocation::Notice,
        scope::{Scope, Scopes},
        user::{Membership, Role, UserId},
        workspace::WorkspaceId,
    },
    ports::{repository::Member, token_validator::AuthError},
};

/// What a person's token must let through, so that their role shows them members: what every other look into a workspace
/// needs.
pub const SEES: Scope = Scope::WorkflowsRead;
/// What it must let through, so that their role changes members: a token that was bounded to reading changes nothing.
pub const CHANGES: Scope = Scope::WorkflowsWrite;

/// Shows, makes, changes and removes members.
#[derive(Debug, Clone)]
pub struct Members {
    commands: Commands,
    people: Arc<People>,
}

impl Members {
    /// On these foundations.
    pub const fn new(commands: Commands, people: Arc<People>) -> Self {
        Self { commands, people }
    }

    /// The members of a workspace, newest first.
    ///
    /// # Errors
    /// [`AuthError::WorkspaceForbidden`], whether or not it exists; [`AuthError::MissingScope`] unless the caller sees to
    /// members.
    pub async fn list(
        &self,
        who: &Identity,
        workspace: &WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<Member>, AppError> {
        reached(who, workspace)?;
        if authority(who, who.rights.role_in(workspace), workspace, SEES) < Some(Role::Admin) {
            return Err(refused(who));
        }
        let mut view = self.commands.view().await?;
        if view.workspaces().find(workspace).await?.is_none() {
            return Err(access::no_such_workspace(who));
        }
        Ok(view.memberships().list(workspace, page).await?)
    }

    /// Makes somebody a member, or gives a member another role. They need not have been seen yet.
    ///
    /// # Errors
    /// As [`list`](Self::list), and where a role above the caller's own is at stake, or one that gives what their token leaves
    /// out; [`ConflictError::LastOwner`];
    /// [`AppError::Invalid`] for a new member of an issuer that is not configured, unless none is.
    pub async fn put(
        &self,
        who: &Identity,
        workspace: WorkspaceId,
        user: UserId,
        role: Role,
    ) -> Result<Member, AppError> {
        reached(who, &workspace)?;
        let (who, people) = (who.clone(), Arc::clone(&self.people));
        self.commands
            .run(move |unit| {
                let (who, workspace, user, people) =
                    (who.clone(), workspace.clone(), user.clone(), Arc::clone(&people));
                Box::pin(async move { put(unit, &people, &who, workspace, user, role).await })
            })
            .await
    }

    /// Takes somebody's membership away. Every member may leave.
    ///
    /// # Errors
    /// As [`put`](Self::put); [`AppError::NotFound`] where they are no member.
    pub async fn remove(&self, who: &Identity, workspace: WorkspaceId, user: UserId) -> Result<(), AppError> {
        reached(who, &workspace)?;
        let who = who.clone();
        self.commands
            .run(move |unit| {
                let (who, workspace, user) = (who.clone(), workspace.clone(), user.clone());
                Box::pin(async move { remove(unit, &who, &workspace, user).await })
            })
            .await
    }
}

async fn put(
    unit: &mut Unit,
    people: &People,
    who: &Identity,
    workspace: WorkspaceId,
    user: UserId,
    role: Role,
) -> Result<Member, AppError> {
    let authority = hold(unit, who, &workspace).await?;
    if authority < Some(Role::Admin) || authority < Some(role) {
        return Err(refused(who));
    }
    let present = unit.uow().memberships().find(&user, &workspace).await?.map(|member| member.membership.role);
    if authority < present {
        return Err(refused(who));
    }
    if present.is_none() {
        known_issuer(people, &user)?;
    }
    if present == Some(Role::Owner) && role != Role::Owner {
        not_the_last_owner(unit, &workspace).await?;
    }
    if present < Some(role) {
        within_token(people, who, &workspace, role)?;
    }
    if present != Some(role) {
        let membership = Membership { user: user.clone(), workspace: workspace.clone(), role, since: unit.now };
        unit.uow().memberships().put(&membership).await?;
        audit::record(unit, who, audit::action::MEMBERSHIP_PUT, &user.to_string(), Some(&workspace)).await?;
        unit.tell(Notice::Memberships(user.clone()));
    }
    let member = unit.uow().memberships().find(&user, &workspace).await?;
    member.ok_or(AppError::NotFound(Noun::Membership))
}

async fn remove(unit: &mut Unit, who: &Identity, workspace: &WorkspaceId, user: UserId) -> Result<(), AppError> {
    let authority = hold(unit, who, workspace).await?;
    let leaving = who.user().as_ref() == Some(&user) && who.is_allowed(CHANGES);
    if authority < Some(Role::Admin) && !leaving {
        return Err(refused(who));
    }
    let present = unit.uow().memberships().find(&user, workspace).await?;
    let present = present.ok_or(AppError::NotFound(Noun::Membership))?.membership.role;
    if authority < Some(present) && !leaving {
        return Err(refused(who));
    }
    if present == Role::Owner {
        not_the_last_owner(unit, workspace).await?;
    }
    unit.uow().memberships().remove(&user, workspace).await?;
    audit::record(unit, who, audit::action::MEMBERSHIP_REMOVE, &user.to_string(), Some(workspace)).await?;
    unit.tell(Notice::Memberships(user));
    Ok(())
}

/// The workspace named must be the caller's, whether or not it exists.
fn reached(who: &Identity, workspace: &WorkspaceId) -> Result<(), AppError> {
    if who.reaches(workspace) { Ok(()) } else { Err(access::refused(who, AuthError::WorkspaceForbidden)) }
}

/// Holds the workspace, so that changes of its members wait for each other, and says up to which role the caller may change
/// them: by the role that they have now, whatever is still believed of them.
async fn hold(unit: &mut Unit, who: &Identity, workspace: &WorkspaceId) -> Result<Option<Role>, AppError> {
    unit.uow().workspaces().lock(workspace).await?.ok_or_else(|| access::no_such_workspace(who))?;
    let mut role = None;
    if who.rights.role_in(workspace).is_some()
        && let Some(user) = who.user()
    {
        role = unit.uow().memberships().find(&user, workspace).await?.map(|member| member.membership.role);
    }
    Ok(authority(who, role, workspace, CHANGES))
}

/// Up to which role a caller of this role may change members; from [`Role::Admin`] on they may at all.
///
/// A role counts for a person who comes with a token of their own that lets `least` through: neither a widget's session nor
/// a service token sees to members in its person's name. Who has `admin:workspaces:write` in the workspace may do as its
/// owners do.
fn authority(who: &Identity, role: Option<Role>, workspace: &WorkspaceId, least: Scope) -> Option<Role> {
    if who.may(Scope::AdminWorkspacesWrite, workspace) {
        return Some(Role::Owner);
    }
    role.filter(|_| who.user().is_some() && who.is_allowed(least))
}

/// Nobody hands on what the token at hand leaves out: with the role that it gives, its own person would have no more than it
/// lets through.
fn within_token(people: &People, who: &Identity, workspace: &WorkspaceId, role: Role) -> Result<(), AppError> {
    let Some(policy) = who.issuer.as_deref().and_then(|issuer| people.policy(issuer)) else { return Ok(()) };
    if who.may(Scope::AdminWorkspacesWrite, workspace) {
        return Ok(());
    }
    let beyond = |scope: &Scope| role.gives(*scope) && policy.max_scopes.contains(scope) && !who.is_allowed(*scope);
    let beyond: Scopes = Scope::ALL.iter().copied().filter(beyond).collect();
    if beyond.is_empty() { Ok(()) } else { Err(access::refused(who, AuthError::MissingScope(beyond))) }
}

/// With this scope they could.
fn refused(who: &Identity) -> AppError {
    access::missing_scope(who, Scope::AdminWorkspacesWrite)
}

async fn not_the_last_owner(unit: &mut Unit, workspace: &WorkspaceId) -> Result<(), AppError> {
    if unit.uow().memberships().owners(workspace).await? > 1 { Ok(()) } else { Err(ConflictError::LastOwner.into()) }
}

/// A new member whose issuer nobody has configured would never come: most likely its name is misspelt. While no issuer is
/// configured at all, members may be entered ahead of theirs.
fn known_issuer(people: &People, user: &UserId) -> Result<(), AppError> {
    let known: Vec<_> = people.issuers().collect();
    if known.is_empty() || known.contains(&user.issuer().as_str()) {
        return Ok(());
    }
    let message = format!("no issuer is configured as {:?}; these are: {}", user.issuer().as_str(), known.join(", "));
    Err(AppError::invalid("user_id", message))
}
