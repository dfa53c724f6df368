use proptest::{prelude::*, sample::subsequence};

use super::*;
use crate::domain::{
    issuer::WorkspaceGlobs,
    scope::{Scope, all_scopes},
};

pub(super) fn scopes(names: &[&str]) -> Scopes {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(super) fn only(ids: &[&str]) -> WorkspaceAccess {
    WorkspaceAccess::Only(ids.iter().map(|id| WorkspaceId::parse(id).unwrap()).collect())
}

fn ceiling_of(policy: &IssuerPolicy, claims: Value) -> Ceiling {
    of(policy, claims).unwrap().rights.ceiling().clone()
}

fn stated_of(claims: Value) -> Ceiling {
    ceiling_of(&policy(), claims)
}

#[test]
fn scope_claims_are_united_in_every_form_that_they_have() {
    let both = Ceiling::stated(scopes(&["workflows:read", "jobs:work"]));
    for claims in [
        json!({"scope": "workflows:read jobs:work"}),
        json!({"scope": " workflows:read,,jobs:work\t"}),
        json!({"scope": ["workflows:read"], "scp": "jobs:work"}),
        json!({"scopes": ["workflows:read", "jobs:work", "unknown", 5, null]}),
        json!({"permissions": ["workflows:read"], "tidegate": {"scopes": "jobs:work"}}),
        json!({"orcheo": {"scope": ["workflows:read"]}, "tidegate": {"permissions": ["jobs:work"]}}),
        json!({"scope": "openid profile", "scopes": ["workflows:read", "jobs:work", "email"]}),
    ] {
        assert_eq!(stated_of(claims.clone()), both, "{claims}");
    }
}

#[test]
fn a_scope_claim_without_a_known_scope_is_an_empty_ceiling() {
    let empty = Ceiling::stated(Scopes::new());
    for claim in ["scope", "scopes", "scp", "permissions"] {
        for value in [
            json!("posts:read"),
            json!("Workflows:Read"),
            json!("openid posts:read"),
            json!(["workflows:read jobs:work"]),
            json!([5]),
            json!({"workflows:read": true}),
            json!(true),
        ] {
            assert_eq!(stated_of(json!({claim: value})), empty, "{claim}: {value}");
            assert_eq!(stated_of(json!({"orcheo": {claim: value}})), empty, "{claim}: {value}");
        }
    }
}

#[test]
fn an_empty_claim_of_those_that_providers_always_send_counts_as_absent() {
    let open = Ceiling::open().within(&policy().max_scopes);
    let empty = Ceiling::stated(Scopes::new());
    for value in [json!(""), json!(" "), json!([])] {
        for (claim, expected) in [("scope", &open), ("permissions", &open), ("scopes", &empty), ("scp", &empty)] {
            assert_eq!(stated_of(json!({claim: value})), *expected, "{claim}: {value}");
            assert_eq!(stated_of(json!({"tidegate": {claim: value}})), *expected, "{claim}: {value}");
        }
    }
    let both = stated_of(json!({"scope": "", "permissions": ["jobs:work"]}));
    assert_eq!(both, Ceiling::stated(scopes(&["jobs:work"])));
}

#[test]
fn roles_decide_where_all_scopes_are_unknown_and_roles_have_scopes() {
    let mut policy = policy();
    policy.role_scopes.insert("Workflow.Admin".to_owned(), scopes(&["workflows:read", "workflows:write"]));
    let roles = Ceiling::derived(scopes(&["workflows:read", "workflows:write"]));
    let nothing = Ceiling::derived(Scopes::new());
    for (claims, expected) in [
        (json!({"scp": "access_as_user", "roles": ["Workflow.Admin"]}), &roles),
        (json!({"scp": ["access_as_user"], "scope": "openid other", "roles": ["Workflow.Admin"]}), &roles),
        (json!({"scp": "access_as_user"}), &nothing),
        (json!({"scp": "access_as_user", "roles": ["Guest"]}), &nothing),
    ] {
        assert_eq!(ceiling_of(&policy, claims.clone()), *expected, "{claims}");
    }
    let known = json!({"scp": "access_as_user jobs:work", "roles": ["Workflow.Admin"]});
    assert_eq!(ceiling_of(&policy, known), Ceiling::stated(scopes(&["jobs:work"])));
    let unreadable = json!({"scp": [5], "roles": ["Workflow.Admin"]});
    assert_eq!(ceiling_of(&policy, unreadable), Ceiling::stated(Scopes::new()));
}

#[test]
fn a_claim_that_names_one_role_is_not_split() {
    let mut policy = policy();
    policy.role_scopes.insert("Admin".to_owned(), scopes(&["workflows:write"]));
    policy.claims = ClaimPaths::parse([("roles", vec!["job_title"])]).unwrap();
    policy.default_scopes = scopes(&["workflows:read"]);
    let without = Ceiling::derived(scopes(&["workflows:read"]));
    let with = Ceiling::derived(scopes(&["workflows:read", "workflows:write"]));
    for (claims, expected) in [
        (json!({"role": "Office Admin"}), &without),
        (json!({"job_title": "Office,Admin"}), &without),
        (json!({"role": "Admin"}), &with),
        (json!({"job_title": ["Office", "Admin"]}), &with),
        (json!({"roles": "Office Admin"}), &with),
    ] {
        assert_eq!(ceiling_of(&policy, claims.clone()), *expected, "{claims}");
    }
}

#[test]
fn an_issuer_may_require_scopes() {
    let mut policy = policy();
    policy.requires_scopes = true;
    for claims in [json!({}), json!({"scope": "openid profile email"}), json!({"permissions": [], "role": "x"})] {
        assert_eq!(ceiling_of(&policy, claims.clone()), Ceiling::derived(Scopes::new()), "{claims}");
    }
    assert_eq!(ceiling_of(&policy, json!({"scope": "jobs:work"})), Ceiling::stated(scopes(&["jobs:work"])));
}

#[test]
fn openid_connects_own_scopes_are_no_scope_claim() {
    let most = policy().max_scopes;
    for claims in [
        json!({}),
        json!({"scope": "openid profile email address phone offline_access"}),
        json!({"scp": ["openid"], "scope": "email"}),
        json!({"scope": null, "tidegate": null, "orcheo": "x"}),
    ] {
        assert_eq!(stated_of(claims.clone()), Ceiling::open().within(&most), "{claims}");
    }
}

#[test]
fn without_scopes_roles_and_defaults_decide() {
    let mut policy = policy();
    policy.role_scopes.insert("editor".to_owned(), scopes(&["workflows:read", "workflows:write"]));
    policy.role_scopes.insert("worker".to_owned(), scopes(&["jobs:work"]));
    policy.role_scopes.insert("guest".to_owned(), Scopes::new());
    policy.claims = ClaimPaths::parse([("roles", vec!["realm_access.roles"])]).unwrap();
    let open = Ceiling::open().within(&policy.max_scopes);
    let editor = ["workflows:read", "workflows:write"];
    for (claims, expected) in [
        (json!({"role": "editor"}), Ceiling::derived(scopes(&editor))),
        (json!({"role": "editor", "scope": "openid"}), Ceiling::derived(scopes(&editor))),
        (json!({"role": "editor", "scope": "jobs:work"}), Ceiling::stated(scopes(&["jobs:work"]))),
        (json!({"roles": ["editor", "worker", 7]}), Ceiling::derived(scopes(&[&editor[..], &["jobs:work"]].concat()))),
        (json!({"realm_access": {"roles": ["worker"]}}), Ceiling::derived(scopes(&["jobs:work"]))),
        (json!({"role": "guest"}), Ceiling::derived(Scopes::new())),
        (json!({"role": "stranger"}), open.clone()),
        (json!({"roles": {"editor": true}}), open.clone()),
        (json!({"roles": []}), open),
    ] {
        assert_eq!(ceiling_of(&policy, claims.clone()), expected, "{claims}");
    }
    policy.default_scopes = scopes(&["workflows:read"]);
    assert_eq!(ceiling_of(&policy, json!({})), Ceiling::derived(scopes(&["workflows:read"])));
    assert_eq!(
        ceiling_of(&policy, json!({"role": "worker"})),
        Ceiling::derived(scopes(&["workflows:read", "jobs:work"]))
    );
    assert_eq!(ceiling_of(&policy, json!({"role": "stranger"})), Ceiling::derived(scopes(&["workflows:read"])));
}

#[test]
fn a_service_of_which_nothing_is_said_gets_nothing() {
    let mut policy = policy();
    assert_eq!(ceiling_of(&policy, json!({"type": "service"})), Ceiling::derived(Scopes::new()));
    policy.default_scopes = scopes(&["jobs:work"]);
    assert_eq!(ceiling_of(&policy, json!({"type": "service"})), Ceiling::derived(scopes(&["jobs:work"])));
}

#[test]
fn nothing_comes_past_the_issuers_most() {
    let mut policy = policy();
    let claims = json!({"scope": "workflows:read admin:tokens:write"});
    assert_eq!(ceiling_of(&policy, claims.clone()), Ceiling::stated(scopes(&["workflows:read"])));
    policy.max_scopes = all_scopes();
    assert_eq!(ceiling_of(&policy, claims), Ceiling::stated(scopes(&["workflows:read", "admin:tokens:write"])));
}

#[test]
fn a_workspace_claim_decides_alone_even_if_empty() {
    let mut policy = policy();
    policy.allowed_workspaces = WorkspaceGlobs::new(["team-*", "demo"]);
    for (claims, expected) in [
        (json!({}), Grant::none()),
        (json!({"workspace": null}), Grant::none()),
        (json!({"workspace": "Demo"}), Grant::Named(only(&["demo"]))),
        (
            json!({"workspaces": ["demo", "team-a"], "workspace_id": "team-b"}),
            Grant::Named(only(&["demo", "team-a", "team-b"])),
        ),
        (json!({"workspace_ids": "demo, team-a"}), Grant::Named(only(&["demo", "team-a"]))),
        (
            json!({"tidegate": {"workspace": "demo"}, "orcheo": {"workspaces": ["team-a"]}}),
            Grant::Named(only(&["demo", "team-a"])),
        ),
        (json!({"workspaces": ["theirs"]}), Grant::Named(only(&[]))),
        (json!({"workspaces": []}), Grant::Named(only(&[]))),
        (json!({"workspaces": ""}), Grant::Named(only(&[]))),
    ] {
        let who = of(&policy, claims.clone()).unwrap();
        assert_eq!(*who.rights.grant(), expected, "{claims}");
    }
}

#[test]
fn a_workspace_that_is_no_slug_refuses_the_token() {
    for claim in ["workspace_ids", "workspaces", "workspace_id", "workspace"] {
        for bad in [
            json!("*"),
            json!("ä"),
            json!(["demo", "-x"]),
            json!([""]),
            json!(["a b"]),
            json!([5]),
            json!(5),
            json!({}),
        ] {
            assert_eq!(of(&policy(), json!({claim: bad})), Err(InvalidClaims::Workspace), "{claim}: {bad}");
            assert_eq!(
                of(&policy(), json!({"tidegate": {claim: bad}})),
                Err(InvalidClaims::Workspace),
                "{claim}: {bad}"
            );
        }
    }
}

#[test]
fn a_claim_that_names_one_workspace_is_never_split() {
    let mut policy = policy();
    policy.claims = ClaimPaths::parse([("workspaces", vec!["org.name"])]).unwrap();
    for bad in [
        json!("Acme Finance"),
        json!("acme,finance"),
        json!(" acme"),
        json!("acme\tfinance"),
        json!("acme\u{a0}finance"),
        json!(""),
    ] {
        for claims in [
            json!({"workspace": bad}),
            json!({"workspace_id": bad}),
            json!({"orcheo": {"workspace": bad}}),
            json!({"tidegate": {"workspace_id": bad}}),
            json!({"org": {"name": bad}}),
            json!({"workspaces": [bad]}),
        ] {
            assert_eq!(of(&policy, claims.clone()), Err(InvalidClaims::Workspace), "{claims}");
        }
    }
    for list in [json!(["acme"]), json!(["acme", "finance"]), json!([])] {
        for claim in ["workspace", "workspace_id"] {
            assert_eq!(of(&policy, json!({claim: list})), Err(InvalidClaims::Workspace), "{claim}: {list}");
        }
    }
    let listed = of(&policy, json!({"org": {"name": ["acme", "finance"]}})).unwrap();
    assert_eq!(*listed.rights.grant(), Grant::Named(only(&["acme", "finance"])));
}

const PLACES: &[&str] = &["scope", "scopes", "scp", "permissions"];
const WORKSPACES: &[&str] = &["a", "b", "team-1", "team-2"];
const ROLES: &[&str] = &["r0", "r1", "r2", "r3"];

fn some_scopes() -> impl Strategy<Value = Vec<Scope>> {
    subsequence(Scope::ALL.to_vec(), 0..=Scope::ALL.len())
}

fn some_policy() -> impl Strategy<Value = IssuerPolicy> {
    let roles =
        proptest::collection::btree_map(proptest::sample::select(ROLES).prop_map(str::to_owned), some_scopes(), 0..3);
    let globs = proptest::sample::select(vec![vec!["*"], vec!["team-*"], vec!["a"], vec![]]);
    (some_scopes(), some_scopes(), roles, globs).prop_map(|(most, defaults, roles, globs)| IssuerPolicy {
        max_scopes: most.into_iter().collect(),
        default_scopes: defaults.into_iter().take(2).collect(),
        role_scopes: roles.into_iter().map(|(role, scopes)| (role, scopes.into_iter().collect())).collect(),
        allowed_workspaces: WorkspaceGlobs::new(globs),
        ..policy()
    })
}

/// Claims of every sort, nonsense among them.
fn some_claims() -> impl Strategy<Value = Value> {
    let place = |object: bool| {
        if object { prop_oneof![Just(Some("tidegate")), Just(Some("orcheo"))].boxed() } else { Just(None).boxed() }
    };
    let scopes = (any::<bool>().prop_flat_map(place), proptest::sample::select(PLACES), some_scopes(), any::<bool>());
    let nonsense =
        prop_oneof![Just(json!(null)), Just(json!(5)), Just(json!("openid")), Just(json!(["x"])), Just(json!({}))];
    let roles = proptest::option::of(subsequence(ROLES, 0..=ROLES.len()));
    let workspaces = proptest::option::of(subsequence(WORKSPACES, 0..=WORKSPACES.len()));
    let kind = proptest::sample::select(vec!["user", "service"]);
    let stated = proptest::collection::vec(scopes, 0..3);
    let extra = proptest::option::of((proptest::sample::select(vec!["scp", "role", "username", "email"]), nonsense));
    (stated, roles, workspaces, kind, extra).prop_map(|(stated, roles, workspaces, kind, extra)| {
        let mut claims = json!({"sub": "ada", "type": kind});
        for (namespace, name, scopes, listed) in stated {
            let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            let value = if listed { json!(names) } else { json!(names.join(" ")) };
            match namespace {
                Some(namespace) => claims[namespace][name] = value,
                None => claims[name] = value,
            }
        }
        if let Some(roles) = roles {
            claims["roles"] = json!(roles);
        }
        if let Some(workspaces) = workspaces {
            claims["workspaces"] = json!(workspaces);
        }
        if let Some((name, value)) = extra {
            claims[name] = value;
        }
        claims
    })
}

/// Every right that the rights give, where memberships fill nothing in.
fn pairs(who: &Identity) -> BTreeSet<(Scope, &'static str)> {
    let each = |scope: Scope| WORKSPACES.iter().map(move |workspace| (scope, *workspace));
    let may = |(scope, workspace): &(Scope, &str)| who.may(*scope, &WorkspaceId::parse(workspace).unwrap());
    Scope::ALL.iter().copied().flat_map(each).filter(may).collect()
}

/// Whether all that one may is also the other's, whatever the grant.
fn within(less: &Identity, more: &Identity) -> bool {
    let ceilings = (less.rights.ceiling(), more.rights.ceiling());
    ceilings.0.scopes().is_subset(ceilings.1.scopes())
        && ceilings.0.stated_scopes().is_subset(ceilings.1.stated_scopes())
        && pairs(less).is_subset(&pairs(more))
}

/// The claim without one of the names in it.
fn without(claim: &Value, name: &str) -> Value {
    match claim {
        Value::String(text) => json!(text.split(' ').filter(|other| *other != name).collect::<Vec<_>>().join(" ")),
        Value::Array(list) => json!(list.iter().filter(|other| *other != name).collect::<Vec<_>>()),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn never_more_than_the_issuers_most_nor_outside_its_workspaces(policy in some_policy(), claims in some_claims()) {
        let who = of(&policy, claims).unwrap();
        prop_assert!(who.rights.ceiling().scopes().is_subset(&policy.max_scopes));
        prop_assert!(who.rights.ceiling().stated_scopes().is_subset(who.rights.ceiling().scopes()));
        for (scope, workspace) in pairs(&who) {
            prop_assert!(policy.max_scopes.contains(&scope));
            prop_assert!(policy.allowed_workspaces.allow(&WorkspaceId::parse(workspace).unwrap()));
        }
    }

    #[test]
    fn a_scope_less_in_the_claims_adds_no_right(
        policy in some_policy(), claims in some_claims(), scope in proptest::sample::select(Scope::ALL),
    ) {
        let more = of(&policy, claims.clone()).unwrap();
        for place in PLACES {
            for namespace in [None, Some("tidegate"), Some("orcheo")] {
                let mut fewer = claims.clone();
                let object = match namespace {
                    Some(namespace) => fewer.get_mut(namespace),
                    None => Some(&mut fewer),
                };
                if let Some(claim) = object.and_then(|object| object.get_mut(*place)) {
                    *claim = without(claim, scope.as_str());
                    if *claim == json!("") || *claim == json!([]) {
                        // An empty claim may count as none: see `identity_of`.
                        continue;
                    }
                }
                let less = of(&policy, fewer).unwrap();
                prop_assert!(within(&less, &more), "{claims} without {scope} in {place}: {less:?}");
            }
        }
    }

    #[test]
    fn a_workspace_less_in_the_claims_adds_no_right(
        policy in some_policy(), claims in some_claims(), workspace in proptest::sample::select(WORKSPACES),
    ) {
        let more = of(&policy, claims.clone()).unwrap();
        let mut fewer = claims;
        if let Some(claim) = fewer.get_mut("workspaces") {
            *claim = without(claim, workspace);
            // Still there, so still no membership comes in.
            prop_assert!(matches!(of(&policy, fewer.clone()).unwrap().rights.grant(), Grant::Named(_)));
        }
        prop_assert!(within(&of(&policy, fewer).unwrap(), &more));
    }

    #[test]
    fn a_scope_less_in_the_policy_adds_no_right_to_a_token_that_states_its_own(
        policy in some_policy(), claims in some_claims(), scope in proptest::sample::select(Scope::ALL),
    ) {
        let more = of(&policy, claims.clone()).unwrap();
        let mut policy = policy;
        policy.max_scopes.remove(&scope);
        prop_assert!(within(&of(&policy, claims).unwrap(), &more));
    }

    #[test]
    fn no_claims_make_it_panic(text in ".{0,40}", number in any::<f64>(), policy in some_policy()) {
        let values = [json!(text), json!(number), json!([text, number]), json!({&text: text}), json!([[text]])];
        let names = ["sub", "scope", "roles", "workspaces", "jti", "sid", "iat", "exp", "act", "email", "email_verified", "typ", "tidegate"];
        for value in &values {
            for name in names {
                let _ = of(&policy, json!({name: value}));
            }
        }
    }
}
