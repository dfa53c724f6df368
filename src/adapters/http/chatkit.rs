//! Tag `identity`: sessions for widgets.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::{
    OpenApi,
    registry::{MetaSchema, MetaSchemaRef},
};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{
    answers::Ok200,
    body::Body,
    conditions::Who,
    fields::{FieldProblems, FromJson, Pointer, request},
    json::response,
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{App, error::AppError, sessions::NewSession},
    domain::{ids::WorkflowId, json::JsonObject, workspace::WorkspaceId},
};

/// Tag `identity`.
pub(super) struct ChatkitApi {
    pub(super) app: Arc<App>,
}

/// What older clients send beside, whatever it is. It has no effect.
#[derive(Debug)]
pub(super) struct Ignored;

impl FromJson for Ignored {
    fn schema() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema { nullable: true, ..MetaSchema::ANY }))
    }

    fn read(_value: Value, _at: &Pointer<'_>, _problems: &mut FieldProblems) -> Option<Self> {
        Some(Self)
    }
}

request! {
    /// What a session is for.
    pub(super) struct NewSessionBody {
        /// A workflow: the session is for it alone, and starts and follows it.
        optional workflow_id ("workflow_id"): WorkflowId,
        /// Another name of `workflow_id`.
        optional workflow_id_too ("workflowId"): WorkflowId,
        /// A workspace; absent, those where the caller may make sessions. A caller with all workspaces must name one.
        optional workspace_id ("workspace_id"): WorkspaceId,
        /// Another name of `workspace_id`.
        optional workspace_id_too ("workspaceId"): WorkspaceId,
        /// What the session is to carry: at most 2,048 bytes.
        optional metadata ("metadata"): JsonObject,
        /// Of older clients; ignored. The session before this one ends by itself.
        optional current_secret ("currentClientSecret"): Ignored,
        /// Of older clients; ignored.
        optional current_secret_too ("current_client_secret"): Ignored,
        /// Of older clients; ignored.
        optional label ("workflowLabel"): Ignored,
        /// Of older clients; ignored.
        optional label_too ("workflow_label"): Ignored,
        /// Of older clients; ignored. The session is the caller's.
        optional user ("user"): Ignored,
        /// Of older clients; ignored.
        optional assistant ("assistant"): Ignored,
    }
}

response! {
    /// A session.
    pub(super) struct SessionBody {
        /// The bearer token to hand to the page.
        required client_secret ("client_secret"): String,
        /// When it ends.
        required expires_at ("expires_at"): Timestamp,
    }
}

/// The one that was given; both are a mistake, even if they are the same.
fn either<T>(one: Option<T>, other: Option<T>, pointer: &str, beside: &str) -> Result<Option<T>, AppError> {
    match (one, other) {
        (Some(_), Some(_)) => {
            Err(AppError::invalid(pointer, format!("cannot stand beside {beside}; give one of them")))
        }
        (one, other) => Ok(one.or(other)),
    }
}

#[OpenApi(tag = "Tag::Identity")]
impl ChatkitApi {
    /// Make a session for a widget
    ///
    /// A short-lived bearer token for a page, with what the caller may do there, but for `admin:*` and `chatkit:session`. It
    /// ends with the caller's own credential.
    #[oai(path = "/api/chatkit/session", method = "post", operation_id = "create_chatkit_session")]
    async fn create(&self, who: Who, body: Body<NewSessionBody>) -> Result<Ok200<SessionBody>, Problem> {
        let body = body.value;
        let ignored =
            [body.current_secret, body.current_secret_too, body.label, body.label_too, body.user, body.assistant];
        if ignored.iter().any(Option::is_some) {
            tracing::debug!("fields of older clients in a session request are ignored");
        }
        let new = NewSession {
            workflow: either(body.workflow_id, body.workflow_id_too, "/workflowId", "workflow_id")?,
            workspace: either(body.workspace_id, body.workspace_id_too, "/workspaceId", "workspace_id")?,
            metadata: body.metadata,
        };
        let made = self.app.sessions.create(&who.0, new).await?;
        let client_secret = made.client_secret.expose_secret().to_owned();
        Ok(Ok200::new(SessionBody { client_secret, expires_at: made.expires_at }))
    }
}
