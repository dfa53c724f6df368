//! Executions: started, waited for, cancelled, found again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    gate::until,
    models::{file, flow, linear, order, process, service, timer, user},
    world::{World, types},
};

fn starts(workflow: &str) -> String {
    format!("/api/workflows/{workflow}/executions")
}

#[tokio::test]
async fn a_start_tells_what_it_started() {
    let (world, workflow) = World::running(&order("order")).await;
    let body = json!({"input": {"amount": 120, "note": "ä"}, "business_key": "A-1"});
    let started = world.post(&starts(&workflow), body).await.is(201);
    assert_eq!((started.str("workflow_id"), started.str("workspace_id")), (workflow.as_str(), world.id.as_str()));
    assert_eq!((started.str("status"), started.str("business_key")), ("running", "A-1"));
    assert_eq!(started["input"], json!({"amount": 120, "note": "ä"}));
    assert_eq!(started.str("engine"), "embedded");
    assert!(started.str("process_instance_id").starts_with("embedded~"));
    assert_eq!(started["started_by"]["kind"], "service");
    assert!(started["events_after"].is_u64());
    assert!(started["result"].is_null() && started["error"].is_null() && started["ended_at"].is_null());
    assert_eq!(started.header("location"), format!("/api/executions/{}", started.id()));
    let read = world.execution(&started.id()).await;
    for name in ["id", "status", "input", "process_instance_id", "started_by", "started_at"] {
        assert_eq!(read[name], started[name], "{name}");
    }
}

#[tokio::test]
async fn the_events_of_an_execution_begin_after_its_mark() {
    let (world, workflow) = World::running(&order("order")).await;
    for _ in 0..3 {
        let started = world.start(&workflow, json!({"amount": 1})).await;
        let (mark, id) = (started["events_after"].as_u64().unwrap(), started.id());
        let first = until("the first event", || async {
            let path = format!("/api/workflows/{workflow}/events?after={mark}&execution_id={id}");
            let page = world.get(&path).await.is(200);
            page.items().first().cloned()
        })
        .await;
        assert_eq!(first["type"], "execution.started", "{first}");
        assert!(first["sequence"].as_u64().unwrap() > mark);
    }
}

#[tokio::test]
async fn a_result_is_the_variables_at_the_end() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let id = world.start(&workflow, json!({"a": 1})).await.id();
    let job = world.job("work").await;
    world.complete(&job, json!({"b": {"c": [true, null]}})).await;
    let ended = world.ended(&id, "completed").await;
    assert_eq!(ended["result"], json!({"a": 1, "b": {"c": [true, null]}}));
    assert_eq!(ended["input"], json!({"a": 1}));
    assert!(ended["ended_at"].as_str().unwrap() >= ended["started_at"].as_str().unwrap());
}

#[tokio::test]
async fn what_never_waits_has_ended_with_the_answer() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let started = world.start(&workflow, json!({"a": 1})).await;
    assert_eq!((started.str("status"), &started["result"]), ("completed", &json!({"a": 1})));
}

#[tokio::test]
async fn a_start_waits_if_asked() {
    let (world, workflow) = World::running(&linear("p", &[&timer("nap", "PT0.2S")])).await;
    let begun = Instant::now();
    let ended = world.post(&starts(&workflow), json!({"input": {"a": 1}})).header("Prefer", "wait=20").await.is(201);
    assert_eq!((ended.str("status"), &ended["result"]), ("completed", &json!({"a": 1})));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_the_execution_goes_on() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let begun = Instant::now();
    let waited = world.post(&starts(&workflow), json!({})).header("Prefer", "wait=1").await.is(201);
    assert_eq!(waited.str("status"), "running");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_wait_sees_a_worker_finish() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let (answer, ()) =
        tokio::join!(async { world.post(&starts(&workflow), json!({})).header("Prefer", "wait=20").await }, async {
            let asked = json!({"topics": ["work"], "worker": "w1", "timeoutInSec": 20});
            let jobs = world.post("/api/jobs/activate", asked).await.is(200);
            world.complete(&jobs["jobs"][0], json!({"done": true})).await;
        });
    assert_eq!((answer.str("status"), &answer["result"]), ("completed", &json!({"done": true})));
}

#[tokio::test]
async fn an_input_is_optional_but_a_body_is_not() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let path = starts(&workflow);
    world.post(&path, json!({})).await.is(201);
    world.ask(reqwest::Method::POST, &path).await.problem(400, "request.invalid");
    world.post(&path, Value::Null).await.problem(400, "request.invalid");
    world.post(&path, json!({"input": 5})).await.problem(400, "request.invalid");
    world.post(&path, json!({"input": null, "business_key": null})).await.is(201);
    let misspelt = world.post(&path, json!({"inputs": {}})).await;
    misspelt.problem(400, "request.invalid");
    assert!(misspelt.text.contains("inputs"), "{}", misspelt.text);
    for key in [String::new(), "k".repeat(256)] {
        world.post(&path, json!({"business_key": key})).await.problem(422, "request.invalid");
    }
    world.post(&path, json!({"business_key": "k".repeat(255)})).await.is(201);
}

#[tokio::test]
async fn a_cancelled_execution_leaves_no_work() {
    let (world, workflow) = World::running(&linear("p", &[&service("work"), &user("ask", "")])).await;
    let id = world.start(&workflow, json!({"a": 1})).await.id();
    let job = world.job("work").await;
    let path = format!("/api/executions/{id}/cancel");
    let cancelled = world.post(&path, json!({"reason": "changed my mind"})).await.is(200);
    assert_eq!(cancelled.str("status"), "cancelled");
    assert!(cancelled["ended_at"].is_string());
    assert_eq!(world.jobs("work").await.len(), 0);
    let late = world.settle(&job, "complete", json!({})).await;
    assert!(late.status == 404 || late.status == 409, "{}", late.text);
    late.complete_problem();
    let told = world.events_with(&workflow, "execution.cancelled").await;
    assert_eq!(types(&told)[1..], ["execution.started", "job.created", "job.cancelled", "execution.cancelled"]);
    assert_eq!(told[4]["data"]["reason"], "changed my mind");
    world.post(&path, json!({})).await.problem(409, "execution.ended");
    let unknown = "/api/executions/00000000-0000-7000-8000-000000000000";
    world.get(unknown).await.problem(404, "execution.not_found");
    world.post(&format!("{unknown}/cancel"), json!({})).await.problem(404, "execution.not_found");
}

#[tokio::test]
async fn executions_are_found_by_status_key_and_time() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let path = starts(&workflow);
    let first = world.post(&path, json!({"business_key": "one"})).await.is(201);
    let second = world.post(&path, json!({"business_key": "two"})).await.is(201);
    world.post(&format!("/api/executions/{}/cancel", first.id()), json!({})).await.is(200);
    let ids = async |query: &str| -> Vec<String> {
        let items = world.all(&format!("{path}{query}")).await;
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("").await, [second.id(), first.id()]);
    assert_eq!(ids("?status=running").await, [second.id()]);
    assert_eq!(ids("?status=cancelled").await, [first.id()]);
    assert!(ids("?status=failed").await.is_empty());
    assert_eq!(ids("?business_key=one").await, [first.id()]);
    assert!(ids("?business_key=two&status=cancelled").await.is_empty());
    assert_eq!(ids("?started_after=2000-01-01T00:00:00Z").await.len(), 2);
    assert_eq!(ids("?started_after=2100-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(ids(&format!("?started_after={}", first.str("started_at"))).await, [second.id()]);
    let unknown = world.get(&format!("{path}?status=sleeping")).await;
    assert!([400, 422].contains(&unknown.status), "{}", unknown.text);
    assert_eq!(unknown.complete_problem()["code"], "request.invalid");
    for query in ["?started_after=yesterday", "?nosuch=1", "?limit=0x10"] {
        world.get(&format!("{path}{query}")).await.problem(400, "request.invalid");
    }
}

#[tokio::test]
async fn a_failed_execution_carries_its_code() {
    let model = file(
        &(String::from("<bpmn:error id=\"broke\" errorCode=\"NO_MONEY\" name=\"Broke\" />")
            + &process(
                "p",
                &format!(
                    "<bpmn:startEvent id=\"start\" />{}<bpmn:endEvent id=\"end\">\
                     <bpmn:errorEventDefinition id=\"d\" errorRef=\"broke\" /></bpmn:endEvent>",
                    flow("start", "end")
                ),
            )),
    );
    let (world, workflow) = World::running(&model).await;
    let failed = world.start(&workflow, json!({})).await;
    assert_eq!((failed.str("status"), &failed["error"]["code"]), ("failed", &json!("NO_MONEY")));
    assert!(failed["error"]["message"].is_string());
    let told = world.events_with(&workflow, "execution.failed").await;
    assert_eq!(types(&told)[1..], ["execution.started", "execution.failed"]);
}

#[tokio::test]
async fn a_timer_starts_in_the_systems_name() {
    let model = file(&process(
        "p",
        &format!(
            "<bpmn:startEvent id=\"tick\"><bpmn:timerEventDefinition id=\"t\">\
             <bpmn:timeCycle xsi:type=\"bpmn:tFormalExpression\">R2/PT0.1S</bpmn:timeCycle>\
             </bpmn:timerEventDefinition></bpmn:startEvent>{}{}{}<bpmn:endEvent id=\"end\" />",
            service("work"),
            flow("tick", "work"),
            flow("work", "end")
        ),
    ));
    let (world, workflow) = World::running(&model).await;
    let found = until("two starts", || async {
        let found = world.all(&starts(&workflow)).await;
        (found.len() == 2).then_some(found)
    })
    .await;
    for execution in &found {
        assert_eq!(execution["started_by"], json!({"kind": "system", "subject": "timer:tick"}), "{execution}");
    }
    let told = world.events_with(&workflow, "job.created").await;
    let kinds = types(&told);
    assert!(kinds.contains(&"timer.fired") || kinds.contains(&"execution.started"), "{kinds:?}");
}

#[tokio::test]
async fn a_list_leaves_large_variables_out_and_names_them() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let (small, large) = ("x".repeat(1_000), "x".repeat(20_000));
    world.start(&workflow, json!({"text": small})).await.is(201);
    let id = world.start(&workflow, json!({"text": large})).await.is(201).id();
    let page = world.get(&format!("/api/workflows/{workflow}/executions")).await.is(200);
    let [newest, oldest] = page.items() else { panic!("{}", page.text) };
    assert_eq!((newest.get("input"), &newest["omitted"]), (None, &json!(["input"])), "{newest}");
    assert_eq!((&oldest["input"]["text"], oldest.get("omitted")), (&json!(small), None), "{oldest}");
    assert_eq!(world.execution(&id).await["input"]["text"], json!(large));
}
