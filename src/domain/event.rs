//! Something that happened, in a channel `workflow:{workflow_id}`, numbered without gaps within the channel.

use jiff::Timestamp;

use super::{
    ids::{EventId, WorkflowId},
    json::JsonObject,
};

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// What happened (DESIGN section 7).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventType {
            $($(#[$doc])* $variant),+
        }

        impl EventType {
            /// Every type that the gate makes so far.
            pub const ALL: &'static [EventType] = &[$(EventType::$variant),+];

            /// Its name on the wire: the CloudEvents `type`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(EventType::$variant => $text),+
                }
            }

            /// The type of that name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
            }
        }
    };
}

event_types! {
    /// An execution began.
    ExecutionStarted = "execution.started",
    /// It reached its end.
    ExecutionCompleted = "execution.completed",
    /// It ended with an error.
    ExecutionFailed = "execution.failed",
    /// It was ended from outside.
    ExecutionCancelled = "execution.cancelled",
    /// A job waits for a worker.
    JobCreated = "job.created",
    /// A worker completed it.
    JobCompleted = "job.completed",
    /// A worker failed it.
    JobFailed = "job.failed",
    /// A worker threw a BPMN error.
    JobErrorThrown = "job.error_thrown",
    /// It is no longer wanted.
    JobCancelled = "job.cancelled",
    /// A task waits for a person.
    UserTaskCreated = "user_task.created",
    /// Somebody has it, or nobody any more.
    UserTaskAssigned = "user_task.assigned",
    /// It is done.
    UserTaskCompleted = "user_task.completed",
    /// It is no longer wanted.
    UserTaskCancelled = "user_task.cancelled",
    /// A timer fired.
    TimerFired = "timer.fired",
    /// A message or signal reached a waiting element.
    MessageCorrelated = "message.correlated",
    /// An instance cannot go on without help.
    IncidentRaised = "incident.raised",
    /// It goes on.
    IncidentResolved = "incident.resolved",
    /// Resources were put on an engine.
    DeploymentCreated = "deployment.created",
}

/// An event before it has its number: it commits with the change that it tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its id, by which publishers are idempotent.
    pub id: EventId,
    /// The channel.
    pub workflow: WorkflowId,
    /// What happened.
    pub kind: EventType,
    /// The execution's or deployment's id.
    pub subject: String,
    /// When.
    pub time: Timestamp,
    /// What the type calls for. No secret, token or raw header.
    pub data: JsonObject,
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The event.
    pub event: NewEvent,
    /// Its number in the channel, from 1, without gaps.
    pub sequence: u64,
}
