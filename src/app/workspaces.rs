//! Workspaces: the tenancy units.

use super::{
    access, audit,
    commands::{Answer, Once},
    core::Core,
    error::{AppError, ConflictError, Noun},
};
use crate::{
    domain::{
        idempotency::Idempotency,
        identity::Identity,
        page::{Page, PageRequest},
        scope::Scope,
        text::Name,
        workspace::{Workspace, WorkspaceId},
    },
    ports::token_validator::AuthError,
};

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

    /// Makes one.
    ///
    /// # Errors
    /// [`ConflictError::WorkspaceIdTaken`].
    pub async fn create(
        &self,
        who: &Identity,
        id: WorkspaceId,
        name: Option<Name>,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<Workspace>, AppError> {
        access::in_all_workspaces(who, Scope::AdminWorkspacesWrite)?;
        let name = match name {
            Some(name) => name,
            None => Name::parse(id.as_str()).map_err(AppError::text("/name"))?,
        };
        let maker = who.clone();
        let once = self.core.commands.once(idempotency, move |unit| {
            let maker = maker.clone();
            let workspace = Workspace { id: id.clone(), name: name.clone(), created_at: unit.now };
            Box::pin(async move {
                if unit.uow().workspaces().find(&workspace.id).await?.is_some() {
                    return Err(ConflictError::WorkspaceIdTaken.into());
                }
                unit.uow().workspaces().insert(&workspace).await?;
                let id = &workspace.id;
                audit::record(unit, &maker, audit::action::WORKSPACE_CREATE, id.as_str(), Some(id)).await?;
                let subject = workspace.id.to_string();
                Ok((workspace, subject))
            })
        });
        match once.await? {
            Once::Done(value) => Ok(Answer { value, replayed: false }),
            Once::Repeated(subject) => {
                let id = WorkspaceId::parse(&subject).map_err(|_| AppError::NotFound(Noun::Workspace))?;
                Ok(Answer { value: self.get(who, &id).await?, replayed: true })
            }
        }
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
