//! Use cases, one file a capability. They know the domain and the ports, and nothing of HTTP, SQL or any engine's wire.

pub mod access;
pub mod audit;
pub mod authenticate;
pub mod background;
pub mod commands;
pub mod context;
pub mod core;
pub mod deployments;
pub mod engines;
pub mod error;
pub mod events;
pub mod executions;
pub mod job_waits;
pub mod jobs;
pub mod limits;
pub mod members;
pub mod messages;
mod named;
pub mod people;
pub mod processes;
pub mod recorder;
mod retention;
pub mod revocation_log;
pub mod revocations;
pub mod service_tokens;
pub mod sessions;
pub mod signals;
pub mod standing;
pub mod tasks;
pub mod token_uses;
pub mod workflows;
pub mod workspaces;

use std::sync::Arc;

use jiff::SignedDuration;

use self::{
    audit::{Audit, Collector},
    authenticate::Authenticator,
    core::Core,
    deployments::Deployments,
    events::Events,
    executions::Executions,
    jobs::Jobs,
    members::Members,
    messages::Messages,
    people::People,
    processes::Processes,
    revocations::Revocations,
    service_tokens::ServiceTokens,
    sessions::Sessions,
    tasks::Tasks,
    workflows::Workflows,
    workspaces::Workspaces,
};
use crate::ports::{
    publisher::EventFeed,
    repository::{Repository, RepositoryError},
};

/// Who calls, and what they call with.
#[derive(Debug)]
pub struct Callers {
    /// Who is calling.
    pub authenticator: Authenticator,
    /// People.
    pub people: Arc<People>,
    /// Sessions of widgets.
    pub sessions: Sessions,
}

/// All use cases: what a driving adapter stands on.
#[derive(Debug)]
pub struct App {
    /// Who is calling.
    pub authenticator: Authenticator,
    /// People.
    pub people: Arc<People>,
    /// Workspaces.
    pub workspaces: Workspaces,
    /// Who belongs to which workspace.
    pub members: Members,
    /// Workflows.
    pub workflows: Workflows,
    /// Deployments.
    pub deployments: Deployments,
    /// Executions.
    pub executions: Executions,
    /// Process instances.
    pub processes: Processes,
    /// User tasks.
    pub tasks: Tasks,
    /// Jobs.
    pub jobs: Jobs,
    /// Messages and signals.
    pub messages: Messages,
    /// Revocations.
    pub revocations: Revocations,
    /// Service tokens.
    pub tokens: ServiceTokens,
    /// Sessions of widgets.
    pub sessions: Sessions,
    /// Event channels.
    pub events: Events,
    /// The audit.
    pub audit: Audit,
    /// Units of work and engines.
    pub core: Core,
    repository: Arc<dyn Repository>,
}

impl App {
    /// Puts the use cases together.
    pub fn new(
        repository: Arc<dyn Repository>,
        core: Core,
        callers: Callers,
        feed: Arc<dyn EventFeed>,
        collector: Arc<Collector>,
        max_token_life: Option<SignedDuration>,
    ) -> Self {
        let Callers { authenticator, people, sessions } = callers;
        Self {
            authenticator,
            workspaces: Workspaces::new(core.clone()),
            members: Members::new(core.commands.clone(), Arc::clone(&people)),
            revocations: Revocations::new(core.commands.clone(), Arc::clone(&people)),
            people,
            workflows: Workflows::new(core.clone()),
            deployments: Deployments::new(core.clone()),
            executions: Executions::new(core.clone()),
            processes: Processes::new(core.clone()),
            tasks: Tasks::new(core.clone()),
            jobs: Jobs::new(core.clone()),
            messages: Messages::new(core.clone()),
            tokens: ServiceTokens::new(core.commands.clone(), max_token_life),
            sessions,
            events: Events::new(core.commands.clone(), feed),
            audit: Audit::new(core.clone(), collector),
            core,
            repository,
        }
    }

    /// Whether the gate can do its work: its store answers.
    ///
    /// # Errors
    /// [`RepositoryError::Unavailable`].
    pub async fn ready(&self) -> Result<(), RepositoryError> {
        self.repository.ping().await
    }
}
