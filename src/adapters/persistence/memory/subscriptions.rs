//! The embedded engine's message and signal subscriptions.

use std::sync::Arc;

use async_trait::async_trait;
use imbl::OrdMap;
use uuid::Uuid;

use super::{
    MemoryUnit,
    index::{Index, both, facets, items},
    matching::MatchedBy,
};
use crate::{
    domain::{text::Key, workspace::WorkspaceId},
    ports::{
        engine_store::{Subscriber, SubscriptionKind, SubscriptionQuery, SubscriptionRow, Subscriptions},
        repository::RepositoryError,
    },
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<u64, Arc<SubscriptionRow>>,
    last: u64,
    by_subscriber: OrdMap<Subscriber, u64>,
    waiting: Index<Place, u64>,
}

/// Under what a subscription is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: SubscriptionKind,
    name: Key,
    starts: bool,
    workspace: Option<WorkspaceId>,
    matched: MatchedBy,
    instance: Option<Uuid>,
}

fn instance(row: &SubscriptionRow) -> Option<Uuid> {
    match row.subscriber {
        Subscriber::Element(element) => Some(element.instance),
        Subscriber::Start { .. } => None,
    }
}

fn places(row: &SubscriptionRow) -> Vec<Place> {
    let starts = matches!(row.subscriber, Subscriber::Start { .. });
    let key = MatchedBy::of_subscription(row.correlation_key.as_deref(), row.business_key.as_ref());
    let mut places = Vec::new();
    for workspace in both(&row.workspace) {
        for matched in key.iter().cloned().chain([MatchedBy::Name]) {
            let (kind, name) = (row.kind, row.name.clone());
            let place = Place { kind, name, starts, workspace: workspace.clone(), matched, instance: None };
            if let Some(instance) = instance(row) {
                places.push(Place { instance: Some(instance), ..place.clone() });
            }
            places.push(place);
        }
    }
    places
}

fn asked(query: &SubscriptionQuery) -> Vec<Place> {
    let matched = if query.starts {
        vec![MatchedBy::Name]
    } else {
        MatchedBy::of_message(query.correlation_key.as_ref(), query.business_key.as_ref())
    };
    let mut places = Vec::new();
    for workspace in facets(&query.within) {
        for matched in matched.iter().cloned() {
            places.push(Place {
                kind: query.kind,
                name: query.name.clone(),
                starts: query.starts,
                workspace: workspace.clone(),
                matched,
                instance: query.instance.filter(|_| !query.starts),
            });
        }
    }
    places
}

impl Table {
    fn insert(&mut self, row: &SubscriptionRow) -> Result<(), RepositoryError> {
        if self.by_subscriber.contains_key(&row.subscriber) {
            return Err(RepositoryError::Conflict);
        }
        self.last += 1;
        for place in places(row) {
            self.waiting.insert(place, self.last);
        }
        self.by_subscriber.insert(row.subscriber.clone(), self.last);
        self.rows.insert(self.last, Arc::new(row.clone()));
        Ok(())
    }

    fn delete(&mut self, subscriber: &Subscriber) {
        let Some(number) = self.by_subscriber.remove(subscriber) else { return };
        let Some(row) = self.rows.remove(&number) else { return };
        for place in places(&row) {
            self.waiting.remove(&place, &number);
        }
    }

    fn delete_starts(&mut self, definition: Uuid) {
        let first = Subscriber::Start { definition, element_id: String::new() };
        let of_it = |who: &Subscriber| matches!(who, Subscriber::Start { definition: of, .. } if *of == definition);
        let starts = self.by_subscriber.range(first..).map(|(who, _)| who).take_while(|who| of_it(who));
        let starts: Vec<_> = starts.cloned().collect();
        for subscriber in starts {
            self.delete(&subscriber);
        }
    }

    fn find(&self, query: &SubscriptionQuery) -> Vec<SubscriptionRow> {
        let limit = items(query.limit);
        let mut found = Vec::new();
        for place in asked(query) {
            found.extend(self.waiting.ascending(&place).take(limit).copied());
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(limit);
        found.iter().filter_map(|number| self.rows.get(number)).map(|row| SubscriptionRow::clone(row)).collect()
    }
}

#[async_trait]
impl Subscriptions for MemoryUnit {
    async fn insert(&mut self, subscription: &SubscriptionRow) -> Result<(), RepositoryError> {
        self.change(|state| state.subscriptions.insert(subscription))
    }

    async fn delete(&mut self, subscriber: &Subscriber) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.subscriptions.delete(subscriber);
            Ok(())
        })
    }

    async fn delete_starts(&mut self, definition: Uuid) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.subscriptions.delete_starts(definition);
            Ok(())
        })
    }

    async fn find(&mut self, query: &SubscriptionQuery) -> Result<Vec<SubscriptionRow>, RepositoryError> {
        self.read(|state| state.subscriptions.find(query))
    }
}
