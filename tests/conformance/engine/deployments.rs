//! Deployments: what runs, what is refused, which version counts.

use serde_json::json;
use tidegate::{
    domain::execution::ExecutionStatus,
    ports::engine::{EngineError, ResourceError},
};

use super::{
    engines,
    model::{ONE_JOB, ONE_TASK, definitions, file, process},
    world::{DEMO, World, key, none, workspace},
};

engines!({
    every_executable_process_becomes_startable,
    the_same_bytes_keep_their_version,
    other_bytes_are_the_next_version,
    running_instances_keep_their_version,
    bytes_of_an_earlier_version_are_a_new_one,
    a_rejected_deployment_leaves_nothing_behind,
    the_errors_of_all_files_are_told_at_once,
    one_process_cannot_stand_in_two_files,
    hostile_files_are_refused,
    the_latest_version_can_be_read_back,
});

async fn every_executable_process_becomes_startable(world: World) {
    let two = definitions(
        "<:process id=\"one\" isExecutable=\"true\"><:startEvent id=\"a\"/></:process>
         <:process id=\"two\" isExecutable=\"true\"><:startEvent id=\"b\"/></:process>
         <:process id=\"sketch\" isExecutable=\"false\"><:startEvent id=\"c\"/></:process>",
    );
    let three = process("three", ONE_TASK);
    let deployed = world.deploy_files(DEMO, &[("two.bpmn", &two), ("three.bpmn", &three)]).await.unwrap();
    let deployed: Vec<_> =
        deployed.iter().map(|d| (d.process_key.as_str(), d.version, d.resource.as_str(), d.unchanged)).collect();
    assert_eq!(
        deployed,
        [("one", 1, "two.bpmn", false), ("two", 1, "two.bpmn", false), ("three", 1, "three.bpmn", false)]
    );
    assert_eq!(world.start("one", none()).await.status, ExecutionStatus::Completed);
    assert_eq!(world.start("two", none()).await.status, ExecutionStatus::Completed);
    assert_eq!(world.start("three", none()).await.status, ExecutionStatus::Running);
    let sketch = world.start_in(DEMO, "sketch", None, none()).await;
    assert!(matches!(sketch, Err(EngineError::UnknownDefinition { .. })), "{sketch:?}");
}

async fn the_same_bytes_keep_their_version(world: World) {
    let first = world.deploy(&file(ONE_JOB)).await;
    let second = world.deploy(&file(ONE_JOB)).await;
    assert_eq!((first[0].version, first[0].unchanged), (1, false));
    assert_eq!((second[0].version, second[0].unchanged), (1, true));
}

async fn other_bytes_are_the_next_version(world: World) {
    world.deploy(&file(ONE_JOB)).await;
    let second = world.deploy(&file(ONE_TASK)).await;
    assert_eq!((second[0].version, second[0].unchanged), (2, false));
    world.start("p", none()).await;
    assert_eq!((world.jobs().await.len(), world.tasks().await.len()), (0, 1));
}

async fn running_instances_keep_their_version(world: World) {
    let instance = world.run(ONE_JOB, none()).await;
    world.deploy(&file(ONE_TASK)).await;
    world.complete_job(&world.job().await, none()).await.unwrap();
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
    assert_eq!(world.tasks().await, []);
}

async fn bytes_of_an_earlier_version_are_a_new_one(world: World) {
    for (body, version) in [(ONE_JOB, 1), (ONE_TASK, 2), (ONE_JOB, 3)] {
        assert_eq!(world.deploy(&file(body)).await[0].version, version);
    }
    world.start("p", none()).await;
    assert_eq!(world.jobs().await.len(), 1);
}

fn rejected(outcome: Result<impl std::fmt::Debug, EngineError>) -> Vec<ResourceError> {
    match outcome {
        Err(EngineError::Rejected(errors)) => errors,
        other => panic!("{other:?}"),
    }
}

const UNSUPPORTED: &str = "<:startEvent id=\"start\"/>\n<:complexGateway id=\"odd\"/>\n@start -> odd";

async fn a_rejected_deployment_leaves_nothing_behind(world: World) {
    let (good, bad) = (process("good", ONE_JOB), process("bad", UNSUPPORTED));
    let errors = rejected(world.deploy_files(DEMO, &[("good.bpmn", &good), ("bad.bpmn", &bad)]).await);
    let error = &errors[0];
    assert_eq!((error.resource.as_str(), error.element_id.as_deref()), ("bad.bpmn", Some("odd")));
    assert!(error.line > 1 && error.column > 0 && !error.message.is_empty(), "{error:?}");
    let started = world.start_in(DEMO, "good", None, none()).await;
    assert!(matches!(started, Err(EngineError::UnknownDefinition { .. })), "{started:?}");
}

async fn the_errors_of_all_files_are_told_at_once(world: World) {
    let unreadable = process(
        "one",
        "<:startEvent id=\"start\"/>\n<:exclusiveGateway id=\"x\"/>\n<:endEvent id=\"end\"/>\n@start -> x\n@x -> end: ${1 +}",
    );
    let unsupported = process("two", UNSUPPORTED);
    let errors = rejected(
        world.deploy_files(DEMO, &[("1.bpmn", &unreadable), ("2.bpmn", &unsupported), ("3.bpmn", "no XML")]).await,
    );
    let mut named: Vec<_> = errors.iter().map(|error| error.resource.as_str()).collect();
    named.dedup();
    assert_eq!(named, ["1.bpmn", "2.bpmn", "3.bpmn"], "{errors:?}");
}

async fn one_process_cannot_stand_in_two_files(world: World) {
    let errors = rejected(world.deploy_files(DEMO, &[("1.bpmn", &file(ONE_JOB)), ("2.bpmn", &file(ONE_TASK))]).await);
    assert_eq!(errors.iter().map(|error| error.resource.as_str()).collect::<Vec<_>>(), ["2.bpmn"]);
}

async fn hostile_files_are_refused(world: World) {
    let entities =
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]><x>&b;</x>";
    let external = "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><x>&a;</x>";
    let deep = "<a>".repeat(200_000) + &"</a>".repeat(200_000);
    let long = format!("<x y=\"{}\"/>", "y".repeat(1024 * 1024));
    let many = "<x/>".repeat(500_000);
    for content in ["", "<", "\0", entities, external, &deep, &long, &many] {
        let errors = rejected(world.deploy_files(DEMO, &[("x.bpmn", content)]).await);
        assert!(
            errors.iter().all(|error| error.message.len() < 2_000 && !error.message.contains("root:")),
            "{errors:?}"
        );
    }
    assert_eq!(world.run(ONE_JOB, json!({})).await.status, ExecutionStatus::Running);
}

async fn the_latest_version_can_be_read_back(world: World) {
    let (demo, p) = (workspace(DEMO), key("p"));
    assert_eq!(world.engine.definition_xml(&demo, &p).await.unwrap(), None);
    world.deploy(&file(ONE_JOB)).await;
    world.deploy(&file(ONE_TASK)).await;
    assert_eq!(world.engine.definition_xml(&demo, &p).await.unwrap(), Some(file(ONE_TASK)));
    assert_eq!(world.engine.definition_xml(&workspace("other"), &p).await.unwrap(), None);
}
