//! Callers that do not mind a gate that dies: they try again, and remember what was acknowledged.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use crate::support::process::{Caller, PATIENCE, answer, pause};

/// A step that the gate said was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Acknowledged {
    Started { execution: String },
    JobCompleted { job: String },
    TaskCompleted { task: String },
}

/// What was acknowledged so far, and whether to go on.
#[derive(Debug)]
pub(super) struct Ledger {
    steps: watch::Sender<Vec<Acknowledged>>,
    stopped: watch::Sender<bool>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { steps: watch::Sender::new(Vec::new()), stopped: watch::Sender::new(false) }
    }
}

impl Ledger {
    pub(super) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.steps.borrow().clone()
    }

    pub(super) async fn wait_for(&self, count: usize) {
        let mut steps = self.steps.subscribe();
        let waited = timeout(PATIENCE, steps.wait_for(|steps| steps.len() >= count)).await.map(drop);
        assert!(waited.is_ok(), "{} of {count} steps were acknowledged in {PATIENCE:?}", self.steps.borrow().len());
    }

    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    fn add(&self, step: Acknowledged) {
        self.steps.send_modify(|steps| steps.push(step));
    }
}

/// Starts so many executions, each under an `Idempotency-Key` of its own until it is acknowledged.
pub(super) async fn start_executions(caller: Caller, workflow: String, count: usize, ledger: Arc<Ledger>) {
    for number in 0..count {
        loop {
            let request = caller
                .request(Method::POST, &format!("/api/workflows/{workflow}/executions"))
                .header("Idempotency-Key", format!("start-{number}"))
                .json(&json!({"input": {"number": number}}));
            match answer(request).await {
                Some((201, body)) => {
                    ledger.add(Acknowledged::Started { execution: body["id"].as_str().unwrap().to_owned() });
                    break;
                }
                // No answer, or one that the key makes safe to ask for again.
                None | Some((409 | 503, _)) => pause().await,
                Some((status, body)) => panic!("a start: {status} {body}"),
            }
        }
    }
}

/// Works jobs of both topics. A lock that runs out because the gate was away is nobody's fault.
pub(super) async fn work_jobs(caller: Caller, worker: &str, ledger: Arc<Ledger>) {
    let asked = json!({"topics": ["first", "last"], "worker": worker, "maxJobs": 3, "lockInSec": 2, "timeoutInSec": 1});
    while !ledger.is_stopped() {
        let Some((200, activated)) = caller.try_post("/api/jobs/activate", &asked).await else {
            pause().await;
            continue;
        };
        for job in activated["jobs"].as_array().unwrap() {
            let id = job["id"].as_str().unwrap();
            let done = json!({"worker": worker, "lockToken": job["lockToken"], "variables": {"worked": id}});
            match caller.try_post(&format!("/api/jobs/{id}/complete"), &done).await {
                Some((204, _)) => ledger.add(Acknowledged::JobCompleted { job: id.to_owned() }),
                None | Some((409 | 503, _)) => {}
                Some((status, body)) => panic!("completing a job: {status} {body}"),
            }
        }
    }
}

/// Completes whatever user task waits.
pub(super) async fn complete_tasks(caller: Caller, ledger: Arc<Ledger>) {
    while !ledger.is_stopped() {
        let Some((200, list)) = caller.try_get("/api/userTask?workspaceId=demo").await else {
            pause().await;
            continue;
        };
        let tasks: Vec<Value> = list["items"].as_array().unwrap().clone();
        if tasks.is_empty() {
            pause().await;
        }
        for task in tasks {
            let id = task["id"].as_str().unwrap();
            match caller.try_post(&format!("/api/userTask/{id}/complete"), &json!({})).await {
                Some((204, _)) => ledger.add(Acknowledged::TaskCompleted { task: id.to_owned() }),
                None | Some((409 | 503, _)) => {}
                Some((status, body)) => panic!("completing a task: {status} {body}"),
            }
        }
    }
}
