//! Engines that could not say, beside what the others said.

use super::{json::response, problem::Problem};
use crate::{domain::engine::EngineName, ports::engine::EngineError};

response! {
    /// An engine that did not answer.
    pub(super) struct FailedEngine {
        /// Its configured name.
        required engine ("engine"): String,
        /// What went wrong, for programs.
        required code ("code"): &'static str,
        /// What went wrong.
        required message ("message"): String,
    }
}

/// An engine and its error, as answers have it.
pub(super) fn failed((engine, error): (EngineName, EngineError)) -> FailedEngine {
    let problem = Problem::from(error);
    FailedEngine { engine: engine.to_string(), code: problem.code().name, message: problem.detail().to_owned() }
}
