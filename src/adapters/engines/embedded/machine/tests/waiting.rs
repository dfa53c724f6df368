use serde_json::json;

use super::super::{Change, Command, StepError, Subscribed};
use super::{Play, at, incident, map, none, short};

fn catch(definition: &str) -> Play {
    Play::of(&format!(
        "<:startEvent id=\"start\"/><:intermediateCatchEvent id=\"c\">{definition}</:intermediateCatchEvent><:endEvent id=\"end\"/>\n@start -> c\n@c -> end"
    ))
}

fn timer(form: &str, text: &str) -> Play {
    catch(&format!("<:timerEventDefinition><:{form}>{text}</:{form}></:timerEventDefinition>"))
}

#[test]
fn a_timer_is_due_by_duration_date_or_expression() {
    for (form, text, due) in [
        ("timeDuration", "PT15M", "2026-01-31T10:15:00Z"),
        ("timeDuration", "P1M", "2026-02-28T10:00:00Z"),
        ("timeDuration", "-PT1S", "2026-01-31T09:59:59Z"),
        ("timeDuration", "${wait}", "2026-01-31T12:00:00Z"),
        ("timeDuration", "=wait", "2026-01-31T12:00:00Z"),
        ("timeDuration", "=duration(wait)", "2026-01-31T12:00:00Z"),
        ("timeDate", "=date and time(day)", "2026-03-02T00:00:00Z"),
        ("timeDate", "=now() + duration(\"PT1H\")", "2026-01-31T11:00:00Z"),
        ("timeCycle", "R2/2026-04-01T00:00:00Z/P1D", "2026-04-01T00:00:00Z"),
        ("timeDate", "2026-03-01T00:00:00+01:00", "2026-02-28T23:00:00Z"),
        ("timeDate", "2026-03-01T00:00:00", "2026-03-01T00:00:00Z"),
        ("timeDate", "2026-03-01", "2026-03-01T00:00:00Z"),
        ("timeDate", "${day}", "2026-03-02T00:00:00Z"),
        ("timeCycle", "R3/PT10S", "2026-01-31T10:00:10Z"),
    ] {
        let mut play = timer(form, text);
        let changes = play.start(json!({"wait": "PT2H", "day": "2026-03-02T00:00:00Z"}));
        let [Change::TimerScheduled { schedule, element_id, .. }] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((schedule.due, element_id.as_str()), (at(due), "c"), "{text}");
        assert_eq!(short(&play.timer("c")), ["fired c", "completed"]);
    }
}

#[test]
fn an_expression_that_gives_no_timer_is_an_incident() {
    for wait in [json!(5), json!(null), json!("soon"), json!("5 days"), json!("P99999999Y")] {
        let mut play = timer("timeDuration", "${wait}");
        let changes = play.start(json!({"wait": wait}));
        assert_eq!(short(&changes), ["incident c expression_error"]);
        assert!(incident(&changes).contains("${wait}"));
        play.step(Command::SetVariables { variables: map(json!({"wait": "PT1S"})) }).unwrap();
        assert_eq!(short(&play.retry("c")), ["resolved c", "timer c"]);
    }
}

#[test]
fn a_message_in_camundas_dialect_has_no_correlation_key() {
    let mut play = catch(r#"<:messageEventDefinition messageRef="msg"/>"#);
    let changes = play.start(none());
    let [Change::SubscriptionOpened { key, event, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(*event, Subscribed::Message { name: "Paid".into(), correlation_key: None });
    let changes = play.message("c", json!({"sum": 3}));
    let expected = Change::MessageCorrelated { key: *key, element_id: "c".into(), message_name: "Paid".into() };
    assert_eq!(changes[..2], [expected, Change::SubscriptionClosed { key: *key }]);
    assert_eq!(short(&changes[2..]), ["completed"]);
    assert_eq!(play.variables(), json!({"sum": 3}));
}

#[test]
fn a_message_in_zeebes_dialect_is_correlated_by_a_value() {
    for (value, key) in [(json!("A"), "A"), (json!(12), "12"), (json!(true), "true")] {
        let mut play = catch(r#"<:messageEventDefinition messageRef="msgz"/>"#);
        let changes = play.start(json!({"orderId": value}));
        let [Change::SubscriptionOpened { event, .. }] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!(*event, Subscribed::Message { name: "Paid".into(), correlation_key: Some(key.into()) });
    }
    for value in [json!(null), json!([1]), json!({"a": 1}), json!("")] {
        let mut play = catch(r#"<:messageEventDefinition messageRef="msgz"/>"#);
        let changes = play.start(json!({"orderId": value}));
        assert_eq!(short(&changes), ["incident c expression_error"]);
        assert!(incident(&changes).contains("=orderId"));
    }
}

#[test]
fn a_signal_goes_on() {
    let mut play = catch(r#"<:signalEventDefinition signalRef="sig"/>"#);
    let changes = play.start(none());
    let [Change::SubscriptionOpened { event, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(*event, Subscribed::Signal { name: "Stop".into() });
    let key = play.wait("c");
    assert_eq!(play.step(Command::FireTimer { key }), Err(StepError::UnknownKey { key }));
    assert_eq!(play.step(Command::DeliverMessage { key, variables: map(none()) }), Err(StepError::UnknownKey { key }));
    assert_eq!(short(&play.signal("c", json!({"x": 1}))), ["closed", "completed"]);
    assert_eq!(play.variables(), json!({"x": 1}));
}

#[test]
fn a_receive_task_waits_for_its_message() {
    let mut play = Play::of("<:startEvent id=\"start\"/><:receiveTask id=\"r\" messageRef=\"msg\"/>\n@start -> r");
    assert_eq!(short(&play.start(none())), ["waits r"]);
    assert_eq!(short(&play.message("r", none())), ["message r", "closed", "completed"]);
}

#[test]
fn all_kinds_of_job_tasks_make_jobs() {
    for task in [
        r#"<:serviceTask id="t" camunda:type="external" camunda:topic="x"/>"#,
        r#"<:serviceTask id="t" operaton:type="external" operaton:topic="x"/>"#,
        r#"<:sendTask id="t" camunda:topic="x"/>"#,
        r#"<:businessRuleTask id="t" camunda:topic="x"/>"#,
        r#"<:scriptTask id="t"><:extensionElements><zeebe:taskDefinition type="x"/></:extensionElements></:scriptTask>"#,
        r#"<:serviceTask id="t"><:extensionElements><zeebe:taskDefinition type="=kind"/></:extensionElements></:serviceTask>"#,
        r#"<:serviceTask id="t" camunda:type="external" camunda:topic="${kind}"/>"#,
    ] {
        let mut play = Play::of(&format!("<:startEvent id=\"start\"/>{task}\n@start -> t"));
        let changes = play.start(json!({"kind": "x"}));
        let [Change::JobCreated { topic, retries: 3, .. }] = changes.as_slice() else { panic!("{task}: {changes:?}") };
        assert_eq!(topic, "x");
        assert_eq!(short(&play.complete_job("t", none())), ["job done t", "completed"]);
    }
}

#[test]
fn a_job_carries_headers_and_retries() {
    let body = r#"<:startEvent id="start"/>
        <:serviceTask id="t"><:extensionElements><zeebe:taskDefinition type="x" retries="=n"/>
        <zeebe:taskHeaders><zeebe:header key="a" value="1"/><zeebe:header key="b" value=""/></zeebe:taskHeaders></:extensionElements></:serviceTask>
        @start -> t"#;
    let changes = Play::of(body).start(json!({"n": 5}));
    let [Change::JobCreated { retries: 5, headers, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(headers.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["a=1", "b="]);
    assert_eq!(short(&Play::of(body).start(json!({"n": 0}))), ["incident t expression_error"]);
    assert_eq!(short(&Play::of(body).start(json!({"n": "x"}))), ["incident t expression_error"]);
}

#[test]
fn a_user_task_carries_what_the_model_says() {
    for task in [
        r#"<:userTask id="t" name="Look" camunda:assignee="${who}" camunda:candidateUsers="ada, bob" camunda:candidateGroups="${groups}"
            camunda:dueDate="2026-02-01T00:00:00Z" camunda:followUpDate="PT1H" camunda:priority="${5}" camunda:formKey="f"/>"#,
        r#"<:userTask id="t" name="Look"><:extensionElements>
            <zeebe:assignmentDefinition assignee="=who" candidateUsers="ada,bob" candidateGroups="=groups"/>
            <zeebe:taskSchedule dueDate="2026-02-01T00:00:00Z" followUpDate="2026-01-31T11:00:00Z"/>
            <zeebe:priorityDefinition priority="5"/><zeebe:formDefinition formId="f"/><zeebe:userTask/></:extensionElements></:userTask>"#,
    ] {
        let mut play = Play::of(&format!("<:startEvent id=\"start\"/>{}\n@start -> t", task.replace('\n', " ")));
        let changes = play.start(json!({"who": "eve", "groups": ["x", "y"]}));
        let [Change::TaskCreated(created)] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((created.name.as_str(), created.assignee.as_deref()), ("Look", Some("eve")));
        assert_eq!(
            (created.candidate_users.join("+"), created.candidate_groups.join("+")),
            ("ada+bob".into(), "x+y".into())
        );
        assert_eq!(
            (created.due, created.follow_up),
            (Some(at("2026-02-01T00:00:00Z")), Some(at("2026-01-31T11:00:00Z")))
        );
        assert_eq!((created.priority, created.form_key.as_deref()), (Some(5), Some("f")));
        assert_eq!(short(&play.complete_task("t", json!({"ok": true}))), ["task done t", "completed"]);
        assert_eq!(play.variables()["ok"], json!(true));
    }
}

#[test]
fn a_bare_user_task_goes_by_its_id() {
    let changes = Play::of("<:startEvent id=\"start\"/><:userTask id=\"t\"/>\n@start -> t").start(none());
    let [Change::TaskCreated(created)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((created.name.as_str(), &created.assignee, created.priority), ("t", &None, None));
}

#[test]
fn what_does_nothing_is_passed_through() {
    let mut play = Play::of(
        "<:startEvent id=\"start\"/><:task id=\"a\"/><:manualTask id=\"b\"/><:intermediateThrowEvent id=\"c\"/><:endEvent id=\"end\"/>
        @start -> a
        @a -> b
        @b -> c
        @c -> end",
    );
    assert_eq!(short(&play.start(none())), ["completed"]);
}
