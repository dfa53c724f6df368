//! What time brings.

use tidegate::{
    domain::{deployment::Resource, ids::DeploymentId, text::Name},
    ports::engine::Deploy,
};
use uuid::Uuid;

use super::world::{World, admin, eventually, timed, workspace};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_does_not_keep_others_from_their_turn() {
    let world = World::new().await;
    // 150 processes that no workflow binds, as if a record of the gate were lost: each start of theirs fails.
    let engine = world.app().core.engines.get(world.app().core.engines.default_name()).unwrap();
    for file in 0..3 {
        let keys: Vec<_> = (0..50).map(|number| format!("lost-{file}-{number}")).collect();
        let name = Name::parse(format!("{file}.bpmn")).unwrap();
        let resources = vec![Resource { name, content: timed(&keys, "PT1S") }];
        let deploy = Deploy { deployment: DeploymentId::new(Uuid::nil()), workspace: workspace("demo"), resources };
        engine.deploy(deploy).await.unwrap();
    }
    let healthy = world.deploy(&admin(), "demo", &timed(&["tick".to_owned()], "PT2S")).await.processes[0].workflow;
    world.gate.start();
    world.pass(3);
    eventually("the one that can be done is done", || async { world.executions(healthy).await == 1 }).await;
}
