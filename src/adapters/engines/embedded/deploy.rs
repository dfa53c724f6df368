//! Deployments: every file is read, and either all their processes become startable or none.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    blocking,
    definitions::Definition,
    machine::{ModelError, Process},
    readings::Readings,
    starts::Starts,
    unit::Unit,
};
use crate::{
    domain::{deployment::Resource, engine::ProcessKey, text::Key},
    ports::{
        engine::{Deploy, DeployedDefinition, EngineError, ResourceError},
        engine_store::DefinitionRow,
        local_engine::EngineChange,
        repository::RepositoryError,
    },
};

/// How many processes one deployment may bring: each keeps its file's text beside it.
const MAX_PROCESSES: usize = 100;

/// A file that can run.
struct Readable {
    resource: Resource,
    digest: [u8; 32],
    processes: Vec<Candidate>,
}

/// A process of it, with what starts it.
struct Candidate {
    key: ProcessKey,
    process: Arc<Process>,
    starts: Starts,
}

impl Unit<'_> {
    /// Puts resources on the engine, all or none.
    pub(super) async fn deploy(&mut self, request: Deploy) -> Result<(), EngineError> {
        let Deploy { deployment, workspace, resources } = request;
        let (readings, now) = (self.engine.readings.clone(), self.now);
        let files = blocking::run(move || read_all(&readings, resources, now)).await?;
        let files = files.map_err(EngineError::Rejected)?;
        let mut deployed = Vec::new();
        for Readable { resource, digest, processes } in files {
            for candidate in processes {
                let row = DefinitionRow {
                    id: self.new_id(),
                    workspace: workspace.clone(),
                    process_key: candidate.key.clone(),
                    version: 1,
                    resource: resource.name.clone(),
                    digest,
                    xml: resource.content.clone(),
                    deployment,
                    created_at: now,
                };
                deployed.push(self.define(row, candidate).await?);
            }
        }
        self.tell(EngineChange::Deployed(deployed));
        Ok(())
    }

    /// Adds a version of a process, unless the newest one came from the same bytes.
    async fn define(
        &mut self,
        mut row: DefinitionRow,
        candidate: Candidate,
    ) -> Result<DeployedDefinition, EngineError> {
        let mut answer = DeployedDefinition {
            process_key: row.process_key.clone(),
            version: row.version,
            resource: row.resource.clone(),
            unchanged: false,
        };
        if let Some((earlier, version)) = self.uow.definitions().find_latest(&row.workspace, &row.process_key).await? {
            let found = self.uow.definitions().find(earlier).await?;
            if found.is_some_and(|found| found.digest == row.digest) {
                return Ok(DeployedDefinition { version, unchanged: true, ..answer });
            }
            row.version = version.saturating_add(1);
            answer.version = row.version;
            self.disarm(earlier).await?;
        }
        self.uow.definitions().insert(&row).await.map_err(|error| match error {
            // Somebody else deployed this version in between: run again, this becomes the next one.
            RepositoryError::Conflict => RepositoryError::Serialization,
            other => other,
        })?;
        self.arm(row.id, &row.workspace, candidate.starts).await?;
        self.engine.definitions.keep(Definition::new(&row, candidate.process));
        Ok(answer)
    }
}

/// Reads every file, and says everything that is wrong with any of them.
fn read_all(
    readings: &Readings,
    resources: Vec<Resource>,
    now: Timestamp,
) -> Result<Vec<Readable>, Vec<ResourceError>> {
    let mut files: Vec<Readable> = Vec::with_capacity(resources.len());
    let mut errors = Vec::new();
    for resource in resources {
        match read(readings, &resource, now) {
            Ok((digest, processes)) => {
                errors.extend(files.iter().flat_map(|earlier| clashes(earlier, &resource, &processes)));
                if brought(&files).saturating_add(processes.len()) > MAX_PROCESSES {
                    let message = format!("the deployment brings more than {MAX_PROCESSES} executable processes");
                    return Err(vec![at_top(&resource, message)]);
                }
                files.push(Readable { resource, digest, processes });
            }
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

fn brought(files: &[Readable]) -> usize {
    files.iter().map(|file| file.processes.len()).sum()
}

/// Why a file cannot be deployed together with an earlier one.
fn clashes(earlier: &Readable, resource: &Resource, processes: &[Candidate]) -> Vec<ResourceError> {
    let other = &earlier.resource.name;
    let name = (*other == resource.name).then(|| at_top(resource, "another file of the deployment has the same name"));
    let keys = processes.iter().filter(|process| earlier.processes.iter().any(|other| other.key == process.key));
    let keys = keys.map(|process| ResourceError {
        element_id: Some(process.key.to_string()),
        ..at_top(resource, format!("the process '{}' stands in '{other}' already", process.key))
    });
    name.into_iter().chain(keys).collect()
}

/// The digest of a file, and its processes.
fn read(
    readings: &Readings,
    resource: &Resource,
    now: Timestamp,
) -> Result<([u8; 32], Vec<Candidate>), Vec<ResourceError>> {
    let reading = readings.read(&resource.content);
    let processes = match &reading.outcome {
        Ok(processes) => processes,
        Err(errors) => return Err(errors.iter().map(|error| model_error(resource, error.clone())).collect()),
    };
    let mut candidates = Vec::with_capacity(processes.len());
    let mut errors = Vec::new();
    for process in processes {
        let id = process.key().to_owned();
        match candidate(Arc::clone(process), now) {
            Ok(candidate) => candidates.push(candidate),
            Err(message) => errors.push(ResourceError { element_id: Some(id), ..at_top(resource, message) }),
        }
    }
    if errors.is_empty() { Ok((reading.digest, candidates)) } else { Err(errors) }
}

/// A process with its start events worked out; the error is a sentence.
fn candidate(process: Arc<Process>, now: Timestamp) -> Result<Candidate, String> {
    let key = Key::parse(process.key()).map_err(|error| format!("the id of a process {error}"))?;
    let starts = Starts::of(&process, now)?;
    Ok(Candidate { key, process, starts })
}

fn model_error(resource: &Resource, error: ModelError) -> ResourceError {
    let ModelError { line, column, element_id, message } = error;
    ResourceError { resource: resource.name.to_string(), line, column, element_id, message }
}

fn at_top(resource: &Resource, message: impl Into<String>) -> ResourceError {
    ResourceError { resource: resource.name.to_string(), line: 1, column: 1, element_id: None, message: message.into() }
}
