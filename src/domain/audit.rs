//! The audit: who did what, on what, when, from where, and how it ended (authentication.md section 9).

use std::net::IpAddr;

use jiff::Timestamp;

use super::{identity::IdentityKind, workspace::WorkspaceId};

/// Who, as the audit keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditIdentity {
    /// What sort of caller.
    pub kind: IdentityKind,
    /// The issuer's configured name.
    pub issuer: Option<String>,
    /// The subject.
    pub subject: String,
    /// Who acted for them.
    pub actor: Option<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was done.
    Allowed,
    /// It was refused.
    Refused,
}

impl AuditOutcome {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }

    /// The outcome of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Allowed, Self::Refused].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// An entry as it commits with its action: it has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub identity: AuditIdentity,
    /// What: `service_token.rotate`, `membership.put`, `auth.failure`, …
    pub action: &'static str,
    /// On what: an id.
    pub target: Option<String>,
    /// In which workspace; entries without one are read by who has all.
    pub workspace: Option<WorkspaceId>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The code of the refusal.
    pub code: Option<String>,
    /// From which address.
    pub ip: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
    /// How many such happened: 1, or more where a flood was gathered into one entry.
    pub count: u64,
}

/// An entry in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number: from 1, without gaps.
    pub sequence: u64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub identity: AuditIdentity,
    /// What.
    pub action: String,
    /// On what.
    pub target: Option<String>,
    /// In which workspace.
    pub workspace: Option<WorkspaceId>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The code of the refusal.
    pub code: Option<String>,
    /// From which address, as text: it is only shown.
    pub ip: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// How many such happened.
    pub count: u64,
    /// HMAC-SHA256 over the hash before it and all of the above.
    pub hash: [u8; 32],
}
