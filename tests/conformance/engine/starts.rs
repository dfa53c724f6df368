//! Starts and instances: begun, read, changed, cancelled, listed when ended.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tidegate::{
    domain::{engine::NativeId, execution::ExecutionStatus},
    ports::engine::{EngineError, Owned},
};

use super::{
    engines,
    model::{ONE_JOB, ONE_TASK, file},
    world::{DEMO, World, key, none, object, workspace},
};

engines!({
    an_unknown_key_starts_nothing,
    an_instance_shows_how_it_began,
    an_instance_may_end_at_once,
    variables_come_back_exactly,
    variables_of_a_running_instance_can_be_set,
    a_cancelled_instance_is_over,
    an_ended_instance_takes_no_commands,
    ended_instances_are_listed_oldest_first,
    unknown_instances_are_unknown_in_whatever_form,
    everything_has_an_owner,
});

async fn an_unknown_key_starts_nothing(world: World) {
    let started = world.start_in(DEMO, "nosuch", None, none()).await;
    assert!(matches!(&started, Err(EngineError::UnknownDefinition { key }) if key == "nosuch"), "{started:?}");
}

async fn an_instance_shows_how_it_began(world: World) {
    world.deploy(&file(ONE_JOB)).await;
    let with = world.start_in(DEMO, "p", Some("A-1"), json!({"a": 1})).await.unwrap();
    let without = world.start_in(DEMO, "p", None, none()).await.unwrap();
    assert_eq!((with.business_key.clone(), without.business_key), (Some(key("A-1")), None));
    assert_eq!((with.process_key.as_str(), with.status, with.ended_at), ("p", ExecutionStatus::Running, None));
    assert_eq!(with.incident_count, 0);
    assert_ne!(with.id, without.id);
    assert_eq!(world.instance(&with.id).await, with);
    let found = world.engine.instances(&[without.id.clone(), NativeId::new("nosuch"), with.id.clone()]).await.unwrap();
    assert_eq!(found.len(), 2);
}

async fn an_instance_may_end_at_once(world: World) {
    let instance =
        world.run("<:startEvent id=\"start\"/><:endEvent id=\"end\"/>\n@start -> end", json!({"a": 1})).await;
    assert_eq!(instance.status, ExecutionStatus::Completed);
    assert!(instance.ended_at.is_some());
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1}));
    assert_eq!(world.incidents(&instance.id).await, []);
}

async fn variables_come_back_exactly(world: World) {
    let text = r#"{"integer":9223372036854775807,"negative":-9223372036854775808,"decimal":12345678901234567890.12345678901234,
        "tenth":0.1,"text":"ä\" \\ \n 🙂","nothing":null,"truth":true,"list":[1,[2,{"a":[]}]],"object":{"b":{},"":0},"":"empty name"}"#;
    let variables: Value = serde_json::from_str(text).unwrap();
    let instance = world.run(ONE_JOB, variables.clone()).await;
    assert_eq!(world.variables(&instance.id).await, variables);
    let job = world.job().await;
    assert_eq!(Value::Object(job.variables.clone()), variables);
    world.complete_job(&job, json!({"back": variables.clone()})).await.unwrap();
    let back = world.variables(&instance.id).await;
    assert_eq!(back["back"], variables);
    assert_eq!(back["decimal"].to_string(), "12345678901234567890.12345678901234");
}

async fn variables_of_a_running_instance_can_be_set(world: World) {
    let instance = world.run(ONE_TASK, json!({"a": 1, "b": 2})).await;
    let set = world.engine.set_variables(&instance.id, object(json!({"b": [3], "c": null}))).await;
    if !world.can().sets_variables {
        assert!(matches!(set, Err(EngineError::Unsupported { .. })), "{set:?}");
        return;
    }
    set.unwrap();
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1, "b": [3], "c": null}));
}

async fn a_cancelled_instance_is_over(world: World) {
    let instance = world.run(ONE_TASK, json!({"a": 1})).await;
    world.engine.cancel(&instance.id).await.unwrap();
    let instance = world.instance(&instance.id).await;
    assert_eq!(instance.status, ExecutionStatus::Cancelled);
    assert!(instance.ended_at.is_some());
    assert_eq!(world.active(&instance.id).await, [""; 0]);
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1}));
}

async fn an_ended_instance_takes_no_commands(world: World) {
    let instance = world.run(ONE_TASK, none()).await;
    world.engine.cancel(&instance.id).await.unwrap();
    let cancelled = world.engine.cancel(&instance.id).await;
    assert!(matches!(cancelled, Err(EngineError::InstanceEnded)), "{cancelled:?}");
    if world.can().sets_variables {
        let set = world.engine.set_variables(&instance.id, object(json!({"a": 1}))).await;
        assert!(matches!(set, Err(EngineError::InstanceEnded)), "{set:?}");
    }
}

async fn ended_instances_are_listed_oldest_first(world: World) {
    world.deploy(&file(ONE_TASK)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let instance = world.start("p", none()).await;
        world.pass(SignedDuration::from_millis(20)).await;
        world.engine.cancel(&instance.id).await.unwrap();
        ids.push(instance.id);
    }
    world.start("p", none()).await;
    let second = world.instance(&ids[1]).await;
    let since = second.ended_at.unwrap();
    let all = world.engine.ended_since(second.started_at - SignedDuration::from_hours(1), 100).await.unwrap();
    assert_eq!(all.iter().map(|instance| &instance.id).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    let later = world.engine.ended_since(since, 100).await.unwrap();
    assert_eq!(later.iter().map(|instance| &instance.id).collect::<Vec<_>>(), [&ids[1], &ids[2]]);
    let one = world.engine.ended_since(since, 1).await.unwrap();
    assert_eq!(one, [second]);
}

async fn unknown_instances_are_unknown_in_whatever_form(world: World) {
    let instance = world.run(ONE_TASK, none()).await;
    let task = world.task().await.id;
    let ids =
        ["", "x", "../..", "0", "00000000-0000-0000-0000-000000000000", &format!("{{{}}}", instance.id), task.as_str()];
    for id in ids {
        let id = NativeId::new(id);
        assert_eq!(world.engine.instances(std::slice::from_ref(&id)).await.unwrap(), [], "{id}");
        let outcomes = [
            world.engine.variables(&id).await.map(drop),
            world.engine.cancel(&id).await,
            world.engine.active_elements(&id).await.map(drop),
            world.engine.incidents(&id).await.map(drop),
            world.engine.retry(&id, &NativeId::new("x"), 1).await,
        ];
        for outcome in outcomes {
            assert!(matches!(outcome, Err(EngineError::UnknownInstance)), "{id}: {outcome:?}");
        }
        assert_eq!(world.engine.owner(Owned::Instance(&id)).await.unwrap(), None);
    }
    let retried = world.engine.retry(&instance.id, &NativeId::new("x"), 1).await;
    assert!(matches!(retried, Err(EngineError::UnknownIncident)), "{retried:?}");
}

async fn everything_has_an_owner(world: World) {
    let body = r#"<:startEvent id="start"/><:parallelGateway id="fork"/><job id="work"/><:userTask id="ask"/>
        @start -> fork
        @fork -> work
        @fork -> ask"#;
    let instance = world.run(body, none()).await;
    let (job, task) = (world.job().await, world.task().await);
    for thing in [Owned::Instance(&instance.id), Owned::Job(&job.id), Owned::Task(&task.id)] {
        let owner = world.engine.owner(thing).await.unwrap().unwrap();
        assert!(owner.workspace.is_none_or(|owner| owner == workspace(DEMO)));
        assert_eq!((owner.process_key, owner.instance), (key("p"), instance.id.clone()));
    }
    for thing in [Owned::Job(&task.id), Owned::Task(&job.id), Owned::Task(&instance.id)] {
        assert_eq!(world.engine.owner(thing).await.unwrap(), None);
    }
}
