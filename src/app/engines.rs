//! The engines behind the gate, and whose the things on them are.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{
    access,
    commands::{Commands, Unit},
    error::{AppError, Noun},
};
use crate::{
    domain::{
        deployment::Resource,
        engine::{EngineName, Handle, NativeId},
        identity::Identity,
        scope::Scope,
        workspace::WorkspaceId,
    },
    ports::{
        engine::{Capabilities, Engine, EngineError, EngineHealth, EngineKind, Owned},
        local_engine::{EngineChange, EngineCommand, LocalEngine},
    },
};

/// The configured engines.
#[derive(Debug, Clone)]
pub struct Engines {
    default: EngineName,
    by_name: Arc<BTreeMap<EngineName, Arc<dyn Engine>>>,
}

/// How an engine is.
#[derive(Debug)]
pub struct EngineStatus {
    /// Its configured name.
    pub name: EngineName,
    /// Whether starts go there when nothing else is said.
    pub default: bool,
    /// What sort of engine.
    pub kind: EngineKind,
    /// What it can do that not all can.
    pub capabilities: Capabilities,
    /// Whether it answers.
    pub health: Result<EngineHealth, EngineError>,
}

/// A thing on an engine, and whose it is.
#[derive(Debug, Clone)]
pub struct Located {
    /// The engine's configured name.
    pub name: EngineName,
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// The thing's own id there.
    pub native: NativeId,
    /// The instance that it belongs to.
    pub instance: NativeId,
    /// Whose it is.
    pub workspace: WorkspaceId,
}

impl Engines {
    /// One engine, the default.
    pub fn one(name: EngineName, engine: Arc<dyn Engine>) -> Self {
        Self { default: name.clone(), by_name: Arc::new(BTreeMap::from([(name, engine)])) }
    }

    /// Where starts go when nothing else is said.
    pub const fn default_name(&self) -> &EngineName {
        &self.default
    }

    /// The engine of that name.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub fn get(&self, name: &EngineName) -> Result<&Arc<dyn Engine>, AppError> {
        self.by_name.get(name).ok_or(AppError::NotFound(Noun::Engine))
    }

    /// The engine that a request names, or the default.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with the names that there are.
    pub fn chosen(&self, named: Option<EngineName>) -> Result<EngineName, AppError> {
        let name = named.unwrap_or_else(|| self.default.clone());
        if self.by_name.contains_key(&name) {
            return Ok(name);
        }
        let known: Vec<_> = self.by_name.keys().map(EngineName::as_str).collect();
        Err(AppError::invalid(
            "/engine",
            format!("no engine is named {name:?}; there are: {}", known.join(", "), name = name.as_str()),
        ))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&EngineName, &Arc<dyn Engine>)> {
        self.by_name.iter()
    }

    /// How all of them are.
    pub async fn statuses(&self) -> Vec<EngineStatus> {
        let mut statuses = Vec::new();
        for (name, engine) in self.iter() {
            statuses.push(EngineStatus {
                name: name.clone(),
                default: *name == self.default,
                kind: engine.kind(),
                capabilities: engine.capabilities(),
                health: engine.health().await,
            });
        }
        statuses
    }

    /// The engine as one whose commands join a unit of work.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for an engine that lives elsewhere.
    pub fn local(&self, name: &EngineName) -> Result<&dyn LocalEngine, AppError> {
        let local = self.get(name)?.local();
        local.ok_or_else(|| EngineError::Unsupported { what: "join a unit of work" }.into())
    }

    /// Has every engine that lives here read the resources of a deployment, before a unit of work begins.
    pub async fn prepare(&self, resources: &[Resource]) {
        for local in self.by_name.values().filter_map(|engine| engine.local()) {
            local.prepare(resources).await;
        }
    }

    /// Tells an engine what to do within a unit of work.
    ///
    /// # Errors
    /// The engine's answer.
    pub async fn apply(
        &self,
        unit: &mut Unit,
        name: &EngineName,
        command: EngineCommand,
    ) -> Result<Vec<EngineChange>, AppError> {
        let now: Timestamp = unit.now;
        Ok(self.local(name)?.apply(unit.uow(), command, now).await?)
    }

    /// Finds an instance that the caller has a right on.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is none that they may see, [`AppError::Auth`] when they may not do this to it.
    pub async fn instance(
        &self,
        commands: &Commands,
        who: &Identity,
        scope: Scope,
        id: &str,
    ) -> Result<Located, AppError> {
        let handle = match Handle::parse(id) {
            Some(handle) => handle,
            None => owner_of_bare(commands, id).await?,
        };
        self.owned(commands, who, scope, handle, Noun::ProcessInstance).await
    }

    /// Finds a user task that the caller has a right on.
    ///
    /// # Errors
    /// As [`instance`](Self::instance).
    pub async fn task(&self, commands: &Commands, who: &Identity, scope: Scope, id: &str) -> Result<Located, AppError> {
        self.owned(commands, who, scope, self.handle(id), Noun::UserTask).await
    }

    /// Finds a job that the caller has a right on.
    ///
    /// # Errors
    /// As [`instance`](Self::instance).
    pub async fn job(&self, commands: &Commands, who: &Identity, scope: Scope, id: &str) -> Result<Located, AppError> {
        self.owned(commands, who, scope, self.handle(id), Noun::Job).await
    }

    /// A bare id of a task or a job can only be the default engine's: it names no instance to look an owner up by.
    fn handle(&self, id: &str) -> Handle {
        Handle::parse(id).unwrap_or_else(|| Handle::new(self.default.clone(), NativeId::new(id)))
    }

    async fn owned(
        &self,
        commands: &Commands,
        who: &Identity,
        scope: Scope,
        handle: Handle,
        noun: Noun,
    ) -> Result<Located, AppError> {
        let missing = || AppError::NotFound(noun);
        let Handle { engine: name, native } = handle;
        let engine = Arc::clone(self.by_name.get(&name).ok_or_else(missing)?);
        let thing = match noun {
            Noun::UserTask => Owned::Task(&native),
            Noun::Job => Owned::Job(&native),
            _ => Owned::Instance(&native),
        };
        let owner = engine.owner(thing).await?.ok_or_else(missing)?;
        let workspace = owner.workspace.ok_or_else(missing)?;
        let mut of = None;
        if who.workflow.is_some() {
            // Looked up for who is bounded by it alone.
            let execution = commands.view().await?.executions().find_by_instance(&name, &owner.instance).await?;
            of = execution.map(|execution| execution.workflow);
        }
        access::on_thing_of(who, scope, &workspace, of, noun)?;
        // An engine may take an id in more forms than its own; the gate's records know that one.
        let native = if noun == Noun::ProcessInstance { owner.instance.clone() } else { native };
        Ok(Located { name, engine, native, instance: owner.instance, workspace })
    }
}

/// A bare native id is resolved through the ownership table, never guessed from its shape.
async fn owner_of_bare(commands: &Commands, id: &str) -> Result<Handle, AppError> {
    let native = NativeId::new(id);
    let found = commands.view().await?.executions().find_by_native(&native).await?;
    match <[_; 1]>::try_from(found) {
        Ok([execution]) => Ok(Handle::new(execution.engine, native)),
        Err(_none_or_several) => Err(AppError::NotFound(Noun::ProcessInstance)),
    }
}
