//! `Idempotency-Key`: a repeat gives the same answer, once.

use tidegate::{
    app::error::{AppError, ConflictError},
    domain::scope::Scope,
};

use super::world::{World, admin, deployment, key, new_workflow, nothing, one_job, repeatable, service};

#[tokio::test]
async fn a_repeat_needs_the_right_of_the_first_time_and_no_other() {
    let world = World::new().await;
    let who = service("writer", &[Scope::WorkflowsWrite], &["demo"]);
    for replayed in [false, true] {
        let made =
            world.app().workflows.create(&who, new_workflow("demo", "a"), Some(repeatable(&who, "1"))).await.unwrap();
        assert_eq!(made.replayed, replayed);
        let new = deployment("demo", &one_job("order"));
        let deployed = world.app().deployments.create(&who, new, Some(repeatable(&who, "2"))).await.unwrap();
        assert_eq!(deployed.replayed, replayed);
    }
    let other = service("reader", &[Scope::WorkflowsRead], &["demo"]);
    let refused = world.app().workflows.create(&other, new_workflow("demo", "a"), Some(repeatable(&who, "1"))).await;
    assert!(matches!(refused, Err(AppError::Auth(_))), "{refused:?}");
}

#[tokio::test]
async fn a_repeated_start_gives_its_execution_whatever_has_been_deployed_since() {
    let world = World::new().await;
    let who = admin();
    world.workspace("other").await;
    world.deploy(&who, "demo", &one_job("order")).await;
    let start = || world.app().processes.start(&who, key("order"), None, None, nothing(), Some(repeatable(&who, "1")));
    let first = start().await.unwrap();
    world.deploy(&who, "other", &one_job("order")).await;
    let again = start().await.unwrap();
    assert_eq!((again.replayed, again.value.id), (true, first.value.id));
    let fresh = world.app().processes.start(&who, key("order"), None, None, nothing(), None).await;
    assert!(matches!(fresh, Err(AppError::Conflict(ConflictError::ProcessAmbiguous))), "{fresh:?}");
}

#[tokio::test]
async fn errors_are_not_kept() {
    let world = World::new().await;
    let who = admin();
    let missing =
        world.app().processes.start(&who, key("order"), None, None, nothing(), Some(repeatable(&who, "1"))).await;
    assert!(matches!(missing, Err(AppError::NotFound(_))), "{missing:?}");
    world.deploy(&who, "demo", &one_job("order")).await;
    let now = world.app().processes.start(&who, key("order"), None, None, nothing(), Some(repeatable(&who, "1"))).await;
    assert!(!now.unwrap().replayed);
}

#[tokio::test]
async fn a_repeated_start_gives_its_execution_when_the_workflow_is_gone() {
    let world = World::new().await;
    let who = admin();
    let workflow = world.deploy(&who, "demo", &one_job("order")).await.processes[0].workflow;
    let start = |key| world.app().executions.start(&who, workflow, nothing(), None, Some(repeatable(&who, key)));
    let first = start("1").await.unwrap().value.id;
    world.app().executions.cancel(&who, first, None).await.unwrap();
    world.app().workflows.delete(&who, workflow, None).await.unwrap();
    let heir = world.deploy(&who, "demo", &one_job("order")).await.processes[0].workflow;
    let again = start("1").await.unwrap();
    assert_eq!((again.replayed, again.value.id), (true, first));
    let fresh = start("2").await;
    assert!(matches!(fresh, Err(AppError::NotFound(_))), "{fresh:?}");
    assert_eq!(world.executions(heir).await, 0);
}
