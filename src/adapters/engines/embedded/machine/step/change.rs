//! What a step tells the shell.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::Map;
use super::super::timer::Schedule;

/// What a step changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A job waits for a worker.
    JobCreated {
        /// The job.
        key: u64,
        /// Its task.
        element_id: String,
        /// What workers ask for.
        topic: String,
        /// How many tries it has.
        retries: u32,
        /// Fixed values of the model for the worker.
        headers: BTreeMap<String, String>,
    },
    /// A job was completed.
    JobCompleted {
        /// The job.
        key: u64,
        /// Its task.
        element_id: String,
    },
    /// A job ended with a BPMN error, caught or not.
    JobErrorThrown {
        /// The job.
        key: u64,
        /// Its task.
        element_id: String,
        /// The error code.
        code: String,
    },
    /// A job is no longer wanted.
    JobCancelled {
        /// The job.
        key: u64,
        /// Its task.
        element_id: String,
    },
    /// A user task waits for somebody.
    TaskCreated(UserTask),
    /// A user task was completed.
    TaskCompleted {
        /// The user task.
        key: u64,
        /// Its element.
        element_id: String,
    },
    /// A user task is no longer wanted.
    TaskCancelled {
        /// The user task.
        key: u64,
        /// Its element.
        element_id: String,
    },
    /// A timer was set.
    TimerScheduled {
        /// The timer.
        key: u64,
        /// Its event.
        element_id: String,
        /// When it fires.
        schedule: Schedule,
    },
    /// A timer fired.
    TimerFired {
        /// The timer.
        key: u64,
        /// Its event.
        element_id: String,
        /// When the same timer fires next; none means that it is over.
        next: Option<Schedule>,
    },
    /// A timer was taken back.
    TimerCancelled {
        /// The timer.
        key: u64,
    },
    /// The instance waits for a message or signal.
    SubscriptionOpened {
        /// The subscription.
        key: u64,
        /// Its event.
        element_id: String,
        /// What it waits for.
        event: Subscribed,
    },
    /// A subscription is over, because it was served or is no longer wanted.
    SubscriptionClosed {
        /// The subscription.
        key: u64,
    },
    /// A message arrived. The subscription stays open unless [`Change::SubscriptionClosed`] follows.
    MessageCorrelated {
        /// The subscription.
        key: u64,
        /// Its event.
        element_id: String,
        /// The message.
        message_name: String,
    },
    /// Something failed, and waits for a retry.
    IncidentRaised {
        /// The incident.
        key: u64,
        /// Where it is.
        element_id: String,
        /// `expression_error`, `condition_error`, `unhandled_error`, `variables_too_large`, `step_limit` or
        /// `model_mismatch`.
        kind: String,
        /// What failed, for people.
        message: String,
    },
    /// An incident is over, because of a retry or because its element was cancelled.
    IncidentResolved {
        /// The incident.
        key: u64,
        /// Where it was.
        element_id: String,
    },
    /// The instance reached its end.
    Completed {
        /// The variables of the process scope.
        variables: Map,
    },
    /// The instance ended with an error of its own.
    Failed {
        /// The error code.
        code: String,
        /// What happened, for people.
        message: String,
    },
    /// The instance was cancelled.
    Cancelled,
    /// The bound of a step was reached; [`Command::Continue`](super::Command::Continue) goes on in a new one.
    Continue,
}

/// A user task as it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTask {
    /// The user task.
    pub key: u64,
    /// Its element.
    pub element_id: String,
    /// Its name, the element's id where it has none.
    pub name: String,
    /// Who is to do it.
    pub assignee: Option<String>,
    /// Who may take it.
    pub candidate_users: Vec<String>,
    /// Which groups may take it.
    pub candidate_groups: Vec<String>,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// When somebody should look again.
    pub follow_up: Option<Timestamp>,
    /// How urgent it is.
    pub priority: Option<i64>,
    /// The form to show.
    pub form_key: Option<String>,
}

/// What a subscription waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// A message.
    Message {
        /// Its name.
        name: String,
        /// The key that a message must carry; none matches on the instance's business key.
        correlation_key: Option<String>,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: String,
    },
}
