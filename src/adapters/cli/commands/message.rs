//! `tidegate message …` and `tidegate signal …`

use clap::{Args, Subcommand};

use crate::adapters::cli::{CliError, Session, input, output::Field, request::Request};

/// What can be done with messages.
#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// Send a message to the one who waits for it
    Send(SendMessage),
}

/// What can be done with signals.
#[derive(Debug, Subcommand)]
pub enum SignalCommand {
    /// Send a signal to all who wait for it
    Send {
        /// The signal's name
        name: String,
        /// The tenant; on the embedded engine the workspace
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
        /// What goes with it: a JSON object, @file, or - for standard input
        #[arg(long, value_name = "JSON")]
        variables: Option<String>,
    },
}

/// A message and whom it is for.
#[derive(Debug, Args)]
pub struct SendMessage {
    /// The message's name
    name: String,
    /// The business key of the instance that waits
    #[arg(long, value_name = "KEY")]
    business_key: Option<String>,
    /// The correlation key [default: the business key]
    #[arg(long, value_name = "KEY")]
    correlation_key: Option<String>,
    /// The instance that waits
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// The workspace of the instance that waits
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
    /// The tenant; on the embedded engine the workspace
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Keep it so many seconds for somebody who comes to wait
    #[arg(long, value_name = "SECONDS")]
    time_to_live: Option<u32>,
    /// What goes with it: a JSON object, @file, or - for standard input
    #[arg(long, value_name = "JSON")]
    variables: Option<String>,
}

const FIELDS: &[Field] =
    &[("reached", "/resultType"), ("id", "/id"), ("instance", "/processInstanceId"), ("engine", "/engine")];

pub(in crate::adapters::cli) async fn run(command: MessageCommand, session: &Session) -> Result<(), CliError> {
    let MessageCommand::Send(message) = command;
    let body = input::object_or_empty("--variables", message.variables.as_deref())?;
    let request = Request::post(&["api", "message", &message.name], body)
        .query("businessKey", message.business_key)
        .query("correlationKey", message.correlation_key)
        .query("processInstanceId", message.instance)
        .query("workspaceId", message.workspace)
        .query("tenantId", message.tenant)
        .query("timeToLiveInSec", message.time_to_live)
        .once(None)?;
    session.output.record(&session.client.send(request).await?.body, FIELDS)
}

pub(in crate::adapters::cli) async fn run_signal(command: SignalCommand, session: &Session) -> Result<(), CliError> {
    let SignalCommand::Send { name, tenant, variables } = command;
    let body = input::object_or_empty("--variables", variables.as_deref())?;
    session.client.send(Request::post(&["api", "signal", &name], body).query("tenantId", tenant)).await?;
    session.output.done(&format!("sent {name}"))
}
