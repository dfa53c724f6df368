//! What clients should not send, and some do.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    models::{choice, file, flow, linear, process, service},
    world::World,
};

const WORKFLOWS: &str = "/api/workflows";

#[tokio::test]
async fn malformed_json_is_unreadable() {
    let world = World::new().await;
    let deep = format!("{{\"workspace_id\":\"x\",\"name\":{}{}}}", "[".repeat(101), "]".repeat(101));
    let very_deep = "[".repeat(500_000);
    let cases: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"".to_vec(),
        b"{\"workspace_id\":\"x\",}".to_vec(),
        b"{'a':1}".to_vec(),
        b"{\"a\":1} x".to_vec(),
        b"{\"workspace_id\":\"x\",\"name\":\"a\",\"name\":\"b\"}".to_vec(),
        b"\xef\xbb\xbf{".to_vec(),
        b"{\"workspace_id\":\"\xff\"}".to_vec(),
        b"{\"name\":\"\\ud800\"}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"5".to_vec(),
        b"{\"workspace_id\":NaN}".to_vec(),
        deep.into_bytes(),
        very_deep.into_bytes(),
    ];
    for body in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let refused = world.ask(Method::POST, WORKFLOWS).raw(body).await;
        assert_eq!(
            (refused.status, refused["code"].as_str()),
            (400, Some("request.invalid")),
            "{shown}: {}",
            refused.text
        );
        refused.complete_problem();
    }
}

#[tokio::test]
async fn values_of_the_wrong_kind_are_named() {
    let world = World::new().await;
    for (body, pointer) in [
        (json!({"workspace_id": world.id, "name": 5}), "/name"),
        (json!({"workspace_id": [world.id], "name": "x"}), "/workspace_id"),
        (json!({"workspace_id": world.id, "name": "x", "colour": 1}), "/colour"),
        (json!({"workspace_id": world.id}), "/name"),
    ] {
        let refused = world.post(WORKFLOWS, body).await;
        let problem = refused.problem(400, "request.invalid");
        let errors = problem["errors"].to_string();
        assert!(errors.contains(pointer) || errors.contains(&pointer[1..]), "{pointer} in {problem}");
    }
    for name in [String::new(), "x".repeat(201), "a\0b".to_owned()] {
        let refused = world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": name})).await;
        refused.problem(422, "request.invalid");
    }
}

#[tokio::test]
async fn numbers_that_cannot_be_kept_are_refused() {
    let (world, _) = World::running(&linear("p", &[&service("work")])).await;
    for number in [
        "12345678901234567890123456789012345",
        "1e6145",
        "0.12345678901234567890123456789012345",
        "123456789012345678901234567890123456789.5",
    ] {
        let body = format!("{{\"n\":{number}}}");
        let refused = world.ask(Method::POST, "/api/process/p/async").raw(body).await;
        refused.problem(422, "request.invalid");
    }
    let nul = world.post("/api/process/p/async", json!({"text": "a\u{0}b"})).await;
    nul.problem(422, "request.invalid");
    world.post("/api/process/p/async", json!({"\u{0}": 1})).await.problem(422, "request.invalid");
}

#[tokio::test]
async fn only_json_is_read() {
    let world = World::new().await;
    let body = json!({"workspace_id": world.id, "name": "typed"}).to_string();
    for kind in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let refused = world.ask(Method::POST, WORKFLOWS).header("Content-Type", kind).bytes(body.clone()).await;
        refused.problem(415, "request.unsupported_media_type");
    }
    world.ask(Method::POST, WORKFLOWS).bytes(body.clone()).await.is(201);
    let charset = world.ask(Method::POST, WORKFLOWS).header("Content-Type", "Application/JSON; charset=utf-8");
    charset.bytes(body).await.problem(409, "workflow.name_taken");
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_turned_away() {
    let world = World::new().await;
    let body = format!("{{\"workspace_id\":\"{}\",\"name\":\"{}\"}}", world.id, "x".repeat(10 << 20));
    let refused = world.ask(Method::POST, WORKFLOWS).raw(body.clone()).await;
    assert_eq!(refused.status, 413, "{}", refused.text);
    refused.complete_problem();
    // A stranger is not read at all, and still gets an answer.
    world.gate.anonymous().ask(Method::POST, WORKFLOWS).raw(body).await.problem(401, "auth.missing_token");
    let fits = json!({"workspace_id": world.id, "resources": [{"name": "m.bpmn", "content": "x".repeat(3 << 20)}]});
    world.post("/api/deployments", fits).await.problem(422, "deployment.rejected");
}

fn connect(world: &World) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", world.gate.port())).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// The head of what the gate answers to these bytes. It may have hung up by then, which is an answer too.
fn speak(world: &World, request: &[u8]) -> String {
    let mut socket = connect(world);
    let _ = socket.write_all(request);
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(length) = socket.read(&mut piece) {
        answer.extend_from_slice(&piece[..length]);
        if length == 0 || answer.windows(4).any(|four| four == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn chunked_bodies_are_counted_as_they_come() {
    let world = World::new().await;
    let token = world.token.clone().unwrap();
    let mut request = format!(
        "POST {WORKFLOWS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20)).into_bytes();
    for _ in 0..6 {
        request.extend_from_slice(&chunk);
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let answer = speak(&world, &request);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn broken_requests_end_in_a_refusal_and_nothing_else() {
    let world = World::new().await;
    for request in [
        &b"NONSENSE\r\n\r\n"[..],
        b"GET /api/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /api/%ff%fe/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/workflows HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET http://evil.example/api/whoami HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = speak(&world, request);
        assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{answer}");
    }
    world.get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_a_whole_command() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let token = world.token.clone().unwrap();
    let request = format!(
        "POST /api/workflows/{workflow}/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Prefer: wait=30\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let mut socket = connect(&world);
    socket.write_all(request.as_bytes()).unwrap();
    let job = super::gate::until("the job of the client that left", || async { world.jobs("work").await.pop() }).await;
    drop(socket);
    world.complete(&job, json!({})).await;
    let told = world.events_with(&workflow, "execution.completed").await;
    assert_eq!(told.len(), 5);
    // Half a request starts nothing.
    let half = &request[..request.len() - 1];
    let mut socket = connect(&world);
    socket.write_all(half.as_bytes()).unwrap();
    drop(socket);
    world.get("/api/whoami").await.is(200);
    assert_eq!(world.all(&format!("/api/workflows/{workflow}/executions")).await.len(), 1);
}

/// A gateway that always leads back to itself.
fn endless(key: &str) -> String {
    file(&process(
        key,
        &format!(
            "<bpmn:startEvent id=\"start\" />{}<bpmn:task id=\"a\" />{}<bpmn:task id=\"b\" />{}",
            flow("start", "a"),
            flow("a", "b"),
            flow("b", "a")
        ),
    ))
}

#[tokio::test]
async fn an_endless_loop_is_stopped_while_others_are_served() {
    let (world, workflow) = World::running(&endless("p")).await;
    let started = world.start(&workflow, json!({})).await;
    let other = World::new().await;
    let quick = other.deploy(&linear("quick", &[])).await;
    let instance = started.str("process_instance_id").to_owned();
    let end = Instant::now() + Duration::from_secs(30);
    let mut slowest = Duration::ZERO;
    let incidents = loop {
        let begun = Instant::now();
        assert_eq!(other.start(&quick, json!({})).await.str("status"), "completed");
        slowest = slowest.max(begun.elapsed());
        let incidents = world.incidents(&instance).await;
        if !incidents.is_empty() {
            break incidents;
        }
        assert!(Instant::now() < end, "it still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(incidents.len(), 1);
    assert!(slowest < Duration::from_secs(2), "others waited {slowest:?}");
    world.post(&format!("/api/executions/{}/cancel", started.id()), json!({})).await.is(200);
}

#[tokio::test]
async fn a_tree_of_tokens_does_not_stop_the_gate() {
    // Each turn of the loop forks: two, four, eight …
    let model = file(&process(
        "p",
        &format!(
            "<bpmn:startEvent id=\"start\" />{}<bpmn:task id=\"a\" />\
             <bpmn:sequenceFlow id=\"one\" sourceRef=\"a\" targetRef=\"a\" />\
             <bpmn:sequenceFlow id=\"two\" sourceRef=\"a\" targetRef=\"a\" />",
            flow("start", "a")
        ),
    ));
    let world = World::new().await;
    let deployed = world.try_deploy(&model).await;
    if deployed.status == 422 {
        return;
    }
    let workflow = deployed.is(201)["processes"][0]["workflow_id"].as_str().unwrap().to_owned();
    let started = world.start(&workflow, json!({})).await;
    let begun = Instant::now();
    world.get("/api/whoami").await.is(200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let instance = started.str("process_instance_id").to_owned();
    super::gate::until("an incident", || async { world.incidents(&instance).await.pop() }).await;
    world.post(&format!("/api/executions/{}/cancel", started.id()), json!({})).await.is(200);
}

#[tokio::test]
async fn hostile_expressions_are_refused_or_become_incidents() {
    let world = World::new().await;
    let sum = format!("={}1", "1+".repeat(900));
    let parens = format!("={}1{} = 1", "(".repeat(900), ")".repeat(900));
    let nots = format!("${{{}true}}", "!".repeat(1900));
    let hostile = [
        sum.as_str(),
        &parens,
        &nots,
        "=count(for i in 1..3000000 return i) &gt; 1",
        "=count(for i in 1..100000, j in 1..100000 return i) &gt; 1",
        "=matches(string join(for i in 1..1000 return &quot;a&quot;), &quot;(a+)+$b&quot;)",
        "=2 ** 1000000000 &gt; 1",
        "${1 / 0 == 1}",
        "${''.getClass().forName('java.lang.Runtime')}",
        "=function(x) external {java: {class: &quot;java.lang.Math&quot;}}",
    ];
    for (number, condition) in hostile.into_iter().enumerate() {
        let begun = Instant::now();
        let deployed = world.try_deploy(&choice(&format!("p{number}"), condition, true)).await;
        if deployed.status == 422 {
            deployed.problem(422, "deployment.rejected");
        } else {
            let workflow = deployed.is(201)["processes"][0]["workflow_id"].as_str().unwrap().to_owned();
            let started = world.start(&workflow, json!({"x": 1})).await;
            assert!(["running", "completed"].contains(&started.str("status")), "{}", started.text);
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{condition}: {:?}", begun.elapsed());
    }
    world.get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn many_clients_at_once_are_all_served() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let path = format!("{WORKFLOWS}/{workflow}/executions");
    let answers = futures_util::future::join_all((0..100).map(|n| {
        let (world, path) = (&world, &path);
        async move { world.post(path, json!({"input": {"n": n}})).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer["status"] == "completed"));
    assert_eq!(world.all(&path).await.len(), 100);
}

#[tokio::test]
async fn lists_take_no_nonsense() {
    let world = World::new().await;
    for path in [WORKFLOWS, "/api/workspaces", "/api/deployments", "/api/userTask"] {
        for query in ["limit=x", "limit=-1", "limit=1.5", "nosuch=1", "cursor=nonsense", "cursor=%ff", "limit="] {
            let refused = world.get(&format!("{path}?{query}")).await;
            assert!([400, 422].contains(&refused.status), "{path}?{query}: {} {}", refused.status, refused.text);
            assert_eq!(refused.complete_problem()["code"], "request.invalid");
        }
        for limit in [0, 201, 100_000] {
            world.get(&format!("{path}?limit={limit}")).await.problem(422, "request.invalid");
        }
    }
    world.get(&format!("{WORKFLOWS}?limit=1&limit=2")).await.problem(400, "request.invalid");
}

#[tokio::test]
async fn lists_are_read_in_pages() {
    let world = World::new().await;
    for number in 0..7 {
        let name = format!("n{number}");
        world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": name})).await.is(201);
    }
    let whole = world.get(WORKFLOWS).await.is(200);
    assert_eq!((whole.items().len(), &whole["next_cursor"]), (7, &Value::Null));
    let (mut read, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = world.get(&format!("{WORKFLOWS}?limit=3{cursor}")).await.is(200);
        read.extend(page.items().to_vec());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        // What comes in between does not move the pages.
        let name = format!("late{}", read.len());
        world.post(WORKFLOWS, json!({"workspace_id": world.id, "name": name})).await.is(201);
    }
    assert_eq!(read, whole.items());
}
