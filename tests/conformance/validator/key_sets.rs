//! Key sets that are published: when they are fetched, how long they count, what is said when they cannot be had.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tidegate::{
    adapters::auth::jwt::{Algorithm, Audience, IssuerConfig, JwtValidator, KeyRules, Published},
    ports::token_validator::AuthError,
};
use url::Url;

use super::{
    kinds::{AUDIENCE, Ground, judge, jwt, policy, refusal, remote},
    mint::{Key, rsa_jwk, set},
};
use crate::support::{
    process::PATIENCE,
    scripted::{Reply, Scripted},
};

/// Waits until it is so.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// A provider with one key, and a validator of its tokens.
pub(super) struct World {
    pub(super) ground: Ground,
    pub(super) key: Key,
    pub(super) provider: Scripted,
    pub(super) validator: Arc<JwtValidator>,
    made: AtomicU64,
}

impl World {
    pub(super) async fn new(rules: KeyRules) -> Self {
        let key = Key::new(Algorithm::EdDsa, Some("first"));
        let (ground, provider) = (Ground::new(), Scripted::start(Reply::json(&set(&[&key]))).await);
        let config = IssuerConfig { rules, ..remote(Algorithm::EdDsa, &provider.url("/keys")) };
        let validator = Arc::new(ground.validator([config]));
        Self { ground, key, provider, validator, made: AtomicU64::default() }
    }

    /// A token of this key's that nobody has seen yet.
    pub(super) fn token(&self, key: &Key) -> String {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        key.token(&self.ground.claims(&json!({"jti": number.to_string()})))
    }

    /// As what a fresh token of this key is refused.
    pub(super) async fn refusal(&self, key: &Key) -> Option<AuthError> {
        refusal(&self.validator, &self.token(key)).await
    }

    pub(super) fn fetches(&self) -> u64 {
        self.validator.key_fetches()
    }
}

pub(super) fn another(id: &str) -> Key {
    Key::new(Algorithm::EdDsa, Some(id))
}

#[tokio::test]
async fn nothing_is_fetched_before_somebody_needs_it_and_then_once() {
    let world = World::new(KeyRules::default()).await;
    assert_eq!((world.fetches(), world.provider.count()), (0, 0));
    let tokens: Vec<_> = (0..100).map(|_| world.token(&world.key)).collect();
    let judged = join_all(tokens.iter().map(|token| judge(&world.validator, token))).await;
    assert!(judged.iter().all(Result::is_ok));
    assert_eq!((world.fetches(), world.provider.count()), (1, 1));
}

#[tokio::test]
async fn a_set_is_renewed_ahead_while_the_old_one_serves() {
    let world = World::new(KeyRules::default()).await;
    assert_eq!(world.refusal(&world.key).await, None);
    world.ground.pass(239);
    assert_eq!(world.refusal(&world.key).await, None);
    assert_eq!(world.fetches(), 1);
    world.ground.pass(1);
    // The provider hangs, and nobody waits for it.
    world.provider.reply(Reply::json(&set(&[&world.key])).never());
    assert_eq!(tokio::time::timeout(Duration::from_secs(2), world.refusal(&world.key)).await, Ok(None));
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_set_that_is_used_is_renewed_while_nobody_asks() {
    let world = World::new(KeyRules { cache_ttl: SignedDuration::ZERO, ..KeyRules::default() }).await;
    assert_eq!(world.refusal(&world.key).await, None);
    assert_eq!(world.refusal(&world.key).await, None);
    // 0.8 s of the floor of 1 s.
    world.ground.pass(1);
    world.provider.asked(2).await;
}

/// Who is remembered uses the set, too, although nobody looks for a key in it.
#[tokio::test]
async fn a_set_is_renewed_for_those_who_are_remembered_and_they_end_with_it() {
    let world = World::new(KeyRules { cache_ttl: SignedDuration::ZERO, ..KeyRules::default() }).await;
    let token = world.token(&world.key);
    for _ in 0..2 {
        assert_eq!(refusal(&world.validator, &token).await, None);
    }
    world.ground.pass(1);
    world.provider.asked(2).await;
    // Nobody renewed it: its time is over, and with it that of who was remembered by it.
    let world = World::new(KeyRules::default()).await;
    world.provider.reply(Reply::json(&set(&[&world.key])).header("cache-control", "max-age=10"));
    let token = world.token(&world.key);
    assert_eq!(refusal(&world.validator, &token).await, None);
    world.provider.reply(Reply::json(&set(&[&another("second")])));
    world.ground.pass(10);
    assert_eq!(refusal(&world.validator, &token).await, Some(AuthError::InvalidToken));
}

#[tokio::test]
async fn a_set_counts_as_long_as_the_provider_says_and_no_longer_than_configured() {
    for (max_age, ttl) in [("max-age=10", 10), ("max-age=0", 1), ("max-age=3600", 300), ("no-store", 300)] {
        let world = World::new(KeyRules::default()).await;
        let second = another("second");
        world.provider.reply(Reply::json(&set(&[&world.key])).header("cache-control", max_age));
        assert_eq!(world.refusal(&world.key).await, None);
        let token = world.token(&world.key);
        assert_eq!(refusal(&world.validator, &token).await, None);
        world.provider.reply(Reply::json(&set(&[&second])));
        world.ground.pass(ttl);
        // Its time is over: the provider is asked before the old key is believed once more, and so is who was remembered.
        assert_eq!(world.refusal(&world.key).await, Some(AuthError::InvalidToken), "{max_age}");
        assert_eq!(refusal(&world.validator, &token).await, Some(AuthError::InvalidToken), "{max_age}");
        assert_eq!(world.refusal(&second).await, None);
    }
}

#[tokio::test]
async fn an_unknown_kid_asks_the_provider_once_in_two_seconds() {
    let world = World::new(KeyRules::default()).await;
    let second = another("second");
    assert_eq!(world.refusal(&second).await, Some(AuthError::InvalidToken));
    assert_eq!(world.fetches(), 1);
    world.provider.reply(Reply::json(&set(&[&world.key, &second])));
    world.ground.clock.advance(SignedDuration::from_millis(1_999));
    assert_eq!(world.refusal(&second).await, Some(AuthError::InvalidToken));
    assert_eq!(world.fetches(), 1);
    world.ground.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(world.refusal(&second).await, None);
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_takes_what_was_remembered_with_it() {
    let world = World::new(KeyRules::default()).await;
    let (second, old) = (another("second"), world.token(&world.key));
    assert_eq!(refusal(&world.validator, &old).await, None);
    world.provider.reply(Reply::json(&set(&[&second])));
    world.ground.pass(2);
    assert_eq!(refusal(&world.validator, &old).await, None, "until it is known");
    assert_eq!(world.refusal(&second).await, None);
    assert_eq!(refusal(&world.validator, &old).await, Some(AuthError::InvalidToken));
}

#[tokio::test]
async fn a_bad_key_is_skipped_and_not_the_set() {
    let world = World::new(KeyRules::default()).await;
    let mut keys = set(&[&world.key]);
    let bad =
        [json!(null), json!({"kty": "RSA", "kid": "x", "n": "AQ", "e": "AQAB"}), rsa_jwk(1_024).1, json!({"kid": 7})];
    keys["keys"].as_array_mut().unwrap().splice(0..0, bad);
    world.provider.reply(Reply::json(&keys));
    assert_eq!(world.refusal(&world.key).await, None);
    let report = world.validator.issuers()[0].report().await.unwrap();
    assert_eq!((report.usable, report.failure), (1, None));
    insta::assert_snapshot!(report.skipped.join("\n"), @r"
    key 0: malformed
    key 1: an RSA key of 1 bits, or with a bad exponent
    key 2: an RSA key of 1024 bits, or with a bad exponent
    key 3: malformed
    ");
}

/// What a provider may do instead of answering.
pub(super) fn troubles() -> Vec<(&'static str, Reply)> {
    let good = json!({"keys": []});
    vec![
        ("500", Reply::status(500)),
        ("404", Reply::status(404).body(&good.to_string())),
        ("204", Reply::status(204)),
        ("html", Reply::html()),
        ("empty", Reply::status(200)),
        ("not a set", Reply::json(&json!({"error": "later"}))),
        ("a list", Reply::json(&json!([]))),
        ("50 MB", Reply::json(&good).huge(50 * 1024 * 1024)),
        ("50 MB unannounced", Reply::json(&good).huge_unannounced(50 * 1024 * 1024)),
        ("cut", Reply::json(&good).cut_after(5)),
        ("slow", Reply::json(&good).after(Duration::from_secs(10))),
    ]
}

#[tokio::test]
async fn trouble_at_the_provider_is_nobodys_fault() {
    assert_eq!(KeyRules::default().timeout, Duration::from_secs(5));
    for (what, reply) in troubles() {
        let world = World::new(KeyRules { timeout: Duration::from_millis(500), ..KeyRules::default() }).await;
        let good = Reply::json(&set(&[&world.key]));
        world.provider.reply(reply.clone());
        // None ever succeeded.
        assert_eq!(world.refusal(&world.key).await, Some(AuthError::KeyUnavailable), "{what}");
        world.provider.reply(good);
        world.ground.pass(2);
        assert_eq!(world.refusal(&world.key).await, None, "{what}");
        assert_eq!(world.refusal(&another("x")).await, Some(AuthError::InvalidToken), "{what}");
        // The latest failed: a known key serves on, of an unknown one nothing can be told.
        world.provider.reply(reply);
        world.ground.pass(2);
        assert_eq!(world.refusal(&another("x")).await, Some(AuthError::KeyUnavailable), "{what}");
        assert_eq!(world.refusal(&world.key).await, None, "{what}");
        let report = world.validator.issuers()[0].report().await.unwrap();
        assert!(report.failure.is_some() && report.usable == 0, "{what}: {report:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_a_set_due_and_no_more() {
    let world = World::new(KeyRules::default()).await;
    assert_eq!(world.refusal(&world.key).await, None);
    world.ground.pass(-60);
    assert_eq!(world.refusal(&world.key).await, None);
    assert_eq!(world.fetches(), 2);
    world.provider.reply(Reply::status(503));
    world.ground.pass(-60);
    for _ in 0..10 {
        assert_eq!(world.refusal(&world.key).await, None);
    }
    assert!(world.fetches() <= 4, "{}", world.fetches());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new(KeyRules::default()).await;
    let elsewhere = Scripted::start(Reply::json(&set(&[&world.key]))).await;
    world.provider.reply(Reply::redirect(&elsewhere.url("/keys")));
    assert_eq!(world.refusal(&world.key).await, Some(AuthError::KeyUnavailable));
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn fixed_and_published_keys_stand_together() {
    let (ground, provider) = (Ground::new(), Scripted::start(Reply::status(503)).await);
    let (fixed, published) = (another("fixed"), another("published"));
    let config = IssuerConfig { jwks: Some(set(&[&fixed])), ..remote(Algorithm::EdDsa, &provider.url("/")) };
    let validator = ground.validator([config]);
    let judged = async |key: &Key| refusal(&validator, &key.token(&ground.claims(&json!({})))).await;
    assert_eq!(judged(&fixed).await, None);
    assert_eq!(judged(&published).await, Some(AuthError::KeyUnavailable));
    provider.reply(Reply::json(&set(&[&published])));
    ground.pass(2);
    assert_eq!((judged(&published).await, judged(&fixed).await), (None, None));
}

#[tokio::test]
async fn with_several_providers_the_one_that_has_the_key_is_enough() {
    let ground = Ground::new();
    let (up, down) = (Scripted::start(Reply::status(503)).await, Scripted::start(Reply::status(503)).await);
    let key = another("here");
    up.reply(Reply::json(&set(&[&key])));
    let config = |name: &str, provider: &Scripted| IssuerConfig {
        policy: policy(name),
        ..remote(Algorithm::EdDsa, &provider.url("/"))
    };
    let validator = ground.validator([config("down", &down), config("up", &up)]);
    let judged = async |key: &Key| judge(&validator, &key.token(&ground.claims(&json!({})))).await;
    assert_eq!(judged(&key).await.map(|who| who.issuer.clone().unwrap()), Ok("up".to_owned()));
    let error = judged(&another("nowhere")).await.map_err(|rejection| rejection.error);
    assert_eq!(error.err(), Some(AuthError::KeyUnavailable), "the other may have it");
}

struct Oidc {
    ground: Ground,
    key: Key,
    provider: Scripted,
    keys: Scripted,
    issuer: String,
    validator: JwtValidator,
}

impl Oidc {
    async fn new() -> Self {
        Self::by(KeyRules::default()).await
    }

    async fn by(rules: KeyRules) -> Self {
        let key = another("first");
        let (ground, keys) = (Ground::new(), Scripted::start(Reply::json(&set(&[&key]))).await);
        let provider = Scripted::start(Reply::status(503)).await;
        let issuer = provider.url("");
        let config = IssuerConfig {
            algorithms: vec![Algorithm::EdDsa],
            rules,
            ..IssuerConfig::oidc(policy("oidc"), &issuer, Audience::of(vec![AUDIENCE.to_owned()]))
        };
        let validator = ground.validator([config]);
        let oidc = Self { ground, key, provider, keys, issuer, validator };
        oidc.says(&json!({}));
        oidc
    }

    fn says(&self, more: &Value) {
        let mut document = json!({"issuer": self.issuer, "jwks_uri": self.keys.url("/keys")});
        for (name, value) in more.as_object().unwrap() {
            document[name] = value.clone();
        }
        self.provider.reply(Reply::json(&document));
    }

    async fn refusal(&self, key: &Key) -> Option<AuthError> {
        refusal(&self.validator, &key.token(&self.ground.claims(&json!({"iss": self.issuer})))).await
    }
}

#[tokio::test]
async fn a_discovery_document_says_where_the_keys_are() {
    let oidc = Oidc::new().await;
    assert_eq!(oidc.refusal(&oidc.key).await, None);
    assert_eq!(oidc.provider.requests()[0].target(), "/.well-known/openid-configuration");
    assert_eq!(oidc.keys.requests()[0].target(), "/keys");
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let elsewhere = "http://idp.example/keys";
    for more in [
        json!({"issuer": "https://attacker.example"}),
        json!({"issuer": null}),
        json!({"jwks_uri": elsewhere}),
        json!({"jwks_uri": "file:///etc/passwd"}),
        json!({"jwks_uri": "keys"}),
        json!({"jwks_uri": null}),
    ] {
        let oidc = Oidc::new().await;
        oidc.says(&more);
        assert_eq!(oidc.refusal(&oidc.key).await, Some(AuthError::KeyUnavailable), "{more}");
        assert_eq!(oidc.keys.count(), 0);
        oidc.says(&json!({}));
        oidc.ground.pass(2);
        assert_eq!(oidc.refusal(&oidc.key).await, None, "{more}");
    }
}

#[tokio::test]
async fn a_discovery_document_is_read_again_and_serves_on_while_it_cannot_be() {
    let oidc = Oidc::new().await;
    assert_eq!(oidc.refusal(&oidc.key).await, None);
    let (moved, second) = (Scripted::start(Reply::status(404)).await, another("second"));
    moved.reply(Reply::json(&set(&[&second])));
    oidc.says(&json!({"jwks_uri": moved.url("/new")}));
    oidc.ground.pass(300);
    assert_eq!(oidc.refusal(&second).await, None);
    assert_eq!(oidc.refusal(&oidc.key).await, Some(AuthError::InvalidToken));
    oidc.provider.reply(Reply::status(500));
    for _ in 0..12 {
        oidc.ground.pass(300);
        assert_eq!(oidc.refusal(&second).await, None);
    }
    assert!(moved.count() > 10, "its keys are read on");
}

#[tokio::test]
async fn trouble_with_the_document_is_trouble_with_the_keys() {
    for (what, trouble) in troubles() {
        let rules = KeyRules { timeout: Duration::from_millis(500), ..KeyRules::default() };
        let oidc = Oidc::by(rules).await;
        oidc.provider.reply(trouble.clone());
        assert_eq!(oidc.refusal(&oidc.key).await, Some(AuthError::KeyUnavailable), "{what}");
        assert_eq!(oidc.keys.count(), 0, "{what}");
        oidc.says(&json!({}));
        oidc.ground.pass(2);
        assert_eq!(oidc.refusal(&oidc.key).await, None, "{what}");
        // Its keys were found once, and are read on.
        oidc.provider.reply(trouble);
        oidc.ground.pass(300);
        assert_eq!(oidc.refusal(&oidc.key).await, None, "{what}");
    }
}

#[tokio::test]
async fn keys_that_have_moved_are_looked_for_at_the_next_attempt() {
    let oidc = Oidc::new().await;
    assert_eq!(oidc.refusal(&oidc.key).await, None);
    let second = another("second");
    let moved = Scripted::start(Reply::json(&set(&[&second]))).await;
    oidc.says(&json!({"jwks_uri": moved.url("/new")}));
    oidc.keys.reply(Reply::status(410));
    oidc.ground.pass(2);
    assert_eq!(oidc.refusal(&second).await, Some(AuthError::KeyUnavailable));
    oidc.ground.pass(2);
    assert_eq!(oidc.refusal(&second).await, None);
}

#[tokio::test]
async fn the_document_may_be_elsewhere() {
    let (ground, key) = (Ground::new(), another("first"));
    let keys = Scripted::start(Reply::json(&set(&[&key]))).await;
    let issuer = "https://idp.example";
    let provider = Scripted::start(Reply::json(&json!({"issuer": issuer, "jwks_uri": keys.url("/")}))).await;
    let document = Some(Url::parse(&provider.url("/inside/discovery")).unwrap());
    let published = Some(Published::Discovered { issuers: vec![issuer.to_owned()], document });
    let config = IssuerConfig { issuers: vec![issuer.to_owned()], published, ..jwt(&[Algorithm::EdDsa]) };
    let validator = ground.validator([config]);
    assert_eq!(refusal(&validator, &key.token(&ground.claims(&json!({"iss": issuer})))).await, None);
    assert_eq!(provider.requests()[0].target(), "/inside/discovery");
}

/// One provider that goes by several names: the document has one of them, tokens any.
#[tokio::test]
async fn a_document_may_have_any_of_the_issuers_names_and_no_other() {
    let (ground, key) = (Ground::new(), another("first"));
    let keys = Scripted::start(Reply::json(&set(&[&key]))).await;
    let names = ["https://new.example", "https://old.example"].map(str::to_owned);
    let judged = async |says: &str| {
        let document = json!({"issuer": says, "jwks_uri": keys.url("/")});
        let provider = Scripted::start(Reply::json(&document)).await;
        let document = Some(Url::parse(&provider.url("/discovery")).unwrap());
        let published = Some(Published::Discovered { issuers: names.to_vec(), document });
        let config = IssuerConfig { issuers: names.to_vec(), published, ..jwt(&[Algorithm::EdDsa]) };
        let validator = ground.validator([config]);
        let token = |iss: &str| key.token(&ground.claims(&json!({"iss": iss})));
        [refusal(&validator, &token(&names[0])).await, refusal(&validator, &token(&names[1])).await]
    };
    for name in &names {
        assert_eq!(judged(name).await, [None, None], "{name}");
    }
    for other in ["https://new.example/", "https://attacker.example", ""] {
        assert_eq!(judged(other).await, [Some(AuthError::KeyUnavailable), Some(AuthError::KeyUnavailable)], "{other}");
    }
}
