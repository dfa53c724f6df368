use serde_json::json;

use super::super::{Command, MessageStart, SignalStart, StepError};
use super::{Play, at, map, none, process, short};

const STARTS: &str = r#"
    <:startEvent id="byHand"/>
    <:startEvent id="byMessage"><:messageEventDefinition messageRef="msg"/></:startEvent>
    <:startEvent id="bySignal"><:signalEventDefinition signalRef="sig"/></:startEvent>
    <:startEvent id="byTimer"><:timerEventDefinition><:timeCycle>R/PT1H</:timeCycle></:timerEventDefinition></:startEvent>
    <job id="t"/><job id="u"/>
    @byHand -> t
    @byMessage -> u
    @bySignal -> u
    @byTimer -> u
"#;

#[test]
fn a_process_tells_how_it_can_be_started() {
    let process = process(STARTS);
    assert!(process.none_start());
    assert_eq!(
        process.message_starts(),
        [MessageStart { element_id: "byMessage".into(), message_name: "Paid".into() }]
    );
    assert_eq!(process.signal_starts(), [SignalStart { element_id: "bySignal".into(), signal_name: "Stop".into() }]);
    let timers = process.timer_starts(at(super::NOW)).unwrap();
    assert_eq!(
        (timers.len(), timers[0].element_id.as_str(), timers[0].schedule.due),
        (1, "byTimer", at("2026-01-31T11:00:00Z"))
    );
    assert!(timers[0].schedule.repeat.is_some());
}

#[test]
fn a_timer_start_whose_expression_fails_is_an_error() {
    let body = STARTS.replace("R/PT1H", "${nosuch}");
    let error = process(&body).timer_starts(at(super::NOW)).unwrap_err();
    assert_eq!(error.expression, "${nosuch}");
}

#[test]
fn an_instance_starts_where_it_is_told() {
    for (element, job) in
        [(None, "job t"), (Some("byHand"), "job t"), (Some("byMessage"), "job u"), (Some("byTimer"), "job u")]
    {
        let mut play = Play::of(STARTS);
        let element_id = element.map(str::to_owned);
        let changes = play.step(Command::Start { element_id, variables: map(json!({"a": 1})) }).unwrap();
        assert_eq!(short(&changes), [job]);
        assert_eq!(play.variables(), json!({"a": 1}));
    }
}

#[test]
fn an_unknown_start_is_refused() {
    for element in ["t", "nosuch"] {
        let mut play = Play::of(STARTS);
        let element_id = Some(element.to_owned());
        let refused = play.step(Command::Start { element_id: element_id.clone(), variables: map(none()) });
        assert_eq!(refused, Err(StepError::NoSuchStart { element_id }));
    }
    let mut play = Play::of(&STARTS.replace("<:startEvent id=\"byHand\"/>", "").replace("@byHand -> t", ""));
    assert!(!play.process.none_start());
    let refused = play.step(Command::Start { element_id: None, variables: map(none()) });
    assert_eq!(refused, Err(StepError::NoSuchStart { element_id: None }));
}
