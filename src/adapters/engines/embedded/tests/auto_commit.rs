//! Units of work of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{
    adapters::clock::ManualClock,
    ports::{
        engine::ProcessEngine as _,
        repository::{Repository, RepositoryError},
    },
};

/// A store in which other transactions are in the way at first.
#[derive(Debug)]
struct Crowded {
    repository: MemoryRepository,
    in_the_way: AtomicU32,
}

#[async_trait]
impl Repository for Crowded {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        let others = self.in_the_way.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |others| others.checked_sub(1));
        if others.is_ok() { Err(RepositoryError::Serialization) } else { self.repository.begin().await }
    }

    async fn view(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        self.repository.view().await
    }

    async fn ping(&self) -> Result<(), RepositoryError> {
        self.repository.ping().await
    }
}

#[tokio::test]
async fn a_command_is_run_again_when_others_are_in_the_way() {
    for (others, goes_well) in [(0, true), (2, true), (3, false)] {
        let world = World::new();
        world.deploy(&waits()).await;
        let repository = Crowded { repository: world.repository.clone(), in_the_way: AtomicU32::new(others) };
        let clock = Arc::new(ManualClock::at(world.now));
        let engine = AutoCommitEngine::new(world.engine, Arc::new(repository), clock);
        let start =
            Start { workspace: demo(), process_key: key("p"), business_key: None, variables: JsonObject::new() };
        let started = engine.start(start).await;
        assert_eq!(started.is_ok(), goes_well, "{started:?}");
        let in_the_way = matches!(started, Err(EngineError::Repository(RepositoryError::Serialization)));
        assert_eq!(in_the_way, !goes_well);
    }
}
