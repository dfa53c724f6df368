//! Deployments, executions, jobs, user tasks, messages and events, from a client's side.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::gateway::{Answer, BOOTSTRAP, Client, TestGateway};

const ALL: &[&str] =
    &["workflows:read", "workflows:write", "workflows:execute", "jobs:work", "admin:tokens:read", "admin:tokens:write"];

/// A gate with `examples/order.bpmn` deployed, someone who may do everything there, and the workflow's id.
async fn with_order() -> (TestGateway, Client, String) {
    let gateway = TestGateway::start().await;
    let client = gateway.service("ci", ALL, &["demo"]).await;
    let deployed = deploy(&client).await;
    assert_eq!(deployed.status.as_u16(), 201, "{deployed:?}");
    let workflow = deployed.body["processes"][0]["workflow_id"].as_str().unwrap().to_owned();
    (gateway, client, workflow)
}

async fn deploy(client: &Client) -> Answer {
    let content = include_str!("../../examples/order.bpmn");
    let resources = json!([{"name": "order.bpmn", "content": content}]);
    client.post("/api/deployments", &json!({"workspace_id": "demo", "resources": resources})).await
}

async fn start(client: &Client, workflow: &str, amount: u32) -> Answer {
    let path = format!("/api/workflows/{workflow}/executions");
    let started = client.post(&path, &json!({"input": {"amount": amount}, "business_key": "A-1"})).await;
    assert_eq!(started.status.as_u16(), 201, "{started:?}");
    started
}

async fn work(client: &Client, topic: &str) {
    let wish = json!({"topics": [topic], "worker": "w1", "timeoutInSec": 10});
    let jobs = client.post("/api/jobs/activate", &wish).await;
    let job = &jobs.body["jobs"][0];
    assert_eq!(job["topic"], topic, "{jobs:?}");
    let body = json!({"worker": "w1", "lockToken": job["lockToken"]});
    let path = format!("/api/jobs/{}/complete", job["id"].as_str().unwrap());
    let done = client.post(&path, &body).await;
    assert_eq!(done.status.as_u16(), 204, "{done:?}");
    assert_eq!(client.post(&path, &body).await.refused(409), "job.already_completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_runs_from_its_deployment_to_its_result() {
    let (_gateway, client, workflow) = with_order().await;
    let same = deploy(&client).await;
    assert_eq!((same.status.as_u16(), &same.body["processes"][0]["version"]), (201, &json!(1)), "the same bytes");
    let shown = client.get(same.header("location")).await.body;
    assert_eq!(shown["resources"][0]["name"], "order.bpmn");
    let started = start(&client, &workflow, 120).await;
    let execution = started.header("location").to_owned();
    assert_eq!((&started.body["status"], &started.body["input"]), (&json!("running"), &json!({"amount": 120})));
    assert_eq!(started.body["started_by"], json!({"subject": "ci", "kind": "service"}));
    let instance = started.body["process_instance_id"].as_str().unwrap().to_owned();
    assert!(instance.starts_with("embedded~"));
    work(&client, "charge").await;
    let lookup = format!("/api/process/{instance}/userTask/approve/variables?timeoutInSec=5&variableFilter=amount");
    let task = client.get(&lookup).await;
    assert_eq!((task.status.as_u16(), &task.body), (200, &json!({"amount": 120})));
    let inbox = client.get("/api/userTask?candidateGroup=sales").await.body;
    assert_eq!(inbox["items"][0]["id"], task.header("usertaskid"));
    assert_eq!((&inbox["items"][0]["businessKey"], &inbox["failedEngines"]), (&json!("A-1"), &json!([])));
    let complete = format!("/api/userTask/{}/complete", task.header("usertaskid"));
    assert_eq!(client.post(&complete, &json!({"approved": true})).await.status.as_u16(), 204);
    assert_eq!(client.post(&complete, &json!({})).await.refused(409), "user_task.already_completed");
    work(&client, "ship").await;
    let ended = client.get(&execution).await.body;
    assert_eq!((&ended["status"], &ended["result"]["approved"]), (&json!("completed"), &json!(true)));
    let process = client.get(&format!("/api/process/{instance}")).await.body;
    assert_eq!((&process["status"], &process["engineType"]), (&json!("Completed"), &json!("Embedded")));
    assert_eq!(process["executionId"], ended["id"]);
    assert_eq!(client.post(&format!("{execution}/cancel"), &json!({})).await.refused(409), "execution.ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_by_key_wait_and_cancel() {
    let (gateway, client, workflow) = with_order().await;
    let started = client.post("/api/process/order/async?businessKey=B-1", &json!({"amount": 1})).await;
    assert_eq!((started.status.as_u16(), &started.body["status"]), (200, &json!("Active")), "{started:?}");
    assert_eq!((&started.body["businessKey"], &started.body["warnings"]), (&json!("B-1"), &json!([])));
    let both = "/api/process/order/async?workspaceId=demo&tenantId=other";
    assert_eq!(client.post(both, &json!({})).await.refused(400), "request.invalid");
    assert_eq!(
        client.post_text("/api/process/order/async", "").await.refused(400),
        "request.invalid",
        "a body is needed"
    );
    let path = format!("/api/workflows/{workflow}/executions");
    assert_eq!(client.post_text(&path, "").await.refused(400), "request.invalid");
    let begun = std::time::Instant::now();
    let waited = client.request("POST", &path).header("prefer", "wait=1").json(&json!({})).send().await.unwrap();
    let waited = Answer::of(waited).await;
    assert_eq!((waited.status.as_u16(), &waited.body["status"]), (201, &json!("running")));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let cancelled = client.post(&format!("{}/cancel", waited.header("location")), &json!({"reason": "no"})).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.body["status"]), (200, &json!("cancelled")));
    let list = client.get(&format!("{path}?status=cancelled")).await.body;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(client.get(&format!("{path}?started_after=yesterday")).await.refused(400), "request.invalid");
    let other = gateway.service("other", ALL, &["elsewhere"]).await;
    assert_eq!(other.post(&path, &json!({})).await.refused(404), "workflow.not_found");
    assert_eq!(other.get(waited.header("location")).await.refused(404), "execution.not_found");
    let instance = started.body["processInstanceId"].as_str().unwrap();
    assert_eq!(other.get(&format!("/api/process/{instance}/variables")).await.refused(404), "process.not_found");
    assert_eq!(other.post("/api/process/order/async", &json!({})).await.refused(404), "process.not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_belong_to_one_worker() {
    let (_gateway, client, workflow) = with_order().await;
    start(&client, &workflow, 1).await;
    let wish = json!({"topics": ["charge"], "worker": "w1", "variables": ["amount"]});
    let job = client.post("/api/jobs/activate", &wish).await.body["jobs"][0].clone();
    assert_eq!((&job["variables"], &job["workspaceId"]), (&json!({"amount": 1}), &json!("demo")));
    let path = |what: &str| format!("/api/jobs/{}/{what}", job["id"].as_str().unwrap());
    assert_eq!(client.post(&path("complete"), &json!({"worker": "w2"})).await.refused(409), "job.not_locked");
    let fenced = json!({"worker": "w1", "lockToken": "another"});
    assert_eq!(client.post(&path("complete"), &fenced).await.refused(409), "job.not_locked");
    let extended = client.post(&path("extend"), &json!({"worker": "w1", "lockInSec": 60})).await;
    assert_eq!(extended.status.as_u16(), 204);
    let failed = client.post(&path("fail"), &json!({"worker": "w1", "message": "no money", "retries": 0})).await;
    assert_eq!(failed.status.as_u16(), 204);
    let instance = job["processInstanceId"].as_str().unwrap();
    let incidents = client.get(&format!("/api/process/{instance}/incidents")).await.body;
    let incident = &incidents["items"][0];
    assert_eq!((&incident["elementId"], &incidents["nextCursor"]), (&json!("charge"), &Value::Null));
    let retry = format!("/api/process/{instance}/incidents/{}/retry", incident["id"].as_str().unwrap());
    assert_eq!(client.post(&retry, &json!({})).await.status.as_u16(), 204);
    assert_eq!(client.post(&retry, &json!({})).await.refused(404), "incident.not_found");
    for (field, value) in
        [("maxJobs", json!(0)), ("lockInSec", json!(86_401)), ("timeoutInSec", json!(61)), ("topics", json!([]))]
    {
        let mut wish = json!({"topics": ["charge"], "worker": "w1"});
        wish[field] = value;
        let refused = client.post("/api/jobs/activate", &wish).await;
        assert_eq!((refused.refused(422), refused.pointers()), ("request.invalid", vec![format!("/{field}").as_str()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_locked_only_for_a_connection_that_lives() {
    let (gateway, client, workflow) = with_order().await;
    let wish = json!({"topics": ["charge"], "worker": "gone", "timeoutInSec": 60, "lockInSec": 86_400}).to_string();
    for _ in 0..5 {
        let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
        let head = format!(
            "POST /api/jobs/activate HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {BOOTSTRAP}\r\n\
             content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            wish.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut go_on = [0; 25];
        socket.read_exact(&mut go_on).await.unwrap();
        socket.write_all(wish.as_bytes()).await.unwrap();
        drop(socket);
    }
    start(&client, &workflow, 1).await;
    work(&client, "charge").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_run_is_refused_with_its_lines() {
    let gateway = TestGateway::start().await;
    let client = gateway.service("ci", ALL, &["demo"]).await;
    let deploy = |content: &'static str| {
        let client = client.clone();
        async move {
            let resources = json!([{"name": "x.bpmn", "content": content}]);
            client.post("/api/deployments", &json!({"workspace_id": "demo", "resources": resources})).await
        }
    };
    for content in ["", "no xml", "<a>", "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"] {
        let refused = deploy(content).await;
        assert_eq!(refused.refused(422), "deployment.rejected", "{content:?}");
        assert_eq!(refused.body["errors"][0]["resource"], "x.bpmn");
        assert!(refused.body["errors"][0]["line"].is_u64());
    }
}

/// Reads a stream until it has this many events.
struct Stream {
    response: reqwest::Response,
    buffer: String,
}

impl Stream {
    async fn open(client: &Client, path: &str, last_event_id: Option<u64>) -> Self {
        let mut request = client.request("GET", path).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next frame that is no comment; `None` at the end.
    async fn next(&mut self) -> Option<(u64, String, Value)> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.buffer = rest;
                if frame.starts_with(':') {
                    continue;
                }
                let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
                let data = serde_json::from_str(&field("data: ")).unwrap();
                return Some((field("id: ").parse().unwrap(), field("event: "), data));
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await.unwrap().unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_history_and_what_comes_and_goes_on_where_it_broke_off() {
    let (_gateway, client, workflow) = with_order().await;
    let path = format!("/api/workflows/{workflow}/events");
    let mut all = Stream::open(&client, &format!("{path}?after=0"), None).await;
    assert_eq!(all.next().await.unwrap().1, "deployment.created");
    let mut live = Stream::open(&client, &path, None).await;
    let started = start(&client, &workflow, 1).await;
    let (number, kind, event) = live.next().await.unwrap();
    assert_eq!((number, kind.as_str()), (2, "execution.started"), "from now on");
    assert_eq!((&event["subject"], &event["sequence"]), (&started.body["id"], &json!(2)));
    assert_eq!(event["source"], format!("/workflows/{workflow}"));
    drop(live);
    work(&client, "charge").await;
    let mut resumed = Stream::open(&client, &format!("{path}?after=0"), Some(2)).await;
    let (first, second) = (resumed.next().await.unwrap(), resumed.next().await.unwrap());
    assert_eq!((first.0, first.1.as_str(), second.0, second.1.as_str()), (3, "job.created", 4, "job.completed"));
    for number in 2..=4 {
        assert_eq!(all.next().await.unwrap().0, number);
    }
    let history = client.get(&format!("{path}?after=1&limit=2")).await.body;
    let numbers: Vec<_> = history["items"].as_array().unwrap().iter().map(|event| &event["sequence"]).collect();
    assert_eq!((numbers, &history["next_cursor"]), (vec![&json!(2), &json!(3)], &json!("3")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_must_be_one() {
    let (_gateway, client, workflow) = with_order().await;
    let path = format!("/api/workflows/{workflow}/events");
    for (position, code) in [("x", "request.invalid"), ("-1", "request.invalid"), ("999", "events.position_unknown")] {
        let headers = [("accept", "text/event-stream"), ("last-event-id", position)].into();
        assert_eq!(client.send("GET", &path, &headers, "").await.refused(400), code, "{position}");
    }
    let headers = [("accept", "text/event-stream")].into();
    let beyond = client.send("GET", &format!("{path}?after=999"), &headers, "").await;
    assert_eq!(beyond.refused(400), "events.position_unknown");
    assert_eq!(client.get(&format!("{path}?execution_id=x")).await.refused(400), "request.invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_its_token_and_with_the_gate() {
    let (gateway, client, workflow) = with_order().await;
    let path = format!("/api/workflows/{workflow}/events");
    let reader = gateway.service("reader", &["workflows:read"], &["demo"]).await;
    let mut stream = Stream::open(&reader, &path, None).await;
    assert_eq!(gateway.bootstrap().delete("/api/admin/service-tokens/reader").await.status.as_u16(), 204);
    let revoked = tokio::time::timeout(Duration::from_secs(3), stream.next()).await;
    assert_eq!(revoked.expect("it ends within a second"), None);
    let mut stream = Stream::open(&client, &path, None).await;
    let ((), ended) = tokio::join!(gateway.stop(), stream.next());
    assert_eq!(ended, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_tell_what_they_can() {
    let (_gateway, client, _) = with_order().await;
    let engines = client.get("/api/engines").await.body;
    let engine = &engines["items"][0];
    assert_eq!(
        (&engine["name"], &engine["kind"], &engine["health"]),
        (&json!("embedded"), &json!("Embedded"), &json!("ok"))
    );
    assert_eq!(engine["capabilities"]["refuses_late_completion"], true);
}
