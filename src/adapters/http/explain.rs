//! `whoami?explain=`: what the gate would say to an operation, judged by the table that it judges requests by.

use poem_openapi::registry::MetaSchema;

use super::{
    codes,
    fields::{FromText, TextError},
    json::response,
    matcher::{Match, Matcher},
    operations::{Access, OPERATIONS, Operation},
};
use crate::domain::{
    identity::{Identity, IdentityKind},
    scope::Scope,
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// A method and a path, as `POST /api/workflows`.
pub(super) struct Asked {
    method: String,
    path: String,
}

impl FromText for Asked {
    fn text_schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn read_text(text: &str) -> Result<Self, TextError> {
        let form = || TextError::Form("must be a method and a path, as in POST /api/workflows".to_owned());
        let (method, target) = text.split_once(' ').ok_or_else(form)?;
        let path = target.split('?').next().unwrap_or_default();
        if method.is_empty() || !path.starts_with('/') {
            return Err(form());
        }
        Ok(Self { method: method.to_ascii_uppercase(), path: path.to_owned() })
    }
}

response! {
    /// Whether the caller may do what they ask about, and why.
    pub(super) struct Explanation {
        /// Whether the operation would be let through to the thing that it names.
        required allowed ("allowed"): bool,
        /// The code of the refusal; null where there is none.
        nullable code ("code"): String,
        /// What the caller has, and what the operation needs.
        required because ("because"): Vec<String>,
    }
}

impl Explanation {
    fn allowed(because: Vec<String>) -> Self {
        Self { allowed: true, code: None, because }
    }

    fn refused(code: &codes::Code, because: Vec<String>) -> Self {
        Self { allowed: false, code: Some(code.name.to_owned()), because }
    }
}

/// Judges an operation for a caller, in a workspace if one is named.
pub(super) fn explain(who: &Identity, asked: &Asked, workspace: Option<&WorkspaceId>) -> Explanation {
    match Matcher::of(OPERATIONS).find(&asked.method, &asked.path) {
        Match::Found(index, _) => match OPERATIONS.get(index) {
            Some(operation) => judge(who, operation, workspace),
            None => unknown(asked),
        },
        Match::OtherMethods(verbs) => {
            let methods: Vec<_> = verbs.iter().map(|verb| verb.as_str()).collect();
            Explanation::refused(
                codes::REQUEST_METHOD_NOT_ALLOWED,
                vec![format!("the methods of {} are {}", asked.path, methods.join(", "))],
            )
        }
        Match::Nothing => unknown(asked),
    }
}

fn unknown(asked: &Asked) -> Explanation {
    Explanation::refused(codes::REQUEST_NOT_FOUND, vec![format!("no operation has the path {}", asked.path)])
}

fn judge(who: &Identity, operation: &Operation, workspace: Option<&WorkspaceId>) -> Explanation {
    if operation.access == Access::Open {
        return Explanation::allowed(vec!["needs: nothing".to_owned()]);
    }
    let hidden = |code| if who.authenticated() { code } else { codes::AUTH_MISSING_TOKEN };
    let for_a_user = matches!(operation.access, Access::UserOr(_)) && who.kind == IdentityKind::User;
    let scopes = if for_a_user { &[] } else { operation.scopes() };
    let mut because = vec![
        format!("token: {}", listed(who.rights.told_scopes().iter().map(|scope| scope.as_str()))),
        format!("needs: {}", if scopes.is_empty() { "an identity".to_owned() } else { names(scopes) }),
    ];
    if scopes.iter().any(|scope| !who.is_allowed(*scope)) {
        return Explanation::refused(hidden(codes::AUTH_MISSING_SCOPE), because);
    }
    let everywhere = matches!(operation.access, Access::UserOr(_)) && !for_a_user;
    let outside = match workspace {
        _ if everywhere => !who.rights.reaches_all(),
        Some(workspace) => !who.reaches(workspace),
        None => false,
    };
    if everywhere || workspace.is_some() {
        let needed = workspace.filter(|_| !everywhere).map_or("all".to_owned(), ToString::to_string);
        because.push(format!("token's workspaces: {}", reached(&who.rights.reach())));
        because.push(format!("needs the workspace: {needed}"));
    }
    if outside {
        return Explanation::refused(hidden(codes::AUTH_WORKSPACE_FORBIDDEN), because);
    }
    Explanation::allowed(because)
}

fn names(scopes: &[Scope]) -> String {
    listed(scopes.iter().map(|scope| scope.as_str()))
}

fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn reached(workspaces: &WorkspaceAccess) -> String {
    match workspaces {
        WorkspaceAccess::All => "all".to_owned(),
        WorkspaceAccess::Only(ids) => listed(ids.iter().map(WorkspaceId::as_str)),
    }
}
