//! `tidegate authz`: beside the server, on its config and its database.

use clap::{Args, Subcommand};

use crate::adapters::cli::ConfigOptions;

/// What can be asked about rights.
#[derive(Debug, Subcommand)]
pub enum AuthzCommand {
    /// Say whether somebody may do something, and which rule decides
    ///
    /// Judges by the config and the database of the gate, without calling it: whose token stands in `TIDEGATE_TOKEN` (or
    /// comes by --stdin), or whom --user describes. Nobody becomes a user by it. Exit code 4 if it is refused.
    Why(Why),
}

/// A question about rights.
#[derive(Debug, Args)]
pub struct Why {
    /// The operation: a method and a path, such as "POST /api/workflows"
    #[arg(value_name = "OPERATION")]
    pub operation: String,
    /// The workspace in which it would be done
    #[arg(long, value_name = "ID")]
    pub workspace: Option<String>,
    /// Read the token from standard input
    #[arg(long, conflicts_with = "user")]
    pub stdin: bool,
    /// Instead of a token: a person, as the configured name of their issuer, a colon, and what it calls them
    #[arg(long, value_name = "ISSUER:SUBJECT")]
    pub user: Option<String>,
    /// A scope that the person's token would state; may be repeated. None: it states none
    #[arg(long, value_name = "SCOPE", requires = "user")]
    pub scope: Vec<String>,
    /// A workspace that the person's token would name; may be repeated. None: their memberships count
    #[arg(long, value_name = "ID", requires = "user")]
    pub token_workspace: Vec<String>,
    /// Where the config comes from.
    #[command(flatten)]
    pub config: ConfigOptions,
}
