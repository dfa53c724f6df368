//! What time brings, and what it takes.

use super::*;

#[tokio::test]
async fn what_is_due_is_done_once() {
    let mut world = World::new();
    world.deploy(&waits()).await;
    world.start("p", json!({})).await;
    assert_eq!(world.due().await, []);
    world.now += SignedDuration::from_secs(10);
    let due = world.due().await;
    assert_eq!(due.len(), 1);
    assert_eq!(tell(&world.apply(due[0].clone()).await), ["timer wait"]);
    // Another replica read the same before.
    assert_eq!(world.apply(due[0].clone()).await, []);
    assert_eq!(world.due().await, []);
}

#[tokio::test]
async fn a_start_timer_names_itself_and_keeps_its_rhythm() {
    let mut world = World::new();
    world.deploy(&every_ten_seconds()).await;
    world.now += SignedDuration::from_secs(34);
    let due = world.due().await;
    assert_eq!(tell(&world.apply(due[0].clone()).await), ["started p Some(\"tick\")", "task ask"]);
    assert_eq!(world.apply(due[0].clone()).await, []);
    world.now += SignedDuration::from_secs(5);
    assert_eq!(world.due().await, []);
    world.now += SignedDuration::from_secs(1);
    assert_eq!(world.due().await.len(), 1);
}

#[tokio::test]
async fn disarmed_starts_rest_until_they_are_armed() {
    let mut world = World::new();
    world.deploy(&every_ten_seconds()).await;
    let (workspace, process_key) = (demo(), key("p"));
    world.apply(EngineCommand::Disarm { workspace: workspace.clone(), process_key: process_key.clone() }).await;
    world.now += SignedDuration::from_secs(20);
    assert_eq!(world.due().await, []);
    world.apply(EngineCommand::Arm { workspace: workspace.clone(), process_key }).await;
    assert_eq!(world.due().await, []);
    world.now += SignedDuration::from_secs(10);
    assert_eq!(world.due().await.len(), 1);
    let unknown = EngineCommand::Disarm { workspace, process_key: key("nosuch") };
    assert_eq!(world.apply(unknown).await, []);
}

#[tokio::test]
async fn ended_instances_are_forgotten_in_time() {
    let mut world = World::new();
    world.deploy(&waits()).await;
    let (ended, _) = world.start("p", json!({})).await;
    let (running, _) = world.start("p", json!({})).await;
    world.apply(EngineCommand::Cancel { instance: ended.clone() }).await;
    let ended_at = world.row(&ended).await.ended_at.unwrap();
    world.now += SignedDuration::from_hours(1);
    for (before, swept) in [(ended_at, 0), (world.now, 1), (world.now, 0)] {
        let mut uow = world.repository.begin().await.unwrap();
        assert_eq!(world.engine.sweep(&mut *uow, before, 10).await.unwrap(), swept);
        uow.commit().await.unwrap();
    }
    let gone = world.try_apply(EngineCommand::Cancel { instance: ended }).await;
    assert!(matches!(gone, Err(EngineError::UnknownInstance)), "{gone:?}");
    world.apply(EngineCommand::Cancel { instance: running }).await;
}
