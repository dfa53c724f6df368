//! Events: the whole story of an execution, numbered without gaps, read as history or live.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    gate::until,
    models::{linear, order, service},
    stream::Stream,
    world::{World, types},
};

fn path(workflow: &str) -> String {
    format!("/api/workflows/{workflow}/events")
}

fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["sequence"].as_u64().unwrap()).collect()
}

/// A workflow whose channel has told of its deployment: what comes next is the test's doing.
async fn quiet() -> (World, String) {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    world.events_with(&workflow, "deployment.created").await;
    (world, workflow)
}

/// Runs one order of 120 to its end: the execution's id.
async fn run_order(world: &World, workflow: &str) -> String {
    let body = json!({"input": {"amount": 120}, "business_key": "A-1"});
    let id = world.post(&format!("/api/workflows/{workflow}/executions"), body).await.is(201).id();
    world.complete(&world.job("charge").await, json!({"charged": true})).await;
    let task = world.tasks("?taskDefinitionKey=approve").await.remove(0);
    let done = format!("/api/userTask/{}/complete", task["id"].as_str().unwrap());
    world.post(&done, json!({"approved": true})).await.is(204);
    world.complete(&world.job("ship").await, json!({})).await;
    id
}

#[tokio::test]
async fn an_order_tells_its_whole_story() {
    let (world, workflow) = World::running(&order("order")).await;
    let id = run_order(&world, &workflow).await;
    let events = world.events_with(&workflow, "execution.completed").await;
    let story = [
        "deployment.created",
        "execution.started",
        "job.created",
        "job.completed",
        "user_task.created",
        "user_task.completed",
        "job.created",
        "job.completed",
        "execution.completed",
    ];
    assert_eq!(types(&events), story);
    assert_eq!(sequences(&events), (1..=9).collect::<Vec<u64>>());
    let execution = world.execution(&id).await;
    for event in &events[1..] {
        assert_eq!((&event["specversion"], &event["datacontenttype"]), (&json!("1.0"), &json!("application/json")));
        assert_eq!(event["source"], format!("/workflows/{workflow}"));
        assert_eq!(event["subject"], json!(id));
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        assert_eq!(uuid::Uuid::parse_str(event["id"].as_str().unwrap()).unwrap().get_version_num(), 7);
        assert_eq!(event["data"]["execution_id"], json!(id), "{event}");
        assert_eq!(event["data"]["process_instance_id"], execution["process_instance_id"], "{event}");
    }
    for (at, element, topic) in
        [(2, "charge", "charge"), (3, "charge", "charge"), (6, "ship", "ship"), (7, "ship", "ship")]
    {
        let data = &events[at]["data"];
        assert_eq!((&data["element_id"], &data["topic"]), (&json!(element), &json!(topic)), "{data}");
        assert!(data["job_id"].as_str().unwrap().starts_with("embedded~"), "{data}");
    }
    assert_eq!(events[2]["data"]["job_id"], events[3]["data"]["job_id"]);
    for at in [4, 5] {
        assert_eq!(events[at]["data"]["element_id"], "approve");
        assert!(events[at]["data"]["task_id"].as_str().unwrap().starts_with("embedded~"));
    }
    let me = world.get("/api/whoami").await;
    let by = json!({"subject": me["subject"], "kind": me["kind"]});
    assert_eq!((&events[5]["data"]["completed_by"], events[4]["data"].get("completed_by")), (&by, None));
    let told = until("the completion in the audit", || async {
        let query = format!("/api/admin/audit-events?workspace_id={}&action=user_task.complete", world.id);
        let page = world.root.get(&query).await.is(200);
        page.items().first().cloned()
    })
    .await;
    assert_eq!(
        (&told["target"], &told["identity"]["subject"]),
        (&events[5]["data"]["task_id"], &me["subject"]),
        "{told}"
    );
    let result = json!({"amount": 120, "charged": true, "approved": true});
    assert_eq!(events[8]["data"]["result"], result);
    assert_eq!(execution["result"], result);
}

#[tokio::test]
async fn a_history_is_read_in_pages() {
    let (world, workflow) = World::running(&order("order")).await;
    run_order(&world, &workflow).await;
    let whole = world.events_with(&workflow, "execution.completed").await;
    let (mut read, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = world.get(&format!("{}?after={after}&limit=2", path(&workflow))).await.is(200);
        assert!(page.items().len() <= 2);
        read.extend(page.items().iter().cloned());
        match &page["next_cursor"] {
            Value::Null => break,
            Value::String(cursor) => after.clone_from(cursor),
            Value::Number(cursor) => after = cursor.to_string(),
            other => panic!("{other}"),
        }
    }
    assert_eq!(read, whole);
    let end = world.get(&format!("{}?after={}", path(&workflow), whole.len())).await.is(200);
    assert_eq!(end.items().len(), 0);
    for query in ["after=x", "after=-1", "limit=0", "limit=201", "limit=x", "nosuch=1"] {
        let refused = world.get(&format!("{}?{query}", path(&workflow))).await;
        assert!(refused.status == 400 || refused.status == 422, "{query}: {}", refused.text);
        assert_eq!(refused.complete_problem()["code"], "request.invalid", "{query}");
    }
}

#[tokio::test]
async fn one_executions_events_keep_the_channels_numbers() {
    let (world, workflow) = World::running(&order("order")).await;
    let first = run_order(&world, &workflow).await;
    let second = run_order(&world, &workflow).await;
    let of = async |id: &str| {
        let asked = format!("{}?execution_id={id}", path(&workflow));
        until("eight events", || async {
            let page = world.get(&asked).await.is(200);
            (page.items().len() == 8).then(|| page.items().to_vec())
        })
        .await
    };
    assert_eq!(sequences(&of(&first).await), (2..=9).collect::<Vec<u64>>());
    assert_eq!(sequences(&of(&second).await), (10..=17).collect::<Vec<u64>>());
    let none = format!("{}?execution_id=00000000-0000-7000-8000-000000000000", path(&workflow));
    let none = world.get(&none).await;
    assert!(none.status == 404 || none.items().is_empty(), "{}", none.text);
}

#[tokio::test]
async fn many_writers_leave_no_gap() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let starts = (0..20).map(|_| world.start(&workflow, json!({})));
    let ids: Vec<String> = futures_util::future::join_all(starts).await.iter().map(super::gate::Answer::id).collect();
    let jobs = world.jobs("work").await;
    assert_eq!(jobs.len(), 20);
    futures_util::future::join_all(jobs.iter().map(|job| world.complete(job, json!({})))).await;
    let events = until("all events", || async {
        let events = world.all_events(&workflow).await;
        (events.len() == 81).then_some(events)
    })
    .await;
    assert_eq!(sequences(&events), (1..=81).collect::<Vec<u64>>());
    for id in ids {
        let own: Vec<Value> = events.iter().filter(|event| event["subject"] == json!(id)).cloned().collect();
        assert_eq!(types(&own), ["execution.started", "job.created", "job.completed", "execution.completed"]);
    }
}

#[tokio::test]
async fn a_stream_shows_history_and_then_what_happens() {
    let (world, workflow) = World::running(&order("order")).await;
    run_order(&world, &workflow).await;
    let whole = world.events_with(&workflow, "execution.completed").await;
    let mut stream = Stream::open(world.get(&format!("{}?after=0", path(&workflow)))).await;
    let told = stream.take(9).await;
    for (told, event) in told.iter().zip(&whole) {
        assert_eq!((&told.data, &told.event), (event, &event["type"].as_str().unwrap().to_owned()));
        assert_eq!(told.id, event["sequence"].to_string());
    }
    run_order(&world, &workflow).await;
    let ids: Vec<String> = stream.take(8).await.into_iter().map(|told| told.id).collect();
    assert_eq!(ids, (10..=17).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_begins_now_unless_told_otherwise() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    world.start(&workflow, json!({})).await;
    world.events_with(&workflow, "job.created").await;
    let mut stream = Stream::open(world.get(&path(&workflow))).await;
    let started = world.start(&workflow, json!({})).await;
    let told = stream.take(2).await;
    assert_eq!((told[0].id.as_str(), told[0].event.as_str()), ("4", "execution.started"));
    assert_eq!(told[0].data["subject"], started["id"]);
}

#[tokio::test]
async fn a_stream_resumes_where_it_broke_off() {
    let (world, workflow) = World::running(&order("order")).await;
    run_order(&world, &workflow).await;
    world.events_with(&workflow, "execution.completed").await;
    let url = format!("{}?after=1", path(&workflow));
    let mut stream = Stream::open(world.get(&url).header("Last-Event-ID", "6")).await;
    let ids: Vec<String> = stream.take(3).await.into_iter().map(|told| told.id).collect();
    assert_eq!(ids, ["7", "8", "9"]);
    assert!(stream.is_silent().await);
    let mut stream = Stream::open(world.get(&path(&workflow)).header("Last-Event-ID", "9")).await;
    assert!(stream.is_silent().await);
}

#[tokio::test]
async fn a_stream_can_follow_one_execution() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    world.start(&workflow, json!({})).await;
    let mine = world.start(&workflow, json!({})).await.id();
    let mut stream = Stream::open(world.get(&format!("{}?after=0&execution_id={mine}", path(&workflow)))).await;
    world.start(&workflow, json!({})).await;
    for job in world.jobs("work").await {
        world.complete(&job, json!({})).await;
    }
    let told = stream.take(4).await;
    assert!(told.iter().all(|told| told.data["subject"] == json!(mine)), "{told:?}");
    assert_eq!(told[3].event, "execution.completed");
    assert!(stream.is_silent().await);
}

#[tokio::test]
async fn a_position_that_is_none_is_refused() {
    let (world, workflow) = quiet().await;
    let stream = |query: &str| world.get(&format!("{}{query}", path(&workflow))).header("Accept", "text/event-stream");
    stream("?after=1000").await.problem(400, "events.position_unknown");
    stream("").header("Last-Event-ID", "1000").await.problem(400, "events.position_unknown");
    for position in ["x", "-1", "1.5", "99999999999999999999999999"] {
        let refused = stream("").header("Last-Event-ID", position).await;
        assert_eq!(refused.status, 400, "{position}: {}", refused.text);
        refused.complete_problem();
        let refused = stream(&format!("?after={position}")).await;
        assert_eq!(refused.status, 400, "{position}: {}", refused.text);
    }
    stream("?after=1000").header("Last-Event-ID", "0").open().await.error_for_status().unwrap();
}

#[tokio::test]
async fn a_streams_headers_come_at_once() {
    let (world, workflow) = quiet().await;
    let begun = Instant::now();
    let stream = Stream::open(world.get(&path(&workflow))).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(stream);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let (world, workflow) = quiet().await;
    let order = json!({"scopes": ["workflows:read"], "workspace_ids": [world.id]});
    let minted = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let reader = world.gate.caller(minted.str("secret"));
    let mut stream = Stream::open(reader.get(&path(&workflow))).await;
    let mut other = Stream::open(world.get(&path(&workflow))).await;
    let token = format!("/api/admin/service-tokens/{}", minted.str("identifier"));
    world.root.delete(&token).await.is(204);
    let begun = Instant::now();
    assert!(stream.next().await.is_none());
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert!(other.is_silent().await);
    world.start(&workflow, json!({})).await;
    assert_eq!(other.take(1).await[0].event, "execution.started");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let (world, workflow) = quiet().await;
    let order = json!({"scopes": ["workflows:read"], "workspace_ids": [world.id], "expires_in_seconds": 1});
    let minted = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let mut stream = Stream::open(world.gate.caller(minted.str("secret")).get(&path(&workflow))).await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_when_a_rotation_ends_its_secret() {
    let (world, workflow) = quiet().await;
    let order = json!({"scopes": ["workflows:read"], "workspace_ids": [world.id]});
    let minted = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let mut stream = Stream::open(world.gate.caller(minted.str("secret")).get(&path(&workflow))).await;
    let rotate = format!("/api/admin/service-tokens/{}/rotate", minted.str("identifier"));
    world.root.post(&rotate, json!({"overlap_seconds": 0})).await.is(200);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_browser_hands_its_token_in_the_query() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let (stranger, token) = (world.gate.anonymous(), world.token.clone().unwrap());
    for name in ["token", "access_token"] {
        let url = format!("{}?after=0&{name}={token}", path(&workflow));
        let mut stream = Stream::open(stranger.get(&url)).await;
        assert_eq!(stream.take(1).await[0].event, "deployment.created");
        let twice = world.get(&url).header("Accept", "text/event-stream").await;
        twice.problem(401, "auth.invalid_token");
        assert!(!twice.text.contains(&token), "{}", twice.text);
    }
    let wrong = format!("{}?token=nonsense", path(&workflow));
    stranger.get(&wrong).header("Accept", "text/event-stream").await.problem(401, "auth.invalid_token");
    let elsewhere = stranger.get(&format!("/api/workflows?token={token}")).await;
    assert!(elsewhere.status == 401 || elsewhere.status == 400, "{}", elsewhere.text);
    let log = std::fs::read_to_string(world.gate.folder().join("log")).unwrap();
    assert!(!log.contains(&token), "the log holds a token");
}

#[tokio::test]
async fn a_channel_is_shut_to_others() {
    let ((world, workflow), other) = (World::running(&linear("p", &[])).await, World::new().await);
    other.get(&path(&workflow)).header("Accept", "text/event-stream").await.problem(404, "workflow.not_found");
    other.get(&path(&workflow)).await.problem(404, "workflow.not_found");
    let worker = world.someone(&["jobs:work"]).await;
    worker.get(&path(&workflow)).header("Accept", "text/event-stream").await.problem(403, "auth.missing_scope");
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_with_its_cursor() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let large = "x".repeat(3 << 20);
    for _ in 0..4 {
        world.start(&workflow, json!({"text": large})).await.is(201);
    }
    let page = async |after: &str| world.get(&format!("{}?limit=200&after={after}", path(&workflow))).await.is(200);
    let (mut after, mut read) = ("0".to_owned(), Vec::new());
    while read.iter().filter(|kind| *kind == "execution.completed").count() < 4 {
        let part = page(&after).await;
        assert!(part.text.len() < (9 << 20), "{} bytes", part.text.len());
        read.extend(part.items().iter().map(|event| event["type"].as_str().unwrap().to_owned()));
        if let Some(cursor) = part["next_cursor"].as_str() {
            cursor.clone_into(&mut after);
        }
    }
    assert_eq!(read.iter().filter(|kind| *kind == "execution.started").count(), 4, "{read:?}");
}
