//! What every answer has: a request id, protecting headers, a problem where something went wrong.

use std::time::Duration;

use tidegate::{adapters::http::Settings, app::authenticate::Mode, wiring::Parts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::gateway::{BOOTSTRAP, TestGateway};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fitting_request_id_is_kept_and_another_replaced() {
    let gateway = TestGateway::start().await;
    let client = gateway.anonymous();
    let long = "a".repeat(128);
    for id in ["abc", "A.b_c-9", &long] {
        let answer = client.send("GET", "/health/live", &[("x-request-id", id)].into(), "").await;
        assert_eq!(answer.header("x-request-id"), id);
    }
    for id in ["", "a b", "a/b", "é", &"a".repeat(129)] {
        let answer = client.send("GET", "/health/live", &[("x-request-id", id)].into(), "").await;
        let made: uuid::Uuid = answer.header("x-request-id").parse().unwrap();
        assert_eq!(made.get_version_num(), 7, "{id:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_its_security_headers() {
    let gateway = TestGateway::start().await;
    for path in ["/health/live", "/api/whoami", "/nowhere", "/docs"] {
        let answer = gateway.anonymous().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
    }
    assert_eq!(gateway.bootstrap().get("/api/whoami").await.header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_is_get_without_its_body() {
    let gateway = TestGateway::start().await;
    let answer = gateway.bootstrap().send("HEAD", "/api/whoami", &[].into(), "").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_origin_requests_are_as_the_config_says() {
    let parts = Parts { mode: Mode::Required, ..Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP) };
    let origins = vec!["https://app.example.org".to_owned()];
    let gateway = TestGateway::of(parts, Settings { cors_allow_origins: origins, ..Settings::default() }).await;
    let preflight = |origin| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        let client = gateway.anonymous();
        async move { client.send("OPTIONS", "/api/workspaces", &headers.into(), "").await }
    };
    let allowed = preflight("https://app.example.org").await;
    assert_eq!(allowed.status.as_u16(), 204, "no credential is asked for");
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example.org");
    assert!(allowed.header("access-control-allow-headers").contains("Idempotency-Key"));
    assert_eq!(preflight("https://evil.example.org").await.header("access-control-allow-origin"), "");
    let headers = [("origin", "https://app.example.org")].into();
    let refused = gateway.anonymous().send("GET", "/api/whoami", &headers, "").await;
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example.org", "problems can be read too");
    assert_eq!(refused.header("vary"), "Origin");
    assert!(refused.header("access-control-expose-headers").contains("WWW-Authenticate"));
    let plain_options = gateway.anonymous().send("OPTIONS", "/api/workspaces", &[].into(), "").await;
    assert_eq!(plain_options.refused(401), "auth.missing_token");
}

/// Sends bytes as they are, and reads until the gate closes.
async fn raw(gateway: &TestGateway, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_framework_refuses_by_itself_is_a_problem_too() {
    let gateway = TestGateway::start().await;
    let long = format!("/{}", "a".repeat(9_000));
    assert_eq!(gateway.bootstrap().get(&long).await.refused(414), "request.uri_too_long");
    let endless = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    for (request, status, code) in [
        (endless.as_str(), "414", "request.uri_too_long"),
        (&many, "431", "request.headers_too_large"),
        ("NOT HTTP\r\n\r\n", "400", "request.invalid"),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n", "400", "request.invalid"),
    ] {
        let answer = raw(&gateway, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(
            answer.contains("application/problem+json") && answer.contains(&format!("\"code\":\"{code}\"")),
            "{answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_is_503_unless_the_wait_was_asked_for() {
    let parts = Parts { mode: Mode::Required, ..Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP) };
    let settings = Settings { request_timeout: Duration::from_millis(300), ..Settings::default() };
    let gateway = TestGateway::of(parts, settings).await;
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "POST /api/workspaces HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {BOOTSTRAP}\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("request.timeout"), "{answer}");
    assert!(answer.contains("retry-after"), "{answer}");
    let body = serde_json::json!({"topics": ["t"], "worker": "w", "timeoutInSec": 1});
    let waited = gateway.bootstrap().post("/api/jobs/activate", &body).await;
    assert_eq!((waited.status.as_u16(), &waited.body["jobs"]), (200, &serde_json::json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_stops_in_order() {
    let gateway = TestGateway::start().await;
    let body = serde_json::json!({"topics": ["t"], "worker": "w", "timeoutInSec": 60}).to_string();
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "POST /api/jobs/activate HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {BOOTSTRAP}\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    socket.read_exact(&mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100 "), "the gate has the request in hand");
    socket.write_all(body.as_bytes()).await.unwrap();
    let begun = tokio::time::Instant::now();
    let mut answer = String::new();
    let (read, ()) = tokio::join!(socket.read_to_string(&mut answer), gateway.stop());
    read.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("{\"jobs\":[],\"failedEngines\":[]}"), "a wait answers with what it has: {answer}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(TcpStream::connect(gateway.address()).await.is_err(), "nobody listens any more");
}
