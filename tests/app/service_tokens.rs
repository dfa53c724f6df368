//! Nobody mints or widens beyond themselves (authentication.md section 4).

use jiff::SignedDuration;
use tidegate::{
    app::{
        authenticate::Credential,
        error::AppError,
        service_tokens::{NewRotation, NewServiceToken},
    },
    domain::{
        bearer::BearerToken,
        identity::Identity,
        scope::Scope,
        service_token::{PlainToken, ServiceTokenId},
    },
    ports::token_validator::AuthError,
};

use super::world::{World, admin, id, new_token, service};

const MINTER: &[Scope] = &[Scope::AdminTokensWrite, Scope::WorkflowsRead];

async fn whose(world: &World, plain: &PlainToken) -> Identity {
    let credential = Credential::Bearer(BearerToken::new(plain.expose()));
    world.app().authenticator.authenticate(&credential, None).await.unwrap().identity.as_ref().clone()
}

#[test]
fn the_names_of_the_gates_own_callers_are_no_identifiers() {
    for reserved in ["bootstrap", "anonymous", "system"] {
        assert!(ServiceTokenId::parse(reserved).is_err(), "{reserved}");
    }
    assert!(ServiceTokenId::parse("bootstrap-2").is_ok());
}

#[tokio::test]
async fn a_revoked_token_makes_and_rotates_nothing_even_where_it_is_still_believed() {
    let world = World::new().await;
    let (_, plain) = world.mint(&admin(), new_token("minter", MINTER, &["demo"])).await;
    world.mint(&admin(), new_token("other", &[Scope::WorkflowsRead], &["demo"])).await;
    let believed = whose(&world, &plain).await;
    world.app().tokens.revoke(&admin(), id("minter"), None, true).await.unwrap();
    let minted = world.app().tokens.mint(&believed, new_token("child", &[], &["demo"]), None).await;
    assert!(matches!(minted, Err(AppError::Auth(AuthError::TokenRevoked))), "{minted:?}");
    let rotated = world.app().tokens.rotate(&believed, id("other"), NewRotation::default(), None).await;
    assert!(matches!(rotated, Err(AppError::Auth(AuthError::TokenRevoked))), "{rotated:?}");
}

#[tokio::test]
async fn rotating_needs_the_life_of_the_token_whatever_new_life_it_is_to_get() {
    let world = World::new().await;
    let short =
        NewServiceToken { expires_in: Some(SignedDuration::from_secs(600)), ..new_token("short", MINTER, &["demo"]) };
    let (_, plain) = world.mint(&admin(), short).await;
    world.mint(&admin(), new_token("long", &[Scope::WorkflowsRead], &["demo"])).await;
    let who = whose(&world, &plain).await;
    for expires_in in [None, Some(SignedDuration::from_secs(60))] {
        let new = NewRotation { expires_in, ..NewRotation::default() };
        let rotated = world.app().tokens.rotate(&who, id("long"), new, None).await;
        assert!(matches!(rotated, Err(AppError::Auth(AuthError::LifeExceeded))), "{expires_in:?}: {rotated:?}");
    }
    let new = NewRotation { expires_in: Some(SignedDuration::from_secs(60)), ..NewRotation::default() };
    world.app().tokens.rotate(&who, id("short"), new, None).await.unwrap();
}

#[tokio::test]
async fn revoking_what_a_token_minted_goes_all_the_way_down_and_no_further() {
    let world = World::new().await;
    let (_, plain) = world.mint(&admin(), new_token("parent", MINTER, &["demo"])).await;
    let parent = whose(&world, &plain).await;
    let (_, plain) = world.mint(&parent, new_token("child", MINTER, &["demo"])).await;
    let child = whose(&world, &plain).await;
    world.mint(&child, new_token("grandchild", &[], &["demo"])).await;
    world.mint(&child, new_token("of-nowhere", &[], &[])).await;
    world.mint(&admin(), new_token("stranger", &[], &["demo"])).await;
    let lesser = service("lesser", MINTER, &["demo"]);
    world.app().tokens.revoke(&lesser, id("parent"), None, true).await.unwrap();
    for (name, revoked) in
        [("parent", true), ("child", true), ("grandchild", true), ("of-nowhere", true), ("stranger", false)]
    {
        let token = world.app().tokens.get(&admin(), &id(name)).await.unwrap();
        assert_eq!(token.revoked.is_some(), revoked, "{name}");
    }
}

#[tokio::test]
async fn an_older_secret_makes_nothing_that_outlives_it() {
    let world = World::new().await;
    let (_, old) = world.mint(&admin(), new_token("ci", MINTER, &["demo"])).await;
    world.app().tokens.rotate(&admin(), id("ci"), NewRotation::default(), None).await.unwrap();
    let who = whose(&world, &old).await;
    let at_once = NewRotation { overlap: Some(SignedDuration::ZERO), ..NewRotation::default() };
    let rotated = world.app().tokens.rotate(&who, id("ci"), at_once, None).await;
    assert!(matches!(rotated, Err(AppError::Auth(AuthError::LifeExceeded))), "{rotated:?}");
    let (child, _) = world.mint(&who, new_token("child", &[], &["demo"])).await;
    assert_eq!(child.expires_at, who.expires_at);
    assert!(who.expires_at.is_some());
}

#[tokio::test]
async fn neither_secret_nor_hash_is_told() {
    let world = World::new().await;
    let (token, plain) = world.mint(&admin(), new_token("ci", &[], &["demo"])).await;
    let told = format!("{token:?} {plain:?}");
    assert!(!told.contains(plain.expose()));
    assert!(told.contains("HashedToken([redacted])"), "{told}");
}
