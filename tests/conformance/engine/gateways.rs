//! Gateways and their conditions, in both expression languages.

use serde_json::{Value, json};
use tidegate::domain::execution::ExecutionStatus;

use super::{
    engines,
    model::file,
    world::{World, none},
};

engines!({
    an_exclusive_gateway_takes_the_first_true_flow,
    a_gateway_without_a_true_flow_takes_the_default,
    a_parallel_gateway_forks_and_joins,
    several_outgoing_flows_fork,
    an_event_gateway_takes_what_comes_first,
});

fn choice(big: &str, small: &str, default: &str) -> String {
    format!(
        r#"<:startEvent id="start"/><:exclusiveGateway id="x"{default}/><:userTask id="a"/><:userTask id="b"/><:userTask id="c"/>
        @start -> x
        @x -> a: {big}
        @x -> b: {small}
        @x -> c"#
    )
}

async fn an_exclusive_gateway_takes_the_first_true_flow(world: World) {
    let juel = choice("${amount > 100 && !rush}", "${amount > 10}", " default=\"x_c\"");
    let feel = choice("=amount > 100 and not(rush)", "=amount > 10", " default=\"x_c\"");
    for body in [juel, feel] {
        for (amount, rush, end) in [(120, false, "a"), (120, true, "b"), (11, false, "b"), (10, false, "c")] {
            let instance = world.run(&body, json!({"amount": amount, "rush": rush})).await;
            assert_eq!(world.active(&instance.id).await, [end], "{amount} {rush} {body}");
        }
    }
}

async fn a_gateway_without_a_true_flow_takes_the_default(world: World) {
    let instance = world.run(&choice("${false}", "=false", " default=\"x_c\""), none()).await;
    assert_eq!(world.active(&instance.id).await, ["c"]);
}

async fn a_parallel_gateway_forks_and_joins(world: World) {
    let body = r#"<:startEvent id="start"/><:parallelGateway id="fork"/><:userTask id="a"/><:userTask id="b"/>
        <:parallelGateway id="join"/><:userTask id="c"/>
        @start -> fork
        @fork -> a
        @fork -> b
        @a -> join
        @b -> join
        @join -> c"#;
    let instance = world.run(body, none()).await;
    assert_eq!(world.active(&instance.id).await, ["a", "b"]);
    complete(&world, "b", json!({"b": 1})).await;
    assert!(!world.active(&instance.id).await.contains(&"c".to_owned()));
    complete(&world, "a", json!({"a": 1})).await;
    assert_eq!(world.active(&instance.id).await, ["c"]);
    complete(&world, "c", none()).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1, "b": 1}));
}

async fn several_outgoing_flows_fork(world: World) {
    let body = r#"<:startEvent id="start"/><:task id="t"/><:userTask id="a"/><:userTask id="b"/>
        @start -> t
        @t -> a
        @t -> b"#;
    let instance = world.run(body, none()).await;
    complete(&world, "a", none()).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Running);
    complete(&world, "b", none()).await;
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn an_event_gateway_takes_what_comes_first(world: World) {
    let body = r#"<:startEvent id="start"/><:eventBasedGateway id="x"/><:userTask id="a"/><:userTask id="b"/>
        <:intermediateCatchEvent id="paid"><:messageEventDefinition messageRef="m"/></:intermediateCatchEvent>
        <:intermediateCatchEvent id="late"><:timerEventDefinition><:timeDuration>PT1S</:timeDuration></:timerEventDefinition></:intermediateCatchEvent>
        @start -> x
        @x -> paid
        @x -> late
        @paid -> a
        @late -> b"#;
    world.deploy(&file(body)).await;
    let first = world.start("p", none()).await;
    world.engine.correlate(super::world::paid()).await.unwrap();
    assert_eq!(world.active(&first.id).await, ["a"]);
    let second = world.start("p", none()).await;
    world.pass(jiff::SignedDuration::from_millis(1_100)).await;
    assert_eq!(world.active(&second.id).await, ["b"]);
    assert_eq!(world.active(&first.id).await, ["a"]);
    let nobody = world.engine.correlate(super::world::paid()).await;
    assert!(nobody.is_err(), "{nobody:?}");
}

async fn complete(world: &World, element: &str, variables: Value) {
    let task = world.tasks().await.into_iter().find(|task| task.element_id == element).unwrap();
    world.engine.complete(&task.id, super::world::object(variables)).await.unwrap();
}
