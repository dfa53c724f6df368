//! What a step changed, as rows and as what the caller is told.

use std::collections::BTreeMap;

use super::{
    instance::Held,
    machine::{self, Change, Schedule, Subscribed},
    unit::{Unit, native},
};
use crate::{
    domain::{
        engine::NativeId,
        execution::{ExecutionError, ExecutionStatus},
        text::Key,
    },
    ports::{
        engine::{EngineError, Incident, UserTask},
        engine_store::{
            Due, ElementRef, IncidentRow, JobRow, Subscriber, SubscriptionKind, SubscriptionRow, TaskRow, TimerRow,
            WorkState,
        },
        local_engine::InstanceChange,
    },
};

impl Unit<'_> {
    /// Records one change of a step. New rows wait in [`Held::fresh`]; rows that stand already are changed at once.
    pub(super) async fn record(&mut self, held: &mut Held, change: Change) -> Result<(), EngineError> {
        match change {
            Change::JobCreated { key, element_id, topic, retries, headers } => {
                self.job_created(held, key, element_id, &topic, retries, headers);
            }
            Change::JobCompleted { key, element_id } => {
                let (job, topic) = self.close_job(held, key, WorkState::Completed).await?;
                self.tell_of(held.id(), InstanceChange::JobCompleted { job, element_id, topic });
            }
            Change::JobErrorThrown { key, element_id, code } => {
                let (job, topic) = self.close_job(held, key, WorkState::Completed).await?;
                self.tell_of(held.id(), InstanceChange::JobErrorThrown { job, element_id, topic, code });
            }
            Change::JobCancelled { key, element_id } => {
                let (job, topic) = self.close_job(held, key, WorkState::Cancelled).await?;
                self.tell_of(held.id(), InstanceChange::JobCancelled { job, element_id, topic });
            }
            Change::TaskCreated(task) => self.task_created(held, task),
            Change::TaskCompleted { key, element_id } => {
                let task = self.close_task(held, key, WorkState::Completed).await?.native();
                self.tell_of(held.id(), InstanceChange::TaskCompleted { task, element_id });
            }
            Change::TaskCancelled { key, element_id } => {
                let task = self.close_task(held, key, WorkState::Cancelled).await?.native();
                self.tell_of(held.id(), InstanceChange::TaskCancelled { task, element_id });
            }
            Change::TimerScheduled { key, schedule, .. } => {
                let timer = timer_row(Due::Timer(held.element(key)), &schedule)?;
                held.fresh.timers.insert(key, timer);
            }
            Change::TimerFired { key, element_id, next } => {
                self.timer_fired(held.element(key), next.as_ref()).await?;
                self.tell_of(held.id(), InstanceChange::TimerFired { element_id });
            }
            Change::TimerCancelled { key } => {
                if held.fresh.timers.remove(&key).is_none() {
                    self.uow.timers().delete(&Due::Timer(held.element(key))).await?;
                }
            }
            Change::SubscriptionOpened { key, element_id, event } => subscription_opened(held, key, element_id, event),
            Change::SubscriptionClosed { key } => {
                if held.fresh.subscriptions.remove(&key).is_none() {
                    self.uow.subscriptions().delete(&Subscriber::Element(held.element(key))).await?;
                }
            }
            Change::MessageCorrelated { element_id, message_name: message, .. } => {
                self.tell_of(held.id(), InstanceChange::MessageCorrelated { element_id, message });
            }
            Change::IncidentRaised { key, element_id, kind, message } => {
                let row = self.incident_row(held, key, element_id, kind, message);
                self.tell_of(held.id(), InstanceChange::IncidentRaised(row.incident.clone()));
                held.fresh.incidents.insert(key, row);
            }
            Change::IncidentResolved { key, element_id } => {
                if held.fresh.incidents.remove(&key).is_none() {
                    self.uow.incidents().resolve(held.element(key), self.now).await?;
                }
                let incident = held.element(key).native();
                self.tell_of(held.id(), InstanceChange::IncidentResolved { incident, element_id });
            }
            Change::Completed { variables } => {
                held.end(ExecutionStatus::Completed, self.now);
                self.tell_of(held.id(), InstanceChange::Completed { result: variables });
            }
            Change::Failed { code, message } => {
                held.end(ExecutionStatus::Failed, self.now);
                self.tell_of(held.id(), InstanceChange::Failed(ExecutionError { code, message }));
            }
            Change::Cancelled => {
                held.end(ExecutionStatus::Cancelled, self.now);
                self.tell_of(held.id(), InstanceChange::Cancelled);
            }
            Change::Continue => {
                held.fresh.continues = true;
                self.tell_of(held.id(), InstanceChange::Continues);
            }
        }
        Ok(())
    }

    fn job_created(
        &mut self,
        held: &mut Held,
        key: u64,
        element_id: String,
        topic: &str,
        retries: u32,
        headers: BTreeMap<String, String>,
    ) {
        let job = JobRow {
            id: held.element(key),
            workspace: held.row.workspace.clone(),
            process_key: held.row.process_key.clone(),
            business_key: held.row.business_key.clone(),
            element_id: element_id.clone(),
            topic: word(topic),
            retries,
            headers,
            state: WorkState::Open,
            lock: None,
            available_at: self.now,
            created_at: self.now,
        };
        let topic = job.topic.clone();
        self.tell_of(held.id(), InstanceChange::JobCreated { job: job.id.native(), element_id, topic, retries });
        held.fresh.jobs.insert(key, job);
    }

    /// Ends a job: its id and topic. The incident of one that had failed for good is over with it.
    async fn close_job(
        &mut self,
        held: &mut Held,
        key: u64,
        state: WorkState,
    ) -> Result<(NativeId, Option<Key>), EngineError> {
        let id = held.element(key);
        if let Some(job) = held.fresh.jobs.get_mut(&key) {
            job.state = state;
            return Ok((id.native(), Some(job.topic.clone())));
        }
        let in_hand = held.job.take_if(|job| job.id == id);
        let job = match in_hand {
            Some(job) => Some(job),
            None => self.uow.jobs().lock(id, self.now).await?.map(|locked| locked.job),
        };
        let Some(mut job) = job else { return Ok((id.native(), None)) };
        job.state = state;
        job.lock = None;
        self.uow.jobs().update(&job, self.now).await?;
        if job.retries == 0 {
            self.resolve_failure(&job).await?;
        }
        Ok((id.native(), Some(job.topic)))
    }

    /// Resolves the incident of a job that had no tries left, if it is open.
    pub(super) async fn resolve_failure(&mut self, job: &JobRow) -> Result<(), EngineError> {
        let incident = self.uow.incidents().find(job.id).await?;
        if incident.is_some_and(|incident| incident.resolved_at.is_none()) {
            self.uow.incidents().resolve(job.id, self.now).await?;
            let change =
                InstanceChange::IncidentResolved { incident: job.id.native(), element_id: job.element_id.clone() };
            self.tell_of(job.id.instance, change);
        }
        Ok(())
    }

    fn task_created(&mut self, held: &mut Held, task: machine::UserTask) {
        let id = held.element(task.key);
        let key = task.key;
        let task = UserTask {
            id: id.native(),
            workspace: Some(held.row.workspace.clone()),
            instance: native(held.id()),
            process_key: held.row.process_key.clone(),
            business_key: held.row.business_key.clone(),
            name: task.name,
            element_id: task.element_id,
            assignee: task.assignee,
            candidate_users: task.candidate_users,
            candidate_groups: task.candidate_groups,
            created_at: self.now,
            due: task.due,
            follow_up: task.follow_up,
            priority: task.priority.map(saturate),
            form_key: task.form_key,
        };
        self.tell_of(held.id(), InstanceChange::TaskCreated(Box::new(task.clone())));
        held.fresh.tasks.insert(key, TaskRow { id, task, state: WorkState::Open });
    }

    async fn close_task(&mut self, held: &mut Held, key: u64, state: WorkState) -> Result<ElementRef, EngineError> {
        let id = held.element(key);
        if let Some(task) = held.fresh.tasks.get_mut(&key) {
            task.state = state;
            return Ok(id);
        }
        let in_hand = held.task.take_if(|task| task.id == id);
        let task = match in_hand {
            Some(task) => Some(task),
            None => self.uow.tasks().lock(id).await?,
        };
        if let Some(mut task) = task {
            task.state = state;
            self.uow.tasks().update(&task).await?;
        }
        Ok(id)
    }

    async fn timer_fired(&mut self, id: ElementRef, next: Option<&Schedule>) -> Result<(), EngineError> {
        match next {
            Some(schedule) => self.uow.timers().put(&timer_row(Due::Timer(id), schedule)?).await?,
            None => self.uow.timers().delete(&Due::Timer(id)).await?,
        }
        Ok(())
    }

    fn incident_row(&self, held: &Held, key: u64, element_id: String, kind: String, message: String) -> IncidentRow {
        let id = held.element(key);
        IncidentRow {
            id,
            incident: Incident {
                id: id.native(),
                instance: native(held.id()),
                kind,
                message,
                element_id,
                job: None,
                created_at: self.now,
            },
            workspace: held.row.workspace.clone(),
            resolved_at: None,
        }
    }
}

fn subscription_opened(held: &mut Held, key: u64, element_id: String, event: Subscribed) {
    let (kind, name, correlation_key) = match event {
        Subscribed::Message { name, correlation_key } => (SubscriptionKind::Message, name, correlation_key),
        Subscribed::Signal { name } => (SubscriptionKind::Signal, name, None),
    };
    let row = SubscriptionRow {
        subscriber: Subscriber::Element(held.element(key)),
        kind,
        name: word(&name),
        workspace: held.row.workspace.clone(),
        element_id,
        correlation_key,
        business_key: held.row.business_key.clone(),
    };
    held.fresh.subscriptions.insert(key, row);
    if kind == SubscriptionKind::Message {
        held.fresh.unserved.push_back(key);
    }
}

/// A timer as the store keeps it.
pub(super) fn timer_row(what: Due, schedule: &Schedule) -> Result<TimerRow, EngineError> {
    let text = serde_json::to_string(schedule).map_err(|error| EngineError::Failure(Box::new(error)))?;
    Ok(TimerRow { what, due: schedule.due, schedule: text })
}

/// A topic or name that the machine worked out. It has bounded them; U+0000, which no caller can ask for, is left out.
fn word(text: &str) -> Key {
    Key::parse(text).unwrap_or_else(|_| {
        let kept: String = text.chars().filter(|c| *c != '\0').take(255).collect();
        Key::parse(kept).unwrap_or_else(|_| unnamed())
    })
}

fn unnamed() -> Key {
    #[expect(clippy::expect_used, reason = "the literal is within a key's limits")]
    Key::parse("-").expect("one character is a key")
}

fn saturate(priority: i64) -> i32 {
    i32::try_from(priority).unwrap_or(if priority < 0 { i32::MIN } else { i32::MAX })
}
