//! Two callers at once: one of them is first, and nothing happens twice.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use futures_util::future::join_all;
use serde_json::json;
use tidegate::{
    domain::{engine::NativeId, execution::ExecutionStatus},
    ports::{
        engine::{Activate, Correlated, EngineError},
        repository::RepositoryError,
    },
};

use super::{
    engines,
    model::{ONE_JOB, ONE_TASK, file},
    world::{DEMO, World, activate, none, object, paid},
};

engines!({
    a_task_is_completed_by_one,
    a_job_is_locked_by_one,
    a_message_is_taken_by_one,
    deployments_at_once_count_on,
    parallel_branches_join_once,
});

/// How many callers.
const CALLERS: usize = 8;

/// Runs one call often at the same time, each in a task of its own.
async fn at_once<T, F>(call: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        tasks.spawn(call(number));
    }
    tasks.join_all().await
}

async fn a_task_is_completed_by_one(world: World) {
    let instance = world.run(ONE_TASK, none()).await;
    let task = world.task().await.id;
    let outcomes = at_once(|number| {
        let (engine, task) = (Arc::clone(&world.engine), task.clone());
        async move { engine.complete(&task, object(json!({"by": number}))).await }
    })
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let lost = |outcome: &Result<(), EngineError>| matches!(outcome, Ok(()) | Err(EngineError::TaskCompleted));
    assert!(outcomes.iter().all(lost), "{outcomes:?}");
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn a_job_is_locked_by_one(world: World) {
    world.deploy(&file(ONE_JOB)).await;
    for _ in 0..20 {
        world.start("p", none()).await;
    }
    let locked = at_once(|_| {
        let engine = Arc::clone(&world.engine);
        async move { engine.activate(Activate { max: 5, ..activate("t") }).await.unwrap() }
    })
    .await;
    let mut ids: Vec<NativeId> = locked.into_iter().flatten().map(|job| job.id).collect();
    ids.extend(world.jobs().await.into_iter().map(|job| job.id));
    assert_eq!(ids.len(), 20);
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len(), 20);
}

async fn a_message_is_taken_by_one(world: World) {
    let body = r#"<:startEvent id="start"/><:receiveTask id="wait" messageRef="m"/><:userTask id="next"/>
        @start -> wait
        @wait -> next"#;
    let instance = world.run(body, none()).await;
    let outcomes = at_once(|_| {
        let engine = Arc::clone(&world.engine);
        async move { engine.correlate(paid()).await }
    })
    .await;
    let taken = |outcome: &&Result<Correlated, EngineError>| matches!(outcome, Ok(Correlated::Execution { .. }));
    assert_eq!(outcomes.iter().filter(taken).count(), 1, "{outcomes:?}");
    let told = |outcome: &Result<_, EngineError>| matches!(outcome, Ok(_) | Err(EngineError::MessageNotCorrelated));
    assert!(outcomes.iter().all(told), "{outcomes:?}");
    assert_eq!(world.active(&instance.id).await, ["next"]);
}

async fn deployments_at_once_count_on(world: World) {
    let files: Vec<_> = (0..CALLERS).map(|number| file(&ONE_JOB.replace("work", &format!("work{number}")))).collect();
    let deployed = join_all(files.iter().map(|xml| async {
        // A gate tries three times by itself; with this many at once that need not be enough.
        loop {
            match world.deploy_files(DEMO, &[("file.bpmn", xml)]).await {
                Ok(mut deployed) => return deployed.remove(0).version,
                Err(EngineError::Repository(RepositoryError::Serialization)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }))
    .await;
    let mut versions = deployed;
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<u32>>());
}

async fn parallel_branches_join_once(world: World) {
    let mut body =
        r#"<:startEvent id="start"/><:parallelGateway id="fork"/><:parallelGateway id="join"/><:userTask id="after"/>
        @start -> fork
        @join -> after
        "#
        .to_owned();
    for number in 0..CALLERS {
        writeln!(body, "<:userTask id=\"t{number}\"/>\n@fork -> t{number}\n@t{number} -> join").unwrap();
    }
    let instance = world.run(&body, none()).await;
    let tasks = world.tasks().await;
    assert_eq!(tasks.len(), CALLERS);
    let outcomes = at_once(|number| {
        let (engine, task) = (Arc::clone(&world.engine), tasks[number].id.clone());
        async move {
            loop {
                match engine.complete(&task, object(none())).await {
                    Err(EngineError::Repository(RepositoryError::Serialization)) => {}
                    outcome => return outcome,
                }
            }
        }
    })
    .await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(world.active(&instance.id).await, ["after"]);
}
