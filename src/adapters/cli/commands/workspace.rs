//! `tidegate workspace …`

use clap::Subcommand;
use serde_json::json;

use crate::adapters::cli::{CliError, Session, output::Field, request::Request};

/// What can be done with workspaces.
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Make a workspace
    Create {
        /// Its id: a slug of a-z, 0-9, _ and -
        id: String,
        /// What people call it [default: the id]
        #[arg(long)]
        name: Option<String>,
    },
    /// List the workspaces that you may use
    List,
    /// Show a workspace
    Show {
        /// Its id
        id: String,
    },
}

const FIELDS: &[Field] = &[("ID", "/id"), ("NAME", "/name"), ("ROLE", "/role"), ("CREATED", "/created_at")];

pub(in crate::adapters::cli) async fn run(command: WorkspaceCommand, session: &Session) -> Result<(), CliError> {
    let Session { client, output } = session;
    match command {
        WorkspaceCommand::Create { id, name } => {
            let body = json!({"id": id, "name": name.as_deref().unwrap_or(&id)});
            let answer = client.send(Request::post(&["api", "workspaces"], body).once(None)?).await?;
            output.record(&answer.body, FIELDS)
        }
        WorkspaceCommand::List => {
            let listed = client.list(Request::get(&["api", "workspaces"])).await?;
            output.list(listed.items, FIELDS, "no workspace yet: tidegate workspace create ID")
        }
        WorkspaceCommand::Show { id } => {
            let answer = client.send(Request::get(&["api", "workspaces", &id])).await?;
            output.record(&answer.body, FIELDS)
        }
    }
}

/// The workspace that is meant: the one that is named, or the caller's only one.
pub(super) async fn chosen(named: Option<String>, session: &Session) -> Result<String, CliError> {
    if let Some(named) = named {
        return Ok(named);
    }
    let workspaces = session.client.list(Request::get(&["api", "workspaces"])).await?.items;
    let ids: Vec<_> = workspaces.iter().filter_map(|workspace| workspace.get("id")?.as_str()).collect();
    match ids.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(CliError::NotFound("there is no workspace yet: tidegate workspace create ID".to_owned())),
        several => Err(CliError::Usage(format!("say which workspace with --workspace: {}", several.join(", ")))),
    }
}
