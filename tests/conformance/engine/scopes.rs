//! Sub-processes, and the ends of instances and scopes.

use serde_json::{Value, json};
use tidegate::{
    domain::execution::ExecutionStatus,
    ports::engine::{EngineError, JobError},
};

use super::{
    engines,
    world::{World, claim, none, object},
};

engines!({
    a_sub_process_runs_and_goes_on,
    a_boundary_event_ends_a_whole_sub_process,
    an_error_climbs_out_of_a_sub_process,
    a_terminate_end_ends_its_scope,
    a_terminate_end_ends_the_instance,
    an_error_end_fails_the_instance,
    mappings_shape_what_goes_in_and_comes_out,
});

const INNER: &str = r#"<:startEvent id="start"/><:userTask id="after"/><:userTask id="mend"/>
    <:subProcess id="inner"><:startEvent id="begin"/><:parallelGateway id="fork"/><job id="work"/><:userTask id="ask"/>
        @begin -> fork
        @fork -> work
        @fork -> ask
    </:subProcess>
    <:boundaryEvent id="oops" attachedToRef="inner"><:errorEventDefinition errorRef="e1"/></:boundaryEvent>
    <:boundaryEvent id="bell" attachedToRef="inner"><:timerEventDefinition><:timeDuration>PT2S</:timeDuration></:timerEventDefinition></:boundaryEvent>
    @start -> inner
    @inner -> after
    @oops -> mend
    @bell -> mend"#;

async fn a_sub_process_runs_and_goes_on(world: World) {
    let instance = world.run(INNER, none()).await;
    assert_eq!(world.active(&instance.id).await, ["ask", "inner", "work"]);
    world.complete_job(&world.job().await, json!({"a": 1})).await.unwrap();
    world.engine.complete(&world.task().await.id, object(none())).await.unwrap();
    assert_eq!(world.active(&instance.id).await, ["after"]);
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1}));
    world.pass(jiff::SignedDuration::from_secs(3)).await;
    assert_eq!(world.active(&instance.id).await, ["after"]);
}

async fn a_boundary_event_ends_a_whole_sub_process(world: World) {
    let instance = world.run(INNER, none()).await;
    let (job, ask) = (world.job().await, world.task().await);
    world.pass(jiff::SignedDuration::from_secs(3)).await;
    assert_eq!(world.active(&instance.id).await, ["mend"]);
    let done = world.complete_job(&job, none()).await;
    assert!(matches!(done, Err(EngineError::UnknownJob)), "{done:?}");
    let done = world.engine.complete(&ask.id, object(none())).await;
    assert!(matches!(done, Err(EngineError::UnknownTask)), "{done:?}");
}

async fn an_error_climbs_out_of_a_sub_process(world: World) {
    let instance = world.run(INNER, none()).await;
    let job = world.job().await;
    let error = JobError { code: "E1".to_owned(), message: None, variables: object(json!({"why": "x"})) };
    world.engine.throw_error(claim(&job), error).await.unwrap();
    assert_eq!(world.active(&instance.id).await, ["mend"]);
    assert_eq!(world.variables(&instance.id).await, json!({"why": "x"}));
}

async fn a_terminate_end_ends_its_scope(world: World) {
    let body = r#"<:startEvent id="start"/><:userTask id="after"/>
        <:subProcess id="inner"><:startEvent id="begin"/><:parallelGateway id="fork"/><job id="work"/><:userTask id="ask"/>
            <:endEvent id="stop"><:terminateEventDefinition/></:endEvent>
            @begin -> fork
            @fork -> work
            @fork -> ask
            @work -> stop
        </:subProcess>
        @start -> inner
        @inner -> after"#;
    let instance = world.run(body, none()).await;
    world.complete_job(&world.job().await, none()).await.unwrap();
    assert_eq!(world.active(&instance.id).await, ["after"]);
}

async fn a_terminate_end_ends_the_instance(world: World) {
    let body = r#"<:startEvent id="start"/><:parallelGateway id="fork"/><:userTask id="ask"/>
        <:endEvent id="stop"><:terminateEventDefinition/></:endEvent>
        @start -> fork
        @fork -> ask
        @fork -> stop"#;
    let instance = world.run(body, none()).await;
    assert_eq!(instance.status, ExecutionStatus::Completed);
    assert_eq!(world.tasks().await, []);
}

async fn an_error_end_fails_the_instance(world: World) {
    let body = r#"<:startEvent id="start"/><:parallelGateway id="fork"/><:userTask id="ask"/>
        <:endEvent id="stop"><:errorEventDefinition errorRef="e1"/></:endEvent>
        @start -> fork
        @fork -> ask
        @fork -> stop"#;
    let instance = world.run(body, json!({"a": 1})).await;
    assert_eq!(instance.status, ExecutionStatus::Failed);
    assert!(instance.ended_at.is_some());
    assert_eq!(world.tasks().await, []);
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1}));
}

async fn mappings_shape_what_goes_in_and_comes_out(world: World) {
    let zeebe = r#"<:startEvent id="start"/><:serviceTask id="work"><:extensionElements><zeebe:taskDefinition type="t"/>
        <zeebe:ioMapping><zeebe:input source="=order.amount" target="amount"/><zeebe:output source="=receipt" target="paid"/></zeebe:ioMapping>
        </:extensionElements></:serviceTask>
        @start -> work"#;
    let camunda = r#"<:startEvent id="start"/><:serviceTask id="work" camunda:type="external" camunda:topic="t"><:extensionElements>
        <camunda:inputOutput><camunda:inputParameter name="amount">${order.amount}</camunda:inputParameter>
        <camunda:outputParameter name="paid">${receipt}</camunda:outputParameter></camunda:inputOutput></:extensionElements></:serviceTask>
        @start -> work"#;
    let order = json!({"order": {"amount": 120}});
    let results: [(&str, Value); 2] = [
        (zeebe, json!({"order": {"amount": 120}, "paid": "r-1"})),
        (camunda, json!({"order": {"amount": 120}, "paid": "r-1", "receipt": "r-1"})),
    ];
    for (body, result) in results {
        let instance = world.run(body, order.clone()).await;
        let job = world.job().await;
        assert_eq!(job.variables.get("amount"), Some(&json!(120)));
        world.complete_job(&job, json!({"receipt": "r-1"})).await.unwrap();
        assert_eq!(world.variables(&instance.id).await, result);
    }
}
