//! Nobody grants, changes or removes a role above their own (authentication.md section 3).

use tidegate::{
    app::error::{AppError, ConflictError, Noun},
    domain::{
        identity::Identity,
        issuer::{IssuerPolicy, Provision},
        page::PageRequest,
        rights::{Ceiling, Grant, Rights},
        scope::{Scope, all_scopes},
        user::{Role, UserId},
    },
    ports::{repository::Repository, token_validator::AuthError},
};

use super::{
    town::{Town, id},
    world::{admin, service, workspace},
};
use crate::support::people::{bounded, person, placed, policy};

/// The roles, and one person of each in `demo`, besides the owner `root`.
const CAST: [(&str, Role); 4] =
    [("owner", Role::Owner), ("admin", Role::Admin), ("member", Role::Member), ("viewer", Role::Viewer)];

async fn town() -> Town {
    let town = Town::of(policy(Provision::User)).await;
    town.put("root", Role::Owner).await;
    for (name, role) in CAST {
        town.put(name, role).await;
    }
    town
}

fn refused<T: std::fmt::Debug>(answer: &Result<T, AppError>) -> bool {
    matches!(answer, Err(AppError::Auth(AuthError::MissingScope(_))))
}

impl Town {
    async fn named(&self, who: Identity) -> Identity {
        self.who(&self.token(who)).await.unwrap().as_ref().clone()
    }

    async fn try_put(&self, who: &Identity, user: UserId, role: Role) -> Result<Role, AppError> {
        let put = self.world.app().members.put(who, workspace("demo"), user, role).await;
        put.map(|member| member.membership.role)
    }

    async fn try_remove(&self, who: &Identity, user: &str) -> Result<(), AppError> {
        self.world.app().members.remove(who, workspace("demo"), id(user)).await
    }

    async fn try_list(&self, who: &Identity) -> Result<usize, AppError> {
        let listed = self.world.app().members.list(who, &workspace("demo"), &PageRequest::default()).await;
        listed.map(|page| page.items.len())
    }
}

#[tokio::test]
async fn owners_and_admins_see_to_members_within_their_role() {
    let town = town().await;
    for (name, own) in CAST {
        let who = town.named(person(name)).await;
        assert_eq!(town.try_list(&who).await.is_ok(), own.administers(), "{name}");
        for granted in Role::ALL {
            let new = UserId::parse(&format!("corp:new-{name}-{}", granted.as_str())).unwrap();
            let put = town.try_put(&who, new, granted).await;
            let may = own.administers() && granted <= own;
            assert!(if may { put.is_ok() } else { refused(&put) }, "{name} grants {granted:?}: {put:?}");
        }
        for (other, role) in CAST.into_iter().filter(|(other, _)| *other != name) {
            let may = own.administers() && role <= own;
            let put = town.try_put(&who, id(other), Role::Viewer).await;
            assert!(if may { put.is_ok() } else { refused(&put) }, "{name} demotes {other}: {put:?}");
            town.put(other, role).await;
            let removed = town.try_remove(&who, other).await;
            assert!(if may { removed.is_ok() } else { refused(&removed) }, "{name} removes {other}: {removed:?}");
            town.put(other, role).await;
        }
    }
}

#[tokio::test]
async fn the_last_owner_stays() {
    let town = Town::of(policy(Provision::User)).await;
    town.put("ada", Role::Owner).await;
    let ada = town.named(person("ada")).await;
    let last = |answer: Result<(), AppError>| matches!(answer, Err(AppError::Conflict(ConflictError::LastOwner)));
    assert!(last(town.try_remove(&ada, "ada").await));
    assert!(last(town.try_put(&ada, id("ada"), Role::Admin).await.map(drop)));
    assert!(last(town.try_remove(&admin(), "ada").await));
    town.put("bob", Role::Owner).await;
    town.try_put(&ada, id("ada"), Role::Admin).await.unwrap();
    assert!(last(town.try_remove(&admin(), "bob").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_owners_who_demote_each_other_at_once_one_stays() {
    let town = Town::of(policy(Provision::User)).await;
    for _ in 0..20 {
        town.put("ada", Role::Owner).await;
        town.put("bob", Role::Owner).await;
        let (ada, bob) = (town.named(person("ada")).await, town.named(person("bob")).await);
        let (one, two) =
            tokio::join!(town.try_put(&ada, id("bob"), Role::Viewer), town.try_put(&bob, id("ada"), Role::Viewer));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    }
}

#[tokio::test]
async fn a_role_that_was_lost_meanwhile_does_not_count() {
    let town = town().await;
    let believed = town.named(person("admin")).await;
    town.put("admin", Role::Viewer).await;
    assert!(refused(&town.try_put(&believed, id("member"), Role::Viewer).await));
    town.remove("admin").await;
    assert!(refused(&town.try_remove(&believed, "member").await));
}

#[tokio::test]
async fn every_member_may_leave() {
    let town = town().await;
    for (name, _) in CAST {
        let who = town.named(person(name)).await;
        town.try_remove(&who, name).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_is_bounded_to_reading_changes_no_members() {
    let town = town().await;
    let who = town.named(bounded("owner", &[Scope::WorkflowsRead])).await;
    town.try_list(&who).await.unwrap();
    assert!(refused(&town.try_put(&who, id("new"), Role::Viewer).await));
    assert!(refused(&town.try_remove(&who, "member").await));
    assert!(refused(&town.try_remove(&who, "owner").await));
}

#[tokio::test]
async fn nobody_grants_what_their_token_leaves_out() {
    let town = town().await;
    let changing = [Scope::WorkflowsRead, Scope::WorkflowsWrite];
    let who = town.named(bounded("owner", &changing)).await;
    town.try_put(&who, id("new"), Role::Viewer).await.unwrap();
    for role in [Role::Member, Role::Admin, Role::Owner] {
        for name in ["new", "other", "viewer"] {
            assert!(refused(&town.try_put(&who, id(name), role).await), "{role:?} for {name}");
        }
    }
    // What others have already is theirs; less of it may be left to them.
    town.try_put(&who, id("admin"), Role::Admin).await.unwrap();
    town.try_put(&who, id("admin"), Role::Member).await.unwrap();
    let missing = |answer| match answer {
        Err(AppError::Auth(AuthError::MissingScope(scopes))) => scopes,
        other => panic!("{other:?}"),
    };
    let working = [Scope::WorkflowsRead, Scope::WorkflowsWrite, Scope::WorkflowsExecute, Scope::JobsWork];
    let who = town.named(bounded("owner", &working)).await;
    let lacking = missing(town.try_put(&who, id("new"), Role::Member).await);
    assert_eq!(lacking, [Scope::ChatkitSession, Scope::VaultRead].into(), "it is said what");
    let all = all_scopes().into_iter().collect::<Vec<_>>();
    town.try_put(&town.named(bounded("owner", &all)).await, id("new"), Role::Owner).await.unwrap();
}

#[tokio::test]
async fn what_an_issuer_holds_back_from_all_its_people_keeps_none_from_granting() {
    let reading =
        IssuerPolicy { max_scopes: [Scope::WorkflowsRead, Scope::WorkflowsWrite].into(), ..policy(Provision::User) };
    let most = reading.max_scopes.clone();
    let town = Town::of(reading).await;
    town.put("owner", Role::Owner).await;
    let open = Rights::new(Ceiling::open().within(&most), Grant::none());
    let who = town.named(Identity { rights: open, ..person("owner") }).await;
    town.try_put(&who, id("new"), Role::Owner).await.unwrap();
}

#[tokio::test]
async fn a_service_needs_the_scope_there() {
    let town = town().await;
    let scoped = service("ci", &[Scope::AdminWorkspacesWrite], &["demo"]);
    town.try_put(&scoped, id("new"), Role::Owner).await.unwrap();
    town.try_list(&scoped).await.unwrap();
    let all_but = all_scopes().into_iter().filter(|scope| *scope != Scope::AdminWorkspacesWrite).collect::<Vec<_>>();
    assert!(refused(&town.try_put(&service("ci", &all_but, &["demo"]), id("new"), Role::Viewer).await));
    let elsewhere = service("ci", &[Scope::AdminWorkspacesWrite], &["other"]);
    let forbidden = town.try_put(&elsewhere, id("new"), Role::Viewer).await;
    assert!(matches!(forbidden, Err(AppError::Auth(AuthError::WorkspaceForbidden))), "{forbidden:?}");
}

#[tokio::test]
async fn workspaces_that_a_token_names_give_no_role_in_them() {
    let town = town().await;
    let who = town.named(placed("owner", &["demo"])).await;
    assert!(refused(&town.try_list(&who).await) && refused(&town.try_put(&who, id("new"), Role::Viewer).await));
}

#[tokio::test]
async fn who_is_no_member_cannot_be_removed_and_a_misspelt_issuer_is_named() {
    let town = town().await;
    let removed = town.try_remove(&admin(), "nobody").await;
    assert!(matches!(removed, Err(AppError::NotFound(Noun::Membership))), "{removed:?}");
    let misspelt = town.try_put(&admin(), UserId::parse("crop:ada").unwrap(), Role::Viewer).await;
    let Err(AppError::Invalid(fields)) = misspelt else { panic!("{misspelt:?}") };
    assert!(fields[0].pointer == "user_id" && fields[0].message.contains("corp"), "{fields:?}");
}

#[tokio::test]
async fn a_member_keeps_their_since_when_their_role_changes() {
    let town = town().await;
    let list = async || {
        let members = &town.world.app().members;
        members.list(&admin(), &workspace("demo"), &PageRequest::default()).await.unwrap().items
    };
    let before = list().await;
    town.world.pass(60);
    town.put("member", Role::Admin).await;
    let after = list().await;
    let since = |members: &[tidegate::ports::repository::Member]| {
        members.iter().find(|member| member.membership.user == id("member")).unwrap().membership.since
    };
    assert_eq!(since(&before), since(&after));
}

#[tokio::test]
async fn each_change_of_a_member_is_entered_in_the_audit_and_nothing_else_is() {
    let town = Town::of(policy(Provision::User)).await;
    town.put("ada", Role::Owner).await;
    town.put("bob", Role::Viewer).await;
    town.put("bob", Role::Viewer).await;
    town.put("bob", Role::Member).await;
    let bob = town.named(person("bob")).await;
    assert!(refused(&town.try_put(&bob, id("bob"), Role::Owner).await));
    assert!(town.try_remove(&admin(), "ada").await.is_err(), "the last owner");
    town.remove("bob").await;
    let mut unit = town.world.repository.begin().await.unwrap();
    let entries = unit.audit().unchained(100).await.unwrap();
    let of_members =
        entries.iter().map(|waiting| &waiting.entry).filter(|entry| entry.action.starts_with("membership."));
    let told: Vec<_> = of_members
        .map(|entry| (entry.action.as_str(), entry.target.as_deref().unwrap(), entry.workspace.clone().unwrap()))
        .collect();
    let at = |action, target| (action, target, workspace("demo"));
    let expected = [
        at("membership.put", "corp:ada"),
        at("membership.put", "corp:bob"),
        at("membership.put", "corp:bob"),
        at("membership.remove", "corp:bob"),
    ];
    assert_eq!(told, expected);
}
