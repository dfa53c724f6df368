//! `tidegate execution …`

use clap::Subcommand;
use serde_json::json;

use super::{
    watch,
    workflow::{self, ListExecutions},
};
use crate::adapters::cli::{CliError, Session, request::Request};

/// What can be done with executions.
#[derive(Debug, Subcommand)]
pub enum ExecutionCommand {
    /// List a workflow's executions, newest first
    List(ListExecutions),
    /// Show an execution
    Show {
        /// Its id
        id: String,
    },
    /// Show an execution's events as they come, from its start to its end
    Watch {
        /// Its id
        id: String,
    },
    /// Cancel an execution
    Cancel {
        /// Its id
        id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(in crate::adapters::cli) async fn run(command: ExecutionCommand, session: &Session) -> Result<(), CliError> {
    let get = async |id: &str| session.client.send(Request::get(&["api", "executions", id])).await;
    match command {
        ExecutionCommand::List(query) => workflow::executions(query, session).await,
        ExecutionCommand::Show { id } => watch::record(&get(&id).await?.body, session),
        ExecutionCommand::Watch { id } => watch::until_end(&get(&id).await?.body, session).await,
        ExecutionCommand::Cancel { id, reason } => {
            let body = reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}));
            let answer = session.client.send(Request::post(&["api", "executions", &id, "cancel"], body)).await?;
            watch::record(&answer.body, session)
        }
    }
}
