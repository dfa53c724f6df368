//! Tag `audit`: who did what; and what the gate's door enters there.

use std::sync::Arc;

use jiff::Timestamp;
use poem::http::StatusCode;
use poem_openapi::OpenApi;

use super::{
    answers::Ok200,
    conditions::Who,
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::Query,
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{
        App,
        audit::{Place, Wanted},
        authenticate::Caller,
    },
    domain::{
        audit::{AuditEntry, AuditIdentity, AuditOutcome},
        identity::Identity,
        text::Key,
        workspace::WorkspaceId,
    },
    ports::token_validator::Rejection,
};

/// Tag `audit`.
pub(super) struct AuditApi {
    pub(super) app: Arc<App>,
}

response! {
    /// Who did something.
    pub(super) struct AuditIdentityBody {
        /// `user`, `service`, `bootstrap`, `anonymous` or `system`.
        required kind ("kind"): &'static str,
        /// The configured name of the issuer that vouches for them; null for the gate's own credentials.
        nullable issuer ("issuer"): String,
        /// Whom.
        required subject ("subject"): String,
        /// Who acted for them.
        optional actor ("actor"): String,
    }
}

response! {
    /// An entry of the audit.
    pub(super) struct AuditEventBody {
        /// Its number: from 1, without gaps.
        required sequence ("sequence"): u64,
        /// When.
        required time ("time"): Timestamp,
        /// Who.
        required identity ("identity"): AuditIdentityBody,
        /// What was done, such as `service_token.rotate`.
        required action ("action"): String,
        /// On what.
        optional target ("target"): String,
        /// In which workspace.
        optional workspace_id ("workspace_id"): String,
        /// `allowed` or `refused`.
        required outcome ("outcome"): &'static str,
        /// The code of the refusal.
        optional code ("code"): String,
        /// From which address.
        nullable ip ("ip"): String,
        /// The request's id.
        nullable request_id ("request_id"): String,
        /// How many such happened: more than 1 where a flood was gathered into one entry.
        required count ("count"): u64,
        /// In hexadecimal: HMAC-SHA256 over the hash before it and all of the above.
        required hash ("hash"): String,
    }
}

impl From<AuditIdentity> for AuditIdentityBody {
    fn from(who: AuditIdentity) -> Self {
        Self { kind: who.kind.as_str(), issuer: who.issuer, subject: who.subject, actor: who.actor }
    }
}

impl From<AuditEntry> for AuditEventBody {
    fn from(entry: AuditEntry) -> Self {
        Self {
            sequence: entry.sequence,
            time: entry.time,
            identity: entry.identity.into(),
            action: entry.action,
            target: entry.target,
            workspace_id: entry.workspace.map(|workspace| workspace.to_string()),
            outcome: entry.outcome.as_str(),
            code: entry.code,
            ip: entry.ip,
            request_id: entry.request_id,
            count: entry.count,
            hash: data_encoding::HEXLOWER.encode(&entry.hash),
        }
    }
}

/// Bad credentials, who is kept out, and uses of the bootstrap token come into the audit.
pub(super) fn note_entrance(app: &App, outcome: &Result<Caller, Rejection>, place: Place<'_>) {
    let collector = &app.audit.collector;
    match outcome {
        Ok(caller) => collector.let_in(&caller.identity, place),
        Err(Rejection { error, reason, of }) => {
            let problem = Problem::from(error.clone());
            if let Some(reason) = reason {
                tracing::debug!(code = problem.code().name, %reason, request.id = %place.request_id, "token rejected");
            }
            if error.is_failure() {
                collector.failed(problem.code().name, *reason, of.as_deref(), place);
            } else if problem.http_status() == StatusCode::FORBIDDEN {
                collector.kept_out(problem.code().name, of.as_deref(), place);
            }
        }
    }
}

/// A caller who may not do what they asked for comes into the audit.
pub(super) fn note_refusal(
    app: &App,
    who: &Identity,
    problem: &Problem,
    operation: Option<&'static str>,
    place: Place<'_>,
) {
    if problem.http_status() == StatusCode::FORBIDDEN {
        app.audit.collector.refused(who, problem.code().name, operation, place);
    }
}

#[OpenApi(tag = "Tag::Audit")]
impl AuditApi {
    /// List entries of the audit
    ///
    /// Newest first. Entries without a workspace are shown to who may read those of all workspaces.
    #[oai(path = "/api/admin/audit-events", method = "get", operation_id = "list_audit_events")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn list(
        &self,
        who: Who,
        /// In this workspace.
        workspace_id: Query<WorkspaceId>,
        /// Of this subject.
        subject: Query<Key>,
        /// Of this action.
        action: Query<Key>,
        /// Ended so.
        outcome: Query<AuditOutcome>,
        /// Not before this moment.
        from: Query<Timestamp>,
        /// Before this moment.
        to: Query<Timestamp>,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<AuditEventBody>>, Problem> {
        let wanted = Wanted {
            workspace: workspace_id.0,
            subject: subject.0.map(Key::into_string),
            action: action.0.map(Key::into_string),
            outcome: outcome.0,
            from: from.0,
            to: to.0,
        };
        let found = self.app.audit.list(&who.0, wanted, &page(limit, cursor)).await?;
        Ok(Ok200::new(list(found, AuditEventBody::from)))
    }
}
