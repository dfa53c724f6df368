//! Every kind of element that the issue names, run from outside.

use serde_json::json;

use super::{
    models::{choice, file, flow, linear, message, process, receive, service, steps, timer, user, zeebe_service},
    world::{World, types},
};

/// The conditions of a gateway, and which way an input takes.
#[tokio::test]
async fn conditions_decide_in_both_languages() {
    let world = World::new().await;
    let cases = [
        ("${amount &gt; 100}", json!({"amount": 120}), true),
        ("${amount &gt; 100}", json!({"amount": 100}), false),
        ("=amount &gt; 100", json!({"amount": 120}), true),
        ("${name == 'ada' and not empty list}", json!({"name": "ada", "list": [1]}), true),
        ("${a.b['c'] eq 3 ? true : false}", json!({"a": {"b": {"c": 3}}}), true),
        ("=name = &quot;ada&quot; and list[1] = 5", json!({"name": "ada", "list": [5]}), true),
        ("=if amount = null then true else false", json!({}), true),
        ("=not(contains(name, &quot;x&quot;))", json!({"name": "ada"}), true),
        ("${!flag}", json!({"flag": true}), false),
        ("=amount = 0.3", json!({"amount": 0.3}), true),
        ("=0.1 + 0.2 = 0.3", json!({}), true),
    ];
    for (number, (condition, input, accepted)) in cases.into_iter().enumerate() {
        let model = choice(&format!("p{number}"), condition, true).replace(
            "<bpmn:endEvent id=\"accepted\" />",
            &(user("accepted", "") + "<bpmn:endEvent id=\"e\" />" + &flow("accepted", "e")),
        );
        let workflow = world.deploy(&model).await;
        let started = world.start(&workflow, input).await;
        let expected = if accepted { "running" } else { "completed" };
        assert_eq!(started.str("status"), expected, "{condition}: {}", started.text);
        let tasks = world.tasks(&format!("?processInstanceId={}", started.str("process_instance_id"))).await;
        assert_eq!(tasks.len(), usize::from(accepted), "{condition}");
    }
}

fn forked() -> String {
    let elements = [
        "<bpmn:startEvent id=\"start\" />".to_owned(),
        flow("start", "fork"),
        "<bpmn:parallelGateway id=\"fork\" />".to_owned(),
        flow("fork", "left"),
        flow("fork", "right"),
        service("left"),
        user("right", ""),
        flow("left", "join"),
        flow("right", "join"),
        "<bpmn:parallelGateway id=\"join\" />".to_owned(),
        flow("join", "after"),
        service("after"),
        flow("after", "end"),
        "<bpmn:endEvent id=\"end\" />".to_owned(),
    ];
    file(&process("p", &elements.concat()))
}

#[tokio::test]
async fn parallel_branches_wait_for_each_other() {
    let (world, workflow) = World::running(&forked()).await;
    let id = world.start(&workflow, json!({})).await.id();
    let job = world.job("left").await;
    world.complete(&job, json!({"l": 1})).await;
    assert_eq!(world.jobs("after").await.len(), 0);
    let task = world.tasks("").await.remove(0);
    world.post(&format!("/api/userTask/{}/complete", task["id"].as_str().unwrap()), json!({"r": 2})).await.is(204);
    let job = world.job("after").await;
    assert_eq!(job["variables"], json!({"l": 1, "r": 2}));
    world.complete(&job, json!({})).await;
    assert_eq!(world.ended(&id, "completed").await["result"], json!({"l": 1, "r": 2}));
}

/// A sub-process with a job inside, guarded by a boundary event; what follows it is the job `late`.
fn guarded(boundary: &str) -> String {
    let inner = format!(
        "<bpmn:startEvent id=\"in\" />{}{}{}<bpmn:endEvent id=\"out\" />",
        flow("in", "work"),
        service("work"),
        flow("work", "out")
    );
    let elements = [
        "<bpmn:startEvent id=\"start\" />".to_owned(),
        flow("start", "sub"),
        format!("<bpmn:subProcess id=\"sub\">{inner}</bpmn:subProcess>"),
        boundary.to_owned(),
        flow("guard", "late"),
        service("late"),
        flow("late", "aside"),
        "<bpmn:endEvent id=\"aside\" />".to_owned(),
        flow("sub", "end"),
        "<bpmn:endEvent id=\"end\" />".to_owned(),
    ];
    file(&(message("stop", "Stop") + &process("p", &elements.concat())))
}

fn boundary_timer(cancels: bool, kind: &str, value: &str) -> String {
    format!(
        "<bpmn:boundaryEvent id=\"guard\" attachedToRef=\"sub\" cancelActivity=\"{cancels}\"><bpmn:timerEventDefinition \
         id=\"t\"><bpmn:{kind} xsi:type=\"bpmn:tFormalExpression\">{value}</bpmn:{kind}></bpmn:timerEventDefinition>\
         </bpmn:boundaryEvent>"
    )
}

#[tokio::test]
async fn an_interrupting_timer_ends_the_sub_process() {
    let (world, workflow) = World::running(&guarded(&boundary_timer(true, "timeDuration", "PT0.2S"))).await;
    let id = world.start(&workflow, json!({})).await.id();
    world.events_with(&workflow, "timer.fired").await;
    assert_eq!(world.jobs("work").await.len(), 0);
    let late = world.job("late").await;
    world.complete(&late, json!({})).await;
    world.ended(&id, "completed").await;
    let told = world.events_with(&workflow, "execution.completed").await;
    let mut kinds = types(&told)[1..].to_vec();
    assert_eq!((kinds[0], kinds[1]), ("execution.started", "job.created"));
    kinds[2..4].sort_unstable();
    assert_eq!(kinds[2..], ["job.cancelled", "timer.fired", "job.created", "job.completed", "execution.completed"]);
}

#[tokio::test]
async fn a_non_interrupting_cycle_fires_beside_the_sub_process() {
    let (world, workflow) = World::running(&guarded(&boundary_timer(false, "timeCycle", "R2/PT0.2S"))).await;
    let id = world.start(&workflow, json!({})).await.id();
    let mut late = Vec::new();
    super::gate::until("two firings", || async { (world.events(&workflow).await.len() >= 7).then_some(()) }).await;
    late.extend(world.jobs("late").await);
    assert_eq!(late.len(), 2);
    let work = world.job("work").await;
    world.complete(&work, json!({})).await;
    for job in &late {
        assert_eq!(world.execution(&id).await["status"], "running");
        world.complete(job, json!({})).await;
    }
    world.ended(&id, "completed").await;
    let told = world.events_with(&workflow, "execution.completed").await;
    assert_eq!(types(&told).iter().filter(|kind| **kind == "timer.fired").count(), 2);
}

#[tokio::test]
async fn a_boundary_message_interrupts() {
    let boundary = "<bpmn:boundaryEvent id=\"guard\" attachedToRef=\"sub\"><bpmn:messageEventDefinition id=\"m\" \
                    messageRef=\"stop\" /></bpmn:boundaryEvent>";
    let (world, workflow) = World::running(&guarded(boundary)).await;
    let instance = world.instance(&workflow, json!({})).await;
    world.post(&format!("/api/message/Stop?processInstanceId={instance}"), json!({"why": "x"})).await.is(200);
    assert_eq!(world.jobs("work").await.len(), 0);
    assert_eq!(world.job("late").await["variables"], json!({"why": "x"}));
}

#[tokio::test]
async fn an_error_end_is_caught_at_the_sub_process() {
    let model = guarded(
        "<bpmn:boundaryEvent id=\"guard\" attachedToRef=\"sub\"><bpmn:errorEventDefinition id=\"d\" errorRef=\"broken\" />\
         </bpmn:boundaryEvent>",
    );
    let model = model
        .replace(
            "<bpmn:endEvent id=\"out\" />",
            "<bpmn:endEvent id=\"out\"><bpmn:errorEventDefinition id=\"x\" errorRef=\"broken\" /></bpmn:endEvent>",
        )
        .replace("<bpmn:process", "<bpmn:error id=\"broken\" errorCode=\"BROKEN\" name=\"Broken\" /><bpmn:process");
    let (world, workflow) = World::running(&model).await;
    let id = world.start(&workflow, json!({})).await.id();
    let work = world.job("work").await;
    world.complete(&work, json!({})).await;
    let late = world.job("late").await;
    world.complete(&late, json!({})).await;
    world.ended(&id, "completed").await;
}

#[tokio::test]
async fn a_terminate_end_ends_everything() {
    let model = forked().replace(
        "<bpmn:endEvent id=\"end\" />",
        "<bpmn:endEvent id=\"end\"><bpmn:terminateEventDefinition id=\"t\" /></bpmn:endEvent>",
    );
    let model = model.replace(&flow("left", "join"), &flow("left", "end"));
    let (world, workflow) = World::running(&model).await;
    let id = world.start(&workflow, json!({})).await.id();
    let job = world.job("left").await;
    world.complete(&job, json!({})).await;
    assert_eq!(world.execution(&id).await["status"], "completed");
    assert!(world.tasks("").await.is_empty());
    let told = world.events_with(&workflow, "execution.completed").await;
    assert!(types(&told).contains(&"user_task.cancelled"), "{:?}", types(&told));
}

#[tokio::test]
async fn all_task_kinds_of_workers_are_jobs() {
    let camunda = |kind: &str, id: &str| service(id).replace("serviceTask", kind);
    let zeebe = zeebe_service("five", "2").replace("serviceTask", "businessRuleTask");
    let kinds = [
        camunda("sendTask", "one"),
        camunda("businessRuleTask", "two"),
        zeebe_service("three", "3"),
        zeebe_service("four", "3").replace("serviceTask", "scriptTask"),
        zeebe,
    ];
    let elements: Vec<&str> = ["<bpmn:task id=\"plain\" />", "<bpmn:manualTask id=\"by_hand\" />"]
        .into_iter()
        .chain(kinds.iter().map(String::as_str))
        .chain(["<bpmn:intermediateThrowEvent id=\"reached\" />"])
        .collect();
    let (world, workflow) = World::running(&linear("p", &elements)).await;
    let id = world.start(&workflow, json!({})).await.id();
    for topic in ["one", "two", "three", "four", "five"] {
        let job = world.job(topic).await;
        world.complete(&job, json!({topic: true})).await;
    }
    world.ended(&id, "completed").await;
}

#[tokio::test]
async fn zeebe_mappings_let_only_their_targets_out() {
    let task = "<bpmn:serviceTask id=\"work\"><bpmn:extensionElements><zeebe:taskDefinition type=\"work\" />\
        <zeebe:ioMapping><zeebe:input source=\"=amount * 2\" target=\"twice\" />\
        <zeebe:output source=\"=answer + 1\" target=\"result\" /></zeebe:ioMapping></bpmn:extensionElements></bpmn:serviceTask>";
    let (world, workflow) = World::running(&linear("p", &[task])).await;
    let id = world.start(&workflow, json!({"amount": 21})).await.id();
    let job = world.job("work").await;
    assert_eq!(job["variables"], json!({"amount": 21, "twice": 42}));
    world.complete(&job, json!({"answer": 6, "noise": true})).await;
    assert_eq!(world.ended(&id, "completed").await["result"], json!({"amount": 21, "result": 7}));
}

#[tokio::test]
async fn camunda_mappings_come_on_top() {
    let task = "<bpmn:serviceTask id=\"work\" camunda:type=\"external\" camunda:topic=\"work\"><bpmn:extensionElements>\
        <camunda:inputOutput><camunda:inputParameter name=\"twice\">${amount * 2}</camunda:inputParameter>\
        <camunda:inputParameter name=\"label\">fixed</camunda:inputParameter>\
        <camunda:outputParameter name=\"result\">${answer + 1}</camunda:outputParameter></camunda:inputOutput>\
        </bpmn:extensionElements></bpmn:serviceTask>";
    let (world, workflow) = World::running(&linear("p", &[task])).await;
    let id = world.start(&workflow, json!({"amount": 21})).await.id();
    let job = world.job("work").await;
    assert_eq!(job["variables"], json!({"amount": 21, "twice": 42, "label": "fixed"}));
    world.complete(&job, json!({"answer": 6, "twice": 0})).await;
    let result = world.ended(&id, "completed").await["result"].clone();
    assert_eq!((&result["result"], &result["amount"]), (&json!(7), &json!(21)), "{result}");
    assert!(result.get("label").is_none(), "an input parameter left its task: {result}");
}

#[tokio::test]
async fn timers_take_dates_and_expressions() {
    let world = World::new().await;
    let date = timer("later", "").replace("timeDuration", "timeDate");
    let at = |value: &str| date.replace("tFormalExpression\"></", &format!("tFormalExpression\">{value}</"));
    for (number, (model, input)) in [
        (linear("p0", &[&at("2001-02-03T04:05:06Z")]), json!({})),
        (linear("p1", &[&at("=when")]), json!({"when": "2001-02-03T04:05:06Z"})),
        (linear("p2", &[&timer("later", "=pause")]), json!({"pause": "PT0.1S"})),
        (linear("p3", &[&timer("later", "${pause}")]), json!({"pause": "PT0.1S"})),
    ]
    .into_iter()
    .enumerate()
    {
        let workflow = world.deploy(&model).await;
        let id = world.start(&workflow, input).await.id();
        world.ended(&id, "completed").await;
        let told = world.events_with(&workflow, "timer.fired").await;
        let fired = told.iter().find(|event| event["type"] == "timer.fired").unwrap();
        assert_eq!(fired["data"]["element_id"], "later", "case {number}");
    }
    let workflow = world.deploy(&linear("p4", &[&timer("later", "=pause")])).await;
    let instance = world.instance(&workflow, json!({"pause": "soon"})).await;
    let incidents = world.incidents(&instance).await;
    assert_eq!(incidents.len(), 1);
    assert!(incidents[0]["message"].as_str().unwrap().contains("pause"), "{incidents:?}");
}

#[tokio::test]
async fn a_message_catch_event_waits_as_a_receive_task_does() {
    let catch = "<bpmn:intermediateCatchEvent id=\"catch\"><bpmn:messageEventDefinition id=\"d\" messageRef=\"go\" />\
                 </bpmn:intermediateCatchEvent>";
    let model = file(&(message("go", "Go") + &process("p", &steps(&[&receive("first", "go"), catch]))));
    let (world, workflow) = World::running(&model).await;
    let path = format!("/api/workflows/{workflow}/executions");
    let id = world.post(&path, json!({"business_key": "k"})).await.is(201).id();
    for _ in 0..2 {
        assert_eq!(world.execution(&id).await["status"], "running");
        world.post("/api/message/Go?businessKey=k", json!({})).await.is(200);
    }
    world.ended(&id, "completed").await;
}

#[tokio::test]
async fn pools_lanes_and_notes_are_passed_over() {
    let elements = format!(
        "<bpmn:collaboration id=\"c\"><bpmn:participant id=\"pool\" name=\"Us\" processRef=\"p\" /></bpmn:collaboration>{}",
        process(
            "p",
            &(String::from(
                "<bpmn:laneSet id=\"lanes\"><bpmn:lane id=\"lane\"><bpmn:flowNodeRef>start</bpmn:flowNodeRef>\
             </bpmn:lane></bpmn:laneSet><bpmn:documentation>Words</bpmn:documentation>\
             <bpmn:dataObject id=\"data\" /><bpmn:dataObjectReference id=\"ref\" dataObjectRef=\"data\" />\
             <bpmn:textAnnotation id=\"note\"><bpmn:text>Hm</bpmn:text></bpmn:textAnnotation>"
            ) + &steps(&[])),
        )
    );
    let (world, workflow) = World::running(&file(&elements)).await;
    assert_eq!(world.start(&workflow, json!({})).await.str("status"), "completed");
}

#[tokio::test]
async fn several_flows_out_of_a_task_fork() {
    let elements = [
        "<bpmn:startEvent id=\"start\" />".to_owned(),
        flow("start", "a"),
        "<bpmn:task id=\"a\" />".to_owned(),
        flow("a", "one"),
        flow("a", "two"),
        service("one"),
        service("two"),
    ];
    let (world, workflow) = World::running(&file(&process("p", &elements.concat()))).await;
    let id = world.start(&workflow, json!({})).await.id();
    for topic in ["one", "two"] {
        assert_eq!(world.execution(&id).await["status"], "running");
        let job = world.job(topic).await;
        world.complete(&job, json!({})).await;
    }
    world.ended(&id, "completed").await;
}
