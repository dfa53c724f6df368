//! Sessions of widgets: short-lived credentials that the gate makes for a caller to hand to a page, with no more than the
//! caller has (authentication.md section 8).

mod claims;

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::{
    claims::InvalidClaims,
    identity::{CredentialKind, Identity, IdentityKind},
    ids::WorkflowId,
    issuer::IssuerPolicy,
    json::JsonObject,
    rights::{Origin, Rights},
    scope::{Scope, Scopes},
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// How long one lives at most, unless the configuration says otherwise, in seconds.
pub const DEFAULT_TTL_SECONDS: i64 = 300;

/// A session.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its own id: `jti`.
    pub id: String,
    /// Whom it stands for: the subject of the credential that it was made with, and so on.
    pub subject: String,
    /// What sort of caller that is.
    pub kind: IdentityKind,
    /// The configured name of their issuer.
    pub issuer: Option<String>,
    /// Who acts for them.
    pub actor: Option<String>,
    /// The credential that it was made with, and ends with.
    pub parent: Parent,
    /// What it may do at most.
    pub scopes: Scopes,
    /// Where.
    pub workspaces: BTreeSet<WorkspaceId>,
    /// The workflow that it was made for: it reaches no other, and nothing else of the workspace.
    pub workflow: Option<WorkflowId>,
    /// What its maker wrote on it.
    pub metadata: Option<JsonObject>,
    /// When it was made, in whole seconds.
    pub issued_at: Timestamp,
    /// From this moment on it is refused, in whole seconds.
    pub expires_at: Timestamp,
}

/// The credential that a session was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Which sort.
    pub credential: CredentialKind,
    /// What names it: a service token's identifier, a JWT's `jti`.
    pub token_id: Option<String>,
    /// The mark of the secret that was shown, where it may change; it tells nothing of the secret.
    pub mark: Option<String>,
    /// The session at the issuer that it belongs to (`sid`).
    pub session_id: Option<String>,
    /// When it was made.
    pub issued_at: Option<Timestamp>,
    /// Whether its rights came from memberships, or from the want of any: then the session's are cut to these at each use.
    pub by_membership: bool,
}

impl Parent {
    /// The caller's credential.
    pub fn new(who: &Identity, mark: Option<String>) -> Self {
        Self {
            credential: who.credential,
            token_id: who.token_id.clone(),
            mark,
            session_id: who.session_id.clone(),
            issued_at: who.issued_at,
            by_membership: matches!(who.rights.origin(), Origin::Memberships | Origin::Defaults),
        }
    }
}

/// Makes the caller of the claims of a session's token, with what the session was given: its signature, issuer, audience
/// and times have been judged.
///
/// # Errors
/// [`InvalidClaims::Session`].
pub fn identity_of(_: &IssuerPolicy, claims: Arc<JsonObject>) -> Result<Identity, InvalidClaims> {
    let session = Session::of_claims(&claims).ok_or(InvalidClaims::Session)?;
    Ok(session.caller(claims))
}

impl Session {
    /// Whether it may have this right at all.
    pub fn can_have(&self, scope: Scope) -> bool {
        match self.workflow {
            // These let it start its one workflow and follow it; what the others are for is the workspace's.
            Some(_) => matches!(scope, Scope::WorkflowsRead | Scope::WorkflowsExecute),
            None => !scope.is_admin() && scope != Scope::ChatkitSession,
        }
    }

    /// What it was given.
    pub fn own_rights(&self) -> Rights {
        let scopes = self.scopes.iter().copied().filter(|scope| self.can_have(*scope)).collect();
        Rights::stated(scopes, WorkspaceAccess::Only(self.workspaces.clone()))
    }

    /// Who calls with it. It is known by its parent's token id, session and time of making, so that whatever revokes the
    /// parent revokes it.
    fn caller(&self, claims: Arc<JsonObject>) -> Identity {
        Identity {
            issuer: self.issuer.clone(),
            workflow: self.workflow,
            token_id: self.parent.token_id.clone(),
            session_id: self.parent.session_id.clone(),
            issued_at: self.parent.issued_at,
            expires_at: Some(self.expires_at),
            actor: self.actor.clone(),
            claims,
            ..Identity::new(self.subject.clone(), self.kind, CredentialKind::Session, self.own_rights())
        }
    }
}
