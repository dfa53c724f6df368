use serde_json::json;

use super::super::{Change, Command};
use super::{Play, none, short};

/// A sub-process with two parallel jobs and more inside.
fn sub(inside: &str, outside: &str) -> String {
    format!(
        r#"<:startEvent id="start"/>
        <:subProcess id="sub"><:startEvent id="begin"/><:parallelGateway id="fork"/><job id="a"/><job id="b"/>
        @begin -> fork
        @fork -> a
        @fork -> b
        {inside}
        </:subProcess>
        <job id="next"/>
        {outside}
        @start -> sub
        @sub -> next"#
    )
}

const ON_SUB: &str = r#"<:boundaryEvent id="on" attachedToRef="sub"><:errorEventDefinition errorRef="err1"/></:boundaryEvent>
    <job id="caught"/>
    @on -> caught"#;

#[test]
fn a_sub_process_is_done_when_its_last_token_is() {
    let mut play = Play::of(&sub("", ""));
    assert_eq!(short(&play.start(none())), ["job a", "job b"]);
    assert_eq!(play.active(), ["sub", "a", "b"]);
    assert_eq!(short(&play.complete_job("a", none())), ["job done a"]);
    assert_eq!(short(&play.complete_job("b", none())), ["job done b", "job next"]);
    assert_eq!(short(&play.complete_job("next", none())), ["job done next", "completed"]);
}

#[test]
fn a_terminate_end_ends_only_its_scope() {
    let mut play = Play::of(&sub("<:endEvent id=\"stop\"><:terminateEventDefinition/></:endEvent>\n@a -> stop", ""));
    play.start(none());
    assert_eq!(short(&play.complete_job("a", none())), ["job done a", "job cancelled b", "job next"]);
    assert_eq!(play.active(), ["next"]);
}

#[test]
fn a_terminate_end_takes_the_tokens_on_their_way() {
    let body = r#"<:startEvent id="start"/><:subProcess id="sub"><:startEvent id="begin"/><:parallelGateway id="fork"/><job id="a"/>
        <:endEvent id="stop"><:terminateEventDefinition/></:endEvent>
        @begin -> fork
        @fork -> stop
        @fork -> a
        </:subProcess><job id="next"/>
        @start -> sub
        @sub -> next"#;
    let mut play = Play::of(body);
    assert_eq!(short(&play.start(none())), ["job next"]);
    assert_eq!(short(&play.complete_job("next", none())), ["job done next", "completed"]);
}

#[test]
fn a_terminate_end_of_the_process_ends_all() {
    let body = r#"<:startEvent id="start"/><:task id="t"/><job id="a"/><:userTask id="b"/>
        <:endEvent id="stop"><:terminateEventDefinition/></:endEvent>
        @start -> t
        @t -> a
        @t -> b
        @a -> stop"#;
    let mut play = Play::of(body);
    play.start(none());
    assert_eq!(short(&play.complete_job("a", json!({"x": 1}))), ["job done a", "task cancelled b", "completed"]);
    assert_eq!(play.variables(), json!({"x": 1}));
}

#[test]
fn errors_are_caught_from_the_inside_out() {
    let inner = r#"<:boundaryEvent id="in" attachedToRef="a"><:errorEventDefinition errorRef="err2"/></:boundaryEvent>
        <job id="inner"/>
        @in -> inner"#;
    let mut play = Play::of(&sub(inner, ON_SUB));
    play.start(none());
    assert_eq!(short(&play.throw("a", "E2", none())), ["job error a E2", "job inner"]);
    assert_eq!(short(&play.throw("b", "E1", none())), ["job error b E1", "job cancelled inner", "job caught"]);
    assert_eq!(play.active(), ["caught"]);
}

#[test]
fn an_error_end_is_caught_at_its_sub_process() {
    let end = "<:endEvent id=\"broken\"><:errorEventDefinition errorRef=\"err1\"/></:endEvent>\n@a -> broken";
    let mut play = Play::of(&sub(end, ON_SUB));
    play.start(none());
    assert_eq!(short(&play.complete_job("a", none())), ["job done a", "job cancelled b", "job caught"]);

    // Nothing catches it: an incident, and the rest of the scope goes on.
    let mut play = Play::of(&sub(end, ""));
    play.start(none());
    assert_eq!(short(&play.complete_job("a", none())), ["job done a", "incident broken unhandled_error"]);
    assert_eq!(short(&play.retry("broken")), ["resolved broken", "incident broken unhandled_error"]);
    assert_eq!(short(&play.complete_job("b", none())), ["job done b"]);
    let changes = play.step(Command::Cancel).unwrap();
    assert_eq!(short(&changes), ["resolved broken", "cancelled"]);
}

#[test]
fn an_error_end_of_the_process_fails_it() {
    let body = r#"<:startEvent id="start"/><:task id="t"/><job id="a"/><job id="b"/>
        <:endEvent id="broken"><:errorEventDefinition errorRef="err1"/></:endEvent>
        @start -> t
        @t -> a
        @t -> b
        @b -> broken"#;
    let mut play = Play::of(body);
    play.start(none());
    let changes = play.complete_job("b", none());
    assert_eq!(short(&changes), ["job done b", "job cancelled a", "failed E1"]);
    let Some(Change::Failed { message, .. }) = changes.last() else { panic!("{changes:?}") };
    assert!(message.contains("broken"), "{message}");
    assert!(play.state.ended());
}

#[test]
fn interrupting_a_sub_process_cancels_all_that_waits_inside() {
    let inside = r#"<:userTask id="u"/>
        <:intermediateCatchEvent id="w"><:messageEventDefinition messageRef="msg"/></:intermediateCatchEvent>
        <:subProcess id="deep"><:startEvent id="db"/><job id="dj"/><:boundaryEvent id="dt" attachedToRef="dj"><:timerEventDefinition><:timeDuration>PT1H</:timeDuration></:timerEventDefinition></:boundaryEvent>
        @db -> dj
        </:subProcess>
        @fork -> u
        @fork -> w
        @fork -> deep"#;
    let outside = r#"<:boundaryEvent id="on" attachedToRef="sub"><:signalEventDefinition signalRef="sig"/></:boundaryEvent><job id="caught"/>
        @on -> caught"#;
    let mut play = Play::of(&sub(inside, outside));
    assert_eq!(short(&play.start(none())), ["waits on", "job a", "job b", "task u", "waits w", "job dj", "timer dt"]);
    assert_eq!(
        short(&play.signal("on", none())),
        [
            "closed",
            "job cancelled a",
            "job cancelled b",
            "task cancelled u",
            "closed",
            "timer cancelled",
            "job cancelled dj",
            "job caught"
        ]
    );
    assert_eq!(play.active(), ["caught"]);
}

#[test]
fn cancelling_tells_all_that_was_open() {
    let mut play = Play::of(&sub("", ""));
    play.start(json!({"x": 1}));
    assert_eq!(short(&play.step(Command::Cancel).unwrap()), ["job cancelled a", "job cancelled b", "cancelled"]);
    assert!(play.state.ended());
    assert!(play.active().is_empty());
    assert_eq!(play.variables(), json!({"x": 1}));
}

#[test]
fn joins_of_two_visits_to_a_sub_process_do_not_mix() {
    // Two tokens enter the same sub-process; each visit has a join of its own.
    let body = r#"<:startEvent id="start"/><:task id="two"/><:exclusiveGateway id="m"/>
        <:subProcess id="sub"><:startEvent id="begin"/><:parallelGateway id="fork"/><job id="a"/><job id="b"/><:parallelGateway id="join"/>
        @begin -> fork
        @fork -> a
        @fork -> b
        @a -> join
        @b -> join
        </:subProcess>
        <:task id="x"/><:task id="y"/><job id="next"/>
        @start -> two
        @two -> x
        @two -> y
        @x -> m
        @y -> m
        @m -> sub
        @sub -> next"#;
    let mut play = Play::of(body);
    play.start(none());
    assert_eq!(play.active(), ["sub", "sub", "a", "b", "a", "b"]);
    play.complete_job("a", none());
    // The other visit's a.
    assert_eq!(short(&play.complete_job("a", none())), ["job done a"]);
    assert_eq!(short(&play.complete_job("b", none())), ["job done b", "job next"]);
    assert_eq!(short(&play.complete_job("b", none())), ["job done b", "job next"]);
}
