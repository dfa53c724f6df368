//! BPMN errors: thrown by jobs and error end events, caught by boundary events from the inside out.

use serde_json::Value;

use super::super::Map;
use super::super::model::{Element, ErrorCatch, Kind};
use super::super::state::Stage;
use super::Change;
use super::incidents::Failure;
use super::run::Run;

/// The boundary event that catches an error.
struct Caught<'a> {
    /// The active element that it interrupts.
    owner: u64,
    event: &'a Element,
    catch: &'a ErrorCatch,
}

impl<'a> Run<'a> {
    /// A worker ends a job with an error.
    pub(super) fn job_error(&mut self, key: u64, code: String, message: Option<String>, variables: Map) {
        let element_id = self.element_id(key);
        self.changes.push(Change::JobErrorThrown { key, element_id: element_id.clone(), code: code.clone() });
        self.set_stage(key, Stage::Thrown);
        match self.catcher(key, &code) {
            Some(caught) => self.interrupt(&caught, code, message, variables),
            None => self.raise(key, Failure::unhandled(&element_id, &code, message.as_deref())),
        }
    }

    /// An error end event. In the process itself an error that nothing can catch is the end of the instance.
    pub(super) fn error_end(
        &mut self,
        key: u64,
        element: &Element,
        code: String,
        message: Option<String>,
    ) -> Result<(), Failure> {
        if let Some(caught) = self.catcher(key, &code) {
            self.interrupt(&caught, code, message, Map::new());
            return Ok(());
        }
        if self.scope_of(key) != 0 {
            return Err(Failure::unhandled(&element.id, &code, message.as_deref()));
        }
        self.cancel_all();
        let message = message.unwrap_or_else(|| format!("the error end event '{}' was reached", element.id));
        self.end(Change::Failed { code, message });
        Ok(())
    }

    /// The nearest activity around the error with a boundary event for its code, or else for every code.
    fn catcher(&self, thrower: u64, code: &str) -> Option<Caught<'a>> {
        let mut owner = thrower;
        while let Some(active) = self.state.active.get(&owner) {
            let element = self.process.element(&active.element)?;
            if let Some((event, catch)) = self.catch_at(element, code) {
                return Some(Caught { owner, event, catch });
            }
            owner = active.scope;
        }
        None
    }

    fn catch_at(&self, element: &Element, code: &str) -> Option<(&'a Element, &'a ErrorCatch)> {
        let process = self.process;
        let catches = || {
            element.boundary.iter().filter_map(|index| process.elements.get(*index)).filter_map(|event| {
                match &event.kind {
                    Kind::Boundary(boundary) => Some((event, boundary.error()?)),
                    _ => None,
                }
            })
        };
        catches()
            .find(|(_, catch)| catch.code.as_deref() == Some(code))
            .or_else(|| catches().find(|(_, catch)| catch.code.is_none()))
    }

    fn interrupt(&mut self, caught: &Caught<'a>, code: String, message: Option<String>, variables: Map) {
        let scope = self.scope_of(caught.owner);
        let mut variables = variables;
        if let Some(name) = &caught.catch.code_variable {
            variables.insert(name.clone(), Value::String(code));
        }
        if let Some(name) = &caught.catch.message_variable {
            variables.insert(name.clone(), message.map_or(Value::Null, Value::String));
        }
        self.cancel(caught.owner);
        self.occur(caught.event, scope, variables);
    }
}
