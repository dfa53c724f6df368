//! Start, end, throw, catch and boundary events.

use super::super::expression::Expression;
use super::super::model::{Boundary, BoundaryEvent, ErrorCatch, Kind, StartEvent, Trigger};
use super::super::timer::{TimerDefinition, TimerKind};
use super::definitions::Definitions;
use super::extensions;
use super::problems::Problems;
use super::xml::{self, Xml};

/// The one event definition of an event; two are refused.
fn definition<'x>(event: Xml<'x>, problems: &mut Problems<'_>) -> Result<Option<(Xml<'x>, &'x str)>, Refused> {
    let mut found =
        xml::children(event).filter(|(_, name)| name.ends_with("EventDefinition") || *name == "eventDefinitionRef");
    let first = found.next();
    if let Some((second, _)) = found.next() {
        problems.at(second, "an event with several event definitions is not supported: use one event for each");
        return Err(Refused);
    }
    match first {
        Some((at, "eventDefinitionRef")) => {
            problems.at(at, "a reference to an event definition is not supported: write the definition into the event");
            Err(Refused)
        }
        other => Ok(other),
    }
}

/// The reason is among the problems.
struct Refused;

pub(super) fn start<'x>(event: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Option<Kind> {
    if xml::camunda_attribute(event, "initiator").is_some() {
        problems.at(event, "camunda:initiator is not supported: pass the starter as a start variable");
    }
    let trigger = match definition(event, problems).ok()? {
        None => StartEvent::None,
        Some((at, "messageEventDefinition")) => {
            let message = definitions.message(at, problems)?;
            StartEvent::Message(fixed_name(message, "message", at, problems)?)
        }
        Some((at, "signalEventDefinition")) => {
            let signal = definitions.signal(at, problems)?;
            StartEvent::Signal(fixed_name(signal, "signal", at, problems)?)
        }
        Some((at, "timerEventDefinition")) => StartEvent::Timer(timer(at, problems)?),
        Some((at, name)) => return refuse(at, name, "start event", problems),
    };
    Some(Kind::Start(trigger))
}

pub(super) fn end<'x>(event: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Option<Kind> {
    match definition(event, problems).ok()? {
        None => Some(Kind::NoneEnd),
        Some((_, "terminateEventDefinition")) => Some(Kind::TerminateEnd),
        Some((at, "errorEventDefinition")) => {
            let error = definitions.error(at, problems)?;
            let Some(code) = xml::attribute(error, "errorCode") else {
                problems.at(at, "the error has no errorCode: give it one");
                return None;
            };
            let message = xml::camunda_attribute(error, "errorMessage").or_else(|| xml::attribute(error, "name"));
            let code = problems.expression(error, "the error code", code)?;
            Some(Kind::ErrorEnd { code, message: message.map(str::to_owned) })
        }
        Some((at, name)) => refuse(at, name, "end event", problems),
    }
}

pub(super) fn throw(event: Xml<'_>, problems: &mut Problems<'_>) -> Option<Kind> {
    match definition(event, problems).ok()? {
        None => Some(Kind::PassThrough),
        Some((at, name)) => refuse(at, name, "throw event", problems),
    }
}

pub(super) fn catch<'x>(event: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Option<Kind> {
    match definition(event, problems).ok()? {
        None => {
            problems.at(event, "a catch event needs a message, timer or signal to wait for");
            None
        }
        Some((at, name)) => trigger(at, name, "catch event", definitions, problems).map(Kind::Catch),
    }
}

pub(super) fn boundary<'x>(event: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Option<Kind> {
    let interrupting = xml::flag(event, "cancelActivity", true);
    let event = match definition(event, problems).ok()? {
        None => {
            problems.at(event, "a boundary event needs an error, message, timer or signal to wait for");
            return None;
        }
        Some((at, "errorEventDefinition")) => {
            if !interrupting {
                problems.at(at, "an error always interrupts: remove cancelActivity=\"false\"");
            }
            BoundaryEvent::Error(error_catch(at, definitions, problems)?)
        }
        Some((at, name)) => BoundaryEvent::Trigger(trigger(at, name, "boundary event", definitions, problems)?),
    };
    Some(Kind::Boundary(Box::new(Boundary { interrupting, event })))
}

/// Without a reference, or without a code behind it, every error is caught.
fn error_catch<'x>(at: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Option<ErrorCatch> {
    let code = match xml::attribute(at, "errorRef") {
        None => None,
        Some(_) => xml::attribute(definitions.error(at, problems)?, "errorCode"),
    };
    if code.is_some_and(|code| code.starts_with('=') || code.contains("${")) {
        problems.at(at, "the code of an error that is caught must be fixed: write it without an expression");
        return None;
    }
    let variable = |name| xml::camunda_attribute(at, name).map(str::to_owned);
    Some(ErrorCatch {
        code: code.map(str::to_owned),
        code_variable: variable("errorCodeVariable"),
        message_variable: variable("errorMessageVariable"),
    })
}

fn trigger<'x>(
    at: Xml<'x>,
    name: &str,
    what: &str,
    definitions: &Definitions<'x>,
    problems: &mut Problems<'_>,
) -> Option<Trigger> {
    match name {
        "timerEventDefinition" => timer(at, problems).map(Trigger::Timer),
        "messageEventDefinition" => message(at, definitions, problems),
        "signalEventDefinition" => {
            let signal = definitions.signal(at, problems)?;
            Some(Trigger::Signal { name: name_of(signal, "signal", at, problems)? })
        }
        _ => refuse(at, name, what, problems),
    }
}

/// The message that a catch event, boundary event or receive task waits for.
pub(super) fn message<'x>(at: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Option<Trigger> {
    let message = definitions.message(at, problems)?;
    let name = name_of(message, "message", at, problems);
    let correlation_key = match extensions::subscription(message) {
        None => None,
        Some(subscription) => Some(correlation_key(subscription, at, problems)?),
    };
    Some(Trigger::Message { name: name?, correlation_key })
}

fn correlation_key(subscription: Xml<'_>, at: Xml<'_>, problems: &mut Problems<'_>) -> Option<Expression> {
    let Some(key) = xml::attribute(subscription, "correlationKey") else {
        problems.at(
            at,
            "the message has a zeebe:subscription without correlationKey: say which value selects the instance",
        );
        return None;
    };
    problems.expression(subscription, "the correlation key", key)
}

fn name_of(referred: Xml<'_>, what: &str, at: Xml<'_>, problems: &mut Problems<'_>) -> Option<Expression> {
    let Some(name) = xml::attribute(referred, "name") else {
        problems.at(at, format!("the {what} has no name: give it one"));
        return None;
    };
    let name = problems.expression(referred, &format!("the {what} name"), name)?;
    if name.is_literal() && name.source().chars().nth(super::super::step::MAX_TEXT).is_some() {
        problems.at(referred, format!("the {what} name is too long: 255 characters are the limit"));
        return None;
    }
    Some(name)
}

/// Nothing could evaluate the name at a start event.
fn fixed_name(referred: Xml<'_>, what: &str, at: Xml<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let name = name_of(referred, what, at, problems)?;
    if !name.is_literal() {
        problems.at(at, format!("the {what} name of a start event must be fixed: write it without an expression"));
        return None;
    }
    Some(name.source().to_owned())
}

fn timer(at: Xml<'_>, problems: &mut Problems<'_>) -> Option<TimerDefinition> {
    let mut forms = xml::children(at).filter_map(|(child, name)| {
        let kind = match name {
            "timeDuration" => TimerKind::Duration,
            "timeDate" => TimerKind::Date,
            "timeCycle" => TimerKind::Cycle,
            _ => return None,
        };
        Some((child, kind))
    });
    let (Some((child, kind)), None) = (forms.next(), forms.next()) else {
        problems.at(at, "a timer needs one of timeDuration, timeDate and timeCycle");
        return None;
    };
    let text = problems.expression(child, &format!("the timer {kind}"), &xml::text(child))?;
    let timer = TimerDefinition { kind, text };
    if let Err(message) = timer.check() {
        problems.at(child, message);
        return None;
    }
    Some(timer)
}

fn refuse<T>(at: Xml<'_>, definition: &str, what: &str, problems: &mut Problems<'_>) -> Option<T> {
    let event = match definition.strip_suffix("EventDefinition").unwrap_or(definition) {
        "compensate" => "compensation",
        event => event,
    };
    let advice = match (event, what) {
        ("message", _) => "send the message from a send task",
        ("compensation", _) => "model what undoes the work as a path of its own",
        ("link", _) => "draw the flow through",
        ("conditional", _) => "wait for a message, and decide with an exclusive gateway",
        ("signal", _) => "send the signal from a send task",
        ("cancel", _) => "use an error event",
        ("escalation", _) => "use an error event, or a message boundary event that does not interrupt",
        ("error", "start event") => "use an error boundary event on a sub-process",
        _ => "use a none, message, timer, signal or error event",
    };
    problems.at(at, format!("{event} {what}s are not supported: {advice}"));
    None
}
