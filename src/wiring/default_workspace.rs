//! A workspace to begin with: where everybody may come in without a credential (`auth.mode = "optional"` without one), nobody
//! has the right to make the first.

use crate::{
    domain::{
        page::PageRequest,
        text::{InvalidText, Name},
        workspace::{Workspace, WorkspaceAccess, WorkspaceId},
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
    },
};

/// The workspace could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DefaultWorkspaceError {
    /// The store's answer.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidText),
}

/// Makes the workspace `default` where there is no workspace at all.
pub(super) async fn make(repository: &dyn Repository, clock: &dyn Clock) -> Result<(), DefaultWorkspaceError> {
    let page = PageRequest { limit: 1, ..PageRequest::default() };
    if !repository.view().await?.workspaces().list(&WorkspaceAccess::All, &page).await?.items.is_empty() {
        return Ok(());
    }
    let id = WorkspaceId::parse("default")?;
    let workspace = Workspace { id, name: Name::parse("Default")?, created_at: clock.now() };
    let mut unit = repository.begin().await?;
    match unit.workspaces().insert(&workspace).await {
        Ok(()) => unit.commit().await?,
        // Another replica made it.
        Err(RepositoryError::Conflict) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    tracing::info!(workspace = "default", "made a workspace: nobody could, without a credential");
    Ok(())
}
