//! Incidents: raised where something fails, mended by variables and a retry.

use serde_json::json;
use tidegate::{domain::execution::ExecutionStatus, ports::engine::EngineError};

use super::{
    engines,
    model::ONE_TASK,
    world::{World, none, object},
};

engines!({
    no_true_flow_is_an_incident_until_variables_mend_it,
    a_failing_condition_names_element_and_expression,
    a_failing_mapping_is_an_incident,
    a_retry_that_fails_again_raises_a_new_incident,
    incidents_belong_to_their_instance,
    the_rest_of_an_instance_goes_on_beside_an_incident,
});

const CHOICE: &str = r#"<:startEvent id="start"/><:exclusiveGateway id="x"/><:userTask id="a"/><:userTask id="b"/>
    @start -> x
    @x -> a: ${amount > 100}
    @x -> b: ${amount == 50}"#;

async fn no_true_flow_is_an_incident_until_variables_mend_it(world: World) {
    let instance = world.run(CHOICE, json!({"amount": 1})).await;
    assert_eq!((instance.status, instance.incident_count), (ExecutionStatus::Running, 1));
    let incident = world.incident(&instance.id).await;
    assert_eq!((incident.kind.as_str(), incident.element_id.as_str()), ("condition_error", "x"));
    assert_eq!((incident.job, &incident.instance), (None, &instance.id));
    if !world.can().sets_variables {
        return;
    }
    world.engine.set_variables(&instance.id, object(json!({"amount": 50}))).await.unwrap();
    assert_eq!(world.incidents(&instance.id).await.len(), 1);
    world.engine.retry(&instance.id, &incident.id, 1).await.unwrap();
    assert_eq!(world.incidents(&instance.id).await, []);
    assert_eq!(world.active(&instance.id).await, ["b"]);
}

async fn a_failing_condition_names_element_and_expression(world: World) {
    let instance = world.run(CHOICE, none()).await;
    let incident = world.incident(&instance.id).await;
    for part in ["x", "amount > 100", "amount"] {
        assert!(incident.message.contains(part), "{}", incident.message);
    }
}

async fn a_failing_mapping_is_an_incident(world: World) {
    let body = r#"<:startEvent id="start"/><job id="work"><:extensionElements><camunda:inputOutput>
        <camunda:inputParameter name="total">${amount * 2}</camunda:inputParameter>
        </camunda:inputOutput></:extensionElements></job>
        @start -> work"#;
    let instance = world.run(body, none()).await;
    let incident = world.incident(&instance.id).await;
    assert_eq!((incident.kind.as_str(), incident.element_id.as_str()), ("expression_error", "work"));
    assert_eq!(world.jobs().await, []);
    if world.can().sets_variables {
        world.engine.set_variables(&instance.id, object(json!({"amount": 4}))).await.unwrap();
        world.engine.retry(&instance.id, &incident.id, 1).await.unwrap();
        assert_eq!(world.job().await.variables, object(json!({"amount": 4, "total": 8})));
    }
}

async fn a_retry_that_fails_again_raises_a_new_incident(world: World) {
    let instance = world.run(CHOICE, json!({"amount": 1})).await;
    let first = world.incident(&instance.id).await;
    world.engine.retry(&instance.id, &first.id, 1).await.unwrap();
    let second = world.incident(&instance.id).await;
    assert_ne!(first.id, second.id);
    let again = world.engine.retry(&instance.id, &first.id, 1).await;
    assert!(matches!(again, Err(EngineError::UnknownIncident)), "{again:?}");
}

async fn incidents_belong_to_their_instance(world: World) {
    let one = world.run(CHOICE, json!({"amount": 1})).await;
    let other = world.start("p", json!({"amount": 1})).await;
    let incident = world.incident(&one.id).await;
    let crossed = world.engine.retry(&other.id, &incident.id, 1).await;
    assert!(matches!(crossed, Err(EngineError::UnknownIncident)), "{crossed:?}");
    let fine = world.run(ONE_TASK, none()).await;
    assert_eq!(world.incidents(&fine.id).await, []);
}

async fn the_rest_of_an_instance_goes_on_beside_an_incident(world: World) {
    let body = r#"<:startEvent id="start"/><:parallelGateway id="fork"/><:exclusiveGateway id="x"/><:userTask id="a"/><:userTask id="b"/>
        @start -> fork
        @fork -> x
        @fork -> b
        @x -> a: ${false}"#;
    let instance = world.run(body, none()).await;
    let task = world.task().await;
    world.engine.complete(&task.id, object(none())).await.unwrap();
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Running);
    assert_eq!(world.incidents(&instance.id).await.len(), 1);
    world.engine.cancel(&instance.id).await.unwrap();
    assert_eq!(world.incidents(&instance.id).await, []);
    assert_eq!(world.instance(&instance.id).await.incident_count, 0);
}
