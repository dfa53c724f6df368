//! Who is woken when something has committed on this replica. What another replica commits is found by polling.

use std::time::Duration;

use tokio::sync::watch;

use super::{
    job_waits::{AvailableJobs, Waits},
    standing::Standing,
};
use crate::domain::revocation::Notice;

/// How long a sleeper waits at most before it looks again by itself: what it waits for may have happened on another replica.
pub const POLL: Duration = Duration::from_millis(500);

/// What a unit of work did that somebody may be waiting for.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent facts")]
pub struct Wake {
    /// Events wait for their numbers.
    pub events: bool,
    /// Jobs became available.
    pub jobs: Vec<AvailableJobs>,
    /// User tasks appeared.
    pub tasks: bool,
    /// Executions ended.
    pub ended: bool,
    /// Something is due, or will be earlier than was known.
    pub timers: bool,
    /// Entries of the audit wait for their place.
    pub audit: bool,
    /// What was told to the revocation log: it counts on this replica before the answer goes out.
    pub notices: Vec<Notice>,
}

/// A bell: whoever subscribed before it rang wakes.
#[derive(Debug)]
pub struct Bell(watch::Sender<()>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Bell {
    /// Wakes everybody.
    pub fn ring(&self) {
        self.0.send_replace(());
    }

    /// Begins to listen; subscribe before looking, then wait.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// Hears a [`Bell`].
#[derive(Debug)]
pub struct Listener(watch::Receiver<()>);

impl Listener {
    /// Waits for the next ring, however long that takes.
    pub async fn rung(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the next ring, at most [`POLL`].
    pub async fn heard(&mut self) {
        // Either way it is time to look again; a bell that is gone means shutdown, where the time-out paces the caller.
        if let Ok(Err(_gone)) = tokio::time::timeout(POLL, self.0.changed()).await {
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The bells of this replica.
#[derive(Debug, Default)]
pub struct Signals {
    /// See [`Wake::events`].
    pub events: Bell,
    /// Who waits, for jobs and else; see [`Wake::jobs`].
    pub waits: Waits,
    /// See [`Wake::tasks`].
    pub tasks: Bell,
    /// See [`Wake::ended`].
    pub ended: Bell,
    /// See [`Wake::timers`].
    pub timers: Bell,
    /// See [`Wake::audit`].
    pub audit: Bell,
    /// What stands against credentials now.
    pub standing: Standing,
}

impl Signals {
    /// Rings what a committed unit of work calls for.
    pub fn wake(&self, wake: Wake) {
        for (wanted, bell) in [
            (wake.events, &self.events),
            (wake.tasks, &self.tasks),
            (wake.ended, &self.ended),
            (wake.timers, &self.timers),
            (wake.audit, &self.audit),
        ] {
            if wanted {
                bell.ring();
            }
        }
        for jobs in &wake.jobs {
            self.waits.wake(jobs);
        }
        self.standing.apply(wake.notices);
    }
}
