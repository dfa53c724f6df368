use serde_json::json;

use super::super::{Change, Command, InstanceState, StepError, read};
use super::{Play, at, map, none, short};

fn order() -> Play {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/order.bpmn");
    let process = read(&std::fs::read_to_string(path).unwrap()).unwrap().remove(0);
    Play { process, state: InstanceState::new(Some("A-1".into())), now: at(super::NOW) }
}

#[test]
fn a_large_order_is_approved() {
    let mut play = order();
    assert_eq!((play.process.key(), play.process.name()), ("order", Some("Order")));
    assert!(play.process.none_start());

    let changes = play.start(json!({"amount": 120}));
    assert_eq!(short(&changes), ["job charge"]);
    let Some(Change::JobCreated { topic, retries, .. }) = changes.first() else { panic!("{changes:?}") };
    assert_eq!((topic.as_str(), *retries), ("charge", 3));

    let changes = play.complete_job("charge", json!({"paid": true}));
    assert_eq!(short(&changes), ["job done charge", "task approve"]);
    let Some(Change::TaskCreated(task)) = changes.last() else { panic!("{changes:?}") };
    assert_eq!(
        (task.name.as_str(), task.candidate_groups.as_slice()),
        ("Approve the order", &["sales".to_owned()][..])
    );

    assert_eq!(short(&play.complete_task("approve", json!({"by": "ada"}))), ["task done approve", "job ship"]);
    let changes = play.complete_job("ship", none());
    assert_eq!(short(&changes), ["job done ship", "completed"]);
    assert_eq!(play.variables(), json!({"amount": 120, "paid": true, "by": "ada"}));
    assert!(play.state.ended());
    assert_eq!(play.state.business_key(), Some("A-1"));
}

#[test]
fn a_small_order_skips_approval() {
    let mut play = order();
    play.start(json!({"amount": 100}));
    assert_eq!(short(&play.complete_job("charge", none())), ["job done charge", "job ship"]);
}

#[test]
fn an_unknown_variable_is_an_incident_that_a_retry_resolves() {
    let mut play = order();
    play.start(none());
    let changes = play.complete_job("charge", none());
    assert_eq!(short(&changes), ["job done charge", "incident large expression_error"]);
    let message = super::incident(&changes);
    assert!(
        message.contains("'large'") && message.contains("${amount > 100}") && message.contains("amount"),
        "{message}"
    );

    play.step(Command::SetVariables { variables: map(json!({"amount": 7})) }).unwrap();
    assert_eq!(short(&play.retry("large")), ["resolved large", "job ship"]);
}

#[test]
fn a_refused_command_changes_nothing() {
    let mut play = order();
    assert_eq!(play.step(Command::Cancel), Err(StepError::NotStarted));
    play.start(json!({"amount": 1}));
    let before = play.state.clone();
    for (command, error) in [
        (Command::CompleteJob { key: 99, variables: map(none()) }, StepError::UnknownKey { key: 99 }),
        (Command::CompleteTask { key: 2, variables: map(none()) }, StepError::UnknownKey { key: 2 }),
        (Command::FireTimer { key: 2 }, StepError::UnknownKey { key: 2 }),
        (Command::RetryIncident { key: 2 }, StepError::UnknownKey { key: 2 }),
        (Command::Start { element_id: None, variables: map(none()) }, StepError::AlreadyStarted),
    ] {
        assert_eq!(play.step(command), Err(error));
        assert_eq!(play.state, before);
    }
}

#[test]
fn an_ended_instance_takes_no_commands() {
    let mut play = order();
    play.start(none());
    assert_eq!(short(&play.step(Command::Cancel).unwrap()), ["job cancelled charge", "cancelled"]);
    assert_eq!(play.step(Command::Cancel), Err(StepError::Ended));
    assert_eq!(play.step(Command::SetVariables { variables: map(none()) }), Err(StepError::Ended));
    assert_eq!(play.step(Command::Continue), Ok(vec![]));
}
