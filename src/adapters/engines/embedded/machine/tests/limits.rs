use serde_json::json;

use super::super::{Change, Command, StepError, state::MAX_VARIABLES};
use super::{Play, map, none, short};

const CIRCLE: &str = r#"
    <:startEvent id="start"/><:exclusiveGateway id="a"/><:exclusiveGateway id="b" default="b_a"/><:endEvent id="end"/>
    @start -> a
    @a -> b
    @b -> a
    @b -> end: ${stop == true}
"#;

#[test]
fn a_long_way_is_walked_in_several_steps() {
    let tasks: Vec<_> = (1..=2_500).map(|i| format!("<:task id=\"t{i}\"/>\n@t{} -> t{i}\n", i - 1)).collect();
    let mut play = Play::of(&format!("<:startEvent id=\"t0\"/>\n{}", tasks.concat()));
    assert_eq!(play.start(none()), [Change::Continue]);
    assert!(play.state.needs_continue() && !play.state.ended());
    assert_eq!(play.step(Command::Continue).unwrap(), [Change::Continue]);
    assert_eq!(short(&play.step(Command::Continue).unwrap()), ["completed"]);
    assert!(!play.state.needs_continue());
}

#[test]
fn a_circle_without_a_wait_becomes_an_incident() {
    let mut play = Play::of(CIRCLE);
    let mut changes = play.start(json!({"stop": false}));
    let mut steps = 1;
    while changes == [Change::Continue] {
        changes = play.step(Command::Continue).unwrap();
        steps += 1;
    }
    assert_eq!(steps, 101);
    assert!(short(&changes)[0].ends_with("step_limit"), "{changes:?}");
    assert!(!play.state.needs_continue());
    // A retry gets as far again, unless something has changed.
    play.step(Command::SetVariables { variables: map(json!({"stop": true})) }).unwrap();
    let at = play.active()[0].clone();
    assert_eq!(short(&play.retry(&at)), [format!("resolved {at}"), "completed".into()]);
}

#[test]
fn other_commands_are_heard_between_two_steps() {
    let mut play = Play::of(CIRCLE);
    play.start(json!({"stop": false}));
    let changes = play.step(Command::SetVariables { variables: map(json!({"stop": true})) }).unwrap();
    assert_eq!(short(&changes), ["completed"]);
    assert_eq!(play.step(Command::Continue), Ok(vec![]));

    let mut play = Play::of(CIRCLE);
    play.start(json!({"stop": false}));
    assert_eq!(short(&play.step(Command::Cancel).unwrap()), ["cancelled"]);
    assert!(!play.state.needs_continue());
}

#[test]
fn a_fork_in_circles_does_not_fill_the_memory() {
    let tasks: Vec<_> = (0..100).map(|i| format!("<:task id=\"t{i}\"/>\n@f -> t{i}\n@t{i} -> m\n")).collect();
    let head = "<:startEvent id=\"start\"/><:exclusiveGateway id=\"m\"/><:task id=\"f\"/>\n@start -> m\n@m -> f";
    let mut play = Play::of(&format!("{head}\n{}", tasks.concat()));
    let mut changes = play.start(none());
    let mut incidents = 0;
    while changes.last() == Some(&Change::Continue) {
        incidents += changes.iter().filter(|change| matches!(change, Change::IncidentRaised { .. })).count();
        changes = super::super::step(&play.process, &mut play.state, Command::Continue, play.now).unwrap();
    }
    assert!(incidents > 0 && play.state.active.len() < 11_000);
}

#[test]
fn what_tokens_wait_for_counts_too() {
    let event = |i| {
        let timer = "<:timerEventDefinition><:timeDuration>PT1H</:timeDuration></:timerEventDefinition>";
        format!("<:boundaryEvent id=\"b{i}\" attachedToRef=\"t\">{timer}</:boundaryEvent>\n")
    };
    let events: Vec<_> = (0..200).map(event).collect();
    let body = "<:startEvent id=\"start\"/><:task id=\"u\"/><:userTask id=\"t\"/>\n@start -> u\n@u -> u\n@u -> t\n";
    let mut play = Play::of(&format!("{body}{}", events.concat()));
    let mut changes = play.start(none());
    let (mut most, mut steps) = (changes.len(), 0);
    while changes.last() == Some(&Change::Continue) {
        changes = play.step(Command::Continue).unwrap();
        (most, steps) = (most.max(changes.len()), steps + 1);
        assert!(steps < 100);
    }
    let open: usize = play.state.active.values().map(|active| active.waits.len()).sum();
    assert!(most < 1_500 && open < 11_000, "{most} changes in one step, {open} timers");
    assert!(play.state.active.values().any(|active| active.incident.is_some()));
}

#[test]
fn an_event_based_gateway_waits_for_a_bounded_number_of_events() {
    let tasks: Vec<_> =
        (0..251).map(|i| format!("<:receiveTask id=\"t{i}\" messageRef=\"msg\"/>\n@g -> t{i}\n")).collect();
    let errors = super::errors(&format!(
        "<:startEvent id=\"start\"/><:eventBasedGateway id=\"g\"/>\n@start -> g\n{}",
        tasks.concat()
    ));
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn variables_of_a_caller_that_are_too_large_are_refused() {
    let large = "x".repeat(MAX_VARIABLES);
    let mut play = Play::of("<:startEvent id=\"start\"/><job id=\"t\"/>\n@start -> t");
    let refused = play.step(Command::Start { element_id: None, variables: map(json!({"a": large})) });
    assert!(matches!(refused, Err(StepError::TooLarge { .. })));
    assert_eq!(play.state, super::super::InstanceState::new(None));

    let half = "x".repeat(MAX_VARIABLES / 2 + 10);
    play.start(json!({"a": half}));
    let key = play.key("t");
    let refused = play.step(Command::CompleteJob { key, variables: map(json!({"b": half})) });
    assert!(matches!(refused, Err(StepError::TooLarge { .. })));
    assert_eq!(play.active(), ["t"]);
    // What is replaced makes room.
    assert_eq!(short(&play.complete_job("t", json!({"a": half}))), ["job done t", "completed"]);
}

#[test]
fn mappings_that_make_too_much_are_incidents() {
    let body = r#"<:startEvent id="start"/><:serviceTask id="t"><:extensionElements><zeebe:taskDefinition type="x"/>
        <zeebe:ioMapping><zeebe:input source="=a" target="b"/></zeebe:ioMapping></:extensionElements></:serviceTask>
        @start -> t"#;
    let mut play = Play::of(body);
    let half = "x".repeat(MAX_VARIABLES / 2 + 10);
    assert_eq!(short(&play.start(json!({"a": half}))), ["incident t variables_too_large"]);
    play.step(Command::SetVariables { variables: map(json!({"a": 1})) }).unwrap();
    assert_eq!(short(&play.retry("t")), ["resolved t", "job t"]);
}

#[test]
fn values_that_are_nested_too_deeply_are_refused() {
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let mut play = Play::of("<:startEvent id=\"start\"/><job id=\"t\"/>\n@start -> t");
    let refused = play.step(Command::Start { element_id: None, variables: map(json!({"a": nested(101)})) });
    assert_eq!(refused, Err(StepError::TooDeep { limit: 100 }));
    play.start(json!({"a": nested(100)}));
}

#[test]
fn values_do_not_grow_deeper_in_circles() {
    let body = CIRCLE.replace(
        r#"<:exclusiveGateway id="a"/>"#,
        r#"<:exclusiveGateway id="m"/><:task id="a"><:extensionElements><zeebe:ioMapping><zeebe:output source="=x" target="x.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p"/></zeebe:ioMapping></:extensionElements></:task>"#,
    );
    let body = body.replace("@start -> a", "@start -> m\n@m -> a").replace("@b -> a", "@b -> m").replace("b_a", "b_m");
    let mut play = Play::of(&body);
    assert_eq!(short(&play.start(json!({"stop": false, "x": 1}))), ["incident a expression_error"]);
}

#[test]
fn a_state_of_a_later_version_is_not_read() {
    let stored = serde_json::to_string(&super::super::InstanceState::new(None)).unwrap();
    let later = stored.replace("\"v\":1", "\"v\":2");
    assert_ne!(stored, later);
    let error = serde_json::from_str::<super::super::InstanceState>(&later).unwrap_err();
    assert!(error.to_string().contains("unknown version 2"), "{error}");
}

#[test]
fn processes_and_states_go_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let play = Play::of("<:startEvent id=\"start\"/>");
    shared(&play.process);
    shared(&play.state);
}

#[test]
fn a_mapping_that_replaces_a_large_value_has_room() {
    let body = r#"<:startEvent id="start"/><:task id="t"><:extensionElements><camunda:inputOutput>
        <camunda:outputParameter name="a">${a}</camunda:outputParameter></camunda:inputOutput></:extensionElements></:task>
        @start -> t"#;
    let large = "x".repeat(MAX_VARIABLES / 4 * 3);
    assert_eq!(short(&Play::of(body).start(json!({"a": large}))), ["completed"]);
}

#[test]
fn interrupting_a_scope_takes_its_tokens_on_the_way() {
    let body = format!(
        r#"<:startEvent id="begin"/><:subProcess id="sub">{CIRCLE}</:subProcess>
        <:boundaryEvent id="on" attachedToRef="sub"><:signalEventDefinition signalRef="sig"/></:boundaryEvent><job id="caught"/>
        @begin -> sub
        @on -> caught"#
    );
    let mut play = Play::of(&body);
    assert_eq!(short(&play.start(json!({"stop": false}))), ["waits on", "continue"]);
    assert_eq!(short(&play.signal("on", none())), ["closed", "job caught"]);
    assert!(!play.state.needs_continue());
    assert_eq!(short(&play.complete_job("caught", none())), ["job done caught", "completed"]);
}

#[test]
fn many_expressions_make_a_step_shorter() {
    let body = CIRCLE.replace(
        r#"<:exclusiveGateway id="a"/>"#,
        r#"<:exclusiveGateway id="m"/><:task id="a"><:extensionElements><zeebe:ioMapping><zeebe:output source="=n + 1" target="n"/></zeebe:ioMapping></:extensionElements></:task>"#,
    );
    let body = body.replace("@start -> a", "@start -> m\n@m -> a").replace("@b -> a", "@b -> m").replace("b_a", "b_m");
    let mut play = Play::of(&body);
    assert_eq!(short(&play.start(json!({"stop": false, "n": 0}))), ["continue"]);
    // One mapping and one condition a round.
    assert_eq!(play.variables()["n"], json!(250));
}

#[test]
fn the_expressions_of_an_element_share_what_one_step_may_cost() {
    // Each alone is well within its measure, all of them are not.
    let costly = "=count(for i in 1..20000 return i)";
    let outputs: Vec<_> = (0..50).map(|i| format!(r#"<zeebe:output source="{costly}" target="n{i}"/>"#)).collect();
    let body = |outputs: &[String]| {
        let outputs = outputs.concat();
        format!(
            "<:startEvent id=\"start\"/><:task id=\"t\"><:extensionElements><zeebe:ioMapping>{outputs}</zeebe:ioMapping></:extensionElements></:task>\n@start -> t"
        )
    };
    let mut play = Play::of(&body(&outputs[..1]));
    assert_eq!(short(&play.start(json!({}))), ["completed"]);
    let mut play = Play::of(&body(&outputs));
    assert_eq!(short(&play.start(json!({}))), ["incident t expression_error"]);
}

#[test]
fn an_element_with_too_many_expressions_is_refused() {
    let flows: Vec<_> = (0..300).map(|i| format!("<:task id=\"t{i}\"/>\n@x -> t{i}: ${{n > {i}}}\n")).collect();
    let errors =
        super::errors(&format!("<:startEvent id=\"start\"/><:exclusiveGateway id=\"x\"/>\n{}", flows.concat()));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].message.contains("more than 250 conditions"), "{errors:?}");
}

#[test]
fn many_large_mappings_do_not_fill_the_memory() {
    let inputs: Vec<_> = (0..200).map(|i| format!("<zeebe:input source=\"=a\" target=\"b{i}\"/>")).collect();
    let body = format!(
        "<:startEvent id=\"start\"/><:task id=\"t\"><:extensionElements><zeebe:ioMapping>{}</zeebe:ioMapping></:extensionElements></:task>\n@start -> t",
        inputs.concat()
    );
    let mut play = Play::of(&body);
    let large = "x".repeat(MAX_VARIABLES / 2);
    assert_eq!(short(&play.start(json!({"a": large}))), ["incident t variables_too_large"]);
}
