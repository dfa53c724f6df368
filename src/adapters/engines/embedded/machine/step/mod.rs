//! One step of an instance: a command goes in, the state moves on to the next rest, and the changes come out.

mod activate;
mod change;
mod commands;
mod errors;
mod evaluate;
mod incidents;
mod leave;
mod mappings;
mod run;
mod scopes;
mod tasks;
mod variables;
mod waits;

pub use change::{Change, Subscribed, UserTask};
pub(super) use evaluate::MAX_TEXT;

use jiff::Timestamp;

use super::Map;
use super::model::Process;
use super::state::InstanceState;

/// How many elements a step enters, and timers and subscriptions it opens, before it lets others have their turn.
pub const STEP_BOUND: u32 = 1_000;

/// What the expressions of a step may cost together, in the evaluator's steps: some tens of milliseconds at the worst. An
/// element is entered while half of it is left, so that one expression always has its full measure; what one element's
/// expressions take beyond that is an incident.
pub const BUDGET: usize = 200_000;

/// How many elements an instance enters without coming to rest before it counts as running in circles.
pub const REST_BOUND: u32 = 100_000;

/// How many tokens, timers and subscriptions an instance may hold at a time. A fork beyond that is an incident, and the cycle of a non-interrupting
/// timer skips its turn.
pub const MAX_TOKENS: usize = 10_000;

/// Carries out one command.
///
/// # Contract
/// - The same process, state, command and time always give the same state and the same changes.
/// - The step goes on until every token waits, until [`STEP_BOUND`] elements were entered or half of [`BUDGET`]
///   is spent ([`Change::Continue`] is then the last change), or until the instance has ended.
/// - What fails while it runs is an incident in the changes, not an error.
/// - Changes come in the order in which they happened. A thing that is over is told once: by `…Completed`, `…Fired`,
///   `…ErrorThrown`, `…Cancelled` or `…Closed`.
///
/// # Errors
/// When the command does not fit the state. The state is then unchanged.
pub fn step(
    process: &Process,
    state: &mut InstanceState,
    command: Command,
    now: Timestamp,
) -> Result<Vec<Change>, StepError> {
    let action = commands::check(process, state, command)?;
    let mut run = run::Run::new(process, state, now);
    run.act(action);
    Ok(run.finish())
}

/// What an instance can be told to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Starts the instance, at the none start event if no element is named.
    Start {
        /// The start event.
        element_id: Option<String>,
        /// The first variables of the process scope.
        variables: Map,
    },
    /// Completes a job.
    CompleteJob {
        /// The job.
        key: u64,
        /// Its result.
        variables: Map,
    },
    /// Ends a job with a BPMN error.
    ThrowError {
        /// The job.
        key: u64,
        /// The error code that boundary events look for.
        code: String,
        /// What happened, for people.
        message: Option<String>,
        /// Variables for whatever catches the error.
        variables: Map,
    },
    /// Completes a user task.
    CompleteTask {
        /// The user task.
        key: u64,
        /// Its result.
        variables: Map,
    },
    /// Tells that a timer is due.
    FireTimer {
        /// The timer.
        key: u64,
    },
    /// Hands a message to a subscription.
    DeliverMessage {
        /// The subscription.
        key: u64,
        /// What the message carries.
        variables: Map,
    },
    /// Hands a signal to a subscription.
    DeliverSignal {
        /// The subscription.
        key: u64,
        /// What the signal carries.
        variables: Map,
    },
    /// Sets variables of the process scope.
    SetVariables {
        /// Merged over those that exist.
        variables: Map,
    },
    /// Ends the instance wherever it is.
    Cancel,
    /// Runs again what failed.
    RetryIncident {
        /// The incident.
        key: u64,
    },
    /// Goes on after [`Change::Continue`]. Where nothing is left to do, nothing happens.
    Continue,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Nothing of that kind with that key waits.
    #[error("nothing waits under key {key}")]
    UnknownKey {
        /// The key of the command.
        key: u64,
    },
    /// The instance has not been started.
    #[error("the instance has not been started")]
    NotStarted,
    /// The instance was started before.
    #[error("the instance has already been started")]
    AlreadyStarted,
    /// The instance has ended.
    #[error("the instance has ended")]
    Ended,
    /// The process has no such start event.
    #[error("the process has no start event {}", element_id.as_deref().unwrap_or("without a trigger"))]
    NoSuchStart {
        /// The start event of the command.
        element_id: Option<String>,
    },
    /// The variables would take too much.
    #[error("the variables of the instance would take {size} bytes, more than {limit}")]
    TooLarge {
        /// What they would take.
        size: usize,
        /// What they may take.
        limit: usize,
    },
    /// A value is nested too deeply.
    #[error("a variable is nested more than {limit} deep")]
    TooDeep {
        /// How deep it may be.
        limit: usize,
    },
    /// The state belongs to another process.
    #[error("the process has no element '{element_id}', which the state is at")]
    ModelMismatch {
        /// The element of the state.
        element_id: String,
    },
}
