//! Why a use case did not do what it was asked. The HTTP layer turns each into a problem, exhaustively.

use crate::{
    domain::{page::PageRequest, text::InvalidText},
    ports::{engine::EngineError, repository::RepositoryError, token_validator::AuthError},
};

/// What was not found, or may not be seen: the noun of `<noun>.not_found`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// A workspace.
    Workspace,
    /// Somebody's membership in a workspace.
    Membership,
    /// A workflow.
    Workflow,
    /// A deployment.
    Deployment,
    /// An execution.
    Execution,
    /// A process, by key or by message name.
    Process,
    /// A process instance.
    ProcessInstance,
    /// A user task.
    UserTask,
    /// A job.
    Job,
    /// An incident.
    Incident,
    /// A service token.
    ServiceToken,
    /// A revocation.
    Revocation,
    /// An engine.
    Engine,
}

/// What stands against a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConflictError {
    /// `workspace.id_taken`
    #[error("a workspace of this id exists")]
    WorkspaceIdTaken,
    /// `membership.last_owner`
    #[error("the workspace would be left without an owner; make somebody else one first")]
    LastOwner,
    /// `workflow.name_taken`
    #[error("a workflow of this name exists in the workspace")]
    WorkflowNameTaken,
    /// `workflow.process_taken`
    #[error("another workflow runs this process on this engine")]
    ProcessTaken,
    /// `workflow.busy`
    #[error("executions of the workflow are running; cancel them first")]
    WorkflowBusy,
    /// `process.ambiguous`
    #[error("several workspaces have a process of this key; name a workspaceId")]
    ProcessAmbiguous,
    /// `execution.ended`
    #[error("the execution has ended")]
    ExecutionEnded,
    /// `service_token.identifier_taken`
    #[error("a service token of this identifier exists")]
    TokenIdentifierTaken,
    /// `service_token.already_rotating`
    #[error("an older secret still works; wait for its end or rotate with an overlap of 0")]
    TokenAlreadyRotating,
    /// `service_token.expired`
    #[error("the service token has expired; make a new one")]
    TokenExpired,
    /// `service_token.revoked`
    #[error("the service token has been revoked; make a new one")]
    TokenRevoked,
    /// `idempotency.in_flight`
    #[error("a request with this Idempotency-Key is under way")]
    IdempotencyInFlight,
    /// `idempotency.not_replayable`
    #[error("the answer held a secret and is not kept; it made {subject:?}")]
    IdempotencyNotReplayable {
        /// The id of what was made.
        subject: String,
    },
}

/// A value that can be read but not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where in the body: a JSON pointer (RFC 6901), which begins with a slash; else the name of a parameter.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The caller may not.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// There is no such thing, or the caller may not see it.
    #[error("not found")]
    NotFound(Noun),
    /// Something stands against it.
    #[error(transparent)]
    Conflict(#[from] ConflictError),
    /// Values that can be read but not used: 422 `request.invalid`.
    #[error("the request has invalid values")]
    Invalid(Vec<FieldError>),
    /// The thing has changed since the `If-Match` was read: 412.
    #[error("it has changed in the meantime")]
    Stale,
    /// The Idempotency-Key was used for another request: 422 `idempotency.key_reused`.
    #[error("this Idempotency-Key was used for another request")]
    IdempotencyKeyReused,
    /// Too many requests of one identity wait: 429 `request.too_many_waits`.
    #[error("too many requests wait")]
    TooManyWaits,
    /// A stream's position that the channel has not reached: 400 `events.position_unknown`.
    #[error("the channel has not reached this position")]
    PositionUnknown,
    /// Events after this position are no longer kept: 410 `events.position_expired`.
    #[error("events after this position are no longer kept; the oldest is {oldest}")]
    PositionExpired {
        /// The number of the first event from which on all are kept.
        oldest: u64,
    },
    /// No key is configured for widgets' sessions: 501 `session.not_configured`.
    #[error("widget sessions are not configured")]
    NoSessions,
    /// The engine's answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store's answer.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A task of the gate died.
    #[error("the gate failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AppError {
    /// One invalid value.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), message: message.into() }])
    }

    /// A text outside its limits.
    pub fn text(pointer: &'static str) -> impl FnOnce(InvalidText) -> Self {
        move |error| Self::invalid(pointer, error.to_string())
    }

    /// Whether the store does not answer.
    pub const fn is_unavailable(&self) -> bool {
        use RepositoryError::Unavailable;
        matches!(self, Self::Repository(Unavailable(_)) | Self::Engine(EngineError::Repository(Unavailable(_))))
    }

    /// Whether the whole unit of work may be run again: another unit was in the way, or has just made what this one was
    /// about to make, which the next run will find.
    pub const fn is_passing(&self) -> bool {
        use RepositoryError::{Conflict, Serialization};
        matches!(
            self,
            Self::Repository(Serialization | Conflict)
                | Self::Engine(EngineError::Repository(Serialization | Conflict))
        )
    }
}

/// A page that starts at the beginning and is as long as a page may be: for use cases that walk a whole list.
pub(crate) fn longest_page() -> PageRequest {
    PageRequest { limit: crate::domain::page::MAX_LIMIT, after: None }
}
