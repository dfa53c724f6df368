//! The embedded engine's messages that wait for a receiver.

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    MemoryUnit,
    index::{Index, count, items},
    matching::MatchedBy,
};
use crate::{
    domain::{text::Key, workspace::WorkspaceId},
    ports::{
        engine_store::{BufferedMessage, BufferedMessages, Subscriber, SubscriptionKind, SubscriptionRow},
        repository::RepositoryError,
    },
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    ids: OrdSet<Uuid>,
    rows: OrdMap<u64, BufferedMessage>,
    last: u64,
    waiting: Index<(WorkspaceId, Key, MatchedBy), u64>,
    by_end: OrdSet<(Timestamp, u64)>,
}

fn places(message: &BufferedMessage) -> impl Iterator<Item = (WorkspaceId, Key, MatchedBy)> {
    let keys = MatchedBy::of_message(message.correlation_key.as_ref(), message.business_key.as_ref());
    keys.into_iter().map(|matched| (message.workspace.clone(), message.name.clone(), matched))
}

impl Table {
    fn insert(&mut self, message: &BufferedMessage) -> Result<(), RepositoryError> {
        if self.ids.insert(message.id).is_some() {
            return Err(RepositoryError::Conflict);
        }
        self.last += 1;
        for place in places(message) {
            self.waiting.insert(place, self.last);
        }
        self.by_end.insert((message.expires_at, self.last));
        self.rows.insert(self.last, message.clone());
        Ok(())
    }

    fn remove(&mut self, number: u64) -> Option<BufferedMessage> {
        let message = self.rows.remove(&number)?;
        for place in places(&message) {
            self.waiting.remove(&place, &number);
        }
        self.by_end.remove(&(message.expires_at, number));
        self.ids.remove(&message.id);
        Some(message)
    }

    fn take(&mut self, subscription: &SubscriptionRow, now: Timestamp) -> Option<BufferedMessage> {
        if subscription.kind != SubscriptionKind::Message {
            return None;
        }
        let (instance, keys) = match subscription.subscriber {
            Subscriber::Start { .. } => (None, None),
            Subscriber::Element(element) => (
                Some(element.instance),
                MatchedBy::of_subscription(subscription.correlation_key.as_deref(), subscription.business_key.as_ref()),
            ),
        };
        let fits = |number: &u64| {
            self.rows.get(number).is_some_and(|message| {
                message.expires_at > now && message.instance.is_none_or(|only| Some(only) == instance)
            })
        };
        let mut found = Vec::new();
        for matched in keys.into_iter().chain([MatchedBy::Name]) {
            let place = (subscription.workspace.clone(), subscription.name.clone(), matched);
            found.extend(self.waiting.ascending(&place).copied().find(fits));
        }
        let oldest = found.into_iter().min()?;
        self.remove(oldest)
    }

    fn sweep(&mut self, now: Timestamp, limit: u32) -> u32 {
        let old: Vec<_> = self.by_end.iter().take_while(|(end, _)| *end <= now).take(items(limit)).copied().collect();
        for (_, number) in &old {
            self.remove(*number);
        }
        count(old.len())
    }
}

#[async_trait]
impl BufferedMessages for MemoryUnit {
    async fn insert(&mut self, message: &BufferedMessage) -> Result<(), RepositoryError> {
        self.change(|state| state.messages.insert(message))
    }

    async fn take(
        &mut self,
        subscription: &SubscriptionRow,
        now: Timestamp,
    ) -> Result<Option<BufferedMessage>, RepositoryError> {
        self.change(|state| Ok(state.messages.take(subscription, now)))
    }

    async fn sweep(&mut self, now: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        self.change(|state| Ok(state.messages.sweep(now, limit)))
    }
}
