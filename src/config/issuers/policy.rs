//! What an issuer's tokens can come to (authentication.md section 3).

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    super::{
        auth::{parse_scopes, parse_workspaces},
        telemetry::one_of,
    },
    judge::Judge,
    keys::Sort,
};
use crate::domain::{
    claims::ClaimPaths,
    issuer::{IssuerPolicy, Provision, WorkspaceGlobs},
    scope::Scopes,
};

const PROVISIONS: [(&str, Provision); 3] =
    [("workspace", Provision::Workspace), ("user", Provision::User), ("none", Provision::None)];

pub(super) fn judge(judge: &mut Judge<'_>, sort: Sort) -> IssuerPolicy {
    let usual = if sort == Sort::Workos { Provision::Workspace } else { Provision::User };
    let default = IssuerPolicy::new(judge.name.clone(), usual);
    let max_scopes = scopes(judge, "max_scopes");
    let workspaces = judge.texts("default_workspaces").map(|ids| parse_workspaces(&ids));
    let globs = judge.texts("allowed_workspaces");
    IssuerPolicy {
        provision: provision(judge).unwrap_or(default.provision),
        default_scopes: scopes(judge, "default_scopes").unwrap_or_default(),
        default_workspaces: workspaces
            .and_then(|parsed| judge.take("default_workspaces", parsed))
            .unwrap_or(default.default_workspaces),
        role_scopes: role_scopes(judge),
        max_scopes: max_scopes.unwrap_or(default.max_scopes),
        requires_scopes: judge.get("requires_scopes").unwrap_or(default.requires_scopes),
        allowed_workspaces: globs.map_or(default.allowed_workspaces, |globs| {
            // As ids are case-folded.
            let folded: Vec<_> = globs.iter().map(|glob| glob.to_ascii_lowercase()).collect();
            WorkspaceGlobs::new(folded.iter().map(String::as_str))
        }),
        claims: claims(judge),
        max_token_life: judge.duration("max_token_life", 1, 366 * 86_400, SignedDuration::from_hours(24)),
        ..default
    }
}

/// A provision's name in the config.
pub(super) fn name_of(provision: Provision) -> &'static str {
    PROVISIONS.iter().find(|(_, known)| *known == provision).map_or("", |(name, _)| name)
}

fn provision(judge: &mut Judge<'_>) -> Option<Provision> {
    let text: String = judge.get("provision")?;
    let found = PROVISIONS.iter().find(|(name, _)| *name == text).map(|(_, provision)| *provision);
    if found.is_none() {
        judge.refuse("provision", one_of(&text, &PROVISIONS.map(|(name, _)| name)));
    }
    found
}

fn scopes(judge: &mut Judge<'_>, key: &str) -> Option<Scopes> {
    let names = judge.texts(key)?;
    let parsed = parse_scopes(&names);
    judge.take(key, parsed)
}

fn role_scopes(judge: &mut Judge<'_>) -> BTreeMap<String, Scopes> {
    let roles: BTreeMap<String, Vec<String>> = judge.get("role_scopes").unwrap_or_default();
    let mut parsed = BTreeMap::new();
    for (role, names) in roles {
        match parse_scopes(&names) {
            Ok(scopes) => drop(parsed.insert(role, scopes)),
            Err(reason) => judge.refuse("role_scopes", format!("{role}: {reason}")),
        }
    }
    parsed
}

fn claims(judge: &mut Judge<'_>) -> ClaimPaths {
    let table: BTreeMap<String, Vec<String>> = judge.get("claims").unwrap_or_default();
    judge.take("claims", ClaimPaths::parse(table).map_err(|error| error.to_string())).unwrap_or_default()
}
