//! The guards: may this caller do this here? 403 or 404 as authentication.md section 3 says.

use std::collections::BTreeSet;

use super::error::{AppError, Noun};
use crate::{
    domain::{
        identity::Identity,
        ids::WorkflowId,
        scope::Scope,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::token_validator::AuthError,
};

/// A refusal of this caller.
pub(super) fn refused(who: &Identity, error: AuthError) -> AppError {
    // Who shows no credential learns only that one is needed.
    if who.authenticated() { error.into() } else { AuthError::MissingToken.into() }
}

/// A workspace that the request names does not exist: only who has all workspaces learns that.
pub(super) fn no_such_workspace(who: &Identity) -> AppError {
    if who.rights.reaches_all() {
        AppError::NotFound(Noun::Workspace)
    } else {
        refused(who, AuthError::WorkspaceForbidden)
    }
}

/// The caller lacks this scope.
pub fn missing_scope(who: &Identity, scope: Scope) -> AppError {
    refused(who, AuthError::MissingScope(BTreeSet::from([scope])))
}

/// A right somewhere at all.
///
/// # Errors
/// [`AuthError::MissingScope`].
pub fn in_some_workspace(who: &Identity, scope: Scope) -> Result<(), AppError> {
    if who.may_somewhere(scope) { Ok(()) } else { Err(missing_scope(who, scope)) }
}

/// A right in a workspace that the request names.
///
/// # Errors
/// [`AuthError::WorkspaceForbidden`] whether or not it exists, [`AuthError::MissingScope`].
pub fn in_named_workspace(who: &Identity, scope: Scope, workspace: &WorkspaceId) -> Result<(), AppError> {
    if !who.reaches(workspace) || who.workflow.is_some() {
        return Err(refused(who, AuthError::WorkspaceForbidden));
    }
    if who.may(scope, workspace) { Ok(()) } else { Err(missing_scope(who, scope)) }
}

/// A right on a thing of a workspace, where the request names the thing; `of` is the workflow that it is, or belongs to.
///
/// # Errors
/// [`AppError::NotFound`] when the caller may not see it, [`AuthError::MissingScope`] when they may not do this to it.
pub fn on_thing_of(
    who: &Identity,
    scope: Scope,
    workspace: &WorkspaceId,
    of: Option<WorkflowId>,
    noun: Noun,
) -> Result<(), AppError> {
    if !who.reaches(workspace) || (who.workflow.is_some() && who.workflow != of) {
        return Err(AppError::NotFound(noun));
    }
    if who.may(scope, workspace) { Ok(()) } else { Err(missing_scope(who, scope)) }
}

/// A right on all workspaces, those to come included.
///
/// # Errors
/// [`AuthError::MissingScope`], [`AuthError::WorkspaceForbidden`].
pub fn in_all_workspaces(who: &Identity, scope: Scope) -> Result<(), AppError> {
    in_some_workspace(who, scope)?;
    match who.where_may(scope) {
        WorkspaceAccess::All => Ok(()),
        WorkspaceAccess::Only(_) => Err(refused(who, AuthError::WorkspaceForbidden)),
    }
}

/// Where to look: in the workspace that the request names, else wherever the caller has the right.
///
/// # Errors
/// As [`in_named_workspace`] and [`in_some_workspace`].
pub fn within(who: &Identity, scope: Scope, named: Option<&WorkspaceId>) -> Result<WorkspaceAccess, AppError> {
    if let Some(workspace) = named {
        in_named_workspace(who, scope, workspace)?;
        return Ok(WorkspaceAccess::Only(BTreeSet::from([workspace.clone()])));
    }
    in_some_workspace(who, scope)?;
    if who.workflow.is_some() {
        return Err(refused(who, AuthError::WorkspaceForbidden));
    }
    Ok(who.where_may(scope))
}
