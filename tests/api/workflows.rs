//! Workflows: named things to run, changed under an `ETag`, hidden when deleted.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    models::{file, linear, message, order, service, started_by},
    world::{World, unique},
};

const WORKFLOWS: &str = "/api/workflows";

#[tokio::test]
async fn a_workflow_is_made_and_read() {
    let world = World::new().await;
    let wanted =
        json!({"workspace_id": world.id, "name": "order", "description": "Orders", "process_definition_key": "order"});
    let made = world.post(WORKFLOWS, wanted).await.is(201);
    let id = made.id();
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
    assert_eq!(made.header("location"), format!("{WORKFLOWS}/{id}"));
    assert!(made.header("etag").starts_with('"'), "{:?}", made.headers);
    assert_eq!((made.str("workspace_id"), made.str("name")), (world.id.as_str(), "order"));
    assert_eq!((made.str("engine"), made.str("process_definition_key")), ("embedded", "order"));
    assert_eq!((made.str("description"), &made["latest_deployment"]), ("Orders", &Value::Null));
    let read = world.get(&format!("{WORKFLOWS}/{id}")).await.is(200);
    assert_eq!((&read.body, read.header("etag")), (&made.body, made.header("etag")));
    let listed = world.all(&format!("{WORKFLOWS}?workspace_id={}", world.id)).await;
    assert_eq!(listed, [made.body]);
}

#[tokio::test]
async fn a_name_is_taken_once_in_a_workspace() {
    let (world, other) = (World::new().await, World::new().await);
    world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": "one"})).await.is(201);
    let again = json!({"workspace_id": world.id, "name": "one", "process_definition_key": "another"});
    world.post(WORKFLOWS, again).await.problem(409, "workflow.name_taken");
    other.post(WORKFLOWS, json!({"workspace_id": other.id, "name": "one"})).await.is(201);
}

#[tokio::test]
async fn a_process_is_taken_once_in_a_workspace() {
    let (world, other) = (World::new().await, World::new().await);
    let bound = |id: &str, name: &str| json!({"workspace_id": id, "name": name, "process_definition_key": "order"});
    world.post(WORKFLOWS, bound(&world.id, "one")).await.is(201);
    world.post(WORKFLOWS, bound(&world.id, "two")).await.problem(409, "workflow.process_taken");
    other.post(WORKFLOWS, bound(&other.id, "two")).await.is(201);
}

#[tokio::test]
async fn lists_are_filtered_by_name_and_newest_first() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": name})).await.is(201);
    }
    let names: Vec<Value> = world.all(WORKFLOWS).await.iter().map(|workflow| workflow["name"].clone()).collect();
    assert_eq!(names, ["c", "b", "a"]);
    assert_eq!(world.get("/api/workflows?name=b").await.is(200).items().len(), 1);
    assert_eq!(world.get("/api/workflows?name=nosuch").await.is(200).items().len(), 0);
}

#[tokio::test]
async fn a_change_is_made_to_what_was_read() {
    let world = World::new().await;
    let made = world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": "before"})).await.is(201);
    let path = format!("{WORKFLOWS}/{}", made.id());
    let first = made.header("etag").to_owned();
    let changed =
        world.patch(&path, json!({"name": "after", "description": "D"})).header("If-Match", &first).await.is(200);
    assert_eq!((changed.str("name"), changed.str("description")), ("after", "D"));
    assert_ne!(changed.header("etag"), first);
    assert!(changed["updated_at"].as_str().unwrap() >= made["updated_at"].as_str().unwrap());
    let stale = world.patch(&path, json!({"name": "lost"})).header("If-Match", &first).await;
    assert_eq!(stale.status, 412);
    stale.complete_problem();
    let stale = world.delete(&path).header("If-Match", &first).await;
    assert_eq!(stale.status, 412);
    assert_eq!(world.get(&path).await.is(200).body, changed.body);
    world.patch(&path, json!({"description": "E"})).header("If-Match", "*").await.is(200);
    let kept = world.patch(&path, json!({})).await.is(200);
    assert_eq!((kept.str("name"), kept.str("description")), ("after", "E"));
}

#[tokio::test]
async fn a_change_to_a_taken_name_is_refused() {
    let world = World::new().await;
    world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": "one"})).await.is(201);
    let two = world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": "two"})).await.is(201);
    let path = format!("{WORKFLOWS}/{}", two.id());
    world.patch(&path, json!({"name": "one"})).await.problem(409, "workflow.name_taken");
    world.patch(&path, json!({"name": "two"})).await.is(200);
    world.patch(&path, json!({"name": ""})).await.problem(422, "request.invalid");
    world.patch(&path, json!({"description": "d".repeat(2001)})).await.problem(422, "request.invalid");
    world.patch(&path, json!({"engine": "embedded"})).await.problem(400, "request.invalid");
}

#[tokio::test]
async fn a_busy_workflow_stays() {
    let (world, id) = World::running(&linear("p", &[&service("work")])).await;
    let path = format!("{WORKFLOWS}/{id}");
    let execution = world.start(&id, json!({})).await.id();
    world.delete(&path).await.problem(409, "workflow.busy");
    world.get(&path).await.is(200);
    world.post(&format!("/api/executions/{execution}/cancel"), json!({})).await.is(200);
    world.delete(&path).await.is(204);
}

#[tokio::test]
async fn a_deleted_workflow_leaves_its_name_and_key_but_keeps_its_events() {
    let world = World::new().await;
    let id = world.deploy(&order("order")).await;
    let execution = world.start(&id, json!({"amount": 1})).await.id();
    world.post(&format!("/api/executions/{execution}/cancel"), json!({})).await.is(200);
    let before = world.events_with(&id, "execution.cancelled").await;
    let path = format!("{WORKFLOWS}/{id}");
    world.delete(&path).await.is(204);
    world.get(&path).await.problem(404, "workflow.not_found");
    world.patch(&path, json!({"name": "x"})).await.problem(404, "workflow.not_found");
    world.delete(&path).await.problem(404, "workflow.not_found");
    world.post(&format!("{path}/executions"), json!({})).await.problem(404, "workflow.not_found");
    assert!(world.all(WORKFLOWS).await.is_empty());
    world.post("/api/process/order/async", json!({})).await.problem(404, "process.not_found");
    assert_eq!(world.events(&id).await, before);
    let again = json!({"workspace_id": world.id, "name": "order", "process_definition_key": "order"});
    assert_ne!(world.post(WORKFLOWS, again).await.is(201).id(), id);
}

#[tokio::test]
async fn nothing_starts_a_deleted_workflow() {
    let world = World::new().await;
    let by_message = world.deploy(&file(&(message("m", "Begin") + &started_by("p", "m")))).await;
    let ticking = "<bpmn:startEvent id=\"start\"><bpmn:timerEventDefinition id=\"t\">\
                   <bpmn:timeCycle>R/PT0.1S</bpmn:timeCycle></bpmn:timerEventDefinition></bpmn:startEvent>";
    let model = linear("q", &[]).replace("<bpmn:startEvent id=\"start\" />", ticking);
    let by_timer = world.deploy(&model).await;
    world.events_with(&by_timer, "execution.completed").await;
    for workflow in [&by_message, &by_timer] {
        world.delete(&format!("{WORKFLOWS}/{workflow}")).await.is(204);
    }
    world.post("/api/process/Begin/message", json!({})).await.problem(404, "process.not_found");
    world.post("/api/message/Begin", json!({})).await.problem(404, "message.not_correlated");
    let told = world.all_events(&by_timer).await;
    world.passes("PT0.5S").await;
    let later = world.all_events(&by_timer).await;
    // What had started before the deletion may still have been on its way into the channel.
    assert!(later.len() <= told.len() + 2, "{} became {}", told.len(), later.len());
}

#[tokio::test]
async fn a_workflow_needs_a_known_engine_and_a_workspace() {
    let world = World::new().await;
    let unknown = json!({"workspace_id": world.id, "name": "x", "engine": "nosuch"});
    let refused = world.post(WORKFLOWS, unknown).await;
    assert!(refused.status == 422 || refused.status == 404, "{}", refused.text);
    refused.complete_problem();
    let foreign = json!({"workspace_id": unique("foreign"), "name": "x"});
    world.post(WORKFLOWS, foreign.clone()).await.problem(403, "auth.workspace_forbidden");
    world.root.post(WORKFLOWS, foreign).await.problem(404, "workspace.not_found");
    world.post(WORKFLOWS, json!({"name": "x"})).await.problem(400, "request.invalid");
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let (world, other) = (World::new().await, World::new().await);
    let foreign = other.post(WORKFLOWS, json!({"workspace_id": other.id, "name": "w"})).await.is(201).id();
    for id in ["nonsense", "00000000-0000-7000-8000-000000000000", "%00", &foreign, &"a".repeat(5000)] {
        for (method, rest) in
            [(Method::GET, ""), (Method::GET, "/events"), (Method::GET, "/executions"), (Method::DELETE, "")]
        {
            let answer = world.ask(method, &format!("{WORKFLOWS}/{id}{rest}")).await;
            assert_eq!(
                (answer.status, answer["code"].as_str()),
                (404, Some("workflow.not_found")),
                "{id}{rest} {}",
                answer.text
            );
        }
        let answer = world.post(&format!("{WORKFLOWS}/{id}/executions"), json!({})).await;
        assert_eq!(answer["code"], "workflow.not_found");
    }
}

#[tokio::test]
async fn a_workflow_without_a_deployment_cannot_be_started() {
    let world = World::new().await;
    let made = world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": "empty"})).await.is(201);
    let refused = world.post(&format!("{WORKFLOWS}/{}/executions", made.id()), json!({})).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    refused.complete_problem();
}

#[tokio::test]
async fn of_creates_of_one_name_at_once_one_wins() {
    let world = World::new().await;
    let order = json!({"workspace_id": world.id, "name": "raced"});
    let tries = (0..8).map(|_| async { world.post(WORKFLOWS, order.clone()).await });
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for lost in answers.iter().filter(|answer| answer.status != 201) {
        lost.problem(409, "workflow.name_taken");
    }
}
