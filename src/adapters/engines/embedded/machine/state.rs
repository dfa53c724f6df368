//! The state of one process instance: a document that the shell stores between two steps.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::Map;
use super::timer::Schedule;

/// The version of the stored form.
const VERSION: u8 = 1;

/// How much the variables of an instance may take together, in bytes of JSON.
pub const MAX_VARIABLES: usize = 4 * 1024 * 1024;

/// One run of a process.
///
/// The stored form names elements and flows by their ids, so it outlives a change of how models are indexed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceState {
    #[serde(deserialize_with = "version")]
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    business_key: Option<String>,
    pub(super) status: Status,
    /// The last key given to anything in this instance.
    pub(super) last_key: u64,
    /// Elements entered since the instance last came to rest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) restless: u32,
    /// What all variables take, kept up to date so that nothing is measured twice.
    #[serde(default)]
    pub(super) size: usize,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) variables: Map,
    pub(super) root: Tokens,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) active: BTreeMap<u64, Active>,
    /// Tokens on their way when the bound of a step was reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pending: Vec<Pending>,
}

/// An element that holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveElement {
    /// The key of this visit; jobs and user tasks go by it.
    pub key: u64,
    /// The element's id in the model.
    pub element_id: String,
}

impl InstanceState {
    /// An instance that has not been started yet.
    pub fn new(business_key: Option<String>) -> Self {
        Self {
            v: VERSION,
            business_key,
            status: Status::New,
            last_key: 0,
            restless: 0,
            size: 0,
            variables: Map::new(),
            root: Tokens::default(),
            active: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// The key that the starter gave to the instance.
    pub fn business_key(&self) -> Option<&str> {
        self.business_key.as_deref()
    }

    /// The variables of the process scope.
    pub fn variables(&self) -> &Map {
        &self.variables
    }

    /// What the job or user task with a key sees: inner scopes over outer ones, its input mappings applied. Nothing for
    /// a key that holds no token.
    pub fn visible_variables(&self, key: u64) -> Map {
        let mut visible = Map::new();
        let mut scopes = self.scopes(key);
        if self.active.contains_key(&key) {
            scopes.reverse();
            for (name, value) in scopes.into_iter().flatten() {
                visible.insert(name.clone(), value.clone());
            }
        }
        visible
    }

    /// Replaces the variables of the process scope, for a shell that stores them apart from the rest. Nothing runs on
    /// account of it; [`Command::SetVariables`](super::Command::SetVariables) is the way for callers.
    pub fn set_variables(&mut self, variables: Map) {
        self.size = self.size.saturating_sub(size_of(&self.variables)).saturating_add(size_of(&variables));
        self.variables = variables;
    }

    /// Whether the instance has completed, failed or been cancelled.
    pub fn ended(&self) -> bool {
        self.status == Status::Ended
    }

    /// Whether the bound of a step was reached, and [`Command::Continue`](super::Command::Continue) goes on.
    pub fn needs_continue(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The elements that hold a token, oldest first.
    pub fn active_elements(&self) -> Vec<ActiveElement> {
        self.active
            .iter()
            .map(|(key, active)| ActiveElement { key: *key, element_id: active.element.clone() })
            .collect()
    }

    /// The variables in the order in which names are looked up, from an active element (or a scope) to the process.
    pub(super) fn scopes(&self, key: u64) -> Vec<&Map> {
        let mut scopes = Vec::new();
        let mut key = key;
        while let Some(active) = self.active.get(&key) {
            if !active.variables.is_empty() {
                scopes.push(&active.variables);
            }
            key = active.scope;
        }
        scopes.push(&self.variables);
        scopes
    }

    /// The variables of one scope: those of an active element, or of the process.
    pub(super) fn scope_mut(&mut self, key: u64) -> &mut Map {
        match self.active.get_mut(&key) {
            Some(active) => &mut active.variables,
            None => &mut self.variables,
        }
    }

    /// The tokens of a sub-process that runs, or of the process.
    pub(super) fn tokens_mut(&mut self, scope: u64) -> &mut Tokens {
        match self.active.get_mut(&scope) {
            Some(Active { stage: Stage::Scope(tokens), .. }) => tokens,
            _ => &mut self.root,
        }
    }
}

/// How far the instance is. Which of the three ends it was is the shell's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    New,
    Running,
    Ended,
}

/// The tokens of the process or of a running sub-process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tokens {
    /// How many there are: active elements and tokens on their way. The scope completes with the last one.
    pub(super) count: u32,
    /// The parallel gateways that wait for more tokens: element id to the key of the visit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) joins: BTreeMap<String, u64>,
}

/// A token at an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Active {
    pub(super) element: String,
    /// The key of the sub-process around it; 0 is the process.
    #[serde(default, skip_serializing_if = "is_zero_key")]
    pub(super) scope: u64,
    pub(super) stage: Stage,
    /// The key of the incident that holds it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) incident: Option<u64>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) variables: Map,
    /// What it waits for, itself or its boundary events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) waits: Vec<Wait>,
}

/// How far an active element is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// Input mappings and whatever it waits for are still to come.
    Entering,
    Job,
    /// The job threw an error that nothing caught.
    Thrown,
    UserTask,
    /// A catch event, a receive task or an event-based gateway.
    Waiting,
    /// A parallel gateway: tokens so far by incoming flow.
    Join(BTreeMap<String, u32>),
    Scope(Tokens),
    /// Done, output mappings are still to come.
    Leaving,
    /// Outgoing flows are still to be chosen.
    Choosing,
}

/// A timer or subscription that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wait {
    pub(super) key: u64,
    /// The catch or boundary event, or the receive task.
    pub(super) element: String,
    pub(super) event: WaitEvent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WaitEvent {
    Timer(Schedule),
    Message(String),
    Signal,
}

/// A token on its way to an element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) element: String,
    #[serde(default, skip_serializing_if = "is_zero_key")]
    pub(super) scope: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) via: Option<String>,
}

/// About what a set of variables takes as JSON.
pub(super) fn size_of(variables: &Map) -> usize {
    variables.iter().map(|(name, value)| entry_size(name, value)).sum()
}

/// What one variable takes: quotes, colon and comma included.
pub(super) fn entry_size(name: &str, value: &Value) -> usize {
    name.len().saturating_add(4).saturating_add(value_size(value))
}

pub(super) fn value_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len().saturating_add(2),
        Value::Array(items) => {
            items.iter().map(|item| value_size(item).saturating_add(1)).sum::<usize>().saturating_add(2)
        }
        Value::Object(members) => size_of(members).saturating_add(2),
    }
}

/// Refuses what a later version has stored, rather than read it wrongly.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        VERSION => Ok(VERSION),
        other => Err(D::Error::custom(format_args!("instance state of unknown version {other}"))),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero_key(key: &u64) -> bool {
    *key == 0
}
