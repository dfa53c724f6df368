//! The audit's own work: writing down what was gathered, chaining, and telling the log where the chain ends.

use std::{future::Future, sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Collector, Sequencer, head_text};
use crate::app::{
    context,
    signals::{POLL, Signals},
};

/// How often what was gathered is written down.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How often the log is told the head: an anchor that whoever changes the database cannot reach.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// How long a chain that cannot be continued rests.
const REST: Duration = Duration::from_secs(5);

/// The audit's tasks.
#[derive(Debug, Clone)]
pub struct AuditWork {
    collector: Arc<Collector>,
    sequencer: Sequencer,
    signals: Arc<Signals>,
}

impl AuditWork {
    /// Of these.
    pub const fn new(collector: Arc<Collector>, sequencer: Sequencer, signals: Arc<Signals>) -> Self {
        Self { collector, sequencer, signals }
    }

    /// Begins it, as tasks that the tracker owns and the stop ends.
    pub fn start(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        begin(tasks, stop, self.clone().write_down());
        begin(tasks, stop, self.clone().chain());
        begin(tasks, stop, self.clone().tell_heads());
    }

    async fn write_down(self) {
        loop {
            tokio::time::sleep(WRITE_EVERY).await;
            match self.collector.write().await {
                Ok(true) => self.signals.audit.ring(),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "entries of the audit could not be written down; trying again");
                }
            }
        }
    }

    async fn chain(self) {
        let mut committed = self.signals.audit.listen();
        loop {
            match self.sequencer.chain().await {
                Ok(true) => {}
                Ok(false) => committed.heard().await,
                Err(error) => {
                    tracing::warn!(error = %error, "entries of the audit could not be chained; trying again");
                    tokio::time::sleep(if error.is_unavailable() { POLL } else { REST }).await;
                }
            }
        }
    }

    async fn tell_heads(self) {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            self.tell_head().await;
        }
    }

    async fn tell_head(&self) {
        match self.sequencer.head().await {
            Ok(head) => tracing::info!(target: "tidegate::audit", head = %head_text(&head), "the head of the audit"),
            Err(error) => tracing::warn!(error = %error, "the head of the audit cannot be read"),
        }
    }

    /// Writes down and chains what is left, when the tasks have ended, and tells the log where the chain ends then.
    pub async fn finish(&self) {
        self.write_last().await;
        self.tell_head().await;
    }

    async fn write_last(&self) {
        if let Err(error) = self.collector.write_all().await {
            tracing::warn!(error = %error, "the last entries of the audit could not be written down");
        }
        loop {
            match self.sequencer.chain().await {
                Ok(true) => {}
                Ok(false) => return,
                // The next start does.
                Err(error) => return tracing::debug!(error = %error, "the last entries of the audit are not chained"),
            }
        }
    }
}

fn begin(tasks: &TaskTracker, stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    drop(context::spawn(tasks, async move {
        stop.run_until_cancelled(work).await;
    }));
}
