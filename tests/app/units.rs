//! Units of work.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tidegate::{app::error::AppError, ports::repository::RepositoryError};

use super::world::World;

#[tokio::test]
async fn a_unit_that_others_are_always_in_the_way_of_is_tried_three_times_and_may_be_tried_again() {
    let world = World::new().await;
    for always in [|| RepositoryError::Conflict, || RepositoryError::Serialization] {
        let tried = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tried);
        let run = world.app().core.commands.run(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { Err::<(), _>(always().into()) })
        });
        let error = run.await;
        assert!(matches!(error, Err(AppError::Repository(RepositoryError::Serialization))), "{error:?}");
        assert_eq!(tried.load(Ordering::SeqCst), 3);
    }
}
