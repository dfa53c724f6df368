use serde_json::json;

use super::super::Command;
use super::{Play, incident, map, none, short};

fn job(extensions: &str) -> Play {
    Play::of(&format!(
        r#"<:startEvent id="start"/><:serviceTask id="t" {}><:extensionElements>{extensions}</:extensionElements></:serviceTask><job id="next"/>
        @start -> t
        @t -> next"#,
        if extensions.contains("zeebe:") { "" } else { r#"camunda:type="external" camunda:topic="x""# }
    ))
}

fn zeebe(mappings: &str) -> Play {
    job(&format!(r#"<zeebe:taskDefinition type="x"/><zeebe:ioMapping>{mappings}</zeebe:ioMapping>"#))
}

fn camunda(parameters: &str) -> Play {
    job(&format!("<camunda:inputOutput>{parameters}</camunda:inputOutput>"))
}

#[test]
fn without_mappings_a_result_goes_to_the_process() {
    let mut play = job("");
    play.start(json!({"a": 1}));
    assert_eq!(play.visible("t"), json!({"a": 1}));
    play.complete_job("t", json!({"a": 2, "b": 3}));
    assert_eq!(play.variables(), json!({"a": 2, "b": 3}));
}

#[test]
fn zeebe_inputs_are_seen_by_the_job_alone() {
    let mut play = zeebe(
        r#"<zeebe:input source="=order.id" target="id"/><zeebe:input source="=id" target="deep.er"/><zeebe:input source="x" target="deep.text"/>"#,
    );
    play.start(json!({"order": {"id": 7}}));
    assert_eq!(play.visible("t"), json!({"order": {"id": 7}, "id": 7, "deep": {"er": 7, "text": "x"}}));
    // A result named like an input stays with the task.
    play.complete_job("t", json!({"id": 8, "b": 1}));
    assert_eq!(play.variables(), json!({"order": {"id": 7}, "b": 1}));
}

#[test]
fn with_zeebe_outputs_only_their_targets_leave() {
    let mut play = zeebe(
        r#"<zeebe:output source="=result.sum" target="total"/><zeebe:output source="=total + 1" target="order.sum"/>"#,
    );
    play.start(json!({"order": {"id": 7}}));
    play.complete_job("t", json!({"result": {"sum": 3}, "noise": 1}));
    assert_eq!(play.variables(), json!({"order": {"id": 7, "sum": 4}, "total": 3}));
}

#[test]
fn camunda_results_and_outputs_both_leave() {
    let mut play = camunda(
        r#"<camunda:inputParameter name="in">${a}</camunda:inputParameter><camunda:inputParameter name="text">hello</camunda:inputParameter>
        <camunda:inputParameter name="empty"/>
        <camunda:inputParameter name="list"><camunda:list><camunda:value>${a}</camunda:value><camunda:value>x</camunda:value></camunda:list></camunda:inputParameter>
        <camunda:inputParameter name="map"><camunda:map><camunda:entry key="k">${in}</camunda:entry><camunda:entry key="l"><camunda:list/></camunda:entry></camunda:map></camunda:inputParameter>
        <camunda:outputParameter name="out">${in}</camunda:outputParameter>"#,
    );
    play.start(json!({"a": 1}));
    assert_eq!(
        play.visible("t"),
        json!({"a": 1, "in": 1, "text": "hello", "empty": null, "list": [1, "x"], "map": {"k": 1, "l": []}})
    );
    play.complete_job("t", json!({"in": 9, "b": 2}));
    assert_eq!(play.variables(), json!({"a": 1, "b": 2, "out": 9}));
}

#[test]
fn operaton_writes_the_same_words() {
    let mut play = job(
        r#"<operaton:inputOutput><operaton:inputParameter name="in">${a}</operaton:inputParameter></operaton:inputOutput>"#,
    );
    play.start(json!({"a": 1}));
    assert_eq!(play.visible("t"), json!({"a": 1, "in": 1}));
}

#[test]
fn a_mapping_that_fails_is_an_incident_with_nothing_half_done() {
    let mut play = camunda(
        r#"<camunda:inputParameter name="x">${a}</camunda:inputParameter><camunda:inputParameter name="in">${nosuch}</camunda:inputParameter>"#,
    );
    let changes = play.start(json!({"a": 1}));
    assert_eq!(short(&changes), ["incident t expression_error"]);
    assert!(incident(&changes).contains("${nosuch}"));
    assert_eq!(play.visible("t"), json!({"a": 1}));
    play.step(Command::SetVariables { variables: map(json!({"nosuch": 5})) }).unwrap();
    assert_eq!(short(&play.retry("t")), ["resolved t", "job t"]);
    assert_eq!(play.visible("t"), json!({"a": 1, "x": 1, "in": 5, "nosuch": 5}));

    let mut play = camunda(
        r#"<camunda:outputParameter name="one">1</camunda:outputParameter><camunda:outputParameter name="out">${nosuch}</camunda:outputParameter>"#,
    );
    play.start(none());
    let changes = play.complete_job("t", json!({"b": 2}));
    assert_eq!(short(&changes), ["job done t", "incident t expression_error"]);
    assert_eq!(play.variables(), json!({"b": 2}));
    play.step(Command::SetVariables { variables: map(json!({"nosuch": 5})) }).unwrap();
    assert_eq!(short(&play.retry("t")), ["resolved t", "job next"]);
    assert_eq!(play.variables(), json!({"b": 2, "nosuch": 5, "one": "1", "out": 5}));
}

#[test]
fn a_sub_process_has_variables_of_its_own() {
    let body = r#"<:startEvent id="start"/>
        <:subProcess id="sub"><:extensionElements><camunda:inputOutput><camunda:inputParameter name="n">${a}</camunda:inputParameter>
        <camunda:outputParameter name="result">${n}</camunda:outputParameter></camunda:inputOutput></:extensionElements>
        <:startEvent id="begin"/><job id="t"/>
        @begin -> t
        </:subProcess><job id="next"/>
        @start -> sub
        @sub -> next"#;
    let mut play = Play::of(body);
    play.start(json!({"a": 1}));
    assert_eq!(play.visible("t"), json!({"a": 1, "n": 1}));
    // A name that an inner scope has is set there, a new one in the process.
    play.complete_job("t", json!({"n": 2, "new": 3}));
    assert_eq!(play.variables(), json!({"a": 1, "new": 3, "result": 2}));
    assert_eq!(play.visible("next"), json!({"a": 1, "new": 3, "result": 2}));
}

#[test]
fn message_variables_follow_the_events_mappings() {
    let body = r#"<:startEvent id="start"/>
        <:intermediateCatchEvent id="c"><:extensionElements><zeebe:ioMapping><zeebe:output source="=sum" target="paid"/></zeebe:ioMapping></:extensionElements><:messageEventDefinition messageRef="msgz"/></:intermediateCatchEvent><job id="next"/>
        @start -> c
        @c -> next"#;
    let mut play = Play::of(body);
    play.start(json!({"orderId": "A"}));
    play.message("c", json!({"sum": 3, "noise": 1}));
    assert_eq!(play.variables(), json!({"orderId": "A", "paid": 3}));
}

#[test]
fn error_variables_follow_the_catching_event() {
    let body = r#"<:startEvent id="start"/><job id="t"/>
        <:boundaryEvent id="b" attachedToRef="t"><:extensionElements><zeebe:ioMapping><zeebe:output source="=why" target="reason"/></zeebe:ioMapping></:extensionElements><:errorEventDefinition/></:boundaryEvent><job id="next"/>
        @start -> t
        @b -> next"#;
    let mut play = Play::of(body);
    play.start(none());
    play.throw("t", "E", json!({"why": "no stock", "noise": 1}));
    assert_eq!(play.variables(), json!({"reason": "no stock"}));
}

#[test]
fn unknown_keys_see_nothing() {
    let mut play = job("");
    play.start(json!({"a": 1}));
    assert!(play.state.visible_variables(99).is_empty());
}

#[test]
fn what_a_start_message_carries_follows_the_start_event() {
    let body = r#"<:startEvent id="start"><:extensionElements><zeebe:ioMapping><zeebe:output source="=sum" target="paid"/></zeebe:ioMapping></:extensionElements><:messageEventDefinition messageRef="msg"/></:startEvent><job id="t"/>
        @start -> t"#;
    let mut play = Play::of(body);
    let start = Command::Start { element_id: Some("start".into()), variables: map(json!({"sum": 3, "noise": 1})) };
    assert_eq!(short(&play.step(start).unwrap()), ["job t"]);
    assert_eq!(play.variables(), json!({"paid": 3}));
}
