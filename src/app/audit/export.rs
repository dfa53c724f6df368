//! The chain as lines of JSON, for keeping it where whoever changes the database cannot reach it.

use std::io;

use serde_json::{Value, json};

use super::chain::head_text;
use crate::{
    domain::{audit::AuditEntry, workspace::WorkspaceId},
    ports::repository::{AuditHead, RepositoryError, UnitOfWork, Unreadable},
};

/// How many entries are read at once.
const BATCH: u32 = 1_000;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store's answer.
    #[error("the audit cannot be read")]
    Repository(#[from] RepositoryError),
    /// The lines could not be written.
    #[error("the export cannot be written")]
    Output(#[from] io::Error),
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// How many entries.
    pub entries: u64,
    /// How many of them cannot be read back.
    pub unreadable: u64,
    /// The last one: an anchor for [`verify`](super::verify).
    pub head: AuditHead,
}

/// Writes the entries after a number, one a line as the API shows them, and at the end a line with the head. Of an entry that
/// cannot be read back the line says that.
///
/// # Errors
/// [`ExportError`].
pub async fn export(
    view: &mut dyn UnitOfWork,
    mut after: u64,
    out: &mut (dyn io::Write + Send),
) -> Result<Exported, ExportError> {
    let mut exported = Exported { entries: 0, unreadable: 0, head: view.audit().head().await? };
    loop {
        let entries = view.audit().read(after, BATCH).await?;
        if entries.is_empty() {
            break;
        }
        for entry in &entries {
            exported.entries += 1;
            match entry {
                Ok(entry) => {
                    exported.head = AuditHead { sequence: entry.sequence, hash: entry.hash };
                    writeln!(out, "{}", line(entry))?;
                }
                Err(Unreadable { sequence }) => {
                    exported.unreadable += 1;
                    writeln!(out, "{}", json!({ "sequence": sequence, "unreadable": true }))?;
                }
            }
            after = entry.as_ref().map_or_else(|unreadable| unreadable.sequence, |entry| entry.sequence);
        }
    }
    writeln!(out, "{}", json!({ "head": head_text(&exported.head) }))?;
    out.flush()?;
    Ok(exported)
}

/// An entry as the API shows it: absent members are left out, but for the address and the request.
fn line(entry: &AuditEntry) -> Value {
    let who = &entry.identity;
    let mut identity = json!({ "kind": who.kind.as_str(), "issuer": who.issuer, "subject": who.subject });
    add(&mut identity, "actor", who.actor.as_deref());
    let mut line = json!({
        "sequence": entry.sequence,
        "time": format!("{:.6}", entry.time),
        "identity": identity,
        "action": entry.action,
    });
    add(&mut line, "target", entry.target.as_deref());
    add(&mut line, "workspace_id", entry.workspace.as_ref().map(WorkspaceId::as_str));
    add(&mut line, "outcome", Some(entry.outcome.as_str()));
    add(&mut line, "code", entry.code.as_deref());
    if let Some(members) = line.as_object_mut() {
        members.insert("ip".to_owned(), json!(entry.ip));
        members.insert("request_id".to_owned(), json!(entry.request_id));
        members.insert("count".to_owned(), json!(entry.count));
        members.insert("hash".to_owned(), json!(data_encoding::HEXLOWER.encode(&entry.hash)));
    }
    line
}

fn add(object: &mut Value, name: &str, text: Option<&str>) {
    if let (Some(members), Some(text)) = (object.as_object_mut(), text) {
        members.insert(name.to_owned(), json!(text));
    }
}
