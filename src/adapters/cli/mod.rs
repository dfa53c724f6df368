//! The `tidegate` command line: a client of the HTTP API, and the names of what the gate itself can be told to do.
//!
//! [`Cli`] is what a command line says; [`run`] does the commands that are calls to a gate. Those of the composition root
//! ([`Command::Serve`], [`Command::Config`], [`Command::Openapi`], [`Command::Authz`], and what looks into the database)
//! are done by `main`.
//!
//! Tables are for people, `--json` is for scripts and gives exactly the API's JSON: lists as one array over all pages.
//! Whoever writes scripts finds the exit codes in [`exit`].

mod client;
mod commands;
mod connection;
mod error;
mod follow;
mod input;
mod output;
mod profiles;
mod progress;
mod request;
mod sse;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use secrecy::{ExposeSecret, SecretString};

pub use connection::Variables;
pub use error::{CliError, exit};

use client::Client;
use commands::{
    audit, auth, completions, execution, job, message, revocation, task, token, whoami, workflow, workspace,
};
use output::Output;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed (also: the execution that was waited for failed or was cancelled)
  2  usage: the command line, an input or the config cannot be used
  3  the gate cannot be reached, or could not answer now (503)
  4  not authenticated or not allowed (401, 403)
  5  not found (404)
  6  conflict (409, 412)

The gate that is called: --url, else the profile of --profile, else TIDEGATE_URL,
else the profile of TIDEGATE_PROFILE or \"default\", else http://127.0.0.1:8080.
The token: --token, the profile's, TIDEGATE_TOKEN; the first one of a gate is in
its data/first-token. Over plain http it goes to this machine only, unless
--insecure. Profiles stand in ~/.config/tidegate/cli.toml (chmod 600):
  [profiles.default]
  api_url = \"https://gate.example.org\"
  service_token = \"tgs_…\"";

/// One gate in front of every workflow engine.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "The gate to call")]
struct Options {
    /// Address of the gate [default: `http://127.0.0.1:8080`]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// Bearer token; better in `TIDEGATE_TOKEN` or a profile, where the list of processes does not show it
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<SecretString>,
    /// Profile of ~/.config/tidegate/cli.toml
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Send the token over plain http to another machine, too: whoever is on the way can read it
    #[arg(long, global = true)]
    insecure: bool,
    /// How long a call may take, in seconds, besides a wait that is asked for
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
    /// Print JSON: what the API answers, and of lists all items, as one array
    #[arg(long, global = true)]
    json: bool,
}

/// What the command line can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gate
    Serve(ConfigOptions),
    /// Look at the config
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document, as YAML or with --json as JSON
    Openapi,
    /// Make and list workspaces, and say who belongs to them
    #[command(subcommand, visible_alias = "workspaces")]
    Workspace(WorkspaceCommand),
    /// Make, show, rotate and revoke service tokens
    #[command(subcommand, visible_alias = "tokens")]
    Token(TokenCommand),
    /// Refuse tokens of identity providers before their end
    #[command(subcommand, visible_alias = "revocations")]
    Revocation(RevocationCommand),
    /// Read and verify the audit
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Deploy, run and watch workflows
    #[command(subcommand, visible_alias = "workflows")]
    Workflow(WorkflowCommand),
    /// List, show, watch and cancel executions
    #[command(subcommand, visible_alias = "executions")]
    Execution(ExecutionCommand),
    /// Find and complete user tasks
    #[command(subcommand, visible_alias = "tasks")]
    Task(TaskCommand),
    /// Work jobs
    #[command(subcommand, visible_alias = "jobs")]
    Job(JobCommand),
    /// Send messages
    #[command(subcommand)]
    Message(MessageCommand),
    /// Send signals
    #[command(subcommand)]
    Signal(SignalCommand),
    /// Show who the gate takes you for, and what you may do
    Whoami,
    /// Ask about authentication
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Ask the config and the database what somebody may do
    #[command(subcommand)]
    Authz(AuthzCommand),
    /// Print a completion script for a shell
    Completions(Completions),
}

pub use commands::{
    audit::{AuditCommand, DatabaseOptions, ExportAudit, ListAudit, VerifyAudit},
    auth::AuthCommand,
    authz::{AuthzCommand, Why},
    completions::Completions,
    execution::ExecutionCommand,
    job::JobCommand,
    message::MessageCommand,
    message::SignalCommand,
    revocation::RevocationCommand,
    task::TaskCommand,
    token::TokenCommand,
    workflow::WorkflowCommand,
    workspace::{MemberCommand, WorkspaceCommand},
};

/// Where the config of the gate comes from.
#[derive(Debug, Args)]
pub struct ConfigOptions {
    /// Config file [default: `TIDEGATE_CONFIG`, else `./config.toml` if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to listen on, as server.bind
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<String>,
    /// Set a key of the config, such as `telemetry.log_level=debug`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, SecretString)>,
}

/// What can be asked about the config.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show the config in force, where each value comes from, and what is wrong with it; secrets are not shown
    Check(CheckConfig),
}

/// How the config is looked at.
#[derive(Debug, Args)]
pub struct CheckConfig {
    /// Also ask every issuer for its keys or about a token, and say what came; exit code 1 when one of them cannot judge
    #[arg(long)]
    pub online: bool,
    /// Which config.
    #[command(flatten)]
    pub config: ConfigOptions,
}

fn key_and_value(text: &str) -> Result<(String, SecretString), String> {
    match text.split_once('=') {
        // It may be a secret that is set.
        Some((key, value)) if !key.is_empty() => Ok((key.trim().to_owned(), value.into())),
        _ => Err("must be KEY=VALUE, such as telemetry.log_level=debug".to_owned()),
    }
}

impl Cli {
    /// Whether `--json` was given.
    pub const fn wants_json(&self) -> bool {
        self.options.json
    }

    /// The token of `--token`.
    pub fn token(&self) -> Option<&str> {
        self.options.token.as_ref().map(ExposeSecret::expose_secret)
    }
}

/// What every command needs.
struct Session {
    client: Client,
    output: Output,
}

/// Does a command that is a call to a gate. Those of the composition root are not: they are refused here.
///
/// # Errors
/// [`CliError`], which knows its exit code and prints itself with what to do about it.
pub async fn run(cli: Cli, variables: &Variables) -> Result<(), CliError> {
    let output = Output { json: cli.options.json };
    if let Command::Completions(command) = &cli.command {
        return completions::run(command);
    }
    let session = Session { client: Client::connect(&cli.options, variables)?, output };
    match cli.command {
        Command::Workspace(command) => workspace::run(command, &session).await,
        Command::Token(command) => token::run(command, &session).await,
        Command::Revocation(command) => revocation::run(command, &session).await,
        Command::Audit(AuditCommand::List(wish)) => audit::list(wish, &session).await,
        Command::Workflow(command) => workflow::run(command, &session).await,
        Command::Execution(command) => execution::run(command, &session).await,
        Command::Task(command) => task::run(command, &session).await,
        Command::Job(command) => job::run(command, &session).await,
        Command::Message(command) => message::run(command, &session).await,
        Command::Signal(command) => message::run_signal(command, &session).await,
        Command::Whoami => whoami::run(&session).await,
        Command::Auth(command) => auth::run(command, &session).await,
        Command::Serve(_)
        | Command::Config(_)
        | Command::Openapi
        | Command::Authz(_)
        | Command::Completions(_)
        | Command::Audit(AuditCommand::Verify(_) | AuditCommand::Export(_)) => {
            Err(CliError::Usage("this command runs in the gate itself".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_the_call_may_stand_anywhere() {
        let cli = Cli::try_parse_from(["tidegate", "workspace", "list", "--json", "--url", "http://a"]).unwrap();
        assert!(cli.wants_json());
        assert_eq!(cli.options.url.as_deref(), Some("http://a"));
    }

    #[test]
    fn set_needs_a_key_and_a_value() {
        assert!(Cli::try_parse_from(["tidegate", "serve", "--set", "telemetry.log_level"]).is_err());
        assert!(Cli::try_parse_from(["tidegate", "serve", "--set", "telemetry.log_level=debug"]).is_ok());
    }
}
