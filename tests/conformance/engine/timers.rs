//! Timers: caught, at boundaries, in cycles, as starts, after downtime.

use jiff::SignedDuration;
use tidegate::{domain::execution::ExecutionStatus, ports::engine::TaskQuery};

use super::{
    engines,
    model::{ONE_JOB, file},
    world::{World, key, none, object, only},
};

engines!({
    a_catch_event_waits_for_its_time,
    an_expression_may_say_when,
    an_interrupting_boundary_event_takes_the_token,
    a_boundary_event_of_a_done_task_does_not_fire,
    a_non_interrupting_boundary_event_fires_beside,
    a_cycle_fires_as_often_as_it_says,
    after_downtime_a_cycle_fires_once_then_on_schedule,
    a_start_timer_starts_instances,
    only_the_latest_versions_start_timer_is_armed,
    the_timers_of_a_cancelled_instance_are_gone,
});

fn timer(kind: &str, value: &str) -> String {
    format!("<:timerEventDefinition><:{kind}>{value}</:{kind}></:timerEventDefinition>")
}

fn caught(kind: &str, value: &str) -> String {
    format!(
        r#"<:startEvent id="start"/><:intermediateCatchEvent id="wait">{}</:intermediateCatchEvent>
        @start -> wait"#,
        timer(kind, value)
    )
}

fn boundary(interrupting: bool, kind: &str, value: &str) -> String {
    format!(
        r#"<:startEvent id="start"/><:userTask id="ask"/><:userTask id="late"/>
        <:boundaryEvent id="bell" attachedToRef="ask" cancelActivity="{interrupting}">{}</:boundaryEvent>
        @start -> ask
        @bell -> late"#,
        timer(kind, value)
    )
}

async fn seconds(world: &World, seconds: i64) {
    world.pass(SignedDuration::from_secs(seconds)).await;
}

/// How often the element `late` was reached.
async fn late(world: &World) -> usize {
    let query = TaskQuery { element_id: Some("late".to_owned()), ..TaskQuery::within(only("demo")) };
    world.engine.user_tasks(&query, None, 100).await.unwrap().len()
}

async fn a_catch_event_waits_for_its_time(world: World) {
    let instance = world.run(&caught("timeDuration", "PT2S"), none()).await;
    seconds(&world, 1).await;
    assert_eq!(world.active(&instance.id).await, ["wait"]);
    world.pass(SignedDuration::from_millis(1_100)).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn an_expression_may_say_when(world: World) {
    for (kind, value) in [("timeDuration", "${pause}"), ("timeDuration", "=pause"), ("timeDate", "=moment")] {
        let variables = serde_json::json!({"pause": "PT0S", "moment": "2020-01-01T00:00:00Z"});
        let instance = world.run(&caught(kind, value), variables).await;
        world.pass(SignedDuration::from_millis(10)).await;
        assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed, "{value}");
    }
}

async fn an_interrupting_boundary_event_takes_the_token(world: World) {
    let instance = world.run(&boundary(true, "timeDuration", "PT2S"), none()).await;
    let ask = world.task().await;
    world.pass(SignedDuration::from_millis(2_100)).await;
    assert_eq!(world.active(&instance.id).await, ["late"]);
    let gone = world.engine.complete(&ask.id, object(none())).await;
    assert!(gone.is_err(), "{gone:?}");
}

async fn a_boundary_event_of_a_done_task_does_not_fire(world: World) {
    let instance = world.run(&boundary(true, "timeDuration", "PT2S"), none()).await;
    world.engine.complete(&world.task().await.id, object(none())).await.unwrap();
    world.pass(SignedDuration::from_millis(2_100)).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
    assert_eq!(late(&world).await, 0);
}

async fn a_non_interrupting_boundary_event_fires_beside(world: World) {
    let instance = world.run(&boundary(false, "timeDuration", "PT2S"), none()).await;
    world.pass(SignedDuration::from_millis(2_100)).await;
    assert_eq!(world.active(&instance.id).await, ["ask", "late"]);
    seconds(&world, 3).await;
    assert_eq!(late(&world).await, 1);
}

async fn a_cycle_fires_as_often_as_it_says(world: World) {
    world.run(&boundary(false, "timeCycle", "R2/PT2S"), none()).await;
    for (passed, fired) in [(1_000, 0), (1_100, 1), (2_000, 2), (4_000, 2)] {
        world.pass(SignedDuration::from_millis(passed)).await;
        assert_eq!(late(&world).await, fired, "{passed}");
    }
}

async fn after_downtime_a_cycle_fires_once_then_on_schedule(world: World) {
    if !world.leaps() {
        return;
    }
    world.run(&boundary(false, "timeCycle", "R/PT10S"), none()).await;
    seconds(&world, 35).await;
    assert_eq!(late(&world).await, 1);
    seconds(&world, 4).await;
    assert_eq!(late(&world).await, 1);
    seconds(&world, 1).await;
    assert_eq!(late(&world).await, 2);
    seconds(&world, 10).await;
    assert_eq!(late(&world).await, 3);
}

fn started(cycle: &str) -> String {
    format!(
        r#"<:startEvent id="start">{}</:startEvent><:userTask id="late"/>
        @start -> late"#,
        timer("timeCycle", cycle)
    )
}

async fn a_start_timer_starts_instances(world: World) {
    world.deploy(&file(&started("R2/PT2S"))).await;
    for (passed, fired) in [(1_000, 0), (1_100, 1), (2_000, 2), (4_000, 2)] {
        world.pass(SignedDuration::from_millis(passed)).await;
        assert_eq!(late(&world).await, fired, "{passed}");
    }
    let task = world.tasks().await.remove(0);
    assert_eq!((task.process_key, task.business_key), (key("p"), None));
}

async fn only_the_latest_versions_start_timer_is_armed(world: World) {
    world.deploy(&file(&started("R/PT1S"))).await;
    world.deploy(&file(&started("R1/PT3S"))).await;
    world.pass(SignedDuration::from_millis(2_500)).await;
    assert_eq!(late(&world).await, 0);
    seconds(&world, 1).await;
    assert_eq!(late(&world).await, 1);
    world.deploy(&file(&started("R/PT1S"))).await;
    world.deploy(&file(ONE_JOB)).await;
    seconds(&world, 2).await;
    assert_eq!(late(&world).await, 1);
}

async fn the_timers_of_a_cancelled_instance_are_gone(world: World) {
    let instance = world.run(&boundary(false, "timeCycle", "R/PT1S"), none()).await;
    world.engine.cancel(&instance.id).await.unwrap();
    seconds(&world, 2).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Cancelled);
    assert_eq!(late(&world).await, 0);
}
