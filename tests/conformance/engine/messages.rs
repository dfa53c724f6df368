//! Messages: correlated with exactly one receiver, or kept for one.

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    domain::{engine::NativeId, execution::ExecutionStatus, workspace::WorkspaceAccess},
    ports::engine::{Correlate, Correlated, EngineError, StartByMessage},
};

use super::{
    engines,
    model::{file, process},
    world::{DEMO, OTHER, World, key, none, object, only, paid},
};

engines!({
    a_message_moves_who_waits_for_it,
    a_message_nobody_waits_for_is_told,
    several_receivers_are_ambiguous,
    camunda_receivers_match_by_business_key,
    zeebe_receivers_match_by_correlation_key,
    an_instance_may_be_named,
    a_receive_task_takes_a_message_once,
    a_boundary_event_takes_messages,
    a_message_starts_a_process,
    who_waits_comes_before_what_is_started,
    a_start_by_message_names_one_process,
    a_message_may_wait_for_its_receiver,
    a_waiting_message_runs_out,
    waiting_messages_come_one_by_one,
    a_message_waits_in_one_workspace_only,
});

const CAUGHT: &str = r#"<:startEvent id="start"/><:intermediateCatchEvent id="paid"><:messageEventDefinition messageRef="m"/></:intermediateCatchEvent>
    <:userTask id="next"/>
    @start -> paid
    @paid -> next"#;

/// The same in Zeebe's dialect, correlated by `orderId`.
fn zeebe() -> String {
    CAUGHT.replace("messageRef=\"m\"", "messageRef=\"mz\"")
}

const STARTED: &str = r#"<:startEvent id="start"><:messageEventDefinition messageRef="m"/></:startEvent><:userTask id="next"/>
    @start -> next"#;

async fn send(world: &World, message: Correlate) -> Result<Correlated, EngineError> {
    world.engine.correlate(message).await
}

fn taken_by(id: &NativeId) -> Correlated {
    Correlated::Execution { instance: id.clone() }
}

async fn a_message_moves_who_waits_for_it(world: World) {
    let instance = world.run(CAUGHT, json!({"a": 1})).await;
    let message = Correlate { variables: object(json!({"b": 2})), ..paid() };
    assert_eq!(send(&world, message).await.unwrap(), taken_by(&instance.id));
    assert_eq!(world.active(&instance.id).await, ["next"]);
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1, "b": 2}));
    let again = send(&world, paid()).await;
    assert!(matches!(again, Err(EngineError::MessageNotCorrelated)), "{again:?}");
}

async fn a_message_nobody_waits_for_is_told(world: World) {
    let instance = world.run(CAUGHT, none()).await;
    let messages = [
        Correlate { name: key("paid"), ..paid() },
        Correlate { business_key: Some(key("A-1")), ..paid() },
        Correlate { instance: Some(NativeId::new("nosuch")), ..paid() },
        Correlate { instance: Some(NativeId::new("00000000-0000-0000-0000-000000000000")), ..paid() },
        Correlate { within: only(OTHER), ..paid() },
        Correlate { within: WorkspaceAccess::none(), ..paid() },
    ];
    for message in messages {
        let outcome = send(&world, message.clone()).await;
        assert!(matches!(outcome, Err(EngineError::MessageNotCorrelated)), "{message:?}: {outcome:?}");
    }
    assert_eq!(world.active(&instance.id).await, ["paid"]);
}

async fn several_receivers_are_ambiguous(world: World) {
    let one = world.run(CAUGHT, none()).await;
    let other = world.start("p", none()).await;
    let outcome = send(&world, paid()).await;
    assert!(matches!(outcome, Err(EngineError::MessageAmbiguous)), "{outcome:?}");
    for instance in [one, other] {
        assert_eq!(world.active(&instance.id).await, ["paid"]);
    }
}

async fn camunda_receivers_match_by_business_key(world: World) {
    world.deploy(&file(CAUGHT)).await;
    let one = world.start_in(DEMO, "p", Some("A-1"), json!({"orderId": "A-2"})).await.unwrap();
    let two = world.start_in(DEMO, "p", Some("A-2"), none()).await.unwrap();
    let by_correlation_key = Correlate { correlation_key: Some(key("A-1")), ..paid() };
    let outcome = send(&world, by_correlation_key).await;
    assert!(matches!(outcome, Err(EngineError::MessageNotCorrelated)), "{outcome:?}");
    let outcome = send(&world, Correlate { business_key: Some(key("A-2")), ..paid() }).await;
    assert_eq!(outcome.unwrap(), taken_by(&two.id));
    let both = Correlate { business_key: Some(key("A-1")), correlation_key: Some(key("x")), ..paid() };
    assert_eq!(send(&world, both).await.unwrap(), taken_by(&one.id));
}

async fn zeebe_receivers_match_by_correlation_key(world: World) {
    world.deploy(&file(&zeebe())).await;
    let one = world.start_in(DEMO, "p", Some("B-1"), json!({"orderId": "A-1"})).await.unwrap();
    let two = world.start_in(DEMO, "p", Some("B-2"), json!({"orderId": 7})).await.unwrap();
    let three = world.start_in(DEMO, "p", None, json!({"orderId": "A-3"})).await.unwrap();
    let by_business_key = Correlate { business_key: Some(key("B-1")), ..paid() };
    let outcome = send(&world, by_business_key).await;
    assert!(matches!(outcome, Err(EngineError::MessageNotCorrelated)), "{outcome:?}");
    let outcome = send(&world, Correlate { correlation_key: Some(key("A-1")), ..paid() }).await;
    assert_eq!(outcome.unwrap(), taken_by(&one.id));
    let outcome = send(&world, Correlate { correlation_key: Some(key("7")), ..paid() }).await;
    assert_eq!(outcome.unwrap(), taken_by(&two.id));
    // The correlation key defaults to the business key.
    let outcome = send(&world, Correlate { business_key: Some(key("A-3")), ..paid() }).await;
    assert_eq!(outcome.unwrap(), taken_by(&three.id));
}

async fn an_instance_may_be_named(world: World) {
    for body in [CAUGHT.to_owned(), zeebe()] {
        world.deploy(&file(&body)).await;
        let one = world.start("p", json!({"orderId": "A-1"})).await;
        let other = world.start("p", json!({"orderId": "A-1"})).await;
        let named = |id: &NativeId| Correlate { instance: Some(id.clone()), ..paid() };
        assert_eq!(send(&world, named(&other.id)).await.unwrap(), taken_by(&other.id));
        assert_eq!(world.active(&one.id).await, ["paid"]);
        let again = send(&world, named(&other.id)).await;
        assert!(matches!(again, Err(EngineError::MessageNotCorrelated)), "{again:?}");
        let crossed = send(&world, Correlate { within: only(OTHER), ..named(&one.id) }).await;
        assert!(matches!(crossed, Err(EngineError::MessageNotCorrelated)), "{crossed:?}");
        world.engine.cancel(&one.id).await.unwrap();
    }
}

async fn a_receive_task_takes_a_message_once(world: World) {
    let body = r#"<:startEvent id="start"/><:receiveTask id="one" messageRef="m"/><:receiveTask id="two" messageRef="m"/>
        @start -> one
        @one -> two"#;
    let instance = world.run(body, none()).await;
    send(&world, paid()).await.unwrap();
    assert_eq!(world.active(&instance.id).await, ["two"]);
    send(&world, paid()).await.unwrap();
    assert_eq!(world.status(&instance.id).await, ExecutionStatus::Completed);
}

async fn a_boundary_event_takes_messages(world: World) {
    let body = |interrupting| {
        format!(
            r#"<:startEvent id="start"/><:userTask id="ask"/><:userTask id="told"/>
            <:boundaryEvent id="news" attachedToRef="ask" cancelActivity="{interrupting}"><:messageEventDefinition messageRef="m"/></:boundaryEvent>
            @start -> ask
            @news -> told"#
        )
    };
    let interrupted = world.run(&body(true), none()).await;
    send(&world, paid()).await.unwrap();
    assert_eq!(world.active(&interrupted.id).await, ["told"]);
    let goes_on = world.run(&body(false), none()).await;
    send(&world, paid()).await.unwrap();
    send(&world, paid()).await.unwrap();
    assert_eq!(world.active(&goes_on.id).await, ["ask", "told", "told"]);
}

async fn a_message_starts_a_process(world: World) {
    world.deploy(&file(STARTED)).await;
    let message = Correlate { business_key: Some(key("A-1")), variables: object(json!({"a": 1})), ..paid() };
    let outcome = send(&world, message).await.unwrap();
    let Correlated::ProcessInstance { instance } = outcome else { panic!("{outcome:?}") };
    let instance = world.instance(&instance).await;
    assert_eq!((instance.process_key, instance.business_key), (key("p"), Some(key("A-1"))));
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1}));
    assert_eq!(world.active(&instance.id).await, ["next"]);
    // A newer version that the message does not start takes its place.
    world.deploy(&file(CAUGHT)).await;
    let outcome = send(&world, paid()).await;
    assert!(matches!(outcome, Err(EngineError::MessageNotCorrelated)), "{outcome:?}");
}

async fn who_waits_comes_before_what_is_started(world: World) {
    world.deploy(&file(STARTED)).await;
    world.deploy(&process("q", CAUGHT)).await;
    let waiting = world.start("q", none()).await;
    assert_eq!(send(&world, paid()).await.unwrap(), taken_by(&waiting.id));
    let outcome = send(&world, paid()).await.unwrap();
    assert!(matches!(outcome, Correlated::ProcessInstance { .. }), "{outcome:?}");
    let named = send(&world, Correlate { instance: Some(waiting.id), ..paid() }).await;
    assert!(matches!(named, Err(EngineError::MessageNotCorrelated)), "{named:?}");
}

fn start(within: WorkspaceAccess, message: &str) -> StartByMessage {
    StartByMessage { within, message: key(message), business_key: Some(key("A-1")), variables: object(json!({"a": 1})) }
}

async fn a_start_by_message_names_one_process(world: World) {
    let nothing = world.engine.start_by_message(start(only(DEMO), "Paid")).await;
    assert!(matches!(&nothing, Err(EngineError::UnknownDefinition { key }) if key == "Paid"), "{nothing:?}");
    world.deploy(&file(STARTED)).await;
    let started = world.engine.start_by_message(start(only(DEMO), "Paid")).await.unwrap();
    assert_eq!((started.process_key, started.business_key), (key("p"), Some(key("A-1"))));
    assert_eq!(world.variables(&started.id).await, json!({"a": 1}));
    world.deploy(&process("q", STARTED)).await;
    let several = world.engine.start_by_message(start(only(DEMO), "Paid")).await;
    assert!(matches!(several, Err(EngineError::MessageAmbiguous)), "{several:?}");
}

fn lasting(seconds: i64) -> Correlate {
    Correlate { time_to_live: Some(SignedDuration::from_secs(seconds)), ..paid() }
}

async fn a_message_may_wait_for_its_receiver(world: World) {
    let kept = send(&world, lasting(60)).await;
    if !world.can().buffers_messages {
        assert!(matches!(kept, Err(EngineError::Unsupported { .. })), "{kept:?}");
        return;
    }
    assert!(matches!(kept, Ok(Correlated::Buffered { .. })), "{kept:?}");
    let matching = Correlate { business_key: Some(key("A-1")), variables: object(json!({"b": 2})), ..lasting(60) };
    send(&world, matching).await.unwrap();
    world.deploy(&file(CAUGHT)).await;
    let other = world.start_in(DEMO, "p", Some("A-2"), none()).await.unwrap();
    assert_eq!(world.active(&other.id).await, ["next"], "without keys a message fits everybody");
    let another = world.start_in(DEMO, "p", Some("A-2"), none()).await.unwrap();
    assert_eq!(world.active(&another.id).await, ["paid"]);
    let instance = world.start_in(DEMO, "p", Some("A-1"), json!({"a": 1})).await.unwrap();
    assert_eq!(world.active(&instance.id).await, ["next"]);
    assert_eq!(world.variables(&instance.id).await, json!({"a": 1, "b": 2}));
    let second = world.start_in(DEMO, "p", Some("A-1"), none()).await.unwrap();
    assert_eq!(world.active(&second.id).await, ["paid"]);
}

async fn a_waiting_message_runs_out(world: World) {
    if !world.can().buffers_messages {
        return;
    }
    send(&world, lasting(1)).await.unwrap();
    world.pass(SignedDuration::from_millis(1_100)).await;
    let instance = world.run(CAUGHT, none()).await;
    assert_eq!(world.active(&instance.id).await, ["paid"]);
}

async fn waiting_messages_come_one_by_one(world: World) {
    if !world.can().buffers_messages {
        return;
    }
    for number in 1..=3 {
        send(&world, Correlate { variables: object(json!({"last": number})), ..lasting(60) }).await.unwrap();
    }
    let body = r#"<:startEvent id="start"/><:receiveTask id="one" messageRef="m"/><:receiveTask id="two" messageRef="m"/><:userTask id="next"/>
        @start -> one
        @one -> two
        @two -> next"#;
    let instance = world.run(body, none()).await;
    assert_eq!(world.active(&instance.id).await, ["next"]);
    assert_eq!(world.variables(&instance.id).await, json!({"last": 2}));
    let second = world.start("p", none()).await;
    assert_eq!(world.active(&second.id).await, ["two"]);
}

async fn a_message_waits_in_one_workspace_only(world: World) {
    if !world.can().buffers_messages {
        return;
    }
    for within in [WorkspaceAccess::All, WorkspaceAccess::none()] {
        let outcome = send(&world, Correlate { within, ..lasting(60) }).await;
        assert!(matches!(outcome, Err(EngineError::Invalid { .. })), "{outcome:?}");
    }
}
