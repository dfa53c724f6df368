//! `tidegate token …`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::adapters::cli::{
    CliError, Session,
    input::seconds,
    output::{self, Field},
    request::Request,
};

/// What can be done with service tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a service token; its secret is shown once
    Create(CreateToken),
    /// List the service tokens
    List,
    /// Show a service token
    Show {
        /// Its identifier
        id: String,
    },
    /// Give a service token a new secret, shown once; the old one works on for a while
    Rotate(RotateToken),
    /// End a service token now
    Revoke {
        /// Its identifier
        id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        /// Also end the tokens that it made
        #[arg(long)]
        minted: bool,
    },
}

/// What a new service token is to be.
#[derive(Debug, Args)]
pub struct CreateToken {
    /// Its identifier [default: made by the gate]
    #[arg(long)]
    id: Option<String>,
    /// A workspace that it may use; may be repeated
    #[arg(long = "workspace", value_name = "ID", conflicts_with = "all_workspaces")]
    workspaces: Vec<String>,
    /// Let it use all workspaces, also those that come later
    #[arg(long)]
    all_workspaces: bool,
    /// What it may do, such as workflows:read; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Its life: seconds, or text such as 12h or 30d [default: without end]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires_in: Option<i64>,
    /// Print nothing but the secret
    #[arg(long, conflicts_with = "json")]
    secret_only: bool,
}

/// What is to change at a rotation.
#[derive(Debug, Args)]
pub struct RotateToken {
    /// Its identifier
    id: String,
    /// How long the old secret works on: seconds, or text such as 1h; 0 ends it now [default: 300]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    overlap: Option<i64>,
    /// A new end, from now [default: its end stays]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires_in: Option<i64>,
    /// A scope to add; may be repeated
    #[arg(long = "add-scope", value_name = "SCOPE", value_delimiter = ',')]
    add_scopes: Vec<String>,
    /// Print nothing but the secret
    #[arg(long, conflicts_with = "json")]
    secret_only: bool,
}

const TOKENS: [&str; 3] = ["api", "admin", "service-tokens"];
const COLUMNS: &[Field] = &[
    ("ID", "/identifier"),
    ("STATUS", "/status"),
    ("SCOPES", "/scopes"),
    ("WORKSPACES", "/workspaces_shown"),
    ("EXPIRES", "/expires_at"),
    ("LAST USED", "/last_used_at"),
];
const FIELDS: &[Field] = &[
    ("id", "/identifier"),
    ("status", "/status"),
    ("scopes", "/scopes"),
    ("workspaces", "/workspaces_shown"),
    ("issued", "/issued_at"),
    ("expires", "/expires_at"),
    ("rotated", "/rotated_at"),
    ("previous secret ends", "/previous_secret_ends_at"),
    ("last used", "/last_used_at"),
    ("uses", "/use_count"),
    ("revoked", "/revoked_at"),
    ("reason", "/revocation_reason"),
    ("created by", "/created_by"),
];

pub(in crate::adapters::cli) async fn run(command: TokenCommand, session: &Session) -> Result<(), CliError> {
    let Session { client, output } = session;
    match command {
        TokenCommand::Create(wish) => {
            let secret_only = wish.secret_only;
            let answer = client.send(Request::post(&TOKENS, wish.into_body()).once(None)?).await?;
            show_secret(session, answer.body, secret_only)
        }
        TokenCommand::List => {
            let items = client.list(Request::get(&TOKENS)).await?.items;
            let items = if output.json { items } else { items.into_iter().map(with_workspaces).collect() };
            output.list(items, COLUMNS, "no service token yet: tidegate token create")
        }
        TokenCommand::Show { id } => {
            let answer = client.send(Request::get(&path(&id, None))).await?;
            show(session, answer.body)
        }
        TokenCommand::Rotate(wish) => {
            let secret_only = wish.secret_only;
            let request = Request::post(&path(&wish.id, Some("rotate")), wish.to_body()).once(None)?;
            show_secret(session, client.send(request).await?.body, secret_only)
        }
        TokenCommand::Revoke { id, reason, minted } => {
            let mut request = Request::new(Method::DELETE, &path(&id, None)).query("minted", minted.then_some(true));
            request.body = reason.map(|reason| json!({"reason": reason}));
            client.send(request).await?;
            output.done(&format!("revoked {id}"))
        }
    }
}

fn path<'a>(id: &'a str, action: Option<&'a str>) -> Vec<&'a str> {
    TOKENS.into_iter().chain([id]).chain(action).collect()
}

impl CreateToken {
    fn into_body(self) -> Value {
        let mut body = Map::new();
        if let Some(id) = self.id {
            body.insert("identifier".to_owned(), json!(id));
        }
        if !self.scopes.is_empty() {
            body.insert("scopes".to_owned(), json!(self.scopes));
        }
        if !self.workspaces.is_empty() {
            body.insert("workspace_ids".to_owned(), json!(self.workspaces));
        }
        if self.all_workspaces {
            body.insert("all_workspaces".to_owned(), json!(true));
        }
        if let Some(seconds) = self.expires_in {
            body.insert("expires_in_seconds".to_owned(), json!(seconds));
        }
        Value::Object(body)
    }
}

impl RotateToken {
    fn to_body(&self) -> Value {
        let mut body = Map::new();
        if let Some(seconds) = self.overlap {
            body.insert("overlap_seconds".to_owned(), json!(seconds));
        }
        if let Some(seconds) = self.expires_in {
            body.insert("expires_in_seconds".to_owned(), json!(seconds));
        }
        if !self.add_scopes.is_empty() {
            body.insert("add_scopes".to_owned(), json!(self.add_scopes));
        }
        Value::Object(body)
    }
}

/// Adds what the column shows: the ids, or that all are meant.
fn with_workspaces(mut token: Value) -> Value {
    let all = token.get("all_workspaces").and_then(Value::as_bool) == Some(true);
    let shown = if all { json!("all") } else { token.get("workspace_ids").cloned().unwrap_or_default() };
    if let Some(members) = token.as_object_mut() {
        members.insert("workspaces_shown".to_owned(), shown);
    }
    token
}

fn show(session: &Session, token: Value) -> Result<(), CliError> {
    let token = if session.output.json { token } else { with_workspaces(token) };
    session.output.record(&token, FIELDS)
}

/// Shows a token with its secret, which nobody can show again; on a line of its own, so that no table breaks it.
fn show_secret(session: &Session, token: Value, secret_only: bool) -> Result<(), CliError> {
    let secret = token.get("secret").and_then(Value::as_str).unwrap_or_default().to_owned();
    // It goes into a line to paste: what a shell would read otherwise than as one word is no secret of a gateway.
    if !secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(CliError::Failed("the secret in the answer is not one of a gateway; it is not shown".to_owned()));
    }
    if secret_only {
        return output::print(&secret);
    }
    show(session, token)?;
    if session.output.json {
        return Ok(());
    }
    output::print(&format!("\nThe secret, shown this once:\n\n  {secret}\n\nexport TIDEGATE_TOKEN={secret}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::adapters::cli::{Cli, Command};

    fn parse(arguments: &str) -> Result<TokenCommand, clap::Error> {
        let cli = Cli::try_parse_from(["tidegate", "token"].into_iter().chain(arguments.split(' ')))?;
        match cli.command {
            Command::Token(command) => Ok(command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_says_only_what_was_asked_for() {
        let Ok(TokenCommand::Create(wish)) =
            parse("create --id ci --workspace demo --scope jobs:work,workflows:read --expires-in 30d")
        else {
            panic!("not create")
        };
        assert_eq!(
            wish.into_body(),
            json!({"identifier": "ci", "workspace_ids": ["demo"], "scopes": ["jobs:work", "workflows:read"], "expires_in_seconds": 2_592_000})
        );
        let Ok(TokenCommand::Create(wish)) = parse("create --all-workspaces") else { panic!("not create") };
        assert_eq!(wish.into_body(), json!({"all_workspaces": true}));
    }

    #[test]
    fn all_workspaces_and_some_exclude_each_other() {
        assert!(parse("create --all-workspaces --workspace demo").is_err());
    }

    #[test]
    fn an_overlap_of_nothing_is_said() {
        let Ok(TokenCommand::Rotate(wish)) = parse("rotate ci --overlap 0") else { panic!("not rotate") };
        assert_eq!(wish.to_body(), json!({"overlap_seconds": 0}));
    }
}
