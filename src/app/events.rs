//! Events: a channel's history, and its live tail.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use super::{commands::Commands, error::AppError, signals::POLL, workflows::seen};
use crate::{
    domain::{
        event::Event,
        identity::Identity,
        ids::{ExecutionId, WorkflowId},
        scope::Scope,
    },
    ports::publisher::EventFeed,
};

/// How many events a stream reads at once.
const BATCH: u32 = 200;

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// After this number.
    After(u64),
    /// From now on.
    Now,
}

/// Shows channels.
#[derive(Debug, Clone)]
pub struct Events {
    commands: Commands,
    feed: Arc<dyn EventFeed>,
}

impl Events {
    /// On these foundations.
    pub const fn new(commands: Commands, feed: Arc<dyn EventFeed>) -> Self {
        Self { commands, feed }
    }

    /// Events after a number, oldest first; of one execution only, if it is named.
    ///
    /// # Errors
    /// [`AppError::NotFound`]. A deleted workflow's events stay.
    pub async fn history(
        &self,
        who: &Identity,
        workflow: WorkflowId,
        execution: Option<ExecutionId>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Event>, AppError> {
        let mut view = self.commands.view().await?;
        let found = view.workflows().find_with_hidden(workflow).await?;
        seen(who, Scope::WorkflowsRead, found)?;
        let subject = execution.map(|id| id.to_string());
        Ok(view.events().read(workflow, after, limit, subject.as_deref()).await?)
    }

    /// Follows a channel.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::PositionUnknown`] beyond the channel's head.
    pub async fn follow(
        &self,
        who: &Identity,
        workflow: WorkflowId,
        execution: Option<ExecutionId>,
        from: Position,
    ) -> Result<Tail, AppError> {
        let mut view = self.commands.view().await?;
        let found = view.workflows().find_with_hidden(workflow).await?;
        seen(who, Scope::WorkflowsRead, found)?;
        // Before the head is read, so that what comes after it wakes the stream.
        let grown = self.feed.subscribe(workflow);
        let head = view.events().head(workflow).await?;
        let after = match from {
            Position::Now => head,
            Position::After(after) if after > head => return Err(AppError::PositionUnknown),
            Position::After(after) => after,
        };
        let subject = execution.map(|id| id.to_string());
        Ok(Tail { commands: self.commands.clone(), workflow, subject, head, after, grown })
    }

    /// Whether a caller may still read a channel: what an open stream asks from time to time.
    ///
    /// # Errors
    /// As [`follow`](Self::follow).
    pub async fn may_follow(&self, who: &Identity, workflow: WorkflowId) -> Result<(), AppError> {
        let found = self.commands.view().await?.workflows().find_with_hidden(workflow).await?;
        seen(who, Scope::WorkflowsRead, found).map(drop)
    }
}

/// An open stream: gives each event once, in order, from its position on.
pub struct Tail {
    commands: Commands,
    workflow: WorkflowId,
    subject: Option<String>,
    head: u64,
    after: u64,
    grown: watch::Receiver<u64>,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("workflow", &self.workflow).field("after", &self.after).finish_non_exhaustive()
    }
}

impl Tail {
    /// The last number before what comes next.
    pub const fn position(&self) -> u64 {
        self.after
    }

    /// The channel's last number when the stream was opened: what comes after it is live.
    pub const fn head(&self) -> u64 {
        self.head
    }

    /// Waits for the next events, at most 200. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Vec<Event>, AppError> {
        loop {
            // Seen before reading, so that what comes while we read wakes us again.
            let head = *self.grown.borrow_and_update();
            let mut view = self.commands.view().await?;
            let found = view.events().read(self.workflow, self.after, BATCH, self.subject.as_deref()).await?;
            drop(view);
            if let Some(last) = found.last() {
                self.after = last.sequence;
                return Ok(found);
            }
            if self.subject.is_some() {
                // Others' events up to here need not be read again.
                self.after = self.after.max(head);
            }
            // Another replica's events are found by the relay, which tells the feed; a silent feed is looked past.
            if let Ok(Err(_gone)) = tokio::time::timeout(POLL, self.grown.changed()).await {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}
