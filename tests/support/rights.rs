//! Callers of every sort, generated, and what the contract says of their rights (authentication.md section 3).

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::{btree_map, btree_set},
    option,
    prelude::*,
    sample::{select, subsequence},
};
use tidegate::domain::{
    rights::{Ceiling, Grant, Rights},
    scope::{Scope, Scopes},
    user::{Belonging, Role},
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// The workspaces that there are.
pub(crate) const PLACES: [&str; 3] = ["a", "b", "c"];

/// What a caller's rights are made of.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) ceiling: Bound,
    pub(crate) most: Scopes,
    pub(crate) named: Option<Reach>,
    pub(crate) roles: BTreeMap<&'static str, Role>,
    /// Whether they had a membership once.
    pub(crate) belonged: bool,
    pub(crate) defaults: Reach,
}

#[derive(Debug, Clone)]
pub(crate) enum Bound {
    Stated(Scopes),
    Derived(Scopes),
    Open,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    All,
    Only(BTreeSet<&'static str>),
}

fn id(text: &str) -> WorkspaceId {
    WorkspaceId::parse(text).unwrap()
}

impl Reach {
    pub(crate) fn access(&self) -> WorkspaceAccess {
        match self {
            Self::All => WorkspaceAccess::All,
            Self::Only(ids) => WorkspaceAccess::Only(ids.iter().map(|place| id(place)).collect()),
        }
    }

    pub(crate) fn has(&self, place: &str) -> bool {
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
    /// What the gate knows of their memberships.
    pub(crate) fn belonging(&self) -> Belonging {
        if self.has_belonged() {
            Belonging::As(self.roles.iter().map(|(place, role)| (id(place), *role)).collect())
        } else {
            Belonging::Never
        }
    }

    /// Whether they have, or had, a membership.
    pub(crate) fn has_belonged(&self) -> bool {
        self.belonged || !self.roles.is_empty()
    }

    /// What their token says by itself.
    pub(crate) fn token(&self) -> Rights {
        let ceiling = match &self.ceiling {
            Bound::Stated(scopes) => Ceiling::stated(scopes.clone()),
            Bound::Derived(scopes) => Ceiling::derived(scopes.clone()),
            Bound::Open => Ceiling::open(),
        };
        let grant = self.named.as_ref().map_or(Grant::none(), |named| Grant::Named(named.access()));
        Rights::new(ceiling.within(&self.most), grant)
    }

    /// What the gate makes of them.
    pub(crate) fn rights(&self) -> Rights {
        self.token().with_memberships(&self.belonging(), &self.defaults.access())
    }

    /// Whether their token lets a scope through.
    pub(crate) fn ceiling_has(&self, scope: Scope) -> bool {
        let within = match &self.ceiling {
            Bound::Stated(scopes) | Bound::Derived(scopes) => scopes.contains(&scope),
            Bound::Open => true,
        };
        within && self.most.contains(&scope)
    }

    /// Whether they may know of a workspace.
    pub(crate) fn reaches(&self, place: &str) -> bool {
        match (&self.named, self.has_belonged()) {
            (Some(named), _) => named.has(place),
            (None, false) => self.defaults.has(place),
            (None, true) => self.roles.contains_key(place),
        }
    }

    /// Whether they reach every workspace, those to come included.
    pub(crate) fn reaches_all(&self) -> bool {
        match (&self.named, self.has_belonged()) {
            (Some(named), _) => *named == Reach::All,
            (None, belonged) => !belonged && self.defaults == Reach::All,
        }
    }

    /// The contract, word by word.
    pub(crate) fn may(&self, scope: Scope, place: &str) -> bool {
        let stated = matches!(&self.ceiling, Bound::Stated(scopes) if scopes.contains(&scope));
        let by_name = !scope.as_str().starts_with("admin:") || stated;
        let granted = match (&self.named, self.has_belonged()) {
            (Some(named), _) => named.has(place) && by_name,
            (None, false) => self.defaults.has(place) && by_name,
            (None, true) => self.roles.get(place).is_some_and(|role| role_gives(*role, scope.as_str())),
        };
        self.ceiling_has(scope) && granted
    }

    /// Whether they see to the members of a workspace, within a token that lets `least` through.
    pub(crate) fn sees_to_members(&self, place: &str, least: Scope) -> bool {
        let by_role = self.named.is_none() && self.roles.get(place).is_some_and(|role| role.administers());
        self.may(Scope::AdminWorkspacesWrite, place) || (by_role && self.ceiling_has(least))
    }

    /// The same with one thing less, each time another.
    pub(crate) fn lessened(&self) -> Vec<Self> {
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
            // Whoever loses their last membership had one.
            let mut less = Self { belonged: self.has_belonged(), ..self.clone() };
            less.roles.remove(place);
            all.push(less);
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

pub(crate) fn scopes() -> impl Strategy<Value = Scopes> {
    subsequence(Scope::ALL.to_vec(), 0..=Scope::ALL.len()).prop_map(|scopes| scopes.into_iter().collect())
}

pub(crate) fn reach() -> impl Strategy<Value = Reach> {
    prop_oneof![1 => Just(Reach::All), 4 => btree_set(select(PLACES.to_vec()), 0..=3).prop_map(Reach::Only)]
}

pub(crate) fn roles() -> impl Strategy<Value = BTreeMap<&'static str, Role>> {
    btree_map(select(PLACES.to_vec()), select(Role::ALL.to_vec()), 0..=3)
}

pub(crate) fn made() -> impl Strategy<Value = Made> {
    let ceiling = prop_oneof![scopes().prop_map(Bound::Stated), scopes().prop_map(Bound::Derived), Just(Bound::Open)];
    (ceiling, scopes(), option::of(reach()), roles(), any::<bool>(), reach()).prop_map(
        |(ceiling, most, named, roles, belonged, defaults)| Made { ceiling, most, named, roles, belonged, defaults },
    )
}

/// All that rights give, in the workspaces that there are.
pub(crate) fn all_rights(rights: &Rights) -> BTreeSet<(Scope, &'static str)> {
    let pairs = Scope::ALL.iter().flat_map(|scope| PLACES.map(|place| (*scope, place)));
    pairs.filter(|(scope, place)| rights.may(*scope, &id(place))).collect()
}
