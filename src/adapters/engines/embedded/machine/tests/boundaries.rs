use serde_json::json;

use super::super::{Change, Schedule};
use super::{Play, at, incident, none, short};

/// A task with a boundary event, and what happens after either.
fn around(event: &str) -> String {
    format!(
        r#"<:startEvent id="start"/><job id="t"/><job id="next"/><job id="other"/>
        {event}
        @start -> t
        @t -> next
        @b -> other"#
    )
}

fn boundary(attributes: &str, definition: &str) -> String {
    around(&format!(r#"<:boundaryEvent id="b" attachedToRef="t" {attributes}>{definition}</:boundaryEvent>"#))
}

const TIMER: &str = "<:timerEventDefinition><:timeDuration>PT1H</:timeDuration></:timerEventDefinition>";
const CYCLE: &str = "<:timerEventDefinition><:timeCycle>R3/PT10S</:timeCycle></:timerEventDefinition>";
const MESSAGE: &str = r#"<:messageEventDefinition messageRef="msg"/>"#;
const SIGNAL: &str = r#"<:signalEventDefinition signalRef="sig"/>"#;
const ERROR: &str = r#"<:errorEventDefinition errorRef="err1"/>"#;
const ANY_ERROR: &str = "<:errorEventDefinition/>";

#[test]
fn an_interrupting_event_ends_the_task() {
    let mut play = Play::of(&boundary("", TIMER));
    assert_eq!(short(&play.start(none())), ["job t", "timer b"]);
    assert_eq!(short(&play.timer("b")), ["fired b", "job cancelled t", "job other"]);
    assert_eq!(play.active(), ["other"]);

    let mut play = Play::of(&boundary("", MESSAGE));
    play.start(none());
    assert_eq!(short(&play.message("b", json!({"x": 1}))), ["message b", "closed", "job cancelled t", "job other"]);
    assert_eq!(play.variables(), json!({"x": 1}));

    let mut play = Play::of(&boundary("", SIGNAL));
    play.start(none());
    assert_eq!(short(&play.signal("b", none())), ["closed", "job cancelled t", "job other"]);
}

#[test]
fn a_task_that_is_done_takes_its_events_with_it() {
    let mut play = Play::of(&boundary("", TIMER));
    play.start(none());
    assert_eq!(short(&play.complete_job("t", none())), ["job done t", "timer cancelled", "job next"]);
    let mut play = Play::of(&boundary("", MESSAGE));
    play.start(none());
    assert_eq!(short(&play.complete_job("t", none())), ["job done t", "closed", "job next"]);
}

#[test]
fn a_non_interrupting_event_goes_beside_the_task() {
    let mut play = Play::of(&boundary(r#"cancelActivity="false""#, TIMER));
    play.start(none());
    assert_eq!(short(&play.timer("b")), ["fired b", "job other"]);
    assert_eq!(play.active(), ["t", "other"]);
    assert_eq!(short(&play.complete_job("t", none())), ["job done t", "job next"]);
    play.complete_job("next", none());
    assert!(!play.state.ended());
    assert_eq!(short(&play.complete_job("other", none())), ["job done other", "completed"]);

    // A message subscription stays open for the next one.
    let mut play = Play::of(&boundary(r#"cancelActivity="false""#, MESSAGE));
    play.start(none());
    assert_eq!(short(&play.message("b", none())), ["message b", "job other"]);
    assert_eq!(short(&play.message("b", none())), ["message b", "job other"]);
    assert_eq!(short(&play.complete_job("t", none())), ["job done t", "closed", "job next"]);
}

#[test]
fn a_cycle_fires_as_often_as_it_says() {
    let mut play = Play::of(&boundary(r#"cancelActivity="false""#, CYCLE));
    play.start(none());
    for (now, due) in [("10:00:10", "10:00:20"), ("10:00:21", "10:00:30")] {
        play.now = at(&format!("2026-01-31T{now}Z"));
        let changes = play.timer("b");
        let Some(Change::TimerFired { next: Some(Schedule { due: next, .. }), .. }) = changes.first() else {
            panic!("{changes:?}")
        };
        assert_eq!(*next, at(&format!("2026-01-31T{due}Z")));
    }
    assert_eq!(short(&play.timer("b")), ["fired b", "job other"]);
    assert_eq!(short(&play.complete_job("t", none())), ["job done t", "job next"]);
}

#[test]
fn after_downtime_a_cycle_fires_once_and_keeps_its_rhythm() {
    let mut play = Play::of(&boundary(r#"cancelActivity="false""#, &CYCLE.replace("R3", "R")));
    play.start(none());
    play.now = at("2026-02-01T10:00:05Z");
    let changes = play.timer("b");
    let Some(Change::TimerFired { next: Some(next), .. }) = changes.first() else { panic!("{changes:?}") };
    assert_eq!(next.due, at("2026-02-01T10:00:10Z"));
    assert_eq!(short(&changes), ["fired b again", "job other"]);
}

#[test]
fn an_error_is_caught_by_its_code() {
    let mut play = Play::of(&boundary("", ERROR));
    assert_eq!(short(&play.start(none())), ["job t"]);
    assert_eq!(short(&play.throw("t", "E1", json!({"x": 1}))), ["job error t E1", "job other"]);
    assert_eq!(play.variables(), json!({"x": 1}));
    assert_eq!(play.active(), ["other"]);
}

#[test]
fn an_error_without_a_catcher_is_an_incident_and_a_retry_offers_the_job_again() {
    let mut play = Play::of(&boundary("", ERROR));
    play.start(none());
    let old = play.key("t");
    let changes = play.throw("t", "E9", none());
    assert_eq!(short(&changes), ["job error t E9", "incident t unhandled_error"]);
    assert!(incident(&changes).contains("E9"));
    assert_eq!(short(&play.retry("t")), ["resolved t", "job t"]);
    assert_ne!(play.key("t"), old);
    assert_eq!(short(&play.throw("t", "E1", none())), ["job error t E1", "job other"]);
}

#[test]
fn a_code_goes_before_a_catch_all() {
    let body = around(
        r#"<:boundaryEvent id="all" attachedToRef="t"><:errorEventDefinition camunda:errorCodeVariable="code" camunda:errorMessageVariable="text"/></:boundaryEvent>
           <:boundaryEvent id="b" attachedToRef="t"><:errorEventDefinition errorRef="err1"/></:boundaryEvent>
           <job id="rest"/>
           @all -> rest"#,
    );
    let mut play = Play::of(&body);
    play.start(none());
    assert_eq!(short(&play.throw("t", "E1", none())), ["job error t E1", "job other"]);
    let mut play = Play::of(&body);
    play.start(none());
    assert_eq!(short(&play.throw("t", "E2", none())), ["job error t E2", "job rest"]);
    assert_eq!(play.variables(), json!({"code": "E2", "text": "why"}));
    let mut play = Play::of(&boundary("", ANY_ERROR));
    play.start(none());
    assert_eq!(short(&play.throw("t", "whatever", none())), ["job error t whatever", "job other"]);
}

#[test]
fn a_boundary_timer_that_cannot_be_set_leaves_no_task_behind() {
    let mut play = Play::of(&boundary("", &TIMER.replace("PT1H", "${wait}")));
    assert_eq!(short(&play.start(none())), ["incident t expression_error"]);
    assert_eq!(play.active(), ["t"]);
}

#[test]
fn an_event_without_a_flow_ends_its_path() {
    let mut play = Play::of(&boundary("", TIMER).replace("@b -> other", ""));
    play.start(none());
    assert_eq!(short(&play.timer("b")), ["fired b", "job cancelled t", "completed"]);
}
