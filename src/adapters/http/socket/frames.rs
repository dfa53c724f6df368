//! What is said on a socket, in JSON (shapes.md): each frame one text message.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::Value;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::super::{
    events::EventBody,
    executions::ExecutionBody,
    fields::{FieldProblems, FreeText, FromJson, Pointer, request},
    ijson,
    json::{IntoJson, response, to_text},
    problem::Problem,
};
use crate::domain::{bearer::BearerToken, event::Event, execution::Execution, json::JsonObject, text::Key};

macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(super) struct $name;

        impl FromJson for $name {
            fn schema() -> MetaSchemaRef {
                let schema = MetaSchema { enum_items: vec![$word.into()], ..MetaSchema::new("string") };
                MetaSchemaRef::Inline(Box::new(schema))
            }

            fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self> {
                let is_it = value == $word;
                if !is_it {
                    problems.unreadable(at, concat!("must be ", $word));
                }
                is_it.then_some(Self)
            }
        }
    )+};
}

words! {
    /// The type of [`AuthFrame`].
    Auth = "auth";
    /// The type of [`RunWorkflowFrame`].
    RunWorkflow = "run_workflow";
}

request! {
    /// On a WebSocket, from the client: a fresh token in the place of the old one.
    pub(super) struct AuthFrame {
        /// `auth`
        required kind ("type"): Auth,
        /// The token: of the same issuer, subject and kind.
        required token ("token"): FreeText,
    }
}

request! {
    /// On a WebSocket, from the client: a run to begin.
    pub(super) struct RunWorkflowFrame {
        /// `run_workflow`
        required kind ("type"): RunWorkflow,
        /// The first variables.
        optional input ("input"): JsonObject,
        /// The caller's own name for it.
        optional business_key ("business_key"): Key,
        /// Comes back with the answer.
        optional request_id ("request_id"): Key,
    }
}

response! {
    /// On a WebSocket, the first frame.
    struct ReadyFrame {
        /// `ready`
        required kind ("type"): &'static str,
        /// The channel's last number before the live part.
        required sequence ("sequence"): u64,
    }
}

response! {
    /// On a WebSocket: something happened.
    struct EventFrame {
        /// `event`
        required kind ("type"): &'static str,
        /// What.
        required event ("event"): EventBody,
    }
}

response! {
    /// On a WebSocket: the run that was asked for.
    struct ExecutionFrame {
        /// `execution`
        required kind ("type"): &'static str,
        /// As the client gave it.
        optional request_id ("request_id"): String,
        /// The run.
        required execution ("execution"): ExecutionBody,
    }
}

response! {
    /// On a WebSocket: what was wrong with a frame of the client's.
    struct ProblemFrame {
        /// `problem`
        required kind ("type"): &'static str,
        /// As the client gave it.
        optional request_id ("request_id"): String,
        /// What was wrong (RFC 9457).
        required problem ("problem"): ProblemBody,
    }
}

/// A problem within a frame.
#[derive(Debug)]
struct ProblemBody(Value);

impl IntoJson for ProblemBody {
    fn schema() -> MetaSchemaRef {
        MetaSchemaRef::Reference("Problem".to_owned())
    }

    fn write(self, text: &mut String) {
        text.push_str(&self.0.to_string());
    }
}

/// What the gate says.
#[derive(Debug)]
pub(super) enum Frame {
    /// The channel's last number before the live part.
    Ready(u64),
    /// Something happened.
    Event(Event),
    /// A run that was asked for.
    Execution(Option<Key>, Box<Execution>),
    /// What was wrong with a frame: the body of a problem.
    Problem(Option<Key>, Value),
    /// Is anybody there?
    Ping,
}

impl Frame {
    /// As a message.
    pub(super) fn into_message(self) -> Message {
        let id = |id: Option<Key>| id.map(Key::into_string);
        let text = match self {
            Self::Ready(sequence) => to_text(ReadyFrame { kind: "ready", sequence }),
            Self::Event(event) => to_text(EventFrame { kind: "event", event: event.into() }),
            Self::Execution(request_id, execution) => {
                let execution = ExecutionBody::from(*execution);
                to_text(ExecutionFrame { kind: "execution", request_id: id(request_id), execution })
            }
            Self::Problem(request_id, problem) => {
                let problem = ProblemBody(problem);
                to_text(ProblemFrame { kind: "problem", request_id: id(request_id), problem })
            }
            Self::Ping => return Message::Ping(Bytes::new()),
        };
        Message::Text(text.into())
    }
}

/// What the client asks for.
#[derive(Debug)]
pub(super) enum Wish {
    /// To be judged by this token from now on.
    Auth(BearerToken),
    /// To start the workflow.
    Run(RunWorkflowFrame),
}

/// A frame that cannot be read, with the id that it carries where that much can be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) request_id: Option<Key>,
    pub(super) problem: Problem,
}

/// Reads a frame.
pub(super) fn read(text: &str) -> Result<Wish, Unreadable> {
    let mut problems = FieldProblems::default();
    let value = ijson::read(text.as_bytes(), &mut problems)
        .map_err(|ijson::Unreadable(why)| Unreadable { request_id: None, problem: Problem::unreadable(why) })?;
    let member = |name: &str| value.get(name).and_then(Value::as_str);
    let request_id = member("request_id").and_then(|id| Key::parse(id).ok());
    let wish = match member("type") {
        Some("auth") => {
            let frame = AuthFrame::read(value, &Pointer::Root, &mut problems);
            frame.map(|AuthFrame { kind: Auth, token }| Wish::Auth(BearerToken::new(token.0)))
        }
        Some("run_workflow") => RunWorkflowFrame::read(value, &Pointer::Root, &mut problems).map(Wish::Run),
        _ => {
            problems.unreadable(&Pointer::Member(&Pointer::Root, "type"), "must be \"auth\" or \"run_workflow\"");
            None
        }
    };
    match (problems.into_problem(), wish) {
        (None, Some(wish)) => Ok(wish),
        (Some(problem), _) => Err(Unreadable { request_id, problem }),
        (None, None) => Err(Unreadable { request_id, problem: Problem::unreadable("the frame cannot be read") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (Option<String>, Value) {
        let Unreadable { request_id, problem } = read(text).unwrap_err();
        (request_id.map(Key::into_string), problem.body(None, None))
    }

    #[test]
    fn frames_are_read_as_strictly_as_bodies() {
        assert!(matches!(read(r#"{"type":"auth","token":"abc"}"#), Ok(Wish::Auth(token)) if token.expose() == "abc"));
        let Ok(Wish::Run(run)) = read(r#"{"type":"run_workflow","input":{"a":1},"request_id":"7"}"#) else {
            panic!("no run")
        };
        assert_eq!((run.input.unwrap()["a"].to_string(), run.request_id.unwrap().as_str()), ("1".to_owned(), "7"));
        for (text, pointer) in [
            (r#"{"type":"run_workflow","request_id":"7","inputs":{}}"#, "/inputs"),
            (r#"{"type":"run_workflow","request_id":"7","input":[]}"#, "/input"),
            (r#"{"type":"start","request_id":"7"}"#, "/type"),
            (r#"{"request_id":"7"}"#, "/type"),
        ] {
            let (id, problem) = refused(text);
            assert_eq!((id.as_deref(), &problem["code"]), (Some("7"), &Value::from("request.invalid")), "{text}");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{text}");
        }
        for text in ["", "no json", "[]", "7", r#"{"type":"auth"}"#, r#"{"type":"auth","type":"auth","token":"x"}"#] {
            assert_eq!(refused(text).1["status"], 400, "{text}");
        }
    }
}
