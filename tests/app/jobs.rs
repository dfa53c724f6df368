//! Jobs in the hands of workers.

use std::time::Duration;

use jiff::SignedDuration;
use tidegate::app::jobs::{Activated, JobRequest};

use super::world::{World, admin, key, nothing, one_job};

async fn activate(world: &World) -> Activated {
    let request = JobRequest {
        topics: vec![key("t")],
        worker: key("w"),
        max: 1,
        lock: SignedDuration::from_secs(60),
        variables: None,
        workspace: None,
    };
    world.app().jobs.activate(&admin(), request, Duration::ZERO).await.unwrap()
}

async fn with_a_job() -> World {
    let world = World::new().await;
    let workflow = world.deploy(&admin(), "demo", &one_job("order")).await.processes[0].workflow;
    world.app().executions.start(&admin(), workflow, nothing(), None, None).await.unwrap();
    world
}

#[tokio::test]
async fn jobs_whose_worker_hung_up_are_there_for_the_next_one() {
    let world = with_a_job().await;
    drop(activate(&world).await);
    super::world::eventually("the job is given back", || async { !activate(&world).await.taken().is_empty() }).await;
}

#[test]
fn jobs_may_be_dropped_where_nothing_runs_any_more() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let activated = runtime.block_on(async { activate(&with_a_job().await).await });
    drop(runtime);
    drop(activated);
}
