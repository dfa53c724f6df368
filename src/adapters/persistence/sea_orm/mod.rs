//! SQLite and Postgres, through SeaORM: one schema, one set of queries; each file a subject with its table.
//!
//! What differs: on SQLite one writer (`writer.rs`) puts waiting units into one commit, and nothing needs row locks; on Postgres
//! each unit is a transaction of its own (READ COMMITTED with row locks).

#![expect(unreachable_pub, reason = "SeaORM's derived entities are public types, here in private modules")]

mod audit;
mod config;
mod definitions;
mod deployments;
mod error;
mod events;
mod executions;
mod idempotency;
mod incidents;
mod instances;
mod jobs;
mod memberships;
mod messages;
mod migrations;
mod postgres;
mod revocations;
mod sqlite;
mod subscriptions;
mod tasks;
mod timers;
mod tokens;
mod unit;
mod users;
mod value;
mod workflows;
mod workspaces;
mod writer;

use std::{
    fmt,
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, TransactionTrait};
use sea_orm_migration::MigratorTrait;
use tokio_util::task::TaskTracker;

pub use self::{
    config::{DatabaseClock, DatabaseConfig, DatabaseUrl, InvalidDatabaseUrl, PostgresUrl},
    error::ConnectError,
};
use self::{
    error::sorted,
    migrations::Migrator,
    unit::{SeaOrmUnit, Session, bounded},
    writer::{LEASE, Writer},
};
use crate::ports::repository::{Repository, RepositoryError, UnitOfWork};

/// Which advisory lock two replicas that start at once share while they bring the schema up to date: "tidegate".
const MIGRATION_LOCK: i64 = 0x7469_6465_6761_7465;

/// Keeps everything in SQLite or Postgres. Clones share the connections.
#[derive(Clone)]
pub struct SeaOrmRepository {
    inner: Arc<Inner>,
}

struct Inner {
    /// For reading; on Postgres for writing too.
    pool: DatabaseConnection,
    writing: Writing,
    clock: DatabaseClock,
}

enum Writing {
    /// Not at all: opened for reading.
    None,
    Postgres,
    Sqlite(Box<Sqlite>),
}

/// What only the gateway that writes a SQLite file has.
struct Sqlite {
    connection: DatabaseConnection,
    /// Empty once the store is closed.
    writer: Mutex<Option<Writer>>,
    tasks: TaskTracker,
    /// Keeps a second gateway off the file.
    lock: Mutex<Option<File>>,
}

impl fmt::Debug for SeaOrmRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeaOrmRepository").field("backend", &self.inner.pool.get_database_backend()).finish()
    }
}

impl SeaOrmRepository {
    /// Opens the database for serving. A SQLite file is made if it is missing, and is this repository's alone until it is
    /// [closed](Self::close) or dropped. The schema is left as it is: see [`migrate`](Self::migrate).
    ///
    /// # Errors
    /// [`ConnectError`] when the file is in use or cannot be made, or the database does not answer.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, ConnectError> {
        let (pool, writing) = match &config.url {
            DatabaseUrl::Sqlite(path) => {
                let lock = sqlite::prepare(path).await?;
                let connections = sqlite::open(path, config.max_connections);
                let tasks = TaskTracker::new();
                let writer = Mutex::new(Some(Writer::start(connections.writer.clone(), LEASE, &tasks)));
                let lock = Mutex::new(Some(lock));
                (
                    connections.readers,
                    Writing::Sqlite(Box::new(Sqlite { connection: connections.writer, writer, tasks, lock })),
                )
            }
            DatabaseUrl::Postgres(url) => (postgres::open(url, config.max_connections), Writing::Postgres),
        };
        let repository = Self { inner: Arc::new(Inner { pool, writing, clock: config.clock }) };
        repository.answer().await.map_err(ConnectError::Database)?;
        Ok(repository)
    }

    /// Opens the database for a command that only reads, beside a gateway that may be running. Changes are
    /// [`RepositoryError::ReadOnly`].
    ///
    /// # Errors
    /// [`ConnectError`] when there is no database, when it does not answer, or when its schema is not up to date.
    pub async fn open_for_reading(config: &DatabaseConfig) -> Result<Self, ConnectError> {
        let pool = match &config.url {
            DatabaseUrl::Sqlite(path) => {
                exists(path).await?;
                sqlite::open_for_reading(path, config.max_connections)
            }
            DatabaseUrl::Postgres(url) => postgres::open(url, config.max_connections),
        };
        let pending = Migrator::get_pending_migrations_read_only(&pool).await.map_err(ConnectError::Database)?;
        if !pending.is_empty() {
            return Err(ConnectError::Outdated);
        }
        Ok(Self { inner: Arc::new(Inner { pool, writing: Writing::None, clock: config.clock }) })
    }

    /// Brings the schema up to date. Safe to call from several replicas at once, and costs one look on a schema that is.
    ///
    /// # Errors
    /// [`ConnectError::Migration`] when the database refuses, or was made by a newer version.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        let failed = ConnectError::Migration;
        let pending = Migrator::get_pending_migrations_read_only(&self.inner.pool).await.map_err(failed)?;
        if pending.is_empty() {
            return Ok(());
        }
        let connection = match &self.inner.writing {
            Writing::None => return Err(ConnectError::Outdated),
            Writing::Postgres => &self.inner.pool,
            Writing::Sqlite(sqlite) => &sqlite.connection,
        };
        let transaction = connection.begin().await.map_err(failed)?;
        if matches!(self.inner.writing, Writing::Postgres) {
            let lock = format!(
                "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = '5min'; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"
            );
            transaction.execute_unprepared(&lock).await.map_err(failed)?;
        }
        Migrator::up(&transaction, None).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// Ends the writer after the units that it has, closes all connections and gives the file free. Units that begin
    /// later are [`RepositoryError::Unavailable`].
    pub async fn close(&self) {
        if let Writing::Sqlite(sqlite) = &self.inner.writing {
            drop(sqlite.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
            sqlite.tasks.close();
            sqlite.tasks.wait().await;
            let _closed_anyway = sqlite.connection.clone().close().await;
        }
        let _closed_anyway = self.inner.pool.clone().close().await;
        if let Writing::Sqlite(sqlite) = &self.inner.writing {
            drop(sqlite.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    async fn answer(&self) -> Result<(), DbErr> {
        bounded(self.inner.pool.execute_unprepared("SELECT 1")).await.map(|_| ())
    }
}

async fn exists(path: &Path) -> Result<(), ConnectError> {
    match tokio::fs::try_exists(path).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(ConnectError::Missing(path.to_owned())),
        Err(source) => Err(ConnectError::File { path: path.to_owned(), source }),
    }
}

impl Sqlite {
    fn writer(&self) -> Result<Writer, RepositoryError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        writer.ok_or_else(writer::closed)
    }
}

#[async_trait]
impl Repository for SeaOrmRepository {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        let session = match &self.inner.writing {
            Writing::None => return Err(RepositoryError::ReadOnly),
            Writing::Postgres => Session::Transaction(bounded(self.inner.pool.begin()).await.map_err(sorted)?),
            Writing::Sqlite(sqlite) => Session::Leased(sqlite.writer()?.lease().await?),
        };
        Ok(Box::new(SeaOrmUnit::new(session, self.inner.clock)))
    }

    async fn view(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        Ok(Box::new(SeaOrmUnit::new(Session::View(self.inner.pool.clone()), self.inner.clock)))
    }

    async fn ping(&self) -> Result<(), RepositoryError> {
        self.answer().await.map_err(sorted)
    }
}
