//! Input and output mappings.

use std::cell::Cell;

use serde_json::Value;

use super::super::Map;
use super::super::model::{Element, Mapping, Source};
use super::super::state::{MAX_VARIABLES, size_of, value_size};
use super::evaluate::Names;
use super::incidents::Failure;
use super::run::Run;

/// What the values of one element's mappings may take together, so that not even their sum on the way is too much.
type Budget = Cell<usize>;

impl Run<'_> {
    /// Gives the element variables of its own. Later mappings see what earlier ones gave.
    pub(super) fn map_inputs(&mut self, key: u64, element: &Element) -> Result<(), Failure> {
        if element.inputs.is_empty() {
            return Ok(());
        }
        let (mut own, budget) = (Map::new(), Budget::new(MAX_VARIABLES));
        for mapping in &element.inputs {
            let mut scopes = vec![&own];
            scopes.extend(self.state.scopes(key));
            let value = self.source(element, &mapping.source, &Names(scopes), &budget)?;
            put(&mut own, mapping, value, || None);
        }
        let size = size_of(&own);
        self.make_room(element, size, 0)?;
        self.state.size = self.state.size.saturating_add(size);
        if let Some(active) = self.state.active.get_mut(&key) {
            active.variables = own;
        }
        Ok(())
    }

    /// Sets variables outside the element. Nothing is set if one mapping fails.
    pub(super) fn map_outputs(&mut self, key: u64, element: &Element) -> Result<(), Failure> {
        if element.outputs.is_empty() {
            return Ok(());
        }
        let outer = self.scope_of(key);
        let (mut results, budget) = (Map::new(), Budget::new(MAX_VARIABLES));
        for mapping in &element.outputs {
            let scopes = self.output_scopes(key, element, &results);
            let value = self.source(element, &mapping.source, &Names(scopes), &budget)?;
            put(&mut results, mapping, value, || {
                let name = mapping.target.first()?;
                self.state.scopes(outer).into_iter().find_map(|scope| scope.get(name)).cloned()
            });
        }
        let replaced = results.keys().map(|name| self.state.size_at_home(outer, name)).sum::<usize>();
        let own = self.state.active.get(&key).map_or(0, |active| size_of(&active.variables));
        self.make_room(element, size_of(&results), replaced.saturating_add(own))?;
        for (name, value) in results {
            self.set_nearest(outer, name, value);
        }
        Ok(())
    }

    /// Camunda sets output parameters one by one outside the element, so its own variables still hide them; in Zeebe all
    /// targets make up one context, in which later expressions see earlier targets first.
    fn output_scopes<'s>(&'s self, key: u64, element: &Element, results: &'s Map) -> Vec<&'s Map> {
        let own = self.state.active.get(&key).map(|active| &active.variables);
        let mut scopes = Vec::new();
        if element.confined {
            scopes.push(results);
            scopes.extend(own);
        } else {
            scopes.extend(own);
            scopes.push(results);
        }
        scopes.extend(self.state.scopes(self.scope_of(key)));
        scopes
    }

    fn source(&self, element: &Element, source: &Source, names: &Names<'_>, budget: &Budget) -> Result<Value, Failure> {
        match source {
            Source::Null => Ok(Value::Null),
            Source::Expression(expression) => {
                let value = self.evaluate(element, expression, names)?;
                let left =
                    budget.get().checked_sub(value_size(&value)).ok_or_else(|| Failure::too_large(&element.id))?;
                budget.set(left);
                Ok(value)
            }
            Source::List(items) => {
                let items = items.iter().map(|item| self.source(element, item, names, budget));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Source::Map(entries) => {
                let entries =
                    entries.iter().map(|(name, value)| Ok((name.clone(), self.source(element, value, names, budget)?)));
                entries.collect::<Result<_, _>>().map(Value::Object)
            }
        }
    }

    fn make_room(&self, element: &Element, more: usize, less: usize) -> Result<(), Failure> {
        if self.state.size.saturating_sub(less).saturating_add(more) > MAX_VARIABLES {
            return Err(Failure::too_large(&element.id));
        }
        Ok(())
    }
}

/// Puts a value under a path such as `a.b`: into the object that is there already, or that was there before.
fn put(target: &mut Map, mapping: &Mapping, value: Value, before: impl FnOnce() -> Option<Value>) {
    let Some((name, rest)) = mapping.target.split_first() else { return };
    if rest.is_empty() {
        target.insert(name.clone(), value);
        return;
    }
    let mut slot = target.entry(name.clone()).or_insert_with(|| before().unwrap_or(Value::Null));
    for segment in rest {
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        let Value::Object(members) = slot else { return };
        slot = members.entry(segment.clone()).or_insert(Value::Null);
    }
    *slot = value;
}
