//! An issuer whose tokens are good because a test says so, and its people.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use tidegate::{
    app::people::Issuer,
    domain::{
        bearer::BearerToken,
        identity::{CredentialKind, Identity, IdentityKind},
        issuer::{IssuerPolicy, Provision},
        rights::{Ceiling, Grant, Rights},
        scope::{Scope, all_scopes},
        user::IssuerName,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    wiring::Parts,
};

/// Vouches for whom a test has signed in. Its clones are the same issuer.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestIssuer {
    signed_in: Arc<Mutex<HashMap<String, Arc<Identity>>>>,
    count: Arc<AtomicU32>,
}

impl TestIssuer {
    /// These parts, with the issuer `corp`.
    pub(crate) fn join(&self, parts: Parts, issuer: impl Into<Issuer>) -> Parts {
        Parts { validators: vec![Arc::new(self.clone())], issuers: vec![issuer.into()], ..parts }
    }

    /// A token of somebody's.
    pub(crate) fn token(&self, identity: Identity) -> String {
        let token = format!("issued-{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.signed_in.lock().unwrap().insert(token.clone(), Arc::new(identity));
        token
    }
}

#[async_trait]
impl TokenValidator for TestIssuer {
    fn recognizes(&self, token: &BearerToken) -> bool {
        token.expose().starts_with("issued-")
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        let known = self.signed_in.lock().unwrap().get(token.expose()).cloned();
        Ok(ValidatedToken::external(known.ok_or(AuthError::InvalidToken)?))
    }
}

/// What the tokens of `corp` can come to: everything.
pub(crate) fn policy(provision: Provision) -> IssuerPolicy {
    IssuerPolicy { max_scopes: all_scopes(), ..IssuerPolicy::new(IssuerName::parse("corp").unwrap(), provision) }
}

/// A person of `corp` whose token states nothing.
pub(crate) fn person(subject: &str) -> Identity {
    with_rights(subject, Rights::new(Ceiling::open(), Grant::none()))
}

/// A person whose token states scopes.
pub(crate) fn bounded(subject: &str, scopes: &[Scope]) -> Identity {
    with_rights(subject, Rights::new(Ceiling::stated(scopes.iter().copied().collect()), Grant::none()))
}

/// A person whose token names workspaces.
pub(crate) fn placed(subject: &str, workspaces: &[&str]) -> Identity {
    with_rights(subject, Rights::new(Ceiling::open(), Grant::Named(only(workspaces))))
}

/// A service of `corp`.
pub(crate) fn client(subject: &str, scopes: &[Scope]) -> Identity {
    Identity { kind: IdentityKind::Service, ..bounded(subject, scopes) }
}

fn with_rights(subject: &str, rights: Rights) -> Identity {
    let who = Identity::new(subject, IdentityKind::User, CredentialKind::External, rights);
    Identity { issuer: Some("corp".to_owned()), issued_at: Some("2026-01-01T00:00:00Z".parse().unwrap()), ..who }
}

/// These workspaces.
pub(crate) fn only(ids: &[&str]) -> WorkspaceAccess {
    WorkspaceAccess::Only(ids.iter().map(|id| WorkspaceId::parse(id).unwrap()).collect())
}
