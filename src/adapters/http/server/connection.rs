//! What is known of one open connection: what it does, and since when it does nothing.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How many requests a connection may have under way that has shown no good token.
const SLOTS_OF_STRANGERS: usize = 16;
/// How many of one that has.
pub(super) const MAX_SLOTS: usize = 100;
/// With more unsent bytes no further request of the connection begins.
const MAX_UNSENT: usize = 16 << 20;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) address: IpAddr,
    /// Whether it was taken beyond the limit: it is told so, and may ask for the gateway's health.
    pub(super) surplus: bool,
    /// Ends it at once.
    pub(super) cut: CancellationToken,
    slots: Arc<Semaphore>,
    authenticated: AtomicBool,
    unsent: AtomicUsize,
    sent: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests under way, and bodies that are not sent to their end.
    active: usize,
    last_activity: Instant,
    /// When the server last asked each body for more: it does so as far as the client reads.
    bodies: HashMap<u64, Instant>,
    next_body: u64,
}

/// What is wrong with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is asked on it.
    Idle,
    /// Its client does not read.
    Stalled,
}

impl Connection {
    pub(super) fn new(address: IpAddr, surplus: bool) -> Self {
        let state = State { active: 0, last_activity: Instant::now(), bodies: HashMap::new(), next_body: 0 };
        Self {
            address,
            surplus,
            cut: CancellationToken::new(),
            slots: Arc::new(Semaphore::new(SLOTS_OF_STRANGERS)),
            authenticated: AtomicBool::new(false),
            unsent: AtomicUsize::new(0),
            sent: Notify::new(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment: a panic leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when nothing is asked on it, if that is so.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.active == 0).then_some(state.last_activity)
    }

    pub(super) fn fault(&self, idle_timeout: Duration, stall_timeout: Duration) -> Option<Fault> {
        let state = self.state();
        if state.active == 0 {
            return (state.last_activity.elapsed() > idle_timeout).then_some(Fault::Idle);
        }
        let stalled = state.bodies.values().any(|asked| asked.elapsed() > stall_timeout);
        stalled.then_some(Fault::Stalled)
    }

    /// Counts a request, or what a connection was upgraded to.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.active += 1;
        state.last_activity = Instant::now();
    }

    pub(super) fn end(&self) {
        let mut state = self.state();
        state.active = state.active.saturating_sub(1);
        state.last_activity = Instant::now();
    }

    /// Waits for its turn: as many requests as a connection may have, and not while the client leaves too much unread.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        loop {
            let sent = self.sent.notified();
            if self.unsent() <= MAX_UNSENT {
                return Some(permit);
            }
            sent.await;
        }
    }

    /// A request on it had a good token.
    pub(super) fn note_authenticated(&self) {
        if !self.authenticated.swap(true, Ordering::Relaxed) {
            self.slots.add_permits(MAX_SLOTS - SLOTS_OF_STRANGERS);
        }
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }

    pub(super) fn add_unsent(&self, bytes: usize) {
        self.unsent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sub_unsent(&self, bytes: usize) {
        self.unsent.fetch_sub(bytes, Ordering::Relaxed);
        self.sent.notify_waiters();
    }

    /// A body begins to be sent: its number here.
    pub(super) fn open_body(&self) -> u64 {
        let mut state = self.state();
        state.next_body += 1;
        let id = state.next_body;
        state.bodies.insert(id, Instant::now());
        id
    }

    pub(super) fn asked_for(&self, body: u64) {
        self.state().bodies.insert(body, Instant::now());
    }

    pub(super) fn close_body(&self, body: u64) {
        self.state().bodies.remove(&body);
    }
}
