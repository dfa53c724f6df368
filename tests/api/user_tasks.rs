//! User tasks: found in the inbox, waited for, assigned, completed once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    models::{linear, service, timer, user},
    world::{World, mint, types},
};

fn ids(tasks: &[Value]) -> Vec<&str> {
    tasks.iter().map(|task| task["id"].as_str().unwrap()).collect()
}

fn act(task: &Value, what: &str) -> String {
    format!("/api/userTask/{}/{what}", task["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_task_shows_what_its_model_says() {
    let attributes = "camunda:assignee=\"${boss}\" camunda:candidateGroups=\"sales, ops\" camunda:candidateUsers=\"ada,bob\" \
                      camunda:formKey=\"form-1\" camunda:dueDate=\"2030-01-02T03:04:05Z\"";
    let (world, workflow) = World::running(&linear("p", &[&user("approve", attributes)])).await;
    let started = world
        .post(
            &format!("/api/workflows/{workflow}/executions"),
            json!({"input": {"boss": "eve"}, "business_key": "A-1"}),
        )
        .await
        .is(201);
    let mut tasks = world.tasks("").await;
    assert_eq!(tasks.len(), 1);
    let task = tasks.remove(0);
    assert!(task["id"].as_str().unwrap().starts_with("embedded~"));
    assert_eq!((&task["name"], &task["taskDefinitionKey"]), (&json!("Please approve"), &json!("approve")));
    assert_eq!(task["processInstanceId"], started["process_instance_id"]);
    assert_eq!((&task["processDefinitionKey"], &task["businessKey"]), (&json!("p"), &json!("A-1")));
    assert_eq!((&task["assignee"], &task["candidateGroups"]), (&json!("eve"), &json!(["sales", "ops"])));
    assert_eq!((&task["candidateUsers"], &task["formKey"]), (&json!(["ada", "bob"]), &json!("form-1")));
    assert_eq!((&task["engine"], &task["workspaceId"]), (&json!("embedded"), &json!(world.id)));
    assert!(task["due"].as_str().unwrap().starts_with("2030-01-02T03:04:05"), "{task}");
    assert!(task["createdAt"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn the_inbox_is_filtered() {
    let world = World::new().await;
    let one = world.deploy(&linear("one", &[&user("a", "camunda:candidateGroups=\"sales\"")])).await;
    let two = world.deploy(&linear("two", &[&user("b", "camunda:assignee=\"bob\"")])).await;
    let first = world.instance(&one, json!({})).await;
    world.instance(&two, json!({})).await;
    let count = async |query: &str| world.tasks(query).await.len();
    assert_eq!(count("").await, 2);
    assert_eq!(count(&format!("?workspaceId={}", world.id)).await, 2);
    assert_eq!(count(&format!("?processInstanceId={first}")).await, 1);
    assert_eq!(count("?taskDefinitionKey=b").await, 1);
    assert_eq!(count("?taskDefinitionKey=nosuch").await, 0);
    assert_eq!(count("?assignee=bob").await, 1);
    assert_eq!(count("?candidateGroup=sales").await, 1);
    assert_eq!(count("?candidateGroup=sales&assignee=bob").await, 0);
    let newest = world.tasks("").await;
    assert_eq!(newest[0]["taskDefinitionKey"], "b", "newest first");
    world.get("/api/userTask?nosuch=1").await.problem(400, "request.invalid");
    world.get("/api/userTask?workspaceId=elsewhere").await.problem(403, "auth.workspace_forbidden");
}

#[tokio::test]
async fn the_inbox_is_read_in_pages() {
    let (world, workflow) = World::running(&linear("p", &[&user("ask", "")])).await;
    for _ in 0..5 {
        world.start(&workflow, json!({})).await;
    }
    let first = world.get("/api/userTask?limit=2").await.is(200);
    assert_eq!(first.items().len(), 2);
    let cursor = first.str("nextCursor").to_owned();
    let second = world.get(&format!("/api/userTask?limit=2&cursor={cursor}")).await.is(200);
    let third = world.get(&format!("/api/userTask?limit=2&cursor={}", second.str("nextCursor"))).await.is(200);
    assert_eq!(third["nextCursor"], Value::Null);
    let paged: Vec<&str> = [&first, &second, &third].iter().flat_map(|page| ids(page.items())).collect();
    assert_eq!(paged, ids(&world.tasks("").await));
}

#[tokio::test]
async fn a_task_is_completed_once() {
    let (world, workflow) = World::running(&linear("p", &[&user("ask", ""), &service("then")])).await;
    let instance = world.instance(&workflow, json!({"a": 1})).await;
    let task = world.tasks("").await.remove(0);
    let both = futures_util::future::join_all((0..4).map(|n| {
        let done = act(&task, "complete");
        let world = &world;
        async move { world.post(&done, json!({"b": n})).await }
    }))
    .await;
    assert_eq!(both.iter().filter(|answer| answer.status == 204).count(), 1, "{both:?}");
    for late in both.iter().filter(|answer| answer.status != 204) {
        late.problem(409, "user_task.already_completed");
    }
    assert!(world.tasks("").await.is_empty());
    let variables = world.variables(&instance).await;
    assert!(variables["b"].is_number() && variables["a"] == 1, "{variables}");
    assert_eq!(world.jobs("then").await.len(), 1);
    world.post("/api/userTask/nosuch/complete", json!({})).await.problem(404, "user_task.not_found");
}

#[tokio::test]
async fn a_task_is_given_and_taken_back() {
    let (world, workflow) = World::running(&linear("p", &[&user("ask", "camunda:candidateGroups=\"sales\"")])).await;
    world.start(&workflow, json!({})).await;
    let task = world.tasks("").await.remove(0);
    assert_eq!(task["assignee"], Value::Null);
    world.post(&act(&task, "assign"), json!({"assignee": "ada"})).await.is(204);
    assert_eq!(world.tasks("?assignee=ada").await.len(), 1);
    world.post(&act(&task, "assign"), json!({"assignee": null})).await.is(204);
    assert_eq!(world.tasks("?assignee=ada").await.len(), 0);
    assert_eq!(world.tasks("").await.remove(0)["assignee"], Value::Null);
    world.post(&act(&task, "assign"), json!({})).await.problem(400, "request.invalid");
    world.post(&act(&task, "assign"), json!({"assignee": 5})).await.problem(400, "request.invalid");
    world.post(&act(&task, "assign"), json!({"assignee": ""})).await.problem(422, "request.invalid");
    world.post(&act(&task, "assign"), json!({"assignee": "a".repeat(256)})).await.problem(422, "request.invalid");
    world.post(&act(&task, "complete"), json!({})).await.is(204);
    let late = world.post(&act(&task, "assign"), json!({"assignee": "ada"})).await;
    assert!(late.status == 409 || late.status == 404, "{}", late.text);
    let told = world.events_with(&workflow, "execution.completed").await;
    let story = [
        "execution.started",
        "user_task.created",
        "user_task.assigned",
        "user_task.assigned",
        "user_task.completed",
        "execution.completed",
    ];
    assert_eq!(types(&told)[1..], story);
}

#[tokio::test]
async fn a_task_of_an_instance_is_waited_for() {
    let (world, workflow) = World::running(&linear("p", &[&timer("nap", "PT0.3S"), &user("ask", "")])).await;
    let instance = world.instance(&workflow, json!({"a": 1, "b": 2})).await;
    let path = format!("/api/process/{instance}/userTask/ask/variables");
    world.get(&path).await.problem(404, "user_task.not_found");
    let begun = Instant::now();
    let found = world.get(&format!("{path}?timeoutInSec=20&variableFilter=b")).await.is(200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(found.body, json!({"b": 2}));
    assert_eq!(found.header("userTaskId"), world.tasks("").await[0]["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.is(200).body, json!({"a": 1, "b": 2}));
    let wrong = format!("/api/process/{instance}/userTask/nosuch/variables?timeoutInSec=1");
    let begun = Instant::now();
    world.get(&wrong).await.problem(404, "user_task.not_found");
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    world.get(&format!("{path}?timeoutInSec=61")).await.complete_problem();
    world.get(&format!("{path}?timeoutInSec=soon")).await.problem(400, "request.invalid");
    let unknown = world.get("/api/process/embedded~nosuch/userTask/ask/variables").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_cancelled_instances_task_is_gone() {
    let (world, workflow) = World::running(&linear("p", &[&user("ask", "")])).await;
    let id = world.start(&workflow, json!({})).await.id();
    let task = world.tasks("").await.remove(0);
    world.post(&format!("/api/executions/{id}/cancel"), json!({})).await.is(200);
    assert_eq!(world.tasks("").await.len(), 0);
    let late = world.post(&act(&task, "complete"), json!({})).await;
    assert!(late.status == 409 || late.status == 404, "{}", late.text);
    late.complete_problem();
    let told = world.events_with(&workflow, "execution.cancelled").await;
    assert_eq!(types(&told)[2..], ["user_task.created", "user_task.cancelled", "execution.cancelled"]);
}

#[tokio::test]
async fn an_inbox_spans_the_callers_workspaces() {
    let (one, two, third) = (World::new().await, World::new().await, World::new().await);
    for world in [&one, &two, &third] {
        let workflow = world.deploy(&linear("p", &[&user("ask", "")])).await;
        world.start(&workflow, json!({})).await;
    }
    let both = mint(&one.root, &["workflows:read"], &[&one.id, &two.id]).await;
    assert_eq!(both.get("/api/userTask").await.is(200).items().len(), 2);
    let mine = both.get(&format!("/api/userTask?workspaceId={}", two.id)).await.is(200);
    assert_eq!(mine.items().len(), 1);
    let task = act(&mine.items()[0], "complete");
    both.post(&task, json!({})).await.problem(403, "auth.missing_scope");
    one.post(&task, json!({})).await.problem(404, "user_task.not_found");
    two.post(&task, json!({})).await.is(204);
}
