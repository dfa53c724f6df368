//! Two gates on one Postgres: they start at once, share every channel, and one goes on when the other dies.

mod audit;
mod standing;

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    follower::Follower,
    postgres::TestDatabase,
    process::{Caller, GateProcess, PATIENCE, pause},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_one_database() {
    let database = TestDatabase::fresh().await;
    let url = database.url();
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // At once, on an empty database: the migrations run under a lock.
    let (mut one, other) =
        tokio::join!(GateProcess::start(folders.0.path(), &url), GateProcess::start(folders.1.path(), &url));
    let (here, there) = (one.caller(), other.caller());

    here.post("/api/workspaces", &json!({"id": "demo"})).await;
    let resource = json!({"name": "order.bpmn", "content": include_str!("../examples/order.bpmn")});
    let deployed = there.post("/api/deployments", &json!({"workspace_id": "demo", "resources": [resource]})).await;
    let workflow = deployed["processes"][0]["workflow_id"].as_str().unwrap();
    let followers = (Follower::follow(here.clone(), workflow), Follower::follow(there.clone(), workflow));

    // What one replica starts, a poll that waits at the other gets.
    let waiting = work(&there, "charge");
    let path = format!("/api/workflows/{workflow}/executions");
    let starting = async {
        pause().await;
        here.post(&path, &json!({"input": {"amount": 120}})).await
    };
    let ((), started) = tokio::join!(waiting, starting);
    one.kill();
    let task = first_task(&there).await;
    there.post(&format!("/api/userTask/{task}/complete"), &json!({"approved": true})).await;
    work(&there, "ship").await;

    let ended = there.get(&format!("/api/executions/{}", started["id"].as_str().unwrap())).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    one.start_again().await;
    let told: Vec<u64> = (1..=9).collect();
    assert_eq!(followers.1.numbers_up_to(9).await, told, "the stream at the replica that lived");
    assert_eq!(followers.0.numbers_up_to(9).await, told, "the stream at the replica that died, resumed");
}

/// Waits for a job of the topic, and completes it.
async fn work(caller: &Caller, topic: &str) {
    let asked = json!({"topics": [topic], "worker": "ada", "timeoutInSec": 20});
    let jobs = caller.post("/api/jobs/activate", &asked).await["jobs"].as_array().unwrap().clone();
    assert_eq!(jobs.len(), 1, "a job of topic {topic}");
    let path = format!("/api/jobs/{}/complete", jobs[0]["id"].as_str().unwrap());
    caller.post(&path, &json!({"worker": "ada", "variables": {}})).await;
}

async fn first_task(caller: &Caller) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list: Value = caller.get("/api/userTask?workspaceId=demo").await;
        if let Some(task) = list["items"].as_array().unwrap().first() {
            return task["id"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline, "no user task");
        pause().await;
    }
}
