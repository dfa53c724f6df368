//! Tag `jobs`: what waits for workers.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use poem_openapi::OpenApi;

use super::{
    answers::{NoContent, Ok200},
    body::Body,
    conditions::{Patience, Who},
    failed_engines::FailedEngine,
    fields::{FreeText, Several, Within, request},
    json::response,
    params::{JobId, Path},
    problem::Problem,
    processes::handle,
    tags::Tag,
};
use crate::{
    app::{
        App,
        jobs::{Holder, JobRequest},
    },
    domain::{engine::EngineName, json::JsonObject, text::Key, workspace::WorkspaceId},
    ports::engine::{ActivatedJob, JobError, JobFailure},
};

/// Tag `jobs`.
pub(super) struct JobsApi {
    pub(super) app: Arc<App>,
}

/// How long a lock may be: at most a day.
type Lock = Within<1, 86_400>;
/// How long a job lies before its next try: at most a year.
type Pause = Within<0, 31_622_400>;

request! {
    /// A worker's wish.
    pub(super) struct ActivateBody {
        /// Of which topics.
        required topics ("topics"): Several<Key, 1, 50>,
        /// The worker's name.
        required worker ("worker"): Key,
        /// How many at most; 10 if absent.
        optional max_jobs ("maxJobs"): Within<1, 200>,
        /// For how long they are locked, in seconds; 60 if absent.
        optional lock_in_sec ("lockInSec"): Lock,
        /// How long to wait for the first, in seconds; not at all if absent.
        optional timeout_in_sec ("timeoutInSec"): Within<0, 60>,
        /// Which variables come along; all if absent.
        optional variables ("variables"): Several<FreeText, 0, 1000>,
        /// In this workspace; wherever the caller may work if absent.
        optional workspace_id ("workspaceId"): WorkspaceId,
    }
}

request! {
    /// A job done.
    pub(super) struct CompleteBody {
        /// The worker's name.
        required worker ("worker"): Key,
        /// The lock that the worker believes to hold; it must then match.
        optional lock_token ("lockToken"): FreeText,
        /// What the work gave.
        optional variables ("variables"): JsonObject,
    }
}

request! {
    /// A job given back.
    pub(super) struct FailBody {
        /// The worker's name.
        required worker ("worker"): Key,
        /// The lock that the worker believes to hold; it must then match.
        optional lock_token ("lockToken"): FreeText,
        /// What happened.
        required message ("message"): FreeText,
        /// At length.
        optional details ("details"): FreeText,
        /// How many tries are left; 0 raises an incident.
        required retries ("retries"): Within<0, 1_000_000>,
        /// When the next try may begin, in seconds; at once if absent.
        optional retry_in_sec ("retryInSec"): Pause,
    }
}

request! {
    /// A BPMN error.
    pub(super) struct ErrorBody {
        /// The worker's name.
        required worker ("worker"): Key,
        /// The lock that the worker believes to hold; it must then match.
        optional lock_token ("lockToken"): FreeText,
        /// The error's code.
        required code ("code"): Key,
        /// What happened.
        optional message ("message"): FreeText,
        /// What goes to whoever catches it.
        optional variables ("variables"): JsonObject,
    }
}

request! {
    /// A longer lock.
    pub(super) struct ExtendBody {
        /// The worker's name.
        required worker ("worker"): Key,
        /// The lock that the worker believes to hold; it must then match.
        optional lock_token ("lockToken"): FreeText,
        /// From now, in seconds.
        required lock_in_sec ("lockInSec"): Lock,
    }
}

response! {
    /// Locked jobs.
    pub(super) struct ActivatedBody {
        /// The jobs; none when the time was over.
        required jobs ("jobs"): Vec<JobBody>,
        /// Engines that did not answer.
        required failed_engines ("failedEngines"): Vec<FailedEngine>,
    }
}

response! {
    /// A job in a worker's hands.
    pub(super) struct JobBody {
        /// Its id.
        required id ("id"): String,
        /// What it is about.
        required topic ("topic"): String,
        /// The engine's configured name.
        required engine ("engine"): String,
        /// Whose it is.
        nullable workspace_id ("workspaceId"): String,
        /// The instance.
        required process_instance_id ("processInstanceId"): String,
        /// What runs.
        required process_definition_key ("processDefinitionKey"): String,
        /// The BPMN element.
        required element_id ("elementId"): String,
        /// The instance's business key.
        nullable business_key ("businessKey"): String,
        /// What the element sees.
        required variables ("variables"): JsonObject,
        /// What the model says to the worker.
        required headers ("headers"): BTreeMap<String, String>,
        /// How many tries are left, this one included.
        required retries ("retries"): u32,
        /// When the lock runs out.
        required locked_until ("lockedUntil"): Timestamp,
        /// Names this lock: it fences two processes that share a worker name.
        required lock_token ("lockToken"): String,
    }
}

fn shown(engine: &EngineName, job: ActivatedJob) -> JobBody {
    JobBody {
        id: handle(engine, job.id),
        topic: job.topic.into_string(),
        engine: engine.to_string(),
        workspace_id: job.workspace.map(|workspace| workspace.to_string()),
        process_instance_id: handle(engine, job.instance),
        process_definition_key: job.process_key.into_string(),
        element_id: job.element_id,
        business_key: job.business_key.map(Key::into_string),
        variables: job.variables,
        headers: job.headers,
        retries: job.retries,
        locked_until: job.locked_until,
        lock_token: job.lock_token,
    }
}

fn holder(worker: Key, lock_token: Option<FreeText>) -> Holder {
    Holder { worker, lock_token: lock_token.map(|FreeText(token)| token) }
}

#[OpenApi(tag = "Tag::Jobs")]
impl JobsApi {
    /// Activate jobs
    ///
    /// Locks what waits of these topics, and waits for the first at most `timeoutInSec`.
    #[oai(path = "/api/jobs/activate", method = "post", operation_id = "activate_jobs")]
    async fn activate(
        &self,
        who: Who,
        patience: Patience,
        body: Body<ActivateBody>,
    ) -> Result<Ok200<ActivatedBody>, Problem> {
        let body = body.value;
        let request = JobRequest {
            topics: body.topics.0,
            worker: body.worker,
            max: body.max_jobs.map_or(10, Within::as_u32),
            lock: body.lock_in_sec.map_or(SignedDuration::from_secs(60), Lock::seconds),
            variables: body.variables.map(|names| names.0.into_iter().map(|FreeText(name)| name).collect()),
            workspace: body.workspace_id,
        };
        let wait = patience.wait(body.timeout_in_sec);
        let activated = self.app.jobs.activate(&who.0, request, wait).await?;
        let engine = activated.engine().clone();
        let jobs = activated.taken().into_iter().map(|job| shown(&engine, job)).collect();
        Ok(Ok200::new(ActivatedBody { jobs, failed_engines: Vec::new() }))
    }

    /// Complete a job
    #[oai(path = "/api/jobs/:id/complete", method = "post", operation_id = "complete_job")]
    async fn complete(
        &self,
        who: Who,
        /// The job.
        id: Path<JobId>,
        body: Body<CompleteBody>,
    ) -> Result<NoContent, Problem> {
        let CompleteBody { worker, lock_token, variables } = body.value;
        let holder = holder(worker, lock_token);
        self.app.jobs.complete(&who.0, &id.0.0, holder, variables.unwrap_or_default()).await?;
        Ok(NoContent)
    }

    /// Fail a job
    ///
    /// Gives it back for another try, or raises an incident.
    #[oai(path = "/api/jobs/:id/fail", method = "post", operation_id = "fail_job")]
    async fn fail(
        &self,
        who: Who,
        /// The job.
        id: Path<JobId>,
        body: Body<FailBody>,
    ) -> Result<NoContent, Problem> {
        let body = body.value;
        let failure = JobFailure {
            message: body.message.0,
            details: body.details.map(|FreeText(details)| details),
            retries: body.retries.as_u32(),
            retry_in: body.retry_in_sec.map_or(SignedDuration::ZERO, Pause::seconds),
        };
        self.app.jobs.fail(&who.0, &id.0.0, holder(body.worker, body.lock_token), failure).await?;
        Ok(NoContent)
    }

    /// Throw a BPMN error
    #[oai(path = "/api/jobs/:id/error", method = "post", operation_id = "throw_job_error")]
    async fn error(
        &self,
        who: Who,
        /// The job.
        id: Path<JobId>,
        body: Body<ErrorBody>,
    ) -> Result<NoContent, Problem> {
        let body = body.value;
        let error = JobError {
            code: body.code.into_string(),
            message: body.message.map(|FreeText(message)| message),
            variables: body.variables.unwrap_or_default(),
        };
        self.app.jobs.throw_error(&who.0, &id.0.0, holder(body.worker, body.lock_token), error).await?;
        Ok(NoContent)
    }

    /// Extend a job's lock
    #[oai(path = "/api/jobs/:id/extend", method = "post", operation_id = "extend_job_lock")]
    async fn extend(
        &self,
        who: Who,
        /// The job.
        id: Path<JobId>,
        body: Body<ExtendBody>,
    ) -> Result<NoContent, Problem> {
        let ExtendBody { worker, lock_token, lock_in_sec } = body.value;
        self.app.jobs.extend(&who.0, &id.0.0, holder(worker, lock_token), lock_in_sec.seconds()).await?;
        Ok(NoContent)
    }
}
