//! The rules in words.

use super::Judgement;
use crate::domain::{
    identity::{CredentialKind, IdentityKind},
    rights::{Grant, Origin},
    scope::Scope,
    user::Role,
    workspace::WorkspaceId,
};

impl Judgement<'_> {
    /// Why the ceiling leaves a scope out.
    pub(super) fn ceiling_rule(&self, scope: Scope) -> String {
        let cut = self.policy.filter(|policy| !policy.max_scopes.contains(&scope));
        match (self.who.credential, cut) {
            (CredentialKind::External, Some(policy)) => {
                format!("max_scopes of the issuer {}, which leave out {scope}", policy.name)
            }
            (CredentialKind::External, None) if self.who.rights.ceiling().stated_scopes().is_empty() => {
                "the token's scopes, or what its roles and the issuer's default_scopes come to".to_owned()
            }
            (CredentialKind::External, None) => "the scopes that the token states".to_owned(),
            (CredentialKind::ServiceToken, _) if self.who.rights.origin() == Origin::Owner => {
                "the service token's scopes, within max_scopes of its owner's issuer".to_owned()
            }
            (CredentialKind::ServiceToken, _) => "the service token's scopes".to_owned(),
            (CredentialKind::Session, _) => "the scopes of the session".to_owned(),
            (CredentialKind::Bootstrap, _) => "auth.bootstrap_token_scopes".to_owned(),
            (CredentialKind::None, _) => "auth.mode and auth.anonymous_scopes".to_owned(),
        }
    }

    /// Why a scope within the ceiling is held nowhere.
    pub(super) fn ungranted_rule(&self, scope: Scope) -> String {
        match self.who.rights.grant() {
            Grant::Named(_) => unstated(scope),
            Grant::Member(_) => format!("no role of the {} gives {scope}", self.member()),
        }
    }

    /// Why a scope within the ceiling is not held in a workspace that the caller reaches.
    pub(super) fn lacking_rule(&self, scope: Scope, workspace: &WorkspaceId) -> String {
        match self.who.rights.role_in(workspace) {
            None => unstated(scope),
            Some(role) => format!("{}, which does not give {scope}", self.role_rule(role, workspace)),
        }
    }

    /// What gives the caller a workspace, or does not.
    pub(super) fn grant_rule(&self, workspace: Option<&WorkspaceId>) -> String {
        let rights = &self.who.rights;
        match (rights.origin(), rights.grant(), workspace) {
            (Origin::Memberships | Origin::Owner, Grant::Member(_), None) => {
                format!("the memberships of the {}", self.member())
            }
            (Origin::Memberships | Origin::Owner, Grant::Member(_), Some(workspace)) => {
                match rights.role_in(workspace) {
                    Some(role) => self.role_rule(role, workspace),
                    None => format!("the {} is no member of {workspace}", self.member()),
                }
            }
            (Origin::Owner, Grant::Named(_), _) => {
                "default_workspaces of the issuer of the token's owner, who never had a membership".to_owned()
            }
            (Origin::Defaults, ..) => {
                let issuer = self.who.issuer.as_deref().unwrap_or_default();
                format!("default_workspaces of the issuer {issuer}: the caller never had a membership")
            }
            (Origin::Credential | Origin::Memberships, ..) => self.named_rule(),
        }
    }

    fn named_rule(&self) -> String {
        let rule = match self.who.credential {
            CredentialKind::External => "the workspaces that the token names, which decide alone",
            CredentialKind::ServiceToken => "the service token's workspaces",
            CredentialKind::Session => "the workspaces of the session",
            CredentialKind::Bootstrap => "the bootstrap token, which has all workspaces",
            CredentialKind::None if self.who.kind == IdentityKind::System => "the gate itself",
            CredentialKind::None => "auth.mode and auth.anonymous_workspaces",
        };
        rule.to_owned()
    }

    fn role_rule(&self, role: Role, workspace: &WorkspaceId) -> String {
        match self.who.rights.origin() {
            Origin::Owner => format!("the role {} of the token's owner in {workspace}", role.as_str()),
            _ => format!("the role {} in {workspace}", role.as_str()),
        }
    }

    fn member(&self) -> &'static str {
        if self.who.rights.origin() == Origin::Owner { "token's owner" } else { "caller" }
    }
}

fn unstated(scope: Scope) -> String {
    format!("{scope} counts in a named workspace only where the token itself states it")
}
