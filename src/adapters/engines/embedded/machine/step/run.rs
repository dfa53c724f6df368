//! The work of a step: a queue of tokens on their way, so that no recursion grows with the run.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::super::expression::Budget;
use super::super::model::{Element, Process};
use super::super::state::{Active, InstanceState, Pending, Stage};
use super::incidents::Failure;
use super::{BUDGET, Change, STEP_BOUND};

/// A step under way.
pub(super) struct Run<'a> {
    pub(super) process: &'a Process,
    pub(super) state: &'a mut InstanceState,
    pub(super) now: Timestamp,
    pub(super) changes: Vec<Change>,
    pub(super) queue: VecDeque<Work>,
    /// Elements entered and timers and subscriptions opened in this step.
    pub(super) entered: u32,
    /// Timers and subscriptions that are open.
    pub(super) open: usize,
    /// What the expressions of this step may still cost.
    pub(super) budget: Budget,
}

/// What is left to do.
pub(super) enum Work {
    /// A token arrives at an element, by a flow (an index too) or from inside the machine.
    Enter { element: usize, scope: u64, via: Option<usize> },
    /// The last token of a sub-process is gone.
    Leave { key: u64 },
}

impl<'a> Run<'a> {
    /// Takes up the tokens that an earlier step left on their way.
    pub(super) fn new(process: &'a Process, state: &'a mut InstanceState, now: Timestamp) -> Self {
        let mut queue = VecDeque::with_capacity(state.pending.len().saturating_add(4));
        for pending in std::mem::take(&mut state.pending) {
            if let Some(element) = process.index(&pending.element) {
                let via = pending.via.and_then(|id| process.flow(&id));
                queue.push_back(Work::Enter { element, scope: pending.scope, via });
            }
        }
        let open = state.active.values().map(|active| active.waits.len()).sum();
        let (changes, budget) = (Vec::with_capacity(4), Budget::new(BUDGET));
        Self { process, state, now, changes, queue, entered: 0, open, budget }
    }

    /// Works until every token waits or the bound of a step is reached.
    pub(super) fn drain(&mut self) {
        while let Some(work) = self.queue.pop_front() {
            match work {
                Work::Leave { key } => self.leave_scope(key),
                Work::Enter { element, scope, via } if self.has_time() => {
                    self.entered = self.entered.saturating_add(1);
                    self.enter(element, scope, via);
                }
                Work::Enter { element, scope, via } => self.put_off(element, scope, via),
            }
        }
        self.state.restless =
            if self.state.pending.is_empty() { 0 } else { self.state.restless.saturating_add(self.entered) };
    }

    /// The changes of the whole step.
    pub(super) fn finish(mut self) -> Vec<Change> {
        if self.state.needs_continue() {
            self.changes.push(Change::Continue);
        }
        self.changes
    }

    fn has_time(&self) -> bool {
        self.entered < STEP_BOUND && self.budget.left() > BUDGET / 2
    }

    fn put_off(&mut self, element: usize, scope: u64, via: Option<usize>) {
        let process = self.process;
        if let Some(element) = process.elements.get(element) {
            let via = via.and_then(|index| process.flows.get(index)).map(|flow| flow.id.clone());
            self.state.pending.push(Pending { element: element.id.clone(), scope, via });
        }
    }

    /// A key that this instance has never used.
    pub(super) fn next_key(&mut self) -> u64 {
        self.state.last_key = self.state.last_key.saturating_add(1);
        self.state.last_key
    }

    /// Puts a token down at an element.
    pub(super) fn place(&mut self, element: &Element, scope: u64, stage: Stage) -> u64 {
        let key = self.next_key();
        let active = Active {
            element: element.id.clone(),
            scope,
            stage,
            incident: None,
            variables: super::super::Map::new(),
            waits: Vec::new(),
        };
        self.state.active.insert(key, active);
        key
    }

    pub(super) fn set_stage(&mut self, key: u64, stage: Stage) {
        if let Some(active) = self.state.active.get_mut(&key) {
            active.stage = stage;
        }
    }

    /// The element that an active one visits.
    pub(super) fn element_at(&self, key: u64) -> Result<&'a Element, Failure> {
        let id = self.state.active.get(&key).map_or("", |active| active.element.as_str());
        self.process.element(id).ok_or_else(|| Failure::mismatch(id))
    }

    pub(super) fn element_id(&self, key: u64) -> String {
        self.state.active.get(&key).map(|active| active.element.clone()).unwrap_or_default()
    }

    /// The scope that an active element belongs to.
    pub(super) fn scope_of(&self, key: u64) -> u64 {
        self.state.active.get(&key).map_or(0, |active| active.scope)
    }

    /// One token more in a scope.
    pub(super) fn add_tokens(&mut self, scope: u64, more: usize) {
        let tokens = self.state.tokens_mut(scope);
        tokens.count = tokens.count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
    }

    /// A token of a scope is gone; with the last one the scope completes.
    pub(super) fn end_token(&mut self, scope: u64) {
        let tokens = self.state.tokens_mut(scope);
        tokens.count = tokens.count.saturating_sub(1);
        if tokens.count > 0 {
            return;
        }
        if scope == 0 {
            let variables = self.state.variables.clone();
            self.end(Change::Completed { variables });
        } else {
            self.queue.push_back(Work::Leave { key: scope });
        }
    }
}

/// The tokens that a parallel gateway has, by flow id.
pub(super) type Arrived = BTreeMap<String, u32>;
