//! Never more than ceiling and grant; and what is taken away never adds a right (authentication.md section 3).

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::{btree_map, btree_set},
    option,
    prelude::*,
    sample::{select, subsequence},
};
use serde_json::Value;
use tidegate::{
    adapters::http::{Asked, Document, explain},
    domain::{
        identity::Identity,
        issuer::Provision,
        rights::{Ceiling, Grant, Rights},
        scope::{Scope, Scopes},
        user::Role,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
};

use super::world::{World, workspace};
use crate::support::people::{TestIssuer, person, policy};

const PLACES: [&str; 3] = ["a", "b", "c"];

/// What a caller's rights are made of.
#[derive(Debug, Clone)]
struct Made {
    ceiling: Bound,
    most: Scopes,
    named: Option<Reach>,
    roles: BTreeMap<&'static str, Role>,
    defaults: Reach,
}

#[derive(Debug, Clone)]
enum Bound {
    Stated(Scopes),
    Derived(Scopes),
    Open,
}

#[derive(Debug, Clone)]
enum Reach {
    All,
    Only(BTreeSet<&'static str>),
}

impl Reach {
    fn access(&self) -> WorkspaceAccess {
        match self {
            Self::All => WorkspaceAccess::All,
            Self::Only(ids) => WorkspaceAccess::Only(ids.iter().map(|id| workspace(id)).collect()),
        }
    }

    fn has(&self, place: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(place),
        }
    }

    fn without(&self, place: &str) -> Self {
        match self {
            Self::All => Self::All,
            Self::Only(ids) => Self::Only(ids.iter().copied().filter(|id| *id != place).collect()),
        }
    }
}

impl Made {
    fn roles(&self) -> BTreeMap<WorkspaceId, Role> {
        self.roles.iter().map(|(id, role)| (workspace(id), *role)).collect()
    }

    fn rights(&self) -> Rights {
        let ceiling = match &self.ceiling {
            Bound::Stated(scopes) => Ceiling::stated(scopes.clone()),
            Bound::Derived(scopes) => Ceiling::derived(scopes.clone()),
            Bound::Open => Ceiling::open(),
        };
        let grant = self.named.as_ref().map_or(Grant::none(), |named| Grant::Named(named.access()));
        Rights::new(ceiling.within(&self.most), grant).with_memberships(&self.roles(), &self.defaults.access())
    }

    /// The contract, word by word.
    fn may(&self, scope: Scope, place: &str) -> bool {
        let (within, stated) = match &self.ceiling {
            Bound::Stated(scopes) => (scopes.contains(&scope), scopes.contains(&scope)),
            Bound::Derived(scopes) => (scopes.contains(&scope), false),
            Bound::Open => (true, false),
        };
        let admin = scope.as_str().starts_with("admin:");
        let granted = match (&self.named, self.roles.is_empty()) {
            (Some(named), _) => named.has(place) && (!admin || stated),
            (None, true) => self.defaults.has(place) && (!admin || stated),
            (None, false) => self.roles.get(place).is_some_and(|role| role_gives(*role, scope.as_str())),
        };
        within && self.most.contains(&scope) && granted
    }

    /// The same with one thing less, each time another.
    fn lessened(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for scope in Scope::ALL {
            let mut less = self.clone();
            less.most.remove(scope);
            all.push(less.clone());
            less.most.clone_from(&self.most);
            if let Bound::Stated(scopes) | Bound::Derived(scopes) = &mut less.ceiling {
                scopes.remove(scope);
                all.push(less);
            }
        }
        for place in PLACES {
            if let Some(named) = &self.named {
                all.push(Self { named: Some(named.without(place)), ..self.clone() });
            }
            all.push(Self { defaults: self.defaults.without(place), ..self.clone() });
            let mut less = self.clone();
            less.roles.remove(place);
            // For who has no membership left `default_workspaces` decide: that is what they are for.
            let nowhere = matches!(&self.defaults, Reach::Only(ids) if ids.is_empty());
            if !less.roles.is_empty() || nowhere {
                all.push(less);
            }
        }
        all
    }
}

/// The table of roles of the contract.
fn role_gives(role: Role, scope: &str) -> bool {
    match role {
        Role::Owner | Role::Admin => !scope.starts_with("admin:") || scope.starts_with("admin:tokens:"),
        Role::Member => {
            scope.starts_with("workflows:") || ["jobs:work", "chatkit:session", "vault:read"].contains(&scope)
        }
        Role::Viewer => scope == "workflows:read",
    }
}

fn scopes() -> impl Strategy<Value = Scopes> {
    subsequence(Scope::ALL.to_vec(), 0..=Scope::ALL.len()).prop_map(|scopes| scopes.into_iter().collect())
}

fn reach() -> impl Strategy<Value = Reach> {
    prop_oneof![1 => Just(Reach::All), 4 => btree_set(select(PLACES.to_vec()), 0..=3).prop_map(Reach::Only)]
}

fn made() -> impl Strategy<Value = Made> {
    let ceiling = prop_oneof![scopes().prop_map(Bound::Stated), scopes().prop_map(Bound::Derived), Just(Bound::Open)];
    let roles = btree_map(select(PLACES.to_vec()), select(Role::ALL.to_vec()), 0..=3);
    (ceiling, scopes(), option::of(reach()), roles, reach()).prop_map(|(ceiling, most, named, roles, defaults)| Made {
        ceiling,
        most,
        named,
        roles,
        defaults,
    })
}

fn all_rights(rights: &Rights) -> BTreeSet<(Scope, &'static str)> {
    let pairs = Scope::ALL.iter().flat_map(|scope| PLACES.map(|place| (*scope, place)));
    pairs.filter(|(scope, place)| rights.may(*scope, &workspace(place))).collect()
}

/// The operations of the document that scopes decide, with these.
fn operations() -> Vec<(String, Vec<Scope>)> {
    let document = Document::generate();
    let paths = document.value()["paths"].as_object().unwrap().clone();
    let of_path = |(path, verbs): (String, Value)| {
        verbs.as_object().unwrap().clone().into_iter().map(move |(verb, operation)| {
            let scopes = operation["x-required-scopes"].as_array().cloned().unwrap_or_default();
            let scopes = scopes.iter().map(|scope| scope.as_str().unwrap().parse().unwrap()).collect();
            (format!("{} {path}", verb.to_uppercase()), scopes)
        })
    };
    paths.into_iter().flat_map(of_path).collect()
}

proptest! {
    #[test]
    fn rights_are_what_the_contract_says_and_less_of_anything_is_less(made in made()) {
        let rights = made.rights();
        let held = all_rights(&rights);
        for scope in Scope::ALL {
            for place in PLACES {
                prop_assert_eq!(held.contains(&(*scope, place)), made.may(*scope, place), "{} in {}", scope, place);
                prop_assert_eq!(rights.where_may(*scope).contains(&workspace(place)), made.may(*scope, place));
            }
        }
        for less in made.lessened() {
            prop_assert!(all_rights(&less.rights()).is_subset(&held), "{less:?}");
        }
    }

    #[test]
    fn a_persons_token_never_has_more_than_its_own_nor_than_its_person(
        owner in made(), scopes in scopes(), places in reach(),
    ) {
        let cut = |owner: &Made| {
            let own = Rights::stated(scopes.clone(), places.access());
            own.cut_to_owner(&owner.roles(), &owner.defaults.access(), &owner.most)
        };
        let held = all_rights(&cut(&owner));
        let stated = Made { ceiling: Bound::Stated(scopes.clone()), named: None, ..owner.clone() };
        for (scope, place) in &held {
            prop_assert!(scopes.contains(scope) && places.has(place) && stated.may(*scope, place), "{scope} in {place}");
        }
        for less in owner.lessened() {
            prop_assert!(all_rights(&cut(&less)).is_subset(&held), "{less:?}");
        }
    }
}

#[test]
fn no_operation_is_let_through_that_rights_do_not_cover() {
    let world = World::of(|parts| TestIssuer::default().join(parts, policy(Provision::User)));
    let people = &world.app().people;
    let operations = operations();
    let allowed = |made: &Made| -> BTreeSet<(&str, &str)> {
        let who = Identity { rights: made.rights(), ..person("ada") };
        let pairs = operations.iter().flat_map(|(operation, _)| PLACES.map(|place| (operation.as_str(), place)));
        let is_allowed = |(operation, place): &(&str, &str)| {
            // The workspace of these stands in their path.
            let asked: Asked = operation.replace("/workspaces/{id}", &format!("/workspaces/{place}")).parse().unwrap();
            explain(people, &who, &asked, Some(&workspace(place))).allowed
        };
        pairs.filter(is_allowed).collect()
    };
    proptest!(ProptestConfig::with_cases(16), |(made in made())| {
        let let_through = allowed(&made);
        for (operation, place) in &let_through {
            let (_, scopes) = operations.iter().find(|(known, _)| known == operation).unwrap();
            let covered = scopes.iter().all(|scope| made.may(*scope, place));
            let by_role = operation.contains("/members")
                && made.named.is_none()
                && made.roles.get(place).is_some_and(|role| role.administers());
            prop_assert!(covered || by_role || *operation == "POST /api/workspaces", "{operation} in {place}");
        }
        for less in made.lessened() {
            prop_assert!(allowed(&less).is_subset(&let_through), "{less:?}");
        }
    });
}
