//! The pure heart of the embedded engine: a BPMN file becomes [`Process`]es, and
//! `(process, state, command, now)` becomes the next state and a list of [`Change`]s.
//!
//! Nothing here is async, does I/O, reads a clock or throws dice, and every key is counted from the instance's own
//! state. So an instance can be replayed, property-tested and fuzzed without a database; the shell around the machine
//! stores the state and turns the changes into rows and events.
//!
//! ```text
//! bpmn::read(xml) ──► Process ─┐
//!        InstanceState ────────┼──► step(…) ──► InstanceState', [Change]
//!        Command, now ─────────┘
//! ```

pub mod bpmn;
pub mod expression;
pub mod model;
pub mod state;
pub mod step;
pub mod timer;

#[cfg(test)]
pub(super) mod tests;

/// A JSON object, the form of all variables.
pub type Map = serde_json::Map<String, serde_json::Value>;

pub use bpmn::{ModelError, read};
pub use model::{MessageStart, Process, SignalStart, TimerStart};
pub use state::{ActiveElement, InstanceState};
pub use step::{Change, Command, StepError, Subscribed, UserTask, step};
pub use timer::{Repeat, Schedule};
