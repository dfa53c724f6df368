//! Who is calling, and what they may do: rights per workspace, `rights(w) = ceiling ∩ grant(w)`
//! (authentication.md section 3).

use jiff::Timestamp;

use super::{
    json::JsonObject,
    scope::{Scope, Scopes},
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// What sort of caller it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// A person.
    User,
    /// A program with a service token or a client's JWT.
    Service,
    /// Whoever holds the bootstrap token.
    Bootstrap,
    /// Nobody in particular.
    Anonymous,
    /// The gate itself: timers, sweeps.
    System,
}

impl IdentityKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::User, Self::Service, Self::Bootstrap, Self::Anonymous, Self::System];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Bootstrap => "bootstrap",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The user's `sub`, the service token's identifier, or a reserved word.
    pub subject: String,
    /// What sort of caller.
    pub kind: IdentityKind,
    /// The configured name of the issuer that vouches for them; `None` for our own credentials.
    pub issuer: Option<String>,
    /// The ceiling: nothing outside it is ever allowed.
    pub scopes: Scopes,
    /// The workspaces that the ceiling applies to.
    pub workspaces: WorkspaceAccess,
    /// What names the token: a service token's identifier, a JWT's `jti`.
    pub token_id: Option<String>,
    /// When the credential was made.
    pub issued_at: Option<Timestamp>,
    /// When the credential ends.
    pub expires_at: Option<Timestamp>,
    /// `preferred_username` or `username`.
    pub username: Option<String>,
    /// The verified mail address.
    pub email: Option<String>,
    /// Who acts for the subject (RFC 8693 `act.sub`).
    pub actor: Option<String>,
    /// The claims as the validator left them.
    pub claims: JsonObject,
}

impl Identity {
    fn reserved(subject: &str, kind: IdentityKind, scopes: Scopes, workspaces: WorkspaceAccess) -> Self {
        Self {
            subject: subject.to_owned(),
            kind,
            issuer: None,
            scopes,
            workspaces,
            token_id: None,
            issued_at: None,
            expires_at: None,
            username: None,
            email: None,
            actor: None,
            claims: JsonObject::new(),
        }
    }

    /// A service, as its token describes it.
    pub fn service(subject: &str, scopes: Scopes, workspaces: WorkspaceAccess) -> Self {
        Self {
            token_id: Some(subject.to_owned()),
            ..Self::reserved(subject, IdentityKind::Service, scopes, workspaces)
        }
    }

    /// Whoever holds the bootstrap token.
    pub fn bootstrap(scopes: Scopes, expires_at: Option<Timestamp>) -> Self {
        Self { expires_at, ..Self::reserved("bootstrap", IdentityKind::Bootstrap, scopes, WorkspaceAccess::All) }
    }

    /// Nobody in particular.
    pub fn anonymous(scopes: Scopes, workspaces: WorkspaceAccess) -> Self {
        Self::reserved("anonymous", IdentityKind::Anonymous, scopes, workspaces)
    }

    /// The gate itself, with the subject that says which part of it.
    pub fn system(subject: &str) -> Self {
        Self::reserved(subject, IdentityKind::System, super::scope::all_scopes(), WorkspaceAccess::All)
    }

    /// Whether the caller has shown who they are.
    pub fn authenticated(&self) -> bool {
        self.kind != IdentityKind::Anonymous
    }

    /// Whether the caller has this right somewhere: what the operation table asks before anything else is read.
    pub fn may_somewhere(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether the caller has this right in this workspace.
    pub fn may(&self, scope: Scope, workspace: &WorkspaceId) -> bool {
        self.scopes.contains(&scope) && self.workspaces.contains(workspace)
    }

    /// Whether the caller may know that the workspace exists.
    pub fn reaches(&self, workspace: &WorkspaceId) -> bool {
        self.workspaces.contains(workspace)
    }

    /// The workspaces in which the caller has this right.
    pub fn where_may(&self, scope: Scope) -> WorkspaceAccess {
        if self.scopes.contains(&scope) { self.workspaces.clone() } else { WorkspaceAccess::none() }
    }

    /// What keys idempotency, limits and audits: kind, issuer and subject, length-prefixed so that no part runs into
    /// its neighbour.
    pub fn key(&self) -> String {
        let issuer = self.issuer.as_deref().unwrap_or("");
        format!("{}:{}:{issuer}:{}:{}", self.kind.as_str(), issuer.len(), self.subject.len(), self.subject)
    }
}
