//! People: made users at first sight, exactly once; their rights follow their memberships at once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use tidegate::{
    app::{
        people::Issuer,
        revocations::{Happened, IssuerEvent},
        sessions::NewSession,
    },
    domain::{
        identity::Identity,
        ids::RevocationId,
        issuer::{IssuerPolicy, Provision},
        page::PageRequest,
        revocation::{Notice, Revocation, Revoked},
        rights::Origin,
        scope::Scope,
        user::Role,
        workspace::WorkspaceAccess,
    },
    ports::{
        profile_source::{Profile, ProfileError, ProfileSource},
        repository::Repository,
        token_validator::AuthError,
    },
};

use super::{
    town::{Town, id},
    world::{admin, eventually, new_token, workspace},
};
use crate::support::people::{bounded, client, only, person, placed, policy};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_first_requests_make_one_user_with_one_workspace() {
    let town = Town::of(policy(Provision::Workspace)).await;
    let ada = Identity { username: Some("ada".to_owned()), ..person("ada") };
    let tokens: Vec<_> = (0..100).map(|_| town.token(ada.clone())).collect();
    let met = join_all(tokens.iter().map(|token| town.who(token))).await;
    let own = id("ada").default_workspace().unwrap();
    for who in met {
        assert_eq!(who.unwrap().rights.role_in(&own), Some(Role::Owner));
    }
    let mut view = town.world.repository.view().await.unwrap();
    let made = view.workspaces().find(&own).await.unwrap().unwrap();
    assert_eq!(made.name.as_str(), "ada");
    let members = view.memberships().list(&own, &PageRequest::default()).await.unwrap().items;
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].username.as_deref(), Some("ada"));
}

#[tokio::test]
async fn where_a_policy_makes_users_only_they_get_no_workspace() {
    let town = Town::of(policy(Provision::User)).await;
    let who = town.who(&town.token(person("ada"))).await.unwrap();
    assert_eq!(who.rights.reach(), WorkspaceAccess::none());
    let mut view = town.world.repository.view().await.unwrap();
    assert!(view.users().find(&id("ada")).await.unwrap().is_some());
    assert!(view.workspaces().find(&id("ada").default_workspace().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn where_nobody_is_made_a_user_members_come_in_until_they_are_removed() {
    let town = Town::of(policy(Provision::None)).await;
    let token = town.token(person("ada"));
    assert_eq!(town.who(&token).await.unwrap_err(), AuthError::NotProvisioned);
    town.put("ada", Role::Viewer).await;
    let who = town.who(&token).await.unwrap();
    assert!(who.may(Scope::WorkflowsRead, &workspace("demo")) && !who.may(Scope::WorkflowsWrite, &workspace("demo")));
    town.put("ada", Role::Admin).await;
    let ada = town.who(&token).await.unwrap();
    let (_, hers) = town.world.mint(&ada, new_token("hers", &[Scope::WorkflowsRead], &["demo"])).await;
    town.who(hers.expose()).await.unwrap();
    town.remove("ada").await;
    for secret in [token.as_str(), hers.expose()] {
        assert_eq!(town.who(secret).await.unwrap_err(), AuthError::NotProvisioned);
    }
    let mut view = town.world.repository.view().await.unwrap();
    assert!(view.users().find(&id("ada")).await.unwrap().is_none(), "nothing is written");
}

#[tokio::test]
async fn rights_follow_memberships_at_once() {
    let town = Town::of(policy(Provision::User)).await;
    let token = town.token(person("ada"));
    let may = async |scope| town.who(&token).await.unwrap().may(scope, &workspace("demo"));
    assert!(!may(Scope::WorkflowsRead).await);
    town.put("ada", Role::Viewer).await;
    assert!(may(Scope::WorkflowsRead).await && !may(Scope::WorkflowsWrite).await);
    town.put("ada", Role::Member).await;
    assert!(may(Scope::WorkflowsWrite).await && !may(Scope::AdminTokensWrite).await);
    town.put("ada", Role::Admin).await;
    assert!(may(Scope::AdminTokensWrite).await && !may(Scope::AdminWorkspacesWrite).await);
    town.remove("ada").await;
    assert!(!may(Scope::WorkflowsRead).await);
}

#[tokio::test]
async fn a_known_caller_is_named_without_a_look_into_the_store() {
    let town = Town::of(policy(Provision::User)).await;
    let token = town.token(person("ada"));
    let first = town.who(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &town.who(&token).await.unwrap()));
    town.put("ada", Role::Viewer).await;
    assert!(!Arc::ptr_eq(&first, &town.who(&token).await.unwrap()));
}

#[tokio::test]
async fn workspaces_that_a_token_names_decide_alone() {
    let town = Town::of(policy(Provision::User)).await;
    town.put("ada", Role::Owner).await;
    let who = town.who(&town.token(placed("ada", &["other"]))).await.unwrap();
    assert_eq!((who.rights.reach(), who.rights.origin()), (only(&["other"]), Origin::Credential));
    let who = town.who(&town.token(placed("ada", &[]))).await.unwrap();
    assert_eq!(who.rights.reach(), WorkspaceAccess::none(), "a claim that is empty, too");
}

#[tokio::test]
async fn default_workspaces_are_for_who_never_had_a_membership() {
    let defaults = IssuerPolicy { default_workspaces: WorkspaceAccess::All, ..policy(Provision::User) };
    let town = Town::of(defaults).await;
    let token = town.token(person("ada"));
    let who = town.who(&token).await.unwrap();
    assert!(who.rights.reaches_all() && who.rights.origin() == Origin::Defaults);
    assert!(!who.may(Scope::AdminTokensWrite, &workspace("demo")), "admin scopes must be stated");
    let service = town.who(&town.token(client("ci", &[Scope::JobsWork]))).await.unwrap();
    assert!(service.rights.reaches_all() && service.may(Scope::JobsWork, &workspace("demo")));
    town.put("ada", Role::Viewer).await;
    let who = town.who(&token).await.unwrap();
    assert_eq!((who.rights.reach(), who.rights.origin()), (only(&["demo"]), Origin::Memberships));
    town.remove("ada").await;
    let who = town.who(&token).await.unwrap();
    assert_eq!((who.rights.reach(), who.rights.origin()), (WorkspaceAccess::none(), Origin::Memberships));
    // Also of who was a member before they ever came.
    town.put("bob", Role::Viewer).await;
    town.remove("bob").await;
    let bob = town.who(&town.token(person("bob"))).await.unwrap();
    assert_eq!((bob.rights.reach(), bob.rights.origin()), (WorkspaceAccess::none(), Origin::Memberships));
    let service = town.who(&town.token(client("ci", &[Scope::JobsWork]))).await.unwrap();
    assert!(service.rights.reaches_all(), "services are members of nothing");
}

#[tokio::test]
async fn a_session_that_stood_on_default_workspaces_is_cut_by_the_first_membership() {
    let defaults = IssuerPolicy { default_workspaces: WorkspaceAccess::All, ..policy(Provision::User) };
    let town = Town::of(defaults).await;
    let ada = town.who(&town.token(person("ada"))).await.unwrap();
    let new = NewSession { workspace: Some(workspace("demo")), ..NewSession::default() };
    let session = town.world.app().sessions.create(&ada, new).await.unwrap().client_secret;
    let may = async |scope| town.who(session.expose_secret()).await.unwrap().may(scope, &workspace("demo"));
    assert!(may(Scope::WorkflowsWrite).await);
    town.put("ada", Role::Viewer).await;
    assert!(may(Scope::WorkflowsRead).await && !may(Scope::WorkflowsWrite).await);
    town.remove("ada").await;
    assert!(!may(Scope::WorkflowsRead).await);
}

#[tokio::test]
async fn who_was_deleted_and_is_let_in_again_has_nothing() {
    let defaults = IssuerPolicy { default_workspaces: WorkspaceAccess::All, ..policy(Provision::User) };
    let town = Town::of(defaults).await;
    town.put("ada", Role::Admin).await;
    let token = town.token(person("ada"));
    let ada = town.who(&token).await.unwrap();
    let (_, hers) = town.world.mint(&ada, new_token("hers", &[Scope::WorkflowsRead], &["demo"])).await;
    let revocations = &town.world.app().revocations;
    let deleted = IssuerEvent {
        issuer: id("ada").issuer().clone(),
        id: "event_1".to_owned(),
        at: town.world.app().core.commands.now(),
        what: Happened::UserDeleted("ada".to_owned()),
    };
    revocations.heard(deleted).await.unwrap();
    for secret in [token.as_str(), hers.expose()] {
        assert_eq!(town.who(secret).await.unwrap_err(), AuthError::TokenRevoked);
    }
    let entries = revocations.list(&admin(), &PageRequest::default()).await.unwrap().items;
    revocations.lift(&admin(), entries[0].id).await.unwrap();
    for secret in [token.as_str(), hers.expose()] {
        assert_eq!(town.who(secret).await.unwrap().rights.reach(), WorkspaceAccess::none());
    }
}

#[tokio::test]
async fn a_ceiling_bounds_what_a_role_gives() {
    let town = Town::of(policy(Provision::User)).await;
    town.put("ada", Role::Owner).await;
    let who = town.who(&town.token(bounded("ada", &[Scope::WorkflowsRead]))).await.unwrap();
    assert!(who.may(Scope::WorkflowsRead, &workspace("demo")) && !who.may(Scope::WorkflowsWrite, &workspace("demo")));
}

#[tokio::test]
async fn what_a_person_is_called_is_kept_and_follows_their_younger_token() {
    let town = Town::of(policy(Provision::User)).await;
    let called = |name: &str, at: &str| Identity {
        username: Some(name.to_owned()),
        issued_at: Some(at.parse().unwrap()),
        ..person("ada")
    };
    let nameless = town.token(person("ada"));
    assert_eq!(town.who(&nameless).await.unwrap().username, None);
    let (old, new) = ("2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z");
    town.who(&town.token(called("ada.l", new))).await.unwrap();
    town.who(&town.token(called("ada", old))).await.unwrap();
    let mut view = town.world.repository.view().await.unwrap();
    assert_eq!(view.users().find(&id("ada")).await.unwrap().unwrap().username.as_deref(), Some("ada.l"));
    let again = town.who(&town.token(person("ada"))).await.unwrap();
    assert_eq!(again.username.as_deref(), Some("ada.l"), "a token that does not say is filled in");
}

#[tokio::test]
async fn who_is_banned_does_not_become_a_user() {
    let town = Town::of(policy(Provision::Workspace)).await;
    town.who(&town.token(person("bob"))).await.unwrap();
    let revocation = Revocation {
        id: RevocationId::new(uuid::Uuid::from_u128(1)),
        revoked: Revoked::User(id("ada")),
        reason: None,
        ban: true,
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        ends_at: None,
        created_by: (&admin()).into(),
    };
    town.world.app().core.commands.signals().standing.apply([Notice::Revoked(revocation)]);
    assert_eq!(town.who(&town.token(person("ada"))).await.unwrap_err(), AuthError::TokenRevoked);
    let mut view = town.world.repository.view().await.unwrap();
    assert!(view.users().find(&id("ada")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_of_an_issuer_without_a_policy_names_nobody() {
    let town = Town::of(policy(Provision::User)).await;
    let stranger = Identity { issuer: Some("elsewhere".to_owned()), ..person("ada") };
    assert_eq!(town.who(&town.token(stranger)).await.unwrap_err(), AuthError::InvalidIssuer);
}

/// Tells what it is told to tell, and counts.
#[derive(Debug, Default)]
struct Profiles {
    told: Mutex<Option<Profile>>,
    asked: AtomicU32,
}

#[async_trait]
impl ProfileSource for Profiles {
    async fn profile(&self, _: &str) -> Result<Option<Profile>, ProfileError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let told = self.told.lock().unwrap().clone();
        told.map(Some).ok_or_else(|| ProfileError("down".to_owned()))
    }
}

impl Profiles {
    fn tell(&self, username: &str) {
        let email = Some(format!("{username}@corp.test"));
        *self.told.lock().unwrap() = Some(Profile { username: Some(username.to_owned()), email });
    }
}

async fn with_profiles(provision: Provision) -> (Town, Arc<Profiles>) {
    let profiles = Arc::new(Profiles::default());
    let town = Town::of(Issuer { policy: policy(provision), profiles: Some(profiles.clone()) }).await;
    (town, profiles)
}

#[tokio::test]
async fn what_no_token_says_is_asked_of_the_issuer_at_first_sight_and_not_again() {
    let (town, profiles) = with_profiles(Provision::Workspace).await;
    profiles.tell("ada");
    for _ in 0..3 {
        let who = town.who(&town.token(person("ada"))).await.unwrap();
        assert_eq!((who.username.as_deref(), who.email.as_deref()), (Some("ada"), Some("ada@corp.test")));
    }
    let own = id("ada").default_workspace().unwrap();
    let mut view = town.world.repository.view().await.unwrap();
    assert_eq!(view.workspaces().find(&own).await.unwrap().unwrap().name.as_str(), "ada");
    assert_eq!(profiles.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_issuer_that_does_not_tell_keeps_nobody_out_and_is_asked_again_later() {
    let (town, profiles) = with_profiles(Provision::User).await;
    for _ in 0..3 {
        assert_eq!(town.who(&town.token(person("ada"))).await.unwrap().username, None);
    }
    assert_eq!(profiles.asked.load(Ordering::SeqCst), 1);
    profiles.tell("ada");
    town.world.pass(61);
    eventually("she is called ada", || async {
        town.who(&town.token(person("ada"))).await.unwrap().username.as_deref() == Some("ada")
    })
    .await;
    assert_eq!(profiles.asked.load(Ordering::SeqCst), 2);
}
