//! A workspace of one test's own, a client whose token is good for it alone, and the steps that most tests take.

use std::{
    ops::Deref,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use super::{
    gate::{Answer, Caller, Gate, until},
    models::{linear, timer},
};

/// What a client of the walk may do, and more than it needs.
pub(super) const CLIENT: [&str; 4] = ["workflows:read", "workflows:write", "workflows:execute", "jobs:work"];

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A name that no other test takes.
pub(super) fn unique(stem: &str) -> String {
    format!("{stem}-{}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A token for these workspaces, made by `root`.
pub(super) async fn mint(root: &Caller, scopes: &[&str], workspaces: &[&str]) -> Caller {
    let minted =
        root.post("/api/admin/service-tokens", json!({"scopes": scopes, "workspace_ids": workspaces})).await.is(201);
    root.gate.caller(minted.str("secret"))
}

pub(super) struct World {
    /// The workspace.
    pub(super) id: String,
    pub(super) root: Caller,
    client: Caller,
}

/// It asks as its client.
impl Deref for World {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.client
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::on(Gate::shared()).await
    }

    pub(super) async fn on(gate: Gate) -> Self {
        let (root, id) = (gate.root(), unique("w"));
        root.post("/api/workspaces", json!({"id": id})).await.is(201);
        let client = mint(&root, &CLIENT, &[&id]).await;
        Self { id, root, client }
    }

    /// A workspace and a model that runs in it: the world and the workflow's id.
    pub(super) async fn running(model: &str) -> (Self, String) {
        let world = Self::new().await;
        let workflow = world.deploy(model).await;
        (world, workflow)
    }

    /// Someone with these scopes here.
    pub(super) async fn someone(&self, scopes: &[&str]) -> Caller {
        mint(&self.root, scopes, &[&self.id]).await
    }

    pub(super) async fn try_deploy(&self, model: &str) -> Answer {
        let resources = json!([{"name": "model.bpmn", "content": model}]);
        self.post("/api/deployments", json!({"workspace_id": self.id, "resources": resources})).await
    }

    /// The workflow of the model's only process.
    pub(super) async fn deploy(&self, model: &str) -> String {
        let deployed = self.try_deploy(model).await.is(201);
        assert_eq!(deployed["processes"].as_array().unwrap().len(), 1, "{}", deployed.text);
        deployed["processes"][0]["workflow_id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn start(&self, workflow: &str, input: Value) -> Answer {
        self.post(&format!("/api/workflows/{workflow}/executions"), json!({"input": input})).await.is(201)
    }

    /// Starts and gives the instance's handle.
    pub(super) async fn instance(&self, workflow: &str, input: Value) -> String {
        self.start(workflow, input).await.str("process_instance_id").to_owned()
    }

    pub(super) async fn execution(&self, id: &str) -> Answer {
        self.get(&format!("/api/executions/{id}")).await.is(200)
    }

    /// The execution once it has this status.
    pub(super) async fn ended(&self, id: &str, status: &str) -> Answer {
        until(&format!("execution {id} {status}"), || async {
            let execution = self.execution(id).await;
            (execution["status"] == status).then_some(execution)
        })
        .await
    }

    /// The jobs of a topic that can be had, for the worker `w1`.
    pub(super) async fn jobs(&self, topic: &str) -> Vec<Value> {
        let asked = json!({"topics": [topic], "worker": "w1", "maxJobs": 100});
        let answer = self.post("/api/jobs/activate", asked).await.is(200);
        assert_eq!(answer["failedEngines"], json!([]), "{}", answer.text);
        answer["jobs"].as_array().unwrap().clone()
    }

    /// The one job of a topic.
    pub(super) async fn job(&self, topic: &str) -> Value {
        let mut jobs = self.jobs(topic).await;
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs.remove(0)
    }

    /// Does something to a job as the worker `w1`.
    pub(super) async fn settle(&self, job: &Value, how: &str, mut body: Value) -> Answer {
        body["worker"] = json!("w1");
        self.post(&format!("/api/jobs/{}/{how}", job["id"].as_str().unwrap()), body).await
    }

    pub(super) async fn complete(&self, job: &Value, variables: Value) {
        self.settle(job, "complete", json!({"variables": variables})).await.is(204);
    }

    pub(super) async fn tasks(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/userTask{query}")).await.is(200);
        assert_eq!(answer["failedEngines"], json!([]), "{}", answer.text);
        answer.items().to_vec()
    }

    pub(super) async fn variables(&self, instance: &str) -> Value {
        self.get(&format!("/api/process/{instance}/variables")).await.is(200).body
    }

    pub(super) async fn incidents(&self, instance: &str) -> Vec<Value> {
        self.get(&format!("/api/process/{instance}/incidents")).await.is(200).items().to_vec()
    }

    /// Comes back when a timer of this duration has fired, by the gate's own clock.
    pub(super) async fn passes(&self, duration: &str) {
        let workflow = self.deploy(&linear("passing", &[&timer("pass", duration)])).await;
        let id = self.start(&workflow, json!({})).await.id();
        self.ended(&id, "completed").await;
    }

    /// A channel from its beginning.
    pub(super) async fn events(&self, workflow: &str) -> Vec<Value> {
        self.get(&format!("/api/workflows/{workflow}/events?limit=200")).await.is(200).items().to_vec()
    }

    /// A channel from its beginning, however long.
    pub(super) async fn all_events(&self, workflow: &str) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event["sequence"].as_u64().unwrap());
            let page = self.get(&format!("/api/workflows/{workflow}/events?after={after}&limit=50")).await.is(200);
            if page.items().is_empty() {
                return events;
            }
            events.extend(page.items().iter().cloned());
        }
    }

    /// The channel once it tells of this type.
    pub(super) async fn events_with(&self, workflow: &str, kind: &str) -> Vec<Value> {
        until(&format!("{kind} in the channel"), || async {
            let events = self.events(workflow).await;
            events.iter().any(|event| event["type"] == kind).then_some(events)
        })
        .await
    }
}

/// The types of events, in their order.
pub(super) fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}
