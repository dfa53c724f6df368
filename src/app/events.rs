//! Events: a channel's history, and its live tail.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use super::{commands::Commands, error::AppError, workflows::seen};
use crate::{
    domain::{
        event::Event,
        identity::Identity,
        ids::{ExecutionId, WorkflowId},
        page::MAX_PAGE_BYTES,
        scope::Scope,
    },
    ports::{
        publisher::EventFeed,
        repository::{EventPage, ReadLimit, UnitOfWork},
    },
};

/// How many events a stream reads at once.
const BATCH: ReadLimit = ReadLimit { events: 200, bytes: 1 << 20 };

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

    /// Events after a number, oldest first; of one execution only, if it is named. Without a number from the oldest on.
    ///
    /// # Errors
    /// [`AppError::NotFound`] (a deleted workflow's events stay); [`AppError::PositionExpired`].
    pub async fn history(
        &self,
        who: &Identity,
        workflow: WorkflowId,
        execution: Option<ExecutionId>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<EventPage, AppError> {
        let mut view = self.commands.view().await?;
        let found = view.workflows().find_with_hidden(workflow).await?;
        seen(who, Scope::WorkflowsRead, found)?;
        if let Some(after) = after {
            require_kept(&mut *view, workflow, execution, after).await?;
        }
        let subject = execution.map(|id| id.to_string());
        let limit = ReadLimit { events: limit, bytes: MAX_PAGE_BYTES };
        Ok(view.events().read(workflow, after.unwrap_or(0), limit, subject.as_deref()).await?)
    }

    /// Follows a channel.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::PositionUnknown`] beyond the channel's head; [`AppError::PositionExpired`].
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
            Position::After(after) => {
                require_kept(&mut *view, workflow, execution, after).await?;
                after
            }
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

/// Refuses a position after which events were deleted. All events of an execution that is there are kept.
async fn require_kept(
    view: &mut dyn UnitOfWork,
    workflow: WorkflowId,
    execution: Option<ExecutionId>,
    after: u64,
) -> Result<(), AppError> {
    let deleted_to = view.events().deleted_to(workflow).await?;
    if after >= deleted_to {
        return Ok(());
    }
    if let Some(id) = execution
        && view.executions().find_existing(&[id]).await?.contains(&id)
    {
        return Ok(());
    }
    Err(AppError::PositionExpired { oldest: deleted_to.saturating_add(1) })
}

/// An open stream: gives each event once, in order, from its position on.
pub struct Tail {
    commands: Commands,
    workflow: WorkflowId,
    subject: Option<String>,
    /// The channel's highest number, as far as this stream knows.
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

    /// Waits for the next events, at most 200. Dropping the future loses nothing. While the channel does not grow, it asks
    /// the store nothing: the relay and the watcher of heads tell of every event, whichever replica numbered it.
    ///
    /// # Errors
    /// The store's; [`AppError::PositionExpired`] for a stream that is so far behind that its events were deleted.
    pub async fn next(&mut self) -> Result<Vec<Event>, AppError> {
        loop {
            self.head = self.head.max(*self.grown.borrow_and_update());
            if self.after < self.head {
                let found = self.read().await?;
                match found.last() {
                    Some(last) => {
                        self.after = last.sequence;
                        return Ok(found);
                    }
                    // Others' events up to here need not be read again.
                    None => self.after = self.head,
                }
            }
            if self.grown.changed().await.is_err() {
                // The feed ends with the process.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<Event>, AppError> {
        let mut view = self.commands.view().await?;
        let found = view.events().read(self.workflow, self.after, BATCH, self.subject.as_deref()).await?.events;
        let follows = found.first().is_some_and(|first| first.sequence == self.after.saturating_add(1));
        if !follows && self.subject.is_none() {
            require_kept(&mut *view, self.workflow, None, self.after).await?;
        }
        Ok(found)
    }
}
