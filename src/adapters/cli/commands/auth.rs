//! `tidegate auth …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::adapters::cli::{CliError, Session, output::Field, request::Request};

/// What can be asked about authentication.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Show which gate is called with whose token, who you are there, and whether it lets in callers without a token
    Status,
}

const FIELDS: &[Field] = &[
    ("gate", "/url"),
    ("named by", "/url_from"),
    ("token from", "/token_from"),
    ("subject", "/whoami/subject"),
    ("kind", "/whoami/kind"),
    ("issuer", "/whoami/issuer"),
    ("username", "/whoami/username"),
    ("token", "/whoami/token_id"),
    ("scopes", "/whoami/scopes"),
    ("all workspaces", "/whoami/all_workspaces"),
    ("workspaces", "/whoami/workspace_ids"),
    ("expires", "/whoami/expires_at"),
    ("without a token", "/without_token"),
];

pub(in crate::adapters::cli) async fn run(command: AuthCommand, session: &Session) -> Result<(), CliError> {
    match command {
        AuthCommand::Status => status(session).await,
    }
}

/// Asks twice: with the token, and as a stranger. A gate that does not look at tokens takes both for the same.
async fn status(session: &Session) -> Result<(), CliError> {
    let whoami = || Request::get(&["api", "whoami"]);
    let chosen = &session.client.chosen;
    let told = session.client.send(whoami()).await;
    let stranger = match &told {
        // Where nobody answers, nobody answers twice.
        Err(CliError::Unreachable { .. }) => None,
        _ => Some(session.client.as_stranger().send(whoami()).await),
    };
    let ignored = chosen.token_from.is_some() && told.as_ref().is_ok_and(|answer| !authenticated(&answer.body));
    let without = match stranger {
        Some(Ok(_)) if ignored => "let in, and tokens are not looked at (auth.mode = \"disabled\")",
        Some(Ok(_)) => "let in as anonymous",
        Some(Err(CliError::Refused(refusal))) if refusal.is_unauthenticated() => "not let in",
        Some(Err(_)) | None => "not known",
    };
    let shown = json!({
        "url": chosen.url,
        "url_from": chosen.url_from,
        "token_from": chosen.token_from.as_deref().unwrap_or("none"),
        "whoami": told.as_ref().map_or(Value::Null, |answer| answer.body.clone()),
        "without_token": without,
    });
    session.output.record(&shown, FIELDS)?;
    told.map(drop)
}

fn authenticated(whoami: &Value) -> bool {
    whoami.get("authenticated").and_then(Value::as_bool) == Some(true)
}
