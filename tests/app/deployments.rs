//! Deployments, and the workflows that run what was deployed.

use tidegate::app::deployments::NewDeployment;

use super::world::{World, admin, deployment, eventually, one_job, timed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_takes_over_a_process_starts_by_its_timer() {
    let world = World::new().await;
    let (who, xml) = (admin(), timed(&["tick".to_owned()], "PT10S"));
    let gone = world.deploy(&who, "demo", &xml).await.processes[0].workflow;
    world.app().workflows.delete(&who, gone, None).await.unwrap();
    let heir = world.workflow(&who, "demo", "tick").await.unwrap().id;
    world.gate.start();
    world.pass(11);
    eventually("the timer starts the heir", || async { world.executions(heir).await == 1 }).await;
    assert_eq!(world.executions(gone).await, 0);
}

#[tokio::test]
async fn the_same_bytes_after_a_deletion_are_a_deployment_of_their_own_and_then_the_same_again() {
    let world = World::new().await;
    let (who, xml) = (admin(), one_job("order"));
    let first = world.deploy(&who, "demo", &xml).await;
    assert_eq!(world.deploy(&who, "demo", &xml).await, first);
    world.app().workflows.delete(&who, first.processes[0].workflow, None).await.unwrap();
    world.pass(1);
    let second = world.deploy(&who, "demo", &xml).await;
    assert_ne!(second.processes[0].workflow, first.processes[0].workflow);
    assert_eq!(second.processes[0].version, 1);
    assert_eq!(world.deploy(&who, "demo", &xml).await, second);
}

#[tokio::test]
async fn a_workflow_that_is_bound_anew_leaves_its_key_free() {
    let world = World::new().await;
    let who = admin();
    let old = world.deploy(&who, "demo", &one_job("old")).await.processes[0].workflow;
    let new = NewDeployment { workflow: Some(old), ..deployment("demo", &one_job("new")) };
    let deployed = world.app().deployments.create(&who, new, None).await.unwrap().value;
    assert_eq!(deployed.processes[0].workflow, old);
    let heir = world.deploy(&who, "demo", &one_job("old")).await;
    assert_ne!(heir.processes[0].workflow, old);
    assert_eq!(heir.processes[0].version, 1);
}
