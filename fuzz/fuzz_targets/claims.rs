//! Claims of every sort become a caller within the issuer's limits, or none.
#![no_main]

use std::{collections::BTreeMap, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tidegate::domain::{
    claims::{ClaimPaths, identity_of},
    issuer::{IssuerPolicy, Provision, WorkspaceGlobs},
    rights::Grant,
    scope::Scope,
    user::IssuerName,
    workspace::WorkspaceAccess,
};

static POLICIES: LazyLock<[IssuerPolicy; 2]> = LazyLock::new(|| {
    let bare = IssuerPolicy::new(IssuerName::parse("idp").unwrap(), Provision::User);
    let rich = IssuerPolicy {
        default_scopes: [Scope::WorkflowsRead].into(),
        role_scopes: BTreeMap::from([("admin".to_owned(), [Scope::AdminTokensRead, Scope::JobsWork].into())]),
        max_scopes: [Scope::WorkflowsRead, Scope::JobsWork, Scope::AdminTokensRead].into(),
        allowed_workspaces: WorkspaceGlobs::new(["team-*"]),
        claims: ClaimPaths::parse([
            ("scopes", vec!["a.b"]),
            ("roles", vec!["realm_access.roles", "https://x.y/roles"]),
            ("workspaces", vec!["org_id"]),
            ("username", vec!["name"]),
            ("email", vec!["mail.address"]),
        ])
        .unwrap(),
        ..bare.clone()
    };
    [bare, rich]
});

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(claims)) = serde_json::from_slice(data) else { return };
    for policy in POLICIES.iter() {
        let Ok(who) = identity_of(policy, claims.clone()) else { continue };
        assert!(who.rights.ceiling().scopes().is_subset(&policy.max_scopes));
        assert!(who.rights.ceiling().stated_scopes().is_subset(&policy.max_scopes));
        match who.rights.grant() {
            Grant::Named(WorkspaceAccess::Only(ids)) => {
                assert!(ids.iter().all(|id| policy.allowed_workspaces.allow(id)))
            }
            Grant::Named(WorkspaceAccess::All) => panic!("claims name every workspace"),
            Grant::Member(roles) => assert!(roles.is_empty()),
        }
        assert!(!who.subject.is_empty() && !who.subject.contains('\0'));
    }
});
