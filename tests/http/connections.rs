//! Clients that hold on to connections and to what they have asked for.

use std::time::{Duration, Instant};

use tidegate::{
    adapters::http::{Limits, Settings},
    wiring::Parts,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::gateway::{BOOTSTRAP, TestGateway};

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(500);

async fn gateway(limits: Limits) -> TestGateway {
    let parts = Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP);
    TestGateway::of(parts, Settings { limits, ..Settings::default() }).await
}

fn impatient() -> Limits {
    Limits { idle_timeout: SHORT, stall_timeout: SHORT, ..Limits::default() }
}

async fn connect(gateway: &TestGateway, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket
}

/// Waits for the end of a connection, however it comes; gives what came before it.
async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    timeout(PATIENCE, async { drop(socket.read_to_end(&mut read).await) }).await.expect("the connection ends");
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_ask_nothing_are_closed() {
    let gateway = gateway(impatient()).await;
    let half_head = "GET /health/live HTTP/1.1\r\nHost: a\r\n";
    for sent in ["", "P", "PRI * HTTP/2.0\r\n", "GET /hea", half_head, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut socket = connect(&gateway, sent.as_bytes()).await;
        rest(&mut socket).await;
    }
    let asked = format!("{half_head}\r\n");
    let mut kept_alive = connect(&gateway, asked.as_bytes()).await;
    assert!(rest(&mut kept_alive).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_read_is_cut_off() {
    let gateway = gateway(impatient()).await;
    let requests = "GET /docs HTTP/1.1\r\nHost: a\r\n\r\n".repeat(60);
    let mut socket = connect(&gateway, requests.as_bytes()).await;
    tokio::time::sleep(SHORT * 8).await;
    let sixty_pages = 60 * gateway.anonymous().get("/docs").await.text.len();
    assert!(rest(&mut socket).await.len() < sixty_pages, "what was not read is not kept");
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of `GET path` (RFC 7541: indexed method and scheme, literal path and authority).
fn get(stream: u32, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let block = [&[0x82, 0x86, 0x04, length], path.as_bytes(), &[0x01, 1, b'a']].concat();
    frame(0x1, 0x5, stream, &block)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_without_a_window_do_not_last_although_pings_are_answered() {
    let gateway = gateway(impatient()).await;
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    sent.extend(frame(0x4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    (0..90).for_each(|number| sent.extend(get(2 * number + 1, "/docs")));
    let mut socket = connect(&gateway, &sent).await;
    let begun = Instant::now();
    let ended = async {
        let mut head = [0; 9];
        while socket.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if socket.read_exact(&mut payload).await.is_err() {
                break;
            }
            let answer = match (head[3], head[4]) {
                (0x6, 0) => frame(0x6, 1, 0, &payload),
                (0x4, 0) => frame(0x4, 1, 0, &[]),
                _ => continue,
            };
            if socket.write_all(&answer).await.is_err() {
                break;
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("the connection ends");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_served_among_more_silent_connections_than_there_may_be() {
    let limits = Limits { max_connections: 20, max_connections_per_address: 1_000, ..Limits::default() };
    let gateway = gateway(limits).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(connect(&gateway, b"").await);
    }
    for _ in 0..5 {
        assert_eq!(gateway.anonymous().get("/health/live").await.status, 200);
    }
    let mut open = 0;
    for socket in &mut silent {
        let mut byte = [0];
        open += usize::from(timeout(Duration::from_millis(20), socket.read(&mut byte)).await.is_err());
    }
    assert!(open <= 52, "{open} are open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_connections_are_bounded_and_health_is_served_beside_them() {
    let limits = Limits { max_connections: 3, max_connections_per_address: 1_000, ..Limits::default() };
    let gateway = gateway(limits).await;
    // A body that never comes: a request is under way.
    let head = format!(
        "POST /api/workspaces HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {BOOTSTRAP}\r\nContent-Length: 9\r\n\r\n"
    );
    let mut busy = Vec::new();
    for _ in 0..3 {
        busy.push(connect(&gateway, head.as_bytes()).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = gateway.bootstrap().get("/api/whoami").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(
        (refused.body["code"].as_str(), refused.header("retry-after")),
        (Some("request.too_many_connections"), "5")
    );
    assert_eq!(gateway.anonymous().get("/health/live").await.status, 200);
    drop(busy);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(gateway.bootstrap().get("/api/whoami").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_could_be_read_in_two_ways_are_refused() {
    let gateway = gateway(Limits::default()).await;
    for head in [
        "GET /health/live HTTP/1.1\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a b\r\n",
        "GET http://a/health/live HTTP/1.1\r\nHost: b\r\n",
        "POST /api/workspaces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n",
        "POST /api/workspaces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n",
        "POST /api/workspaces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n",
        "POST /api/workspaces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let mut socket = connect(&gateway, format!("{head}Connection: close\r\n\r\n0\r\n\r\n").as_bytes()).await;
        let read = String::from_utf8_lossy(&rest(&mut socket).await).into_owned();
        assert!(read.starts_with("HTTP/1.1 400") && read.contains("application/problem+json"), "{head}: {read}");
    }
    let mut good = connect(&gateway, b"GET /health/live HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut good).await.starts_with(b"HTTP/1.0 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_have_an_entity_tag_and_are_not_sent_twice() {
    let gateway = gateway(Limits::default()).await;
    let client = gateway.anonymous();
    for path in ["/docs", "/openapi.json", "/openapi.yaml"] {
        let first = client.get(path).await;
        let etag = first.header("etag").to_owned();
        assert!(first.status == 200 && etag.starts_with('"') && !first.text.is_empty(), "{path}: {etag}");
        for sent in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let again = client.send("GET", path, &[("if-none-match", sent.as_str())].into(), "").await;
            assert_eq!((again.status.as_u16(), again.text.as_str(), again.header("etag")), (304, "", etag.as_str()));
        }
        let other = client.send("GET", path, &[("if-none-match", "\"x\"")].into(), "").await;
        assert_eq!(other.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_another_charset_is_415() {
    let gateway = gateway(Limits::default()).await;
    let client = gateway.bootstrap();
    for (sent, status) in [
        ("application/json; charset=iso-8859-1", 415),
        ("application/json; charset=UTF-16", 415),
        ("application/json;charset=\"latin1\"", 415),
        ("application/json; charset=utf-8", 201),
        ("application/json; charset=\"UTF-8\"", 409),
    ] {
        let answer = client.send("POST", "/api/workspaces", &[("content-type", sent)].into(), r#"{"id":"one"}"#).await;
        assert_eq!(answer.status.as_u16(), status, "{sent}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_a_path_is_not_shown() {
    let gateway = gateway(Limits::default()).await;
    let client = gateway.bootstrap();
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";
    let secret = "tgs_0000000000000000000000000000000000000000000000000";
    for token in [BOOTSTRAP, jwt, secret] {
        for path in [
            format!("/api/{token}"),
            format!("/api/workflows/{token}"),
            format!("/api/executions/token={token}"),
            format!("/api/executions/Bearer%20{token}"),
            format!("/api/executions/{}", token.replace('_', "%5F").replace('-', "%2D")),
        ] {
            let answer = client.get(&path).await;
            assert_eq!(answer.status, 404, "{answer:?}");
            assert!(!answer.text.contains(token) && answer.text.contains("[redacted]"), "{}", answer.text);
        }
    }
    let plain = client.get("/api/executions/order.paid.v1-of-the-shop").await;
    assert_eq!(plain.body["instance"], "/api/executions/order.paid.v1-of-the-shop");
}
