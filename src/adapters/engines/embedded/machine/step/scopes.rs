//! Scopes that end early: interrupted, terminated, cancelled.

use std::collections::BTreeSet;

use super::super::state::{Active, Stage, WaitEvent, size_of};
use super::Change;
use super::run::{Run, Work};

impl Run<'_> {
    /// Takes away an active element and all that is inside it.
    pub(super) fn cancel(&mut self, key: u64) {
        let mut gone = self.inside(key);
        gone.insert(key);
        self.remove(&gone);
    }

    /// Takes away everything.
    pub(super) fn cancel_all(&mut self) {
        let gone = self.state.active.keys().copied().collect();
        self.remove(&gone);
        self.queue.clear();
    }

    /// A terminate end event: its scope is over, and nothing outside is touched.
    pub(super) fn terminate(&mut self, key: u64) {
        let scope = self.scope_of(key);
        if scope == 0 {
            self.cancel_all();
            let variables = self.state.variables.clone();
            self.end(Change::Completed { variables });
            return;
        }
        let gone = self.inside(scope);
        self.remove(&gone);
        self.queue.retain(|work| !matches!(work, Work::Enter { scope: of, .. } if *of == scope));
        self.leave_scope(scope);
    }

    /// All that is active inside a scope. A child is always younger than its scope, hence one pass.
    fn inside(&self, scope: u64) -> BTreeSet<u64> {
        let mut inside = BTreeSet::new();
        for (key, active) in self.state.active.range(scope.saturating_add(1)..) {
            if active.scope == scope || inside.contains(&active.scope) {
                inside.insert(*key);
            }
        }
        inside
    }

    /// Removes active elements and the tokens that are on their way in the scopes among them.
    fn remove(&mut self, gone: &BTreeSet<u64>) {
        for key in gone {
            if let Some(active) = self.state.active.remove(key) {
                self.state.size = self.state.size.saturating_sub(size_of(&active.variables));
                self.open = self.open.saturating_sub(active.waits.len());
                self.tell_cancelled(*key, active);
            }
        }
        self.queue.retain(|work| match work {
            Work::Enter { scope, .. } => *scope == 0 || self.state.active.contains_key(scope),
            Work::Leave { key } => self.state.active.contains_key(key),
        });
    }

    fn tell_cancelled(&mut self, key: u64, active: Active) {
        for wait in &active.waits {
            self.changes.push(match wait.event {
                WaitEvent::Timer(_) => Change::TimerCancelled { key: wait.key },
                WaitEvent::Message(_) | WaitEvent::Signal => Change::SubscriptionClosed { key: wait.key },
            });
        }
        if let Some(incident) = active.incident {
            self.changes.push(Change::IncidentResolved { key: incident, element_id: active.element.clone() });
        }
        match active.stage {
            Stage::Job => self.changes.push(Change::JobCancelled { key, element_id: active.element }),
            Stage::UserTask => self.changes.push(Change::TaskCancelled { key, element_id: active.element }),
            _ => {}
        }
    }
}
