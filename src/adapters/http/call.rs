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
use crate::{
    app::{App, authenticate::Credential, signals::POLL},
    domain::identity::Identity,
    ports::token_validator::AuthError,
};

/// A request on its way to its operation.
#[derive(Debug)]
pub(super) struct Call {
    /// The use cases.
    pub(super) app: Arc<App>,
    /// The parameters of its path, in their order; `None` for one whose percent-encoding is broken.
    pub(super) parameters: [Option<String>; 2],
    /// Its query, decoded: known names only, each once.
    pub(super) query: Vec<(String, String)>,
    /// Who asks: `None` where the operation is open.
    pub(super) identity: Option<Arc<Identity>>,
    /// What they showed: where the request or its answer takes long, they are judged again.
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

    /// Says whether the caller is still who they were when their request began.
    ///
    /// # Errors
    /// Why they are not let in any more, or not as who they were.
    pub(super) async fn still_admitted(&self) -> Result<(), Changed> {
        let (Some(credential), Some(who)) = (&self.credential, &self.identity) else { return Ok(()) };
        match self.app.authenticator.judge_again(credential).await {
            Ok(caller) if *caller.identity == **who => Ok(()),
            Ok(_) => Err(Changed::Rights),
            Err(rejection) => Err(Changed::Refused(rejection.error)),
        }
    }

    /// Waits until a caller whose request waits may wait no longer; says why. What nobody can tell now ends no wait.
    pub(super) async fn lost(&self) -> Problem {
        tokio::time::sleep(POLL).await;
        let mut changed = self.app.core.commands.signals().standing.changed.listen();
        loop {
            if self.deadline.is_extended() {
                match self.still_admitted().await {
                    Ok(()) | Err(Changed::Refused(AuthError::Unavailable | AuthError::KeyUnavailable)) => {}
                    Err(changed) => return changed.into(),
                }
            }
            changed.heard().await;
        }
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

/// What became of a caller while their request was under way.
#[derive(Debug)]
pub(super) enum Changed {
    /// They are not let in any more.
    Refused(AuthError),
    /// What they may do is something else.
    Rights,
}

impl From<Changed> for Problem {
    fn from(changed: Changed) -> Self {
        match changed {
            Changed::Refused(error) => error.into(),
            Changed::Rights => {
                let ask = "What you may do has changed meanwhile; ask again";
                Self::new(codes::AUTH_UNAVAILABLE, ask).retry_after(1)
            }
        }
    }
}

/// Until when the answer must begin. A wait that the request asks for is put on top.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    begun: Instant,
    usual: u64,
    allowed: Arc<AtomicU64>,
}

impl Deadline {
    /// So long from now.
    pub(super) fn within(allowed: Duration) -> Self {
        let usual = millis(allowed);
        Self { begun: Instant::now(), usual, allowed: Arc::new(AtomicU64::new(usual)) }
    }

    /// Allows a wait on top.
    pub(super) fn extend(&self, wait: Duration) {
        self.allowed.fetch_add(millis(wait), Ordering::SeqCst);
    }

    /// Whether a wait was asked for.
    fn is_extended(&self) -> bool {
        self.allowed.load(Ordering::SeqCst) > self.usual
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
