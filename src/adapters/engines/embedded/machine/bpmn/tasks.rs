//! Tasks for workers and tasks for people.

use jiff::Timestamp;

use super::super::expression::Expression;
use super::super::model::{JobDefinition, Kind, UserTaskDefinition};
use super::super::step::MAX_TEXT;
use super::super::timer::date_or_duration;
use super::definitions::Definitions;
use super::problems::Problems;
use super::xml::{self, Xml};
use super::{events, extensions};

/// A service, send, script or business rule task; without a job type it is refused.
pub(super) fn job(task: Xml<'_>, name: &str, problems: &mut Problems<'_>) -> Option<Kind> {
    let zeebe = extensions::zeebe(task, "taskDefinition");
    let (what, topic) = match (zeebe, is_external(task, name)) {
        (Some(_), true) => {
            problems.at(task, "the task has both camunda:topic and zeebe:taskDefinition: keep one");
            return None;
        }
        (Some(definition), false) => ("job type", xml::attribute(definition, "type")),
        (None, true) => ("topic", xml::camunda_attribute(task, "topic")),
        (None, false) => {
            problems.at(task, no_job_type(task, name));
            return None;
        }
    };
    let Some(topic) = topic else {
        problems.at(task, format!("the {what} is missing: name what workers ask for"));
        return None;
    };
    let topic = checked(task, what, topic, short, problems)?;
    let retries = zeebe
        .and_then(|definition| xml::attribute(definition, "retries"))
        .and_then(|retries| checked(task, "retries", retries, positive, problems));
    Some(Kind::Job(Box::new(JobDefinition { topic, retries, headers: extensions::headers(task) })))
}

/// Whether Camunda's attributes make a task a job, its topic aside.
fn is_external(task: Xml<'_>, name: &str) -> bool {
    match xml::camunda_attribute(task, "type") {
        Some(kind) => kind == "external",
        None => name != "serviceTask" && xml::camunda_attribute(task, "topic").is_some(),
    }
}

fn no_job_type(task: Xml<'_>, name: &str) -> String {
    let advice = "make it a job with camunda:type=\"external\" and camunda:topic, or with a zeebe:taskDefinition, and let a worker do it";
    let java = ["class", "delegateExpression", "expression"]
        .into_iter()
        .find(|attribute| xml::camunda_attribute(task, attribute).is_some());
    match (java, name) {
        (Some(attribute), _) => {
            format!("camunda:{attribute} runs Java inside the engine, which is not supported: {advice}")
        }
        (None, "scriptTask") => format!("scripts inside the engine are not supported: {advice}"),
        (None, "businessRuleTask") => format!("decisions inside the engine are not supported: {advice}"),
        (None, _) => format!("the task has no job type: {advice}"),
    }
}

pub(super) fn receive<'x>(task: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Option<Kind> {
    if xml::flag(task, "instantiate", false) {
        problems.at(task, "a receive task that starts instances is not supported: use a message start event");
        return None;
    }
    events::message(task, definitions, problems).map(Kind::Receive)
}

pub(super) fn user_task(task: Xml<'_>, problems: &mut Problems<'_>) -> Kind {
    for (child, name) in xml::children(task) {
        if matches!(name, "potentialOwner" | "humanPerformer" | "performer" | "resourceRole") {
            let advice = "use camunda:assignee, camunda:candidateUsers or camunda:candidateGroups";
            problems.at(child, format!("{name} is not supported: {advice}"));
        }
    }
    let assignment = extensions::zeebe(task, "assignmentDefinition");
    let schedule = extensions::zeebe(task, "taskSchedule");
    let form = extensions::zeebe(task, "formDefinition");
    let priority = extensions::zeebe(task, "priorityDefinition");
    let form_key = ["formKey", "formId", "externalReference"].iter().find_map(|name| xml::attribute(form?, name));
    let form_key = form_key.or_else(|| xml::camunda_attribute(task, "formKey"));
    let mut attribute = |name: &str, zeebe: Option<Xml<'_>>, check: Check| {
        let text = zeebe.and_then(|found| xml::attribute(found, name).map(str::to_owned));
        let text = text.or_else(|| xml::camunda_attribute(task, name).map(str::to_owned))?;
        checked(task, name, &text, check, problems)
    };
    let mut definition = UserTaskDefinition {
        name: None,
        assignee: attribute("assignee", assignment, short),
        candidate_users: attribute("candidateUsers", assignment, anything),
        candidate_groups: attribute("candidateGroups", assignment, anything),
        due: attribute("dueDate", schedule, date),
        follow_up: attribute("followUpDate", schedule, date),
        priority: attribute("priority", priority, integer),
        form_key: None,
    };
    let name = xml::attribute(task, "name");
    definition.name = name.and_then(|name| checked(task, "name", name, short, problems));
    let form_key = form_key.or_else(|| xml::camunda_attribute(task, "formRef"));
    definition.form_key = form_key.and_then(|key| checked(task, "form key", key, short, problems));
    Kind::UserTask(Box::new(definition))
}

/// What a text must be that is written out, not computed.
type Check = fn(&str) -> Result<(), String>;

fn checked(task: Xml<'_>, what: &str, text: &str, check: Check, problems: &mut Problems<'_>) -> Option<Expression> {
    let expression = problems.expression(task, &format!("the {what}"), text)?;
    if expression.is_literal()
        && let Err(message) = check(expression.source())
    {
        problems.at(task, format!("the {what} {message}"));
        return None;
    }
    Some(expression)
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of several checks")]
fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

fn short(text: &str) -> Result<(), String> {
    match text.chars().nth(MAX_TEXT) {
        None => Ok(()),
        Some(_) => Err(format!("is too long: {MAX_TEXT} characters are the limit")),
    }
}

fn date(text: &str) -> Result<(), String> {
    date_or_duration(text, Timestamp::UNIX_EPOCH).map(drop)
}

fn integer(text: &str) -> Result<(), String> {
    text.parse::<i64>().map(drop).map_err(|_| format!("'{text}' is no whole number"))
}

fn positive(text: &str) -> Result<(), String> {
    match text.parse::<u32>() {
        Ok(1..) => Ok(()),
        _ => Err(format!("'{text}' is no whole number from 1 on")),
    }
}
