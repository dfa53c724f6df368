//! `GET /ws/workflow/{id}`: events and commands over a WebSocket, with a real client.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{
    gate::{Answer, Caller, DEADLINE, Gate, ROOT},
    models::{linear, order, service},
    socket::{Said, Socket},
    world::World,
};

fn path(workflow: &str) -> String {
    format!("/ws/workflow/{workflow}")
}

/// A workflow that waits for work, and whose channel has told of its deployment.
async fn waiting() -> (World, String) {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    world.events_with(&workflow, "deployment.created").await;
    (world, workflow)
}

/// A token of the workspace with these scopes that ends after some seconds: how it was shown, and who holds it.
async fn minted(world: &World, scopes: &[&str], seconds: Option<u32>) -> (Answer, Caller) {
    let mut wish = json!({"scopes": scopes, "workspace_ids": [world.id]});
    if let Some(seconds) = seconds {
        wish["expires_in_seconds"] = json!(seconds);
    }
    let minted = world.root.post("/api/admin/service-tokens", wish).await.is(201);
    let caller = world.gate.caller(minted.str("secret"));
    (minted, caller)
}

fn closed(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn a_token_comes_in_a_header_in_the_query_or_as_a_subprotocol() {
    let (world, workflow) = waiting().await;
    let (gate, token) = (&world.gate, world.token.clone().unwrap());
    let bearer = format!("bearer.{token}");
    let offers = [format!("tidegate.v1, {bearer}"), format!("{bearer},other,tidegate.v1")];
    assert_eq!(Socket::open(&world, &path(&workflow)).await.ready().await, 1);
    for name in ["token", "access_token"] {
        let mut socket = Socket::with(gate, &format!("{}?{name}={token}", path(&workflow)), &[]).await;
        assert_eq!((socket.ready().await, &socket.protocol), (1, &None));
    }
    for offer in &offers {
        let mut socket = Socket::with(gate, &path(&workflow), &[("sec-websocket-protocol", offer)]).await;
        assert_eq!(socket.protocol.as_deref(), Some("tidegate.v1"), "never the token");
        assert_eq!(socket.ready().await, 1);
    }
    let header = format!("Bearer {token}");
    let more_than_one: [(String, Vec<(&'static str, &str)>); 4] = [
        (format!("{}?token={token}", path(&workflow)), vec![("authorization", &header)]),
        (format!("{}?token={token}&access_token={token}", path(&workflow)), vec![]),
        (format!("{}?token={token}", path(&workflow)), vec![("sec-websocket-protocol", &offers[0])]),
        (path(&workflow), vec![("authorization", &header), ("sec-websocket-protocol", &offers[0])]),
    ];
    for (path, headers) in more_than_one {
        let mut socket = Socket::with(gate, &path, &headers).await;
        assert_eq!(socket.next().await, Said::Closed(4401, "auth.invalid_token".to_owned()), "{headers:?}");
    }
    let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
    assert!(log.contains(&path(&workflow)) && !log.contains(&token), "the log tells the path, and no token");
}

#[tokio::test]
async fn queries_hold_no_token_where_that_is_switched_off() {
    let gate =
        Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT), ("TIDEGATE_AUTH__QUERY_TOKENS", "false")]);
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear("p", &[])).await;
    let token = world.token.clone().unwrap();
    for name in ["token", "access_token"] {
        let mut socket = Socket::with(&gate, &format!("{}?{name}={token}", path(&workflow)), &[]).await;
        assert_eq!(socket.closed().await, closed(4401, "auth.missing_token"));
        let events = format!("/api/workflows/{workflow}/events?{name}={token}");
        let stream = gate.anonymous().get(&events).header("Accept", "text/event-stream");
        stream.await.problem(401, "auth.missing_token");
    }
    // The other ways stay.
    let offer = format!("tidegate.v1, bearer.{token}");
    Socket::with(&gate, &path(&workflow), &[("sec-websocket-protocol", &offer)]).await.ready().await;
    Socket::open(&world, &path(&workflow)).await.ready().await;
}

#[tokio::test]
async fn a_refused_upgrade_is_accepted_and_closed_with_the_reason() {
    let ((world, workflow), other) = (waiting().await, World::new().await);
    let worker = world.someone(&["jobs:work"]).await;
    let nowhere = path("0190f7a0-0000-7000-8000-000000000000");
    for (who, path, code, reason) in [
        (&world.gate.anonymous(), path(&workflow), 4401, "auth.missing_token"),
        (&world.gate.caller("nonsense"), path(&workflow), 4401, "auth.invalid_token"),
        (&worker, path(&workflow), 4403, "auth.missing_scope"),
        (&*other, path(&workflow), 4404, "workflow.not_found"),
        (&*world, nowhere, 4404, "workflow.not_found"),
        (&*world, path("x"), 4404, "workflow.not_found"),
        (&*world, format!("{}?after=1000", path(&workflow)), 4400, "events.position_unknown"),
        (&*world, format!("{}?after=x", path(&workflow)), 4400, "request.invalid"),
        (&*world, format!("{}?nosuch=1", path(&workflow)), 4400, "request.invalid"),
    ] {
        let said = Socket::open(who, &path).await.next().await;
        assert_eq!(said, Said::Closed(code, reason.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_plain_request_gets_the_problem() {
    let ((world, workflow), other) = (waiting().await, World::new().await);
    let url = path(&workflow);
    world.gate.anonymous().get(&url).await.problem(401, "auth.missing_token");
    world.someone(&["jobs:work"]).await.get(&url).await.problem(403, "auth.missing_scope");
    other.get(&url).await.problem(404, "workflow.not_found");
    world.get(&url).header("Authorization", "Bearer x").await.problem(401, "auth.invalid_token");
    let refused = world.get(&url).await;
    refused.problem(426, "request.upgrade_required");
    assert_eq!((refused.header("upgrade"), refused.header("sec-websocket-version")), ("websocket", "13"));
    let old = world.get(&url).header("Connection", "Upgrade").header("Upgrade", "websocket");
    let old = old.header("Sec-WebSocket-Version", "8").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    old.await.problem(426, "request.upgrade_required");
    let post = world.post(&url, json!({})).await;
    post.problem(405, "request.method_not_allowed");
    assert_eq!(post.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn the_history_comes_first_and_then_what_happens() {
    let (world, workflow) = World::running(&order("order")).await;
    let id = world.start(&workflow, json!({"amount": 120})).await.id();
    let told = world.events_with(&workflow, "job.created").await;
    let mut socket = Socket::open(&world, &format!("{}?after=0", path(&workflow))).await;
    assert_eq!(socket.ready().await, 3, "the last number before the live part");
    let mut events = vec![socket.event().await, socket.event().await, socket.event().await];
    assert_eq!(events, told, "as the history tells them");
    assert!(socket.is_silent().await);
    world.complete(&world.job("charge").await, json!({})).await;
    events.push(socket.event().await);
    assert_eq!((&events[3]["type"], &events[3]["sequence"]), (&json!("job.completed"), &json!(4)));
    assert_eq!(events[3]["subject"], json!(id));

    let mut resumed = Socket::open(&world, &format!("{}?after=2", path(&workflow))).await;
    assert!(resumed.ready().await >= 4);
    assert_eq!([resumed.event().await, resumed.event().await], events[2..]);
    let mut live = Socket::open(&world, &path(&workflow)).await;
    let head = live.ready().await;
    world.start(&workflow, json!({})).await;
    assert_eq!(live.event().await["sequence"], json!(head + 1), "without a position from now on");
}

#[tokio::test]
async fn a_workflow_is_started_over_its_socket() {
    let (world, workflow) = waiting().await;
    let mut socket = Socket::open(&world, &path(&workflow)).await;
    socket.ready().await;
    socket.say(json!({"type": "run_workflow", "input": {"a": 1}, "business_key": "A-1", "request_id": "7"})).await;
    let (mut answer, mut events) = (Value::Null, Vec::new());
    while answer.is_null() || events.len() < 2 {
        let frame = socket.frame().await;
        match frame["type"].as_str() {
            Some("execution") => answer = frame,
            _ => events.push(frame["event"]["type"].clone()),
        }
    }
    let execution = world.execution(answer["execution"]["id"].as_str().unwrap()).await;
    assert_eq!((&answer["request_id"], &answer["execution"]), (&json!("7"), &execution.body));
    assert_eq!((&execution["input"], &execution["business_key"]), (&json!({"a": 1}), &json!("A-1")));
    assert_eq!(execution["status"], "running");
    assert_eq!(events, ["execution.started", "job.created"]);
}

#[tokio::test]
async fn a_bad_frame_is_answered_and_ends_nothing() {
    let (world, workflow) = waiting().await;
    let reader = world.someone(&["workflows:read"]).await;
    let mut socket = Socket::open(&reader, &path(&workflow)).await;
    socket.ready().await;
    for (text, status, code) in [
        ("no json", 400, "request.invalid"),
        ("[]", 400, "request.invalid"),
        (r#"{"type":"stop"}"#, 400, "request.invalid"),
        (r#"{"type":"run_workflow","inputs":{}}"#, 400, "request.invalid"),
        (r#"{"type":"run_workflow","business_key":""}"#, 422, "request.invalid"),
        (r#"{"type":"run_workflow"}"#, 403, "auth.missing_scope"),
    ] {
        socket.send(Message::Text(text.into())).await;
        let frame = socket.frame().await;
        assert_eq!((&frame["type"], &frame["problem"]["code"]), (&json!("problem"), &json!(code)), "{text}: {frame}");
        assert_eq!(frame["problem"]["status"], json!(status), "{text}: {frame}");
        assert_eq!(frame["problem"]["instance"], json!(path(&workflow)), "{frame}");
        assert!(frame["problem"]["request_id"].is_string(), "{frame}");
    }
    assert!(socket.is_silent().await);
    assert_eq!(world.get(&format!("/api/workflows/{workflow}/executions")).await.items().len(), 0);
}

#[tokio::test]
async fn only_so_many_commands_are_under_way() {
    let (world, workflow) = waiting().await;
    let mut socket = Socket::open(&world, &path(&workflow)).await;
    socket.ready().await;
    for number in 0..200 {
        socket.say(json!({"type": "run_workflow", "request_id": number.to_string()})).await;
    }
    let (mut started, mut refused) = (0, 0);
    while started + refused < 200 {
        let frame = socket.frame().await;
        match frame["type"].as_str() {
            Some("execution") => started += 1,
            Some("problem") => {
                assert_eq!(frame["problem"]["code"], "request.too_many", "{frame}");
                refused += 1;
            }
            _ => {}
        }
    }
    assert!(started >= 16, "{started} started, {refused} refused");
    let there = world.all(&format!("/api/workflows/{workflow}/executions")).await.len();
    assert_eq!(there, started, "what was refused was not done");
}

#[tokio::test]
async fn a_socket_ends_when_its_token_expires() {
    let (world, workflow) = waiting().await;
    let (_, caller) = minted(&world, &["workflows:read"], Some(1)).await;
    let mut socket = Socket::open(&caller, &path(&workflow)).await;
    assert_eq!(socket.closed().await, closed(4401, "auth.token_expired"));
}

#[tokio::test]
async fn a_socket_ends_at_once_when_its_token_is_revoked() {
    let (world, workflow) = waiting().await;
    let (minted, caller) = minted(&world, &["workflows:read"], None).await;
    let mut other = Socket::open(&world, &path(&workflow)).await;
    let mut socket = Socket::open(&caller, &path(&workflow)).await;
    socket.ready().await;
    other.ready().await;
    let begun = Instant::now();
    world.root.delete(&format!("/api/admin/service-tokens/{}", minted.str("identifier"))).await.is(204);
    assert_eq!(socket.closed().await, closed(4401, "auth.token_revoked"));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(other.is_silent().await);
    assert_eq!(Socket::open(&caller, &path(&workflow)).await.closed().await, closed(4401, "auth.token_revoked"));
}

#[tokio::test]
async fn a_fresh_token_keeps_a_socket_open() {
    let (world, workflow) = waiting().await;
    let (minted, caller) = minted(&world, &["workflows:read"], None).await;
    let (mut kept, mut left) =
        (Socket::open(&caller, &path(&workflow)).await, Socket::open(&caller, &path(&workflow)).await);
    kept.ready().await;
    let rotate = format!("/api/admin/service-tokens/{}/rotate", minted.str("identifier"));
    let rotated = world.root.post(&rotate, json!({"overlap_seconds": 1, "add_scopes": ["workflows:execute"]})).await;
    kept.say(json!({"type": "auth", "token": rotated.is(200).str("secret")})).await;
    kept.say(json!({"type": "run_workflow"})).await;
    let frame = kept.frame().await;
    assert!(frame["type"] == "execution" || frame["type"] == "event", "the new right counts: {frame}");
    assert_eq!(left.closed().await.0, 4401, "the old secret has ended");
    let id = world.start(&workflow, json!({})).await.id();
    loop {
        let frame = kept.frame().await;
        if frame["event"]["subject"] == json!(id) {
            break;
        }
    }
}

#[tokio::test]
async fn anothers_token_or_a_bad_one_ends_a_socket() {
    let (world, workflow) = waiting().await;
    let other = world.someone(&["workflows:read"]).await.token.unwrap();
    for token in [other.as_str(), "nonsense", "a b"] {
        let mut socket = Socket::open(&world, &path(&workflow)).await;
        socket.say(json!({"type": "auth", "token": token})).await;
        assert_eq!(socket.closed().await, closed(4401, "auth.invalid_token"), "{token}");
    }
}

#[tokio::test]
async fn what_is_no_text_closes_a_socket() {
    let (world, workflow) = waiting().await;
    let mut socket = Socket::open(&world, &path(&workflow)).await;
    socket.send(Message::Binary(Bytes::from_static(b"{\"type\":\"run_workflow\"}"))).await;
    assert_eq!(socket.closed().await.0, 1003);
    let mut socket = Socket::open(&world, &path(&workflow)).await;
    let text = json!({"type": "run_workflow", "input": {"text": "a".repeat(5 << 20)}}).to_string();
    socket.send(Message::Text(text.into())).await;
    assert_eq!(socket.closed().await.0, 1009, "over server.body_limit");
    // Not UTF-8; not masked; an opcode that there is not.
    for (frame, code) in [
        (&[0x81_u8, 0x82, 0, 0, 0, 0, 0xff, 0xfe][..], 1007),
        (&[0x81, 0x02, b'{', b'}'], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
    ] {
        let mut socket = Socket::open(&world, &path(&workflow)).await;
        socket.ready().await;
        socket.inner.get_mut().write_all(frame).await.unwrap();
        assert_eq!(socket.closed().await.0, code, "{frame:?}");
    }
    assert_eq!(world.get(&format!("/api/workflows/{workflow}/executions")).await.items().len(), 0);
}

/// A frame of a client's, whose mask is zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
        frame.push(0x80 | short);
    } else {
        // 126: the length is in the next two bytes.
        frame.push(0xfe);
        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn a_message_may_come_in_parts_with_pings_between_them() {
    let (world, workflow) = waiting().await;
    let mut socket = Socket::open(&world, &path(&workflow)).await;
    socket.ready().await;
    let text = br#"{"type":"run_workflow","request_id":"7"}"#;
    let mut bytes = masked(0x01, &text[..1]);
    for byte in &text[1..text.len() - 1] {
        bytes.extend(masked(0x89, b"ping"));
        bytes.extend(masked(0x00, &[]));
        bytes.extend(masked(0x00, &[*byte]));
    }
    bytes.extend(masked(0x80, &text[text.len() - 1..]));
    socket.inner.get_mut().write_all(&bytes).await.unwrap();
    while socket.frame().await["request_id"] != "7" {}
}

#[tokio::test]
async fn frames_that_are_too_much_close_a_socket() {
    let (world, workflow) = waiting().await;
    let huge_length = [vec![0x81, 0xff], (1_u64 << 40).to_be_bytes().to_vec(), vec![0; 4]].concat();
    // More parts than one message may have bytes: 4 MiB.
    let mut parts = masked(0x01, &"a".repeat(60_000).into_bytes());
    for _ in 0..75 {
        parts.extend(masked(0x00, &"a".repeat(60_000).into_bytes()));
    }
    for (what, bytes, code) in [
        ("a length that nobody has", huge_length, 1009),
        ("parts without end", parts, 1009),
        ("a long ping", masked(0x89, &[0; 126]), 1002),
        ("a ping in parts", masked(0x09, b""), 1002),
        ("a part of nothing", masked(0x80, b"{}"), 1002),
        ("a new message within one", [masked(0x01, b"{"), masked(0x81, b"}")].concat(), 1002),
        ("reserved bits", masked(0xc1, b"{}"), 1002),
    ] {
        let mut socket = Socket::open(&world, &path(&workflow)).await;
        socket.ready().await;
        // It may be closed before all of it is written.
        let _ = socket.inner.get_mut().write_all(&bytes).await;
        assert_eq!(socket.closed().await.0, code, "{what}");
    }
    world.get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn a_flood_of_pings_holds_up_nothing() {
    let (world, workflow) = waiting().await;
    let (mut socket, mut other) =
        (Socket::open(&world, &path(&workflow)).await, Socket::open(&world, &path(&workflow)).await);
    socket.ready().await;
    other.ready().await;
    let mut flood = masked(0x89, &[7; 125]).repeat(100_000);
    flood.extend(masked(0x81, br#"{"type":"run_workflow","request_id":"7"}"#));
    let begun = Instant::now();
    // Nobody reads the pongs: the gate does not keep them either.
    let writing = async { tokio::time::timeout(DEADLINE, socket.inner.get_mut().write_all(&flood)).await };
    let (written, event) = tokio::join!(writing, other.event());
    assert!(written.is_ok_and(|written| written.is_ok()), "it is read on");
    assert_eq!(event["type"], "execution.started", "the command behind them was done");
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_closes_a_socket_and_gets_an_answer() {
    let (world, workflow) = waiting().await;
    let mut socket = Socket::open(&world, &path(&workflow)).await;
    socket.ready().await;
    let begun = Instant::now();
    socket.inner.close(None).await.unwrap();
    assert_eq!(socket.next().await, Said::Closed(1005, String::new()), "its own close, given back");
    assert_eq!(socket.next().await, Said::Cut);
    assert!(begun.elapsed() < Duration::from_millis(800), "{:?}", begun.elapsed());
    drop(Socket::open(&world, &path(&workflow)).await);
    world.get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn sockets_end_with_the_gate() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT)]);
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear("p", &[&service("work")])).await;
    let mut socket = Socket::open(&world, &path(&workflow)).await;
    // One whose client neither reads nor answers.
    let _dumb = Socket::open(&world, &path(&workflow)).await;
    socket.ready().await;
    let begun = Instant::now();
    gate.stop();
    assert_eq!(socket.closed().await.0, 1001);
    assert_eq!(gate.ended(), Some(0), "its exit code");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn without_a_token_a_page_of_another_origin_is_refused() {
    let gate = Gate::with(&[
        ("TIDEGATE_AUTH__MODE", "disabled"),
        ("TIDEGATE_SERVER__CORS_ALLOW_ORIGINS", "https://app.example"),
    ]);
    let anonymous = gate.anonymous();
    anonymous.post("/api/workspaces", json!({"id": "demo"})).await.is(201);
    let resources = json!([{"name": "m.bpmn", "content": linear("p", &[])}]);
    let wish = json!({"workspace_id": "demo", "resources": resources});
    let deployed = anonymous.post("/api/deployments", wish).await.is(201);
    let url = path(deployed["processes"][0]["workflow_id"].as_str().unwrap());
    let own = format!("http://127.0.0.1:{}", gate.port());
    for origin in [own.as_str(), "https://app.example"] {
        Socket::with(&gate, &url, &[("origin", origin)]).await.ready().await;
    }
    Socket::with(&gate, &url, &[]).await.ready().await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let mut socket = Socket::with(&gate, &url, &[("origin", origin)]).await;
        assert_eq!(socket.closed().await, closed(4403, "request.origin_forbidden"), "{origin}");
    }
    let (world, workflow) = waiting().await;
    let bearer = format!("Bearer {}", world.token.clone().unwrap());
    let headers = [("authorization", bearer.as_str()), ("origin", "https://evil.example")];
    Socket::with(&world.gate, &path(&workflow), &headers).await.ready().await;
}

#[tokio::test]
async fn what_comes_right_behind_the_handshake_is_not_lost() {
    let (world, workflow) = waiting().await;
    let mut connection = TcpStream::connect(("127.0.0.1", world.gate.port())).await.unwrap();
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        path(&workflow),
        world.token.clone().unwrap()
    )
    .into_bytes();
    // A masked close (1000) in the same packet.
    request.extend([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
    connection.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(DEADLINE, connection.read_to_end(&mut answer)).await.expect("an end").unwrap();
    let head = String::from_utf8_lossy(&answer);
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the RFC's own example: {head}");
    assert_eq!(answer[answer.len() - 4..], [0x88, 0x02, 0x03, 0xe8], "{head}");
}
