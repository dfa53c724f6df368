//! Incidents: what failed, what it says, and how it is run again.

use super::super::expression::{EvaluationError, Expression};
use super::super::model::Kind;
use super::super::state::{MAX_VARIABLES, Stage};
use super::run::Run;
use super::{Change, MAX_TOKENS, REST_BOUND};

/// Why an element cannot go on.
#[derive(Debug)]
pub(super) struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    /// An expression that fails.
    pub(super) fn evaluation(element: &str, error: &EvaluationError) -> Self {
        Self {
            kind: "expression_error",
            message: format!("element '{element}', expression '{}': {}", error.expression, error.message),
        }
    }

    /// An expression that gives something useless.
    pub(super) fn useless(element: &str, expression: &Expression, reason: &str) -> Self {
        Self {
            kind: "expression_error",
            message: format!("element '{element}', expression '{}': {reason}", expression.source()),
        }
    }

    pub(super) fn no_flow(element: &str) -> Self {
        Self {
            kind: "condition_error",
            message: format!(
                "element '{element}': no condition of an outgoing flow is true, and there is no default flow"
            ),
        }
    }

    pub(super) fn unhandled(element: &str, code: &str, text: Option<&str>) -> Self {
        let text = text.map(|text| format!(" ({text})")).unwrap_or_default();
        Self {
            kind: "unhandled_error",
            message: format!("element '{element}': nothing catches the error '{code}'{text}"),
        }
    }

    pub(super) fn too_large(element: &str) -> Self {
        Self {
            kind: "variables_too_large",
            message: format!(
                "element '{element}': its mappings would make the variables larger than {MAX_VARIABLES} bytes"
            ),
        }
    }

    pub(super) fn restless() -> Self {
        Self {
            kind: "step_limit",
            message: format!(
                "the instance went through {REST_BOUND} elements without waiting; does it run in circles?"
            ),
        }
    }

    pub(super) fn too_many_tokens(element: &str) -> Self {
        Self {
            kind: "step_limit",
            message: format!(
                "element '{element}': the instance already has {MAX_TOKENS} tokens, timers and subscriptions; does it fork in circles?"
            ),
        }
    }

    pub(super) fn mismatch(element: &str) -> Self {
        Self {
            kind: "model_mismatch",
            message: format!("the process has no element '{element}', which the state is at"),
        }
    }
}

impl Run<'_> {
    /// Holds an element up until somebody retries.
    pub(super) fn raise(&mut self, at: u64, failure: Failure) {
        let key = self.next_key();
        if let Some(active) = self.state.active.get_mut(&at) {
            active.incident = Some(key);
            let (kind, message) = (failure.kind.to_owned(), failure.message);
            self.changes.push(Change::IncidentRaised { key, element_id: active.element.clone(), kind, message });
        }
    }

    /// Runs again exactly what failed.
    pub(super) fn retry(&mut self, incident: u64) {
        let held = self.state.active.iter_mut().find(|(_, active)| active.incident == Some(incident));
        let Some((&key, active)) = held else { return };
        active.incident = None;
        let change = Change::IncidentResolved { key: incident, element_id: active.element.clone() };
        let stage = active.stage.clone();
        self.changes.push(change);
        match stage {
            Stage::Entering => self.activate(key),
            Stage::Thrown => self.offer_again(key),
            _ => self.leave(key),
        }
    }

    /// The job whose error nothing caught is offered again, under a new key since the old one is used up.
    fn offer_again(&mut self, key: u64) {
        if let Err(failure) = self.try_offer_again(key) {
            self.raise(key, failure);
        }
    }

    fn try_offer_again(&mut self, key: u64) -> Result<(), Failure> {
        let element = self.element_at(key)?;
        let Kind::Job(definition) = &element.kind else { return Err(Failure::mismatch(&element.id)) };
        let fresh = self.state.last_key.saturating_add(1);
        let job = self.job(fresh, key, element, definition)?;
        self.state.last_key = fresh;
        if let Some(mut active) = self.state.active.remove(&key) {
            active.stage = Stage::Job;
            self.state.active.insert(fresh, active);
            self.changes.push(job);
        }
        Ok(())
    }
}
