//! Serves the API: connections with bounds on slow clients, and an end that waits for what is under way.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use poem::{
    Addr, Endpoint, Response,
    http::{self, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::refusals::Answering;
use crate::app::context;

/// How long a client may take over the head of a request. It also ends connections on which nothing is asked.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long accepting rests when the system has no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The most bytes of a request's head, and of what is read ahead of its body.
const MOST_BUFFERED: usize = 256 * 1024;
/// The largest list of headers on HTTP/2.
const MOST_HEADER_BYTES: u32 = 64 * 1024;
/// How many requests one HTTP/2 connection may have under way.
const MOST_STREAMS: u32 = 200;

/// Serves until `stopping` says so; then no connection is taken and no further request, and what is under way has `grace`
/// to end.
///
/// # Errors
/// When the listener has no address.
pub async fn serve<E>(listener: TcpListener, api: E, stopping: CancellationToken, grace: Duration) -> io::Result<()>
where
    E: Endpoint<Output = Response> + 'static,
{
    let local = listener.local_addr()?;
    let server = Server { api: Arc::new(api), local, stopping: stopping.clone(), connections: TaskTracker::new() };
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((socket, remote)) => server.take(socket, remote),
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    server.connections.close();
    if tokio::time::timeout(grace, server.connections.wait()).await.is_err() {
        tracing::warn!(left = server.connections.len(), "shutdown_grace is over; open connections are cut");
    }
    Ok(())
}

struct Server<E> {
    api: Arc<E>,
    local: SocketAddr,
    stopping: CancellationToken,
    connections: TaskTracker,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    fn take(&self, socket: TcpStream, remote: SocketAddr) {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection is gone already");
            return;
        }
        let (api, stopping, local) = (Arc::clone(&self.api), self.stopping.clone(), self.local);
        let tasks = self.connections.clone();
        drop(context::spawn(&self.connections, async move {
            let service = service_fn(move |request: http::Request<Incoming>| {
                let api = Arc::clone(&api);
                let (local, remote) = (LocalAddr(Addr::from(local)), RemoteAddr(Addr::from(remote)));
                let request = poem::Request::from((request, local, remote, Scheme::HTTP));
                async move { Ok::<_, Infallible>(http::Response::from(api.get_response(request).await)) }
            });
            let mut builder = auto::Builder::new(Owned(tasks));
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MOST_BUFFERED)
                .http2()
                .timer(TokioTimer::new())
                .keep_alive_interval(HEAD_TIMEOUT)
                .max_concurrent_streams(MOST_STREAMS)
                .max_header_list_size(MOST_HEADER_BYTES);
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(Answering::new(socket)), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopping.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::trace!(error = %error, "a connection broke");
            }
        }));
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
