//! Watches one execution, and shows it.

use std::ops::ControlFlow;

use serde_json::Value;

use crate::adapters::cli::{
    CliError, Session, follow,
    output::{self, Field},
    request::Request,
};

const FIELDS: &[Field] = &[
    ("execution", "/id"),
    ("status", "/status"),
    ("workflow", "/workflow_id"),
    ("workspace", "/workspace_id"),
    ("business key", "/business_key"),
    ("instance", "/process_instance_id"),
    ("started", "/started_at"),
    ("started by", "/started_by/subject"),
    ("ended", "/ended_at"),
    ("input", "/input"),
    ("result", "/result"),
    ("error", "/error/message"),
    ("error code", "/error/code"),
];

/// Shows an execution. One that failed or was cancelled fails the command.
pub(super) fn show(execution: &Value, session: &Session) -> Result<(), CliError> {
    record(execution, session)?;
    judge(execution)
}

/// Shows an execution, however it ended.
pub(super) fn record(execution: &Value, session: &Session) -> Result<(), CliError> {
    session.output.record(execution, FIELDS)
}

fn judge(execution: &Value) -> Result<(), CliError> {
    let text = |pointer: &str| execution.pointer(pointer).map(output::cell).unwrap_or_default();
    match text("/status").as_str() {
        "failed" => {
            Err(CliError::Failed(format!("the execution failed: {} [{}]", text("/error/message"), text("/error/code"))))
        }
        "cancelled" => Err(CliError::Failed("the execution was cancelled".to_owned())),
        _ => Ok(()),
    }
}

/// Shows the events of an execution that was just started, as they come, and at its end the execution.
pub(super) async fn until_end(execution: &Value, session: &Session) -> Result<(), CliError> {
    let text = |name: &str| execution.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, workflow) = (text("id"), text("workflow_id"));
    if !session.output.json {
        output::print(&format!("execution {id}"))?;
    }
    let request = Request::get(&["api", "workflows", &workflow, "events"]).query("execution_id", Some(&id));
    let after = execution.get("events_after").and_then(Value::as_u64).unwrap_or_default();
    follow::follow(&session.client, request, Some(after), |event| {
        session.output.line(event, event_line)?;
        let ended = matches!(
            event.get("type").and_then(Value::as_str),
            Some("execution.completed" | "execution.failed" | "execution.cancelled")
        );
        Ok(if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .await?;
    let ended = session.client.send(Request::get(&["api", "executions", &id])).await?.body;
    if session.output.json {
        session.output.line(&ended, |_| String::new())?;
        return judge(&ended);
    }
    output::print("")?;
    show(&ended, session)
}

/// One event on one line: its number, the time of day, its type, and what it is about.
pub(super) fn event_line(event: &Value) -> String {
    let text = |name: &str| event.get(name).map(output::cell).unwrap_or_default();
    let time = text("time");
    let time = time.get(11..19).unwrap_or(&time);
    let about = event.get("data").and_then(Value::as_object).into_iter().flatten();
    let about: Vec<_> = about
        .filter(|(name, value)| !matches!(name.as_str(), "execution_id" | "process_instance_id") && !value.is_null())
        .map(|(name, value)| format!("{name}={}", output::cell(value)))
        .collect();
    format!("{:>5}  {time}  {:<22}  {}", text("sequence"), text("type"), about.join("  ")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let event = json!({"sequence": 17, "time": "2026-11-22T03:04:05.678Z", "type": "user_task.created",
            "data": {"execution_id": "e", "process_instance_id": "p", "element_id": "approve", "task_id": "embedded~1", "due": null}});
        assert_eq!(
            event_line(&event),
            "   17  03:04:05  user_task.created       element_id=approve  task_id=embedded~1"
        );
    }

    #[test]
    fn what_failed_or_was_cancelled_fails_the_command() {
        assert!(judge(&json!({"status": "running"})).is_ok() && judge(&json!({"status": "completed"})).is_ok());
        let failed = judge(&json!({"status": "failed", "error": {"code": "X", "message": "broken"}})).unwrap_err();
        assert_eq!((failed.to_string().as_str(), failed.exit_code()), ("the execution failed: broken [X]", 1));
        assert!(judge(&json!({"status": "cancelled"})).is_err());
    }
}
