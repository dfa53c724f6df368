//! Commands: judged against the state before anything changes, then carried out.

use super::super::Map;
use super::super::model::{Kind, Process, StartEvent};
use super::super::state::{InstanceState, Stage, Status, Wait, WaitEvent};
use super::run::{Run, Work};
use super::variables::{fits, fits_locally};
use super::{Change, Command, StepError};

/// A command that fits the state.
pub(super) enum Action {
    Start { element: usize, variables: Map },
    CompleteJob { key: u64, variables: Map },
    ThrowError { key: u64, code: String, message: Option<String>, variables: Map },
    CompleteTask { key: u64, variables: Map },
    Fire { key: u64, variables: Map },
    SetVariables { variables: Map },
    Cancel,
    RetryIncident { key: u64 },
    Continue,
}

/// Refuses what does not fit.
pub(super) fn check(process: &Process, state: &InstanceState, command: Command) -> Result<Action, StepError> {
    match (state.status, &command) {
        (_, Command::Continue) | (Status::New, Command::Start { .. }) => {}
        (Status::New, _) => return Err(StepError::NotStarted),
        (Status::Ended, _) => return Err(StepError::Ended),
        (Status::Running, Command::Start { .. }) => return Err(StepError::AlreadyStarted),
        (Status::Running, _) => {}
    }
    if command != Command::Cancel {
        state.pending.iter().try_for_each(|pending| known(process, &pending.element))?;
    }
    match command {
        Command::Start { element_id, variables } => {
            let element = match &element_id {
                None => process.none_start_of(None),
                Some(id) => process.start(id),
            }
            .ok_or(StepError::NoSuchStart { element_id })?;
            fits(state, 0, &variables)?;
            Ok(Action::Start { element, variables })
        }
        Command::CompleteJob { key, variables } => {
            at(process, state, key, &Stage::Job)?;
            received(process, state, key, &variables)?;
            Ok(Action::CompleteJob { key, variables })
        }
        Command::ThrowError { key, code, message, variables } => {
            at(process, state, key, &Stage::Job)?;
            fits(state, key, &variables)?;
            Ok(Action::ThrowError { key, code, message, variables })
        }
        Command::CompleteTask { key, variables } => {
            at(process, state, key, &Stage::UserTask)?;
            received(process, state, key, &variables)?;
            Ok(Action::CompleteTask { key, variables })
        }
        Command::FireTimer { key } => {
            waiting(process, state, key, |event| matches!(event, WaitEvent::Timer(_)))?;
            Ok(Action::Fire { key, variables: Map::new() })
        }
        Command::DeliverMessage { key, variables } => {
            let (owner, _) = waiting(process, state, key, |event| matches!(event, WaitEvent::Message(_)))?;
            fits(state, owner, &variables)?;
            Ok(Action::Fire { key, variables })
        }
        Command::DeliverSignal { key, variables } => {
            let (owner, _) = waiting(process, state, key, |event| matches!(event, WaitEvent::Signal))?;
            fits(state, owner, &variables)?;
            Ok(Action::Fire { key, variables })
        }
        Command::SetVariables { variables } => {
            fits(state, 0, &variables)?;
            Ok(Action::SetVariables { variables })
        }
        Command::RetryIncident { key } => {
            let found = state.active.iter().find(|(_, active)| active.incident == Some(key));
            let (_, active) = found.ok_or(StepError::UnknownKey { key })?;
            known(process, &active.element)?;
            Ok(Action::RetryIncident { key })
        }
        Command::Cancel => Ok(Action::Cancel),
        Command::Continue => Ok(Action::Continue),
    }
}

/// Whether the element with a key is at a stage.
fn at(process: &Process, state: &InstanceState, key: u64, wanted: &Stage) -> Result<(), StepError> {
    let active =
        state.active.get(&key).filter(|active| active.stage == *wanted).ok_or(StepError::UnknownKey { key })?;
    known(process, &active.element)
}

/// The open timer or subscription with a key, and the active element that holds it.
fn waiting<'a>(
    process: &Process,
    state: &'a InstanceState,
    key: u64,
    kind: impl Fn(&WaitEvent) -> bool,
) -> Result<(u64, &'a Wait), StepError> {
    let (owner, wait) = state.wait(key).filter(|(_, wait)| kind(&wait.event)).ok_or(StepError::UnknownKey { key })?;
    known(process, &wait.element)?;
    if let Some(active) = state.active.get(&owner) {
        known(process, &active.element)?;
    }
    Ok((owner, wait))
}

fn known(process: &Process, id: &str) -> Result<(), StepError> {
    match process.index(id) {
        Some(_) => Ok(()),
        None => Err(StepError::ModelMismatch { element_id: id.to_owned() }),
    }
}

fn received(process: &Process, state: &InstanceState, key: u64, variables: &Map) -> Result<(), StepError> {
    let confined = state
        .active
        .get(&key)
        .and_then(|active| process.element(&active.element))
        .is_some_and(|element| element.confined);
    if confined { fits_locally(state, key, variables) } else { fits(state, key, variables) }
}

impl Run<'_> {
    /// Carries out a command that fits.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Start { element, variables } => self.start(element, variables),
            Action::CompleteJob { key, variables } => {
                let element_id = self.element_id(key);
                self.changes.push(Change::JobCompleted { key, element_id });
                self.complete(key, variables);
            }
            Action::CompleteTask { key, variables } => {
                let element_id = self.element_id(key);
                self.changes.push(Change::TaskCompleted { key, element_id });
                self.complete(key, variables);
            }
            Action::ThrowError { key, code, message, variables } => self.job_error(key, code, message, variables),
            Action::Fire { key, variables } => self.fire(key, variables),
            Action::SetVariables { variables } => {
                for (name, value) in variables {
                    self.set(0, name, value);
                }
            }
            Action::Cancel => {
                self.cancel_all();
                self.end(Change::Cancelled);
            }
            Action::RetryIncident { key } => self.retry(key),
            Action::Continue => {}
        }
        self.drain();
    }

    fn start(&mut self, element: usize, variables: Map) {
        self.state.status = Status::Running;
        self.state.root.count = 1;
        match self.process.elements.get(element) {
            // What a message carries stays with the start event if that says what leaves it.
            Some(event) if event.confined && !matches!(event.kind, Kind::Start(StartEvent::None)) => {
                self.occur(event, 0, variables);
            }
            _ => {
                for (name, value) in variables {
                    self.set(0, name, value);
                }
                self.queue.push_back(Work::Enter { element, scope: 0, via: None });
            }
        }
    }

    /// An element got what it waited for.
    pub(super) fn complete(&mut self, key: u64, variables: Map) {
        self.set_stage(key, Stage::Leaving);
        self.receive(key, variables);
        self.leave(key);
    }
}
