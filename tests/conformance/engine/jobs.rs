//! Jobs: locked, completed, failed, retried, thrown, extended.

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    domain::{engine::NativeId, execution::ExecutionStatus},
    ports::engine::{EngineError, JobClaim, JobError, JobFailure},
};

use super::{
    engines,
    model::{ONE_JOB, file},
    world::{World, activate, claim, key, none, object},
};

engines!({
    a_job_comes_with_all_that_its_worker_needs,
    a_completed_job_moves_its_instance_on,
    only_the_variables_asked_for_come_along,
    a_locked_job_is_nobody_elses,
    the_longest_waiting_job_comes_first,
    a_second_completion_says_so,
    another_worker_or_lock_is_refused,
    a_job_whose_lock_ran_out_is_offered_again,
    a_failed_job_waits_for_its_back_off,
    a_job_without_tries_left_raises_an_incident,
    a_retried_job_is_offered_with_new_tries,
    an_incident_ends_with_its_job,
    a_lock_can_be_extended,
    a_thrown_error_goes_to_its_boundary_event,
    an_error_that_nothing_catches_is_an_incident,
    the_jobs_of_a_cancelled_instance_are_gone,
    unknown_jobs_are_unknown_in_whatever_form,
});

fn failure(retries: u32, retry_in: SignedDuration) -> JobFailure {
    JobFailure { message: "card declined".to_owned(), details: None, retries, retry_in }
}

async fn a_job_comes_with_all_that_its_worker_needs(world: World) {
    let body = r#"<:startEvent id="start"/><:serviceTask id="work"><:extensionElements>
        <zeebe:taskDefinition type="t" retries="5"/><zeebe:taskHeaders><zeebe:header key="method" value="post"/></zeebe:taskHeaders>
        </:extensionElements></:serviceTask>
        @start -> work"#;
    world.deploy(&file(body)).await;
    let instance = world.start_in("demo", "p", Some("A-1"), json!({"amount": 120})).await.unwrap();
    let job = world.job().await;
    assert_eq!(job.instance, instance.id);
    assert_eq!((job.topic.as_str(), job.element_id.as_str(), job.process_key.as_str()), ("t", "work", "p"));
    assert_eq!(job.business_key, Some(key("A-1")));
    assert_eq!(job.variables, object(json!({"amount": 120})));
    assert_eq!(job.headers.get("method").map(String::as_str), Some("post"));
    assert_eq!(job.retries, 5);
    assert!(job.locked_until > instance.started_at && !job.lock_token.is_empty());
}

async fn a_completed_job_moves_its_instance_on(world: World) {
    let instance = world.run(ONE_JOB, json!({"amount": 120})).await;
    assert_eq!(instance.status, ExecutionStatus::Running);
    assert_eq!(world.active(&instance.id).await, ["work"]);
    let job = world.job().await;
    world.complete_job(&job, json!({"paid": true})).await.unwrap();
    let instance = world.instance(&instance.id).await;
    assert_eq!(instance.status, ExecutionStatus::Completed);
    assert!(instance.ended_at.is_some());
    assert_eq!(world.variables(&instance.id).await, json!({"amount": 120, "paid": true}));
    assert_eq!(world.active(&instance.id).await, [""; 0]);
}

async fn only_the_variables_asked_for_come_along(world: World) {
    world.run(ONE_JOB, json!({"amount": 120, "secret": "x"})).await;
    let mut wish = activate("t");
    wish.variables = Some(vec!["amount".to_owned(), "nosuch".to_owned()]);
    let jobs = world.engine.activate(wish).await.unwrap();
    assert_eq!(jobs[0].variables, object(json!({"amount": 120})));
}

async fn a_locked_job_is_nobody_elses(world: World) {
    world.run(ONE_JOB, none()).await;
    assert_eq!(world.engine.activate(activate("nosuch")).await.unwrap(), []);
    world.job().await;
    assert_eq!(world.jobs().await, []);
}

async fn the_longest_waiting_job_comes_first(world: World) {
    let first = world.run(ONE_JOB, none()).await;
    world.pass(SignedDuration::from_secs(1)).await;
    world.start("p", none()).await;
    let mut wish = activate("t");
    wish.max = 1;
    let jobs = world.engine.activate(wish).await.unwrap();
    assert_eq!(jobs.iter().map(|job| &job.instance).collect::<Vec<_>>(), [&first.id]);
}

async fn a_second_completion_says_so(world: World) {
    world.run(ONE_JOB, none()).await;
    let job = world.job().await;
    world.complete_job(&job, none()).await.unwrap();
    let again = world.complete_job(&job, none()).await;
    assert!(matches!(again, Err(EngineError::JobCompleted)), "{again:?}");
    let failed = world.engine.fail_job(claim(&job), failure(1, SignedDuration::ZERO)).await;
    assert!(matches!(failed, Err(EngineError::JobCompleted)), "{failed:?}");
}

async fn another_worker_or_lock_is_refused(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    let job = world.job().await;
    let other_worker = JobClaim { worker: key("w2"), ..claim(&job) };
    let other_lock = JobClaim { lock_token: Some("x".to_owned()), ..claim(&job) };
    for claim in [other_worker, other_lock] {
        let refused = world.engine.complete_job(claim.clone(), none().as_object().cloned().unwrap()).await;
        assert!(matches!(refused, Err(EngineError::JobNotLocked)), "{refused:?}");
        let refused = world.engine.extend_lock(claim, SignedDuration::from_mins(1)).await;
        assert!(matches!(refused, Err(EngineError::JobNotLocked)), "{refused:?}");
    }
    let without_token = JobClaim { lock_token: None, ..claim(&job) };
    world.engine.complete_job(without_token, object(none())).await.unwrap();
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn a_job_whose_lock_ran_out_is_offered_again(world: World) {
    world.run(ONE_JOB, none()).await;
    let mut wish = activate("t");
    wish.lock = SignedDuration::from_secs(1);
    let late = world.engine.activate(wish).await.unwrap().remove(0);
    world.pass(SignedDuration::from_millis(1_100)).await;
    let too_late = world.complete_job(&late, none()).await;
    if !world.can().refuses_late_completion {
        assert!(too_late.is_ok(), "{too_late:?}");
        return;
    }
    assert!(matches!(too_late, Err(EngineError::JobNotLocked)), "{too_late:?}");
    let taken_over = world.job().await;
    assert_eq!(taken_over.id, late.id);
    let too_late = world.complete_job(&late, none()).await;
    assert!(matches!(too_late, Err(EngineError::JobNotLocked)), "{too_late:?}");
    world.complete_job(&taken_over, none()).await.unwrap();
}

async fn a_failed_job_waits_for_its_back_off(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    let job = world.job().await;
    world.engine.fail_job(claim(&job), failure(2, SignedDuration::from_secs(2))).await.unwrap();
    assert_eq!(world.incidents(&instance.id).await, []);
    assert_eq!(world.jobs().await, []);
    let gone = world.complete_job(&job, none()).await;
    assert!(matches!(gone, Err(EngineError::JobNotLocked)), "{gone:?}");
    world.pass(SignedDuration::from_millis(2_100)).await;
    assert_eq!(world.job().await.retries, 2);
}

async fn a_job_without_tries_left_raises_an_incident(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    let job = world.job().await;
    world.fail_for_good(&job, "card declined").await;
    let incident = world.incident(&instance.id).await;
    assert_eq!((incident.kind.as_str(), incident.element_id.as_str()), ("job_failed", "work"));
    assert!(incident.message.contains("card declined"), "{}", incident.message);
    assert_eq!((incident.job.as_ref(), &incident.instance), (Some(&job.id), &instance.id));
    assert_eq!(world.instance(&instance.id).await.incident_count, 1);
    assert_eq!(world.jobs().await, []);
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Running);
}

async fn a_retried_job_is_offered_with_new_tries(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    world.fail_for_good(&world.job().await, "once").await;
    let incident = world.incident(&instance.id).await;
    world.engine.retry(&instance.id, &incident.id, 2).await.unwrap();
    assert_eq!(world.instance(&instance.id).await.incident_count, 0);
    let again = world.engine.retry(&instance.id, &incident.id, 2).await;
    assert!(matches!(again, Err(EngineError::UnknownIncident)), "{again:?}");
    let job = world.job().await;
    assert_eq!(job.retries, 2);
    world.fail_for_good(&job, "twice").await;
    let incident = world.incident(&instance.id).await;
    assert!(incident.message.contains("twice"), "{}", incident.message);
    world.engine.retry(&instance.id, &incident.id, 1).await.unwrap();
    world.complete_job(&world.job().await, none()).await.unwrap();
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn an_incident_ends_with_its_job(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    world.fail_for_good(&world.job().await, "gone").await;
    let incident = world.incident(&instance.id).await;
    world.engine.cancel(&instance.id).await.unwrap();
    assert_eq!(world.incidents(&instance.id).await, []);
    let retried = world.engine.retry(&instance.id, &incident.id, 1).await;
    assert!(matches!(retried, Err(EngineError::UnknownIncident | EngineError::InstanceEnded)), "{retried:?}");
}

async fn a_lock_can_be_extended(world: World) {
    world.run(ONE_JOB, none()).await;
    let mut wish = activate("t");
    wish.lock = SignedDuration::from_secs(1);
    let job = world.engine.activate(wish).await.unwrap().remove(0);
    world.engine.extend_lock(claim(&job), SignedDuration::from_mins(5)).await.unwrap();
    world.pass(SignedDuration::from_millis(1_100)).await;
    assert_eq!(world.jobs().await, []);
    world.complete_job(&job, none()).await.unwrap();
    let over = world.engine.extend_lock(claim(&job), SignedDuration::from_mins(5)).await;
    assert!(matches!(over, Err(EngineError::JobCompleted)), "{over:?}");
}

const CAUGHT: &str = r#"<:startEvent id="start"/><job id="work"/><:endEvent id="end"/><:userTask id="mend"/>
    <:boundaryEvent id="oops" attachedToRef="work"><:errorEventDefinition errorRef="e1"/></:boundaryEvent>
    @start -> work
    @work -> end
    @oops -> mend"#;

async fn a_thrown_error_goes_to_its_boundary_event(world: World) {
    let instance = world.run(CAUGHT, none()).await;
    let job = world.job().await;
    let error =
        JobError { code: "E1".to_owned(), message: Some("why".to_owned()), variables: object(json!({"stock": 0})) };
    world.engine.throw_error(claim(&job), error).await.unwrap();
    assert_eq!(world.active(&instance.id).await, ["mend"]);
    assert_eq!(world.variables(&instance.id).await, json!({"stock": 0}));
    let again = world.complete_job(&job, none()).await;
    assert!(matches!(again, Err(EngineError::JobCompleted)), "{again:?}");
}

async fn an_error_that_nothing_catches_is_an_incident(world: World) {
    let instance = world.run(CAUGHT, none()).await;
    let job = world.job().await;
    let error = JobError { code: "E2".to_owned(), message: None, variables: object(none()) };
    world.engine.throw_error(claim(&job), error).await.unwrap();
    let incident = world.incident(&instance.id).await;
    assert_eq!((incident.kind.as_str(), incident.element_id.as_str()), ("unhandled_error", "work"));
    assert!(incident.message.contains("E2"), "{}", incident.message);
    world.engine.retry(&instance.id, &incident.id, 1).await.unwrap();
    world.complete_job(&world.job().await, none()).await.unwrap();
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn the_jobs_of_a_cancelled_instance_are_gone(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    let job = world.job().await;
    world.engine.cancel(&instance.id).await.unwrap();
    assert_eq!(world.jobs().await, []);
    let gone = world.complete_job(&job, none()).await;
    assert!(matches!(gone, Err(EngineError::UnknownJob)), "{gone:?}");
}

async fn unknown_jobs_are_unknown_in_whatever_form(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    let job = world.job().await;
    let ids =
        ["", "x", "1-2-3", &format!("{}-999", instance.id), instance.id.as_str(), &format!("{}0", job.id), "-1", "ä-1"];
    for id in ids {
        let claim = JobClaim { id: NativeId::new(id), worker: key("w1"), lock_token: None };
        let outcomes = [
            world.engine.complete_job(claim.clone(), object(none())).await,
            world.engine.fail_job(claim.clone(), failure(1, SignedDuration::ZERO)).await,
            world.engine.extend_lock(claim, SignedDuration::from_mins(1)).await,
        ];
        for outcome in outcomes {
            assert!(matches!(outcome, Err(EngineError::UnknownJob)), "{id:?}: {outcome:?}");
        }
    }
}
