//! Serves the API: connections with bounds on what clients send, on what they leave unread and on how many there are, and an
//! end that waits for what is under way.

mod body;
mod connection;
mod connections;
mod io;
mod limits;

use std::{convert::Infallible, io::Result, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use poem::{
    Addr, Endpoint, Response,
    http::{self, HeaderValue, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use self::body::SharedBody;
pub use self::limits::Limits;
use self::{
    body::SentBody,
    connection::{Connection, Fault, MAX_SLOTS},
    connections::{Connections, Ticket},
    io::StallGuard,
};
use super::{codes, problem::Problem, refusals::Answering};
use crate::app::context;

/// How long accepting rests when the system has no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection that must end may still send.
const CLOSING: Duration = Duration::from_secs(1);
/// The most bytes of a request's head, and of what is read ahead of its body.
const MAX_BUFFERED: usize = 256 * 1024;
/// The largest list of headers on HTTP/2.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// What HTTP/2 keeps of a stream that its client does not read.
const MAX_STREAM_BUFFER: usize = 64 * 1024;
/// How often a connection is looked at, at most.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// What surplus connections may ask for.
const HEALTH: &str = "/health/";
/// After how many seconds a client may find room again.
const RETRY_AFTER: u64 = 5;

/// Marks an answer to who has shown a good token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authenticated;

/// Serves until `stopping` says so; then no connection is taken and no further request, and what is under way has `grace`
/// to end.
///
/// # Errors
/// When the listener has no address.
pub async fn serve<E>(
    listener: TcpListener,
    api: E,
    limits: Limits,
    stopping: CancellationToken,
    grace: Duration,
) -> Result<()>
where
    E: Endpoint<Output = Response> + 'static,
{
    let local = listener.local_addr()?;
    let server = Server {
        api: Arc::new(api),
        local,
        stopping: stopping.clone(),
        tasks: TaskTracker::new(),
        connections: Arc::new(Connections::new(limits)),
    };
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((socket, remote)) => server.take(socket, remote),
            Err(error) => {
                let closed = server.connections.close_idle();
                tracing::warn!(error = %error, closed, "a connection could not be accepted; idle ones are closed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    server.tasks.close();
    if tokio::time::timeout(grace, server.tasks.wait()).await.is_err() {
        tracing::warn!(left = server.tasks.len(), "shutdown_grace is over; open connections are cut");
    }
    Ok(())
}

struct Server<E> {
    api: Arc<E>,
    local: SocketAddr,
    stopping: CancellationToken,
    tasks: TaskTracker,
    connections: Arc<Connections>,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    fn take(&self, socket: TcpStream, remote: SocketAddr) {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection is gone already");
            return;
        }
        let Some(ticket) = self.connections.admit(remote.ip()) else { return };
        let connection = Arc::clone(&ticket.connection);
        let answer = Answer {
            api: Arc::clone(&self.api),
            connection: Arc::clone(&connection),
            connections: Arc::clone(&self.connections),
            local: self.local,
            remote,
        };
        let (stopping, limits, tasks) = (self.stopping.clone(), self.connections.limits.clone(), self.tasks.clone());
        drop(context::spawn(&self.tasks, async move {
            let cut = connection.cut.clone();
            let running = run(socket, ticket, answer, tasks, &connection, &limits, stopping);
            cut.run_until_cancelled(running).await;
        }));
    }
}

/// Serves a connection to its end.
async fn run<E: Endpoint<Output = Response> + 'static>(
    socket: TcpStream,
    ticket: Ticket,
    answer: Answer<E>,
    tasks: TaskTracker,
    connection: &Connection,
    limits: &Limits,
    stopping: CancellationToken,
) {
    let mut builder = auto::Builder::new(Owned(tasks));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(MAX_BUFFERED)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle_timeout)
        .max_concurrent_streams(u32::try_from(MAX_SLOTS).unwrap_or(u32::MAX))
        .max_send_buf_size(MAX_STREAM_BUFFER)
        .max_header_list_size(MAX_HEADER_BYTES);
    let socket = TokioIo::new(Answering::new(StallGuard::new(socket, limits.stall_timeout, ticket)));
    let service = service_fn(move |request| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer.to(request).await) }
    });
    let mut serving = std::pin::pin!(builder.serve_connection_with_upgrades(socket, service));
    let look = limits.idle_timeout.min(limits.stall_timeout).div_f32(3.0).min(LOOK_INTERVAL);
    let ended = loop {
        tokio::select! {
            ended = serving.as_mut() => break ended,
            () = stopping.cancelled() => {
                serving.as_mut().graceful_shutdown();
                break serving.await;
            }
            () = tokio::time::sleep(look) => match connection.fault(limits.idle_timeout, limits.stall_timeout) {
                None => {}
                Some(Fault::Idle) => {
                    serving.as_mut().graceful_shutdown();
                    // Whoever does not go is cut off.
                    drop(tokio::time::timeout(CLOSING, serving).await);
                    return;
                }
                Some(Fault::Stalled) => {
                    tracing::debug!(client.address = %connection.address, "a client that does not read was cut off");
                    return;
                }
            },
        }
    };
    // What it was upgraded to may live on, and is not idle.
    connection.begin();
    if let Err(error) = ended {
        tracing::trace!(error = %error, "a connection broke");
    }
}

/// Answers the requests of a connection.
struct Answer<E> {
    api: Arc<E>,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
    local: SocketAddr,
    remote: SocketAddr,
}

impl<E> Clone for Answer<E> {
    fn clone(&self) -> Self {
        Self {
            api: Arc::clone(&self.api),
            connection: Arc::clone(&self.connection),
            connections: Arc::clone(&self.connections),
            ..*self
        }
    }
}

/// Counts a request until its answer takes over.
struct Begun(Option<Arc<Connection>>);

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.end();
        }
    }
}

impl<E: Endpoint<Output = Response> + 'static> Answer<E> {
    async fn to(&self, request: http::Request<Incoming>) -> http::Response<SentBody> {
        let connection = &self.connection;
        connection.begin();
        let mut begun = Begun(Some(Arc::clone(connection)));
        let slot = connection.slot().await;
        let response = if connection.surplus && !request.uri().path().starts_with(HEALTH) {
            let problem = Problem::plain(codes::REQUEST_TOO_MANY_CONNECTIONS).retry_after(RETRY_AFTER);
            problem.respond(Some(request.uri().path()), None)
        } else {
            let (local, remote) = (LocalAddr(Addr::from(self.local)), RemoteAddr(Addr::from(self.remote)));
            self.api.get_response(poem::Request::from((request, local, remote, Scheme::HTTP))).await
        };
        let mut response = http::Response::from(response);
        if connection.surplus {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if response.extensions().get::<Authenticated>().is_some() {
            connection.note_authenticated();
        }
        let shared = response.extensions().get::<SharedBody>().is_some();
        begun.0 = None;
        let (connection, connections) = (Arc::clone(connection), Arc::clone(&self.connections));
        response.map(|body| SentBody::new(body, shared, connection, connections, slot))
    }
}

/// Runs what HTTP/2 connections need beside themselves.
#[derive(Clone)]
struct Owned(TaskTracker);

impl<F> Executor<F> for Owned
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(context::spawn(&self.0, future));
    }
}
