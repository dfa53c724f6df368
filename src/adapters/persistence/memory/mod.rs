//! Everything in memory: a true adapter, for library users and tests. What a process keeps here ends with it.
//!
//! The tables are persistent maps, so that a snapshot costs nothing: a view is the last committed snapshot; a unit of work
//! changes its own, one unit at a time, and its commit puts that in the place of the last.

mod audit;
mod definitions;
mod deployments;
mod events;
mod executions;
mod idempotency;
mod incidents;
mod index;
mod instances;
mod jobs;
mod matching;
mod memberships;
mod messages;
mod revocations;
mod subscriptions;
mod tasks;
mod timers;
mod tokens;
mod users;
mod workflows;
mod workspaces;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};

use super::spent::spent;
use crate::ports::{
    engine_store::{BufferedMessages, Definitions, Incidents, Instances, Jobs, Subscriptions, Tasks, Timers},
    repository::{
        Audit, Deployments, Events, Executions, IdempotencyKeys, Memberships, Repository, RepositoryError, Revocations,
        ServiceTokens, UnitOfWork, Users, Workflows, Workspaces,
    },
};

/// How long a unit of work waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps everything in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryRepository {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    committed: RwLock<Arc<State>>,
    writer: Arc<Mutex<()>>,
}

impl Shared {
    fn snapshot(&self) -> Arc<State> {
        Arc::clone(&self.committed.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, state: Arc<State>) {
        *self.committed.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// All tables. Cloning one costs a few reference counts.
#[derive(Debug, Clone, Default)]
struct State {
    workspaces: workspaces::Table,
    workflows: workflows::Table,
    deployments: deployments::Table,
    executions: executions::Table,
    events: events::Table,
    tokens: tokens::Table,
    users: users::Table,
    memberships: memberships::Table,
    revocations: revocations::Table,
    audit: audit::Table,
    idempotency: idempotency::Table,
    definitions: definitions::Table,
    instances: instances::Table,
    jobs: jobs::Table,
    tasks: tasks::Table,
    timers: timers::Table,
    subscriptions: subscriptions::Table,
    incidents: incidents::Table,
    messages: messages::Table,
}

impl fmt::Debug for MemoryRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRepository").finish_non_exhaustive()
    }
}

/// The unit of work before this one did not end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("another unit of work has been open for more than {PATIENCE:?}")]
struct Busy;

#[async_trait]
impl Repository for MemoryRepository {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        let waiting = timeout(PATIENCE, Arc::clone(&self.shared.writer).lock_owned());
        let turn = waiting.await.map_err(|_| RepositoryError::Unavailable(Box::new(Busy)))?;
        let mode = Mode::Write { shared: Arc::clone(&self.shared), _turn: turn };
        Ok(Box::new(MemoryUnit { state: self.shared.snapshot(), mode, spent: false }))
    }

    async fn view(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        Ok(Box::new(MemoryUnit { state: self.shared.snapshot(), mode: Mode::Read, spent: false }))
    }

    async fn ping(&self) -> Result<(), RepositoryError> {
        Ok(())
    }
}

enum Mode {
    Read,
    Write { shared: Arc<Shared>, _turn: OwnedMutexGuard<()> },
}

struct MemoryUnit {
    state: Arc<State>,
    mode: Mode,
    spent: bool,
}

impl fmt::Debug for MemoryUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryUnit").field("read_only", &matches!(self.mode, Mode::Read)).finish_non_exhaustive()
    }
}

impl MemoryUnit {
    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, RepositoryError> {
        if self.spent { Err(spent()) } else { Ok(look(&self.state)) }
    }

    /// Reads what is held for a change: one unit at a time holds everything.
    fn hold<T>(&mut self, look: impl FnOnce(&State) -> T) -> Result<T, RepositoryError> {
        self.change(|state| Ok(look(state)))
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut State) -> Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        if self.spent {
            return Err(spent());
        }
        let done = match self.mode {
            Mode::Read => Err(RepositoryError::ReadOnly),
            Mode::Write { .. } => change(Arc::make_mut(&mut self.state)),
        };
        self.spent = done.is_err();
        done
    }
}

#[async_trait]
impl UnitOfWork for MemoryUnit {
    fn workspaces(&mut self) -> &mut dyn Workspaces {
        self
    }

    fn workflows(&mut self) -> &mut dyn Workflows {
        self
    }

    fn deployments(&mut self) -> &mut dyn Deployments {
        self
    }

    fn executions(&mut self) -> &mut dyn Executions {
        self
    }

    fn events(&mut self) -> &mut dyn Events {
        self
    }

    fn tokens(&mut self) -> &mut dyn ServiceTokens {
        self
    }

    fn users(&mut self) -> &mut dyn Users {
        self
    }

    fn memberships(&mut self) -> &mut dyn Memberships {
        self
    }

    fn revocations(&mut self) -> &mut dyn Revocations {
        self
    }

    fn audit(&mut self) -> &mut dyn Audit {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        self
    }

    fn definitions(&mut self) -> &mut dyn Definitions {
        self
    }

    fn instances(&mut self) -> &mut dyn Instances {
        self
    }

    fn jobs(&mut self) -> &mut dyn Jobs {
        self
    }

    fn tasks(&mut self) -> &mut dyn Tasks {
        self
    }

    fn timers(&mut self) -> &mut dyn Timers {
        self
    }

    fn subscriptions(&mut self) -> &mut dyn Subscriptions {
        self
    }

    fn incidents(&mut self) -> &mut dyn Incidents {
        self
    }

    fn buffered_messages(&mut self) -> &mut dyn BufferedMessages {
        self
    }

    async fn commit(self: Box<Self>) -> Result<(), RepositoryError> {
        if self.spent {
            return Err(spent());
        }
        if let Mode::Write { shared, .. } = &self.mode {
            shared.replace(Arc::clone(&self.state));
        }
        Ok(())
    }

    async fn rollback(self: Box<Self>) {
        drop(self);
    }
}
