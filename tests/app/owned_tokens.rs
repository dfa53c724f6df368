//! A token that a person made belongs to them: it never has more than they have now, and ends with them (authentication.md
//! section 4).

use std::sync::Arc;

use jiff::Timestamp;
use tidegate::{
    app::{
        error::{AppError, Noun},
        revocations::{Happened, IssuerEvent, NewRevocation, Target},
        service_tokens::{NewRotation, NewServiceToken},
    },
    domain::{
        identity::Identity,
        ids::RevocationId,
        issuer::{IssuerPolicy, Provision},
        revocation::{Notice, Revocation, Revoked},
        rights::Origin,
        scope::{Scope, all_scopes},
        user::Role,
        workspace::WorkspaceAccess,
    },
    ports::{repository::Repository, token_validator::AuthError},
};

use super::{
    town::{Town, id},
    world::{admin, id as token_id, new_token, workspace},
};
use crate::support::people::{bounded, person, policy};

const MINTER: &[Scope] =
    &[Scope::AdminTokensRead, Scope::AdminTokensWrite, Scope::WorkflowsRead, Scope::WorkflowsWrite];

impl Town {
    /// Who somebody is, by a token of theirs.
    async fn ada(&self) -> Identity {
        self.who(&self.token(person("ada"))).await.unwrap().as_ref().clone()
    }

    async fn minted(&self, who: &Identity, new: NewServiceToken) -> String {
        self.world.mint(who, new).await.1.expose().to_owned()
    }

    async fn may(&self, secret: &str, scope: Scope) -> bool {
        self.who(secret).await.unwrap().may(scope, &workspace("demo"))
    }

    fn enter(&self, ban: bool, at: Timestamp) {
        let revocation = Revocation {
            id: RevocationId::new(uuid::Uuid::from_u128(7)),
            revoked: Revoked::User(id("ada")),
            reason: None,
            ban,
            at,
            ends_at: None,
            created_by: (&admin()).into(),
        };
        self.world.app().core.commands.signals().standing.apply([Notice::Revoked(revocation)]);
    }
}

async fn town() -> Town {
    let town = Town::of(policy(Provision::User)).await;
    town.put("ada", Role::Admin).await;
    town
}

#[tokio::test]
async fn a_persons_token_follows_their_memberships() {
    let town = town().await;
    let secret = town.minted(&town.ada().await, new_token("hers", MINTER, &["demo"])).await;
    assert!(town.may(&secret, Scope::AdminTokensWrite).await && town.may(&secret, Scope::WorkflowsWrite).await);
    assert!(!town.may(&secret, Scope::WorkflowsExecute).await, "what it never stated");
    town.put("ada", Role::Viewer).await;
    assert!(town.may(&secret, Scope::WorkflowsRead).await);
    assert!(!town.may(&secret, Scope::WorkflowsWrite).await && !town.may(&secret, Scope::AdminTokensWrite).await);
    town.remove("ada").await;
    let who = town.who(&secret).await.unwrap();
    assert_eq!((who.rights.reach(), who.rights.origin()), (WorkspaceAccess::none(), Origin::Owner));
    town.put("ada", Role::Owner).await;
    assert!(town.may(&secret, Scope::WorkflowsWrite).await && !town.may(&secret, Scope::WorkflowsExecute).await);
}

#[tokio::test]
async fn what_a_persons_token_mints_is_the_persons_too() {
    let town = town().await;
    let parent = town.minted(&town.ada().await, new_token("parent", MINTER, &["demo"])).await;
    let parent = town.who(&parent).await.unwrap();
    let child = town.minted(&parent, new_token("child", MINTER, &["demo"])).await;
    let child_identity = town.who(&child).await.unwrap();
    let grandchild = town.minted(&child_identity, new_token("grandchild", &[Scope::WorkflowsRead], &["demo"])).await;
    town.remove("ada").await;
    for secret in [child, grandchild] {
        assert!(!town.may(&secret, Scope::WorkflowsRead).await);
    }
}

#[tokio::test]
async fn a_persons_token_ends_with_them() {
    let town = town().await;
    let secret = town.minted(&town.ada().await, new_token("hers", MINTER, &["demo"])).await;
    let now = town.world.app().core.commands.now();
    town.world.pass(1);
    town.enter(false, now);
    assert_eq!(town.who(&secret).await.unwrap_err(), AuthError::TokenRevoked);
    // Within the leeway a token of hers may be an old one, of a clock that is ahead.
    town.world.pass(30);
    let later = town.minted(&town.ada_later().await, new_token("later", MINTER, &["demo"])).await;
    assert!(town.may(&later, Scope::WorkflowsRead).await, "it is younger than the revocation");
    town.enter(true, now);
    assert_eq!(town.who(&later).await.unwrap_err(), AuthError::TokenRevoked);
}

impl Town {
    async fn ada_later(&self) -> Identity {
        let later = Identity { issued_at: Some(self.world.app().core.commands.now()), ..person("ada") };
        self.who(&self.token(later)).await.unwrap().as_ref().clone()
    }
}

#[tokio::test]
async fn default_workspaces_and_max_scopes_bound_a_persons_token() {
    let all = IssuerPolicy { default_workspaces: WorkspaceAccess::All, ..policy(Provision::User) };
    let town = Town::of(all).await;
    let ada = town.who(&town.token(bounded("ada", MINTER))).await.unwrap();
    let everywhere = NewServiceToken { all_workspaces: true, workspaces: None, ..new_token("hers", MINTER, &[]) };
    let secret = town.minted(&ada, everywhere).await;
    assert!(town.may(&secret, Scope::AdminTokensWrite).await);
    town.put("ada", Role::Viewer).await;
    assert!(!town.may(&secret, Scope::AdminTokensWrite).await && town.may(&secret, Scope::WorkflowsRead).await);
    town.remove("ada").await;
    assert_eq!(
        town.who(&secret).await.unwrap().rights.reach(),
        WorkspaceAccess::none(),
        "the defaults do not come back"
    );
    let (least, reading) = (IssuerPolicy::new(id("ada").issuer().clone(), Provision::User), Scope::WorkflowsRead);
    let elsewhere = Town::of(IssuerPolicy { max_scopes: [reading].into(), ..least }).await;
    let mut unit = elsewhere.world.repository.begin().await.unwrap();
    let mut view = town.world.repository.view().await.unwrap();
    let token = view.tokens().find(&token_id("hers")).await.unwrap().unwrap();
    unit.tokens().insert(&token).await.unwrap();
    unit.commit().await.unwrap();
    elsewhere.put("ada", Role::Owner).await;
    let rights = &elsewhere.who(&secret).await.unwrap().rights;
    assert_eq!(rights.ceiling().scopes(), &[reading].into());
}

#[tokio::test]
async fn a_token_whose_owners_issuer_is_gone_is_refused() {
    let town = town().await;
    let ada = town.ada().await;
    let (token, plain) = town.world.mint(&ada, new_token("hers", MINTER, &["demo"])).await;
    let bare = super::world::World::of(|parts| parts);
    let mut unit = bare.repository.begin().await.unwrap();
    unit.tokens().insert(&token).await.unwrap();
    unit.commit().await.unwrap();
    let credential =
        tidegate::app::authenticate::Credential::Bearer(tidegate::domain::bearer::BearerToken::new(plain.expose()));
    let refused = bare.app().authenticator.authenticate(&credential, None).await;
    assert_eq!(refused.map(|_| ()).unwrap_err(), AuthError::InvalidIssuer);
}

#[tokio::test]
async fn a_token_that_is_called_like_a_person_did_not_make_what_they_made() {
    let town = town().await;
    let ada = town.ada().await;
    town.world.mint(&admin(), new_token("ada", MINTER, &["demo"])).await;
    let hers = town.minted(&ada, new_token("hers", &[Scope::WorkflowsRead], &["demo"])).await;
    town.world.app().tokens.revoke(&admin(), token_id("ada"), None, true).await.unwrap();
    assert!(town.may(&hers, Scope::WorkflowsRead).await);
}

#[tokio::test]
async fn each_scope_is_needed_in_each_workspace() {
    let town = town().await;
    town.world.workspace("other").await;
    let members = &town.world.app().members;
    members.put(&admin(), workspace("other"), id("ada"), Role::Viewer).await.unwrap();
    let ada = town.ada().await;
    let tokens = &town.world.app().tokens;
    let tried = async |scopes: &[Scope], workspaces: &[&str]| {
        tokens.mint(&ada, new_token("x", scopes, workspaces), None).await.map(drop)
    };
    let missing = |answer: Result<(), AppError>| matches!(answer, Err(AppError::Auth(AuthError::MissingScope(_))));
    let forbidden = |answer: Result<(), AppError>| matches!(answer, Err(AppError::Auth(AuthError::WorkspaceForbidden)));
    assert!(missing(tried(&[Scope::WorkflowsRead], &["demo", "other"]).await), "she mints nothing in the other");
    assert!(missing(tried(&[Scope::WorkflowsWrite], &["other"]).await));
    assert!(missing(tried(&[Scope::AdminWorkspacesWrite], &["demo"]).await), "what no role gives");
    assert!(missing(tried(&[Scope::AdminWorkspacesWrite], &[]).await));
    assert!(forbidden(tried(&[Scope::WorkflowsRead], &["demo", "third"]).await));
    let all = NewServiceToken { all_workspaces: true, workspaces: None, ..new_token("x", &[], &[]) };
    assert!(forbidden(tokens.mint(&ada, all, None).await.map(drop)));
    let (token, _) =
        tokens.mint(&ada, NewServiceToken { workspaces: None, ..new_token("x", MINTER, &[]) }, None).await.unwrap();
    assert_eq!(token.workspaces, crate::support::people::only(&["demo"]), "where she may make tokens");
}

#[tokio::test]
async fn a_role_that_was_lost_meanwhile_mints_rotates_and_revokes_nothing() {
    let town = town().await;
    let ada = town.ada().await;
    let hers = town.minted(&ada, new_token("hers", MINTER, &["demo"])).await;
    let hers = town.who(&hers).await.unwrap().as_ref().clone();
    town.world.mint(&admin(), new_token("roots", &[Scope::WorkflowsRead], &["demo"])).await;
    for lost in [Some(Role::Viewer), None] {
        match lost {
            Some(role) => town.put("ada", role).await,
            None => town.remove("ada").await,
        }
        // They were let in before.
        for who in [&ada, &hers] {
            let tokens = &town.world.app().tokens;
            let minted = tokens.mint(who, new_token("x", &[Scope::WorkflowsRead], &["demo"]), None).await;
            assert!(matches!(minted, Err(AppError::Auth(_))), "{minted:?}");
            let rotated = tokens.rotate(who, token_id("roots"), NewRotation::default(), None).await;
            assert!(matches!(rotated, Err(AppError::NotFound(Noun::ServiceToken))), "{rotated:?}");
            let revoked = tokens.revoke(who, token_id("roots"), None, false).await;
            assert!(matches!(revoked, Err(AppError::NotFound(Noun::ServiceToken))), "{revoked:?}");
        }
    }
}

#[tokio::test]
async fn who_has_lost_every_membership_mints_nothing_not_even_for_no_workspace() {
    let town = town().await;
    let hers = town.minted(&town.ada().await, new_token("hers", MINTER, &["demo"])).await;
    town.remove("ada").await;
    for who in [town.ada().await, town.who(&hers).await.unwrap().as_ref().clone()] {
        for scopes in [&[][..], &[Scope::WorkflowsRead], &[Scope::AdminAuditRead, Scope::AdminMetricsRead]] {
            let minted = town.world.app().tokens.mint(&who, new_token("x", scopes, &[]), None).await;
            assert!(matches!(minted, Err(AppError::Auth(AuthError::MissingScope(_)))), "{minted:?}");
        }
    }
}

#[tokio::test]
async fn a_token_of_no_workspace_is_its_makers_and_who_reaches_all() {
    let town = town().await;
    let (ada, tokens) = (town.ada().await, &town.world.app().tokens);
    let seen = async |who: &Identity, name: &str| {
        let listed = tokens.list(who, &tidegate::domain::page::PageRequest::default()).await.unwrap();
        let shown = tokens.get(who, &token_id(name)).await.is_ok();
        assert_eq!(listed.items.iter().any(|token| token.id == token_id(name)), shown);
        shown
    };
    town.world.mint(&admin(), new_token("roots", &[Scope::AdminMetricsRead], &[])).await;
    town.world.mint(&ada, new_token("hers", &[], &[])).await;
    assert!(seen(&admin(), "roots").await && seen(&admin(), "hers").await && seen(&ada, "hers").await);
    assert!(!seen(&ada, "roots").await);
    assert!(tokens.revoke(&ada, token_id("roots"), None, false).await.is_err());
    let other = Arc::new(super::world::service("other", &all_scopes().into_iter().collect::<Vec<_>>(), &["demo"]));
    assert!(!seen(&other, "hers").await && !seen(&other, "roots").await);
}

#[tokio::test]
async fn what_a_person_made_stays_ended_when_their_revocation_is_forgotten() {
    let town = town().await;
    town.put("bob", Role::Admin).await;
    let bob = town.who(&town.token(person("bob"))).await.unwrap();
    let hers = town.minted(&town.ada().await, new_token("hers", MINTER, &["demo"])).await;
    let his = town.minted(&bob, new_token("his", MINTER, &["demo"])).await;
    let new = NewRevocation {
        target: Target::User,
        issuer: "corp".to_owned(),
        value: "ada".to_owned(),
        reason: None,
        ban: false,
    };
    let entry = town.world.app().revocations.add(&admin(), new).await.unwrap();
    town.world.app().revocations.lift(&admin(), entry.id).await.unwrap();
    assert_eq!(town.who(&hers).await.unwrap_err(), AuthError::TokenRevoked);
    assert!(town.may(&his, Scope::WorkflowsRead).await, "others' tokens go on");
}

#[tokio::test]
async fn an_issuer_that_tells_late_still_ends_what_a_person_had_made_by_then() {
    let town = town().await;
    let hers = town.minted(&town.ada().await, new_token("hers", MINTER, &["demo"])).await;
    let app = town.world.app();
    let told = |id: &str, at: Timestamp| IssuerEvent {
        issuer: id_of_corp(),
        id: id.to_owned(),
        at,
        what: Happened::RightsChanged("ada".to_owned()),
    };
    let happened = app.core.commands.now();
    town.world.pass(3 * 24 * 3_600);
    let younger = town.minted(&town.ada_later().await, new_token("younger", MINTER, &["demo"])).await;
    app.revocations.heard(told("event_1", happened)).await.unwrap();
    assert_eq!(town.who(&hers).await.unwrap_err(), AuthError::TokenRevoked);
    assert!(town.may(&younger, Scope::WorkflowsRead).await);
    let page = tidegate::domain::page::PageRequest::default();
    assert!(app.revocations.list(&admin(), &page).await.unwrap().items.is_empty(), "no token of the issuer's is left");
}

fn id_of_corp() -> tidegate::domain::user::IssuerName {
    id("ada").issuer().clone()
}
