//! Sessions of widgets: made within their maker's rights, and ended with what they were made with (authentication.md
//! section 8).

mod parents;

use std::{collections::BTreeSet, fmt::Write, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

pub use self::parents::{BootstrapRights, Parents};
use super::{
    access, audit,
    commands::Commands,
    error::{AppError, Noun},
};
use crate::{
    domain::{
        identity::{CredentialKind, Identity},
        ids::WorkflowId,
        json::JsonObject,
        scope::{Scope, Scopes},
        session::{Parent, Session},
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::{session_signer::SessionSigner, token_validator::AuthError},
};

/// How many workspaces one is for at most: it travels in a header.
const MOST_WORKSPACES: usize = 64;
/// How many bytes its metadata has at most, as JSON.
const MOST_METADATA: usize = 2_048;
/// How many bytes its token has at most: half of what is read of a header.
const MOST_TOKEN: usize = 8_192;

/// What a session is to be made for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewSession {
    /// A workflow: the session is for it alone.
    pub workflow: Option<WorkflowId>,
    /// A workspace; absent, and without a workflow: those where the caller may make sessions.
    pub workspace: Option<WorkspaceId>,
    /// What the session is to carry.
    pub metadata: Option<JsonObject>,
}

/// A session that was made.
#[derive(Debug)]
pub struct MadeSession {
    /// Its token.
    pub client_secret: SecretString,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes sessions.
#[derive(Debug)]
pub struct Sessions {
    commands: Commands,
    signer: Option<Arc<dyn SessionSigner>>,
    ttl: SignedDuration,
}

impl Sessions {
    /// Signed by this signer, if there is one; `ttl` is `sessions.ttl_seconds`.
    pub fn new(commands: Commands, signer: Option<Arc<dyn SessionSigner>>, ttl: SignedDuration) -> Self {
        Self { commands, signer, ttl }
    }

    /// Makes one. Its token is in this answer and nowhere else.
    ///
    /// # Errors
    /// [`AuthError::MissingToken`] for who showed no credential that it could end with; [`AuthError::MissingScope`], also
    /// for who comes with a session; [`AuthError::WorkspaceForbidden`]; [`AppError::NotFound`] for a workflow that the
    /// caller does not see; [`AppError::NoSessions`] where no key is configured.
    pub async fn create(&self, who: &Identity, new: NewSession) -> Result<MadeSession, AppError> {
        if who.credential == CredentialKind::None {
            return Err(AuthError::MissingToken.into());
        }
        if who.credential == CredentialKind::Session {
            return Err(access::missing_scope(who, Scope::ChatkitSession));
        }
        access::in_some_workspace(who, Scope::ChatkitSession)?;
        let workspaces = self.workspaces(who, &new).await?;
        let signer = self.signer.as_ref().ok_or(AppError::NoSessions)?;
        let parent = Parent::new(who, who.secret.map(|secret| signer.mark(&secret)));
        let session = self.session(who, parent, workspaces, new)?;
        let client_secret = signer.sign(&session).map_err(|error| AppError::Internal(Box::new(error)))?;
        if client_secret.expose_secret().len() > MOST_TOKEN {
            return Err(AppError::invalid("/metadata", "makes the session's token too long"));
        }
        let expires_at = session.expires_at;
        self.enter(who, session).await?;
        Ok(MadeSession { client_secret, expires_at })
    }

    /// The audit has it before anybody else does.
    async fn enter(&self, who: &Identity, session: Session) -> Result<(), AppError> {
        let who = who.clone();
        let Session { id, workspaces, .. } = session;
        let workspaces = WorkspaceAccess::Only(workspaces);
        self.commands
            .run(move |unit| {
                let (who, id, workspaces) = (who.clone(), id.clone(), workspaces.clone());
                Box::pin(async move {
                    let workspace = audit::only_one(&workspaces);
                    Ok(audit::record(unit, &who, audit::action::SESSION_CREATE, &id, workspace).await?)
                })
            })
            .await
    }

    async fn workspaces(&self, who: &Identity, new: &NewSession) -> Result<BTreeSet<WorkspaceId>, AppError> {
        if let Some(workspace) = &new.workspace {
            access::in_named_workspace(who, Scope::ChatkitSession, workspace)?;
        }
        if let Some(id) = new.workflow {
            let found = self.commands.view().await?.workflows().find(id).await?;
            let workspace = found.ok_or(AppError::NotFound(Noun::Workflow))?.workspace;
            access::on_thing_of(who, Scope::ChatkitSession, &workspace, Some(id), Noun::Workflow)?;
            if new.workspace.as_ref().is_some_and(|named| *named != workspace) {
                return Err(AppError::invalid("/workspace_id", "is not the workspace of the workflow"));
            }
            return Ok(BTreeSet::from([workspace]));
        }
        if let Some(workspace) = &new.workspace {
            let found = self.commands.view().await?.workspaces().find(workspace).await?;
            found.ok_or_else(|| access::no_such_workspace(who))?;
            return Ok(BTreeSet::from([workspace.clone()]));
        }
        let message = match who.where_may(Scope::ChatkitSession) {
            WorkspaceAccess::Only(ids) if ids.len() <= MOST_WORKSPACES => return Ok(ids),
            WorkspaceAccess::Only(_) => "is needed from a caller with more than 64 workspaces",
            WorkspaceAccess::All => "is needed from a caller with all workspaces, or workflow_id",
        };
        Err(AppError::invalid("/workspace_id", message))
    }

    fn session(
        &self,
        who: &Identity,
        parent: Parent,
        workspaces: BTreeSet<WorkspaceId>,
        new: NewSession,
    ) -> Result<Session, AppError> {
        let metadata_bytes =
            new.metadata.as_ref().map_or(0, |metadata| Value::Object(metadata.clone()).to_string().len());
        if metadata_bytes > MOST_METADATA {
            return Err(AppError::invalid("/metadata", format!("must have at most {MOST_METADATA} bytes as JSON")));
        }
        let now = self.commands.now();
        let end = now.saturating_add(self.ttl).unwrap_or(Timestamp::MAX);
        let expires_at = whole_seconds(who.expires_at.map_or(end, |own| own.min(end)));
        if expires_at <= now {
            return Err(AuthError::TokenExpired.into());
        }
        let session = Session {
            id: self.made_up(),
            subject: who.subject.clone(),
            kind: who.kind,
            issuer: who.issuer.clone(),
            actor: who.actor.clone(),
            parent,
            scopes: Scopes::new(),
            workspaces,
            workflow: new.workflow,
            metadata: new.metadata,
            issued_at: whole_seconds(now),
            expires_at,
        };
        Ok(Session { scopes: scopes_of(&session, who), ..session })
    }

    /// 128 random bits.
    fn made_up(&self) -> String {
        let mut random = [0; 16];
        self.commands.rng().fill(&mut random);
        random.iter().fold(String::with_capacity(32), |mut id, byte| {
            // Writing to a string never fails.
            let _ = write!(id, "{byte:02x}");
            id
        })
    }
}

/// What the caller may do in any of its workspaces. Where rights differ between them, memberships cut them at each use.
fn scopes_of(session: &Session, who: &Identity) -> Scopes {
    let anywhere = |scope: &Scope| session.workspaces.iter().any(|workspace| who.may(*scope, workspace));
    Scope::ALL.iter().copied().filter(|scope| session.can_have(*scope)).filter(anywhere).collect()
}

/// What a JWT's times can say.
fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}
