//! Key sets in bad times.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    adapters::auth::jwt::{Algorithm, IssuerConfig, KeyRules},
    app::context::{self, AuthContext},
    domain::{identity::Identity, scope::Scopes, workspace::WorkspaceAccess},
    ports::token_validator::AuthError,
};
use tokio::task::JoinSet;

use super::{
    key_sets::{World, another, until},
    kinds::{Ground, policy, refusal, remote},
    mint::{Key, set, signed},
};
use crate::support::scripted::{Reply, Scripted};

/// Who uses the gate meanwhile: each token that is in use must be good.
struct Load {
    tokens: Arc<Mutex<Vec<String>>>,
    rounds: Vec<Arc<AtomicU64>>,
    over: Arc<AtomicBool>,
    users: JoinSet<Vec<AuthError>>,
}

impl Load {
    fn start(world: &World, users: usize) -> Self {
        let (tokens, over) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let rounds: Vec<_> = (0..users).map(|_| Arc::<AtomicU64>::default()).collect();
        let mut tasks = JoinSet::new();
        for round in &rounds {
            let (round, tokens, over) = (Arc::clone(round), Arc::clone(&tokens), Arc::clone(&over));
            let validator = Arc::clone(&world.validator);
            tasks.spawn(async move {
                let mut refused = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    let now = tokens.lock().unwrap().clone();
                    for token in now {
                        refused.extend(refusal(&validator, &token).await);
                    }
                    round.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
                refused
            });
        }
        Self { tokens, rounds, over, users: tasks }
    }

    /// From now on these are in use; returns when everybody has used them, and nobody others any more.
    async fn uses(&self, tokens: Vec<String>) {
        *self.tokens.lock().unwrap() = tokens;
        let before: Vec<_> = self.rounds.iter().map(|round| round.load(Ordering::SeqCst)).collect();
        let all_went_on = || self.rounds.iter().zip(&before).all(|(now, then)| now.load(Ordering::SeqCst) > then + 2);
        until("everybody goes on", all_went_on).await;
    }

    async fn refused(self) -> Vec<AuthError> {
        self.over.store(true, Ordering::SeqCst);
        self.users.join_all().await.concat()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_rotate_during_load_and_nobody_is_refused_or_let_in_wrongly() {
    let world = World::new(KeyRules::default()).await;
    let load = Load::start(&world, 4);
    let mut current = world.key.clone();
    load.uses(vec![world.token(&current)]).await;
    for number in 0..25 {
        let next = another(&format!("key-{number}"));
        world.provider.reply(Reply::json(&set(&[&current, &next])));
        world.ground.pass(2);
        // Published one cool-down ago.
        load.uses(vec![world.token(&current), world.token(&next)]).await;
        let old = world.token(&current);
        assert_eq!(refusal(&world.validator, &old).await, None);
        load.uses(vec![world.token(&next)]).await;
        world.provider.reply(Reply::json(&set(&[&next])));
        world.ground.pass(2);
        let known = world.fetches();
        assert_eq!(world.refusal(&another("nobody's")).await, Some(AuthError::InvalidToken));
        assert_eq!(world.fetches(), known + 1);
        assert_eq!(refusal(&world.validator, &old).await, Some(AuthError::InvalidToken), "withdrawn {number}");
        current = next;
    }
    assert_eq!(load.refused().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_unknown_kids_a_second_are_a_fetch_in_two() {
    let world = World::new(KeyRules::default()).await;
    let claims = world.ground.claims(&json!({})).to_string();
    // Nobody gets as far as the signature.
    let strange = |kid: String| signed(&json!({"alg": "EdDSA", "kid": kid}).to_string(), &claims, |_| vec![0; 64]);
    for second in 0..4 {
        let mut all = JoinSet::new();
        for caller in 0..100 {
            let tokens: Vec<_> = (0..100).map(|number| strange(format!("{second}-{caller}-{number}"))).collect();
            let validator = Arc::clone(&world.validator);
            all.spawn(async move {
                let judged = join_all(tokens.iter().map(|token| refusal(&validator, token))).await;
                judged.into_iter().all(|error| error == Some(AuthError::InvalidToken))
            });
        }
        assert!(all.join_all().await.into_iter().all(|refused| refused));
        world.ground.pass(1);
    }
    assert_eq!(world.fetches(), 2);
    assert_eq!(u64::try_from(world.provider.count()).unwrap(), world.fetches());
}

#[tokio::test]
async fn a_provider_that_is_down_for_an_hour_is_not_noticed_by_who_was_known() {
    let world = World::new(KeyRules::default()).await;
    assert_eq!(world.refusal(&world.key).await, None);
    world.provider.reply(Reply::status(503));
    let strange = another("strange");
    for _ in 0..360 {
        world.ground.pass(10);
        assert_eq!(world.refusal(&world.key).await, None);
        assert_eq!(world.refusal(&strange).await, Some(AuthError::KeyUnavailable));
    }
    // Once in ten seconds somebody asks for an unknown key, and in between the set is due.
    assert!((360..=720).contains(&world.fetches()), "{}", world.fetches());
    let second = another("second");
    world.provider.reply(Reply::json(&set(&[&second])));
    world.ground.pass(2);
    assert_eq!(world.refusal(&second).await, None);
    assert_eq!(world.refusal(&world.key).await, Some(AuthError::InvalidToken));
}

#[tokio::test]
async fn the_last_good_set_serves_for_a_day_and_then_nothing_can_be_told() {
    let world = World::new(KeyRules::default()).await;
    assert_eq!(world.refusal(&world.key).await, None);
    world.provider.reply(Reply::status(503));
    world.ground.pass(24 * 60 * 60 - 10);
    assert_eq!(world.refusal(&world.key).await, None);
    world.ground.pass(9);
    assert_eq!(world.refusal(&world.key).await, None);
    world.ground.pass(2);
    assert_eq!(world.refusal(&world.key).await, Some(AuthError::KeyUnavailable));
    world.provider.reply(Reply::json(&set(&[&world.key])));
    world.ground.pass(2);
    assert_eq!(world.refusal(&world.key).await, None);
}

#[tokio::test]
async fn a_slow_provider_keeps_nobody_waiting_who_is_known() {
    let world = World::new(KeyRules::default()).await;
    assert_eq!(world.refusal(&world.key).await, None);
    world.provider.reply(Reply::json(&set(&[&world.key])).after(Duration::from_secs(10)));
    world.ground.pass(2);
    let unknown = world.token(&another("x"));
    let waiting = refusal(&world.validator, &unknown);
    let known = async {
        until("the provider is asked", || world.provider.count() == 2).await;
        tokio::time::timeout(Duration::from_secs(1), world.refusal(&world.key)).await
    };
    let (waited, known) = tokio::join!(tokio::time::timeout(Duration::from_secs(8), waiting), known);
    assert_eq!((waited, known), (Ok(Some(AuthError::KeyUnavailable)), Ok(None)));
}

/// Who asks for a key and goes away does not take the fetch along.
#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_keys_to_others() {
    let world = World::new(KeyRules::default()).await;
    let good = Reply::json(&set(&[&world.key]));
    world.provider.reply(good.after(Duration::from_millis(300)));
    let token = world.token(&world.key);
    let impatient = tokio::time::timeout(Duration::from_millis(50), refusal(&world.validator, &token)).await;
    assert!(impatient.is_err());
    assert_eq!(world.refusal(&world.key).await, None);
    assert_eq!((world.fetches(), world.provider.count()), (1, 1));
}

/// However short a set may serve: while its provider answers, nobody notices; when it does not, everybody.
#[tokio::test]
async fn a_set_that_may_not_be_stale_serves_as_long_as_its_provider_does() {
    for (max_stale, serves) in [(0, 1), (1, 1), (10, 10)] {
        let rules = KeyRules { max_stale: SignedDuration::from_secs(max_stale), ..KeyRules::default() };
        let world = World::new(rules).await;
        let remembered = world.token(&world.key);
        for _ in 0..5 {
            assert_eq!(world.refusal(&world.key).await, None, "{max_stale}");
            assert_eq!(refusal(&world.validator, &remembered).await, None, "{max_stale}");
            // Sooner than anybody could ask again for an unknown key.
            world.ground.clock.advance(SignedDuration::from_millis(serves * 1_000 + 100));
        }
        assert_eq!(world.refusal(&world.key).await, None, "{max_stale}");
        world.provider.reply(Reply::status(503));
        world.ground.pass(serves + 1);
        assert_eq!(world.refusal(&world.key).await, Some(AuthError::KeyUnavailable), "{max_stale}");
        world.provider.reply(Reply::json(&set(&[&world.key])));
        world.ground.pass(2);
        assert_eq!(world.refusal(&world.key).await, None, "{max_stale}");
    }
}

#[tokio::test]
async fn who_was_remembered_is_forgotten_with_a_set_that_has_had_its_time() {
    let rules = KeyRules { max_stale: SignedDuration::from_secs(10), ..KeyRules::default() };
    let world = World::new(rules).await;
    let token = world.token(&world.key);
    assert_eq!(refusal(&world.validator, &token).await, None);
    world.provider.reply(Reply::status(503));
    world.ground.pass(10);
    assert_eq!(refusal(&world.validator, &token).await, None);
    world.ground.pass(1);
    assert_eq!(refusal(&world.validator, &token).await, Some(AuthError::KeyUnavailable));
    // A set that was fetched anew has all its time before it, and so has who is remembered.
    world.provider.reply(Reply::json(&set(&[&world.key])));
    world.ground.pass(2);
    assert_eq!(refusal(&world.validator, &token).await, None);
    world.ground.pass(9);
    assert_eq!(refusal(&world.validator, &token).await, None);
}

/// A token without `kid` waits for the sets of all that could own it; meanwhile one of them loses its key.
#[tokio::test]
async fn a_key_that_goes_while_other_keys_are_waited_for_verifies_nothing() {
    let ground = Ground::new();
    let key = another("first");
    let (here, slow) = (Scripted::start(Reply::json(&set(&[&key]))).await, Scripted::start(Reply::status(503)).await);
    let config = |name: &str, provider: &Scripted| IssuerConfig {
        policy: policy(name),
        ..remote(Algorithm::EdDsa, &provider.url("/"))
    };
    let validator = ground.validator([config("here", &here), config("slow", &slow)]);
    slow.reply(Reply::json(&json!({"keys": []})).after(Duration::from_millis(1_500)));
    let claims = ground.claims(&json!({})).to_string();
    let token = signed(&json!({"alg": "EdDSA"}).to_string(), &claims, |text| key.sign(text));
    let changed = async {
        until("both are asked", || here.count() == 1 && slow.count() == 1).await;
        here.reply(Reply::json(&json!({"keys": []})));
        ground.pass(2);
        let report = validator.issuers()[0].report().await.unwrap();
        assert_eq!((report.usable, here.count(), slow.count()), (0, 2, 1));
    };
    let (refused, ()) = tokio::join!(refusal(&validator, &token), changed);
    assert_eq!(refused, Some(AuthError::InvalidToken));
}

/// Keys are fetched for everybody: the request that happened to be first leaves nothing of itself behind.
#[tokio::test]
async fn who_keeps_the_keys_keeps_nothing_of_who_asked_first() {
    let world = World::new(KeyRules::default()).await;
    let identity = Arc::new(Identity::anonymous(Scopes::new(), WorkspaceAccess::none()));
    let context = AuthContext {
        identity: Arc::clone(&identity),
        forwardable: None,
        request_id: "r-1".into(),
        address: None,
        traceparent: None,
    };
    assert_eq!(context::scope(context, world.refusal(&world.key)).await, None);
    assert_eq!((world.ground.tasks.is_empty(), Arc::strong_count(&identity)), (false, 1), "the keeper is at work");
}

/// A provider whose keys have no ids may rotate them, too: a signature that does not hold is as good as an unknown `kid`.
#[tokio::test]
async fn keys_without_ids_rotate_like_others() {
    let ground = Ground::new();
    let nameless = || Key::new(Algorithm::EdDsa, None);
    let mut current = nameless();
    let provider = Scripted::start(Reply::json(&set(&[&current]))).await;
    let validator = ground.validator([remote(Algorithm::EdDsa, &provider.url("/"))]);
    let refused = async |key: &Key| refusal(&validator, &key.token(&ground.claims(&json!({})))).await;
    for _ in 0..3 {
        assert_eq!(refused(&current).await, None);
        let remembered = current.token(&ground.claims(&json!({"jti": "t-1"})));
        assert_eq!(refusal(&validator, &remembered).await, None);
        let next = nameless();
        provider.reply(Reply::json(&set(&[&next])));
        // Nobody who merely guesses makes the gate ask more often.
        let forged: Vec<_> = (0..100).map(|_| nameless().token(&ground.claims(&json!({})))).collect();
        let before = validator.key_fetches();
        let judged = join_all(forged.iter().map(|token| refusal(&validator, token))).await;
        assert!(judged.iter().all(|error| *error == Some(AuthError::InvalidToken)));
        assert!(validator.key_fetches() <= before + 1);
        ground.pass(2);
        assert_eq!(refused(&next).await, None);
        assert_eq!(refused(&current).await, Some(AuthError::InvalidToken));
        assert_eq!(refusal(&validator, &remembered).await, Some(AuthError::InvalidToken));
        current = next;
    }
    // With its provider down the key that is known says no, as it says yes.
    provider.reply(Reply::status(503));
    ground.pass(2);
    assert_eq!((refused(&nameless()).await, refused(&current).await), (Some(AuthError::InvalidToken), None));
}
