//! An instance in hand: its locked row, its document, and what its steps ask to be written.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    blocking,
    definitions::Definition,
    machine::{self, Change, Command, InstanceState, StepError},
    unit::Unit,
};
use crate::{
    domain::{engine::NativeId, execution::ExecutionStatus},
    ports::{
        engine::EngineError,
        engine_store::{
            Due, ElementRef, IncidentRow, InstanceRow, JobRow, SubscriptionRow, TaskRow, TimerRow, instance_uuid,
        },
        repository::RepositoryError,
    },
};

/// How many buffered messages one unit of work hands to one instance. More wait for the next subscription of their kind.
const MAX_BUFFERED: usize = 1_000;

/// An instance that this unit of work changes.
pub(super) struct Held {
    pub(super) row: InstanceRow,
    pub(super) definition: Arc<Definition>,
    /// The job that the command is about, where its row is locked already.
    pub(super) job: Option<JobRow>,
    /// The task that the command is about, where its row is locked already.
    pub(super) task: Option<TaskRow>,
    pub(super) fresh: Fresh,
    document: Document,
    /// The document as the last step left it, if one was taken.
    text: Option<String>,
    /// Whether the row is yet to be inserted.
    is_new: bool,
}

/// Rows to insert once the instance's own row stands: what is opened and closed again before that is never written.
#[derive(Default)]
pub(super) struct Fresh {
    pub(super) jobs: BTreeMap<u64, JobRow>,
    pub(super) tasks: BTreeMap<u64, TaskRow>,
    pub(super) timers: BTreeMap<u64, TimerRow>,
    pub(super) subscriptions: BTreeMap<u64, SubscriptionRow>,
    pub(super) incidents: BTreeMap<u64, IncidentRow>,
    /// Message subscriptions for which no buffered message was looked for yet.
    pub(super) unserved: VecDeque<u64>,
    pub(super) continues: bool,
}

/// The machine's state, read as late as possible.
enum Document {
    Stored(String),
    Read(Box<InstanceState>),
    /// In the hands of a step.
    Gone,
}

/// Why a step was not taken.
pub(super) enum Refused {
    /// The command does not fit.
    Step(StepError),
    /// It could not be tried.
    Engine(EngineError),
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<Refused> for EngineError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Engine(error) => error,
            Refused::Step(StepError::Ended) => Self::InstanceEnded,
            Refused::Step(
                error @ (StepError::NoSuchStart { .. } | StepError::TooLarge { .. } | StepError::TooDeep { .. }),
            ) => Self::Invalid { message: error.to_string() },
            Refused::Step(
                error @ (StepError::UnknownKey { .. }
                | StepError::NotStarted
                | StepError::AlreadyStarted
                | StepError::ModelMismatch { .. }),
            ) => Self::Failure(Box::new(error)),
        }
    }
}

impl Held {
    pub(super) const fn id(&self) -> Uuid {
        self.row.id
    }

    /// Names a passage through one of its elements.
    pub(super) const fn element(&self, key: u64) -> ElementRef {
        ElementRef { instance: self.row.id, key }
    }
}

impl Unit<'_> {
    /// Locks an instance for a change; `None` when there is none of that id.
    pub(super) async fn hold(&mut self, id: Uuid) -> Result<Option<Held>, EngineError> {
        let Some(mut row) = self.uow.instances().lock(id).await? else { return Ok(None) };
        let definition = self.engine.definitions.load(self.uow, row.definition).await?;
        let document = Document::Stored(std::mem::take(&mut row.state));
        Ok(Some(Held::new(row, definition, document, false)))
    }

    /// Locks the instance of an id as callers write it.
    pub(super) async fn hold_native(&mut self, id: &NativeId) -> Result<Held, EngineError> {
        let id = instance_uuid(id).ok_or(EngineError::UnknownInstance)?;
        self.hold(id).await?.ok_or(EngineError::UnknownInstance)
    }

    /// Has the machine take a step, and records what it changed.
    pub(super) async fn step(&mut self, held: &mut Held, command: Command) -> Result<(), Refused> {
        let (definition, now) = (Arc::clone(&held.definition), self.now);
        let document = std::mem::replace(&mut held.document, Document::Gone);
        let (state, outcome) = blocking::run(move || take_step(&definition, document, command, now)).await??;
        held.document = Document::Read(state);
        let (changes, text) = outcome.map_err(Refused::Step)?;
        held.text = Some(text);
        for change in changes {
            self.record(held, change).await?;
        }
        Ok(())
    }

    /// Hands over messages that were waiting for what the steps opened, and writes everything.
    pub(super) async fn finish(&mut self, mut held: Held) -> Result<(), EngineError> {
        self.serve_buffered(&mut held).await?;
        self.save(held).await
    }

    async fn serve_buffered(&mut self, held: &mut Held) -> Result<(), EngineError> {
        for _ in 0..MAX_BUFFERED {
            let Some(key) = held.fresh.unserved.pop_front() else { break };
            let Some(subscription) = held.fresh.subscriptions.get(&key) else { continue };
            let Some(message) = self.uow.buffered_messages().take(subscription, self.now).await? else { continue };
            match self.step(held, Command::DeliverMessage { key, variables: message.variables }).await {
                Ok(()) if held.fresh.subscriptions.contains_key(&key) => held.fresh.unserved.push_back(key),
                Ok(()) => {}
                Err(Refused::Step(error)) => {
                    tracing::warn!(instance = %held.id(), message = %message.id, %error, "a buffered message was refused");
                }
                Err(Refused::Engine(error)) => return Err(error),
            }
        }
        Ok(())
    }

    async fn save(&mut self, mut held: Held) -> Result<(), EngineError> {
        if let Some(text) = held.text.take() {
            held.row.state = text;
            if held.is_new {
                self.uow.instances().insert(&held.row).await?;
            } else {
                self.uow.instances().update(&held.row).await?;
            }
        }
        let id = held.id();
        let Fresh { jobs, tasks, timers, subscriptions, incidents, unserved: _, continues } = held.fresh;
        for job in jobs.values() {
            self.uow.jobs().insert(job).await?;
        }
        for task in tasks.values() {
            self.uow.tasks().insert(task).await?;
        }
        for timer in timers.values() {
            self.uow.timers().put(timer).await?;
        }
        for subscription in subscriptions.values() {
            self.uow.subscriptions().insert(subscription).await?;
        }
        for incident in incidents.values() {
            self.uow.incidents().put(incident).await?;
        }
        if continues {
            let timer = TimerRow { what: Due::Continue(id), due: self.now, schedule: String::new() };
            self.uow.timers().put(&timer).await?;
        }
        Ok(())
    }
}

impl Held {
    fn new(row: InstanceRow, definition: Arc<Definition>, document: Document, is_new: bool) -> Self {
        Self { row, definition, job: None, task: None, fresh: Fresh::default(), document, text: None, is_new }
    }

    /// An instance that is about to be started.
    pub(super) fn begin(row: InstanceRow, definition: Arc<Definition>) -> Self {
        let state = InstanceState::new(row.business_key.as_ref().map(ToString::to_string));
        Self::new(row, definition, Document::Read(Box::new(state)), true)
    }

    /// The instance is over.
    pub(super) fn end(&mut self, status: ExecutionStatus, now: Timestamp) {
        self.row.status = status;
        self.row.ended_at = Some(now);
    }
}

type Outcome = Result<(Vec<Change>, String), StepError>;

/// The part of a step that is CPU work: from text to text.
fn take_step(
    definition: &Definition,
    document: Document,
    command: Command,
    now: Timestamp,
) -> Result<(Box<InstanceState>, Outcome), EngineError> {
    let mut state = document.read()?;
    let outcome = match machine::step(&definition.process, &mut state, command, now) {
        Ok(changes) => {
            let text = serde_json::to_string(&state).map_err(|error| EngineError::Failure(Box::new(error)))?;
            Ok((changes, text))
        }
        Err(error) => Err(error),
    };
    Ok((state, outcome))
}

impl Document {
    fn read(self) -> Result<Box<InstanceState>, RepositoryError> {
        match self {
            Self::Stored(text) => read_state(&text).map(Box::new),
            Self::Read(state) => Ok(state),
            Self::Gone => Err(unreadable()),
        }
    }
}

/// Reads an instance's document.
pub(super) fn read_state(text: &str) -> Result<InstanceState, RepositoryError> {
    serde_json::from_str(text).map_err(|_| unreadable())
}

const fn unreadable() -> RepositoryError {
    RepositoryError::Corrupt { what: "process instance" }
}
