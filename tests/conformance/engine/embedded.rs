//! The embedded engine in every store that it may live in.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tidegate::{
    adapters::{
        clock::ManualClock,
        engines::embedded::{AutoCommitEngine, EmbeddedEngine},
        rng::SequenceRng,
    },
    domain::{text::Name, workspace::Workspace},
    ports::{clock::Clock as _, engine::ProcessEngine as _, local_engine::EngineCommand},
};

use super::world::{DEMO, OTHER, Time, World, workspace};
use crate::conformance::repository::{self, Store};

/// The embedded engine over a repository.
#[derive(Debug)]
struct Embedded {
    engine: Arc<AutoCommitEngine>,
    store: Store,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Time for Embedded {
    async fn pass(&self, by: SignedDuration) {
        self.clock.advance(by);
        // Whatever is due is done, and may bring more.
        for _ in 0..1_000 {
            let due = self.due().await;
            if due.is_empty() {
                return;
            }
            for command in due {
                self.apply(command).await;
            }
        }
        panic!("what is due has no end");
    }

    fn leaps(&self) -> bool {
        true
    }
}

impl Embedded {
    async fn due(&self) -> Vec<EngineCommand> {
        let mut view = self.store.repository.view().await.unwrap();
        self.engine.local().unwrap().due(&mut *view, self.clock.now(), 100).await.unwrap()
    }

    async fn apply(&self, command: EngineCommand) {
        let mut uow = self.store.repository.begin().await.unwrap();
        self.engine.local().unwrap().apply(&mut *uow, command, self.clock.now()).await.unwrap();
        uow.commit().await.unwrap();
    }
}

impl World {
    /// The embedded engine in memory.
    pub(super) async fn embedded_on_memory() -> Self {
        Self::embedded(repository::on_memory().await).await
    }

    /// The embedded engine in a SQLite file.
    pub(super) async fn embedded_on_sqlite() -> Self {
        Self::embedded(repository::on_sqlite().await).await
    }

    /// The embedded engine in a Postgres database.
    pub(super) async fn embedded_on_postgres() -> Self {
        Self::embedded(repository::on_postgres().await).await
    }

    async fn embedded(store: Store) -> Self {
        let start: Timestamp = "2026-01-31T10:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let mut uow = store.repository.begin().await.unwrap();
        for id in [DEMO, OTHER] {
            let workspace = Workspace { id: workspace(id), name: Name::parse(id).unwrap(), created_at: start };
            uow.workspaces().insert(&workspace).await.unwrap();
        }
        uow.commit().await.unwrap();
        let engine = EmbeddedEngine::new(Arc::new(SequenceRng::default()));
        let engine = Arc::new(AutoCommitEngine::new(engine, Arc::clone(&store.repository), clock.clone()));
        let time = Embedded { engine: Arc::clone(&engine), store, clock };
        Self::new(engine, Box::new(time))
    }
}
