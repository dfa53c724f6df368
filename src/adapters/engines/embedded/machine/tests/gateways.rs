use serde_json::json;

use super::{Play, incident, none, short};

const CHOICE: &str = r#"
    <:startEvent id="start"/>
    <:exclusiveGateway id="choice" default="choice_c"/>
    <job id="a"/><job id="b"/><job id="c"/>
    @start -> choice
    @choice -> a: ${n > 10}
    @choice -> b: ${n > 5}
    @choice -> c
"#;

#[test]
fn an_exclusive_gateway_takes_the_first_true_flow_else_the_default() {
    for (n, job) in [(11, "job a"), (6, "job b"), (1, "job c")] {
        assert_eq!(short(&Play::of(CHOICE).start(json!({"n": n}))), [job]);
    }
}

#[test]
fn without_default_no_true_flow_is_an_incident() {
    let mut play =
        Play::of(&CHOICE.replace(r#" default="choice_c""#, "").replace("@choice -> c", "@choice -> c: ${n < 0}"));
    let changes = play.start(json!({"n": 1}));
    assert_eq!(short(&changes), ["incident choice condition_error"]);
    assert!(incident(&changes).contains("'choice'"));
    // It fails again, and is another incident.
    assert_eq!(short(&play.retry("choice")), ["resolved choice", "incident choice condition_error"]);
}

#[test]
fn a_single_flow_without_condition_counts_as_the_default() {
    let body = CHOICE.replace(r#" default="choice_c""#, "");
    assert_eq!(short(&Play::of(&body).start(json!({"n": 1}))), ["job c"]);
}

#[test]
fn an_exclusive_gateway_without_flows_ends_the_path() {
    let mut play = Play::of("<:startEvent id=\"start\"/><:exclusiveGateway id=\"x\"/>\n@start -> x");
    assert_eq!(short(&play.start(none())), ["completed"]);
}

const FORK: &str = r#"
    <:startEvent id="start"/>
    <:parallelGateway id="fork"/>
    <job id="a"/><job id="b"/>
    <:parallelGateway id="join"/>
    <job id="after"/>
    @start -> fork
    @fork -> a
    @fork -> b
    @a -> join
    @b -> join
    @join -> after
"#;

#[test]
fn a_parallel_join_waits_for_every_flow() {
    let mut play = Play::of(FORK);
    assert_eq!(short(&play.start(none())), ["job a", "job b"]);
    assert_eq!(short(&play.complete_job("b", none())), ["job done b"]);
    assert_eq!(play.active(), ["a", "join"]);
    assert_eq!(short(&play.complete_job("a", none())), ["job done a", "job after"]);
    assert_eq!(short(&play.complete_job("after", none())), ["job done after", "completed"]);
}

#[test]
fn a_parallel_join_counts_per_flow() {
    // Two tokens by one flow are not one by each.
    let body = r#"
        <:startEvent id="start"/>
        <:parallelGateway id="fork"/>
        <job id="a1"/><job id="a2"/><:exclusiveGateway id="a"/>
        <job id="b"/>
        <:parallelGateway id="join"/>
        <job id="after"/>
        @start -> fork
        @fork -> a1
        @fork -> a2
        @fork -> b
        @a1 -> a
        @a2 -> a
        @a -> join
        @b -> join
        @join -> after
    "#;
    let mut play = Play::of(body);
    play.start(none());
    assert_eq!(short(&play.complete_job("a1", none())), ["job done a1"]);
    assert_eq!(short(&play.complete_job("a2", none())), ["job done a2"]);
    assert_eq!(short(&play.complete_job("b", none())), ["job done b", "job after"]);
    // The second token by the first flow waits on, and with it the instance.
    assert_eq!(short(&play.complete_job("after", none())), ["job done after"]);
    assert_eq!(play.active(), ["join"]);
    assert!(!play.state.ended());
}

#[test]
fn several_flows_out_of_a_task_fork() {
    let body = r#"
        <:startEvent id="start"/><:task id="t"/><job id="a"/><job id="b"/>
        @start -> t
        @t -> a
        @t -> b
    "#;
    let mut play = Play::of(body);
    assert_eq!(short(&play.start(none())), ["job a", "job b"]);
    assert_eq!(short(&play.complete_job("a", none())), ["job done a"]);
    assert_eq!(short(&play.complete_job("b", none())), ["job done b", "completed"]);
}

#[test]
fn conditional_flows_out_of_a_task_are_all_looked_at() {
    let body = r#"
        <:startEvent id="start"/><:task id="t" default="t_c"/><job id="a"/><job id="b"/><job id="c"/>
        @start -> t
        @t -> a: ${n > 1}
        @t -> b: ${n > 2}
        @t -> c
    "#;
    assert_eq!(short(&Play::of(body).start(json!({"n": 3}))), ["job a", "job b"]);
    assert_eq!(short(&Play::of(body).start(json!({"n": 2}))), ["job a"]);
    assert_eq!(short(&Play::of(body).start(json!({"n": 0}))), ["job c"]);
    let without = body.replace(r#" default="t_c""#, "").replace("@t -> c", "@t -> c: ${n > 3}");
    assert_eq!(short(&Play::of(&without).start(json!({"n": 0}))), ["incident t condition_error"]);
}

#[test]
fn feel_conditions_that_are_null_are_incidents() {
    let body = CHOICE.replace("${n > 10}", "=nosuch");
    let changes = Play::of(&body).start(json!({"n": 1}));
    assert_eq!(short(&changes), ["incident choice expression_error"]);
}

#[test]
fn loops_are_fine() {
    let body = r#"
        <:startEvent id="start"/><:exclusiveGateway id="again"/><job id="work"/><:exclusiveGateway id="done" default="done_again"/><:endEvent id="end"/>
        @start -> again
        @again -> work
        @work -> done
        @done -> again
        @done -> end: ${ok == true}
    "#;
    let mut play = Play::of(body);
    play.start(json!({"ok": false}));
    for _ in 0..5 {
        assert_eq!(short(&play.complete_job("work", none())), ["job done work", "job work"]);
    }
    assert_eq!(short(&play.complete_job("work", json!({"ok": true}))), ["job done work", "completed"]);
}

#[test]
fn the_first_event_wins_at_an_event_based_gateway() {
    let body = r#"
        <:startEvent id="start"/><:eventBasedGateway id="first"/>
        <:intermediateCatchEvent id="paid"><:messageEventDefinition messageRef="msg"/></:intermediateCatchEvent>
        <:intermediateCatchEvent id="late"><:timerEventDefinition><:timeDuration>PT1H</:timeDuration></:timerEventDefinition></:intermediateCatchEvent>
        <:intermediateCatchEvent id="stopped"><:signalEventDefinition signalRef="sig"/></:intermediateCatchEvent>
        <:receiveTask id="received" messageRef="msgz"/>
        <job id="a"/><job id="b"/>
        @start -> first
        @first -> paid
        @first -> late
        @first -> stopped
        @first -> received
        @paid -> a
        @late -> b
    "#;
    let mut play = Play::of(body);
    assert_eq!(
        short(&play.start(json!({"orderId": 7}))),
        ["waits paid", "timer late", "waits stopped", "waits received"]
    );
    assert_eq!(play.active(), ["first"]);
    assert_eq!(
        short(&play.message("paid", json!({"sum": 3}))),
        ["message paid", "closed", "timer cancelled", "closed", "closed", "job a"]
    );
    assert_eq!(play.variables(), json!({"orderId": 7, "sum": 3}));

    let mut play = Play::of(body);
    play.start(json!({"orderId": 7}));
    assert_eq!(short(&play.timer("late")), ["fired late", "closed", "closed", "closed", "job b"]);

    let mut play = Play::of(body);
    play.start(json!({"orderId": 7}));
    assert_eq!(short(&play.message("received", none()))[0], "message received");
    assert!(play.state.ended());
}

#[test]
fn camundas_other_form_of_expressions_is_read_too() {
    let body = CHOICE.replace("${n > 10}", "#{n > 10}");
    assert_eq!(short(&Play::of(&body).start(json!({"n": 11}))), ["job a"]);
}
