//! Timers and subscriptions: opened with an element, closed with it, and what happens when one is served.

use super::super::Map;
use super::super::model::{Boundary, BoundaryEvent, Element, Kind, Trigger};
use super::super::state::{InstanceState, Stage, Wait, WaitEvent};
use super::super::timer::Schedule;
use super::incidents::Failure;
use super::run::Run;
use super::{Change, MAX_TOKENS, Subscribed};

/// A timer or subscription about to be opened.
pub(super) struct Planned<'a> {
    element: &'a str,
    event: PlannedEvent,
}

enum PlannedEvent {
    Timer(Schedule),
    Subscription(Subscribed),
}

impl InstanceState {
    /// The open timer or subscription with a key, and the active element that holds it.
    pub(super) fn wait(&self, key: u64) -> Option<(u64, &Wait)> {
        self.active.iter().find_map(|(owner, active)| Some((*owner, active.waits.iter().find(|wait| wait.key == key)?)))
    }
}

impl<'a> Run<'a> {
    /// Works out what an element and its boundary events wait for, before anything is opened.
    pub(super) fn plan_waits<'e>(&self, key: u64, element: &'e Element) -> Result<Vec<Planned<'e>>, Failure>
    where
        'a: 'e,
    {
        let mut planned = Vec::new();
        match &element.kind {
            Kind::Receive(trigger) | Kind::Catch(trigger) => planned.push(self.plan(key, element, trigger)?),
            Kind::EventGateway => {
                for target in self.targets(element) {
                    if let Kind::Receive(trigger) | Kind::Catch(trigger) = &target.kind {
                        planned.push(self.plan(key, target, trigger)?);
                    }
                }
            }
            _ => {}
        }
        for event in element.boundary.iter().filter_map(|index| self.process.elements.get(*index)) {
            if let Kind::Boundary(boundary) = &event.kind
                && let BoundaryEvent::Trigger(trigger) = &boundary.event
            {
                planned.push(self.plan(key, event, trigger)?);
            }
        }
        Ok(planned)
    }

    fn targets(&self, element: &Element) -> impl Iterator<Item = &'a Element> {
        let process = self.process;
        element
            .outgoing
            .iter()
            .filter_map(|flow| process.flows.get(*flow))
            .filter_map(|flow| process.elements.get(flow.target))
    }

    fn plan<'e>(&self, key: u64, element: &'e Element, trigger: &Trigger) -> Result<Planned<'e>, Failure> {
        let event = match trigger {
            Trigger::Timer(timer) => {
                let schedule = timer.schedule(&self.names(key), self.now, &self.budget);
                PlannedEvent::Timer(schedule.map_err(|error| Failure::evaluation(&element.id, &error))?)
            }
            Trigger::Message { name, correlation_key } => {
                let name = self.name(key, element, name)?;
                let correlation_key =
                    correlation_key.as_ref().map(|expression| self.name(key, element, expression)).transpose()?;
                PlannedEvent::Subscription(Subscribed::Message { name, correlation_key })
            }
            Trigger::Signal { name } => {
                PlannedEvent::Subscription(Subscribed::Signal { name: self.name(key, element, name)? })
            }
        };
        Ok(Planned { element: &element.id, event })
    }

    /// Opens what was planned.
    pub(super) fn open(&mut self, owner: u64, planned: Vec<Planned<'_>>) {
        for Planned { element, event } in planned {
            let key = self.next_key();
            let element_id = element.to_owned();
            let (event, change) = match event {
                PlannedEvent::Timer(schedule) => {
                    (WaitEvent::Timer(schedule.clone()), Change::TimerScheduled { key, element_id, schedule })
                }
                PlannedEvent::Subscription(event) => {
                    let wait = match &event {
                        Subscribed::Message { name, .. } => WaitEvent::Message(name.clone()),
                        Subscribed::Signal { .. } => WaitEvent::Signal,
                    };
                    (wait, Change::SubscriptionOpened { key, element_id, event })
                }
            };
            if let Some(active) = self.state.active.get_mut(&owner) {
                active.waits.push(Wait { key, element: element.to_owned(), event });
                self.changes.push(change);
                self.open = self.open.saturating_add(1);
                self.entered = self.entered.saturating_add(1);
            }
        }
    }

    /// Takes back what an element still waits for.
    pub(super) fn close_waits(&mut self, owner: u64) {
        let Some(active) = self.state.active.get_mut(&owner) else { return };
        for wait in std::mem::take(&mut active.waits) {
            self.open = self.open.saturating_sub(1);
            self.changes.push(match wait.event {
                WaitEvent::Timer(_) => Change::TimerCancelled { key: wait.key },
                WaitEvent::Message(_) | WaitEvent::Signal => Change::SubscriptionClosed { key: wait.key },
            });
        }
    }

    /// A timer is due, or a message or signal is there.
    pub(super) fn fire(&mut self, key: u64, variables: Map) {
        let process = self.process;
        let Some((owner, wait)) = self.state.wait(key) else { return };
        let (scope, wait) = (self.scope_of(owner), wait.clone());
        let Some(event) = process.element(&wait.element) else { return };
        let non_interrupting = matches!(&event.kind, Kind::Boundary(boundary) if !boundary.interrupting);
        let next = match &wait.event {
            WaitEvent::Timer(schedule) if non_interrupting => schedule.next(self.now),
            _ => None,
        };
        let crowded = next.is_some() && self.tokens() >= MAX_TOKENS;
        self.tell_served(&wait, next.clone(), non_interrupting);
        self.serve(owner, &wait, next, non_interrupting);
        if crowded {
            return;
        }
        match &event.kind {
            Kind::Boundary(boundary) => {
                if boundary.interrupting {
                    self.cancel(owner);
                } else {
                    self.add_tokens(scope, 1);
                }
                self.occur(event, scope, variables);
            }
            _ if self.element_id(owner) == event.id => self.complete(owner, variables),
            _ => {
                // An event-based gateway: the event takes over its token.
                self.cancel(owner);
                self.occur(event, scope, variables);
            }
        }
    }

    fn tell_served(&mut self, wait: &Wait, next: Option<Schedule>, stays: bool) {
        let (key, element_id) = (wait.key, wait.element.clone());
        match &wait.event {
            WaitEvent::Timer(_) => self.changes.push(Change::TimerFired { key, element_id, next }),
            WaitEvent::Message(name) => {
                self.changes.push(Change::MessageCorrelated { key, element_id, message_name: name.clone() });
            }
            WaitEvent::Signal => {}
        }
        if !stays && !matches!(wait.event, WaitEvent::Timer(_)) {
            self.changes.push(Change::SubscriptionClosed { key });
        }
    }

    /// Strikes off what was served, unless it goes on.
    fn serve(&mut self, owner: u64, served: &Wait, next: Option<Schedule>, stays: bool) {
        let Some(active) = self.state.active.get_mut(&owner) else { return };
        match (&served.event, next) {
            (WaitEvent::Timer(_), Some(next)) => {
                if let Some(wait) = active.waits.iter_mut().find(|wait| wait.key == served.key) {
                    wait.event = WaitEvent::Timer(next);
                }
            }
            (WaitEvent::Message(_) | WaitEvent::Signal, _) if stays => {}
            _ => {
                active.waits.retain(|wait| wait.key != served.key);
                self.open = self.open.saturating_sub(1);
            }
        }
    }

    /// An event happens at an element that held no token of its own: its variables arrive, and it goes on.
    pub(super) fn occur(&mut self, event: &Element, scope: u64, variables: Map) {
        self.entered = self.entered.saturating_add(1);
        let key = self.place(event, scope, Stage::Leaving);
        self.receive(key, variables);
        self.leave(key);
    }
}

impl Boundary {
    /// The error event among boundary events, if it is one.
    pub(super) fn error(&self) -> Option<&super::super::model::ErrorCatch> {
        match &self.event {
            BoundaryEvent::Error(catch) => Some(catch),
            BoundaryEvent::Trigger(_) => None,
        }
    }
}
