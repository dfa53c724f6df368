//! What the gate would say to an operation, judged by the table that it judges requests by: `whoami?explain=`, and
//! `tidegate authz why` beside the server.

mod rules;

use std::{str::FromStr, sync::LazyLock};

use poem_openapi::registry::MetaSchema;

use super::{
    codes::{self, Code},
    fields::{FromText, TextError},
    json::response,
    matcher::{Match, Matcher},
    operations::{Access, OPERATIONS, Operation, Verb},
    problem::Problem,
};
use crate::{
    app::{members, people::People},
    domain::{
        identity::{Identity, IdentityKind},
        issuer::IssuerPolicy,
        scope::Scope,
        text::InvalidText,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::token_validator::Rejection,
};

/// The table, made ready once.
static MATCHER: LazyLock<Matcher> = LazyLock::new(|| Matcher::of(OPERATIONS));

/// A method and a path, as `POST /api/workflows`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    method: String,
    path: String,
}

impl FromStr for Asked {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let form = || InvalidText::new("must be a method and a path, as in POST /api/workflows");
        let (method, target) = text.trim().split_once(' ').ok_or_else(form)?;
        let path = target.trim_start().split('?').next().unwrap_or_default();
        if method.is_empty() || !path.starts_with('/') {
            return Err(form());
        }
        Ok(Self { method: method.to_ascii_uppercase(), path: path.to_owned() })
    }
}

impl FromText for Asked {
    fn text_schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn read_text(text: &str) -> Result<Self, TextError> {
        text.parse().map_err(|error: InvalidText| TextError::Form(error.to_string()))
    }
}

response! {
    /// Whether the caller may do what they ask about, and why.
    pub struct Explanation {
        /// Whether the operation would be let through to the thing that it names.
        required allowed ("allowed"): bool,
        /// The code of the refusal; null where there is none.
        nullable code ("code"): String,
        /// What the caller has, what the operation needs, and which rule decided.
        required because ("because"): Vec<String>,
    }
}

/// Judges an operation for a caller, in a workspace if one is named: beside the path, or in it.
pub fn explain(people: &People, who: &Identity, asked: &Asked, workspace: Option<&WorkspaceId>) -> Explanation {
    let unknown = || refused(codes::REQUEST_NOT_FOUND, vec![format!("no operation has the path {}", asked.path)]);
    match MATCHER.find(&asked.method, &asked.path) {
        Match::Found(index, parameters) => OPERATIONS.get(index).map_or_else(unknown, |operation| {
            let [first, _] = parameters.decoded();
            let in_path = first.filter(|_| operation.path.starts_with("/api/workspaces/{id}"));
            let in_path = in_path.and_then(|id| WorkspaceId::parse(&id).ok());
            let policy = who.issuer.as_deref().and_then(|issuer| people.policy(issuer));
            Judgement { who, policy, operation, workspace: in_path.as_ref().or(workspace) }.explanation()
        }),
        Match::OtherMethods(verbs) => {
            let methods: Vec<_> = verbs.iter().map(|verb| verb.as_str()).collect();
            let because = vec![format!("the methods of {} are {}", asked.path, methods.join(", "))];
            refused(codes::REQUEST_METHOD_NOT_ALLOWED, because)
        }
        Match::Nothing => unknown(),
    }
}

/// What is said to who is not let in at all.
pub fn explain_refusal(rejection: Rejection) -> Explanation {
    let problem = Problem::from(rejection.error);
    let mut because = vec![problem.detail().to_owned()];
    because.extend(rejection.reason.map(|reason| format!("reason: {reason}")));
    because.push("decided by: who the caller is".to_owned());
    refused(problem.code(), because)
}

fn refused(code: &Code, because: Vec<String>) -> Explanation {
    Explanation { allowed: false, code: Some(code.name.to_owned()), because }
}

/// An operation that is asked about.
struct Judgement<'a> {
    who: &'a Identity,
    policy: Option<&'a IssuerPolicy>,
    operation: &'a Operation,
    workspace: Option<&'a WorkspaceId>,
}

/// Why not, and which rule says so.
type Refusal = (&'static Code, String);

impl Judgement<'_> {
    fn explanation(&self) -> Explanation {
        if self.operation.access == Access::Open {
            return Explanation { allowed: true, code: None, because: vec!["needs: nothing".to_owned()] };
        }
        let told = self.who.rights.told_scopes();
        let mut because = vec![
            format!("token: {}", listed(told.iter().map(|scope| scope.as_str()))),
            format!("needs: {}", self.needs()),
        ];
        if let Some(needed) = self.needed_workspace() {
            because.push(format!("token's workspaces: {}", reached(&self.who.rights.reach())));
            because.push(format!("needs the workspace: {needed}"));
        }
        let (code, rule) = match self.judge() {
            Ok(rule) => (None, rule),
            Err((code, rule)) if self.who.authenticated() => (Some(code), rule),
            // Who shows no credential learns only that one is needed.
            Err((_, rule)) => (Some(codes::AUTH_MISSING_TOKEN), rule),
        };
        because.push(format!("decided by: {rule}"));
        Explanation { allowed: code.is_none(), code: code.map(|code| code.name.to_owned()), because }
    }

    /// A person where persons need no scope.
    fn is_spared(&self) -> bool {
        matches!(self.operation.access, Access::UserOr(_)) && self.who.user().is_some()
    }

    /// Whether it is needed on all workspaces.
    fn is_instance_wide(&self) -> bool {
        matches!(self.operation.access, Access::Everywhere(_) | Access::UserOr(_)) && !self.is_spared()
    }

    fn needs(&self) -> String {
        let scopes = listed(self.operation.scopes().iter().map(|scope| scope.as_str()));
        match self.operation.access {
            Access::RoleOr(_) => format!("the role owner or admin, or {scopes}"),
            _ if self.is_spared() || self.operation.scopes().is_empty() => "an identity".to_owned(),
            _ => scopes,
        }
    }

    fn needed_workspace(&self) -> Option<String> {
        if self.is_instance_wide() { Some("all".to_owned()) } else { self.workspace.map(ToString::to_string) }
    }

    /// The rule that lets it through, or refuses it.
    fn judge(&self) -> Result<String, Refusal> {
        if self.is_spared() {
            return Ok("the caller is a person, who may always make a workspace, and owns it".to_owned());
        }
        if let Access::RoleOr(scopes) = self.operation.access {
            return self.judge_members(scopes);
        }
        let scopes = self.operation.scopes();
        if let Some(scope) = scopes.iter().find(|scope| !self.who.is_allowed(**scope)) {
            return Err((codes::AUTH_MISSING_SCOPE, self.ceiling_rule(*scope)));
        }
        let ungranted = scopes.iter().find(|scope| !self.who.may_somewhere(**scope));
        if let Some(scope) = ungranted.filter(|_| self.workspace.is_none() || self.is_instance_wide()) {
            return Err((codes::AUTH_MISSING_SCOPE, self.ungranted_rule(*scope)));
        }
        if self.is_instance_wide() {
            let everywhere = scopes.iter().all(|scope| self.who.where_may(*scope) == WorkspaceAccess::All);
            let rule = self.grant_rule(None);
            return if everywhere { Ok(rule) } else { Err((codes::AUTH_WORKSPACE_FORBIDDEN, rule)) };
        }
        let Some(workspace) = self.workspace else {
            return Ok(if scopes.is_empty() { "every identity may".to_owned() } else { self.grant_rule(None) });
        };
        if !self.who.reaches(workspace) {
            return Err((codes::AUTH_WORKSPACE_FORBIDDEN, self.grant_rule(Some(workspace))));
        }
        match scopes.iter().find(|scope| !self.who.may(**scope, workspace)) {
            Some(scope) => Err((codes::AUTH_MISSING_SCOPE, self.lacking_rule(*scope, workspace))),
            None => Ok(self.grant_rule(Some(workspace))),
        }
    }

    fn judge_members(&self, scopes: &[Scope]) -> Result<String, Refusal> {
        // People may have a role that needs no scope: they are not refused for want of one before the workspace is known.
        if self.who.kind != IdentityKind::User
            && let Some(scope) = scopes.iter().find(|scope| !self.who.is_allowed(**scope))
        {
            return Err((codes::AUTH_MISSING_SCOPE, self.ceiling_rule(*scope)));
        }
        let Some(workspace) = self.workspace else { return Ok("the workspace in the path decides".to_owned()) };
        if !self.who.reaches(workspace) {
            return Err((codes::AUTH_WORKSPACE_FORBIDDEN, self.grant_rule(Some(workspace))));
        }
        if scopes.iter().all(|scope| self.who.may(*scope, workspace)) {
            return Ok(format!("{} in {workspace}", listed(scopes.iter().map(|scope| scope.as_str()))));
        }
        let least = if self.operation.verb == Verb::Get { members::SEES } else { members::CHANGES };
        let role = self.who.rights.role_in(workspace);
        match role.filter(|role| role.administers()) {
            Some(role) if self.who.user().is_none() => Err((
                codes::AUTH_MISSING_SCOPE,
                format!("the role {} counts for its person's own token", role.as_str()),
            )),
            Some(_) if !self.who.is_allowed(least) => {
                Err((codes::AUTH_MISSING_SCOPE, format!("the token is bounded, and leaves out {least}")))
            }
            Some(role) => Ok(format!("the role {} in {workspace}", role.as_str())),
            None => Err((codes::AUTH_MISSING_SCOPE, self.grant_rule(Some(workspace)))),
        }
    }
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
