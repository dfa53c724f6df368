//! The built-in event streams: wakes the streams of this process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    domain::{event::Event, ids::WorkflowId},
    ports::publisher::{EventFeed, PublishError, Publisher},
};

/// Keeps one head a followed channel. Bounded by the number of open streams.
#[derive(Debug, Default)]
pub struct InProcessPublisher {
    heads: Mutex<HashMap<WorkflowId, watch::Sender<u64>>>,
}

impl InProcessPublisher {
    fn heads(&self) -> std::sync::MutexGuard<'_, HashMap<WorkflowId, watch::Sender<u64>>> {
        // A panic elsewhere leaves the map whole: every change of it is one call.
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventFeed for InProcessPublisher {
    fn subscribe(&self, workflow: WorkflowId) -> watch::Receiver<u64> {
        self.heads().entry(workflow).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    fn followed(&self) -> Vec<WorkflowId> {
        let mut heads = self.heads();
        heads.retain(|_, head| head.receiver_count() > 0);
        heads.keys().copied().collect()
    }

    fn reached(&self, workflow: WorkflowId, reached: u64) {
        if let Some(head) = self.heads().get(&workflow) {
            head.send_if_modified(|head| {
                let grew = *head < reached;
                *head = reached.max(*head);
                grew
            });
        }
    }
}

#[async_trait]
impl Publisher for InProcessPublisher {
    async fn publish(&self, batch: &[Event]) -> Result<(), PublishError> {
        for event in batch {
            self.reached(event.event.workflow, event.sequence);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_head_never_goes_back_and_an_unfollowed_channel_is_forgotten() {
        let feed = InProcessPublisher::default();
        let workflow = WorkflowId::new(Uuid::nil());
        let mut receiver = feed.subscribe(workflow);
        feed.reached(workflow, 7);
        feed.reached(workflow, 3);
        assert_eq!(*receiver.borrow_and_update(), 7);
        assert_eq!(feed.followed(), [workflow]);
        drop(receiver);
        assert!(feed.followed().is_empty());
    }
}
