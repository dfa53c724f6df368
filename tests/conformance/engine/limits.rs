//! What is made to stall or to crash the engine: it ends as an incident, and everybody else is served.

use std::fmt::Write as _;

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{domain::execution::ExecutionStatus, ports::engine::EngineError};

use super::{
    engines,
    model::{ONE_JOB, file, process},
    world::{DEMO, World, none},
};

engines!({
    a_long_way_is_gone_step_by_step,
    an_endless_loop_ends_as_an_incident,
    a_cancelled_loop_stops,
    a_hostile_expression_is_an_incident,
    a_fork_bomb_ends_as_an_incident,
    variables_are_bounded,
});

const LOOP: &str = r#"<:startEvent id="start"/><:exclusiveGateway id="x"/><:task id="t"/><:endEvent id="end"/>
    @start -> x
    @x -> t
    @t -> x"#;

async fn a_long_way_is_gone_step_by_step(world: World) {
    let mut body = "<:startEvent id=\"t0\"/>".to_owned();
    for number in 1..=2_500 {
        writeln!(body, "<:task id=\"t{number}\"/>\n@t{} -> t{number}", number - 1).unwrap();
    }
    let instance = world.run(&body, none()).await;
    world.pass(SignedDuration::from_millis(10)).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn an_endless_loop_ends_as_an_incident(world: World) {
    world.deploy(&process("q", ONE_JOB)).await;
    let instance = world.run(LOOP, none()).await;
    assert_eq!(instance.status, ExecutionStatus::Running);
    // Others have their turn between its steps.
    let served = world.start("q", none()).await;
    world.complete_job(&world.job().await, none()).await.unwrap();
    assert_eq!(world.status(&served.id).await, ExecutionStatus::Completed);
    world.pass(SignedDuration::from_millis(10)).await;
    let incident = world.incident(&instance.id).await;
    assert_eq!(incident.kind, "step_limit");
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Running);
}

async fn a_cancelled_loop_stops(world: World) {
    let instance = world.run(LOOP, none()).await;
    world.engine.cancel(&instance.id).await.unwrap();
    world.pass(SignedDuration::from_millis(10)).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Cancelled);
    assert_eq!(world.incidents(&instance.id).await, []);
}

async fn a_hostile_expression_is_an_incident(world: World) {
    let hostile = [
        "=count(for i in 1..3000000 return i) > 0",
        "=count(for i in 1..3000, j in 1..3000 return i) > 0",
        "=for i in 1..1000 return for j in 1..1000 return for k in 1..1000 return k",
    ];
    for expression in hostile {
        let body = format!(
            r#"<:startEvent id="start"/><:exclusiveGateway id="x"/><:endEvent id="end"/>
            @start -> x
            @x -> end: {expression}"#
        );
        let deployed = world.deploy_files(DEMO, &[("file.bpmn", &file(&body))]).await;
        if matches!(deployed, Err(EngineError::Rejected(_))) {
            continue;
        }
        let instance = world.start("p", none()).await;
        assert_eq!(world.incident(&instance.id).await.element_id, "x");
    }
    let long = format!("=1{}", "+1".repeat(2_000));
    let deep = format!("={}1{}", "(".repeat(900), ")".repeat(900));
    for expression in [long, deep] {
        let body = format!(
            r#"<:startEvent id="start"/><:exclusiveGateway id="x"/><:endEvent id="end"/>
            @start -> x
            @x -> end: {expression} > 0"#
        );
        let outcome = world.deploy_files(DEMO, &[("file.bpmn", &file(&body))]).await;
        assert!(matches!(outcome, Err(EngineError::Rejected(_))), "{outcome:?}");
    }
}

async fn a_fork_bomb_ends_as_an_incident(world: World) {
    let body = r#"<:startEvent id="start"/><:exclusiveGateway id="x"/><:task id="t"/>
        @start -> x
        @x -> t
        @t -> x
        <:sequenceFlow id="again" sourceRef="t" targetRef="x"/>"#;
    let instance = world.run(body, none()).await;
    world.pass(SignedDuration::from_millis(10)).await;
    let incidents = world.incidents(&instance.id).await;
    assert!(!incidents.is_empty() && incidents.iter().all(|incident| incident.kind == "step_limit"), "{incidents:?}");
    world.engine.cancel(&instance.id).await.unwrap();
    assert_eq!(world.incidents(&instance.id).await, []);
}

async fn variables_are_bounded(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    let much = json!({"much": "x".repeat(8 * 1024 * 1024)});
    let started = world.start_in(DEMO, "p", None, much.clone()).await;
    assert!(matches!(started, Err(EngineError::Invalid { .. })), "{:?}", started.map(|instance| instance.id));
    let job = world.job().await;
    let completed = world.complete_job(&job, much).await;
    assert!(matches!(completed, Err(EngineError::Invalid { .. })), "{completed:?}");
    world.complete_job(&job, none()).await.unwrap();
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}
