//! Messages and signals.

use jiff::SignedDuration;
use uuid::Uuid;

use super::{
    instance::Refused,
    instances::Beginning,
    machine::{Command, StepError},
    unit::{Unit, native},
};
use crate::{
    domain::{
        json::JsonObject,
        text::Key,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::{
        engine::{Broadcast, Correlate, Correlated, EngineError, StartByMessage},
        engine_store::{
            BufferedMessage, ElementRef, Subscriber, SubscriptionKind, SubscriptionQuery, SubscriptionRow,
            instance_uuid,
        },
        local_engine::{EngineChange, InstanceChange},
        repository::RepositoryError,
    },
};

/// How many elements and start events one signal may reach.
const MAX_RECEIVERS: u32 = 1_000;

/// How many messages that ran out are forgotten whenever one is put into the buffer.
const SWEPT_AT_ONCE: u32 = 100;

impl Unit<'_> {
    /// Starts an instance by the one message start event of that name.
    pub(super) async fn start_by_message(&mut self, request: StartByMessage) -> Result<(), EngineError> {
        let StartByMessage { within, message, business_key, variables } = request;
        let query = SubscriptionQuery { starts: true, ..all_of(within, SubscriptionKind::Message, message.clone(), 2) };
        match self.only_one(&query).await? {
            Some(start) => self.start_at(start, business_key, variables).await.map(drop),
            None => Err(EngineError::UnknownDefinition { key: message.into_string() }),
        }
    }

    /// Takes a message to the one element that waits for it, else to the one start event, else into the buffer.
    pub(super) async fn correlate(&mut self, message: Correlate) -> Result<(), EngineError> {
        let Correlate { within, name, business_key, correlation_key, instance, variables, time_to_live } = message;
        let correlation_key = correlation_key.or_else(|| business_key.clone());
        let only = instance.as_ref().map(instance_uuid);
        if only == Some(None) {
            return Err(EngineError::MessageNotCorrelated);
        }
        let elements = SubscriptionQuery {
            instance: only.flatten(),
            correlation_key: correlation_key.clone(),
            business_key: business_key.clone(),
            ..all_of(within.clone(), SubscriptionKind::Message, name.clone(), 2)
        };
        if let Some(waiting) = self.only_one(&elements).await? {
            return self.deliver(waiting, variables).await;
        }
        if instance.is_none() {
            let starts = SubscriptionQuery {
                starts: true,
                ..all_of(within.clone(), SubscriptionKind::Message, name.clone(), 2)
            };
            if let Some(start) = self.only_one(&starts).await? {
                let instance = native(self.start_at(start, business_key, variables).await?);
                self.tell(EngineChange::Correlated(Correlated::ProcessInstance { instance }));
                return Ok(());
            }
        }
        let lasting = time_to_live.filter(SignedDuration::is_positive);
        let time_to_live = lasting.ok_or(EngineError::MessageNotCorrelated)?;
        let expires_at = self.now.checked_add(time_to_live).map_err(|_| EngineError::Invalid {
            message: "the time to live of the message leads beyond the year 9999".to_owned(),
        })?;
        let workspace = only_workspace(within)?;
        let instance = only.flatten();
        let id = self.new_id();
        self.buffer(BufferedMessage {
            id,
            workspace,
            name,
            correlation_key,
            business_key,
            instance,
            variables,
            expires_at,
        })
        .await?;
        // A subscription that another unit has just opened has looked for messages before this one was there: looking
        // once more here, after the message is written, leaves no gap between the two.
        match self.only_one(&elements).await? {
            Some(_opened) => Err(RepositoryError::Serialization.into()),
            None => Ok(()),
        }
    }

    async fn buffer(&mut self, message: BufferedMessage) -> Result<(), EngineError> {
        self.uow.buffered_messages().sweep(self.now, SWEPT_AT_ONCE).await?;
        self.uow.buffered_messages().insert(&message).await?;
        self.tell(EngineChange::Correlated(Correlated::Buffered { id: message.id.hyphenated().to_string() }));
        Ok(())
    }

    /// The one subscription that fits, if any.
    async fn only_one(&mut self, query: &SubscriptionQuery) -> Result<Option<SubscriptionRow>, EngineError> {
        let mut found = self.uow.subscriptions().find(query).await?;
        if found.len() > 1 {
            return Err(EngineError::MessageAmbiguous);
        }
        Ok(found.pop())
    }

    async fn deliver(&mut self, waiting: SubscriptionRow, variables: JsonObject) -> Result<(), EngineError> {
        let Subscriber::Element(ElementRef { instance, key }) = waiting.subscriber else {
            return Err(EngineError::MessageNotCorrelated);
        };
        // Whoever waited may have been served by another unit while this one waited for the instance: look again.
        let served = || EngineError::Repository(RepositoryError::Serialization);
        let mut held = self.hold(instance).await?.ok_or_else(served)?;
        self.step(&mut held, Command::DeliverMessage { key, variables }).await.map_err(|refused| match refused {
            Refused::Step(StepError::UnknownKey { .. } | StepError::Ended) => served(),
            other => other.into(),
        })?;
        self.finish(held).await?;
        self.tell(EngineChange::Correlated(Correlated::Execution { instance: native(instance) }));
        Ok(())
    }

    /// Starts an instance by a message or signal start event.
    async fn start_at(
        &mut self,
        start: SubscriptionRow,
        business_key: Option<Key>,
        variables: JsonObject,
    ) -> Result<Uuid, EngineError> {
        let Subscriber::Start { definition, element_id } = start.subscriber else {
            return Err(EngineError::MessageNotCorrelated);
        };
        let definition = self.engine.definitions.load(self.uow, definition).await?;
        let beginning = Beginning { element_id: Some(element_id), timer: None, business_key, variables };
        self.begin(definition, beginning).await
    }

    /// Takes a signal to every element that waits for it, and starts every process that it starts.
    pub(super) async fn broadcast(&mut self, signal: Broadcast) -> Result<(), EngineError> {
        let Broadcast { within, name, variables } = signal;
        let limit = MAX_RECEIVERS.saturating_add(1);
        let elements = all_of(within, SubscriptionKind::Signal, name, limit);
        let starts = SubscriptionQuery { starts: true, ..elements.clone() };
        let mut waiting = self.uow.subscriptions().find(&elements).await?;
        let starts = self.uow.subscriptions().find(&starts).await?;
        let receivers = waiting.len().saturating_add(starts.len());
        if u32::try_from(receivers).map_or(true, |receivers| receivers > MAX_RECEIVERS) {
            let message = format!("more than {MAX_RECEIVERS} wait for this signal; one broadcast reaches no more");
            return Err(EngineError::Invalid { message });
        }
        // In one order everywhere, so that two broadcasts never wait for each other in a circle.
        waiting.sort_by(|one, other| one.subscriber.cmp(&other.subscriber));
        for receiver in waiting {
            self.deliver_signal(receiver, variables.clone()).await?;
        }
        for start in starts {
            self.start_at(start, None, variables.clone()).await?;
        }
        Ok(())
    }

    /// Hands a signal to one element. Who stopped waiting in the meantime, or cannot take it, is passed over.
    async fn deliver_signal(&mut self, receiver: SubscriptionRow, variables: JsonObject) -> Result<(), EngineError> {
        let Subscriber::Element(ElementRef { instance, key }) = receiver.subscriber else { return Ok(()) };
        let mut held = match self.hold(instance).await {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(()),
            Err(EngineError::Repository(RepositoryError::Corrupt { what })) => {
                tracing::error!(%instance, "a signal passes an instance over, since its {what} cannot be read");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let before = self.mark();
        let arrived =
            InstanceChange::MessageCorrelated { element_id: receiver.element_id, message: receiver.name.into_string() };
        self.tell_of(instance, arrived);
        match self.step(&mut held, Command::DeliverSignal { key, variables }).await {
            Ok(()) => self.finish(held).await,
            Err(Refused::Step(error)) => {
                self.forget_since(before);
                tracing::warn!(%instance, %error, "a signal was refused");
                Ok(())
            }
            Err(Refused::Engine(EngineError::Repository(RepositoryError::Corrupt { what }))) => {
                self.forget_since(before);
                tracing::error!(%instance, "a signal passes an instance over, since its {what} cannot be read");
                Ok(())
            }
            Err(Refused::Engine(error)) => Err(error),
        }
    }
}

/// Every element that waits for something of a name.
const fn all_of(within: WorkspaceAccess, kind: SubscriptionKind, name: Key, limit: u32) -> SubscriptionQuery {
    SubscriptionQuery {
        within,
        kind,
        name,
        instance: None,
        starts: false,
        correlation_key: None,
        business_key: None,
        limit,
    }
}

/// A message can wait in one workspace only.
fn only_workspace(within: WorkspaceAccess) -> Result<WorkspaceId, EngineError> {
    if let WorkspaceAccess::Only(ids) = within {
        let mut ids = ids.into_iter();
        if let (Some(id), None) = (ids.next(), ids.next()) {
            return Ok(id);
        }
    }
    let message = "a message with timeToLiveInSec waits in one workspace: name it by workspaceId".to_owned();
    Err(EngineError::Invalid { message })
}
