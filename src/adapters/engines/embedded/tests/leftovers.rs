//! Whatever the model and the order of what happens: each thing is told to be over once, and no row stays behind.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    adapters::engines::embedded::machine::tests::properties::{Block, blocks, file_of},
    ports::{
        engine::{Correlate, JobError, TaskQuery},
        engine_store::{SubscriptionKind, SubscriptionQuery},
    },
};

/// What is open, as the changes tell it.
#[derive(Default)]
struct Told {
    open: BTreeMap<NativeId, &'static str>,
    incidents: BTreeSet<NativeId>,
    ended: bool,
}

impl Told {
    fn note(&mut self, changes: &[EngineChange]) {
        for change in changes {
            let EngineChange::Instance { change, .. } = change else { continue };
            assert!(!self.ended, "told after the end: {change:?}");
            match change {
                InstanceChange::JobCreated { job, .. } => assert_eq!(self.open.insert(job.clone(), "job"), None),
                InstanceChange::TaskCreated(task) => assert_eq!(self.open.insert(task.id.clone(), "task"), None),
                InstanceChange::JobCompleted { job, .. }
                | InstanceChange::JobErrorThrown { job, .. }
                | InstanceChange::JobCancelled { job, .. } => assert_eq!(self.open.remove(job), Some("job")),
                InstanceChange::TaskCompleted { task, .. } | InstanceChange::TaskCancelled { task, .. } => {
                    assert_eq!(self.open.remove(task), Some("task"));
                }
                InstanceChange::IncidentRaised(incident) => assert!(self.incidents.insert(incident.id.clone())),
                InstanceChange::IncidentResolved { incident, .. } => assert!(self.incidents.remove(incident)),
                InstanceChange::Completed { .. } | InstanceChange::Failed(_) | InstanceChange::Cancelled => {
                    self.ended = true;
                }
                _ => {}
            }
        }
    }
}

impl World {
    async fn tasks(&self) -> Vec<NativeId> {
        let mut view = self.repository.view().await.unwrap();
        let tasks = view.tasks().list(&TaskQuery::within(only_demo()), None, 200).await.unwrap();
        tasks.into_iter().map(|task| task.id).collect()
    }

    async fn waits_for(&self, message: &str) -> usize {
        let query = SubscriptionQuery {
            within: only_demo(),
            kind: SubscriptionKind::Message,
            name: key(message),
            instance: None,
            starts: false,
            correlation_key: None,
            business_key: None,
            limit: 100,
        };
        self.repository.view().await.unwrap().subscriptions().find(&query).await.unwrap().len()
    }

    /// Something that may happen next, chosen by a number.
    async fn happens(&mut self, instance: &NativeId, told: &Told, choice: usize) -> Option<EngineCommand> {
        let variables = object(json!({"x": choice}));
        match choice % 8 {
            kind @ 0..=3 => {
                let job = self.jobs("t").await.pop()?;
                let claim = claim(&job);
                let failure = |retries| JobFailure {
                    message: "no".to_owned(),
                    details: None,
                    retries,
                    retry_in: SignedDuration::ZERO,
                };
                Some(match kind {
                    0 | 1 => EngineCommand::CompleteJob { claim, variables },
                    2 => {
                        let error = JobError { code: "E".to_owned(), message: None, variables };
                        EngineCommand::ThrowError { claim, error }
                    }
                    _ => EngineCommand::FailJob { claim, failure: failure(u32::from(choice.is_multiple_of(3))) },
                })
            }
            4 => Some(EngineCommand::CompleteTask { task: self.tasks().await.pop()?, variables }),
            5 => {
                self.now += SignedDuration::from_mins(1);
                self.due().await.pop()
            }
            6 if self.waits_for("Paid").await == 1 => Some(EngineCommand::Correlate(Correlate {
                within: only_demo(),
                name: key("Paid"),
                business_key: None,
                correlation_key: None,
                instance: Some(instance.clone()),
                variables,
                time_to_live: None,
            })),
            7 => Some(EngineCommand::Retry {
                instance: instance.clone(),
                incident: told.incidents.first()?.clone(),
                retries: 1,
            }),
            _ => None,
        }
    }
}

async fn live(block: &Block, choices: Vec<usize>) {
    let mut world = World::new();
    world.deploy(&file_of(block)).await;
    let mut told = Told::default();
    let start = Start {
        workspace: demo(),
        process_key: key("p"),
        business_key: None,
        variables: object(json!({"n": choices.len() % 4})),
    };
    let changes = world.apply(EngineCommand::Start(start)).await;
    let EngineChange::Started(started) = &changes[0] else { panic!("{changes:?}") };
    let instance = started.instance.clone();
    told.note(&changes);
    for choice in choices {
        if told.ended {
            break;
        }
        if let Some(command) = world.happens(&instance, &told, choice).await {
            told.note(&world.apply(command).await);
        }
    }
    if !told.ended {
        told.note(&world.apply(EngineCommand::Cancel { instance: instance.clone() }).await);
    }
    assert!(told.ended && told.open.is_empty() && told.incidents.is_empty(), "{:?} {:?}", told.open, told.incidents);
    assert_eq!((world.tasks().await, world.waits_for("Paid").await), (vec![], 0));
    let id = instance_uuid(&instance).unwrap();
    assert_eq!(world.repository.view().await.unwrap().incidents().count_open(id).await.unwrap(), 0);
    world.now += SignedDuration::from_hours(24 * 365);
    assert_eq!(world.due().await, []);
    assert_eq!(world.jobs("t").await, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_left_of_an_instance_that_ended(block in blocks(), choices in prop::collection::vec(any::<usize>(), 0..80)) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(live(&block, choices));
    }
}
