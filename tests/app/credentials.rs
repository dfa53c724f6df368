//! Modes, and the uses of tokens.

use std::time::Duration;

use tidegate::{
    app::authenticate::{Credential, Mode},
    domain::{
        bearer::BearerToken,
        scope::{Scope, all_scopes},
    },
};

use super::world::{World, admin, id, new_token};

#[tokio::test]
async fn without_authentication_anonymous_may_do_everything_and_in_optional_all_but_administer() {
    for (mode, may_administer) in [(Mode::Disabled, true), (Mode::Optional, false)] {
        let world = World::of(|parts| tidegate::wiring::Parts { mode, ..parts });
        let who = world.app().authenticator.authenticate(&Credential::Missing, None).await.unwrap().identity;
        assert_eq!(who.rights.told_scopes() == all_scopes(), may_administer, "{mode:?}");
        assert!(who.may_somewhere(Scope::VaultWrite) && !who.authenticated());
    }
}

#[tokio::test]
async fn uses_are_counted_once_a_request_and_those_of_the_last_moment_too() {
    let world = World::new().await;
    let (_, plain) = world.mint(&admin(), new_token("ci", &[Scope::WorkflowsRead], &["demo"])).await;
    let credential = Credential::Bearer(BearerToken::new(plain.expose()));
    let authenticator = &world.app().authenticator;
    world.gate.start();
    authenticator.authenticate(&credential, None).await.unwrap();
    for _ in 0..3 {
        authenticator.judge_again(&credential).await.unwrap();
    }
    world.gate.stopping().cancel();
    tokio::task::yield_now().await;
    // A request that was under way when the gate was told to stop.
    authenticator.authenticate(&credential, None).await.unwrap();
    world.gate.stop(Duration::from_secs(5)).await;
    assert_eq!(world.app().tokens.get(&admin(), &id("ci")).await.unwrap().use_count, 2);
}
