//! What use cases and ports answer, as problems: exhaustive, so that a new variant must choose its answer here.

use serde_json::json;

use super::{
    codes::{self, Code},
    problem::Problem,
};
use crate::{
    app::error::{AppError, ConflictError, FieldError, Noun},
    ports::{
        engine::{EngineError, ResourceError},
        repository::RepositoryError,
        token_validator::AuthError,
    },
};

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let detail = error.to_string();
        match error {
            AuthError::MissingToken => Self::new(codes::AUTH_MISSING_TOKEN, detail),
            AuthError::InvalidToken => Self::new(codes::AUTH_INVALID_TOKEN, detail),
            AuthError::UnsupportedAlgorithm => Self::new(codes::AUTH_UNSUPPORTED_ALGORITHM, detail),
            AuthError::InvalidAudience => Self::new(codes::AUTH_INVALID_AUDIENCE, detail),
            AuthError::InvalidIssuer => Self::new(codes::AUTH_INVALID_ISSUER, detail),
            AuthError::TokenExpired => Self::new(codes::AUTH_TOKEN_EXPIRED, detail),
            AuthError::TokenRevoked => Self::new(codes::AUTH_TOKEN_REVOKED, detail),
            AuthError::NotProvisioned => Self::new(codes::AUTH_NOT_PROVISIONED, detail),
            AuthError::MissingScope(scopes) => Self::new(codes::AUTH_MISSING_SCOPE, detail).with_scopes(scopes),
            AuthError::WorkspaceForbidden => Self::new(codes::AUTH_WORKSPACE_FORBIDDEN, detail),
            AuthError::LifeExceeded => Self::new(codes::AUTH_LIFE_EXCEEDED, detail),
            AuthError::KeyUnavailable => Self::new(codes::AUTH_KEY_UNAVAILABLE, detail).retry_after(2),
            AuthError::Unavailable => Self::new(codes::AUTH_UNAVAILABLE, detail).retry_after(1),
            AuthError::LimitedAddress { retry_after, .. } => {
                Self::new(codes::AUTH_RATE_LIMITED_IP, detail).retry_after(retry_after)
            }
            AuthError::LimitedIdentity { retry_after, .. } => {
                Self::new(codes::AUTH_RATE_LIMITED_IDENTITY, detail).retry_after(retry_after)
            }
        }
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        match &error {
            RepositoryError::Serialization | RepositoryError::Unavailable(_) => {
                Self::unavailable(codes::DATABASE_UNAVAILABLE, &error)
            }
            RepositoryError::Conflict | RepositoryError::ReadOnly | RepositoryError::Corrupt { .. } => {
                Self::internal(&error)
            }
        }
    }
}

/// The code of what was not found.
pub(super) const fn not_found(noun: Noun) -> &'static Code {
    match noun {
        Noun::Workspace => codes::WORKSPACE_NOT_FOUND,
        Noun::Membership => codes::MEMBERSHIP_NOT_FOUND,
        Noun::Workflow => codes::WORKFLOW_NOT_FOUND,
        Noun::Deployment => codes::DEPLOYMENT_NOT_FOUND,
        Noun::Execution => codes::EXECUTION_NOT_FOUND,
        Noun::Process | Noun::ProcessInstance => codes::PROCESS_NOT_FOUND,
        Noun::UserTask => codes::USER_TASK_NOT_FOUND,
        Noun::Job => codes::JOB_NOT_FOUND,
        Noun::Incident => codes::INCIDENT_NOT_FOUND,
        Noun::ServiceToken => codes::SERVICE_TOKEN_NOT_FOUND,
        Noun::Revocation => codes::REVOCATION_NOT_FOUND,
        Noun::Engine => codes::ENGINE_NOT_FOUND,
    }
}

impl From<ConflictError> for Problem {
    fn from(error: ConflictError) -> Self {
        let code = match &error {
            ConflictError::WorkspaceIdTaken => codes::WORKSPACE_ID_TAKEN,
            ConflictError::LastOwner => codes::MEMBERSHIP_LAST_OWNER,
            ConflictError::WorkflowNameTaken => codes::WORKFLOW_NAME_TAKEN,
            ConflictError::ProcessTaken => codes::WORKFLOW_PROCESS_TAKEN,
            ConflictError::WorkflowBusy => codes::WORKFLOW_BUSY,
            ConflictError::ProcessAmbiguous => codes::PROCESS_AMBIGUOUS,
            ConflictError::ExecutionEnded => codes::EXECUTION_ENDED,
            ConflictError::TokenIdentifierTaken => codes::SERVICE_TOKEN_IDENTIFIER_TAKEN,
            ConflictError::TokenAlreadyRotating => codes::SERVICE_TOKEN_ALREADY_ROTATING,
            ConflictError::TokenExpired => codes::SERVICE_TOKEN_EXPIRED,
            ConflictError::TokenRevoked => codes::SERVICE_TOKEN_REVOKED,
            ConflictError::IdempotencyInFlight => codes::IDEMPOTENCY_IN_FLIGHT,
            ConflictError::IdempotencyNotReplayable { subject } => {
                let entry = json!({ "pointer": "", "subject": subject, "message": format!("it made {subject}") });
                return Self::new(codes::IDEMPOTENCY_NOT_REPLAYABLE, error.to_string()).with_errors(vec![entry]);
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let code = match error {
            EngineError::Repository(error) => return error.into(),
            EngineError::Rejected(errors) => return rejected(&errors),
            EngineError::Unavailable(_) => return Self::unavailable(codes::ENGINE_UNAVAILABLE, &error),
            EngineError::OutcomeUnknown(_) => return broken(codes::ENGINE_OUTCOME_UNKNOWN, &error),
            EngineError::Failure(_) => return broken(codes::ENGINE_FAILED, &error),
            EngineError::UnknownDefinition { .. } | EngineError::UnknownInstance => codes::PROCESS_NOT_FOUND,
            EngineError::UnknownTask => codes::USER_TASK_NOT_FOUND,
            EngineError::UnknownJob => codes::JOB_NOT_FOUND,
            EngineError::UnknownIncident => codes::INCIDENT_NOT_FOUND,
            EngineError::InstanceEnded => codes::PROCESS_ENDED,
            EngineError::TaskCompleted => codes::USER_TASK_ALREADY_COMPLETED,
            EngineError::JobCompleted => codes::JOB_ALREADY_COMPLETED,
            EngineError::JobNotLocked => codes::JOB_NOT_LOCKED,
            EngineError::MessageNotCorrelated => codes::MESSAGE_NOT_CORRELATED,
            EngineError::MessageAmbiguous => codes::MESSAGE_AMBIGUOUS,
            EngineError::Invalid { .. } => codes::ENGINE_REJECTED,
            EngineError::Unsupported { .. } => codes::ENGINE_UNSUPPORTED,
        };
        Self::new(code, error.to_string())
    }
}

/// The engine broke down: the cause goes to the log.
fn broken(code: &'static Code, error: &EngineError) -> Problem {
    tracing::error!(code = code.name, error = %super::problem::Chain(error), "an engine failed");
    Problem::plain(code)
}

fn rejected(errors: &[ResourceError]) -> Problem {
    let entries = errors.iter().map(|error| {
        json!({
            "resource": error.resource,
            "line": error.line,
            "column": error.column,
            "element_id": error.element_id,
            "message": error.message,
        })
    });
    let detail = match errors {
        [only] => format!("{}, line {}: {}", only.resource, only.line, only.message),
        [first, ..] => {
            format!("{} errors; the first: {}, line {}: {}", errors.len(), first.resource, first.line, first.message)
        }
        [] => codes::DEPLOYMENT_REJECTED.meaning.to_owned(),
    };
    Problem::new(codes::DEPLOYMENT_REJECTED, detail).with_errors(entries.collect())
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Auth(error) => error.into(),
            AppError::NotFound(noun) => Self::plain(not_found(noun)),
            AppError::Conflict(error) => error.into(),
            AppError::Invalid(fields) => {
                let first = fields.first().map(|field| format!("{}: {}", field.pointer, field.message));
                let place = |f: &FieldError| if f.pointer.starts_with('/') { "pointer" } else { "parameter" };
                let entries = fields.iter().map(|f| json!({ (place(f)): f.pointer, "message": f.message })).collect();
                Self::out_of_range(first.unwrap_or_else(|| codes::REQUEST_INVALID.meaning.to_owned()))
                    .with_errors(entries)
            }
            AppError::Stale => Self::plain(codes::REQUEST_PRECONDITION_FAILED),
            AppError::IdempotencyKeyReused => Self::plain(codes::IDEMPOTENCY_KEY_REUSED),
            AppError::TooManyWaits => Self::plain(codes::REQUEST_TOO_MANY_WAITS).retry_after(1),
            AppError::PositionUnknown => Self::plain(codes::EVENTS_POSITION_UNKNOWN),
            AppError::PositionExpired { oldest } => {
                Self::new(codes::EVENTS_POSITION_EXPIRED, error.to_string()).with_member("oldest", json!(oldest))
            }
            AppError::NoSessions => Self::plain(codes::SESSION_NOT_CONFIGURED),
            AppError::Engine(error) => error.into(),
            AppError::Repository(error) => error.into(),
            AppError::Internal(_) => Self::internal(&error),
        }
    }
}
