//! A session as the claims of its token.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    identity::{CredentialKind, IdentityKind},
    json::JsonObject,
    scope::{Scope, Scopes},
    session::{Parent, Session},
    workspace::WorkspaceId,
};

/// The claims: those of RFC 7519, and the gate's own.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    jti: String,
    scope: String,
    workspace_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workflow_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<JsonObject>,
    kind: String,
    /// The configured name of the issuer that vouched for the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    act: Option<Actor>,
    parent: ParentClaims,
    /// `iat` to the microsecond.
    made_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct Actor {
    sub: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct ParentClaims {
    credential: Credential,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    member: bool,
}

/// With what sessions are made.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Credential {
    None,
    Bootstrap,
    ServiceToken,
    Session,
    External,
}

impl From<CredentialKind> for Credential {
    fn from(kind: CredentialKind) -> Self {
        match kind {
            CredentialKind::None => Self::None,
            CredentialKind::Bootstrap => Self::Bootstrap,
            CredentialKind::ServiceToken => Self::ServiceToken,
            CredentialKind::Session => Self::Session,
            CredentialKind::External => Self::External,
        }
    }
}

impl From<Credential> for CredentialKind {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::None => Self::None,
            Credential::Bootstrap => Self::Bootstrap,
            Credential::ServiceToken => Self::ServiceToken,
            Credential::Session => Self::Session,
            Credential::External => Self::External,
        }
    }
}

impl Claims {
    pub(super) fn of(session: &Session, issuer: &str, audience: &str) -> Self {
        let scopes: Vec<_> = session.scopes.iter().map(|scope| scope.as_str()).collect();
        let Parent { credential, token_id, session_id, issued_at, by_membership } = session.parent.clone();
        Self {
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            sub: session.subject.clone(),
            iat: session.issued_at.as_second(),
            exp: session.expires_at.as_second(),
            jti: session.id.clone(),
            scope: scopes.join(" "),
            workspace_ids: session.workspaces.iter().map(ToString::to_string).collect(),
            workflow_id: session.workflow.map(|id| id.to_string()),
            metadata: session.metadata.clone(),
            kind: session.kind.as_str().to_owned(),
            idp: session.issuer.clone(),
            act: session.actor.clone().map(|sub| Actor { sub }),
            parent: ParentClaims {
                credential: credential.into(),
                id: token_id,
                sid: session_id,
                iat: issued_at,
                member: by_membership,
            },
            made_at: session.issued_at,
        }
    }

    /// The session that they tell of.
    pub(super) fn session(self) -> Option<Session> {
        let scopes: Scopes =
            self.scope.split_ascii_whitespace().filter_map(|name| name.parse::<Scope>().ok()).collect();
        let workspaces = self.workspace_ids.iter().map(|id| WorkspaceId::parse(id).ok());
        let workflow = match self.workflow_id {
            Some(id) => Some(id.parse().ok()?),
            None => None,
        };
        let ParentClaims { credential, id, sid, iat, member } = self.parent;
        Some(Session {
            id: self.jti,
            subject: self.sub,
            kind: IdentityKind::parse(&self.kind)?,
            issuer: self.idp,
            actor: self.act.map(|actor| actor.sub),
            parent: Parent {
                credential: credential.into(),
                token_id: id,
                session_id: sid,
                issued_at: iat,
                by_membership: member,
            },
            scopes,
            workspaces: workspaces.collect::<Option<BTreeSet<_>>>()?,
            workflow,
            metadata: self.metadata,
            issued_at: self.made_at,
            expires_at: Timestamp::from_second(self.exp).ok()?,
        })
    }
}
