//! One run of a workflow: the gate's own record of an engine's process instance.

use jiff::Timestamp;

use super::{
    engine::{EngineName, NativeId},
    identity::IdentityKind,
    ids::{ExecutionId, WorkflowId},
    json::JsonObject,
    text::Key,
    workspace::WorkspaceId,
};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// Not ended.
    Running,
    /// Reached its end.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended from outside.
    Cancelled,
}

impl ExecutionStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the run is over.
    pub fn ended(self) -> bool {
        self != Self::Running
    }
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionError {
    /// The BPMN error's code, or the gate's.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// Who started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starter {
    /// Their subject; `timer:<element>` for a timer.
    pub subject: String,
    /// What sort of caller.
    pub kind: IdentityKind,
}

/// An execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// What runs.
    pub workflow: WorkflowId,
    /// Who owns it.
    pub workspace: WorkspaceId,
    /// How it stands.
    pub status: ExecutionStatus,
    /// The caller's own name for it.
    pub business_key: Option<Key>,
    /// Where it runs.
    pub engine: EngineName,
    /// The engine's own name for it; `None` while a remote engine has not answered.
    pub instance: Option<NativeId>,
    /// What it was started with.
    pub input: JsonObject,
    /// The process scope's variables at its end.
    pub result: Option<JsonObject>,
    /// Why it failed.
    pub error: Option<ExecutionError>,
    /// Who started it.
    pub started_by: Starter,
    /// A number of the channel not later than the first event of this execution.
    pub events_after: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// In lists an execution's input or result of more bytes, as JSON, is left out.
pub const MAX_LISTED_BYTES: usize = 16 * 1024;

/// An execution in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedExecution {
    /// The execution; what is omitted is empty.
    pub execution: Execution,
    /// Whether its input is larger than [`MAX_LISTED_BYTES`].
    pub omits_input: bool,
    /// Likewise its result.
    pub omits_result: bool,
}
