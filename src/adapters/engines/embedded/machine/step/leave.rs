//! A token leaves: output mappings, the choice of flows, and what follows from it.

use super::super::Map;
use super::super::model::{Element, Flow, Kind};
use super::super::state::Stage;
use super::incidents::Failure;
use super::run::{Run, Work};
use super::{Change, MAX_TOKENS};

impl Run<'_> {
    /// The element is done: its outputs are mapped, then its token goes on.
    pub(super) fn leave(&mut self, key: u64) {
        if let Err(failure) = self.try_leave(key) {
            self.raise(key, failure);
        }
    }

    /// The last token of a sub-process is gone.
    pub(super) fn leave_scope(&mut self, key: u64) {
        self.set_stage(key, Stage::Leaving);
        self.leave(key);
    }

    fn try_leave(&mut self, key: u64) -> Result<(), Failure> {
        let element = self.element_at(key)?;
        if self.state.active.get(&key).is_some_and(|active| active.stage == Stage::Leaving) {
            self.map_outputs(key, element)?;
            self.close_waits(key);
            self.clear_locals(key);
            self.set_stage(key, Stage::Choosing);
        }
        let chosen = self.choose(key, element)?;
        if chosen.len() > 1 && self.tokens() > MAX_TOKENS {
            return Err(Failure::too_many_tokens(&element.id));
        }
        let scope = self.scope_of(key);
        self.state.active.remove(&key);
        if chosen.is_empty() {
            self.end_token(scope);
            return Ok(());
        }
        self.add_tokens(scope, chosen.len().saturating_sub(1));
        for flow in chosen {
            if let Some(Flow { target, .. }) = self.process.flows.get(flow) {
                self.queue.push_back(Work::Enter { element: *target, scope, via: Some(flow) });
            }
        }
        Ok(())
    }

    /// The flows that the token takes. Several fork, none ends the path.
    fn choose(&self, key: u64, element: &Element) -> Result<Vec<usize>, Failure> {
        let mut chosen = Vec::with_capacity(element.outgoing.len());
        for &index in &element.outgoing {
            let Some(flow) = self.process.flows.get(index) else { continue };
            let taken = match (&element.kind, &flow.condition) {
                (Kind::ParallelGateway, _) => true,
                _ if element.default == Some(index) => false,
                (_, None) => true,
                (_, Some(condition)) => self.condition(key, element, condition)?,
            };
            if taken {
                chosen.push(index);
                if matches!(element.kind, Kind::ExclusiveGateway) {
                    break;
                }
            }
        }
        if chosen.is_empty() && !element.outgoing.is_empty() {
            chosen.push(element.default.ok_or_else(|| Failure::no_flow(&element.id))?);
        }
        Ok(chosen)
    }

    /// How many tokens the instance holds, with what they wait for.
    pub(super) fn tokens(&self) -> usize {
        let on_their_way = self.queue.len().saturating_add(self.state.pending.len());
        self.state.active.len().saturating_add(on_their_way).saturating_add(self.open)
    }

    /// The instance has ended; nothing is left on its way.
    pub(super) fn end(&mut self, how: Change) {
        self.state.status = super::super::state::Status::Ended;
        self.state.active.clear();
        self.state.pending.clear();
        self.state.root = super::super::state::Tokens::default();
        self.state.size = super::super::state::size_of(&self.state.variables);
        self.queue.clear();
        self.changes.push(how);
    }

    /// Forgets the variables of an element itself.
    pub(super) fn clear_locals(&mut self, key: u64) {
        if let Some(active) = self.state.active.get_mut(&key)
            && !active.variables.is_empty()
        {
            let freed = super::super::state::size_of(&active.variables);
            active.variables = Map::new();
            self.state.size = self.state.size.saturating_sub(freed);
        }
    }
}
