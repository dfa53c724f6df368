//! Two workspaces with the same process: nothing of one is seen, started, signalled or worked by the other.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    models::{linear, order, service, user},
    world::{World, mint},
};

#[tokio::test]
async fn two_workspaces_have_the_same_process_each_for_itself() {
    let (one, two) = (World::new().await, World::new().await);
    let (here, there) = (one.deploy(&order("order")).await, two.deploy(&order("order")).await);
    assert_ne!(here, there);
    two.deploy(&(order("order") + "\n")).await;
    for (world, workflow, version) in [(&one, &here, 1), (&two, &there, 2)] {
        let shown = world.get(&format!("/api/workflows/{workflow}")).await.is(200);
        assert_eq!(shown["latest_deployment"]["version"], version);
        assert_eq!(world.all("/api/workflows").await.len(), 1);
    }
    let started = one.post("/api/process/order/async", json!({"amount": 120})).await.is(200);
    assert_eq!(one.execution(started.str("executionId")).await["workflow_id"], json!(here));
    assert!(two.all(&format!("/api/workflows/{there}/executions")).await.is_empty());
    assert_eq!(two.jobs("charge").await.len(), 0);
    assert_eq!(one.jobs("charge").await.len(), 1);
    assert!(!two.events(&there).await.iter().any(|event| event["type"] == "execution.started"));
}

#[tokio::test]
async fn the_id_of_anothers_thing_is_not_found() {
    let (one, two) = (World::new().await, World::new().await);
    let model = linear("p", &[&user("ask", ""), &service("work")]);
    let deployed = one.try_deploy(&model).await.is(201);
    let workflow = deployed["processes"][0]["workflow_id"].as_str().unwrap().to_owned();
    let started = one.start(&workflow, json!({})).await;
    let (execution, instance) = (started.id(), started.str("process_instance_id").to_owned());
    let task = one.tasks("").await.remove(0)["id"].as_str().unwrap().to_owned();
    let second = one.start(&workflow, json!({})).await.str("process_instance_id").to_owned();
    let other = one.tasks(&format!("?processInstanceId={second}")).await.remove(0);
    one.post(&format!("/api/userTask/{}/complete", other["id"].as_str().unwrap()), json!({})).await.is(204);
    let job = one.job("work").await;
    let job = job["id"].as_str().unwrap();
    let gets = [
        (format!("/api/workflows/{workflow}"), "workflow"),
        (format!("/api/workflows/{workflow}/events"), "workflow"),
        (format!("/api/workflows/{workflow}/executions"), "workflow"),
        (format!("/api/deployments/{}", deployed.id()), "deployment"),
        (format!("/api/deployments?workflow_id={workflow}"), "workflow"),
        (format!("/api/executions/{execution}"), "execution"),
        (format!("/api/process/{instance}"), "process"),
        (format!("/api/process/{instance}/variables"), "process"),
        (format!("/api/process/{instance}/incidents"), "process"),
        (format!("/api/process/{instance}/userTask/ask/variables"), "process"),
    ];
    for (path, noun) in gets {
        two.get(&path).await.problem(404, &format!("{noun}.not_found"));
    }
    let posts = [
        (format!("/api/workflows/{workflow}/executions"), json!({}), "workflow"),
        (format!("/api/executions/{execution}/cancel"), json!({}), "execution"),
        (format!("/api/userTask/{task}/complete"), json!({}), "user_task"),
        (format!("/api/userTask/{task}/assign"), json!({"assignee": "eve"}), "user_task"),
        (format!("/api/jobs/{job}/complete"), json!({"worker": "w1"}), "job"),
        (format!("/api/jobs/{job}/fail"), json!({"worker": "w1", "message": "x", "retries": 0}), "job"),
        (format!("/api/jobs/{job}/error"), json!({"worker": "w1", "code": "X"}), "job"),
        (format!("/api/jobs/{job}/extend"), json!({"worker": "w1", "lockInSec": 1}), "job"),
        ("/api/process/p/async".to_owned(), json!({}), "process"),
    ];
    for (path, body, noun) in posts {
        two.post(&path, body).await.problem(404, &format!("{noun}.not_found"));
    }
    two.patch(&format!("/api/workflows/{workflow}"), json!({"name": "x"})).await.problem(404, "workflow.not_found");
    two.ask(Method::DELETE, &format!("/api/workflows/{workflow}")).await.problem(404, "workflow.not_found");
    assert_eq!(two.tasks("").await.len(), 0);
    let foreign = two.get(&format!("/api/userTask?processInstanceId={instance}")).await;
    assert!(foreign.status == 404 || foreign.items().is_empty(), "{}", foreign.text);
    assert_eq!(one.execution(&execution).await["status"], "running");
    assert_eq!(one.tasks("").await[0]["assignee"], Value::Null);
}

#[tokio::test]
async fn a_workspace_that_is_not_mine_is_forbidden_by_name() {
    let (one, two) = (World::new().await, World::new().await);
    for id in [two.id.as_str(), "never-made"] {
        for path in ["/api/workflows?workspace_id=", "/api/deployments?workspace_id=", "/api/userTask?workspaceId="] {
            one.get(&format!("{path}{id}")).await.problem(403, "auth.workspace_forbidden");
        }
        let resources = json!([{"name": "m.bpmn", "content": linear("p", &[])}]);
        let posts = [
            ("/api/workflows".to_owned(), json!({"workspace_id": id, "name": "x"})),
            ("/api/deployments".to_owned(), json!({"workspace_id": id, "resources": resources})),
            ("/api/jobs/activate".to_owned(), json!({"topics": ["t"], "worker": "w", "workspaceId": id})),
            (format!("/api/process/p/async?workspaceId={id}"), json!({})),
            (format!("/api/process/p/async?tenantId={id}"), json!({})),
            (format!("/api/process/m/message?tenantId={id}"), json!({})),
            (format!("/api/message/m?workspaceId={id}"), json!({})),
            (format!("/api/message/m?tenantId={id}"), json!({})),
            (format!("/api/signal/s?tenantId={id}"), json!({})),
        ];
        for (path, body) in posts {
            one.post(&path, body).await.problem(403, "auth.workspace_forbidden");
        }
    }
}

#[tokio::test]
async fn who_has_all_workspaces_is_told_that_one_does_not_exist() {
    let world = World::new().await;
    let root = &world.root;
    for path in ["/api/workflows?workspace_id=", "/api/deployments?workspace_id=", "/api/userTask?workspaceId="] {
        root.get(&format!("{path}never-made")).await.problem(404, "workspace.not_found");
    }
    let work = json!({"topics": ["t"], "worker": "w", "workspaceId": "never-made"});
    root.post("/api/jobs/activate", work).await.problem(404, "workspace.not_found");
    root.post("/api/workflows", json!({"workspace_id": "never-made", "name": "x"}))
        .await
        .problem(404, "workspace.not_found");
    root.post("/api/process/p/async?workspaceId=never-made", json!({})).await.problem(404, "workspace.not_found");
    for id in ["-no-slug", "a%20b"] {
        let refused = root.get(&format!("/api/workflows?workspace_id={id}")).await;
        assert!((400..=422).contains(&refused.status), "{}", refused.text);
        refused.complete_problem();
    }
}

#[tokio::test]
async fn scopes_are_asked_for_before_anything_is_shown() {
    let (world, workflow) = World::running(&linear("p", &[&user("ask", "")])).await;
    let instance = world.instance(&workflow, json!({})).await;
    let worker = mint(&world.root, &["jobs:work"], &[&world.id]).await;
    for path in [
        format!("/api/workflows/{workflow}"),
        format!("/api/process/{instance}"),
        "/api/userTask".to_owned(),
        "/api/engines".to_owned(),
    ] {
        worker.get(&path).await.problem(403, "auth.missing_scope");
    }
    worker.post("/api/process/p/async", json!({})).await.problem(403, "auth.missing_scope");
    worker.post("/api/message/m", json!({})).await.problem(403, "auth.missing_scope");
    let reader = mint(&world.root, &["workflows:read"], &[&world.id]).await;
    let execution = world.start(&workflow, json!({})).await.id();
    reader.post(&format!("/api/executions/{execution}/cancel"), json!({})).await.problem(403, "auth.missing_scope");
    reader.post("/api/signal/s", json!({})).await.problem(403, "auth.missing_scope");
    reader.get(&format!("/api/executions/{execution}")).await.is(200);
}
