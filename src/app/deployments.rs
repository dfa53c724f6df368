//! Deployments: resources put on an engine in one step, a new version of each workflow that they touch.

use serde_json::json;

use super::{
    access,
    commands::{Answer, Once, Unit},
    core::{Core, existing, only},
    error::{AppError, Noun},
    workflows::{process_is_free, seen},
};
use crate::{
    domain::{
        deployment::{DeployedProcess, Deployment, Resource, digest},
        engine::EngineName,
        event::{EventType, NewEvent},
        execution::Starter,
        idempotency::Idempotency,
        identity::Identity,
        ids::{DeploymentId, EventId, WorkflowId},
        json::JsonObject,
        page::{Page, PageRequest},
        scope::Scope,
        text::Name,
        workflow::{LatestDeployment, Workflow},
        workspace::WorkspaceId,
    },
    ports::{
        engine::{Deploy, DeployedDefinition},
        local_engine::{EngineChange, EngineCommand},
        repository::DeploymentFilter,
        rng::RngExt,
    },
};

/// How many resources a deployment may have.
pub const MAX_RESOURCES: usize = 20;

/// A deployment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeployment {
    /// Who is to own it.
    pub workspace: WorkspaceId,
    /// The workflow that its one executable process is for; else each process finds or makes its own.
    pub workflow: Option<WorkflowId>,
    /// Where; the workflow's engine, else the default.
    pub engine: Option<EngineName>,
    /// 1 to [`MAX_RESOURCES`] files of different names.
    pub resources: Vec<Resource>,
}

/// Makes and shows deployments.
#[derive(Debug, Clone)]
pub struct Deployments {
    core: Core,
}

impl Deployments {
    /// On these foundations.
    pub const fn new(core: Core) -> Self {
        Self { core }
    }

    /// Puts resources on an engine, all or none. The same bytes again give the earlier deployment and no event.
    ///
    /// # Errors
    /// [`EngineError::Rejected`](crate::ports::engine::EngineError::Rejected),
    /// [`ConflictError::ProcessTaken`](super::error::ConflictError::ProcessTaken).
    pub async fn create(
        &self,
        who: &Identity,
        new: NewDeployment,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<Deployment>, AppError> {
        access::in_named_workspace(who, Scope::WorkflowsWrite, &new.workspace)?;
        check(&new.resources)?;
        self.core.engines.prepare(&new.resources).await;
        let (core, who_deploys) = (self.core.clone(), who.clone());
        let once = self.core.commands.once(idempotency, move |unit| {
            let (core, who, new) = (core.clone(), who_deploys.clone(), new.clone());
            Box::pin(async move {
                let deployment = Deploying { core, who, new }.run(unit).await?;
                let subject = deployment.id.to_string();
                Ok((deployment, subject))
            })
        });
        match once.await? {
            Once::Done(value) => Ok(Answer { value, replayed: false }),
            Once::Repeated(subject) => {
                let id = subject.parse().map_err(|_| AppError::NotFound(Noun::Deployment))?;
                Ok(Answer { value: self.found(who, Scope::WorkflowsWrite, id).await?, replayed: true })
            }
        }
    }

    /// Shows one, with its resources.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn get(&self, who: &Identity, id: DeploymentId) -> Result<(Deployment, Vec<Resource>), AppError> {
        let found = self.found(who, Scope::WorkflowsRead, id).await?;
        let resources = self.core.commands.view().await?.deployments().resources(id).await?;
        Ok((found, resources))
    }

    async fn found(&self, who: &Identity, scope: Scope, id: DeploymentId) -> Result<Deployment, AppError> {
        let found = self.core.commands.view().await?.deployments().find(id).await?;
        let found = found.ok_or(AppError::NotFound(Noun::Deployment))?;
        access::on_thing_of(who, scope, &found.workspace, None, Noun::Deployment)?;
        Ok(found)
    }

    /// Those in a workspace or of a workflow, or wherever the caller may read, newest first.
    ///
    /// # Errors
    /// [`AppError::Auth`], [`AppError::NotFound`].
    pub async fn list(
        &self,
        who: &Identity,
        workspace: Option<&WorkspaceId>,
        workflow: Option<WorkflowId>,
        page: &PageRequest,
    ) -> Result<Page<Deployment>, AppError> {
        let within = self.core.within(who, Scope::WorkflowsRead, workspace).await?;
        let mut view = self.core.commands.view().await?;
        if let Some(id) = workflow {
            let found = view.workflows().find_with_hidden(id).await?;
            seen(who, Scope::WorkflowsRead, found)?;
        }
        Ok(view.deployments().list(&DeploymentFilter { within, workflow }, page).await?)
    }
}

fn check(resources: &[Resource]) -> Result<(), AppError> {
    if resources.is_empty() || resources.len() > MAX_RESOURCES {
        let message = format!("must have 1 to {MAX_RESOURCES} items, not {}", resources.len());
        return Err(AppError::invalid("/resources", message));
    }
    for (index, resource) in resources.iter().enumerate() {
        if resources.iter().take(index).any(|other| other.name == resource.name) {
            return Err(AppError::invalid(format!("/resources/{index}/name"), "another resource has this name"));
        }
    }
    Ok(())
}

/// One deployment within its unit of work.
struct Deploying {
    core: Core,
    who: Identity,
    new: NewDeployment,
}

impl Deploying {
    async fn run(self, unit: &mut Unit) -> Result<Deployment, AppError> {
        existing(unit, &self.who, &self.new.workspace).await?;
        let target = self.target(unit).await?;
        let named = self.new.engine.clone().or_else(|| target.as_ref().map(|workflow| workflow.engine.clone()));
        let engine = self.core.engines.chosen(named)?;
        let id = DeploymentId::new(self.core.commands.rng().uuid_v7(unit.now));
        let definitions = self.put(unit, id, &engine).await?;
        let digest = digest(&self.new.resources);
        if let Some(earlier) = self.earlier(unit, &engine, &digest, &definitions, target.as_ref()).await? {
            return Ok(earlier);
        }
        if target.is_some() && definitions.len() != 1 {
            let message = "a deployment for one workflow needs exactly one executable process";
            return Err(AppError::invalid("/workflow_id", format!("{message}, not {}", definitions.len())));
        }
        let mut deployment = Deployment {
            id,
            workspace: self.new.workspace.clone(),
            engine,
            digest,
            processes: Vec::new(),
            created_by: self.who.subject.clone(),
            created_at: unit.now,
        };
        for definition in definitions {
            let process = self.bind(unit, &deployment, definition, target.clone()).await?;
            deployment.processes.push(process);
        }
        unit.uow().deployments().insert(&deployment, &self.new.resources).await?;
        self.tell(unit, &deployment).await?;
        Ok(deployment)
    }

    /// The workflow that the caller names.
    async fn target(&self, unit: &mut Unit) -> Result<Option<Workflow>, AppError> {
        let Some(id) = self.new.workflow else { return Ok(None) };
        let workflow = seen(&self.who, Scope::WorkflowsWrite, unit.uow().workflows().lock(id).await?)?;
        if workflow.workspace != self.new.workspace {
            return Err(AppError::NotFound(Noun::Workflow));
        }
        Ok(Some(workflow))
    }

    async fn put(
        &self,
        unit: &mut Unit,
        deployment: DeploymentId,
        engine: &EngineName,
    ) -> Result<Vec<DeployedDefinition>, AppError> {
        let deploy =
            Deploy { deployment, workspace: self.new.workspace.clone(), resources: self.new.resources.clone() };
        let changes = self.core.engines.apply(unit, engine, EngineCommand::Deploy(deploy)).await?;
        unit.wake.timers = true;
        Ok(changes
            .into_iter()
            .flat_map(|change| match change {
                EngineChange::Deployed(definitions) => definitions,
                _ => Vec::new(),
            })
            .collect())
    }

    /// The deployment that brought these very bytes, while they are still the latest and each process its workflow's.
    async fn earlier(
        &self,
        unit: &mut Unit,
        engine: &EngineName,
        digest: &[u8; 32],
        definitions: &[DeployedDefinition],
        target: Option<&Workflow>,
    ) -> Result<Option<Deployment>, AppError> {
        if !definitions.iter().all(|definition| definition.unchanged) {
            return Ok(None);
        }
        let found = unit.uow().deployments().find_same(&self.new.workspace, engine, digest).await?;
        let Some(earlier) = found else { return Ok(None) };
        for process in &earlier.processes {
            let workflow = unit.uow().workflows().find(process.workflow).await?;
            let bound = workflow
                .is_some_and(|workflow| workflow.engine == *engine && workflow.process_key == process.process_key);
            if !bound || target.is_some_and(|target| target.id != process.workflow) {
                return Ok(None);
            }
        }
        Ok(Some(earlier))
    }

    /// Finds, binds or makes the workflow of a deployed process, and notes the new version in it.
    async fn bind(
        &self,
        unit: &mut Unit,
        deployment: &Deployment,
        definition: DeployedDefinition,
        target: Option<Workflow>,
    ) -> Result<DeployedProcess, AppError> {
        let key = definition.process_key.clone();
        let within = only(&deployment.workspace);
        let bound = unit.uow().workflows().find_by_key(&within, &deployment.engine, &key).await?.pop();
        let new = bound.is_none();
        let before = target.as_ref().map(|target| (target.engine.clone(), target.process_key.clone()));
        let mut workflow = match (target, bound) {
            (Some(mut target), _) => {
                target.engine.clone_from(&deployment.engine);
                target.process_key = key.clone();
                process_is_free(unit, &target).await?;
                target
            }
            (None, Some(bound)) => {
                let held = unit.uow().workflows().lock(bound.id).await?;
                held.ok_or(AppError::NotFound(Noun::Workflow))?
            }
            (None, None) => self.make(unit, deployment, &definition).await?,
        };
        workflow.latest_deployment =
            Some(LatestDeployment { id: deployment.id, version: definition.version, created_at: unit.now });
        workflow.updated_at = unit.now;
        workflow.revision += 1;
        unit.uow().workflows().update(&workflow).await?;
        if let Some((engine, process_key)) = before.filter(|(engine, old)| (engine, old) != (&deployment.engine, &key))
        {
            let disarm = EngineCommand::Disarm { workspace: deployment.workspace.clone(), process_key };
            self.core.perform(unit, &engine, disarm, Starter::from(&self.who)).await?;
        }
        if new && definition.unchanged {
            let arm = EngineCommand::Arm { workspace: deployment.workspace.clone(), process_key: key.clone() };
            self.core.perform(unit, &deployment.engine, arm, Starter::from(&self.who)).await?;
        }
        Ok(DeployedProcess {
            process_key: key,
            version: definition.version,
            workflow: workflow.id,
            resource: definition.resource,
        })
    }

    async fn make(
        &self,
        unit: &mut Unit,
        deployment: &Deployment,
        definition: &DeployedDefinition,
    ) -> Result<Workflow, AppError> {
        let workflow = Workflow {
            id: WorkflowId::new(self.core.commands.rng().uuid_v7(unit.now)),
            workspace: deployment.workspace.clone(),
            name: free_name(unit, &deployment.workspace, definition.process_key.as_str()).await?,
            description: None,
            engine: deployment.engine.clone(),
            process_key: definition.process_key.clone(),
            latest_deployment: None,
            created_at: unit.now,
            updated_at: unit.now,
            revision: 0,
        };
        unit.uow().workflows().insert(&workflow).await?;
        Ok(workflow)
    }

    async fn tell(&self, unit: &mut Unit, deployment: &Deployment) -> Result<(), AppError> {
        let events: Vec<_> = deployment
            .processes
            .iter()
            .map(|process| NewEvent {
                id: EventId::new(self.core.commands.rng().uuid_v7(unit.now)),
                workflow: process.workflow,
                kind: EventType::DeploymentCreated,
                subject: deployment.id.to_string(),
                time: unit.now,
                data: deployed_data(deployment, process),
            })
            .collect();
        unit.wake.events = true;
        Ok(unit.uow().events().append(&events).await?)
    }
}

fn deployed_data(deployment: &Deployment, process: &DeployedProcess) -> JsonObject {
    [
        ("deployment_id", json!(deployment.id.to_string())),
        ("process_definition_key", json!(process.process_key.as_str())),
        ("version", json!(process.version)),
        ("resource", json!(process.resource.as_str())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

/// The process's id as a name, or `<id>-2`, `-3`, … where that is taken. A key of 201 to 255 characters is cut.
async fn free_name(unit: &mut Unit, workspace: &WorkspaceId, key: &str) -> Result<Name, AppError> {
    let mut count = 1_u32;
    loop {
        let suffix = if count == 1 { String::new() } else { format!("-{count}") };
        let stem: String = key.chars().take(200 - suffix.len()).collect();
        let name = Name::parse(stem + &suffix).map_err(AppError::text("/resources"))?;
        if unit.uow().workflows().find_by_name(workspace, &name).await?.is_none() {
            return Ok(name);
        }
        count += 1;
    }
}
