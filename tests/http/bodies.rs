//! Request bodies: I-JSON, their type, their size, what is unknown in them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::gateway::{Answer, BOOTSTRAP, TestGateway};

const WORKSPACES: &str = "/api/workspaces";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_400() {
    let gateway = TestGateway::start().await;
    let client = gateway.bootstrap();
    for body in [
        "",
        " ",
        "null",
        "{",
        "{\"id\":\"a\",}",
        "{\"id\":\"a\"} {}",
        "[]",
        "\"a\"",
        "{\"id\":1}",
        "{\"id\":null}",
        "{}",
        "{\"id\":\"a\",\"id\":\"b\"}",
        "{\"id\":\"a\",\"\\u0069d\":\"b\"}",
        "{\"id\":\"a\",\"name\":\"\\ud800\"}",
        "{'id':'a'}",
        "\u{feff}{\"id\":\"a\"}",
    ] {
        let answer = client.post_text(WORKSPACES, body).await;
        assert_eq!(answer.refused(400), "request.invalid", "{body:?}");
    }
    let not_utf8 = client.send("POST", WORKSPACES, &[].into(), b"{\"id\":\"\xff\"}".to_vec()).await;
    assert_eq!(not_utf8.refused(400), "request.invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_are_refused_by_name_and_all_problems_listed() {
    let gateway = TestGateway::start().await;
    let client = gateway.bootstrap();
    let body = json!({"workspace_id": 7, "name": "", "colour": "red", "a/b~": 1});
    let answer = client.post("/api/workflows", &body).await;
    assert_eq!(answer.refused(400), "request.invalid");
    assert_eq!(answer.pointers(), ["/workspace_id", "/name", "/a~1b~0", "/colour"]);
    let query = client.get("/api/workflows?colour=red").await;
    assert_eq!(query.refused(400), "request.invalid");
    assert!(query.body["message"].as_str().unwrap().contains("colour"));
    assert_eq!(client.get("/api/workflows?name=a&name=b").await.refused(400), "request.invalid");
    assert_eq!(client.get("/api/workflows?name=%zz").await.refused(400), "request.invalid");
    assert_eq!(client.get("/api/workflows?name=%ff").await.refused(400), "request.invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_read_but_breaks_a_limit_is_422() {
    let gateway = TestGateway::start().await;
    let client = gateway.bootstrap();
    for body in [
        json!({"id": "a b"}),
        json!({"id": "-a"}),
        json!({"id": "a".repeat(64)}),
        json!({"id": "a", "name": ""}),
        json!({"id": "a", "name": "n".repeat(201)}),
        json!({"id": "a", "name": "a\u{0}b"}),
    ] {
        assert_eq!(client.post(WORKSPACES, &body).await.refused(422), "request.invalid", "{body}");
    }
    for query in ["limit=0", "limit=201", "limit=99999999999999999999", "workspace_id=a%20b", "name=%00"] {
        assert_eq!(client.get(&format!("/api/workflows?{query}")).await.refused(422), "request.invalid", "{query}");
    }
    for query in ["limit=ten", "limit=", "limit=1.5", "cursor=!!"] {
        assert_eq!(client.get(&format!("/api/workflows?{query}")).await.refused(400), "request.invalid", "{query}");
    }
    let folded = client.post(WORKSPACES, &json!({"id": "DeMo"})).await;
    assert_eq!((folded.status.as_u16(), &folded.body["id"]), (201, &json!("demo")));
    let unknown_scope = client.post("/api/admin/service-tokens", &json!({"scopes": ["workflows:reed"]})).await;
    assert_eq!(unknown_scope.refused(422), "request.invalid");
    assert!(unknown_scope.body["message"].as_str().unwrap().contains("workflows:read"), "the known ones are named");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_are_not_kept_exactly_are_422_with_their_place() {
    let gateway = TestGateway::start().await;
    let client = gateway.bootstrap();
    for number in ["12345678901234567890123456789012345", "0.12345678901234567890123456789012345", "1e9999"] {
        let answer = client.post_text("/api/message/m", format!("{{\"a\":[{number}]}}")).await;
        assert_eq!(answer.refused(422), "request.invalid", "{number}");
        assert_eq!(answer.pointers(), ["/a/0"]);
    }
    let zero = client.post_text("/api/message/m", r#"{"a":{"b~/":"\u0000"}}"#).await;
    assert_eq!(zero.refused(422), "request.invalid");
    assert_eq!(zero.pointers(), ["/a/b~0~1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nesting_has_an_end() {
    let gateway = TestGateway::start().await;
    let client = gateway.bootstrap();
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(client.post_text("/api/message/m", nested(99)).await.refused(404), "message.not_correlated");
    assert_eq!(client.post_text("/api/message/m", nested(100)).await.refused(400), "request.invalid");
    let begun = Instant::now();
    assert_eq!(client.post_text("/api/message/m", nested(1_000_000)).await.refused(400), "request.invalid");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_json_is_read() {
    let gateway = TestGateway::start().await;
    let client = gateway.bootstrap();
    let body = r#"{"id":"a"}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonx", "json"] {
        let answer = client.send("POST", WORKSPACES, &[("content-type", kind)].into(), body).await;
        assert_eq!(answer.refused(415), "request.unsupported_media_type", "{kind}");
    }
    let coded = [("content-type", "application/json"), ("content-encoding", "gzip")].into();
    assert_eq!(client.send("POST", WORKSPACES, &coded, body).await.refused(415), "request.unsupported_media_type");
    let none = client.send("POST", WORKSPACES, &[].into(), body).await;
    assert_eq!(none.status.as_u16(), 201, "{none:?}");
    let charset = [("content-type", "Application/JSON; charset=utf-8")].into();
    assert_eq!(client.send("POST", WORKSPACES, &charset, body).await.refused(409), "workspace.id_taken");
}

/// Writes all of a request before it reads: the simplest of clients.
async fn write_all_then_read(gateway: &TestGateway, head: &str, body: Vec<u8>) -> String {
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!("{head}\r\nhost: localhost\r\nauthorization: Bearer {BOOTSTRAP}\r\nconnection: close\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&body).await.expect("all of it is taken");
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(20), socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_are_413_and_the_client_sees_it() {
    let gateway = TestGateway::start().await;
    let ten = vec![b'a'; 10 << 20];
    let mut sized = format!("content-length: {}\r\n\r\n", ten.len()).into_bytes();
    sized.extend_from_slice(&ten);
    let answer = write_all_then_read(&gateway, "POST /api/workspaces HTTP/1.1", sized).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"code\":\"request.body_too_large\""), "{answer}");
    let mut chunked = b"transfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in ten.chunks(1 << 20) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = write_all_then_read(&gateway, "POST /api/workspaces HTTP/1.1", chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let body = Value::String("a".repeat((4 << 20) - 2)).to_string();
    let answer = gateway.bootstrap().post_text(WORKSPACES, body).await;
    assert_eq!(answer.refused(400), "request.invalid", "exactly the limit is read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_stranger_with_a_large_body_sees_the_refusal() {
    let gateway = TestGateway::start().await;
    let request = gateway.anonymous().request("POST", WORKSPACES).body(vec![b'a'; 10 << 20]);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.refused(401), "auth.missing_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_in_the_middle_disturbs_nobody() {
    let gateway = TestGateway::start().await;
    for _ in 0..20 {
        let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
        let head = format!(
            "POST /api/workspaces HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {BOOTSTRAP}\r\ncontent-length: 100\r\n\r\n{{"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        drop(socket);
    }
    assert_eq!(gateway.bootstrap().get("/api/whoami").await.status.as_u16(), 200);
    assert_eq!(gateway.bootstrap().get(WORKSPACES).await.body["items"], json!([]));
}
