//! `tidegate task …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::adapters::cli::{
    CliError, Session, input,
    output::{Field, cell, print_json, printable},
    progress::while_waiting,
    request::Request,
};

/// What can be done with user tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// List the open user tasks of all engines
    List {
        /// Of this workspace only
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
        /// Of this process instance only
        #[arg(long, value_name = "ID")]
        instance: Option<String>,
        /// Only tasks of this element of the process
        #[arg(long, value_name = "KEY")]
        element: Option<String>,
        /// Only tasks that are assigned to this person
        #[arg(long)]
        assignee: Option<String>,
        /// Only tasks that this group may take
        #[arg(long, value_name = "GROUP")]
        candidate_group: Option<String>,
    },
    /// Show the variables of a user task, and its id; waits for the task if asked to
    Variables {
        /// The process instance
        instance: String,
        /// The task's element in the process
        element: String,
        /// Only these variables
        #[arg(long, value_delimiter = ',', value_name = "NAMES")]
        only: Vec<String>,
        /// Wait so many seconds for the task
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=60))]
        wait: Option<u64>,
    },
    /// Assign a user task
    Assign {
        /// Its id
        id: String,
        /// To whom
        #[arg(required_unless_present = "nobody")]
        assignee: Option<String>,
        /// Take it away from whoever has it
        #[arg(long, conflicts_with = "assignee")]
        nobody: bool,
    },
    /// Complete a user task
    Complete {
        /// Its id
        id: String,
        /// What it decided: a JSON object, @file, or - for standard input
        #[arg(long, value_name = "JSON")]
        variables: Option<String>,
    },
}

const COLUMNS: &[Field] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ELEMENT", "/taskDefinitionKey"),
    ("WORKSPACE", "/workspaceId"),
    ("BUSINESS KEY", "/businessKey"),
    ("ASSIGNEE", "/assignee"),
    ("GROUPS", "/candidateGroups"),
    ("CREATED", "/createdAt"),
];

pub(in crate::adapters::cli) async fn run(command: TaskCommand, session: &Session) -> Result<(), CliError> {
    let Session { client, output } = session;
    match command {
        TaskCommand::List { workspace, instance, element, assignee, candidate_group } => {
            let request = Request::get(&["api", "userTask"])
                .query("workspaceId", workspace)
                .query("processInstanceId", instance)
                .query("taskDefinitionKey", element)
                .query("assignee", assignee)
                .query("candidateGroup", candidate_group);
            let listed = client.list(request).await?;
            warn_of_engines(&listed.failed_engines);
            output.list(listed.items, COLUMNS, "no open user task")
        }
        TaskCommand::Variables { instance, element, only, wait } => {
            let only = (!only.is_empty()).then(|| only.join(","));
            let request = Request::get(&["api", "process", &instance, "userTask", &element, "variables"])
                .query("variableFilter", only)
                .query("timeoutInSec", wait)
                .wait(wait.unwrap_or_default());
            let answer = while_waiting("waiting for the task", client.send(request)).await?;
            if let Some(id) = answer.user_task_id.filter(|_| !output.json) {
                eprintln!("task {}", printable(&id));
            }
            print_json(&answer.body)
        }
        TaskCommand::Assign { id, assignee, nobody: _ } => {
            client.send(Request::post(&["api", "userTask", &id, "assign"], json!({"assignee": assignee}))).await?;
            let to = assignee.unwrap_or_else(|| "nobody".to_owned());
            output.done(&format!("assigned {id} to {to}"))
        }
        TaskCommand::Complete { id, variables } => {
            let body = input::object_or_empty("--variables", variables.as_deref())?;
            client.send(Request::post(&["api", "userTask", &id, "complete"], body)).await?;
            output.done(&format!("completed {id}"))
        }
    }
}

/// Says which engines could not be asked: what is shown is not all.
pub(super) fn warn_of_engines(failed: &[Value]) {
    for engine in failed {
        let text = |name: &str| engine.get(name).map(cell).unwrap_or_default();
        eprintln!("warning: engine {} did not answer: {} [{}]", text("engine"), text("message"), text("code"));
    }
}
