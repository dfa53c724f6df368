//! Messages and signals: who they reach, what they carry, how long they keep.

use serde_json::{Value, json};

use super::{
    gate::until,
    models::{file, flow, keyed_message, message, process, receive, service, started_by, steps},
    world::{World, mint, types, unique},
};

/// Waits for `Paid` of its business key.
fn camunda(key: &str) -> String {
    file(&(message("paid", "Paid") + &process(key, &steps(&[&receive("wait", "paid"), &service("after")]))))
}

/// Waits for `Paid` of its `order`.
fn zeebe(key: &str) -> String {
    file(&(keyed_message("paid", "Paid", "=order") + &process(key, &steps(&[&receive("wait", "paid")]))))
}

async fn start(world: &World, key: &str, business_key: &str, variables: Value) -> String {
    let path = format!("/api/process/{key}/async?businessKey={business_key}");
    world.post(&path, variables).await.is(200).str("processInstanceId").to_owned()
}

#[tokio::test]
async fn a_camunda_subscription_goes_by_the_business_key() {
    let (world, workflow) = World::running(&camunda("p")).await;
    let one = start(&world, "p", "A-1", json!({})).await;
    let two = start(&world, "p", "A-2", json!({})).await;
    let reached = world.post("/api/message/Paid?businessKey=A-2", json!({"sum": 5})).await.is(200);
    assert_eq!((reached.str("resultType"), reached.str("processInstanceId")), ("Execution", two.as_str()));
    assert_eq!((reached.str("engineType"), reached.str("engine")), ("Embedded", "embedded"));
    assert!(reached["id"].is_string());
    assert_eq!(world.variables(&two).await, json!({"sum": 5}));
    assert_eq!(world.variables(&one).await, json!({}));
    let job = world.job("after").await;
    assert_eq!(job["processInstanceId"], json!(two));
    let told = world.events_with(&workflow, "message.correlated").await;
    let event = told.iter().find(|event| event["type"] == "message.correlated").unwrap();
    assert_eq!((&event["data"]["message"], &event["data"]["element_id"]), (&json!("Paid"), &json!("wait")));
    world.post("/api/message/Paid?businessKey=A-2", json!({})).await.problem(404, "message.not_correlated");
}

#[tokio::test]
async fn a_zeebe_subscription_goes_by_its_correlation_key() {
    let (world, _) = World::running(&zeebe("p")).await;
    let one = start(&world, "p", "A-1", json!({"order": "o-1"})).await;
    let two = start(&world, "p", "A-2", json!({"order": "o-2"})).await;
    // The business key stands for the correlation key where none is given.
    let reached = world.post("/api/message/Paid?businessKey=o-1", json!({})).await.is(200);
    assert_eq!(reached.str("processInstanceId"), one);
    let reached = world.post("/api/message/Paid?correlationKey=o-2", json!({})).await.is(200);
    assert_eq!(reached.str("processInstanceId"), two);
    let three = start(&world, "p", "A-3", json!({"order": 77})).await;
    let reached = world.post("/api/message/Paid?correlationKey=77", json!({})).await.is(200);
    assert_eq!(reached.str("processInstanceId"), three, "a number is a key too");
}

#[tokio::test]
async fn an_instance_alone_matches_either() {
    let world = World::new().await;
    for (key, model) in [("c", camunda("c")), ("z", zeebe("z"))] {
        world.deploy(&model).await;
        let instance = start(&world, key, "B-1", json!({"order": "o"})).await;
        start(&world, key, "B-2", json!({"order": "o"})).await;
        let path = format!("/api/message/Paid?processInstanceId={instance}");
        let reached = world.ask(reqwest::Method::POST, &path).await.is(200);
        assert_eq!(reached.str("processInstanceId"), instance);
        world.post(&path, json!({})).await.problem(404, "message.not_correlated");
    }
}

#[tokio::test]
async fn exactly_one_must_match() {
    let (world, _) = World::running(&camunda("p")).await;
    let path = "/api/message/Paid?businessKey=same";
    world.post(path, json!({})).await.problem(404, "message.not_correlated");
    start(&world, "p", "same", json!({})).await;
    start(&world, "p", "same", json!({})).await;
    world.post(path, json!({})).await.problem(409, "message.ambiguous");
    world.post("/api/message/Other?businessKey=same", json!({})).await.problem(404, "message.not_correlated");
}

#[tokio::test]
async fn a_message_may_start_a_process() {
    let world = World::new().await;
    world.deploy(&file(&(message("m", "Begin") + &started_by("p", "m")))).await;
    let begun = world.post("/api/message/Begin?businessKey=K", json!({"a": 1})).await.is(200);
    assert_eq!(begun.str("resultType"), "ProcessInstance");
    assert_eq!(world.variables(begun.str("processInstanceId")).await, json!({"a": 1}));
    let executions = world.all("/api/workflows").await;
    let workflow = executions[0]["id"].as_str().unwrap();
    let found = world.all(&format!("/api/workflows/{workflow}/executions?business_key=K")).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["started_by"]["kind"], "service");
}

#[tokio::test]
async fn a_message_with_time_to_live_waits_for_its_receiver() {
    let (world, workflow) = World::running(&zeebe("p")).await;
    let kept = world.post("/api/message/Paid?correlationKey=late&timeToLiveInSec=60", json!({"sum": 7})).await.is(200);
    assert_eq!(kept.str("resultType"), "Buffered");
    assert!(kept["id"].is_string());
    let started =
        world.post(&format!("/api/workflows/{workflow}/executions"), json!({"input": {"order": "late"}})).await;
    let ended = world.ended(&started.is(201).id(), "completed").await;
    assert_eq!(ended["result"], json!({"order": "late", "sum": 7}));
    let second = world.start(&workflow, json!({"order": "late"})).await;
    assert_eq!(world.execution(&second.id()).await["status"], "running", "it was one message");
    let told = world.events_with(&workflow, "message.correlated").await;
    assert_eq!(types(&told).iter().filter(|kind| **kind == "message.correlated").count(), 1);
}

#[tokio::test]
async fn a_buffered_message_waits_for_a_business_key_too() {
    let (world, workflow) = World::running(&camunda("p")).await;
    world.post("/api/message/Paid?businessKey=late&timeToLiveInSec=60", json!({})).await.is(200);
    world.post(&format!("/api/workflows/{workflow}/executions"), json!({"business_key": "other"})).await.is(201);
    assert_eq!(world.jobs("after").await.len(), 0);
    world.post(&format!("/api/workflows/{workflow}/executions"), json!({"business_key": "late"})).await.is(201);
    until("the buffered message", || async { world.jobs("after").await.pop() }).await;
}

#[tokio::test]
async fn a_message_that_lived_its_time_reaches_nobody() {
    let (world, workflow) = World::running(&zeebe("p")).await;
    world.post("/api/message/Paid?correlationKey=old&timeToLiveInSec=1", json!({})).await.is(200);
    world.passes("PT1.3S").await;
    let started = world.start(&workflow, json!({"order": "old"})).await;
    assert_eq!(started.str("status"), "running");
    assert!(!types(&world.events_with(&workflow, "execution.started").await).contains(&"message.correlated"));
}

#[tokio::test]
async fn a_message_is_correlated_once_per_key() {
    let (world, _) = World::running(&camunda("p")).await;
    start(&world, "p", "A", json!({})).await;
    let path = "/api/message/Paid?businessKey=A";
    let first = world.post(path, json!({})).key("m").await.is(200);
    let again = world.post(path, json!({})).key("m").await.is(200);
    assert_eq!((again["id"].clone(), again.header("idempotency-replayed")), (first["id"].clone(), "true"));
    let buffered = "/api/message/Paid?businessKey=B&timeToLiveInSec=60";
    let first = world.post(buffered, json!({})).key("b").await.is(200);
    let again = world.post(buffered, json!({})).key("b").await.is(200);
    assert_eq!(again["id"], first["id"]);
}

#[tokio::test]
async fn a_null_correlation_key_is_an_incident() {
    let (world, workflow) = World::running(&zeebe("p")).await;
    let instance = world.instance(&workflow, json!({})).await;
    assert_eq!(world.incidents(&instance).await[0]["elementId"], "wait");
}

#[tokio::test]
async fn messages_stay_in_their_workspace() {
    let (one, two) = (World::new().await, World::new().await);
    for world in [&one, &two] {
        world.deploy(&camunda("p")).await;
    }
    let there = start(&two, "p", "A", json!({})).await;
    one.post("/api/message/Paid?businessKey=A", json!({})).await.problem(404, "message.not_correlated");
    let foreign = format!("/api/message/Paid?processInstanceId={there}");
    let refused = one.post(&foreign, json!({})).await;
    assert_eq!(refused.status, 404, "{}", refused.text);
    let named = format!("/api/message/Paid?businessKey=A&workspaceId={}", two.id);
    one.post(&named, json!({})).await.problem(403, "auth.workspace_forbidden");
    start(&one, "p", "A", json!({})).await;
    let both = mint(&one.root, &["workflows:execute"], &[&one.id, &two.id]).await;
    both.post("/api/message/Paid?businessKey=A", json!({})).await.problem(409, "message.ambiguous");
    let reached = both.post(&named, json!({})).await.is(200);
    assert_eq!(reached.str("processInstanceId"), there);
}

#[tokio::test]
async fn what_a_message_cannot_carry_is_refused() {
    let (world, _) = World::running(&camunda("p")).await;
    let long = "n".repeat(256);
    world.post(&format!("/api/message/{long}"), json!({})).await.complete_problem();
    world.post(&format!("/api/message/Paid?businessKey={long}"), json!({})).await.problem(422, "request.invalid");
    world.post("/api/message/Paid?timeToLiveInSec=x", json!({})).await.problem(400, "request.invalid");
    world.post("/api/message/Paid?nosuch=x", json!({})).await.problem(400, "request.invalid");
    world.post("/api/message/Paid", json!([1])).await.problem(400, "request.invalid");
    world.post("/api/message/Paid", Value::Null).await.problem(400, "request.invalid");
}

/// Waits for a signal, if the engine knows them.
fn signalled(key: &str, signal: &str) -> String {
    let definitions = format!("<bpmn:signal id=\"s\" name=\"{signal}\" />");
    let wait = "<bpmn:intermediateCatchEvent id=\"wait\"><bpmn:signalEventDefinition id=\"d\" signalRef=\"s\" />\
                </bpmn:intermediateCatchEvent>";
    file(&(definitions + &process(key, &steps(&[wait]))))
}

#[tokio::test]
async fn a_signal_is_heard_by_all_who_wait_here() {
    let (one, two) = (World::new().await, World::new().await);
    let signal = unique("Alarm");
    let deployed = one.try_deploy(&signalled("p", &signal)).await;
    let path = format!("/api/signal/{signal}");
    if deployed.status == 422 {
        // Not an element yet: the route still answers.
        one.post(&path, json!({})).await.is(204);
        return;
    }
    two.deploy(&signalled("p", &signal)).await;
    let (a, b) = (start(&one, "p", "a", json!({})).await, start(&one, "p", "b", json!({})).await);
    let c = start(&two, "p", "c", json!({})).await;
    one.post(&path, json!({"x": 1})).await.is(204);
    for instance in [a, b] {
        let shown = until("the signal", || async {
            let shown = one.get(&format!("/api/process/{instance}")).await.is(200);
            (shown["status"] == "Completed").then_some(shown)
        })
        .await;
        assert_eq!(shown["engine"], "embedded");
        assert_eq!(one.variables(&instance).await, json!({"x": 1}));
    }
    assert_eq!(two.get(&format!("/api/process/{c}")).await.is(200)["status"], "Active");
    one.ask(reqwest::Method::POST, &path).await.is(204);
}

#[tokio::test]
async fn the_first_event_wins_at_an_event_based_gateway() {
    let model = file(
        &(message("paid", "Paid")
            + &process(
                "p",
                &format!(
                    "<bpmn:startEvent id=\"start\" />{}<bpmn:eventBasedGateway id=\"either\" />{}{}\
                     <bpmn:intermediateCatchEvent id=\"pay\"><bpmn:messageEventDefinition id=\"m\" messageRef=\"paid\" />\
                     </bpmn:intermediateCatchEvent>{}<bpmn:endEvent id=\"thanks\" />{}<bpmn:endEvent id=\"sorry\" />{}",
                    flow("start", "either"),
                    flow("either", "pay"),
                    flow("either", "late"),
                    super::models::timer("late", "PT0.4S"),
                    flow("pay", "thanks"),
                    flow("late", "sorry"),
                ),
            )),
    );
    let (world, workflow) = World::running(&model).await;
    let path = format!("/api/workflows/{workflow}/executions");
    let paid = world.post(&path, json!({"business_key": "paid"})).await.is(201);
    let slow = world.post(&path, json!({"business_key": "slow"})).await.is(201);
    world.post("/api/message/Paid?businessKey=paid", json!({"sum": 1})).await.is(200);
    assert_eq!(world.ended(&paid.id(), "completed").await["result"], json!({"sum": 1}));
    world.ended(&slow.id(), "completed").await;
    let told = world.events_with(&workflow, "timer.fired").await;
    let of = |id: &str| -> Vec<Value> { told.iter().filter(|event| event["subject"] == id).cloned().collect() };
    assert_eq!(types(&of(&paid.id())), ["execution.started", "message.correlated", "execution.completed"]);
    assert_eq!(types(&of(&slow.id()))[..2], ["execution.started", "timer.fired"]);
    world.post("/api/message/Paid?businessKey=slow", json!({})).await.problem(404, "message.not_correlated");
}
