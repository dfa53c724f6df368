//! Readers of events that are no longer kept (shapes.md: 410 `events.position_expired`).

use futures_util::StreamExt;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tidegate::{adapters::http::Settings, wiring::Parts};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::support::gateway::{BOOTSTRAP, TestGateway};

const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">
    <process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="t"/>
    <userTask id="t"/><sequenceFlow id="g" sourceRef="t" targetRef="e"/><endEvent id="e"/></process></definitions>"#;

/// A gateway that keeps what ended for a second, and a workflow with one execution that runs and one that was deleted after
/// it had ended. Events 2 and 3 are of the one that runs, 4 to 7 of the other.
async fn with_deleted_events() -> (TestGateway, String) {
    let parts = Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP);
    let parts = Parts { history_ttl: SignedDuration::from_secs(1), ..parts };
    let gateway = TestGateway::of(parts, Settings::default()).await;
    let client = gateway.bootstrap();
    client.post("/api/workspaces", &json!({"id": "demo"})).await;
    let resources = json!([{"name": "p.bpmn", "content": MODEL}]);
    let deployed = client.post("/api/deployments", &json!({"workspace_id": "demo", "resources": resources})).await;
    let workflow = deployed.body["processes"][0]["workflow_id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        client.post(&format!("/api/workflows/{workflow}/executions"), &json!({})).await;
    }
    let executions = client.get(&format!("/api/workflows/{workflow}/executions")).await;
    let newest = executions.body["items"][0]["id"].as_str().unwrap().to_owned();
    client.post(&format!("/api/executions/{newest}/cancel"), &json!({})).await;
    let history = format!("/api/workflows/{workflow}/events?after=0");
    for _ in 0..200 {
        if client.get(&history).await.status == 410 {
            return (gateway, workflow);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nothing was deleted: {:?}", client.get(&history).await);
}

fn check(problem: &Value) {
    assert_eq!((&problem["code"], &problem["oldest"]), (&json!("events.position_expired"), &json!(8)), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_on_from_before_deleted_events_is_410() {
    let (gateway, workflow) = with_deleted_events().await;
    let (client, path) = (gateway.bootstrap(), format!("/api/workflows/{workflow}/events"));
    let history = client.get(&format!("{path}?after=1")).await;
    assert_eq!(history.refused(410), "events.position_expired");
    check(&history.body);
    let headers = [("accept", "text/event-stream"), ("last-event-id", "1")].into();
    let stream = client.send("GET", &path, &headers, "").await;
    assert_eq!(stream.refused(410), "events.position_expired");
    check(&stream.body);
    let after_the_last = client.get(&format!("{path}?after=7")).await;
    assert_eq!((after_the_last.status.as_u16(), &after_the_last.body["items"]), (200, &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_execution_that_runs_are_there() {
    let (gateway, workflow) = with_deleted_events().await;
    let client = gateway.bootstrap();
    let mut kept = client.get(&format!("/api/workflows/{workflow}/events")).await.body["items"].take();
    // The deployment's own event goes by itself, perhaps later.
    kept.as_array_mut().unwrap().retain(|event| event["type"] != "deployment.created");
    let numbers: Vec<_> = kept.as_array().unwrap().iter().map(|event| &event["sequence"]).collect();
    assert_eq!(numbers, [2, 3]);
    let subject = kept[0]["subject"].as_str().unwrap();
    let own = client.get(&format!("/api/workflows/{workflow}/events?after=0&execution_id={subject}")).await;
    assert_eq!((own.status.as_u16(), &own.body["items"]), (200, &kept));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_gets_the_problem_and_then_a_close() {
    let (gateway, workflow) = with_deleted_events().await;
    let url = format!("ws://{}/ws/workflow/{workflow}?after=1", gateway.address());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {BOOTSTRAP}").parse().unwrap());
    let connection = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut socket, _) = client_async(request, connection).await.unwrap();
    let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("no frame") };
    let frame: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(frame["type"], "problem", "{frame}");
    check(&frame["problem"]);
    let Some(Ok(Message::Close(Some(close)))) = socket.next().await else { panic!("no close") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4410, "events.position_expired"));
}
