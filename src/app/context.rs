//! Who is calling, for as long as a request lasts: a task-local that the HTTP layer opens in one place.

use std::{future::Future, net::IpAddr, sync::Arc};

use tokio::task::{JoinHandle, futures::TaskLocalFuture};
use tokio_util::task::TaskTracker;

use crate::domain::{bearer::BearerToken, identity::Identity};

/// What goes with a request through the house.
#[derive(Debug, Clone)]
pub struct AuthContext {
    /// Who is calling.
    pub identity: Arc<Identity>,
    /// The token to pass on to engines; `None` for our own credentials, which never leave the gate.
    pub forwardable: Option<BearerToken>,
    /// The request's id, made or taken over at the edge.
    pub request_id: Arc<str>,
    /// The address that the request came from, behind the proxies that are trusted.
    pub address: Option<IpAddr>,
    /// The W3C `traceparent` to send on.
    pub traceparent: Option<Arc<str>>,
}

tokio::task_local! {
    static CONTEXT: AuthContext;
}

/// Runs a future with the context. The HTTP layer calls this once a request; tests enter the same way.
pub fn scope<F: Future>(context: AuthContext, future: F) -> TaskLocalFuture<AuthContext, F> {
    CONTEXT.scope(context, future)
}

/// The context, where there is one: outside a request (timers, sweeps) there is none, and the gate acts as the system.
pub fn current() -> Option<AuthContext> {
    CONTEXT.try_with(Clone::clone).ok()
}

/// Spawns a task that the tracker owns and that runs as the system: it serves others than the request that happened to
/// begin it, outlives it, and keeps nothing of it.
#[expect(clippy::disallowed_methods, reason = "the other place that spawns")]
pub fn spawn_as_system<F>(tracker: &TaskTracker, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(tracker.track_future(future))
}

/// Spawns a task that the tracker owns: shutdown waits for it, and it carries the context over.
#[expect(clippy::disallowed_methods, reason = "one of the two places that spawn")]
pub fn spawn<F>(tracker: &TaskTracker, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match current() {
        Some(context) => tokio::spawn(tracker.track_future(scope(context, future))),
        None => tokio::spawn(tracker.track_future(future)),
    }
}
