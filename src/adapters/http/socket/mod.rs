//! `GET /ws/workflow/{id}`: a workflow's events, and starts of it, over a WebSocket (authentication.md section 7, shapes.md).

mod frames;
pub(super) mod handshake;
mod link;
mod session;

use std::{sync::Arc, time::Duration};

use poem::{IntoResponse, Request, Response};
use poem_openapi::{
    ApiResponse, OpenApi,
    registry::{MetaResponse, MetaResponses, Registry},
};
use tokio_util::sync::CancellationToken;

pub(super) use self::handshake::{Handshake, offered_tokens};
use self::session::Session;
use super::{
    call::Call,
    codes,
    conditions::Who,
    events::Sequence,
    headers::Cors,
    judged::{Follower, Judged},
    params::{Path, Query},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{App, context, events::Position},
    domain::ids::WorkflowId,
};

/// Sockets of tag `events`.
pub(super) struct SocketApi {
    pub(super) app: Arc<App>,
    pub(super) cors: Cors,
    pub(super) request_timeout: Duration,
    pub(super) heartbeat: Duration,
    pub(super) stopping: CancellationToken,
}

/// 101: from here on it is a WebSocket.
pub(super) struct Switched(Response);

impl IntoResponse for Switched {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Switched {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The connection is a WebSocket now.",
                status: Some(101),
                status_range: None,
                content: vec![],
                headers: vec![],
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}

#[OpenApi(tag = "Tag::Events")]
impl SocketApi {
    /// Follow a workflow over a WebSocket
    ///
    /// RFC 6455, each message one JSON text. First `{"type":"ready","sequence":17}`, the channel's last number before the live
    /// part; then `{"type":"event","event":…}` for each event, the history after `after` first. The client may send
    /// `{"type":"run_workflow","input":{…}}`, answered by `execution` or `problem` (it needs `workflows:execute`), and
    /// `{"type":"auth","token":"…"}` before its token ends. The token comes in `Authorization`, in the query, or as one of
    /// the subprotocols `tidegate.v1`, `bearer.<token>`. A refused upgrade is accepted and then closed: 4401 token, 4403
    /// rights, 4404 no such workflow, 4410 (after a `problem`) events no longer kept, 4429 too many bad tokens, 4400 other mistakes, 1013 come back later. 4408 ends a
    /// socket whose client does not listen, 1001 one of a gate that stops. Who asks without an upgrade gets 426.
    #[oai(path = "/ws/workflow/:id", method = "get", operation_id = "open_workflow_socket")]
    async fn open(
        &self,
        who: Who,
        follower: Follower,
        request: &Request,
        /// The workflow.
        id: Path<WorkflowId>,
        /// Events after this number; from now on if absent.
        after: Query<Sequence>,
    ) -> Result<Switched, Problem> {
        // A token is explicit: a page that has one may come from anywhere. Without one, only pages of the gate's own origin
        // and of those that may call the API: browsers let every page open sockets to every address.
        if !who.0.authenticated() && self.cors.is_foreign(request.headers()) {
            return Err(Problem::plain(codes::REQUEST_ORIGIN_FORBIDDEN));
        }
        let from = after.0.map_or(Position::Now, |Sequence(number)| Position::After(number));
        let tail = self.app.events.follow(&who.0, id.0, None, from).await?;
        let call = Call::of(request)?;
        let handshake = call.take_handshake().ok_or_else(|| Problem::plain(codes::REQUEST_UPGRADE_REQUIRED))?;
        let session = Session {
            app: Arc::clone(&self.app),
            workflow: id.0,
            judged: Judged::new(Arc::clone(&self.app), who.0, follower, id.0),
            context: context::current(),
            path: request.uri().path().to_owned(),
            request_timeout: self.request_timeout,
            heartbeat: self.heartbeat,
            stopping: self.stopping.clone(),
        };
        Ok(Switched(handshake.accept(&call.tasks, move |link| session.run(tail, link))))
    }
}
