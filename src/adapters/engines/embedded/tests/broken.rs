//! What cannot be read.

use super::*;
use crate::ports::engine_store::{DefinitionRow, Due, TimerRow};

#[tokio::test]
async fn a_broken_document_stops_its_own_instance_only() {
    let mut world = World::new();
    world.deploy(&waits()).await;
    let (broken, _) = world.start("p", json!({})).await;
    let (sound, _) = world.start("p", json!({})).await;
    world.spoil(&broken).await;

    let jobs = world.jobs("t").await;
    assert_eq!(jobs.iter().map(|job| &job.instance).collect::<Vec<_>>(), [&sound]);
    let cancelled = world.try_apply(EngineCommand::Cancel { instance: broken.clone() }).await;
    assert!(matches!(cancelled, Err(EngineError::Repository(_))), "{cancelled:?}");
    let signal = Broadcast { within: only_demo(), name: key("Stop"), variables: JsonObject::new() };
    assert_eq!(tell(&world.apply(EngineCommand::Broadcast(signal)).await), ["message Stop stop"]);

    // Its timer does not stand before all others for ever.
    world.now += SignedDuration::from_secs(10);
    let mut told = Vec::new();
    for due in world.due().await {
        told.extend(tell(&world.apply(due).await));
    }
    assert_eq!(told, ["timer wait"]);
    assert_eq!(world.due().await, []);
    world.now += SignedDuration::from_mins(10);
    assert!(matches!(world.due().await[..], [EngineCommand::Due(Due::Timer(_))]));
}

#[tokio::test]
async fn a_broken_definition_stops_its_own_timer_only() {
    let mut world = World::new();
    world.deploy(&every_ten_seconds()).await;
    let broken = DefinitionRow {
        id: world.engine.rng.uuid_v7(world.now),
        workspace: demo(),
        process_key: key("broken"),
        version: 1,
        resource: Name::parse("file.bpmn").unwrap(),
        digest: [0; 32],
        xml: "<".to_owned(),
        deployment: DeploymentId::new(world.engine.rng.uuid_v7(world.now)),
        created_at: world.now,
    };
    let what = Due::Start { definition: broken.id, element_id: "tick".to_owned() };
    let timer = TimerRow { what, due: world.now, schedule: "{}".to_owned() };
    let mut uow = world.repository.begin().await.unwrap();
    uow.definitions().insert(&broken).await.unwrap();
    uow.timers().put(&timer).await.unwrap();
    uow.commit().await.unwrap();

    world.now += SignedDuration::from_secs(10);
    let mut told = Vec::new();
    for due in world.due().await {
        told.extend(tell(&world.apply(due).await));
    }
    assert_eq!(told, ["started p Some(\"tick\")", "task ask"]);
    assert_eq!(world.due().await, []);
    world.now += SignedDuration::from_mins(10);
    assert!(world.due().await.contains(&EngineCommand::Due(timer.what)));
}
