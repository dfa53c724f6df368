//! Messages and signals.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{
    commands::{Answer, Once},
    core::Core,
    engines::Located,
    error::{AppError, Noun},
};
use crate::{
    domain::{
        engine::{EngineName, Handle},
        execution::Starter,
        idempotency::Idempotency,
        identity::Identity,
        json::JsonObject,
        scope::Scope,
        text::Key,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::{
        engine::{Broadcast, Correlate, Correlated, EngineError},
        local_engine::{EngineChange, EngineCommand},
    },
};

/// A message, as the caller sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Its name.
    pub name: Key,
    /// Matched with an instance's business key.
    pub business_key: Option<Key>,
    /// Matched with a subscription's correlation key; the business key where it is absent.
    pub correlation_key: Option<Key>,
    /// Only this instance: a handle or a native id.
    pub instance: Option<String>,
    /// Only in this workspace.
    pub workspace: Option<WorkspaceId>,
    /// What it brings.
    pub variables: JsonObject,
    /// How long it may wait for a receiver.
    pub time_to_live: Option<SignedDuration>,
}

/// What became of a message, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The engine.
    pub engine: EngineName,
    /// What became of it.
    pub correlated: Correlated,
}

/// Correlates messages and broadcasts signals.
#[derive(Debug, Clone)]
pub struct Messages {
    core: Core,
}

impl Messages {
    /// On these foundations.
    pub const fn new(core: Core) -> Self {
        Self { core }
    }

    /// Takes a message to exactly one receiver.
    ///
    /// # Errors
    /// [`EngineError::MessageNotCorrelated`], [`EngineError::MessageAmbiguous`].
    pub async fn correlate(
        &self,
        who: &Identity,
        message: NewMessage,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<Delivered>, AppError> {
        let mut within = self.core.within(who, Scope::WorkflowsExecute, message.workspace.as_ref()).await?;
        let mut engine = self.core.engines.default_name().clone();
        let mut instance = None;
        if let Some(id) = &message.instance {
            let commands = &self.core.commands;
            let found: Located = self.core.engines.instance(commands, who, Scope::WorkflowsExecute, id).await?;
            if !within.contains(&found.workspace) {
                return Err(AppError::NotFound(Noun::ProcessInstance));
            }
            within = WorkspaceAccess::Only(BTreeSet::from([found.workspace]));
            engine = found.name;
            instance = Some(found.native);
        }
        let command = EngineCommand::Correlate(Correlate {
            within,
            name: message.name,
            correlation_key: message.correlation_key.or_else(|| message.business_key.clone()),
            business_key: message.business_key,
            instance,
            variables: message.variables,
            time_to_live: message.time_to_live,
        });
        let (core, starter, on) = (self.core.clone(), Starter::from(who), engine.clone());
        let once = self.core.commands.once(idempotency, move |unit| {
            let (core, engine) = (core.clone(), on.clone());
            let (command, starter) = (command.clone(), starter.clone());
            Box::pin(async move {
                let performed = core.perform(unit, &engine, command, starter).await?;
                let correlated = performed.changes.into_iter().find_map(|change| match change {
                    EngineChange::Correlated(correlated) => Some(correlated),
                    _ => None,
                });
                let correlated = correlated.ok_or(EngineError::MessageNotCorrelated)?;
                let subject = to_subject(&engine, &correlated);
                Ok((correlated, subject))
            })
        });
        Ok(match once.await? {
            Once::Done(correlated) => Answer { value: Delivered { engine, correlated }, replayed: false },
            Once::Repeated(subject) => Answer { value: from_subject(&subject)?, replayed: true },
        })
    }

    /// Takes a signal to all who wait for it.
    ///
    /// # Errors
    /// [`AppError::Auth`].
    pub async fn broadcast(
        &self,
        who: &Identity,
        name: Key,
        workspace: Option<&WorkspaceId>,
        variables: JsonObject,
    ) -> Result<(), AppError> {
        let within = self.core.within(who, Scope::WorkflowsExecute, workspace).await?;
        let engine = self.core.engines.default_name().clone();
        self.core.command(who, engine, EngineCommand::Broadcast(Broadcast { within, name, variables })).await?;
        Ok(())
    }
}

/// What an idempotency row remembers of a delivery: `<what> <handle or id>`.
fn to_subject(engine: &EngineName, correlated: &Correlated) -> String {
    match correlated {
        Correlated::Execution { instance } => format!("execution {}", Handle::new(engine.clone(), instance.clone())),
        Correlated::ProcessInstance { instance } => {
            format!("instance {}", Handle::new(engine.clone(), instance.clone()))
        }
        Correlated::Buffered { id } => format!("buffered {engine}~{id}"),
    }
}

fn from_subject(subject: &str) -> Result<Delivered, AppError> {
    let unreadable = || AppError::NotFound(Noun::ProcessInstance);
    let (what, handle) = subject.split_once(' ').ok_or_else(unreadable)?;
    let Handle { engine, native } = Handle::parse(handle).ok_or_else(unreadable)?;
    let correlated = match what {
        "execution" => Correlated::Execution { instance: native },
        "instance" => Correlated::ProcessInstance { instance: native },
        _ => Correlated::Buffered { id: native.to_string() },
    };
    Ok(Delivered { engine, correlated })
}
