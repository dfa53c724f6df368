//! User tasks: found, assigned, completed.

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    domain::{engine::NativeId, execution::ExecutionStatus},
    ports::{
        engine::{EngineError, TaskQuery},
        engine_store::task_position,
    },
};

use super::{
    engines,
    model::{ONE_TASK, file},
    world::{World, key, none, object, only},
};

engines!({
    a_task_shows_what_the_model_says,
    a_completed_task_moves_its_instance_on,
    a_task_completes_once,
    a_task_can_be_assigned_and_taken_back,
    tasks_are_found_by_every_filter,
    tasks_come_newest_first_and_page_by_page,
    a_task_sees_its_scopes_variables,
    the_tasks_of_a_cancelled_instance_are_gone,
    unknown_tasks_are_unknown_in_whatever_form,
});

async fn a_task_shows_what_the_model_says(world: World) {
    let body = r#"<:startEvent id="start"/>
        <:userTask id="ask" name="Ask ${whom}" camunda:assignee="${whom}" camunda:candidateUsers="eve, bob" camunda:candidateGroups="sales" camunda:dueDate="2026-03-01T00:00:00Z" camunda:priority="70" camunda:formKey="form-1"/>
        @start -> ask"#;
    world.deploy(&file(body)).await;
    let instance = world.start_in("demo", "p", Some("A-1"), json!({"whom": "ada"})).await.unwrap();
    let task = world.task().await;
    assert_eq!(task.instance, instance.id);
    assert_eq!((task.element_id.as_str(), task.process_key.as_str()), ("ask", "p"));
    assert_eq!(task.business_key, Some(key("A-1")));
    assert_eq!(task.assignee.as_deref(), Some("ada"));
    assert_eq!(
        (task.candidate_users, task.candidate_groups),
        (vec!["eve".to_owned(), "bob".to_owned()], vec!["sales".to_owned()])
    );
    assert_eq!(task.due.map(|due| due.to_string()).as_deref(), Some("2026-03-01T00:00:00Z"));
    assert_eq!((task.priority, task.form_key.as_deref()), (Some(70), Some("form-1")));
}

async fn a_completed_task_moves_its_instance_on(world: World) {
    let instance = world.run(ONE_TASK, json!({"a": 1})).await;
    let task = world.task().await;
    assert_eq!(task.name, "Ask");
    world.engine.complete(&task.id, object(json!({"b": {"c": null}}))).await.unwrap();
    assert_eq!(world.tasks().await, []);
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1, "b": {"c": null}}));
}

async fn a_task_completes_once(world: World) {
    world.run(ONE_TASK, none()).await;
    let task = world.task().await;
    world.engine.complete(&task.id, object(none())).await.unwrap();
    let again = world.engine.complete(&task.id, object(none())).await;
    assert!(matches!(again, Err(EngineError::TaskCompleted)), "{again:?}");
    let assigned = world.engine.assign(&task.id, Some(key("ada"))).await;
    assert!(matches!(assigned, Err(EngineError::TaskCompleted)), "{assigned:?}");
}

async fn a_task_can_be_assigned_and_taken_back(world: World) {
    world.run(ONE_TASK, none()).await;
    let task = world.task().await;
    assert_eq!(task.assignee, None);
    for assignee in [Some("ada"), Some("ada"), Some("bob"), None] {
        world.engine.assign(&task.id, assignee.map(key)).await.unwrap();
        assert_eq!(world.task().await.assignee.as_deref(), assignee);
    }
}

async fn tasks_are_found_by_every_filter(world: World) {
    let body = r#"<:startEvent id="start"/><:parallelGateway id="fork"/>
        <:userTask id="one" camunda:assignee="ada"/><:userTask id="two" camunda:candidateGroups="sales,ops"/>
        @start -> fork
        @fork -> one
        @fork -> two"#;
    let instance = world.run(body, none()).await;
    let other = world.start("p", none()).await;
    let all = TaskQuery::within(only("demo"));
    let one = world.tasks().await.into_iter().find(|task| task.element_id == "one").unwrap();
    let queries = [
        (all.clone(), 4),
        (TaskQuery { instance: Some(instance.id.clone()), ..all.clone() }, 2),
        (TaskQuery { instance: Some(other.id), element_id: Some("one".to_owned()), ..all.clone() }, 1),
        (TaskQuery { element_id: Some("two".to_owned()), ..all.clone() }, 2),
        (TaskQuery { assignee: Some("ada".to_owned()), ..all.clone() }, 2),
        (TaskQuery { assignee: Some("eve".to_owned()), ..all.clone() }, 0),
        (TaskQuery { candidate_group: Some("ops".to_owned()), ..all.clone() }, 2),
        (TaskQuery { candidate_group: Some("sales,ops".to_owned()), ..all.clone() }, 0),
        (TaskQuery { id: Some(one.id), ..all.clone() }, 1),
        (TaskQuery { id: Some(NativeId::new("nosuch")), ..all.clone() }, 0),
        (TaskQuery { instance: Some(NativeId::new("nosuch")), ..all }, 0),
        (TaskQuery::within(only("other")), 0),
    ];
    for (query, count) in queries {
        let found = world.engine.user_tasks(&query, None, 100).await.unwrap();
        assert_eq!(found.len(), count, "{query:?}: {found:?}");
    }
}

async fn tasks_come_newest_first_and_page_by_page(world: World) {
    world.deploy(&file(ONE_TASK)).await;
    let mut instances = Vec::new();
    for _ in 0..5 {
        instances.insert(0, world.start("p", none()).await.id);
        world.pass(SignedDuration::from_millis(10)).await;
    }
    let query = TaskQuery::within(only("demo"));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = world.engine.user_tasks(&query, after.as_deref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(task_position(last.created_at, &last.id));
        seen.extend(page.into_iter().map(|task| task.instance));
    }
    assert_eq!(seen, instances);
}

async fn a_task_sees_its_scopes_variables(world: World) {
    let body = r#"<:startEvent id="start"/><:userTask id="ask"><:extensionElements><camunda:inputOutput>
        <camunda:inputParameter name="greeting">Hello ${name}</camunda:inputParameter>
        </camunda:inputOutput></:extensionElements></:userTask>
        @start -> ask"#;
    let instance = world.run(body, json!({"name": "Ada"})).await;
    let task = world.task().await;
    let seen = world.engine.task_variables(&task.id).await.unwrap();
    assert_eq!(seen, object(json!({"name": "Ada", "greeting": "Hello Ada"})));
    assert_eq!(world.variables(&instance.id).await, json!({"name": "Ada"}));
    world.engine.complete(&task.id, object(none())).await.unwrap();
    let done = world.engine.task_variables(&task.id).await;
    assert!(matches!(done, Err(EngineError::TaskCompleted | EngineError::UnknownTask)), "{done:?}");
}

async fn the_tasks_of_a_cancelled_instance_are_gone(world: World) {
    let instance = world.run(ONE_TASK, none()).await;
    let task = world.task().await;
    world.engine.cancel(&instance.id).await.unwrap();
    assert_eq!(world.tasks().await, []);
    let gone = world.engine.complete(&task.id, object(none())).await;
    assert!(matches!(gone, Err(EngineError::UnknownTask)), "{gone:?}");
}

async fn unknown_tasks_are_unknown_in_whatever_form(world: World) {
    let instance = world.run(ONE_TASK, none()).await;
    for id in
        ["", "x", "-", "1-1", instance.id.as_str(), &format!("{}-999", instance.id), &format!("{}-01", instance.id)]
    {
        let id = NativeId::new(id);
        let completed = world.engine.complete(&id, object(none())).await;
        assert!(matches!(completed, Err(EngineError::UnknownTask)), "{id}: {completed:?}");
        let assigned = world.engine.assign(&id, None).await;
        assert!(matches!(assigned, Err(EngineError::UnknownTask)), "{id}: {assigned:?}");
        let seen = world.engine.task_variables(&id).await;
        assert!(matches!(seen, Err(EngineError::UnknownTask)), "{id}: {seen:?}");
    }
}
