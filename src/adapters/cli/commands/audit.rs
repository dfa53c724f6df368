//! `tidegate audit …`: reading it over the API. What looks into the database itself is done by the composition root.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::Value;

use crate::adapters::cli::{CliError, Session, output::Field, request::Request};

/// What can be done with the audit.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List entries, newest first
    List(ListAudit),
    /// Walk the chain in the database, and say what was deleted, altered or moved
    Verify(VerifyAudit),
    /// Print the entries in the database, one JSON object a line, and the head at the end
    Export(ExportAudit),
}

/// What the chain is verified against.
#[derive(Debug, Args)]
pub struct VerifyAudit {
    /// A head that was kept elsewhere (from the log or an export): finds out whether the end was cut off
    #[arg(long, value_name = "SEQUENCE:HASH")]
    pub anchor: Option<String>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// Which entries are exported.
#[derive(Debug, Args)]
pub struct ExportAudit {
    /// Only the entries after this number
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub after: u64,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// Which entries.
#[derive(Debug, Args)]
pub struct ListAudit {
    /// In this workspace
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
    /// Of this subject
    #[arg(long)]
    subject: Option<String>,
    /// Of this action, such as `service_token.rotate`
    #[arg(long)]
    action: Option<String>,
    /// Ended so: allowed or refused
    #[arg(long)]
    outcome: Option<String>,
    /// Not before this moment, such as 2026-11-22T08:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

/// Where the config comes from that names the database and the key.
#[derive(Debug, Args)]
pub struct DatabaseOptions {
    /// Config file [default: `TIDEGATE_CONFIG`, else `./config.toml` if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set a key of the config, such as `database.url=sqlite://data/tidegate.db`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = crate::adapters::cli::key_and_value)]
    pub set: Vec<(String, SecretString)>,
}

const COLUMNS: &[Field] = &[
    ("NUMBER", "/sequence"),
    ("TIME", "/time"),
    ("WHO", "/identity/subject"),
    ("ACTION", "/action"),
    ("TARGET", "/target"),
    ("WORKSPACE", "/workspace_id"),
    ("OUTCOME", "/outcome"),
    ("CODE", "/code"),
    ("IP", "/ip"),
    ("COUNT", "/count"),
];

pub(in crate::adapters::cli) async fn list(wish: ListAudit, session: &Session) -> Result<(), CliError> {
    let request = Request::get(&["api", "admin", "audit-events"])
        .query("workspace_id", wish.workspace)
        .query("subject", wish.subject)
        .query("action", wish.action)
        .query("outcome", wish.outcome)
        .query("from", wish.from)
        .query("to", wish.to);
    let items: Vec<Value> = session.client.list(request).await?.items;
    session.output.list(items, COLUMNS, "no entry fits")
}
