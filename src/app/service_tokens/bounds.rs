//! Nobody mints or widens beyond themselves, nor sees what does not concern them (authentication.md section 4).

use jiff::Timestamp;

use super::NewServiceToken;
use crate::{
    app::{
        access,
        error::{AppError, Noun},
    },
    domain::{
        identity::{CredentialKind, Identity, IdentityKind, Maker},
        scope::{Scope, Scopes},
        service_token::ServiceToken,
        workspace::WorkspaceAccess,
    },
    ports::token_validator::AuthError,
};

/// Whether the caller makes and rotates tokens at all. A widget's session does not, whatever it states.
pub(super) fn mints(who: &Identity) -> Result<(), AppError> {
    if who.credential == CredentialKind::Session {
        return Err(access::missing_scope(who, Scope::AdminTokensWrite));
    }
    access::in_some_workspace(who, Scope::AdminTokensWrite)
}

/// Nobody hands on what they do not have: each scope must be held in each of the workspaces, and the right to mint too.
pub(super) fn within_rights(who: &Identity, scopes: &Scopes, workspaces: &WorkspaceAccess) -> Result<(), AppError> {
    let lacking = |held: &dyn Fn(Scope) -> bool| -> Result<(), AppError> {
        let mut needed = scopes.clone();
        needed.insert(Scope::AdminTokensWrite);
        needed.retain(|scope| !held(*scope));
        if needed.is_empty() { Ok(()) } else { Err(access::refused(who, AuthError::MissingScope(needed))) }
    };
    // A scope that is held nowhere is said before a workspace that is not theirs.
    lacking(&|scope| who.may_somewhere(scope))?;
    if !who.rights.reach().covers(workspaces) {
        return Err(access::refused(who, AuthError::WorkspaceForbidden));
    }
    lacking(&|scope| who.where_may(scope).covers(workspaces))
}

pub(super) fn workspaces_of(who: &Identity, new: &NewServiceToken) -> Result<WorkspaceAccess, AppError> {
    match (&new.workspaces, new.all_workspaces) {
        (Some(_), true) => {
            Err(AppError::invalid("/workspace_ids", "cannot stand beside all_workspaces; give one of them"))
        }
        (Some(ids), false) => Ok(WorkspaceAccess::Only(ids.clone())),
        (None, true) => Ok(WorkspaceAccess::All),
        (None, false) => match who.where_may(Scope::AdminTokensWrite) {
            WorkspaceAccess::All => {
                let message = "is needed from a caller with all workspaces, or all_workspaces";
                Err(AppError::invalid("/workspace_ids", message))
            }
            own @ WorkspaceAccess::Only(_) => Ok(own),
        },
    }
}

/// When the caller's own life ends, where what it makes must not outlive it.
pub(super) fn own_end(who: &Identity) -> Option<Timestamp> {
    who.expires_at.filter(|_| who.kind == IdentityKind::Service)
}

pub(super) fn seen(who: &Identity, scope: Scope, found: Option<ServiceToken>) -> Result<ServiceToken, AppError> {
    let all_its_workspaces = |token: &ServiceToken| who.where_may(scope).covers(&token.workspaces);
    let seen = found.filter(|token| all_its_workspaces(token) && concerns(who, token));
    seen.ok_or(AppError::NotFound(Noun::ServiceToken))
}

/// A token of no workspace is nobody's by its workspaces: it concerns whoever made it, to whom it belongs, and who reaches
/// all workspaces.
pub(super) fn concerns(who: &Identity, token: &ServiceToken) -> bool {
    token.workspaces != WorkspaceAccess::none()
        || who.rights.reaches_all()
        || token.created_by == Maker::from(who)
        || (token.owner.is_some() && token.owner == who.user())
}
