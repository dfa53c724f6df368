//! Processes: started by key or message, read with their variables, helped out of incidents.

use serde_json::{Value, json};

use super::{
    models::{choice, file, keyed_message, linear, message, order, service, started_by, user, zeebe_service},
    world::{World, mint, types},
};

#[tokio::test]
async fn a_process_starts_by_its_key() {
    let (world, workflow) = World::running(&order("order")).await;
    let started = world.post("/api/process/order/async?businessKey=A-1", json!({"amount": 120})).await.is(200);
    let instance = started.str("processInstanceId");
    assert!(instance.starts_with("embedded~"));
    assert_eq!((started.str("businessKey"), started.str("status")), ("A-1", "Active"));
    assert_eq!((started.str("engineType"), started.str("engine")), ("Embedded", "embedded"));
    assert_eq!(started["warnings"], json!([]));
    let execution = world.execution(started.str("executionId")).await;
    assert_eq!((execution.str("workflow_id"), execution.str("process_instance_id")), (workflow.as_str(), instance));
    assert_eq!((execution.str("business_key"), &execution["input"]), ("A-1", &json!({"amount": 120})));
    let shown = world.get(&format!("/api/process/{instance}")).await.is(200);
    assert_eq!((shown.str("processDefinitionKey"), shown.str("status")), ("order", "Active"));
    assert_eq!((shown.str("processInstanceId"), &shown["incidentCount"]), (instance, &json!(0)));
    assert_eq!(shown["executionId"], started["executionId"]);
    assert!(shown.str("startedAt").ends_with('Z') && shown["endedAt"].is_null());
}

#[tokio::test]
async fn an_instance_goes_by_its_native_id_too() {
    let (world, workflow) = World::running(&linear("p", &[&user("ask", "")])).await;
    let handle = world.instance(&workflow, json!({"a": 1})).await;
    let native = handle.strip_prefix("embedded~").unwrap();
    assert_eq!(world.get(&format!("/api/process/{native}")).await.is(200)["processInstanceId"], json!(handle));
    assert_eq!(world.variables(native).await, json!({"a": 1}));
    let other = World::new().await;
    for id in [native, &handle] {
        other.get(&format!("/api/process/{id}")).await.problem(404, "process.not_found");
    }
    let task = world.tasks("").await.remove(0)["id"].as_str().unwrap().to_owned();
    let bare = task.strip_prefix("embedded~").unwrap();
    world.post(&format!("/api/userTask/{bare}/complete"), json!({})).await.is(204);
    for id in ["nosuch~1", "embedded~", "embedded~nosuch", "~", "nosuch"] {
        world.get(&format!("/api/process/{id}")).await.problem(404, "process.not_found");
    }
}

#[tokio::test]
async fn a_key_of_several_workspaces_needs_one_named() {
    let (one, two) = (World::new().await, World::new().await);
    for world in [&one, &two] {
        world.deploy(&linear("shared", &[&service("work")])).await;
    }
    let both = mint(&one.root, &["workflows:execute", "workflows:read"], &[&one.id, &two.id]).await;
    both.post("/api/process/shared/async", json!({})).await.problem(409, "process.ambiguous");
    for query in ["workspaceId", "tenantId"] {
        let started = both.post(&format!("/api/process/shared/async?{query}={}", two.id), json!({})).await.is(200);
        let execution = both.get(&format!("/api/executions/{}", started.str("executionId"))).await.is(200);
        assert_eq!(execution["workspace_id"], json!(two.id));
    }
    let same = format!("/api/process/shared/async?workspaceId={0}&tenantId={0}", one.id);
    both.post(&same, json!({})).await.is(200);
    let different = format!("/api/process/shared/async?workspaceId={}&tenantId={}", one.id, two.id);
    both.post(&different, json!({})).await.problem(400, "request.invalid");
    one.post("/api/process/shared/async", json!({})).await.is(200);
    let foreign = format!("/api/process/shared/async?workspaceId={}", two.id);
    one.post(&foreign, json!({})).await.problem(403, "auth.workspace_forbidden");
    one.post("/api/process/nosuch/async", json!({})).await.problem(404, "process.not_found");
}

#[tokio::test]
async fn the_bare_body_is_the_variables() {
    let (world, _) = World::running(&linear("p", &[&user("ask", "")])).await;
    let path = "/api/process/p/async";
    world.ask(reqwest::Method::POST, path).await.problem(400, "request.invalid");
    for body in [Value::Null, json!([]), json!("x"), json!(5)] {
        world.post(path, body).await.problem(400, "request.invalid");
    }
    let variables = json!({"input": {"x": 1}, "businessKey": "not a parameter", "": 1, "ключ": [1.5, null, true]});
    let started = world.post(path, variables.clone()).await.is(200);
    assert_eq!(started["businessKey"], Value::Null);
    assert_eq!(world.variables(started.str("processInstanceId")).await, variables);
    world.post(&format!("{path}?nosuch=1"), json!({})).await.problem(400, "request.invalid");
    world.post(&format!("{path}?businessKey={}", "k".repeat(256)), json!({})).await.problem(422, "request.invalid");
}

#[tokio::test]
async fn numbers_are_kept_exactly() {
    let (world, _) = World::running(&linear("p", &[&service("work")])).await;
    let body = r#"{"big":9223372036854775807,"least":-9223372036854775808,"decimal":0.1234567890123456789012345678901234,"one":1.0}"#;
    let started = world.ask(reqwest::Method::POST, "/api/process/p/async").raw(body).await.is(200);
    let path = format!("/api/process/{}/variables", started.str("processInstanceId"));
    let read = world.get(&path).await.is(200).text;
    for number in ["9223372036854775807", "-9223372036854775808", "0.1234567890123456789012345678901234"] {
        assert!(read.contains(number), "{number} in {read}");
    }
    let job = world.job("work").await;
    assert_eq!(job["variables"]["big"].to_string(), "9223372036854775807");
}

#[tokio::test]
async fn variables_are_filtered_by_name() {
    let (world, workflow) = World::running(&linear("p", &[&user("ask", "")])).await;
    let instance = world.instance(&workflow, json!({"a": 1, "b": {"c": 2}, "d": null})).await;
    let filtered = format!("/api/process/{instance}/variables?variableFilter=b,d,nosuch");
    assert_eq!(world.get(&filtered).await.is(200).body, json!({"b": {"c": 2}, "d": null}));
    assert_eq!(world.variables(&instance).await, json!({"a": 1, "b": {"c": 2}, "d": null}));
}

#[tokio::test]
async fn a_message_starts_a_process() {
    let world = World::new().await;
    world.deploy(&file(&(message("m", "Order placed") + &started_by("p", "m")))).await;
    let path = "/api/process/Order%20placed/message?businessKey=A-2";
    let started = world.post(path, json!({"amount": 1})).await.is(200);
    assert_eq!((started.str("businessKey"), started.str("status")), ("A-2", "Active"));
    let execution = world.execution(started.str("executionId")).await;
    assert_eq!((execution.str("business_key"), &execution["input"]), ("A-2", &json!({"amount": 1})));
    assert_eq!(world.variables(started.str("processInstanceId")).await, json!({"amount": 1}));
    world.post("/api/process/Nosuch/message", json!({})).await.problem(404, "process.not_found");
    // A process that only a message starts.
    let by_key = world.post("/api/process/p/async", json!({})).await;
    assert!(by_key.status < 500, "{}", by_key.text);
}

#[tokio::test]
async fn only_the_latest_version_is_started_by_its_message() {
    let world = World::new().await;
    world.deploy(&file(&(message("m", "Old") + &started_by("p", "m")))).await;
    world.deploy(&file(&(message("m", "New") + &started_by("p", "m")))).await;
    world.post("/api/process/Old/message", json!({})).await.problem(404, "process.not_found");
    world.post("/api/process/New/message", json!({})).await.is(200);
}

#[tokio::test]
async fn a_failing_condition_is_an_incident() {
    let world = World::new().await;
    let cases = [
        ("${missing &gt; 100}", "missing"),
        ("${amount.nosuch.deeper}", "amount"),
        ("=amount &gt; &quot;x&quot;", "amount"),
    ];
    for (number, (condition, named)) in cases.into_iter().enumerate() {
        let workflow = world.deploy(&choice(&format!("p{number}"), condition, true)).await;
        let started = world.start(&workflow, json!({"amount": 1})).await;
        assert_eq!(started.str("status"), "running", "{}", started.text);
        let instance = started.str("process_instance_id");
        let incidents = world.incidents(instance).await;
        assert_eq!(incidents.len(), 1, "{condition}");
        let incident = &incidents[0];
        let text = incident["message"].as_str().unwrap();
        assert!(text.contains(named), "{incident}");
        assert!(incident["elementId"] == "which" || incident["elementId"] == "yes", "{incident}");
        assert!(incident["type"].is_string() && incident["createdAt"].is_string() && incident["jobId"].is_null());
        let shown = world.get(&format!("/api/process/{instance}")).await.is(200);
        assert_eq!((shown.str("status"), &shown["incidentCount"]), ("Active", &json!(1)));
        let told = world.events_with(&workflow, "incident.raised").await;
        assert_eq!(types(&told)[1..], ["execution.started", "incident.raised"]);
        let again = format!("/api/process/{instance}/incidents/{}/retry", incident["id"].as_str().unwrap());
        world.post(&again, json!({})).await.is(204);
        assert_eq!(world.incidents(instance).await.len(), 1, "it fails again");
    }
}

#[tokio::test]
async fn no_true_flow_and_no_default_is_an_incident() {
    let (world, workflow) = World::running(&choice("p", "${amount &gt; 100}", false)).await;
    let instance = world.instance(&workflow, json!({"amount": 1})).await;
    assert_eq!(world.incidents(&instance).await[0]["elementId"], "which");
    let fine = world.start(&workflow, json!({"amount": 101})).await;
    assert_eq!(fine.str("status"), "completed");
}

#[tokio::test]
async fn a_job_without_retries_is_an_incident_until_retried() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let started = world.start(&workflow, json!({})).await;
    let instance = started.str("process_instance_id");
    let job = world.job("work").await;
    world.settle(&job, "fail", json!({"message": "boom", "details": "stack", "retries": 0})).await.is(204);
    assert_eq!(world.jobs("work").await.len(), 0);
    let incidents = world.incidents(instance).await;
    assert_eq!(incidents.len(), 1);
    assert_eq!((&incidents[0]["jobId"], &incidents[0]["elementId"]), (&job["id"], &json!("work")));
    assert!(incidents[0]["message"].as_str().unwrap().contains("boom"), "{incidents:?}");
    let base = format!("/api/process/{instance}/incidents");
    let retry = format!("{base}/{}/retry", incidents[0]["id"].as_str().unwrap());
    let other = World::new().await;
    let hidden = other.post(&retry, json!({})).await;
    assert_eq!(hidden.status, 404);
    world.post(&format!("{base}/nosuch/retry"), json!({})).await.problem(404, "incident.not_found");
    world.post(&retry, json!({"retries": 2})).await.is(204);
    assert_eq!(world.incidents(instance).await.len(), 0);
    let again = world.job("work").await;
    assert_eq!((&again["id"], &again["retries"]), (&job["id"], &json!(2)));
    world.complete(&again, json!({})).await;
    world.ended(&started.id(), "completed").await;
    let told = world.events_with(&workflow, "execution.completed").await;
    let story = [
        "execution.started",
        "job.created",
        "job.failed",
        "incident.raised",
        "incident.resolved",
        "job.completed",
        "execution.completed",
    ];
    assert_eq!(types(&told)[1..], story);
}

#[tokio::test]
async fn the_dialects_of_a_file_stay_their_own() {
    let (world, workflow) = World::running(&linear("p", &[&zeebe_service("pay", "5")])).await;
    world.start(&workflow, json!({})).await;
    let job = world.job("pay").await;
    assert_eq!((&job["retries"], &job["headers"]), (&json!(5), &json!({"method": "card"})));
}

#[tokio::test]
async fn an_ended_instance_stays_readable() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let instance = world.instance(&workflow, json!({"a": 1})).await;
    let shown = world.get(&format!("/api/process/{instance}")).await.is(200);
    assert_eq!(shown.str("status"), "Completed");
    assert!(shown["endedAt"].is_string());
    assert_eq!(world.variables(&instance).await, json!({"a": 1}));
    assert_eq!(world.incidents(&instance).await.len(), 0);
}

#[tokio::test]
async fn a_process_start_is_made_once_per_key() {
    let world = World::new().await;
    world.deploy(&file(&(keyed_message("m", "Go", "=id") + &started_by("p", "m")))).await;
    world.deploy(&linear("q", &[&user("ask", "")])).await;
    for path in ["/api/process/q/async", "/api/process/Go/message"] {
        let first = world.post(path, json!({"id": 1})).key("once").await.is(200);
        let again = world.post(path, json!({"id": 1})).key("once").await.is(200);
        assert_eq!(again["executionId"], first["executionId"], "{path}");
        assert_eq!(again.header("idempotency-replayed"), "true", "{path}");
        world.post(path, json!({"id": 2})).key("once").await.problem(422, "idempotency.key_reused");
        let query = format!("{path}?businessKey=x");
        world.post(&query, json!({"id": 1})).key("once").await.problem(422, "idempotency.key_reused");
    }
}
