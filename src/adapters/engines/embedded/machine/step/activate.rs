//! A token arrives: what each kind of element does then.

use super::super::model::{Element, Kind};
use super::super::state::{Active, Stage, Tokens};
use super::incidents::Failure;
use super::run::{Arrived, Run, Work};
use super::{Change, REST_BOUND};

impl Run<'_> {
    /// A token arrives at an element.
    pub(super) fn enter(&mut self, element: usize, scope: u64, via: Option<usize>) {
        let process = self.process;
        let Some(found) = process.elements.get(element) else { return };
        if matches!(found.kind, Kind::ParallelGateway) && found.incoming.len() > 1 {
            self.join(found, scope, via);
            return;
        }
        let key = self.place(found, scope, Stage::Entering);
        if self.state.restless.saturating_add(self.entered) > REST_BOUND {
            self.raise(key, Failure::restless());
        } else {
            self.activate(key);
        }
    }

    /// Does what the element is for. A failure leaves no trace but the incident.
    pub(super) fn activate(&mut self, key: u64) {
        let activated = self.element_at(key).and_then(|element| {
            self.map_inputs(key, element)?;
            self.begin(key, element)
        });
        if let Err(failure) = activated {
            self.clear_locals(key);
            self.raise(key, failure);
        }
    }

    fn begin(&mut self, key: u64, element: &Element) -> Result<(), Failure> {
        match &element.kind {
            Kind::Start(_)
            | Kind::PassThrough
            | Kind::ExclusiveGateway
            | Kind::ParallelGateway
            | Kind::Boundary(_)
            | Kind::NoneEnd => {
                self.set_stage(key, Stage::Leaving);
                self.leave(key);
            }
            Kind::Job(definition) => {
                let job = self.job(key, key, element, definition)?;
                let waits = self.plan_waits(key, element)?;
                self.set_stage(key, Stage::Job);
                self.changes.push(job);
                self.open(key, waits);
            }
            Kind::UserTask(definition) => {
                let task = self.user_task(key, element, definition)?;
                let waits = self.plan_waits(key, element)?;
                self.set_stage(key, Stage::UserTask);
                self.changes.push(Change::TaskCreated(task));
                self.open(key, waits);
            }
            Kind::Receive(_) | Kind::Catch(_) | Kind::EventGateway => {
                let waits = self.plan_waits(key, element)?;
                self.set_stage(key, Stage::Waiting);
                self.open(key, waits);
            }
            Kind::SubProcess { start } => {
                let waits = self.plan_waits(key, element)?;
                self.set_stage(key, Stage::Scope(Tokens { count: 1, ..Tokens::default() }));
                self.open(key, waits);
                self.queue.push_back(Work::Enter { element: *start, scope: key, via: None });
            }
            Kind::ErrorEnd { code, message } => {
                let code = self.name(key, element, code)?;
                self.error_end(key, element, code, message.clone())?;
            }
            Kind::TerminateEnd => self.terminate(key),
        }
        Ok(())
    }

    /// A parallel gateway takes one token of each incoming flow at a time; what comes twice waits for the next round.
    fn join(&mut self, element: &Element, scope: u64, via: Option<usize>) {
        let key = self.wait_at(element, scope);
        let flow = via.and_then(|index| self.process.flows.get(index)).map(|flow| flow.id.clone()).unwrap_or_default();
        let Some(Active { stage: Stage::Join(arrived), .. }) = self.state.active.get_mut(&key) else { return };
        let count = arrived.entry(flow).or_default();
        *count = count.saturating_add(1);
        if arrived.len() < element.incoming.len() {
            return;
        }
        arrived.retain(|_, count| {
            *count = count.saturating_sub(1);
            *count > 0
        });
        let joined = if arrived.is_empty() {
            self.state.tokens_mut(scope).joins.remove(&element.id);
            self.set_stage(key, Stage::Leaving);
            key
        } else {
            self.add_tokens(scope, 1);
            self.place(element, scope, Stage::Leaving)
        };
        self.leave(joined);
    }

    /// The visit to a join where this scope's tokens wait for each other.
    fn wait_at(&mut self, element: &Element, scope: u64) -> u64 {
        let tokens = self.state.tokens_mut(scope);
        if let Some(key) = tokens.joins.get(&element.id) {
            // The token that waits there stands for this one, too.
            tokens.count = tokens.count.saturating_sub(1);
            return *key;
        }
        let key = self.place(element, scope, Stage::Join(Arrived::new()));
        self.state.tokens_mut(scope).joins.insert(element.id.clone(), key);
        key
    }
}
