//! Turns what an engine did into the gate's own records, executions and events, within the same unit of work.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    audit,
    commands::{Commands, Unit},
    error::AppError,
    job_waits::AvailableJobs,
};
use crate::{
    domain::{
        engine::{EngineName, Handle, NativeId},
        event::{EventType, NewEvent},
        execution::{Execution, ExecutionStatus, Starter},
        identity::{Identity, IdentityKind},
        ids::{EventId, ExecutionId, WorkflowId},
        json::JsonObject,
        text::{Key, Remark},
        workspace::WorkspaceId,
    },
    ports::{
        engine::EngineError,
        local_engine::{EngineChange, InstanceChange, InstanceStarted},
        rng::RngExt,
    },
};

/// What became of the executions that a command touched.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Those that began, in their order.
    pub started: Vec<Execution>,
}

/// Who is behind a command, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// Who.
    pub by: Starter,
    /// The caller, if it was one: whom the audit tells.
    pub who: Option<Arc<Identity>>,
    /// Why, as they said: it goes into the event of a cancellation.
    pub reason: Option<Remark>,
}

impl From<Starter> for Cause {
    fn from(by: Starter) -> Self {
        Self { by, who: None, reason: None }
    }
}

impl From<&Identity> for Cause {
    fn from(who: &Identity) -> Self {
        Self { by: Starter::from(who), who: Some(Arc::new(who.clone())), reason: None }
    }
}

/// Who a start is put down to.
impl From<&Identity> for Starter {
    fn from(who: &Identity) -> Self {
        Self { subject: who.subject.clone(), kind: who.kind }
    }
}

/// Records the changes of one command.
pub(super) struct Recorder<'a> {
    commands: &'a Commands,
    unit: &'a mut Unit,
    engine: &'a EngineName,
    cause: Cause,
    touched: HashMap<NativeId, Execution>,
    events: Vec<NewEvent>,
    recorded: Recorded,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(commands: &'a Commands, unit: &'a mut Unit, engine: &'a EngineName, cause: Cause) -> Self {
        Self {
            commands,
            unit,
            engine,
            cause,
            touched: HashMap::new(),
            events: Vec::new(),
            recorded: Recorded::default(),
        }
    }

    /// Writes executions and events, and notes whom to wake.
    pub(super) async fn record(mut self, changes: &[EngineChange]) -> Result<Recorded, AppError> {
        for change in changes {
            match change {
                EngineChange::Started(started) => self.begin(started).await?,
                EngineChange::Instance { instance, change } => self.happened(instance, change).await?,
                EngineChange::Deployed(_) | EngineChange::Activated(_) | EngineChange::Correlated(_) => {}
            }
        }
        if !self.events.is_empty() {
            self.unit.uow().events().append(&self.events).await?;
            self.unit.wake.events = true;
        }
        for started in &mut self.recorded.started {
            if let Some(now) = started.instance.as_ref().and_then(|instance| self.touched.get(instance)) {
                started.clone_from(now);
            }
        }
        Ok(self.recorded)
    }

    async fn begin(&mut self, started: &InstanceStarted) -> Result<(), AppError> {
        let workflows = self.unit.uow().workflows();
        let workflow = workflows.hold_bound(&started.workspace, self.engine, &started.process_key).await?;
        // The gate disarms what has no workflow, and starts nothing that has none.
        let workflow =
            workflow.ok_or_else(|| EngineError::UnknownDefinition { key: started.process_key.as_str().to_owned() })?;
        let started_by = match &started.timer {
            Some(element) => Starter { subject: format!("timer:{element}"), kind: IdentityKind::System },
            None => self.cause.by.clone(),
        };
        let now = self.unit.now;
        let execution = Execution {
            id: ExecutionId::new(self.commands.rng().uuid_v7(now)),
            workflow: workflow.id,
            workspace: started.workspace.clone(),
            status: ExecutionStatus::Running,
            business_key: started.business_key.clone(),
            engine: self.engine.clone(),
            instance: Some(started.instance.clone()),
            input: started.input.clone(),
            result: None,
            error: None,
            started_by,
            events_after: self.unit.uow().events().head(workflow.id).await?,
            started_at: now,
            ended_at: None,
        };
        self.unit.uow().executions().insert(&execution).await?;
        let mut data = data_of(self.engine, &execution);
        data.insert("process_definition_key".to_owned(), started.process_key.as_str().into());
        data.insert("input".to_owned(), Value::Object(started.input.clone()));
        data.insert(
            "started_by".to_owned(),
            json!({"subject": execution.started_by.subject, "kind": execution.started_by.kind.as_str()}),
        );
        if let Some(key) = &started.business_key {
            data.insert("business_key".to_owned(), key.as_str().into());
        }
        self.tell(execution.workflow, EventType::ExecutionStarted, execution.id, data);
        self.recorded.started.push(execution.clone());
        self.touched.insert(started.instance.clone(), execution);
        Ok(())
    }

    async fn execution(&mut self, instance: &NativeId) -> Result<Execution, AppError> {
        if let Some(execution) = self.touched.get(instance) {
            return Ok(execution.clone());
        }
        let found = self.unit.uow().executions().find_by_instance(self.engine, instance).await?;
        let execution = found.ok_or(EngineError::UnknownInstance)?;
        self.touched.insert(instance.clone(), execution.clone());
        Ok(execution)
    }

    async fn happened(&mut self, instance: &NativeId, change: &InstanceChange) -> Result<(), AppError> {
        let mut execution = self.execution(instance).await?;
        let mut data = data_of(self.engine, &execution);
        let kind = self.describe(change, &mut data);
        if let Some(jobs) = available_jobs(change, &execution.workspace)
            && !self.unit.wake.jobs.contains(&jobs)
        {
            self.unit.wake.jobs.push(jobs);
        }
        if let (InstanceChange::TaskCompleted { task, .. }, Some(who)) = (change, self.cause.who.clone()) {
            let task = Handle::new(self.engine.clone(), task.clone()).to_string();
            let workspace = Some(&execution.workspace);
            audit::record(self.unit, &who, audit::action::TASK_COMPLETE, &task, workspace).await?;
        }
        if let Some(status) = ended_as(change) {
            execution.status = status;
            execution.ended_at = Some(self.unit.now);
            match change {
                InstanceChange::Completed { result } => execution.result = Some(result.clone()),
                InstanceChange::Failed(error) => execution.error = Some(error.clone()),
                _ => {}
            }
            self.unit.uow().executions().end(&execution).await?;
            self.unit.wake.ended = true;
        }
        if let Some(kind) = kind {
            self.tell(execution.workflow, kind, execution.id, data);
        }
        self.touched.insert(instance.clone(), execution);
        Ok(())
    }

    fn tell(&mut self, workflow: WorkflowId, kind: EventType, execution: ExecutionId, data: JsonObject) {
        let time = self.unit.now;
        let id = EventId::new(self.commands.rng().uuid_v7(time));
        self.events.push(NewEvent { id, workflow, kind, subject: execution.to_string(), time, data });
    }

    /// Fills in what the type of event calls for, and notes whom to wake.
    fn describe(&mut self, change: &InstanceChange, data: &mut JsonObject) -> Option<EventType> {
        let engine = self.engine;
        let handle = |native: &NativeId| Value::from(Handle::new(engine.clone(), native.clone()).to_string());
        let mut put = |name: &str, value: Value| {
            data.insert(name.to_owned(), value);
        };
        let wake = &mut self.unit.wake;
        let (kind, element) = match change {
            InstanceChange::JobCreated { job, element_id, topic, retries } => {
                put("job_id", handle(job));
                put("topic", topic.as_str().into());
                put("retries", (*retries).into());
                (EventType::JobCreated, element_id)
            }
            InstanceChange::JobCompleted { job, element_id, topic } => {
                put("job_id", handle(job));
                put("topic", topic.as_ref().map(Key::as_str).into());
                (EventType::JobCompleted, element_id)
            }
            InstanceChange::JobFailed { job, element_id, topic, message, retries } => {
                put("job_id", handle(job));
                put("topic", topic.as_ref().map(Key::as_str).into());
                put("message", message.as_str().into());
                put("retries", (*retries).into());
                (EventType::JobFailed, element_id)
            }
            InstanceChange::JobErrorThrown { job, element_id, topic, code } => {
                put("job_id", handle(job));
                put("topic", topic.as_ref().map(Key::as_str).into());
                put("code", code.as_str().into());
                (EventType::JobErrorThrown, element_id)
            }
            InstanceChange::JobCancelled { job, element_id, topic } => {
                put("job_id", handle(job));
                put("topic", topic.as_ref().map(Key::as_str).into());
                (EventType::JobCancelled, element_id)
            }
            InstanceChange::TaskCreated(task) => {
                wake.tasks = true;
                put("task_id", handle(&task.id));
                put("name", task.name.as_str().into());
                put("assignee", task.assignee.clone().into());
                put("candidate_groups", task.candidate_groups.clone().into());
                (EventType::UserTaskCreated, &task.element_id)
            }
            InstanceChange::TaskAssigned { task, element_id, assignee } => {
                put("task_id", handle(task));
                put("assignee", assignee.as_ref().map(|a| a.as_str().to_owned()).into());
                (EventType::UserTaskAssigned, element_id)
            }
            InstanceChange::TaskCompleted { task, element_id } => {
                put("task_id", handle(task));
                let by = &self.cause.by;
                put("completed_by", json!({ "subject": by.subject, "kind": by.kind.as_str() }));
                (EventType::UserTaskCompleted, element_id)
            }
            InstanceChange::TaskCancelled { task, element_id } => {
                put("task_id", handle(task));
                (EventType::UserTaskCancelled, element_id)
            }
            InstanceChange::TimerFired { element_id } => (EventType::TimerFired, element_id),
            InstanceChange::MessageCorrelated { element_id, message } => {
                put("message", message.as_str().into());
                (EventType::MessageCorrelated, element_id)
            }
            InstanceChange::IncidentRaised(incident) => {
                put("incident_id", handle(&incident.id));
                put("type", incident.kind.as_str().into());
                put("message", incident.message.as_str().into());
                if let Some(job) = &incident.job {
                    put("job_id", handle(job));
                }
                (EventType::IncidentRaised, &incident.element_id)
            }
            InstanceChange::IncidentResolved { incident, element_id } => {
                put("incident_id", handle(incident));
                (EventType::IncidentResolved, element_id)
            }
            InstanceChange::Completed { result } => {
                put("result", Value::Object(result.clone()));
                return Some(EventType::ExecutionCompleted);
            }
            InstanceChange::Failed(error) => {
                put("code", error.code.as_str().into());
                put("message", error.message.as_str().into());
                return Some(EventType::ExecutionFailed);
            }
            InstanceChange::Cancelled => {
                if let Some(reason) = &self.cause.reason {
                    put("reason", reason.as_str().into());
                }
                return Some(EventType::ExecutionCancelled);
            }
            InstanceChange::Continues => {
                wake.timers = true;
                return None;
            }
        };
        put("element_id", element.as_str().into());
        Some(kind)
    }
}

/// What a change in this workspace makes available to workers.
fn available_jobs(change: &InstanceChange, workspace: &WorkspaceId) -> Option<AvailableJobs> {
    let topic = match change {
        InstanceChange::JobCreated { topic, .. } => Some(topic.clone()),
        InstanceChange::JobFailed { topic, retries, .. } if *retries > 0 => topic.clone(),
        // A retried job is there for workers again; of which topic, the change does not say.
        InstanceChange::IncidentResolved { .. } => None,
        _ => return None,
    };
    Some(AvailableJobs { workspace: Some(workspace.clone()), topic })
}

const fn ended_as(change: &InstanceChange) -> Option<ExecutionStatus> {
    match change {
        InstanceChange::Completed { .. } => Some(ExecutionStatus::Completed),
        InstanceChange::Failed(_) => Some(ExecutionStatus::Failed),
        InstanceChange::Cancelled => Some(ExecutionStatus::Cancelled),
        _ => None,
    }
}

fn data_of(engine: &EngineName, execution: &Execution) -> JsonObject {
    let mut data = JsonObject::new();
    data.insert("execution_id".to_owned(), execution.id.to_string().into());
    if let Some(instance) = &execution.instance {
        let handle = Handle::new(engine.clone(), instance.clone());
        data.insert("process_instance_id".to_owned(), handle.to_string().into());
    }
    data
}
