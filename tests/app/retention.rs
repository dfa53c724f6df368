//! What is kept for how long, and what its deletion costs others.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tidegate::{
    adapters::{clock::ManualClock, rng::SystemRng},
    app::{error::AppError, events::Position},
    domain::{
        deployment::Deployment,
        engine::EngineName,
        event::{EventType, NewEvent},
        execution::{Execution, ExecutionStatus, Starter},
        identity::IdentityKind,
        ids::{EventId, ExecutionId, WorkflowId},
        json::JsonObject,
        text::Name,
        workspace::Workspace,
    },
    ports::{
        repository::{ReadLimit, Repository},
        rng::RngExt,
    },
    wiring::{Gate, Parts},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::world::{World, admin, eventually, workspace};
use crate::conformance::repository::{Store, on_postgres, on_sqlite};

const HISTORY_DAYS: i64 = 30;
const DAY: i64 = 86_400;

/// Starts, and ends at once.
const STRAIGHT: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">
<process id="straight" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/><endEvent id="e"/></process>
<process id="waits" isExecutable="true"><startEvent id="s2"/><sequenceFlow id="f2" sourceRef="s2" targetRef="t"/>
<userTask id="t"/><sequenceFlow id="f3" sourceRef="t" targetRef="e2"/><endEvent id="e2"/></process></definitions>"#;

async fn start(world: &World, deployment: &Deployment, process: usize) -> Execution {
    let workflow = deployment.processes[process].workflow;
    world.app().executions.start(&admin(), workflow, JsonObject::new(), None, None).await.unwrap().value
}

async fn numbered(world: &World, workflow: WorkflowId, count: u64) {
    eventually("events are numbered", async || {
        world.repository.view().await.unwrap().events().head(workflow).await.unwrap() >= count
    })
    .await;
}

/// A workflow of the process that waits with one execution that runs, and between its events those of one that ended.
async fn one_running_one_ended() -> (World, WorkflowId, Execution, Execution) {
    let world = World::new().await;
    world.gate.start();
    let deployment = world.deploy(&admin(), "demo", STRAIGHT).await;
    let workflow = deployment.processes[1].workflow;
    let running = start(&world, &deployment, 1).await;
    let cancelled = start(&world, &deployment, 1).await;
    world.app().executions.cancel(&admin(), cancelled.id, None).await.unwrap();
    // deployment.created, then execution.started and user_task.created twice, then user_task.cancelled and execution.cancelled.
    numbered(&world, workflow, 7).await;
    (world, workflow, running, cancelled)
}

fn expired_at(result: &Result<impl Sized, AppError>) -> Option<u64> {
    match result {
        Err(AppError::PositionExpired { oldest }) => Some(*oldest),
        _ => None,
    }
}

#[tokio::test]
async fn events_of_running_executions_are_kept() {
    let (world, workflow, running, cancelled) = one_running_one_ended().await;
    world.pass((HISTORY_DAYS + 1) * DAY);
    world.gate.sweep().await.unwrap();
    let events = &world.app().events;
    let kept = events.history(&admin(), workflow, None, None, 100).await.unwrap().events;
    assert_eq!(kept.iter().map(|event| event.sequence).collect::<Vec<_>>(), [2, 3]);
    let of_running = events.history(&admin(), workflow, Some(running.id), Some(0), 100).await.unwrap().events;
    assert_eq!(of_running, kept);
    assert!(matches!(world.app().executions.get(&admin(), cancelled.id).await, Err(AppError::NotFound(_))));
    let gone = events.history(&admin(), workflow, Some(cancelled.id), Some(0), 100).await;
    assert_eq!(expired_at(&gone), Some(8));
}

#[tokio::test]
async fn a_position_that_lost_events_is_refused() {
    let (world, workflow, running, _) = one_running_one_ended().await;
    let events = &world.app().events;
    let mut behind = events.follow(&admin(), workflow, None, Position::After(3)).await.unwrap();
    world.pass((HISTORY_DAYS + 1) * DAY);
    world.gate.sweep().await.unwrap();
    for after in [0, 1, 6] {
        assert_eq!(expired_at(&events.history(&admin(), workflow, None, Some(after), 9).await), Some(8), "{after}");
        let follow = events.follow(&admin(), workflow, None, Position::After(after)).await;
        assert_eq!(expired_at(&follow), Some(8), "{after}");
    }
    assert_eq!(events.history(&admin(), workflow, None, Some(7), 9).await.unwrap().events, []);
    assert!(events.follow(&admin(), workflow, None, Position::After(7)).await.is_ok());
    assert!(events.follow(&admin(), workflow, Some(running.id), Position::After(0)).await.is_ok());
    assert_eq!(expired_at(&behind.next().await), Some(8), "a stream that fell behind is told");
}

/// Events of executions that are gone.
const ORPHANS: u64 = 100_000;
/// Executions that are still there, with two events each.
const EXECUTIONS: u64 = 1_000;
/// Allows for a busy machine: one transaction of a sweep takes some 20 ms there.
const MAX_WRITE: Duration = Duration::from_secs(1);

fn new_id() -> Uuid {
    SystemRng.uuid_v7(Timestamp::UNIX_EPOCH)
}

fn event_of(execution: ExecutionId, workflow: WorkflowId, time: Timestamp) -> NewEvent {
    let data = json!({"job_id": "embedded~1"}).as_object().unwrap().clone();
    let (id, subject) = (EventId::new(new_id()), execution.to_string());
    NewEvent { id, workflow, kind: EventType::JobCreated, subject, time, data }
}

fn ended_execution(workflow: WorkflowId, at: Timestamp) -> Execution {
    Execution {
        id: ExecutionId::new(new_id()),
        workflow,
        workspace: workspace("demo"),
        status: ExecutionStatus::Completed,
        business_key: None,
        engine: EngineName::embedded(),
        instance: None,
        input: JsonObject::new(),
        result: None,
        error: None,
        started_by: Starter { subject: "ci".into(), kind: IdentityKind::Service },
        events_after: 0,
        started_at: at,
        ended_at: Some(at),
    }
}

/// Fills a store with what is old.
async fn fill(repository: &dyn Repository, old: Timestamp) -> WorkflowId {
    let workflow = WorkflowId::new(new_id());
    for _ in 0..ORPHANS / 5_000 {
        let subjects = (0..5_000).map(|_| ExecutionId::new(new_id()));
        let events: Vec<_> = subjects.map(|subject| event_of(subject, workflow, old)).collect();
        let mut unit = repository.begin().await.unwrap();
        unit.events().append(&events).await.unwrap();
        unit.commit().await.unwrap();
    }
    let mut unit = repository.begin().await.unwrap();
    for _ in 0..EXECUTIONS {
        let execution = ended_execution(workflow, old);
        let event = || event_of(execution.id, workflow, old);
        unit.events().append(&[event(), event()]).await.unwrap();
        unit.executions().insert(&execution).await.unwrap();
    }
    unit.commit().await.unwrap();
    loop {
        let mut unit = repository.begin().await.unwrap();
        let numbered = unit.events().number(10_000).await.unwrap().len();
        unit.commit().await.unwrap();
        if numbered == 0 {
            return workflow;
        }
    }
}

/// Writes again and again; gives the longest that one write took.
async fn write_until(repository: &dyn Repository, stop: &CancellationToken) -> Duration {
    let mut longest = Duration::ZERO;
    for number in 0_u32.. {
        if stop.is_cancelled() {
            break;
        }
        let began = Instant::now();
        let id = workspace(&format!("w{number}"));
        let mut unit = repository.begin().await.unwrap();
        let name = Name::parse("w").unwrap();
        unit.workspaces().insert(&Workspace { id, name, created_at: Timestamp::UNIX_EPOCH }).await.unwrap();
        unit.commit().await.unwrap();
        longest = longest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    longest
}

async fn sweep_beside_a_writer(store: Store) {
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let workflow = fill(&*store.repository, now - SignedDuration::from_hours(24 * (HISTORY_DAYS + 1))).await;
    let repository = Arc::clone(&store.repository);
    let parts = Parts { repository, clock: Arc::new(ManualClock::at(now)), ..Parts::in_memory().unwrap() };
    let gate = Gate::new(parts);
    let stop = CancellationToken::new();
    let sweeping = async {
        let began = Instant::now();
        gate.sweep().await.unwrap();
        stop.cancel();
        began.elapsed()
    };
    let (took, longest) = tokio::join!(sweeping, write_until(&*store.repository, &stop));
    println!("swept in {took:?}; the longest write of another took {longest:?}");
    assert!(longest < MAX_WRITE, "a write of another took {longest:?}");
    let mut view = store.repository.view().await.unwrap();
    let limit = ReadLimit { events: 10, bytes: usize::MAX };
    assert_eq!(view.events().read(workflow, 0, limit, None).await.unwrap().events, []);
    assert_eq!(view.events().deleted_to(workflow).await.unwrap(), ORPHANS + 2 * EXECUTIONS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_sweep_on_sqlite_holds_up_no_writer() {
    sweep_beside_a_writer(on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_sweep_on_postgres_holds_up_no_writer() {
    sweep_beside_a_writer(on_postgres().await).await;
}
