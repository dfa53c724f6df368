//! Whole models, run from start to end.

mod boundaries;
mod gateways;
mod hostile;
mod limits;
mod mappings;
mod order;
pub(in crate::adapters::engines::embedded) mod properties;
mod refused;
mod scopes;
mod starts;
mod waiting;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Change, Command, InstanceState, Map, ModelError, Process, StepError, read, step};

const NOW: &str = "2026-01-31T10:00:00Z";

/// An instance under test.
struct Play {
    process: Process,
    state: InstanceState,
    now: Timestamp,
}

impl Play {
    /// A process of these elements, not started.
    fn of(body: &str) -> Self {
        Self { process: process(body), state: InstanceState::new(None), now: at(NOW) }
    }

    fn step(&mut self, command: Command) -> Result<Vec<Change>, StepError> {
        let changes = step(&self.process, &mut self.state, command, self.now)?;
        // What is stored comes back as it was.
        let stored = serde_json::to_string(&self.state).unwrap();
        assert_eq!(serde_json::from_str::<InstanceState>(&stored).unwrap(), self.state, "{stored}");
        assert_eq!(self.state.size, self.state.measured(), "{stored}");
        Ok(changes)
    }

    fn start(&mut self, variables: Value) -> Vec<Change> {
        self.step(Command::Start { element_id: None, variables: map(variables) }).unwrap()
    }

    fn complete_job(&mut self, element: &str, variables: Value) -> Vec<Change> {
        let key = self.key(element);
        self.step(Command::CompleteJob { key, variables: map(variables) }).unwrap()
    }

    fn complete_task(&mut self, element: &str, variables: Value) -> Vec<Change> {
        let key = self.key(element);
        self.step(Command::CompleteTask { key, variables: map(variables) }).unwrap()
    }

    fn throw(&mut self, element: &str, code: &str, variables: Value) -> Vec<Change> {
        let key = self.key(element);
        let (code, message) = (code.to_owned(), Some("why".to_owned()));
        self.step(Command::ThrowError { key, code, message, variables: map(variables) }).unwrap()
    }

    fn message(&mut self, element: &str, variables: Value) -> Vec<Change> {
        let key = self.wait(element);
        self.step(Command::DeliverMessage { key, variables: map(variables) }).unwrap()
    }

    fn signal(&mut self, element: &str, variables: Value) -> Vec<Change> {
        let key = self.wait(element);
        self.step(Command::DeliverSignal { key, variables: map(variables) }).unwrap()
    }

    fn timer(&mut self, element: &str) -> Vec<Change> {
        let key = self.wait(element);
        self.step(Command::FireTimer { key }).unwrap()
    }

    fn retry(&mut self, element: &str) -> Vec<Change> {
        let key = self.state.active.get(&self.key(element)).unwrap().incident.unwrap();
        self.step(Command::RetryIncident { key }).unwrap()
    }

    /// The key of the first visit to an element.
    fn key(&self, element: &str) -> u64 {
        let active = self.state.active_elements();
        active.iter().find(|active| active.element_id == element).unwrap_or_else(|| panic!("{element}: {active:?}")).key
    }

    /// The key of the first open timer or subscription of an event.
    fn wait(&self, element: &str) -> u64 {
        self.state.active.values().flat_map(|active| &active.waits).find(|wait| wait.element == element).unwrap().key
    }

    /// The ids of active elements.
    fn active(&self) -> Vec<String> {
        self.state.active_elements().into_iter().map(|active| active.element_id).collect()
    }

    fn variables(&self) -> Value {
        Value::Object(self.state.variables().clone())
    }

    fn visible(&self, element: &str) -> Value {
        Value::Object(self.state.visible_variables(self.key(element)))
    }
}

/// A file with one executable process of these elements.
fn file(body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:operaton="http://operaton.org/schema/1.0/bpmn" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">
<bpmn:message id="msg" name="Paid"/><bpmn:message id="msgz" name="Paid"><bpmn:extensionElements><zeebe:subscription correlationKey="=orderId"/></bpmn:extensionElements></bpmn:message>
<bpmn:signal id="sig" name="Stop"/><bpmn:error id="err1" errorCode="E1"/><bpmn:error id="err2" errorCode="E2"/>
<bpmn:process id="p" isExecutable="true">{}</bpmn:process></bpmn:definitions>"#,
        expand(body)
    )
}

/// Turns the short hand of tests into BPMN: `@a -> b` is a flow from a to b, `@a -> b: ${x}` one with a condition.
fn expand(body: &str) -> String {
    body.lines()
        .map(|line| match line.trim().strip_prefix('@') {
            Some(flow) => {
                let (ends, condition) = flow.split_once(": ").map_or((flow, None), |(ends, text)| (ends, Some(text)));
                let (source, target) = ends.split_once(" -> ").unwrap();
                let id = format!("{source}_{target}");
                let condition = condition
                    .map(|text| text.replace('&', "&amp;").replace('<', "&lt;"))
                    .map(|text| format!("<bpmn:conditionExpression>{text}</bpmn:conditionExpression>"))
                    .unwrap_or_default();
                format!(
                    r#"<bpmn:sequenceFlow id="{id}" sourceRef="{source}" targetRef="{target}">{condition}</bpmn:sequenceFlow>"#
                )
            }
            None => line.replace("<job ", r#"<bpmn:serviceTask camunda:type="external" camunda:topic="t" "#),
        })
        .map(|line| line.replace("<:", "<bpmn:").replace("</:", "</bpmn:") + "\n")
        .collect()
}

fn process(body: &str) -> Process {
    read(&file(body)).unwrap_or_else(|errors| panic!("{errors:#?}")).remove(0)
}

fn errors(body: &str) -> Vec<ModelError> {
    read(&file(body)).err().unwrap_or_default()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn map(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// The changes in short: what happened, and where.
fn short(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match change {
            Change::JobCreated { element_id, .. } => format!("job {element_id}"),
            Change::JobCompleted { element_id, .. } => format!("job done {element_id}"),
            Change::JobErrorThrown { element_id, code, .. } => format!("job error {element_id} {code}"),
            Change::JobCancelled { element_id, .. } => format!("job cancelled {element_id}"),
            Change::TaskCreated(task) => format!("task {}", task.element_id),
            Change::TaskCompleted { element_id, .. } => format!("task done {element_id}"),
            Change::TaskCancelled { element_id, .. } => format!("task cancelled {element_id}"),
            Change::TimerScheduled { element_id, .. } => format!("timer {element_id}"),
            Change::TimerFired { element_id, next, .. } => {
                format!("fired {element_id}{}", if next.is_some() { " again" } else { "" })
            }
            Change::TimerCancelled { .. } => "timer cancelled".into(),
            Change::SubscriptionOpened { element_id, .. } => format!("waits {element_id}"),
            Change::SubscriptionClosed { .. } => "closed".into(),
            Change::MessageCorrelated { element_id, .. } => format!("message {element_id}"),
            Change::IncidentRaised { element_id, kind, .. } => format!("incident {element_id} {kind}"),
            Change::IncidentResolved { element_id, .. } => format!("resolved {element_id}"),
            Change::Completed { .. } => "completed".into(),
            Change::Failed { code, .. } => format!("failed {code}"),
            Change::Cancelled => "cancelled".into(),
            Change::Continue => "continue".into(),
        })
        .collect()
}

/// The message of the first incident.
fn incident(changes: &[Change]) -> String {
    changes
        .iter()
        .find_map(|change| match change {
            Change::IncidentRaised { message, .. } => Some(message.clone()),
            _ => None,
        })
        .unwrap_or_else(|| panic!("no incident in {changes:?}"))
}

impl InstanceState {
    /// What the variables really take.
    fn measured(&self) -> usize {
        let inner: usize = self.active.values().map(|active| super::state::size_of(&active.variables)).sum();
        inner + super::state::size_of(&self.variables)
    }
}

fn none() -> Value {
    json!({})
}
