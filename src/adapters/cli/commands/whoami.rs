//! `tidegate whoami`

use crate::adapters::cli::{CliError, Session, output::Field, request::Request};

const FIELDS: &[Field] = &[
    ("subject", "/subject"),
    ("kind", "/kind"),
    ("issuer", "/issuer"),
    ("username", "/username"),
    ("token", "/token_id"),
    ("scopes", "/scopes"),
    ("all workspaces", "/all_workspaces"),
    ("workspaces", "/workspace_ids"),
    ("issued", "/issued_at"),
    ("expires", "/expires_at"),
];

pub(in crate::adapters::cli) async fn run(session: &Session) -> Result<(), CliError> {
    let answer = session.client.send(Request::get(&["api", "whoami"])).await?;
    session.output.record(&answer.body, FIELDS)
}
