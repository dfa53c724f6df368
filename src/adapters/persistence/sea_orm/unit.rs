//! A unit of work, and the connection that it works on.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    ExecResult, QueryResult, RuntimeErr, Statement, sea_query::Expr,
};
use tokio::{sync::OwnedMutexGuard, time::timeout};

use super::{
    config::DatabaseClock,
    error::sorted,
    value::{micros, now_in_database},
    writer::Lease,
};
use crate::{
    adapters::persistence::spent::spent,
    ports::{
        engine_store::{BufferedMessages, Definitions, Incidents, Instances, Jobs, Subscriptions, Tasks, Timers},
        repository::{
            Audit, Deployments, Events, Executions, IdempotencyKeys, Memberships, RepositoryError, Revocations,
            ServiceTokens, UnitOfWork, Users, Workflows, Workspaces,
        },
    },
};

/// How long one statement may take before the database counts as gone. Postgres is told to give up before that.
const ANSWER: Duration = Duration::from_secs(8);

/// What a unit works on.
#[derive(Debug)]
pub(super) enum Session {
    /// For reading: each statement sees what is committed by then.
    View(DatabaseConnection),
    /// A transaction of its own (Postgres).
    Transaction(DatabaseTransaction),
    /// A part of the writer's transaction (SQLite).
    Leased(Lease),
}

/// A unit of work.
#[derive(Debug)]
pub(super) struct SeaOrmUnit {
    session: Session,
    clock: DatabaseClock,
    spent: bool,
}

impl SeaOrmUnit {
    pub(super) const fn new(session: Session, clock: DatabaseClock) -> Self {
        Self { session, clock, spent: false }
    }

    /// Takes the connection for a step that reads. The unit counts as spent until the step is
    /// [settled](Db::settle): a step that fails, or whose caller goes away in the middle, never commits.
    pub(super) async fn reading(&mut self) -> Result<Db<'_>, RepositoryError> {
        if self.spent {
            return Err(spent());
        }
        self.spent = true;
        let on = match &self.session {
            Session::View(pool) => On::Pool(pool),
            Session::Transaction(transaction) => On::Transaction(transaction),
            Session::Leased(lease) => On::Leased(lease.hold().await?),
        };
        Ok(Db { on, clock: self.clock, spent: &mut self.spent })
    }

    /// Takes the connection for a step that changes or holds something.
    pub(super) async fn writing(&mut self) -> Result<Db<'_>, RepositoryError> {
        if !self.spent && matches!(self.session, Session::View(_)) {
            self.spent = true;
            return Err(RepositoryError::ReadOnly);
        }
        self.reading().await
    }
}

#[async_trait]
impl UnitOfWork for SeaOrmUnit {
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
        // Postgres answers the COMMIT of a failed transaction by a silent rollback.
        if self.spent {
            return Err(spent());
        }
        match self.session {
            Session::View(_) => Ok(()),
            Session::Transaction(transaction) => bounded(transaction.commit()).await.map_err(sorted),
            Session::Leased(lease) => lease.commit().await,
        }
    }

    async fn rollback(self: Box<Self>) {
        if let Session::Transaction(transaction) = self.session
            && let Err(error) = bounded(transaction.rollback()).await
        {
            // Its connection is lost, and with it what it held.
            tracing::debug!(%error, "a transaction could not be rolled back");
        }
    }
}

/// Waits for the database, but not for ever.
pub(super) async fn bounded<T>(step: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let gone = || DbErr::Conn(RuntimeErr::Internal(format!("the database gave no answer within {ANSWER:?}")));
    timeout(ANSWER, step).await.unwrap_or_else(|_| Err(gone()))
}

#[derive(Debug)]
enum On<'a> {
    Pool(&'a DatabaseConnection),
    Transaction(&'a DatabaseTransaction),
    Leased(OwnedMutexGuard<Option<DatabaseTransaction>>),
}

/// A unit's connection for one step.
#[derive(Debug)]
pub(super) struct Db<'a> {
    on: On<'a>,
    clock: DatabaseClock,
    spent: &'a mut bool,
}

/// Hands a statement on to whatever connection the unit has.
macro_rules! hand_on {
    ($db:expr, $method:ident($argument:expr)) => {
        match &$db.on {
            On::Pool(pool) => bounded(pool.$method($argument)).await,
            On::Transaction(transaction) => bounded(transaction.$method($argument)).await,
            On::Leased(slot) => match slot.as_ref() {
                Some(transaction) => bounded(transaction.$method($argument)).await,
                None => Err(DbErr::Custom("the lease is over".to_owned())),
            },
        }
    };
}

impl Db<'_> {
    /// Ends a step that went well: the unit may go on.
    #[expect(clippy::unnecessary_wraps, reason = "it is every step's answer")]
    pub(super) fn settle<T>(self, answer: T) -> Result<T, RepositoryError> {
        *self.spent = false;
        Ok(answer)
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.get_database_backend() == DbBackend::Postgres
    }

    /// The present moment as the statement will see it, in microseconds.
    pub(super) fn now(&self, given: jiff::Timestamp) -> Expr {
        match self.clock {
            DatabaseClock::Database if self.is_postgres() => now_in_database(),
            _ => Expr::from(micros(given)),
        }
    }

    /// A moment that the caller named relative to `given`.
    pub(super) fn moment(&self, at: jiff::Timestamp, given: jiff::Timestamp) -> Expr {
        use sea_orm::sea_query::ExprTrait;
        match self.clock {
            DatabaseClock::Database if self.is_postgres() => {
                now_in_database().add(micros(at).saturating_sub(micros(given)))
            }
            _ => Expr::from(micros(at)),
        }
    }
}

#[async_trait]
impl ConnectionTrait for Db<'_> {
    fn get_database_backend(&self) -> DbBackend {
        match &self.on {
            On::Pool(pool) => pool.get_database_backend(),
            On::Transaction(transaction) => transaction.get_database_backend(),
            On::Leased(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        hand_on!(self, execute_raw(stmt))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        hand_on!(self, execute_unprepared(sql))
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        hand_on!(self, query_one_raw(stmt))
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        hand_on!(self, query_all_raw(stmt))
    }
}

/// Adds a row.
pub(super) async fn add<A: ActiveModelTrait>(db: &Db<'_>, row: A) -> Result<(), RepositoryError> {
    A::Entity::insert(row).exec_without_returning(db).await.map(|_| ()).map_err(sorted)
}
