//! Tag `workspaces`: the tenancy units.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{Created, Ok200},
    body::Body,
    codes,
    conditions::{Repeatable, Who},
    fields::request,
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::{Path, Query, Raw},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::App,
    domain::{
        identity::Identity,
        text::Name,
        user::Role,
        workspace::{Workspace, WorkspaceAccess, WorkspaceId},
    },
    ports::token_validator::AuthError,
};

/// Tag `workspaces`.
pub(super) struct WorkspacesApi {
    pub(super) app: Arc<App>,
}

request! {
    /// A workspace to make.
    pub(super) struct NewWorkspace {
        /// Its id: a slug, folded to lower case.
        required id ("id"): WorkspaceId,
        /// What people call it; its id if absent.
        optional name ("name"): Name,
    }
}

response! {
    /// A workspace: everything on an engine belongs to one.
    pub(super) struct WorkspaceBody {
        /// Its id.
        required id ("id"): String,
        /// What people call it.
        required name ("name"): String,
        /// When it was made.
        required created_at ("created_at"): Timestamp,
        /// The caller's role there: `owner`, `admin`, `member` or `viewer`; absent where their rights come from elsewhere.
        optional role ("role"): &'static str,
    }
}

fn shown(workspace: Workspace, role: Option<Role>) -> WorkspaceBody {
    WorkspaceBody {
        id: workspace.id.to_string(),
        name: workspace.name.into_string(),
        created_at: workspace.created_at,
        role: role.map(Role::as_str),
    }
}

/// A text that is no workspace id is treated as the id of one that does not exist.
pub(super) fn named(who: &Identity, text: &str) -> Result<WorkspaceId, Problem> {
    WorkspaceId::parse(text).map_err(|_| match who.rights.reach() {
        _ if !who.authenticated() => AuthError::MissingToken.into(),
        WorkspaceAccess::All => Problem::plain(codes::WORKSPACE_NOT_FOUND),
        WorkspaceAccess::Only(_) => AuthError::WorkspaceForbidden.into(),
    })
}

#[OpenApi(tag = "Tag::Workspaces")]
impl WorkspacesApi {
    /// List workspaces
    ///
    /// Those that the caller may use, newest first.
    #[oai(path = "/api/workspaces", method = "get", operation_id = "list_workspaces")]
    async fn list(
        &self,
        who: Who,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<WorkspaceBody>>, Problem> {
        let found = self.app.workspaces.list(&who.0, &page(limit, cursor)).await?;
        Ok(Ok200::new(list(found, |workspace| {
            let role = who.0.rights.role_in(&workspace.id);
            shown(workspace, role)
        })))
    }

    /// Make a workspace
    ///
    /// A person may always make one, and owns it; others need the scope. Ids of the form `u-` and 20 characters of base32
    /// belong to people's own workspaces.
    #[oai(path = "/api/workspaces", method = "post", operation_id = "create_workspace")]
    async fn create(
        &self,
        who: Who,
        /// Makes a repeat within 24 hours give the same answer.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: Body<NewWorkspace>,
    ) -> Result<Created<WorkspaceBody>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let NewWorkspace { id, name } = body.value;
        let answer = self.app.workspaces.create(&who.0, id, name, idempotency).await?;
        let path = format!("/api/workspaces/{}", answer.value.workspace.id);
        Ok(Created::answer(answer, |made| shown(made.workspace, made.role)).located(&path))
    }

    /// Show a workspace
    #[oai(path = "/api/workspaces/:id", method = "get", operation_id = "get_workspace")]
    async fn get(
        &self,
        who: Who,
        /// The workspace.
        id: Path<Raw>,
    ) -> Result<Ok200<WorkspaceBody>, Problem> {
        let id = named(&who.0, &id.0.0)?;
        let workspace = self.app.workspaces.get(&who.0, &id).await?;
        Ok(Ok200::new(shown(workspace, who.0.rights.role_in(&id))))
    }
}
