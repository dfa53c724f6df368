//! The audit: who did what, on what, when, from where, and how it ended (authentication.md section 9).
//!
//! Entries commit with their action ([`record`]). What is no unit of work, such as a bad token, is gathered and written
//! down in batches ([`Collector`]). One [`Sequencer`] gives entries their place in a chain of hashes afterwards, so that
//! no action waits for another; [`verify`] walks the chain.

mod chain;
mod collector;
mod export;
mod sequencer;
mod verify;
mod work;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::{
    chain::{AuditKey, InvalidHead, ZERO, head_text, parse_head},
    collector::{Collector, Place},
    export::{ExportError, Exported, export},
    sequencer::Sequencer,
    verify::{Fault, Verification, verify},
    work::AuditWork,
};
use super::{commands::Unit, context, core::Core, error::AppError};
use crate::{
    domain::{
        audit::{AuditEntry, AuditIdentity, AuditOutcome, NewAuditEntry},
        identity::Identity,
        page::{Page, PageRequest},
        scope::Scope,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::repository::{AuditFilter, RepositoryError},
};

/// What entries say was done.
pub mod action {
    /// A presented credential was refused: 401. Its target is the reason, where the code does not say it all.
    pub const AUTH_FAILURE: &str = "auth.failure";
    /// A caller may not: 403. Its target is the operation.
    pub const AUTH_REFUSAL: &str = "auth.refusal";
    /// The bootstrap token was used.
    pub const BOOTSTRAP_USE: &str = "bootstrap.use";
    /// A service token was made.
    pub const TOKEN_MINT: &str = "service_token.mint";
    /// A service token was given a new secret.
    pub const TOKEN_ROTATE: &str = "service_token.rotate";
    /// A service token was ended.
    pub const TOKEN_REVOKE: &str = "service_token.revoke";
    /// A user task was completed. Its target is the task's id.
    pub const TASK_COMPLETE: &str = "user_task.complete";
    /// A widget's session was made. Its target is the session's id: the claim `jti`.
    pub const SESSION_CREATE: &str = "session.create";
    /// A workspace was made.
    pub const WORKSPACE_CREATE: &str = "workspace.create";
    /// A membership was given or changed. Its target is the user's id.
    pub const MEMBERSHIP_PUT: &str = "membership.put";
    /// A membership was taken away. Its target is the user's id.
    pub const MEMBERSHIP_REMOVE: &str = "membership.remove";
    /// A revocation was entered. Its target is the revocation's id.
    pub const REVOCATION_CREATE: &str = "revocation.create";
    /// A revocation was lifted. Its target is the revocation's id.
    pub const REVOCATION_LIFT: &str = "revocation.lift";
}

/// The longest text that an entry keeps of what others named.
const LONGEST: usize = 512;

/// A text that every store keeps as it is: not too long, and without U+0000.
fn kept(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

impl From<&Identity> for AuditIdentity {
    fn from(who: &Identity) -> Self {
        Self {
            kind: who.kind,
            issuer: who.issuer.as_deref().map(kept),
            subject: kept(&who.subject),
            actor: who.actor.as_deref().map(kept),
        }
    }
}

/// An entry about something that was done, with the address and id of the request that is under way.
pub fn entry(now: Timestamp, who: &Identity, action: &'static str, target: &str) -> NewAuditEntry {
    let context = context::current();
    NewAuditEntry {
        time: now,
        identity: who.into(),
        action,
        target: Some(kept(target)),
        workspace: None,
        outcome: AuditOutcome::Allowed,
        code: None,
        ip: context.as_ref().and_then(|context| context.address),
        request_id: context.map(|context| kept(&context.request_id)),
        count: 1,
    }
}

/// Enters what a unit of work does: the entry commits with it. An entry about no single workspace is read by who has all.
///
/// # Errors
/// The store's.
pub async fn record(
    unit: &mut Unit,
    who: &Identity,
    action: &'static str,
    target: &str,
    workspace: Option<&WorkspaceId>,
) -> Result<(), RepositoryError> {
    let entry = NewAuditEntry { workspace: workspace.cloned(), ..entry(unit.now, who, action, target) };
    unit.uow().audit().append(&[entry]).await?;
    unit.wake.audit = true;
    Ok(())
}

/// The workspace that something is about which reaches these: one, or it is about none in particular.
pub fn only_one(workspaces: &WorkspaceAccess) -> Option<&WorkspaceId> {
    match workspaces {
        WorkspaceAccess::Only(ids) if ids.len() == 1 => ids.first(),
        WorkspaceAccess::Only(_) | WorkspaceAccess::All => None,
    }
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this workspace; absent: of all that the caller may read.
    pub workspace: Option<WorkspaceId>,
    /// Of this subject.
    pub subject: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// Ended so.
    pub outcome: Option<AuditOutcome>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// Shows the audit, and gathers what is no unit of work.
#[derive(Debug, Clone)]
pub struct Audit {
    core: Core,
    /// Where failures, refusals and uses of the bootstrap token go.
    pub collector: Arc<Collector>,
}

impl Audit {
    /// On these foundations.
    pub const fn new(core: Core, collector: Arc<Collector>) -> Self {
        Self { core, collector }
    }

    /// Entries, newest first. Those without a workspace are shown to who may read all.
    ///
    /// # Errors
    /// As [`access::within`](super::access::within).
    pub async fn list(&self, who: &Identity, wanted: Wanted, page: &PageRequest) -> Result<Page<AuditEntry>, AppError> {
        let within = self.core.within(who, Scope::AdminAuditRead, wanted.workspace.as_ref()).await?;
        let Wanted { subject, action, outcome, from, to, .. } = wanted;
        let filter = AuditFilter { within, subject, action, outcome, from, to };
        Ok(self.core.commands.view().await?.audit().list(&filter, page).await?)
    }
}
