//! WebSocket clients that do not listen. (What sockets tell and take is in `tests/api/sockets.rs`.)

use std::time::Duration;

use serde_json::json;
use tidegate::{adapters::http::Settings, wiring::Parts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::gateway::{BOOTSTRAP, TestGateway};

const HEARTBEAT: Duration = Duration::from_millis(100);
/// How long anything may take that should take a moment.
const PATIENCE: Duration = Duration::from_secs(20);

const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">
    <process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>
    <endEvent id="e"/></process></definitions>"#;

/// A gate that is impatient with its sockets, and a workflow that ends as soon as it is started.
async fn impatient() -> (TestGateway, String) {
    let parts = Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP);
    let gateway = TestGateway::of(parts, Settings { heartbeat: HEARTBEAT, ..Settings::default() }).await;
    let client = gateway.bootstrap();
    client.post("/api/workspaces", &json!({"id": "demo"})).await;
    let resources = json!([{"name": "p.bpmn", "content": MODEL}]);
    let deployed = client.post("/api/deployments", &json!({"workspace_id": "demo", "resources": resources})).await;
    let workflow = deployed.body["processes"][0]["workflow_id"].as_str().unwrap_or_else(|| panic!("{deployed:?}"));
    let workflow = workflow.to_owned();
    (gateway, workflow)
}

/// Opens a socket of which nothing more than the handshake is read.
async fn open(gateway: &TestGateway, path: &str) -> TcpStream {
    let mut connection = TcpStream::connect(gateway.address()).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {BOOTSTRAP}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    connection
}

/// All that comes until the connection ends, however that ends.
async fn rest(mut connection: TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // A connection that is cut may be reset.
    let reading = async { drop(connection.read_to_end(&mut read).await) };
    tokio::time::timeout(PATIENCE, reading).await.expect("an end");
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_no_ping_is_closed() {
    let (gateway, workflow) = impatient().await;
    let read = rest(open(&gateway, &format!("/ws/workflow/{workflow}")).await).await;
    let pings = read.windows(2).filter(|frame| frame == &[0x89, 0x00]).count();
    assert!((2..=4).contains(&pings), "{read:?}");
    let [high, low] = 4408_u16.to_be_bytes();
    assert!(read.windows(4).any(|frame| frame[0] == 0x88 && frame[2..] == [high, low]), "{read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_nothing_is_cut_off_and_nothing_is_kept_for_them() {
    let (gateway, workflow) = impatient().await;
    let client = gateway.bootstrap();
    let input = json!({"input": {"text": "a".repeat(3 << 20)}});
    for _ in 0..12 {
        let started = client.post(&format!("/api/workflows/{workflow}/executions"), &input).await;
        assert_eq!(started.body["status"], "completed", "{:?}", started.status);
    }
    let mut slow = open(&gateway, &format!("/ws/workflow/{workflow}?after=0")).await;
    // It says all the time that it lives, and takes nothing: more than the gate is patient with.
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    let cut = async {
        while slow.write_all(&ping).await.is_ok() {
            tokio::time::sleep(HEARTBEAT / 2).await;
        }
    };
    tokio::time::timeout(PATIENCE, cut).await.expect("it is cut off");
    assert!(rest(slow).await.len() < 24 << 20, "less than was to be told");
}
