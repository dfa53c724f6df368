//! Jobs: fetched under a lock, settled by who holds it, given to others when it runs out.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    gate::{Gate, ROOT, until},
    models::{file, flow, linear, process, service},
    world::{World, mint, types},
};

const ACTIVATE: &str = "/api/jobs/activate";

/// A world whose process is one job of the topic `work`, with this many instances.
async fn waiting(count: usize) -> (World, String) {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    for number in 0..count {
        world.start(&workflow, json!({"n": number, "extra": "x"})).await;
    }
    (world, workflow)
}

async fn activate(world: &World, extra: Value) -> Vec<Value> {
    let mut order = json!({"topics": ["work"], "worker": "w1"});
    order.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    world.post(ACTIVATE, order).await.is(200)["jobs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_job_carries_what_its_worker_needs() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let path = format!("/api/workflows/{workflow}/executions");
    let started = world.post(&path, json!({"input": {"a": 1}, "business_key": "A-1"})).await.is(201);
    let jobs = activate(&world, json!({"lockInSec": 60})).await;
    let job = &jobs[0];
    assert!(job["id"].as_str().unwrap().starts_with("embedded~"));
    assert_eq!((&job["topic"], &job["elementId"]), (&json!("work"), &json!("work")));
    assert_eq!((&job["engine"], &job["workspaceId"]), (&json!("embedded"), &json!(world.id)));
    assert_eq!((&job["processDefinitionKey"], &job["businessKey"]), (&json!("p"), &json!("A-1")));
    assert_eq!(job["processInstanceId"], started["process_instance_id"]);
    assert_eq!((&job["variables"], &job["headers"]), (&json!({"a": 1}), &json!({})));
    assert_eq!(job["retries"], 3);
    assert!(job["lockedUntil"].as_str().unwrap() > started.str("started_at"), "{job}");
    assert!(job["lockToken"].as_str().is_some_and(|token| !token.is_empty()));
}

#[tokio::test]
async fn jobs_are_handed_out_once_and_no_more_than_asked() {
    let (world, _) = waiting(5).await;
    let first = activate(&world, json!({"maxJobs": 2})).await;
    let second = activate(&world, json!({"maxJobs": 200})).await;
    assert_eq!((first.len(), second.len()), (2, 3));
    assert_eq!(activate(&world, json!({})).await.len(), 0);
    let mut numbers: Vec<String> = first.iter().chain(&second).map(|job| job["variables"]["n"].to_string()).collect();
    assert_eq!(numbers[0], "0", "the oldest first");
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 5);
}

#[tokio::test]
async fn two_workers_never_share_a_job() {
    let (world, _) = waiting(20).await;
    let taken = futures_util::future::join_all((0..6).map(|n| {
        let world = &world;
        async move { activate(world, json!({"worker": format!("w{n}"), "maxJobs": 5})).await }
    }))
    .await
    .concat();
    let mut ids: Vec<&str> = taken.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 20);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[tokio::test]
async fn only_the_wanted_variables_come() {
    let (world, _) = waiting(2).await;
    let jobs = activate(&world, json!({"variables": ["n", "nosuch"], "maxJobs": 1})).await;
    assert_eq!(jobs[0]["variables"], json!({"n": 0}));
    let jobs = activate(&world, json!({"variables": []})).await;
    assert!(jobs[0]["variables"].as_object().unwrap().len() != 1, "{jobs:?}");
}

#[tokio::test]
async fn orders_beyond_the_limits_are_refused() {
    let (world, _) = waiting(1).await;
    let many: Vec<String> = (0..51).map(|n| format!("t{n}")).collect();
    for (extra, pointer) in [
        (json!({"maxJobs": 0}), "/maxJobs"),
        (json!({"maxJobs": 201}), "/maxJobs"),
        (json!({"lockInSec": 0}), "/lockInSec"),
        (json!({"lockInSec": 86401}), "/lockInSec"),
        (json!({"timeoutInSec": 61}), "/timeoutInSec"),
        (json!({"timeoutInSec": -1}), "/timeoutInSec"),
        (json!({"topics": []}), "/topics"),
        (json!({"topics": many}), "/topics"),
        (json!({"topics": [""]}), "/topics/0"),
        (json!({"worker": ""}), "/worker"),
        (json!({"worker": "w".repeat(256)}), "/worker"),
    ] {
        let mut order = json!({"topics": ["work"], "worker": "w1"});
        order.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let refused = world.post(ACTIVATE, order).await;
        assert_eq!(refused.problem(422, "request.invalid")["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
    for order in [json!({"topics": ["work"]}), json!({"worker": "w"}), json!({"topics": "work", "worker": "w"})] {
        world.post(ACTIVATE, order).await.problem(400, "request.invalid");
    }
    let typo = world.post(ACTIVATE, json!({"topics": ["work"], "worker": "w1", "max_jobs": 1})).await;
    typo.problem(400, "request.invalid");
    assert!(typo.text.contains("max_jobs"), "{}", typo.text);
    assert_eq!(activate(&world, json!({})).await.len(), 1);
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_job_comes() {
    let (world, workflow) = waiting(0).await;
    let begun = Instant::now();
    let (jobs, started) = tokio::join!(activate(&world, json!({"timeoutInSec": 30})), async {
        // The poll is on its way; whichever comes first, it is answered.
        world.get("/api/whoami").await.is(200);
        world.start(&workflow, json!({})).await
    });
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["processInstanceId"], started["process_instance_id"]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_long_poll_ends_with_its_time() {
    let (world, _) = waiting(0).await;
    let begun = Instant::now();
    assert_eq!(activate(&world, json!({"timeoutInSec": 1})).await.len(), 0);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_lapsed_lock_gives_the_job_to_another() {
    let (world, _) = waiting(1).await;
    let held = activate(&world, json!({"lockInSec": 1})).await.remove(0);
    let begun = Instant::now();
    let taken = activate(&world, json!({"worker": "w2", "timeoutInSec": 20})).await.remove(0);
    assert!(begun.elapsed() < Duration::from_secs(4), "the poll sleeps on: {:?}", begun.elapsed());
    assert_eq!((&taken["id"], &taken["retries"]), (&held["id"], &held["retries"]));
    assert_ne!(taken["lockToken"], held["lockToken"]);
    for how in ["complete", "fail", "error", "extend"] {
        let body = match how {
            "fail" => json!({"message": "x", "retries": 1}),
            "error" => json!({"code": "X"}),
            "extend" => json!({"lockInSec": 60}),
            _ => json!({}),
        };
        world.settle(&held, how, body).await.problem(409, "job.not_locked");
    }
    let path = format!("/api/jobs/{}/complete", taken["id"].as_str().unwrap());
    world.post(&path, json!({"worker": "w2"})).await.is(204);
}

#[tokio::test]
async fn a_job_whose_lock_ran_out_cannot_be_completed() {
    let (world, _) = waiting(1).await;
    let held = activate(&world, json!({"lockInSec": 1})).await.remove(0);
    // Asking must not lengthen the lock.
    until("the lock's end", || async {
        let answer = world.settle(&held, "extend", json!({"lockInSec": 1, "lockToken": "wrong"})).await;
        assert_eq!(answer.status, 409, "{}", answer.text);
        (jiff_now() > held["lockedUntil"].as_str().unwrap().parse().unwrap()).then_some(())
    })
    .await;
    world.settle(&held, "complete", json!({})).await.problem(409, "job.not_locked");
    world.settle(&held, "extend", json!({"lockInSec": 60})).await.problem(409, "job.not_locked");
    assert_eq!(activate(&world, json!({})).await.len(), 1);
}

#[expect(clippy::disallowed_methods, reason = "a client has no clock but its own")]
fn jiff_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[tokio::test]
async fn a_job_belongs_to_the_worker_that_locked_it() {
    let (world, workflow) = waiting(1).await;
    let job = world.job("work").await;
    let path = format!("/api/jobs/{}/complete", job["id"].as_str().unwrap());
    world.post(&path, json!({"worker": "w2"})).await.problem(409, "job.not_locked");
    world.post(&path, json!({"worker": "w1", "lockToken": "another"})).await.problem(409, "job.not_locked");
    let token = job["lockToken"].clone();
    world.post(&path, json!({"worker": "w1", "lockToken": token, "variables": {"ok": true}})).await.is(204);
    world.post(&path, json!({"worker": "w1"})).await.problem(409, "job.already_completed");
    world.settle(&job, "fail", json!({"message": "late", "retries": 1})).await.problem(409, "job.already_completed");
    world.post("/api/jobs/nosuch/complete", json!({"worker": "w1"})).await.problem(404, "job.not_found");
    let told = world.events_with(&workflow, "execution.completed").await;
    assert_eq!(types(&told)[1..], ["execution.started", "job.created", "job.completed", "execution.completed"]);
}

#[tokio::test]
async fn a_job_never_locked_cannot_be_settled() {
    let (world, workflow) = waiting(1).await;
    let told = world.events_with(&workflow, "job.created").await;
    let id = told.last().unwrap()["data"]["job_id"].as_str().unwrap();
    let early = world.post(&format!("/api/jobs/{id}/complete"), json!({"worker": "w1"})).await;
    early.problem(409, "job.not_locked");
}

#[tokio::test]
async fn of_two_completions_at_once_one_counts() {
    let (world, workflow) = waiting(1).await;
    let job = world.job("work").await;
    let all = futures_util::future::join_all((0..4).map(|_| world.settle(&job, "complete", json!({})))).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 204).count(), 1, "{all:?}");
    for late in all.iter().filter(|answer| answer.status != 204) {
        late.problem(409, "job.already_completed");
    }
    let told = world.events_with(&workflow, "execution.completed").await;
    assert_eq!(told.len(), 5, "{told:?}");
}

#[tokio::test]
async fn a_failed_job_comes_back_after_its_pause() {
    let (world, workflow) = waiting(1).await;
    let job = world.job("work").await;
    let failure = json!({"message": "no luck", "retries": 2, "retryInSec": 1});
    world.settle(&job, "fail", failure).await.is(204);
    assert_eq!(world.jobs("work").await.len(), 0, "it rests");
    let begun = Instant::now();
    let again = activate(&world, json!({"timeoutInSec": 20})).await.remove(0);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!((&again["id"], &again["retries"]), (&job["id"], &json!(2)));
    world.settle(&again, "fail", json!({"message": "at once", "retries": 1})).await.is(204);
    assert_eq!(world.job("work").await["retries"], 1);
    let told = world.events_with(&workflow, "job.failed").await;
    let failed: Vec<&Value> = told.iter().filter(|event| event["type"] == "job.failed").collect();
    assert_eq!(failed[0]["data"]["message"], "no luck", "{failed:?}");
    assert_eq!(world.incidents(again["processInstanceId"].as_str().unwrap()).await.len(), 0);
}

#[tokio::test]
async fn a_lock_can_be_extended() {
    let (world, _) = waiting(1).await;
    let job = activate(&world, json!({"lockInSec": 2})).await.remove(0);
    world.settle(&job, "extend", json!({"lockInSec": 600})).await.is(204);
    assert_eq!(activate(&world, json!({"worker": "w2", "timeoutInSec": 3})).await.len(), 0);
    world.complete(&job, json!({})).await;
    world.settle(&job, "extend", json!({"lockInSec": 0})).await.problem(422, "request.invalid");
}

/// A job with an error boundary event that leads to another job.
fn guarded() -> String {
    file(
        &(String::from("<bpmn:error id=\"stock\" name=\"No stock\" errorCode=\"NO_STOCK\" />")
            + &process(
                "p",
                &format!(
                    "<bpmn:startEvent id=\"start\" />{}{}<bpmn:boundaryEvent id=\"caught\" attachedToRef=\"work\">\
                     <bpmn:errorEventDefinition id=\"d\" errorRef=\"stock\" /></bpmn:boundaryEvent>{}{}{}\
                     <bpmn:endEvent id=\"end\" />{}{}",
                    flow("start", "work"),
                    service("work"),
                    service("repair"),
                    flow("caught", "repair"),
                    flow("work", "end"),
                    "<bpmn:endEvent id=\"repaired\" />",
                    flow("repair", "repaired"),
                ),
            )),
    )
}

#[tokio::test]
async fn a_bpmn_error_goes_to_who_catches_it() {
    let (world, workflow) = World::running(&guarded()).await;
    let id = world.start(&workflow, json!({"a": 1})).await.id();
    let job = world.job("work").await;
    let error = json!({"code": "NO_STOCK", "message": "empty shelf", "variables": {"left": 0}});
    world.settle(&job, "error", error).await.is(204);
    let repair = world.job("repair").await;
    assert_eq!(repair["variables"], json!({"a": 1, "left": 0}));
    world.complete(&repair, json!({})).await;
    world.ended(&id, "completed").await;
    let told = world.events_with(&workflow, "execution.completed").await;
    let story =
        ["execution.started", "job.created", "job.error_thrown", "job.created", "job.completed", "execution.completed"];
    assert_eq!(types(&told)[1..], story);
}

#[tokio::test]
async fn a_bpmn_error_that_nobody_catches_is_an_incident() {
    let (world, workflow) = World::running(&guarded()).await;
    let instance = world.instance(&workflow, json!({})).await;
    let job = world.job("work").await;
    world.settle(&job, "error", json!({"code": "OTHER"})).await.is(204);
    let incidents = world.incidents(&instance).await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["type"], "unhandled_error");
    assert!(incidents[0]["message"].as_str().unwrap().contains("OTHER"), "{incidents:?}");
}

#[tokio::test]
async fn who_hangs_up_leaves_no_job_locked() {
    let (world, workflow) = waiting(0).await;
    for round in 0..3 {
        let body = json!({"topics": ["work"], "worker": "gone", "timeoutInSec": 30, "lockInSec": 600});
        let poll = world.ask(Method::POST, ACTIVATE).json(&body).open();
        assert!(tokio::time::timeout(Duration::from_millis(200), poll).await.is_err(), "nothing waits yet");
        world.start(&workflow, json!({})).await;
        let jobs = activate(&world, json!({"timeoutInSec": 3})).await;
        assert_eq!(jobs.len(), 1, "round {round}: the job went to a connection that is gone");
    }
}

#[tokio::test]
async fn workers_see_their_workspaces_alone() {
    let ((one, _), (two, _)) = (waiting(1).await, waiting(1).await);
    let both = mint(&one.root, &["jobs:work"], &[&one.id, &two.id]).await;
    let order = |workspace: &str| json!({"topics": ["work"], "worker": "w1", "workspaceId": workspace});
    one.post(ACTIVATE, order(&two.id)).await.problem(403, "auth.workspace_forbidden");
    let jobs = both.post(ACTIVATE, order(&two.id)).await.is(200);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(jobs["jobs"][0]["workspaceId"], json!(two.id));
    one.settle(&jobs["jobs"][0], "complete", json!({})).await.problem(404, "job.not_found");
    let rest = both.post(ACTIVATE, json!({"topics": ["work"], "worker": "w1"})).await.is(200);
    assert_eq!(rest["jobs"][0]["workspaceId"], json!(one.id));
    let reader = one.someone(&["workflows:read", "workflows:execute"]).await;
    reader.post(ACTIVATE, json!({"topics": ["work"], "worker": "w1"})).await.problem(403, "auth.missing_scope");
}

#[tokio::test]
async fn waiting_workers_of_one_token_do_not_hold_up_others() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let idle = World::new().await;
    let topics: Vec<_> = (0..50).map(|number| format!("topic-{number}")).collect();
    let wish = json!({"topics": topics, "worker": "w", "timeoutInSec": 5});
    let waiting = (0..200).map(|_| async { idle.post("/api/jobs/activate", wish.clone()).await.status });
    let waiting = futures_util::future::join_all(waiting);
    let starting = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut longest = Duration::ZERO;
        for _ in 0..40 {
            let begun = Instant::now();
            world.start(&workflow, json!({})).await.is(201);
            longest = longest.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        longest
    };
    let (statuses, longest) = tokio::join!(waiting, starting);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // 2 ms alone; with 300 such polls it was 900 ms. The machine may be busy with other tests.
    assert!(longest < Duration::from_millis(700), "{longest:?}");
}

#[tokio::test]
async fn a_waiting_worker_gets_a_job_at_once_and_each_of_a_group_one() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let wish = json!({"topics": ["work", "other"], "worker": "w", "timeoutInSec": 20, "maxJobs": 1});
    let ask = async || {
        let jobs = world.post("/api/jobs/activate", wish.clone()).await.is(200);
        (jobs["jobs"].as_array().unwrap().len(), Instant::now())
    };
    let starting = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut begun = Vec::new();
        for _ in 0..3 {
            begun.push(Instant::now());
            world.start(&workflow, json!({})).await.is(201);
        }
        begun[2]
    };
    let (first, second, third, last) = tokio::join!(ask(), ask(), ask(), starting);
    for (count, at) in [first, second, third] {
        assert_eq!(count, 1);
        assert!(at.saturating_duration_since(last) < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn one_identity_has_so_many_waiting_requests() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT)]);
    let world = World::on(gate).await;
    let wish = json!({"topics": ["none"], "worker": "w", "timeoutInSec": 3});
    let all = (0..300).map(|_| async { world.post("/api/jobs/activate", wish.clone()).await });
    let all = futures_util::future::join_all(all).await;
    let refused: Vec<_> = all.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused.len(), 300 - 256, "on one replica");
    refused[0].problem(429, "request.too_many_waits");
}
