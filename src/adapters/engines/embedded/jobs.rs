//! Jobs in the hands of workers.

use jiff::{SignedDuration, Timestamp};

use super::{
    blocking,
    instance::{Held, read_state},
    machine::Command,
    unit::{Unit, native},
};
use crate::{
    domain::json::JsonObject,
    ports::{
        engine::{Activate, ActivatedJob, EngineError, Incident, JobClaim, JobError, JobFailure},
        engine_store::{ElementRef, IncidentRow, JobLock, JobRow, JobWish, WorkState},
        local_engine::{EngineChange, InstanceChange},
        repository::RepositoryError,
    },
};

/// About how many bytes of instance documents are read for one activation. Jobs beyond are given back.
const MAX_DOCUMENTS: usize = 32 * 1024 * 1024;

impl Unit<'_> {
    /// Locks jobs that wait, and reads what they see.
    pub(super) async fn activate(&mut self, request: Activate) -> Result<(), EngineError> {
        let Activate { within, topics, worker, max, lock, variables } = request;
        let lock = JobLock { worker, token: self.new_token(), until: after(self.now, lock) };
        let rows = self.uow.jobs().activate(&JobWish { within, topics, lock, max }, self.now).await?;
        let mut activated = Vec::with_capacity(rows.len());
        let mut read = 0_usize;
        for row in rows {
            if read > MAX_DOCUMENTS {
                self.free(row).await?;
                continue;
            }
            match self.seen_by(&row, variables.as_deref()).await {
                Ok((seen, size)) => {
                    read = read.saturating_add(size);
                    activated.extend(activated_job(row, seen));
                }
                Err(EngineError::Repository(RepositoryError::Corrupt { what })) => {
                    tracing::error!(job = %row.id, "a job is kept back, since its {what} cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        self.tell(EngineChange::Activated(activated));
        Ok(())
    }

    /// What a job sees, and the size of the document that it was read from.
    async fn seen_by(&mut self, job: &JobRow, names: Option<&[String]>) -> Result<(JsonObject, usize), EngineError> {
        let found = self.uow.instances().find(job.id.instance).await?;
        let document = found.ok_or(RepositoryError::Corrupt { what: "process instance" })?.state;
        let (size, key) = (document.len(), job.id.key);
        let names = names.map(<[String]>::to_vec);
        let seen = blocking::run(move || -> Result<JsonObject, RepositoryError> {
            let mut seen = read_state(&document)?.visible_variables(key);
            if let Some(names) = names {
                seen.retain(|name, _| names.contains(name));
            }
            Ok(seen)
        });
        Ok((seen.await??, size))
    }

    /// Gives locked jobs back unworked. Claims that do not hold any more are passed over.
    pub(super) async fn release(&mut self, claims: Vec<JobClaim>) -> Result<(), EngineError> {
        let mut claims: Vec<_> =
            claims.into_iter().filter_map(|claim| Some((ElementRef::parse(&claim.id)?, claim))).collect();
        // In one order everywhere, so that two units never wait for each other in a circle.
        claims.sort_by_key(|(id, _)| *id);
        for (id, claim) in claims {
            match self.claimed(id, &claim).await {
                Ok(job) => self.free(job).await?,
                Err(EngineError::UnknownJob | EngineError::JobCompleted | EngineError::JobNotLocked) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn free(&mut self, mut job: JobRow) -> Result<(), EngineError> {
        job.lock = None;
        Ok(self.uow.jobs().update(&job, self.now).await?)
    }

    /// Completes a job.
    pub(super) async fn complete_job(&mut self, claim: &JobClaim, variables: JsonObject) -> Result<(), EngineError> {
        let (mut held, job) = self.hold_job(claim).await?;
        let key = job.id.key;
        held.job = Some(job);
        self.step(&mut held, Command::CompleteJob { key, variables }).await?;
        self.finish(held).await
    }

    /// Throws a BPMN error.
    pub(super) async fn throw_error(&mut self, claim: &JobClaim, error: JobError) -> Result<(), EngineError> {
        let (mut held, job) = self.hold_job(claim).await?;
        let JobError { code, message, variables } = error;
        let command = Command::ThrowError { key: job.id.key, code, message, variables };
        held.job = Some(job);
        self.step(&mut held, command).await?;
        self.finish(held).await
    }

    /// Gives a job back; without tries left it raises an incident, whose id is the job's.
    pub(super) async fn fail_job(&mut self, claim: &JobClaim, failure: JobFailure) -> Result<(), EngineError> {
        let (held, mut job) = self.hold_job(claim).await?;
        job.retries = failure.retries;
        job.lock = None;
        job.available_at = after(self.now, failure.retry_in);
        self.uow.jobs().update(&job, self.now).await?;
        let change = InstanceChange::JobFailed {
            job: job.id.native(),
            element_id: job.element_id.clone(),
            topic: Some(job.topic.clone()),
            message: failure.message.clone(),
            retries: job.retries,
        };
        self.tell_of(held.id(), change);
        if job.retries == 0 {
            self.raise_failure(&job, failure.message).await?;
        }
        Ok(())
    }

    async fn raise_failure(&mut self, job: &JobRow, message: String) -> Result<(), EngineError> {
        let incident = Incident {
            id: job.id.native(),
            instance: native(job.id.instance),
            kind: "job_failed".to_owned(),
            message,
            element_id: job.element_id.clone(),
            job: Some(job.id.native()),
            created_at: self.now,
        };
        let row =
            IncidentRow { id: job.id, incident: incident.clone(), workspace: job.workspace.clone(), resolved_at: None };
        self.uow.incidents().put(&row).await?;
        self.tell_of(job.id.instance, InstanceChange::IncidentRaised(incident));
        Ok(())
    }

    /// Locks a job until `lock` from now.
    pub(super) async fn extend_lock(&mut self, claim: &JobClaim, lock: SignedDuration) -> Result<(), EngineError> {
        let id = ElementRef::parse(&claim.id).ok_or(EngineError::UnknownJob)?;
        let mut job = self.claimed(id, claim).await?;
        let until = after(self.now, lock);
        job.lock = job.lock.map(|lock| JobLock { until, ..lock });
        Ok(self.uow.jobs().update(&job, self.now).await?)
    }

    /// Locks the job of a claim that holds, and its instance before it.
    async fn hold_job(&mut self, claim: &JobClaim) -> Result<(Held, JobRow), EngineError> {
        let id = ElementRef::parse(&claim.id).ok_or(EngineError::UnknownJob)?;
        let held = self.hold(id.instance).await?.ok_or(EngineError::UnknownJob)?;
        let job = self.claimed(id, claim).await?;
        Ok((held, job))
    }

    /// Locks the row of a job whose claim holds.
    async fn claimed(&mut self, id: ElementRef, claim: &JobClaim) -> Result<JobRow, EngineError> {
        let locked = self.uow.jobs().lock(id, self.now).await?.ok_or(EngineError::UnknownJob)?;
        match locked.job.state {
            WorkState::Completed => return Err(EngineError::JobCompleted),
            WorkState::Cancelled => return Err(EngineError::UnknownJob),
            WorkState::Open => {}
        }
        let theirs = locked.job.lock.as_ref().is_some_and(|lock| holds(lock, claim));
        if locked.lock_holds && theirs { Ok(locked.job) } else { Err(EngineError::JobNotLocked) }
    }

    fn new_token(&self) -> String {
        let mut bits = [0; 16];
        self.engine.rng.fill(&mut bits);
        format!("{:032x}", u128::from_be_bytes(bits))
    }
}

fn holds(lock: &JobLock, claim: &JobClaim) -> bool {
    lock.worker == claim.worker && claim.lock_token.as_ref().is_none_or(|token| *token == lock.token)
}

/// A moment after another; never past the last one that a timestamp can name.
fn after(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by.max(SignedDuration::ZERO)).unwrap_or(Timestamp::MAX)
}

/// A job as its worker gets it; the store gives it as locked.
fn activated_job(row: JobRow, variables: JsonObject) -> Option<ActivatedJob> {
    let lock = row.lock?;
    Some(ActivatedJob {
        id: row.id.native(),
        workspace: Some(row.workspace),
        topic: row.topic,
        instance: native(row.id.instance),
        process_key: row.process_key,
        element_id: row.element_id,
        business_key: row.business_key,
        variables,
        headers: row.headers,
        retries: row.retries,
        locked_until: lock.until,
        lock_token: lock.token,
    })
}
