//! Deployments: whole files, versions, and what is refused with its line.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    models::{choice, file, linear, order, process, renamed, service, steps, timer, user},
    world::{World, types},
};

const DEPLOYMENTS: &str = "/api/deployments";

#[tokio::test]
async fn a_file_becomes_a_workflow_and_a_version() {
    let world = World::new().await;
    let made = world.try_deploy(&order("order")).await.is(201);
    assert_eq!((made.str("workspace_id"), made.str("engine")), (world.id.as_str(), "embedded"));
    assert!(made.str("created_at").ends_with('Z') && made["created_by"].is_string() || made["created_by"].is_object());
    let process = &made["processes"][0];
    let workflow = process["workflow_id"].as_str().unwrap();
    let expected =
        json!({"process_definition_key": "order", "version": 1, "workflow_id": workflow, "resource": "model.bpmn"});
    assert_eq!(*process, expected);
    let path = format!("{DEPLOYMENTS}/{}", made.id());
    assert_eq!(made.header("location"), path);
    let single = world.get(&path).await.is(200);
    assert_eq!(single["resources"], json!([{"name": "model.bpmn", "content": order("order")}]));
    let mut rest = single.body.clone();
    rest.as_object_mut().unwrap().remove("resources");
    assert_eq!(rest, made.body);
    let made_for_it = world.get(&format!("/api/workflows/{workflow}")).await.is(200);
    assert_eq!((made_for_it.str("name"), made_for_it.str("process_definition_key")), ("order", "order"));
    let latest = &made_for_it["latest_deployment"];
    assert_eq!((&latest["id"], &latest["version"]), (&made["id"], &json!(1)));
    let told = world.events_with(workflow, "deployment.created").await;
    assert_eq!(types(&told), ["deployment.created"]);
    assert_eq!(told[0]["subject"], made["id"]);
}

#[tokio::test]
async fn the_same_bytes_again_change_nothing() {
    let world = World::new().await;
    let first = world.try_deploy(&order("order")).await.is(201);
    let workflow = first["processes"][0]["workflow_id"].as_str().unwrap().to_owned();
    let again = world.try_deploy(&order("order")).await.is(201);
    assert_eq!(again["processes"][0]["version"], 1);
    assert_eq!(again["processes"][0]["workflow_id"], json!(workflow));
    let second = world.try_deploy(&(order("order") + "\n")).await.is(201);
    assert_eq!(second["processes"][0]["version"], 2);
    assert_eq!(second["processes"][0]["workflow_id"], json!(workflow));
    let told = super::gate::until("two deployments in the channel", || async {
        let told = world.events(&workflow).await;
        (told.len() >= 2).then_some(told)
    })
    .await;
    assert_eq!(types(&told), ["deployment.created", "deployment.created"]);
    assert_eq!(told[1]["subject"], second["id"]);
    let shown = world.get(&format!("/api/workflows/{workflow}")).await.is(200);
    assert_eq!(shown["latest_deployment"]["version"], 2);
}

#[tokio::test]
async fn running_instances_stay_on_their_version() {
    let world = World::new().await;
    let workflow = world.deploy(&linear("p", &[&service("first"), &service("old")])).await;
    let execution = world.start(&workflow, json!({})).await.id();
    world.deploy(&linear("p", &[&service("first"), &service("new")])).await;
    world.start(&workflow, json!({})).await;
    for job in world.jobs("first").await {
        world.complete(&job, json!({})).await;
    }
    let old = world.job("old").await;
    world.complete(&old, json!({})).await;
    world.ended(&execution, "completed").await;
    world.job("new").await;
}

#[tokio::test]
async fn every_executable_process_of_a_file_is_deployed() {
    let world = World::new().await;
    let (a, b) = (process("a", &steps(&[&service("x")])), process("b", &renamed(&steps(&[]), "_b")));
    let documented = process("c", &renamed(&steps(&[]), "_c")).replace("\"true\"", "\"false\"");
    let made = world.try_deploy(&file(&format!("{a}{b}{documented}"))).await.is(201);
    let keys: Vec<&Value> =
        made["processes"].as_array().unwrap().iter().map(|process| &process["process_definition_key"]).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(world.all("/api/workflows").await.len(), 2);
    let listed = world.all(&format!("{DEPLOYMENTS}?workspace_id={}", world.id)).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], made["id"]);
    assert!(listed[0].get("resources").is_none());
}

#[tokio::test]
async fn several_files_deploy_as_one() {
    let world = World::new().await;
    let resources =
        json!([{"name": "a.bpmn", "content": linear("a", &[])}, {"name": "b.bpmn", "content": linear("b", &[])}]);
    let made = world.post(DEPLOYMENTS, json!({"workspace_id": world.id, "resources": resources})).await.is(201);
    let named: Vec<&Value> = made["processes"].as_array().unwrap().iter().map(|process| &process["resource"]).collect();
    assert_eq!(named, ["a.bpmn", "b.bpmn"]);
    let workflow = made["processes"][0]["workflow_id"].as_str().unwrap();
    let mine = world.all(&format!("{DEPLOYMENTS}?workflow_id={workflow}")).await;
    assert_eq!(mine.len(), 1);
    let twice =
        json!([{"name": "a.bpmn", "content": linear("z", &[])}, {"name": "b.bpmn", "content": linear("z", &[])}]);
    let refused = world.post(DEPLOYMENTS, json!({"workspace_id": world.id, "resources": twice})).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let half = json!([{"name": "a.bpmn", "content": linear("y", &[])}, {"name": "b.bpmn", "content": "<no"}]);
    let refused = world.post(DEPLOYMENTS, json!({"workspace_id": world.id, "resources": half})).await;
    refused.problem(422, "deployment.rejected");
    assert_eq!(world.all("/api/workflows?name=y").await.len(), 0, "half a deployment stands");
}

#[tokio::test]
async fn a_taken_name_gets_a_number() {
    let world = World::new().await;
    for name in ["order", "order-2"] {
        let other = json!({"workspace_id": world.id, "name": name, "process_definition_key": format!("not-{name}")});
        world.post("/api/workflows", other).await.is(201);
    }
    let workflow = world.deploy(&order("order")).await;
    assert_eq!(world.get(&format!("/api/workflows/{workflow}")).await.is(200)["name"], "order-3");
}

#[tokio::test]
async fn a_deployment_binds_the_workflow_that_it_names() {
    let world = World::new().await;
    let made = world.post("/api/workflows", json!({"workspace_id": world.id, "name": "mine"})).await.is(201);
    let deploy = |workflow: &str, model: String| json!({"workspace_id": world.id, "workflow_id": workflow, "resources": [{"name": "m.bpmn", "content": model}]});
    let bound = world.post(DEPLOYMENTS, deploy(&made.id(), order("order"))).await.is(201);
    assert_eq!(bound["processes"][0]["workflow_id"], made["id"]);
    let shown = world.get(&format!("/api/workflows/{}", made.id())).await.is(200);
    assert_eq!((shown.str("name"), shown.str("process_definition_key")), ("mine", "order"));
    let other = world.post("/api/workflows", json!({"workspace_id": world.id, "name": "other"})).await.is(201);
    let taken = world.post(DEPLOYMENTS, deploy(&other.id(), order("order"))).await;
    taken.problem(409, "workflow.process_taken");
    let two = file(&(process("a", &steps(&[])) + &process("b", &renamed(&steps(&[]), "_b"))));
    let refused = world.post(DEPLOYMENTS, deploy(&other.id(), two)).await;
    assert!((400..=422).contains(&refused.status), "{}", refused.text);
    refused.complete_problem();
    assert_eq!(world.all("/api/workflows").await.len(), 2);
    let unknown = world.post(DEPLOYMENTS, deploy("00000000-0000-7000-8000-000000000000", order("x"))).await;
    unknown.problem(404, "workflow.not_found");
}

/// The errors of a file that is refused. Each has a place and a sentence.
async fn refused(world: &World, model: &str) -> Vec<Value> {
    let refused = world.try_deploy(model).await;
    let errors = refused.problem(422, "deployment.rejected")["errors"].as_array().unwrap().clone();
    assert!(!errors.is_empty());
    for error in &errors {
        assert_eq!(error["resource"], "model.bpmn", "{error}");
        assert!(error["line"].as_u64().is_some_and(|line| line >= 1), "{error}");
        assert!(error["column"].as_u64().is_some_and(|column| column >= 1), "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 5), "{error}");
    }
    assert_eq!(world.all(DEPLOYMENTS).await.len(), 0);
    errors
}

#[tokio::test]
async fn what_cannot_run_is_refused_with_its_lines() {
    let world = World::new().await;
    let model = linear("p", &["<bpmn:transaction id=\"pay\" />", "<bpmn:complexGateway id=\"odd\" />", &service("ok")]);
    let errors = refused(&world, &model).await;
    for id in ["pay", "odd"] {
        let error =
            errors.iter().find(|error| error["element_id"] == id).unwrap_or_else(|| panic!("{id} in {errors:?}"));
        let line = model.lines().position(|line| line.contains(&format!("id=\"{id}\""))).unwrap() + 1;
        assert_eq!(error["line"], line, "{error}");
    }
    assert!(!errors.iter().any(|error| error["element_id"] == "ok"), "{errors:?}");
}

#[tokio::test]
async fn expressions_and_timers_are_parsed_at_deploy() {
    let world = World::new().await;
    let long = format!("${{{}}}", "1+".repeat(1500) + "1");
    for (model, element) in [
        (choice("p", "${amount &gt; }", true), "yes"),
        (choice("p", "= amount &gt; &gt; 3", true), "yes"),
        (choice("p", "${amount", true), "yes"),
        (choice("p", &long, true), "yes"),
        (linear("p", &[&timer("later", "ten minutes")]), "later"),
        (linear("p", &[&timer("later", "PT")]), "later"),
        (linear("p", &[&user("ask", "camunda:assignee=\"${who\"")]), "ask"),
    ] {
        let errors = refused(&world, &model).await;
        assert!(
            errors.iter().any(|error| error["element_id"].as_str().is_some_and(|id| id.starts_with(element))),
            "{element}: {errors:?}\n{model}"
        );
    }
}

#[tokio::test]
async fn a_broken_model_is_refused() {
    let world = World::new().await;
    let good = linear("p", &[&service("a")]);
    let unclosed = &good[..good.len() - 30];
    let dangling = good.replace("targetRef=\"end\"", "targetRef=\"nowhere\"");
    let twice = good.replace("id=\"end\"", "id=\"a\"");
    let none = good.replace("isExecutable=\"true\"", "isExecutable=\"false\"");
    let headless =
        good.replace("<bpmn:startEvent id=\"start\" />", "").replace("sourceRef=\"start\"", "sourceRef=\"end\"");
    let untyped = good.replace("camunda:type=\"external\" camunda:topic=\"a\"", "");
    let delegate = good.replace("camunda:type=\"external\" camunda:topic=\"a\"", "camunda:class=\"org.example.A\"");
    let cases =
        ["", " ", "no xml", "<html/>", unclosed, &dangling, &twice, &none, &headless, &untyped, &delegate, "{\"a\":1}"];
    for model in cases {
        let refused = world.try_deploy(model).await;
        assert_eq!(refused.status, 422, "{}\n{model}", refused.text);
        let body = refused.complete_problem();
        assert!(!body["errors"].as_array().unwrap().is_empty(), "{body}");
    }
    assert_eq!(world.all(DEPLOYMENTS).await.len(), 0);
}

#[tokio::test]
async fn an_encoding_declared_inside_a_string_is_ignored() {
    let world = World::new().await;
    let model = linear("p", &[&service("wörk")]).replace("UTF-8", "UTF-16");
    world.deploy(&model).await;
}

/// How long the fastest of a few deployments takes: what else runs on this machine is not the gate's doing.
async fn refused_within(world: &World, model: &str) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let refused = world.try_deploy(model).await;
        best = best.min(begun.elapsed());
        refused.problem(422, "deployment.rejected");
        assert!(refused.text.len() < 100_000, "{} bytes of answer", refused.text.len());
        assert!(!refused.text.contains("root:"), "{}", refused.text);
    }
    best
}

#[tokio::test]
async fn hostile_xml_is_rejected_at_once() {
    let world = World::new().await;
    let lol: String = (1..10).fold("<!ENTITY l0 \"lol\">".to_owned(), |text, level| {
        text + &format!("<!ENTITY l{level} \"{}\">", format!("&l{};", level - 1).repeat(10))
    });
    let attributes: Vec<String> = (0..100_000).map(|number| format!("a{number}=\"\"")).collect();
    let cases = [
        format!("<?xml version=\"1.0\"?><!DOCTYPE d [{lol}]><d>&l9;</d>"),
        "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><d>&x;</d>".to_owned(),
        "<!DOCTYPE d SYSTEM \"http://127.0.0.1:1/evil.dtd\"><d/>".to_owned(),
        file(&format!("<bpmn:process id=\"p\" isExecutable=\"true\" name=\"{}\" />", "a".repeat(1 << 20))),
        "<a>".repeat(200_000),
        "<a>".repeat(200_000) + &"</a>".repeat(200_000),
        format!("<a {}/>", attributes.join(" ")),
        "<a xmlns:b=\"c\">".repeat(150) + &"<d/>".repeat(40_000),
        file(&process("p", &"<bpmn:subProcess id=\"s\">".repeat(2000))),
        file(&process("p", &"<bpmn:task id=\"same\" />".repeat(20_000))),
    ];
    for model in cases {
        // Reading so long a request takes what it takes.
        let harmless = refused_within(&world, &"x".repeat(model.len())).await;
        let took = refused_within(&world, &model).await;
        let most = harmless * 2 + Duration::from_millis(200);
        assert!(took < most, "{took:?} against {harmless:?} for {}", &model[..60]);
    }
}

#[tokio::test]
async fn an_order_that_names_nothing_is_refused() {
    let world = World::new().await;
    let good = json!({"name": "a.bpmn", "content": linear("p", &[])});
    let deploy = |resources: Value| json!({"workspace_id": world.id, "resources": resources});
    let many: Vec<Value> = (0..21).map(|n| json!({"name": format!("{n}.bpmn"), "content": "x"})).collect();
    for resources in [json!([]), json!(many), json!([good, good]), json!([{"name": "", "content": "x"}])] {
        let refused = world.post(DEPLOYMENTS, deploy(resources)).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        refused.complete_problem();
    }
    for resources in [json!("x"), json!([{"name": "a"}]), json!([{"name": "a", "content": 5}]), Value::Null] {
        world.post(DEPLOYMENTS, deploy(resources)).await.problem(400, "request.invalid");
    }
    world.get(&format!("{DEPLOYMENTS}/nonsense")).await.problem(404, "deployment.not_found");
}

#[tokio::test]
async fn a_repeat_of_the_same_order_deploys_once() {
    let world = World::new().await;
    let body = json!({"workspace_id": world.id, "resources": [{"name": "m.bpmn", "content": order("order")}]});
    let first = world.post(DEPLOYMENTS, body.clone()).key("once").await.is(201);
    let again = world.post(DEPLOYMENTS, body).key("once").await.is(201);
    assert_eq!((again.id(), again.header("idempotency-replayed")), (first.id(), "true"));
    assert_eq!(again["processes"], first["processes"]);
}
