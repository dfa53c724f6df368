//! What the gate found out about a request before its operation runs; it rides in the request's extensions.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use poem::Request;
use tokio::time::Instant;

use super::{codes, problem::Problem, socket::Handshake};
use crate::{app::authenticate::Credential, domain::identity::Identity};

/// A request on its way to its operation.
#[derive(Debug)]
pub(super) struct Call {
    /// The parameters of its path, in their order; `None` for one whose percent-encoding is broken.
    pub(super) parameters: [Option<String>; 2],
    /// Its query, decoded: known names only, each once.
    pub(super) query: Vec<(String, String)>,
    /// Who asks: `None` where the operation is open.
    pub(super) identity: Option<Arc<Identity>>,
    /// What they showed, where the answer lives longer than the judgement.
    pub(super) credential: Option<Credential>,
    /// Where it opens a WebSocket: by this, until somebody takes it.
    pub(super) handshake: Arc<Mutex<Option<Handshake>>>,
    /// Until when the answer must begin.
    pub(super) deadline: Deadline,
    /// How large its body may be.
    pub(super) body_limit: usize,
    /// Owns what runs on after the answer.
    pub(super) tasks: tokio_util::task::TaskTracker,
}

impl Call {
    /// The call that a request is.
    pub(super) fn of(request: &Request) -> Result<&Self, Problem> {
        request.extensions().get::<Arc<Self>>().map(AsRef::as_ref).ok_or_else(|| Problem::plain(codes::INTERNAL))
    }

    /// The opening handshake of a WebSocket, if the request is one.
    pub(super) fn take_handshake(&self) -> Option<Handshake> {
        self.handshake.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A value of its query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Until when the answer must begin. A wait that the request asks for is put on top.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    begun: Instant,
    allowed: Arc<AtomicU64>,
}

impl Deadline {
    /// So long from now.
    pub(super) fn within(allowed: Duration) -> Self {
        Self { begun: Instant::now(), allowed: Arc::new(AtomicU64::new(millis(allowed))) }
    }

    /// Allows a wait on top.
    pub(super) fn extend(&self, wait: Duration) {
        self.allowed.fetch_add(millis(wait), Ordering::SeqCst);
    }

    fn at(&self) -> Instant {
        self.begun + Duration::from_millis(self.allowed.load(Ordering::SeqCst))
    }

    /// Ends when the time is over, however often it was extended meanwhile.
    pub(super) async fn over(&self) {
        loop {
            let at = self.at();
            tokio::time::sleep_until(at).await;
            if self.at() <= at {
                return;
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
