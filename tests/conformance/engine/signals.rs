//! Signals: to everybody who waits.

use serde_json::json;
use tidegate::{domain::execution::ExecutionStatus, ports::engine::Broadcast};

use super::{
    engines,
    model::{file, process},
    world::{World, key, none, object, only},
};

engines!({
    a_signal_reaches_everybody_who_waits,
    a_signal_nobody_waits_for_is_gone,
    a_signal_starts_processes,
    a_boundary_event_takes_signals,
});

const CAUGHT: &str = r#"<:startEvent id="start"/><:intermediateCatchEvent id="stop"><:signalEventDefinition signalRef="s"/></:intermediateCatchEvent>
    @start -> stop"#;

async fn broadcast(world: &World, name: &str) {
    let signal = Broadcast { within: only("demo"), name: key(name), variables: object(json!({"why": "x"})) };
    world.engine.broadcast_signal(signal).await.unwrap();
}

async fn a_signal_reaches_everybody_who_waits(world: World) {
    world.deploy(&file(CAUGHT)).await;
    let mut instances = Vec::new();
    for _ in 0..20 {
        instances.push(world.start("p", none()).await.id);
    }
    broadcast(&world, "Go").await;
    assert_eq!(world.status(&instances[0]).await, ExecutionStatus::Running);
    broadcast(&world, "Stop").await;
    for instance in instances {
        assert_eq!(world.status(&instance).await, ExecutionStatus::Completed);
        assert_eq!(world.variables(&instance).await, json!({"why": "x"}));
    }
}

async fn a_signal_nobody_waits_for_is_gone(world: World) {
    world.deploy(&file(CAUGHT)).await;
    broadcast(&world, "Stop").await;
    let instance = world.start("p", none()).await;
    assert_eq!(world.active(&instance.id).await, ["stop"]);
}

async fn a_signal_starts_processes(world: World) {
    let started = r#"<:startEvent id="start"><:signalEventDefinition signalRef="s"/></:startEvent><:userTask id="next"/>
        @start -> next"#;
    world.deploy(&file(started)).await;
    world.deploy(&process("q", started)).await;
    broadcast(&world, "Stop").await;
    let mut keys: Vec<_> = world.tasks().await.into_iter().map(|task| task.process_key).collect();
    keys.sort();
    assert_eq!(keys, [key("p"), key("q")]);
}

async fn a_boundary_event_takes_signals(world: World) {
    let body = r#"<:startEvent id="start"/><:userTask id="ask"/><:userTask id="told"/>
        <:boundaryEvent id="news" attachedToRef="ask"><:signalEventDefinition signalRef="s"/></:boundaryEvent>
        @start -> ask
        @news -> told"#;
    let instance = world.run(body, none()).await;
    broadcast(&world, "Stop").await;
    assert_eq!(world.active(&instance.id).await, ["told"]);
}
