//! Variables: which scope a name belongs to, and how much room is left.

use serde_json::Value;

use super::super::Map;
use super::super::state::{InstanceState, MAX_VARIABLES, entry_size, size_of};
use super::StepError;
use super::run::Run;

/// How deep a value may be nested: what is stored can be read back, and no walk through it needs much stack.
const MAX_DEPTH: usize = 100;

impl Run<'_> {
    /// What arrives at an element: its own where its output mappings decide what leaves, else wherever the names live.
    pub(super) fn receive(&mut self, key: u64, variables: Map) {
        let confined = self.element_at(key).is_ok_and(|element| element.confined);
        for (name, value) in variables {
            let scope = if confined { key } else { self.state.home(key, &name) };
            self.set(scope, name, value);
        }
    }

    /// Sets a variable in the nearest scope that has its name, from an active element outwards; else in the process.
    pub(super) fn set_nearest(&mut self, from: u64, name: String, value: Value) {
        let scope = self.state.home(from, &name);
        self.set(scope, name, value);
    }

    /// Sets a variable in one scope.
    pub(super) fn set(&mut self, scope: u64, name: String, value: Value) {
        let more = entry_size(&name, &value);
        let scope = self.state.scope_mut(scope);
        let less = scope.get(&name).map_or(0, |old| entry_size(&name, old));
        scope.insert(name, value);
        self.state.size = self.state.size.saturating_add(more).saturating_sub(less);
    }
}

impl InstanceState {
    /// The scope where a name is set: the nearest that has it, from an active element outwards; else the process (0).
    pub(super) fn home(&self, from: u64, name: &str) -> u64 {
        let mut key = from;
        while let Some(active) = self.active.get(&key) {
            if active.variables.contains_key(name) {
                return key;
            }
            key = active.scope;
        }
        0
    }

    /// What a variable takes now where it would be set.
    pub(super) fn size_at_home(&self, from: u64, name: &str) -> usize {
        let scope = self.in_scope(self.home(from, name));
        scope.get(name).map_or(0, |old| entry_size(name, old))
    }

    fn in_scope(&self, scope: u64) -> &Map {
        self.active.get(&scope).map_or(&self.variables, |active| &active.variables)
    }
}

/// Whether a value is nested deeper than so many lists and objects.
fn nested_deeper(value: &Value, levels: usize) -> bool {
    let inner = |value: &Value| levels.checked_sub(1).is_none_or(|levels| nested_deeper(value, levels));
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(inner),
        Value::Object(members) => levels == 0 || members.values().any(inner),
        _ => false,
    }
}

/// Whether variables may be set from an active element (0: the process) outwards.
pub(super) fn fits(state: &InstanceState, from: u64, variables: &Map) -> Result<(), StepError> {
    room(state, variables, variables.keys().map(|name| state.size_at_home(from, name)).sum())
}

/// Whether variables may be set at an active element itself.
pub(super) fn fits_locally(state: &InstanceState, key: u64, variables: &Map) -> Result<(), StepError> {
    let own = state.in_scope(key);
    let replaced = variables.keys().filter_map(|name| own.get(name).map(|old| entry_size(name, old)));
    room(state, variables, replaced.sum())
}

fn room(state: &InstanceState, variables: &Map, replaced: usize) -> Result<(), StepError> {
    if variables.is_empty() {
        return Ok(());
    }
    if variables.values().any(|value| nested_deeper(value, MAX_DEPTH)) {
        return Err(StepError::TooDeep { limit: MAX_DEPTH });
    }
    let size = state.size.saturating_sub(replaced).saturating_add(size_of(variables));
    if size > MAX_VARIABLES { Err(StepError::TooLarge { size, limit: MAX_VARIABLES }) } else { Ok(()) }
}
