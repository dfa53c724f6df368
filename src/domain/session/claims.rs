//! A session as the claims of its token.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Parent, Session};
use crate::domain::{
    identity::{CredentialKind, IdentityKind},
    json::JsonObject,
    scope::{Scope, Scopes},
    workspace::WorkspaceId,
};

/// The claims: those of RFC 7519, and the gate's own. `iss` and `aud` are the signer's to add.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
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
    mark: Option<String>,
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
    Bootstrap,
    ServiceToken,
    External,
}

impl Credential {
    /// `None`: sessions are made with no such credential.
    const fn of(kind: CredentialKind) -> Option<Self> {
        match kind {
            CredentialKind::Bootstrap => Some(Self::Bootstrap),
            CredentialKind::ServiceToken => Some(Self::ServiceToken),
            CredentialKind::External => Some(Self::External),
            CredentialKind::None | CredentialKind::Session => None,
        }
    }

    const fn kind(self) -> CredentialKind {
        match self {
            Self::Bootstrap => CredentialKind::Bootstrap,
            Self::ServiceToken => CredentialKind::ServiceToken,
            Self::External => CredentialKind::External,
        }
    }
}

impl Session {
    /// The claims that tell of it; `None` where it was made with what makes no sessions.
    pub fn claims(&self) -> Option<JsonObject> {
        let scopes: Vec<_> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let Parent { credential, token_id, mark, session_id, issued_at, by_membership } = self.parent.clone();
        let claims = Claims {
            sub: self.subject.clone(),
            iat: self.issued_at.as_second(),
            exp: self.expires_at.as_second(),
            jti: self.id.clone(),
            scope: scopes.join(" "),
            workspace_ids: self.workspaces.iter().map(ToString::to_string).collect(),
            workflow_id: self.workflow.map(|id| id.to_string()),
            metadata: self.metadata.clone(),
            kind: self.kind.as_str().to_owned(),
            idp: self.issuer.clone(),
            act: self.actor.clone().map(|sub| Actor { sub }),
            parent: ParentClaims {
                credential: Credential::of(credential)?,
                id: token_id,
                mark,
                sid: session_id,
                iat: issued_at,
                member: by_membership,
            },
        };
        match serde_json::to_value(claims) {
            Ok(Value::Object(claims)) => Some(claims),
            _ => None,
        }
    }

    /// The session that claims tell of.
    pub fn of_claims(claims: &JsonObject) -> Option<Self> {
        let claims = Claims::deserialize(&Value::Object(claims.clone())).ok()?;
        let scopes: Scopes =
            claims.scope.split_ascii_whitespace().filter_map(|name| name.parse::<Scope>().ok()).collect();
        let workspaces = claims.workspace_ids.iter().map(|id| WorkspaceId::parse(id).ok());
        let workflow = match claims.workflow_id {
            Some(id) => Some(id.parse().ok()?),
            None => None,
        };
        let ParentClaims { credential, id, mark, sid, iat, member } = claims.parent;
        Some(Self {
            id: claims.jti,
            subject: claims.sub,
            kind: IdentityKind::parse(&claims.kind)?,
            issuer: claims.idp,
            actor: claims.act.map(|actor| actor.sub),
            parent: Parent {
                credential: credential.kind(),
                token_id: id,
                mark,
                session_id: sid,
                issued_at: iat,
                by_membership: member,
            },
            scopes,
            workspaces: workspaces.collect::<Option<BTreeSet<_>>>()?,
            workflow,
            metadata: claims.metadata,
            issued_at: Timestamp::from_second(claims.iat).ok()?,
            expires_at: Timestamp::from_second(claims.exp).ok()?,
        })
    }
}
