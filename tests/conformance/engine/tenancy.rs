//! Two workspaces deploy the same process key, and neither meets the other's instances.

use serde_json::json;
use tidegate::{
    domain::workspace::WorkspaceAccess,
    ports::engine::{Activate, Broadcast, Correlate, EngineError, StartByMessage, TaskQuery},
};

use super::{
    engines,
    model::{ONE_JOB, ONE_TASK, file},
    world::{DEMO, OTHER, World, activate, key, none, object, only, paid, workspace},
};

engines!({
    a_key_means_each_workspaces_own_process,
    jobs_and_tasks_stay_in_their_workspace,
    messages_stay_in_their_workspace,
    signals_stay_in_their_workspace,
    things_name_their_workspace,
});

async fn deploy_in(world: &World, workspace: &str, xml: &str) -> u32 {
    world.deploy_files(workspace, &[("file.bpmn", xml)]).await.unwrap()[0].version
}

async fn a_key_means_each_workspaces_own_process(world: World) {
    assert_eq!(deploy_in(&world, DEMO, &file(ONE_JOB)).await, 1);
    let unknown = world.start_in(OTHER, "p", None, none()).await;
    assert!(matches!(unknown, Err(EngineError::UnknownDefinition { .. })), "{unknown:?}");
    assert_eq!(deploy_in(&world, OTHER, &file(ONE_TASK)).await, 1);
    let demo = world.start_in(DEMO, "p", None, none()).await.unwrap();
    let other = world.start_in(OTHER, "p", None, none()).await.unwrap();
    assert_eq!(world.active(&demo.id).await, ["work"]);
    assert_eq!(world.active(&other.id).await, ["ask"]);
}

async fn jobs_and_tasks_stay_in_their_workspace(world: World) {
    let body = r#"<:startEvent id="start"/><:parallelGateway id="fork"/><job id="work"/><:userTask id="ask"/>
        @start -> fork
        @fork -> work
        @fork -> ask"#;
    for id in [DEMO, OTHER] {
        deploy_in(&world, id, &file(body)).await;
    }
    let other = world.start_in(OTHER, "p", None, none()).await.unwrap();
    assert_eq!((world.jobs().await, world.tasks().await), (vec![], vec![]));
    let nobodys = Activate { within: WorkspaceAccess::none(), ..activate("t") };
    assert_eq!(world.engine.activate(nobodys).await.unwrap(), []);
    let named = TaskQuery { instance: Some(other.id.clone()), ..TaskQuery::within(only(DEMO)) };
    assert_eq!(world.engine.user_tasks(&named, None, 10).await.unwrap(), []);
    let all = world.engine.user_tasks(&TaskQuery::within(WorkspaceAccess::All), None, 10).await.unwrap();
    assert_eq!(all.len(), 1);
    let jobs = world.engine.activate(Activate { within: WorkspaceAccess::All, ..activate("t") }).await.unwrap();
    assert_eq!(jobs.iter().map(|job| &job.instance).collect::<Vec<_>>(), [&other.id]);
}

async fn messages_stay_in_their_workspace(world: World) {
    let body = r#"<:startEvent id="start"><:messageEventDefinition messageRef="m"/></:startEvent><:receiveTask id="wait" messageRef="m"/>
        @start -> wait"#;
    for id in [DEMO, OTHER] {
        deploy_in(&world, id, &file(body)).await;
    }
    let start = |within| StartByMessage { within, message: key("Paid"), business_key: None, variables: object(none()) };
    let other = world.engine.start_by_message(start(only(OTHER))).await.unwrap();
    let outcome = world.engine.correlate(Correlate { instance: Some(other.id.clone()), ..paid() }).await;
    assert!(matches!(outcome, Err(EngineError::MessageNotCorrelated)), "{outcome:?}");
    let ambiguous = world.engine.start_by_message(start(WorkspaceAccess::All)).await;
    assert!(matches!(ambiguous, Err(EngineError::MessageAmbiguous)), "{ambiguous:?}");
    world.engine.start_by_message(start(only(DEMO))).await.unwrap();
    let ambiguous = world.engine.correlate(Correlate { within: WorkspaceAccess::All, ..paid() }).await;
    assert!(matches!(ambiguous, Err(EngineError::MessageAmbiguous)), "{ambiguous:?}");
    world.engine.correlate(paid()).await.unwrap();
    assert_eq!(world.active(&other.id).await, ["wait"]);
    if world.can().buffers_messages {
        let kept = Correlate {
            business_key: Some(key("A-1")),
            time_to_live: Some(jiff::SignedDuration::from_mins(1)),
            name: key("Paid"),
            instance: Some(other.id.clone()),
            ..paid()
        };
        world.engine.correlate(kept).await.unwrap();
        assert_eq!(world.active(&other.id).await, ["wait"]);
    }
}

async fn signals_stay_in_their_workspace(world: World) {
    let body = r#"<:startEvent id="start"/><:intermediateCatchEvent id="stop"><:signalEventDefinition signalRef="s"/></:intermediateCatchEvent><:userTask id="next"/>
        @start -> stop
        @stop -> next"#;
    let mut instances = Vec::new();
    for id in [DEMO, OTHER] {
        deploy_in(&world, id, &file(body)).await;
        instances.push(world.start_in(id, "p", None, none()).await.unwrap().id);
    }
    let signal = Broadcast { within: only(DEMO), name: key("Stop"), variables: object(json!({})) };
    world.engine.broadcast_signal(signal).await.unwrap();
    assert_eq!(world.active(&instances[0]).await, ["next"]);
    assert_eq!(world.active(&instances[1]).await, ["stop"]);
}

async fn things_name_their_workspace(world: World) {
    deploy_in(&world, OTHER, &file(ONE_JOB)).await;
    let instance = world.start_in(OTHER, "p", None, none()).await.unwrap();
    let job = world.engine.activate(Activate { within: only(OTHER), ..activate("t") }).await.unwrap().remove(0);
    for named in [instance.workspace, job.workspace] {
        assert!(named.is_none_or(|named| named == workspace(OTHER)));
    }
}
