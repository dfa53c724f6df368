//! A gate in this process that knows the issuer `corp`, whose people a test signs in, and two workspaces of theirs.

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::Response;
use serde_json::{Value, json};
use sha2::Sha256;
use tidegate::{
    adapters::http::Settings,
    app::authenticate::Mode,
    domain::{identity::Identity, issuer::Provision, scope::Scope},
    wiring::Parts,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{
    gateway::{BOOTSTRAP, Client, TestGateway},
    people::{TestIssuer, bounded, policy},
};

/// How long anything may take that should take a moment.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">
    <process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>
    <endEvent id="e"/></process></definitions>"#;

/// The gate, and who vouches for its people.
pub(crate) struct Town {
    pub(crate) gateway: TestGateway,
    pub(crate) issuer: TestIssuer,
}

impl Town {
    pub(crate) async fn new() -> Self {
        Self::of(Parts::in_memory().unwrap(), Settings::default(), TestIssuer::default()).await
    }

    pub(crate) async fn of(parts: Parts, settings: Settings, issuer: TestIssuer) -> Self {
        let parts = issuer.join(parts.with_bootstrap_token(BOOTSTRAP), policy(Provision::User));
        let gateway = TestGateway::of(Parts { mode: Mode::Required, ..parts }, settings).await;
        Self { gateway, issuer }
    }

    /// Makes the workspace `demo` with a workflow, of which these people are members; gives the workflow.
    pub(crate) async fn demo(&self, people: &[&str]) -> String {
        let root = self.gateway.bootstrap();
        assert_eq!(root.post("/api/workspaces", &json!({"id": "demo"})).await.status.as_u16(), 201);
        for subject in people {
            let path = format!("/api/workspaces/demo/members/corp:{subject}");
            let put = root.request("PUT", &path).json(&json!({"role": "member"})).send().await.unwrap();
            assert_eq!(put.status().as_u16(), 200);
        }
        let resources = json!([{"name": "p.bpmn", "content": MODEL}]);
        let deployed = root.post("/api/deployments", &json!({"workspace_id": "demo", "resources": resources})).await;
        deployed.body["processes"][0]["workflow_id"].as_str().unwrap_or_else(|| panic!("{deployed:?}")).to_owned()
    }

    /// Somebody with a token of a session, issued so many seconds from now.
    pub(crate) fn sign_in(&self, subject: &str, session: &str, seconds: i64) -> Client {
        self.gateway.bearer(&self.token(subject, session, seconds))
    }

    /// Their token. Its `jti` is their name and the session's.
    pub(crate) fn token(&self, subject: &str, session: &str, seconds: i64) -> String {
        let scopes = [Scope::WorkflowsRead, Scope::WorkflowsExecute];
        let issued = now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
        self.issuer.token(Identity {
            session_id: Some(session.to_owned()),
            token_id: Some(format!("{subject}-{session}")),
            issued_at: Some(issued),
            ..bounded(subject, &scopes)
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the gate of these tests goes by the system's clock, too")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Opens a stream of events.
pub(crate) async fn stream(client: &Client, workflow: &str) -> Response {
    let path = format!("/api/workflows/{workflow}/events");
    let response = client.request("GET", &path).header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    response
}

/// How long it takes until a stream ends.
pub(crate) async fn until_its_end(mut stream: Response) -> Duration {
    let begun = Instant::now();
    let reading = async { while matches!(stream.chunk().await, Ok(Some(_))) {} };
    timeout(PATIENCE, reading).await.expect("the stream ends");
    begun.elapsed()
}

/// Opens a WebSocket; its first frame has come.
pub(crate) async fn socket(gateway: &TestGateway, token: &str, workflow: &str) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{}/ws/workflow/{workflow}", gateway.address()).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let connection = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut socket, _) = client_async(request, connection).await.unwrap();
    let first = timeout(PATIENCE, socket.next()).await.expect("a frame").unwrap().unwrap();
    let frame: Value = serde_json::from_str(first.to_text().unwrap()).unwrap_or_else(|_| panic!("{first:?}"));
    assert_eq!(frame["type"], "ready");
    socket
}

/// Code and reason with which a WebSocket is closed, and how long that took.
pub(crate) async fn closed(mut socket: WebSocketStream<TcpStream>) -> (u16, String, Duration) {
    let begun = Instant::now();
    let closing = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(close)))) => break (close.code.into(), close.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let (code, reason) = timeout(PATIENCE, closing).await.expect("the socket is closed");
    (code, reason, begun.elapsed())
}

/// What WorkOS puts beside an event that it sends at a moment.
pub(crate) fn workos_signature(secret: &str, at: Timestamp, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{}.{body}", at.as_millisecond()).as_bytes());
    format!("t={}, v1={}", at.as_millisecond(), HEXLOWER.encode(&mac.finalize().into_bytes()))
}
