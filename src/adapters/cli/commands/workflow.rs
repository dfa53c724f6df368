//! `tidegate workflow …`

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{watch, workspace};
use crate::adapters::cli::{
    CliError, Session, follow, input,
    output::{self, Field},
    progress::while_waiting,
    request::Request,
};

/// What can be done with workflows.
#[derive(Debug, Subcommand)]
pub enum WorkflowCommand {
    /// Make a workflow before anything is deployed for it
    Create(CreateWorkflow),
    /// List workflows
    List {
        /// Of this workspace only
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
        /// Of this name only
        #[arg(long)]
        name: Option<String>,
    },
    /// Show a workflow
    Show(Which),
    /// Delete a workflow that nothing runs in; its events stay
    Delete(Which),
    /// Deploy files; a workflow is made for each process that has none
    Deploy(Deploy),
    /// List deployments
    Deployments {
        /// Of this workspace only
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
    },
    /// Start an execution
    Run(Run),
    /// List a workflow's executions, newest first
    Executions(ListExecutions),
    /// Show a workflow's events, oldest first
    Events {
        /// Which workflow.
        #[command(flatten)]
        which: Which,
        /// Only those after this number
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// Only those of this execution
        #[arg(long, value_name = "ID")]
        execution: Option<String>,
        /// Show events as they come, from now on or from --after on
        #[arg(long)]
        follow: bool,
    },
}

/// Which workflow.
#[derive(Debug, Args)]
pub struct Which {
    /// Its name or id
    workflow: String,
    /// The workspace in which to look for the name
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
}

/// Which executions.
#[derive(Debug, Args)]
pub struct ListExecutions {
    /// Of which workflow.
    #[command(flatten)]
    which: Which,
    /// Only running, completed, failed or cancelled ones
    #[arg(long)]
    status: Option<String>,
    /// Only those with this business key
    #[arg(long, value_name = "KEY")]
    business_key: Option<String>,
}

/// What a new workflow is to be.
#[derive(Debug, Args)]
pub struct CreateWorkflow {
    /// Its name
    name: String,
    /// Its workspace [default: your only one]
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// The engine that runs it [default: the gate's default]
    #[arg(long)]
    engine: Option<String>,
    /// The process that it runs [default: its name]
    #[arg(long, value_name = "KEY")]
    process: Option<String>,
}

/// What is to be deployed.
#[derive(Debug, Args)]
pub struct Deploy {
    /// Files, such as order.bpmn
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The workspace [default: your only one]
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
    /// The engine [default: the gate's default]
    #[arg(long)]
    engine: Option<String>,
    /// The workflow, by id, that the one process of the files is for
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,
    /// Key that makes a repeat of this command harmless [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// What is to be started.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    which: Which,
    /// Its variables: a JSON object, @file, or - for standard input
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// Your own key for this execution
    #[arg(long, value_name = "KEY")]
    business_key: Option<String>,
    /// Wait so many seconds for its end
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: Option<u64>,
    /// Show its events as they come, until it ends; with --json each on a line, and then the execution
    #[arg(long, conflicts_with = "wait")]
    watch: bool,
    /// Key that makes a repeat of this command harmless [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

const COLUMNS: &[Field] = &[
    ("NAME", "/name"),
    ("WORKSPACE", "/workspace_id"),
    ("ENGINE", "/engine"),
    ("PROCESS", "/process_definition_key"),
    ("VERSION", "/latest_deployment/version"),
    ("ID", "/id"),
];
const FIELDS: &[Field] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("workspace", "/workspace_id"),
    ("description", "/description"),
    ("engine", "/engine"),
    ("process", "/process_definition_key"),
    ("version", "/latest_deployment/version"),
    ("deployed", "/latest_deployment/created_at"),
    ("created", "/created_at"),
    ("updated", "/updated_at"),
];
const DEPLOYMENTS: &[Field] = &[
    ("ID", "/id"),
    ("WORKSPACE", "/workspace_id"),
    ("ENGINE", "/engine"),
    ("CREATED", "/created_at"),
    ("BY", "/created_by"),
];
const PROCESSES: &[Field] = &[
    ("WORKFLOW", "/workflow"),
    ("PROCESS", "/process_definition_key"),
    ("VERSION", "/version"),
    ("RESOURCE", "/resource"),
    ("WORKFLOW ID", "/workflow_id"),
];
const EXECUTIONS: &[Field] = &[
    ("ID", "/id"),
    ("STATUS", "/status"),
    ("BUSINESS KEY", "/business_key"),
    ("STARTED", "/started_at"),
    ("ENDED", "/ended_at"),
    ("BY", "/started_by/subject"),
];

pub(in crate::adapters::cli) async fn run(command: WorkflowCommand, session: &Session) -> Result<(), CliError> {
    let Session { client, output } = session;
    match command {
        WorkflowCommand::Create(wish) => create(wish, session).await,
        WorkflowCommand::List { workspace, name } => {
            let request = Request::get(&["api", "workflows"]).query("workspace_id", workspace).query("name", name);
            let items = client.list(request).await?.items;
            output.list(items, COLUMNS, "no workflow yet: tidegate workflow deploy FILE.bpmn")
        }
        WorkflowCommand::Show(which) => output.record(&find(&which, session).await?, FIELDS),
        WorkflowCommand::Delete(which) => {
            let id = id_of(&which, session).await?;
            client.send(Request::new(Method::DELETE, &["api", "workflows", &id])).await?;
            output.done(&format!("deleted {}", which.workflow))
        }
        WorkflowCommand::Deploy(wish) => deploy(wish, session).await,
        WorkflowCommand::Deployments { workspace } => {
            let request = Request::get(&["api", "deployments"]).query("workspace_id", workspace);
            output.list(client.list(request).await?.items, DEPLOYMENTS, "no deployment yet")
        }
        WorkflowCommand::Run(wish) => start(wish, session).await,
        WorkflowCommand::Executions(query) => executions(query, session).await,
        WorkflowCommand::Events { which, after, execution, follow } => {
            let id = id_of(&which, session).await?;
            events(&id, after, execution, follow, session).await
        }
    }
}

/// Lists a workflow's executions.
pub(super) async fn executions(query: ListExecutions, session: &Session) -> Result<(), CliError> {
    let id = id_of(&query.which, session).await?;
    let request = Request::get(&["api", "workflows", &id, "executions"])
        .query("status", query.status)
        .query("business_key", query.business_key);
    session.output.list(session.client.list(request).await?.items, EXECUTIONS, "no execution")
}

async fn create(wish: CreateWorkflow, session: &Session) -> Result<(), CliError> {
    let mut body = Map::new();
    body.insert("workspace_id".to_owned(), json!(workspace::chosen(wish.workspace, session).await?));
    body.insert("name".to_owned(), json!(wish.name));
    let optional =
        [("description", wish.description), ("engine", wish.engine), ("process_definition_key", wish.process)];
    body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    let request = Request::post(&["api", "workflows"], Value::Object(body)).once(None)?;
    session.output.record(&session.client.send(request).await?.body, FIELDS)
}

/// The workflow that a name or an id names.
async fn find(which: &Which, session: &Session) -> Result<Value, CliError> {
    if is_id(&which.workflow) {
        return Ok(session.client.send(Request::get(&["api", "workflows", &which.workflow])).await?.body);
    }
    let request = Request::get(&["api", "workflows"])
        .query("name", Some(&which.workflow))
        .query("workspace_id", which.workspace.as_deref());
    let mut found = session.client.list(request).await?.items;
    match (found.pop(), found.len()) {
        (Some(workflow), 0) => Ok(workflow),
        (None, _) => Err(CliError::NotFound(format!(
            "there is no workflow {:?} that you may see; `tidegate workflow list` shows those that there are",
            which.workflow
        ))),
        (Some(last), _) => {
            found.push(last);
            let places: Vec<_> = found.iter().filter_map(|workflow| workflow.get("workspace_id")?.as_str()).collect();
            let places = places.join(", ");
            Err(CliError::Usage(format!(
                "{:?} is in several workspaces, say which with --workspace: {places}",
                which.workflow
            )))
        }
    }
}

async fn id_of(which: &Which, session: &Session) -> Result<String, CliError> {
    if is_id(&which.workflow) {
        return Ok(which.workflow.clone());
    }
    let workflow = find(which, session).await?;
    let id = workflow.get("id").and_then(Value::as_str);
    id.map(ToOwned::to_owned).ok_or_else(|| CliError::Failed("the gate's answer has no id".to_owned()))
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

async fn deploy(wish: Deploy, session: &Session) -> Result<(), CliError> {
    let resources = wish.files.iter().map(|file| resource(file)).collect::<Result<Vec<_>, _>>()?;
    let mut body = Map::new();
    body.insert("workspace_id".to_owned(), json!(workspace::chosen(wish.workspace, session).await?));
    body.insert("resources".to_owned(), Value::Array(resources));
    let optional = [("engine", wish.engine), ("workflow_id", wish.workflow)];
    body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    let request = Request::post(&["api", "deployments"], Value::Object(body)).once(wish.idempotency_key)?;
    let mut deployment = while_waiting("deploying", session.client.send(request)).await?.body;
    if session.output.json {
        return session.output.record(&deployment, DEPLOYMENTS);
    }
    let mut processes = match deployment.get_mut("processes").map(Value::take) {
        Some(Value::Array(processes)) => processes,
        _ => Vec::new(),
    };
    for process in &mut processes {
        add_workflow_name(process, session).await?;
    }
    session.output.list(processes, PROCESSES, "no executable process")?;
    output::print("")?;
    let fields = DEPLOYMENTS
        .iter()
        .map(|(name, pointer)| if *name == "ID" { ("DEPLOYMENT", *pointer) } else { (*name, *pointer) });
    session.output.record(&deployment, &fields.collect::<Vec<_>>())
}

/// Looks up what the workflow is called that a deployment only gives the id of.
async fn add_workflow_name(process: &mut Value, session: &Session) -> Result<(), CliError> {
    let Some(id) = process.get("workflow_id").and_then(Value::as_str) else { return Ok(()) };
    // A token that may deploy need not be one that may read.
    let workflow = match session.client.send(Request::get(&["api", "workflows", id])).await {
        Ok(answer) => answer.body,
        Err(CliError::Refused(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    if let (Some(members), Some(name)) = (process.as_object_mut(), workflow.get("name")) {
        members.insert("workflow".to_owned(), name.clone());
    }
    Ok(())
}

fn resource(file: &Path) -> Result<Value, CliError> {
    let unusable = |reason: String| CliError::Usage(format!("{}: {reason}", file.display()));
    let content = fs::read(file).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    let content = String::from_utf8(content).map_err(|_| unusable("is not UTF-8".to_owned()))?;
    let name =
        file.file_name().and_then(|name| name.to_str()).ok_or_else(|| unusable("has no usable name".to_owned()))?;
    Ok(json!({"name": name, "content": content}))
}

async fn start(wish: Run, session: &Session) -> Result<(), CliError> {
    let mut body = Map::new();
    body.insert("input".to_owned(), input::object_or_empty("--input", wish.input.as_deref())?);
    if let Some(key) = wish.business_key {
        body.insert("business_key".to_owned(), json!(key));
    }
    let id = id_of(&wish.which, session).await?;
    let request = Request::post(&["api", "workflows", &id, "executions"], Value::Object(body))
        .prefer_wait(wish.wait)
        .once(wish.idempotency_key)?;
    let execution = while_waiting("waiting for the execution to end", session.client.send(request)).await?.body;
    if wish.watch { watch::until_end(&execution, session).await } else { watch::show(&execution, session) }
}

async fn events(
    workflow: &str,
    after: Option<u64>,
    execution: Option<String>,
    follow: bool,
    session: &Session,
) -> Result<(), CliError> {
    let request = Request::get(&["api", "workflows", workflow, "events"]).query("execution_id", execution);
    if follow {
        return follow::follow(&session.client, request, after, |event| {
            session.output.line(event, watch::event_line)?;
            Ok(std::ops::ControlFlow::Continue(()))
        })
        .await;
    }
    let mut items = Vec::new();
    let mut after = after.map(|number| number.to_string());
    loop {
        let page = request.clone().query("after", after.as_deref()).query("limit", Some(200));
        let body = session.client.send(page).await?.body;
        items.extend(body.get("items").and_then(Value::as_array).into_iter().flatten().cloned());
        // The cursor of events is a number that `after` takes, in either form.
        let next = body.get("next_cursor").filter(|next| !next.is_null()).map(output::cell);
        if next.is_none() || next == after {
            break;
        }
        after = next;
    }
    if session.output.json {
        return output::print_json(&Value::Array(items));
    }
    items.iter().try_for_each(|event| session.output.line(event, watch::event_line))
}
