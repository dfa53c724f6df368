//! Workspaces: the tenancy units.

use super::{
    access, audit,
    commands::{Answer, Once, Unit},
    core::Core,
    error::{AppError, ConflictError, Noun},
};
use crate::{
    domain::{
        idempotency::Idempotency,
        identity::Identity,
        page::{Page, PageRequest},
        revocation::Notice,
        scope::Scope,
        text::Name,
        user::{Membership, Role, UserId, is_default_workspace},
        workspace::{Workspace, WorkspaceId},
    },
    ports::token_validator::AuthError,
};

/// A workspace, and what its maker is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeWorkspace {
    /// The workspace.
    pub workspace: Workspace,
    /// Their role, where they are a person.
    pub role: Option<Role>,
}

/// Makes and shows workspaces.
#[derive(Debug, Clone)]
pub struct Workspaces {
    core: Core,
}

impl Workspaces {
    /// On these foundations.
    pub const fn new(core: Core) -> Self {
        Self { core }
    }

    /// Makes one. A person who makes one owns it.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for an id of the form that people's own workspaces have; [`AuthError::MissingScope`],
    /// [`AuthError::WorkspaceForbidden`] for who is no person and may not make any; [`ConflictError::WorkspaceIdTaken`].
    pub async fn create(
        &self,
        who: &Identity,
        id: WorkspaceId,
        name: Option<Name>,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<MadeWorkspace>, AppError> {
        let owner = who.user();
        if owner.is_none() {
            access::in_all_workspaces(who, Scope::AdminWorkspacesWrite)?;
        }
        if is_default_workspace(&id) {
            let message = "has the form of a person's own workspace (u- and 20 characters of base32); take another";
            return Err(AppError::invalid("/id", message));
        }
        let name = match name {
            Some(name) => name,
            None => Name::parse(id.as_str()).map_err(AppError::text("/name"))?,
        };
        let (who, maker) = (who.clone(), owner.clone());
        let once = self.core.commands.once(idempotency, move |unit| {
            let workspace = Workspace { id: id.clone(), name: name.clone(), created_at: unit.now };
            let (who, maker) = (who.clone(), maker.clone());
            Box::pin(async move {
                if unit.uow().workspaces().find(&workspace.id).await?.is_some() {
                    return Err(ConflictError::WorkspaceIdTaken.into());
                }
                unit.uow().workspaces().insert(&workspace).await?;
                let id = &workspace.id;
                audit::record(unit, &who, audit::action::WORKSPACE_CREATE, id.as_str(), Some(id)).await?;
                if let Some(maker) = maker {
                    own(unit, &who, maker, workspace.id.clone()).await?;
                }
                let subject = workspace.id.to_string();
                Ok((workspace, subject))
            })
        });
        match once.await? {
            Once::Done(workspace) => {
                let role = owner.map(|_| Role::Owner);
                Ok(Answer { value: MadeWorkspace { workspace, role }, replayed: false })
            }
            Once::Repeated(subject) => {
                let id = WorkspaceId::parse(&subject).map_err(|_| AppError::NotFound(Noun::Workspace))?;
                Ok(Answer { value: self.made(&id, owner.as_ref()).await?, replayed: true })
            }
        }
    }

    /// What a repeat is shown: theirs, whatever workspaces the token at hand names.
    async fn made(&self, id: &WorkspaceId, owner: Option<&UserId>) -> Result<MadeWorkspace, AppError> {
        let mut view = self.core.commands.view().await?;
        let workspace = view.workspaces().find(id).await?.ok_or(AppError::NotFound(Noun::Workspace))?;
        let mut role = None;
        if let Some(owner) = owner {
            role = view.memberships().find(owner, id).await?.map(|member| member.membership.role);
        }
        Ok(MadeWorkspace { workspace, role })
    }

    /// Shows one.
    ///
    /// # Errors
    /// [`AuthError::WorkspaceForbidden`], whether or not it exists; to who has all workspaces, [`AppError::NotFound`].
    pub async fn get(&self, who: &Identity, id: &WorkspaceId) -> Result<Workspace, AppError> {
        if !who.reaches(id) {
            return Err(access::refused(who, AuthError::WorkspaceForbidden));
        }
        let found = self.core.commands.view().await?.workspaces().find(id).await?;
        found.ok_or_else(|| access::no_such_workspace(who))
    }

    /// Those that the caller may use, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, who: &Identity, page: &PageRequest) -> Result<Page<Workspace>, AppError> {
        Ok(self.core.commands.view().await?.workspaces().list(&who.rights.reach(), page).await?)
    }
}

/// Makes a person the owner of what they have just made.
async fn own(unit: &mut Unit, who: &Identity, user: UserId, workspace: WorkspaceId) -> Result<(), AppError> {
    let membership = Membership { user: user.clone(), workspace, role: Role::Owner, since: unit.now };
    unit.uow().memberships().put(&membership).await?;
    let (target, place) = (user.to_string(), Some(&membership.workspace));
    audit::record(unit, who, audit::action::MEMBERSHIP_PUT, &target, place).await?;
    unit.tell(Notice::Memberships(user));
    Ok(())
}
