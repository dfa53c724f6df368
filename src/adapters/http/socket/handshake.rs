//! The opening handshake of a WebSocket (RFC 6455 section 4.2), done here rather than by poem so that the task behind it has
//! an owner, and so that a refusal can be told by a close.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use poem::{
    OnUpgrade, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::task::TaskTracker;

use super::{super::problem::Problem, link::Link};
use crate::app::context;

/// The subprotocol that the gate speaks.
const PROTOCOL: &str = "tidegate.v1";
/// What a token that comes as a subprotocol begins with.
const BEARER: &str = "bearer.";
/// How long the connection may take to change over.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read ahead, and what is gathered before it is sent. A socket costs this much memory while it is silent.
const BUFFER_BYTES: usize = 8 * 1024;

/// An opening handshake that nobody has answered.
pub(in super::super) struct Handshake {
    upgrade: OnUpgrade,
    accept: HeaderValue,
    /// Whether the client offers the gate's subprotocol.
    offered: bool,
    most_bytes: usize,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("offered", &self.offered).finish_non_exhaustive()
    }
}

impl Handshake {
    /// Takes it out of a request, if that is one. Messages of more than `most_bytes` will not be read.
    pub(in super::super) fn take(request: &Request, most_bytes: usize) -> Option<Self> {
        let headers = request.headers();
        let key = only(headers, &header::SEC_WEBSOCKET_KEY)?;
        let is_one = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && names(headers, &header::UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
            && names(headers, &header::CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade"))
            && only(headers, &header::SEC_WEBSOCKET_VERSION) == Some("13")
            && STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
        if !is_one {
            return None;
        }
        Some(Self {
            upgrade: request.take_upgrade().ok()?,
            accept: HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok()?,
            offered: names(headers, &header::SEC_WEBSOCKET_PROTOCOL).any(|name| name == PROTOCOL),
            most_bytes,
        })
    }

    /// Accepts it: what `run` does with the socket is a task of the tracker's.
    pub(super) fn accept<F>(self, tasks: &TaskTracker, run: impl FnOnce(Link) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if self.offered {
            // This one alone: what else the client offers may be its token.
            response = response.header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(Some(self.most_bytes))
            .max_frame_size(Some(self.most_bytes));
        let upgrade = self.upgrade;
        drop(context::spawn(tasks, async move {
            if let Ok(Ok(connection)) = tokio::time::timeout(PATIENCE, upgrade).await {
                let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
                run(Link::new(socket)).await;
            }
        }));
        response.finish()
    }

    /// Accepts it, only to close it with what is wrong.
    pub(in super::super) fn refuse(
        self,
        tasks: &TaskTracker,
        problem: Problem,
        path: &str,
        request_id: &str,
    ) -> Response {
        let body = problem.body(Some(path), Some(request_id));
        self.accept(tasks, move |link| async move { link.close_with(&problem, body).await })
    }
}

/// The tokens that come as subprotocols: a browser's page can send no other header with a handshake.
pub(in super::super) fn offered_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    names(headers, &header::SEC_WEBSOCKET_PROTOCOL).filter_map(|name| name.strip_prefix(BEARER))
}

/// The names in a header that is a list.
fn names<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The value of a header that comes once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}
