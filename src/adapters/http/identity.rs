//! Tag `identity`: who is calling.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::Ok200,
    conditions::Who,
    explain::{Asked, Explanation, explain},
    json::response,
    params::Query,
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::App,
    domain::{
        identity::Identity,
        scope::Scopes,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
};

/// Tag `identity`.
pub(super) struct IdentityApi {
    pub(super) app: Arc<App>,
}

response! {
    /// Who is calling, and what they may do.
    struct Whoami {
        /// Whether the caller has shown who they are.
        required authenticated ("authenticated"): bool,
        /// The user's `sub`, the service token's identifier, or a reserved word.
        required subject ("subject"): String,
        /// `user`, `service`, `bootstrap`, `anonymous` or `system`.
        required kind ("kind"): &'static str,
        /// The ceiling: nothing outside it is ever allowed.
        required scopes ("scopes"): Vec<&'static str>,
        /// Whether the caller reaches every workspace.
        required all_workspaces ("all_workspaces"): bool,
        /// The workspaces that the caller reaches, unless it is all of them.
        required workspace_ids ("workspace_ids"): Vec<String>,
        /// The rights in each of them.
        required workspaces ("workspaces"): Vec<WorkspaceRights>,
        /// What names the credential.
        nullable token_id ("token_id"): String,
        /// The configured name of the issuer; null for the gate's own credentials.
        nullable issuer ("issuer"): String,
        /// When the credential was made.
        nullable issued_at ("issued_at"): Timestamp,
        /// When the credential ends; null: never.
        nullable expires_at ("expires_at"): Timestamp,
        /// The user's name.
        nullable username ("username"): String,
        /// The user's verified mail address.
        nullable email ("email"): String,
        /// Who acts for the subject.
        nullable actor ("actor"): String,
        /// What the gate would say to the operation that was asked about.
        optional explain ("explain"): Explanation,
    }
}

response! {
    /// Rights in a workspace.
    struct WorkspaceRights {
        /// The workspace.
        required id ("id"): String,
        /// The caller's role there, where they have one.
        nullable role ("role"): String,
        /// What the caller may do there.
        required scopes ("scopes"): Vec<&'static str>,
    }
}

fn names(scopes: &Scopes) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

impl From<&Identity> for Whoami {
    fn from(who: &Identity) -> Self {
        let rights = |id: &WorkspaceId| WorkspaceRights {
            id: id.to_string(),
            role: who.rights.role_in(id).map(|role| role.as_str().to_owned()),
            scopes: names(&who.rights.scopes_in(id)),
        };
        let reach = who.rights.reach();
        let (all_workspaces, ids) = match &reach {
            WorkspaceAccess::All => (true, Vec::new()),
            WorkspaceAccess::Only(ids) => (false, ids.iter().collect()),
        };
        Self {
            authenticated: who.authenticated(),
            subject: who.subject.clone(),
            kind: who.kind.as_str(),
            scopes: names(&who.rights.told_scopes()),
            all_workspaces,
            workspace_ids: ids.iter().map(ToString::to_string).collect(),
            workspaces: ids.into_iter().map(rights).collect(),
            token_id: who.token_id.clone(),
            issuer: who.issuer.clone(),
            issued_at: who.issued_at,
            expires_at: who.expires_at,
            username: who.username.clone(),
            email: who.email.clone(),
            actor: who.actor.clone(),
            explain: None,
        }
    }
}

#[OpenApi(tag = "Tag::Identity")]
impl IdentityApi {
    /// Who is calling
    ///
    /// Tells the caller's identity, scopes and workspaces; and if asked, whether they may do something, and why.
    #[oai(path = "/api/whoami", method = "get", operation_id = "whoami")]
    async fn whoami(
        &self,
        who: Who,
        /// An operation, as in `POST /api/workflows`: would it be allowed?
        #[oai(name = "explain")]
        asked: Query<Asked>,
        /// The workspace in which it would be done.
        workspace_id: Query<WorkspaceId>,
    ) -> Result<Ok200<Whoami>, Problem> {
        let explain = asked.0.map(|asked| explain(&self.app.people, &who.0, &asked, workspace_id.0.as_ref()));
        Ok(Ok200::new(Whoami { explain, ..Whoami::from(&*who.0) }))
    }
}
