//! The only opener of transactions for change: an owned task runs a unit of work, so that a client that goes away abandons
//! the answer, never the command; a unit that another one was in the way of runs again.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    context,
    error::{AppError, ConflictError},
    signals::{Listener, Signals, Wake},
};
use crate::{
    domain::{
        idempotency::{Idempotency, IdempotencyRecord},
        revocation::Notice,
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError, UnitOfWork},
        rng::Rng,
    },
};

/// How often a unit is run in all when others are in its way.
const ATTEMPTS: u32 = 3;

/// A unit of work under way, and whom to wake once it has committed.
#[derive(Debug)]
pub struct Unit {
    uow: Box<dyn UnitOfWork>,
    told: Vec<Notice>,
    /// Whom to wake.
    pub wake: Wake,
    /// The moment that counts for all of it.
    pub now: Timestamp,
}

impl Unit {
    /// The repositories.
    pub fn uow(&mut self) -> &mut dyn UnitOfWork {
        &mut *self.uow
    }

    /// Tells the revocation log something; on this replica it counts as soon as the unit has committed.
    pub fn tell(&mut self, notice: Notice) {
        self.told.push(notice);
    }

    /// Writes what the log is told, last of all: a line must not be old when it commits (see the contract of
    /// [`Revocations`](crate::ports::repository::Revocations)), however long the unit took.
    async fn commit(mut self) -> Result<Wake, RepositoryError> {
        for notice in &self.told {
            self.uow.revocations().tell(notice).await?;
        }
        self.uow.commit().await?;
        self.wake.notices.extend(self.told);
        Ok(self.wake)
    }
}

/// What became of a command that carried an `Idempotency-Key`, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The thing: as it was made, or, for a repeat, as it is now.
    pub value: T,
    /// Whether it had been made before.
    pub replayed: bool,
}

impl<T> Answer<T> {
    /// The same answer of another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: f(self.value), replayed: self.replayed }
    }
}

/// A first time, or a repeat and the id of what the first time made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<T> {
    /// Done now.
    Done(T),
    /// Done before.
    Repeated(String),
}

/// Runs units of work.
#[derive(Clone)]
pub struct Commands {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    signals: Arc<Signals>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").field("repository", &self.repository).finish_non_exhaustive()
    }
}

impl Commands {
    /// Units of work on this repository.
    pub fn new(
        repository: Arc<dyn Repository>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        signals: Arc<Signals>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self { repository, clock, rng, signals, tasks, stop }
    }

    /// A view for reading.
    ///
    /// # Errors
    /// [`RepositoryError::Unavailable`].
    pub async fn view(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        self.repository.view().await
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Randomness.
    pub fn rng(&self) -> &dyn Rng {
        &*self.rng
    }

    /// The bells.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Who owns the tasks of the gate.
    pub const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Sleeps until the bell rings, it is time to look again, or the time is over. Says whether there is a reason to look
    /// again: not when the time was over before, nor when the gate is stopping, where a wait answers with what it has.
    pub async fn pause(&self, bell: &mut Listener, end: Instant) -> bool {
        if Instant::now() >= end || self.stop.is_cancelled() {
            return false;
        }
        tokio::select! {
            () = bell.heard() => {}
            () = tokio::time::sleep_until(end) => {}
            () = self.stop.cancelled() => {}
        }
        true
    }

    /// What comes of waiting at most so long; `None`: nothing, also where the gateway stops.
    pub async fn within<T>(&self, most: Duration, waiting: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = waiting => Some(done),
            () = tokio::time::sleep(most) => None,
            () = self.stop.cancelled() => None,
        }
    }

    /// Runs a unit of work to its commit, in a task of its own.
    ///
    /// # Errors
    /// What the work answers; [`RepositoryError::Serialization`] when others were in its way three times.
    pub async fn run<T, F>(&self, work: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: for<'u> Fn(&'u mut Unit) -> BoxFuture<'u, Result<T, AppError>> + Send + Sync + 'static,
    {
        let commands = self.clone();
        let task = context::spawn(&self.tasks, async move { commands.attempt(&work).await });
        task.await.map_err(|died| AppError::Internal(Box::new(died)))?
    }

    /// The same, once per `Idempotency-Key`. The work gives its value and the id of what it made; that id is remembered in
    /// the same commit.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`ConflictError::IdempotencyInFlight`], [`AppError::IdempotencyKeyReused`].
    pub async fn once<T, F>(&self, idempotency: Option<Idempotency>, work: F) -> Result<Once<T>, AppError>
    where
        T: Send + 'static,
        F: for<'u> Fn(&'u mut Unit) -> BoxFuture<'u, Result<(T, String), AppError>> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        self.run(move |unit| {
            let work = Arc::clone(&work);
            Box::pin(async move {
                let Some(idempotency) = idempotency else {
                    return work(unit).await.map(|(value, _)| Once::Done(value));
                };
                if let Some(subject) = recall(unit, &idempotency).await? {
                    return Ok(Once::Repeated(subject));
                }
                let (value, subject) = work(unit).await?;
                let record = IdempotencyRecord {
                    key: idempotency.key,
                    fingerprint: idempotency.fingerprint,
                    subject,
                    created_at: unit.now,
                };
                unit.uow().idempotency().insert(&record).await?;
                Ok(Once::Done(value))
            })
        })
        .await
    }

    async fn attempt<T, F>(&self, work: &F) -> Result<T, AppError>
    where
        F: for<'u> Fn(&'u mut Unit) -> BoxFuture<'u, Result<T, AppError>> + Send + Sync,
    {
        for attempt in 1..=ATTEMPTS {
            match self.one_attempt(work).await {
                Err(error) if error.is_passing() => {
                    tracing::debug!(%error, attempt, "another unit of work was in the way");
                }
                result => return result,
            }
        }
        Err(RepositoryError::Serialization.into())
    }

    async fn one_attempt<T, F>(&self, work: &F) -> Result<T, AppError>
    where
        F: for<'u> Fn(&'u mut Unit) -> BoxFuture<'u, Result<T, AppError>> + Send + Sync,
    {
        let uow = self.repository.begin().await?;
        let mut unit = Unit { uow, told: Vec::new(), wake: Wake::default(), now: self.clock.now() };
        match work(&mut unit).await {
            Ok(value) => {
                self.signals.wake(unit.commit().await?);
                Ok(value)
            }
            Err(error) => {
                unit.uow.rollback().await;
                Err(error)
            }
        }
    }
}

/// What a repeat of an earlier command made, if it is one.
async fn recall(unit: &mut Unit, idempotency: &Idempotency) -> Result<Option<String>, AppError> {
    let keys = unit.uow().idempotency();
    if !keys.try_lock(&idempotency.key).await? {
        return Err(ConflictError::IdempotencyInFlight.into());
    }
    match keys.find(&idempotency.key).await? {
        Some(record) if record.fingerprint != idempotency.fingerprint => Err(AppError::IdempotencyKeyReused),
        Some(record) => Ok(Some(record.subject)),
        None => Ok(None),
    }
}
