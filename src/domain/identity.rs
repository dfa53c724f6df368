//! Who is calling, and what they may do: rights per workspace, `rights(w) = ceiling ∩ grant(w)`
//! (authentication.md section 3).

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    ids::WorkflowId,
    json::JsonObject,
    rights::Rights,
    scope::{Scope, Scopes, all_scopes},
    service_token::HashedToken,
    user::UserId,
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

/// How a caller showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// Not at all.
    None,
    /// By the bootstrap token.
    Bootstrap,
    /// By a service token.
    ServiceToken,
    /// By a widget's session, which the gate made for whom the identity names (authentication.md section 8).
    Session,
    /// By a token of an issuer's.
    External,
}

/// Who made something: kind, issuer and subject, since a user may be called like a service token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// What sort of caller.
    pub kind: IdentityKind,
    /// The configured name of the issuer that vouched for them.
    pub issuer: Option<String>,
    /// The subject: what answers tell.
    pub subject: String,
}

impl From<&Identity> for Maker {
    fn from(who: &Identity) -> Self {
        Self { kind: who.kind, issuer: who.issuer.clone(), subject: who.subject.clone() }
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
    /// How they showed it.
    pub credential: CredentialKind,
    /// What they may do, and where.
    pub rights: Rights,
    /// The one workflow that the credential is for: of its workspace it reaches nothing else.
    pub workflow: Option<WorkflowId>,
    /// What names the token: a service token's identifier, a JWT's `jti`.
    pub token_id: Option<String>,
    /// Which secret was shown, of a credential of the gate's own that may change its secret.
    pub secret: Option<HashedToken>,
    /// The session at the issuer that the token belongs to (`sid`).
    pub session_id: Option<String>,
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
    pub claims: Arc<JsonObject>,
}

impl Identity {
    /// A caller of whom nothing more is known.
    pub fn new(subject: impl Into<String>, kind: IdentityKind, credential: CredentialKind, rights: Rights) -> Self {
        Self {
            subject: subject.into(),
            kind,
            issuer: None,
            credential,
            rights,
            workflow: None,
            token_id: None,
            secret: None,
            session_id: None,
            issued_at: None,
            expires_at: None,
            username: None,
            email: None,
            actor: None,
            claims: Arc::default(),
        }
    }

    /// A service, as its token describes it.
    pub fn service(subject: &str, scopes: Scopes, workspaces: WorkspaceAccess) -> Self {
        let rights = Rights::stated(scopes, workspaces);
        Self {
            token_id: Some(subject.to_owned()),
            ..Self::new(subject, IdentityKind::Service, CredentialKind::ServiceToken, rights)
        }
    }

    /// Whoever holds the bootstrap token.
    pub fn bootstrap(scopes: Scopes, expires_at: Option<Timestamp>) -> Self {
        let rights = Rights::stated(scopes, WorkspaceAccess::All);
        Self { expires_at, ..Self::new("bootstrap", IdentityKind::Bootstrap, CredentialKind::Bootstrap, rights) }
    }

    /// Nobody in particular.
    pub fn anonymous(scopes: Scopes, workspaces: WorkspaceAccess) -> Self {
        let rights = Rights::stated(scopes, workspaces);
        Self::new("anonymous", IdentityKind::Anonymous, CredentialKind::None, rights)
    }

    /// The gate itself, with the subject that says which part of it.
    pub fn system(subject: &str) -> Self {
        let rights = Rights::stated(all_scopes(), WorkspaceAccess::All);
        Self::new(subject, IdentityKind::System, CredentialKind::None, rights)
    }

    /// Whether the caller has shown who they are.
    pub fn authenticated(&self) -> bool {
        self.kind != IdentityKind::Anonymous
    }

    /// The person that the caller is, by a token of their own: not by a widget's session.
    pub fn user(&self) -> Option<UserId> {
        if self.kind != IdentityKind::User || self.credential != CredentialKind::External {
            return None;
        }
        let issuer = super::user::IssuerName::parse(self.issuer.as_deref()?).ok()?;
        UserId::new(issuer, self.subject.clone()).ok()
    }

    /// Whether the ceiling lets this through: what the operation table asks before anything else is read.
    pub fn is_allowed(&self, scope: Scope) -> bool {
        self.rights.allows(scope)
    }

    /// Whether the caller has this right somewhere.
    pub fn may_somewhere(&self, scope: Scope) -> bool {
        self.rights.may_somewhere(scope)
    }

    /// Whether the caller has this right in this workspace.
    pub fn may(&self, scope: Scope, workspace: &WorkspaceId) -> bool {
        self.rights.may(scope, workspace)
    }

    /// Whether the caller may know that the workspace exists.
    pub fn reaches(&self, workspace: &WorkspaceId) -> bool {
        self.rights.reaches(workspace)
    }

    /// The workspaces in which the caller has this right.
    pub fn where_may(&self, scope: Scope) -> WorkspaceAccess {
        self.rights.where_may(scope)
    }

    /// What keys idempotency, limits and audits: kind, issuer and subject, length-prefixed so that no part runs into
    /// its neighbour.
    pub fn key(&self) -> String {
        let issuer = self.issuer.as_deref().unwrap_or("");
        format!("{}:{}:{issuer}:{}:{}", self.kind.as_str(), issuer.len(), self.subject.len(), self.subject)
    }
}
