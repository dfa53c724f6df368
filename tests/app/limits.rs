//! Limits, where the clock is the test's: which failures count, whom they hold back, and for how long.

use std::net::IpAddr;

use jiff::SignedDuration;
use tidegate::{
    app::{
        authenticate::{Caller, Credential, Mode},
        limits::LimitPolicy,
        service_tokens::NewRotation,
    },
    domain::{
        bearer::BearerToken,
        scope::{Scope, all_scopes},
        service_token::PlainToken,
    },
    ports::token_validator::AuthError,
    wiring::{BootstrapToken, Parts},
};

use super::world::{World, admin, id, new_token};

const INTERVAL: i64 = 60;

fn limits(ip: u32, identity: u32) -> LimitPolicy {
    LimitPolicy { ip, identity, interval: SignedDuration::from_secs(INTERVAL) }
}

async fn world(ip: u32, identity: u32) -> World {
    let world = World::of(|parts| Parts { mode: Mode::Required, limits: limits(ip, identity), ..parts });
    world.workspace("demo").await;
    world
}

fn bearer(text: &str) -> Credential {
    Credential::Bearer(BearerToken::new(text))
}

fn good(token: &PlainToken) -> Credential {
    bearer(token.expose())
}

impl World {
    async fn ask(&self, credential: &Credential, from: &str) -> Result<Caller, AuthError> {
        let from: IpAddr = from.parse().unwrap();
        self.app().authenticator.authenticate(credential, Some(from)).await
    }

    async fn refusal(&self, credential: &Credential, from: &str) -> AuthError {
        self.ask(credential, from).await.expect_err("it is refused")
    }

    async fn token(&self, name: &str) -> PlainToken {
        self.mint(&admin(), new_token(name, &[Scope::WorkflowsRead], &["demo"])).await.1
    }

    async fn rotate(&self, name: &str, overlap: i64) -> PlainToken {
        let new = NewRotation { overlap: Some(SignedDuration::from_secs(overlap)), ..NewRotation::default() };
        self.app().tokens.rotate(&admin(), id(name), new, None).await.unwrap().1
    }

    async fn revoke(&self, name: &str) {
        self.app().tokens.revoke(&admin(), id(name), None, false).await.unwrap();
    }
}

fn limited_address(ip: &str, retry_after: u64) -> AuthError {
    AuthError::LimitedAddress { ip: ip.to_owned(), retry_after }
}

fn limited_identity(identity: &str, retry_after: u64) -> AuthError {
    AuthError::LimitedIdentity { identity: identity.to_owned(), retry_after }
}

#[tokio::test]
async fn the_first_failures_of_an_address_are_judged_and_what_comes_after_waits_for_the_first_to_leave() {
    let world = world(3, 0).await;
    for _ in 0..3 {
        assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.1").await, AuthError::InvalidToken);
        world.pass(10);
    }
    for passed in 0..30 {
        let remaining = u64::try_from(30 - passed).unwrap();
        assert_eq!(
            world.refusal(&bearer(&passed.to_string()), "192.0.2.1").await,
            limited_address("192.0.2.1", remaining)
        );
        world.pass(1);
    }
    assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.1").await, AuthError::InvalidToken, "the first has left");
    assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.1").await, limited_address("192.0.2.1", 10));
    assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.2").await, AuthError::InvalidToken, "another address");
}

#[tokio::test]
async fn from_a_limited_address_only_tokens_pass_that_were_verified_here_before() {
    let world = world(2, 0).await;
    let (known, fresh) = (good(&world.token("known").await), good(&world.token("fresh").await));
    world.ask(&known, "198.51.100.7").await.unwrap();
    for _ in 0..2 {
        world.refusal(&bearer("nobody's"), "192.0.2.1").await;
    }
    assert_eq!(world.refusal(&fresh, "192.0.2.1").await, limited_address("192.0.2.1", 60), "good, but never seen");
    assert_eq!(world.ask(&known, "192.0.2.1").await.unwrap().identity.subject, "known");
    world.ask(&fresh, "192.0.2.2").await.unwrap();
    world.ask(&fresh, "192.0.2.1").await.unwrap();
    world.revoke("known").await;
    assert_eq!(world.refusal(&known, "192.0.2.1").await, limited_address("192.0.2.1", 60), "known, and no longer good");
}

#[tokio::test]
async fn neighbours_of_a_network_share_a_limit_and_mapped_addresses_are_one() {
    let world = world(2, 0).await;
    world.refusal(&bearer("a"), "2001:db8:1:2::1").await;
    world.refusal(&bearer("a"), "2001:db8:1:2:3:4:5:6").await;
    assert_eq!(world.refusal(&bearer("a"), "2001:db8:1:2::9").await, limited_address("2001:db8:1:2::/64", 60));
    assert_eq!(world.refusal(&bearer("a"), "2001:db8:1:3::9").await, AuthError::InvalidToken);
    world.refusal(&bearer("a"), "::ffff:192.0.2.1").await;
    world.refusal(&bearer("a"), "192.0.2.1").await;
    assert_eq!(world.refusal(&bearer("a"), "::ffff:192.0.2.1").await, limited_address("192.0.2.1", 60));
}

#[tokio::test]
async fn only_a_presented_credential_that_is_bad_is_a_failure() {
    let world = world(2, 0).await;
    let token = good(&world.token("ci").await);
    for _ in 0..5 {
        assert_eq!(world.refusal(&Credential::Missing, "192.0.2.1").await, AuthError::MissingToken);
        world.ask(&token, "192.0.2.1").await.unwrap();
        assert_eq!(
            world.app().authenticator.judge_again(&bearer("a")).await.unwrap_err().error,
            AuthError::InvalidToken
        );
    }
    assert_eq!(world.refusal(&Credential::Malformed, "192.0.2.1").await, AuthError::InvalidToken);
    assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.1").await, AuthError::InvalidToken);
    assert_eq!(world.refusal(&Credential::Malformed, "192.0.2.1").await, limited_address("192.0.2.1", 60));
    assert_eq!(world.refusal(&Credential::Missing, "192.0.2.1").await, AuthError::MissingToken);
}

#[tokio::test]
async fn an_identity_is_limited_from_wherever_its_bad_tokens_come_and_its_good_token_passes() {
    let world = world(0, 3).await;
    let old = good(&world.token("ci").await);
    let new = good(&world.rotate("ci", 0).await);
    // The rotated secret is nobody's any more: its hash did not hold, so it is of no identity.
    for number in 0..5 {
        assert_eq!(world.refusal(&old, &format!("192.0.2.{number}")).await, AuthError::InvalidToken);
    }
    world.ask(&new, "192.0.2.9").await.unwrap();
    let (bad, other) = (good(&world.token("bad").await), good(&world.token("other").await));
    world.revoke("bad").await;
    world.revoke("other").await;
    for number in 0..3 {
        assert_eq!(world.refusal(&bad, &format!("192.0.2.{number}")).await, AuthError::TokenRevoked);
    }
    assert_eq!(world.refusal(&bad, "192.0.2.200").await, limited_identity("bad", 60));
    assert_eq!(world.refusal(&other, "192.0.2.200").await, AuthError::TokenRevoked, "another identity");
}

#[tokio::test]
async fn a_limited_identitys_good_token_still_passes() {
    let world = world(0, 2).await;
    let old = good(&world.token("ci").await);
    let new = world.rotate("ci", 300).await;
    world.pass(300);
    for _ in 0..2 {
        assert_eq!(world.refusal(&old, "192.0.2.1").await, AuthError::TokenExpired);
    }
    assert_eq!(world.refusal(&old, "192.0.2.1").await, limited_identity("ci", 60));
    assert_eq!(world.ask(&good(&new), "192.0.2.1").await.unwrap().identity.subject, "ci");
}

#[tokio::test]
async fn what_is_held_back_of_an_identity_is_no_failure_of_the_address() {
    let world = world(4, 2).await;
    let bad = good(&world.token("bad").await);
    world.revoke("bad").await;
    for _ in 0..2 {
        assert_eq!(world.refusal(&bad, "192.0.2.1").await, AuthError::TokenRevoked);
    }
    for _ in 0..10 {
        assert_eq!(world.refusal(&bad, "192.0.2.1").await, limited_identity("bad", 60));
    }
    for _ in 0..2 {
        assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.1").await, AuthError::InvalidToken);
    }
    assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.1").await, limited_address("192.0.2.1", 60));
}

#[tokio::test]
async fn the_bootstrap_token_is_never_limited_by_identity_and_zero_is_off() {
    let token = "a-bootstrap-token-of-32-characters";
    let world = World::of(|parts| {
        let expires_at = Some("2025-01-01T00:00:00Z".parse().unwrap());
        let token = BearerToken::new(token);
        let bootstrap = BootstrapToken { token, scopes: all_scopes(), expires_at };
        Parts { bootstrap: Some(bootstrap), limits: limits(0, 1), ..parts }
    });
    for _ in 0..50 {
        assert_eq!(world.refusal(&bearer(token), "192.0.2.1").await, AuthError::TokenExpired);
        assert_eq!(world.refusal(&bearer("nobody's"), "192.0.2.1").await, AuthError::InvalidToken);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_at_once_exactly_so_many_are_told_why() {
    let world = std::sync::Arc::new(world(60, 30).await);
    let bad = good(&world.token("bad").await);
    world.revoke("bad").await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (world, bad) = (std::sync::Arc::clone(&world), bad.clone());
        asking.spawn(async move { world.refusal(&bad, "192.0.2.1").await });
    }
    let answers = asking.join_all().await;
    let count = |error: &AuthError| answers.iter().filter(|answer| *answer == error).count();
    assert_eq!((count(&AuthError::TokenRevoked), count(&limited_identity("bad", 60))), (30, 70));
}
