//! The one writer of a SQLite file: it leases its connection to one unit of work at a time, each under its own
//! savepoint, and puts those that wait into one commit. SQLite knows one writer at a time anyway; waiting here instead of
//! in `busy_timeout` is fair, and one flush of the disk serves the whole group.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use tokio::{
    sync::{Mutex, OwnedMutexGuard, mpsc, oneshot},
    time::timeout,
};
use tokio_util::task::TaskTracker;

use crate::{app::context, ports::repository::RepositoryError};

/// How many units may wait for the connection.
const QUEUE: usize = 1024;
/// How many units one commit holds at most.
const GROUP: usize = 64;
/// How long a unit may have the connection: one that never ends must not keep all others waiting.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How long a unit waits for the connection.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the transaction is while a unit has it; empty once the lease is over.
type Slot = Arc<Mutex<Option<DatabaseTransaction>>>;
/// Answers a unit that asked to be committed.
type Reply = oneshot::Sender<Result<(), Lost>>;

/// A unit that waits for the connection.
type Request = oneshot::Sender<Result<Lease, Lost>>;
type Requests = mpsc::Receiver<Request>;

/// What keeps a unit from being written.
#[derive(Debug, Clone, thiserror::Error)]
enum Lost {
    /// The database refused; the whole group shares its answer.
    #[error("the group of changes could not be written")]
    Refused(#[source] Arc<DbErr>),
    #[error("the unit of work kept the connection for too long")]
    TooLong,
    #[error("no connection for a unit of work within {PATIENCE:?}")]
    Crowded,
    #[error("the store is closed")]
    Closed,
}

impl From<Lost> for RepositoryError {
    fn from(lost: Lost) -> Self {
        Self::Unavailable(Box::new(lost))
    }
}

/// What a closed store answers.
pub(super) fn closed() -> RepositoryError {
    Lost::Closed.into()
}

/// The way to the writer. The writer ends when all ways to it are gone.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts the writer on a pool of one connection, as a task that the tracker owns. `lease` is how long a unit may have
    /// the connection.
    pub(super) fn start(connection: DatabaseConnection, lease: Duration, tasks: &TaskTracker) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let _owned_by_the_tracker = context::spawn(tasks, run(connection, requests, lease));
        Self { queue }
    }

    /// Waits for the connection.
    pub(super) async fn lease(&self) -> Result<Lease, RepositoryError> {
        let (request, lease) = oneshot::channel();
        let asked = async {
            self.queue.send(request).await.map_err(|_| Lost::Closed)?;
            lease.await.unwrap_or(Err(Lost::Closed))
        };
        let lease = timeout(PATIENCE, asked).await.unwrap_or(Err(Lost::Crowded))?;
        Ok(lease)
    }
}

/// The connection in a unit's hands. Dropped, it takes the unit back.
#[derive(Debug)]
pub(super) struct Lease {
    slot: Slot,
    verdict: oneshot::Sender<Reply>,
}

impl Lease {
    /// The connection for one step.
    pub(super) async fn hold(&self) -> Result<OwnedMutexGuard<Option<DatabaseTransaction>>, RepositoryError> {
        let slot = Arc::clone(&self.slot).lock_owned().await;
        if slot.is_none() { Err(Lost::TooLong.into()) } else { Ok(slot) }
    }

    /// Asks for the commit, and waits until it is on the disk.
    pub(super) async fn commit(self) -> Result<(), RepositoryError> {
        let (reply, written) = oneshot::channel();
        self.verdict.send(reply).map_err(|_| Lost::TooLong)?;
        Ok(written.await.unwrap_or(Err(Lost::Closed))?)
    }
}

async fn run(pool: DatabaseConnection, mut requests: Requests, lease: Duration) {
    let mut connection = None;
    while let Some(first) = requests.recv().await {
        if first.is_closed() {
            continue;
        }
        let begun = match connection.take() {
            Some(open) => begin(open).await,
            None => open(&pool).await,
        };
        match begun {
            Ok(transaction) => connection = group(transaction, first, &mut requests, lease).await,
            Err(refused) => refuse(first, &mut requests, refused),
        }
    }
}

/// Takes the pool's connection for good. SeaORM has no owned connection but a transaction, so its transaction is ended at
/// once, and all others are begun and ended in SQL: sqlx counts transactions, and would lose count where SQLite ends one
/// on its own (a full disk). Dropped, the connection is closed (see `sqlite.rs`), and whatever it was about is undone.
async fn open(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let connection = pool.begin().await?;
    connection.execute_unprepared("ROLLBACK").await?;
    begin(connection).await
}

async fn begin(connection: DatabaseTransaction) -> Result<DatabaseTransaction, DbErr> {
    connection.execute_unprepared("BEGIN IMMEDIATE; SAVEPOINT unit").await?;
    Ok(connection)
}

/// Tells everybody who waits that the database refuses: each of them would wait as long for the same answer.
fn refuse(first: Request, requests: &mut Requests, refused: DbErr) {
    let lost = Lost::Refused(Arc::new(refused));
    let _gone_meanwhile = first.send(Err(lost.clone()));
    while let Ok(next) = requests.try_recv() {
        let _gone_meanwhile = next.send(Err(lost.clone()));
    }
}

/// Serves the first unit, then whoever waits, and writes what they did. Gives the connection back unless it is lost.
async fn group(
    mut transaction: DatabaseTransaction,
    first: Request,
    requests: &mut Requests,
    lease: Duration,
) -> Option<DatabaseTransaction> {
    let mut replies = Vec::new();
    let mut next = Some(first);
    for served in 1.. {
        let Some(request) = next.take() else { break };
        let (ended, returned) = lend(transaction, request, lease).await;
        transaction = returned?;
        next = if served < GROUP { waiting(requests) } else { None };
        let sql = match (&ended, &next) {
            (Ended::Committed(_), Some(_)) => "RELEASE unit; SAVEPOINT unit",
            (Ended::Committed(_), None) => "COMMIT",
            (Ended::Dropped, Some(_)) => "ROLLBACK TO unit",
            (Ended::Dropped, None) if replies.is_empty() => "ROLLBACK",
            (Ended::Dropped, None) => "ROLLBACK TO unit; COMMIT",
        };
        if let Ended::Committed(reply) = ended {
            replies.push(reply);
        }
        if let Err(refused) = transaction.execute_unprepared(sql).await {
            let lost = Lost::Refused(Arc::new(refused));
            if let Some(request) = next {
                let _gone_meanwhile = request.send(Err(lost.clone()));
            }
            answer(replies, &Err(lost));
            let _already_ended = transaction.execute_unprepared("ROLLBACK").await;
            return None;
        }
    }
    answer(replies, &Ok(()));
    Some(transaction)
}

/// The next one who still waits.
fn waiting(requests: &mut Requests) -> Option<Request> {
    loop {
        let next = requests.try_recv().ok()?;
        if !next.is_closed() {
            return Some(next);
        }
    }
}

/// How a unit ended.
enum Ended {
    Committed(Reply),
    Dropped,
}

/// Gives the transaction to a unit, and takes it back when the unit has ended, or when its time is over.
async fn lend(
    transaction: DatabaseTransaction,
    request: Request,
    lease: Duration,
) -> (Ended, Option<DatabaseTransaction>) {
    let slot: Slot = Arc::new(Mutex::new(Some(transaction)));
    let (verdict, ended) = oneshot::channel();
    let _gone_meanwhile = request.send(Ok(Lease { slot: Arc::clone(&slot), verdict }));
    let ended = match timeout(lease, ended).await {
        Ok(Ok(reply)) => Ended::Committed(reply),
        Ok(Err(_)) | Err(_) => Ended::Dropped,
    };
    // A step that is under way has the slot until it is through.
    let returned = slot.lock().await.take();
    (ended, returned)
}

fn answer(replies: Vec<Reply>, written: &Result<(), Lost>) {
    for reply in replies {
        let _gone_meanwhile = reply.send(written.clone());
    }
}

#[cfg(test)]
mod tests;
