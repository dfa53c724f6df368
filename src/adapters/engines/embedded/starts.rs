//! Start events that begin instances by themselves: only those of a process's latest version are armed.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    blocking,
    changes::timer_row,
    machine::{Process, TimerStart},
    unit::Unit,
};
use crate::{
    domain::{
        engine::ProcessKey,
        text::{InvalidText, Key},
        workspace::WorkspaceId,
    },
    ports::{
        engine::EngineError,
        engine_store::{Due, Subscriber, SubscriptionKind, SubscriptionRow},
    },
};

/// What starts a process without a caller.
pub(super) struct Starts {
    timers: Vec<TimerStart>,
    events: Vec<StartEvent>,
}

/// A start event that waits for a message or a signal.
struct StartEvent {
    element_id: String,
    kind: SubscriptionKind,
    name: Key,
}

impl Starts {
    /// Those of a process, as of now; the error is a sentence. Evaluates expressions: not for the runtime's own threads.
    pub(super) fn of(process: &Process, now: Timestamp) -> Result<Self, String> {
        let timers = process.timer_starts(now).map_err(|error| {
            format!("the timer of a start event, expression '{}': {}", error.expression, error.message)
        })?;
        let messages = process.message_starts().into_iter();
        let messages = messages.map(|start| (start.element_id, SubscriptionKind::Message, start.message_name));
        let signals = process.signal_starts().into_iter();
        let signals = signals.map(|start| (start.element_id, SubscriptionKind::Signal, start.signal_name));
        let events = messages
            .chain(signals)
            .map(|(element_id, kind, name)| Ok(StartEvent { name: Key::parse(name)?, element_id, kind }))
            .collect::<Result<_, InvalidText>>()
            .map_err(|error| format!("the name of the message or signal of a start event {error}"))?;
        Ok(Self { timers, events })
    }
}

impl Unit<'_> {
    /// Arms the latest version, if there is one. Timers that are armed already begin anew, as with a new version.
    pub(super) async fn arm_latest(&mut self, workspace: &WorkspaceId, key: &ProcessKey) -> Result<(), EngineError> {
        let Some((id, _)) = self.uow.definitions().find_latest(workspace, key).await? else { return Ok(()) };
        let (definition, now) = (self.engine.definitions.load(self.uow, id).await?, self.now);
        let read = Arc::clone(&definition);
        let starts = blocking::run(move || Starts::of(&read.process, now)).await?;
        self.disarm(id).await?;
        self.arm(id, workspace, starts.map_err(|message| EngineError::Invalid { message })?).await
    }

    /// Disarms the latest version, if there is one.
    pub(super) async fn disarm_latest(&mut self, workspace: &WorkspaceId, key: &ProcessKey) -> Result<(), EngineError> {
        match self.uow.definitions().find_latest(workspace, key).await? {
            Some((id, _)) => self.disarm(id).await,
            None => Ok(()),
        }
    }

    /// Takes back the start events of a version.
    pub(super) async fn disarm(&mut self, definition: Uuid) -> Result<(), EngineError> {
        self.uow.timers().delete_starts(definition).await?;
        self.uow.subscriptions().delete_starts(definition).await?;
        Ok(())
    }

    /// Sets the start events of a version that has none set.
    pub(super) async fn arm(
        &mut self,
        definition: Uuid,
        workspace: &WorkspaceId,
        starts: Starts,
    ) -> Result<(), EngineError> {
        for TimerStart { element_id, schedule } in starts.timers {
            let timer = timer_row(Due::Start { definition, element_id }, &schedule)?;
            self.uow.timers().put(&timer).await?;
        }
        for StartEvent { element_id, kind, name } in starts.events {
            let subscription = SubscriptionRow {
                subscriber: Subscriber::Start { definition, element_id: element_id.clone() },
                kind,
                name,
                workspace: workspace.clone(),
                element_id,
                correlation_key: None,
                business_key: None,
            };
            self.uow.subscriptions().insert(&subscription).await?;
        }
        Ok(())
    }
}
