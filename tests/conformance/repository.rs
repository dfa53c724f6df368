//! What every [`Repository`] owes, line by line of the contracts in `src/ports/repository.rs` and
//! `src/ports/engine_store.rs`. Another adapter joins by one line in [`suite`].

mod audit;
mod definitions;
mod deployments;
mod events;
mod executions;
mod given;
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
mod units;
mod users;
mod workflows;
mod workspaces;

use std::{any::Any, fmt::Debug, sync::Arc};

use tidegate::{
    adapters::persistence::{
        memory::MemoryRepository,
        sea_orm::{DatabaseClock, DatabaseConfig, DatabaseUrl, SeaOrmRepository},
    },
    domain::page::{Page, PageRequest},
    ports::repository::{Repository, RepositoryError, UnitOfWork},
};

use crate::support::postgres::TestDatabase;

/// Makes one test per case per adapter.
macro_rules! suite {
    ($($case:ident),+ $(,)?) => {
        use $crate::conformance::repository::{on_memory, on_postgres, on_sqlite};
        $crate::conformance::conformance!({ $($case),+ } on {
            memory => on_memory(),
            sqlite => on_sqlite(),
            postgres => on_postgres(),
        });
    };
}
use suite;

/// A fresh store, and what must outlive it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) repository: Arc<dyn Repository>,
    _beneath: Box<dyn Any + Send + Sync>,
}

pub(crate) async fn on_memory() -> Store {
    Store { repository: Arc::new(MemoryRepository::default()), _beneath: Box::new(()) }
}

pub(crate) async fn on_sqlite() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    Store { repository: Arc::new(sea_orm(&url, DatabaseClock::Given).await), _beneath: Box::new(folder) }
}

pub(crate) async fn on_postgres() -> Store {
    let database = TestDatabase::fresh().await;
    Store { repository: Arc::new(sea_orm(&database.url(), DatabaseClock::Given).await), _beneath: Box::new(database) }
}

/// Opens a database and brings its schema up to date.
async fn sea_orm(url: &str, clock: DatabaseClock) -> SeaOrmRepository {
    let config = DatabaseConfig { clock, max_connections: 8, ..DatabaseConfig::new(DatabaseUrl::parse(url).unwrap()) };
    let repository = SeaOrmRepository::connect(&config).await.unwrap();
    repository.migrate().await.unwrap();
    repository
}

impl Store {
    async fn begin(&self) -> Box<dyn UnitOfWork> {
        self.repository.begin().await.unwrap()
    }

    /// Does something in a unit of its own, and commits it.
    async fn try_change<T>(
        &self,
        change: impl AsyncFnOnce(&mut dyn UnitOfWork) -> Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        let mut unit = self.repository.begin().await?;
        let done = change(&mut *unit).await?;
        unit.commit().await?;
        Ok(done)
    }

    /// The same, where it must go well.
    async fn change<T>(&self, change: impl AsyncFnOnce(&mut dyn UnitOfWork) -> Result<T, RepositoryError>) -> T {
        self.try_change(change).await.unwrap()
    }

    /// Reads what is committed.
    async fn read<T>(&self, read: impl AsyncFnOnce(&mut dyn UnitOfWork) -> Result<T, RepositoryError>) -> T {
        let mut view = self.repository.view().await.unwrap();
        read(&mut *view).await.unwrap()
    }
}

/// Reads a list page by page, as a client would.
async fn walk<T>(limit: u32, mut next: impl AsyncFnMut(PageRequest) -> Page<T>) -> Vec<T> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = next(PageRequest { limit, after }).await;
        assert!(page.items.len() <= usize::try_from(limit).unwrap(), "a page keeps its limit");
        items.extend(page.items);
        match page.next {
            None => return items,
            position => after = position,
        }
    }
}

/// Runs futures side by side.
async fn at_once<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(futures).await
}

/// That something is there already.
fn assert_conflict<T: Debug>(outcome: Result<T, RepositoryError>) {
    let error = outcome.expect_err("it is taken");
    assert!(matches!(error, RepositoryError::Conflict), "{error:?}");
}
