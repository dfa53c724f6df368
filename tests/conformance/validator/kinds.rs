//! A validator for each kind of issuer, and what signs for it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::{
    adapters::{
        auth::jwt::{Algorithm, Audience, IssuerConfig, JwtIssuer, JwtValidator, Published, Upkeep},
        clock::ManualClock,
    },
    app::signals::Signals,
    conformance::validator::{Judged, Subject},
    domain::{
        bearer::BearerToken,
        identity::Identity,
        issuer::{IssuerPolicy, Provision},
        user::IssuerName,
    },
    ports::{
        clock::Clock,
        token_validator::{AuthError, Rejection, TokenValidator},
    },
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use url::Url;

use super::mint::{Key, KeyMint, SECRET, set};
use crate::support::scripted::{Reply, Scripted};

pub(super) const ISSUER: &str = "https://idp.example/realms/demo";
pub(super) const AUDIENCE: &str = "https://gate.example";

/// What validators of a test stand on. Their tasks end with it.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) clock: Arc<ManualClock>,
    pub(super) signals: Arc<Signals>,
    pub(super) tasks: TaskTracker,
    stop: CancellationToken,
    #[expect(dead_code, reason = "its end is what it is for")]
    end: DropGuard,
}

impl Ground {
    pub(super) fn new() -> Self {
        let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        let stop = CancellationToken::new();
        let end = stop.clone().drop_guard();
        Self { clock: Arc::new(ManualClock::at(now)), signals: Arc::default(), tasks: TaskTracker::new(), stop, end }
    }

    pub(super) fn upkeep(&self) -> Upkeep {
        Upkeep { clock: Arc::<ManualClock>::clone(&self.clock), tasks: self.tasks.clone(), stop: self.stop.clone() }
    }

    pub(super) fn issuer(&self, config: IssuerConfig) -> JwtIssuer {
        JwtIssuer::new(config, &self.upkeep()).unwrap()
    }

    pub(super) fn validator(&self, configs: impl IntoIterator<Item = IssuerConfig>) -> JwtValidator {
        let issuers = configs.into_iter().map(|config| self.issuer(config)).collect();
        JwtValidator::new(issuers, Arc::<ManualClock>::clone(&self.clock), Arc::clone(&self.signals)).unwrap()
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Claims that hold for five minutes.
    pub(super) fn claims(&self, more: &Value) -> Value {
        let now = self.clock.now().as_second();
        let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }
}

pub(super) fn policy(name: &str) -> IssuerPolicy {
    IssuerPolicy::new(IssuerName::parse(name).unwrap(), Provision::User)
}

/// An issuer of kind `jwt` that judges `iss` and `aud`; its keys are still to be set.
pub(super) fn jwt(algorithms: &[Algorithm]) -> IssuerConfig {
    IssuerConfig {
        issuers: vec![ISSUER.to_owned()],
        audience: Audience::of(vec![AUDIENCE.to_owned()]),
        algorithms: algorithms.to_vec(),
        ..IssuerConfig::jwt(policy("demo"))
    }
}

/// The same with keys at this address.
pub(super) fn remote(algorithm: Algorithm, url: &str) -> IssuerConfig {
    IssuerConfig { published: Some(Published::At(Url::parse(url).unwrap())), ..jwt(&[algorithm]) }
}

pub(super) async fn judge(validator: &JwtValidator, token: &str) -> Result<Arc<Identity>, Rejection> {
    validator.validate(&BearerToken::new(token)).await.map(|token| Arc::clone(token.identity()))
}

/// As what the token is refused; `None` if it is not.
pub(super) async fn refusal(validator: &JwtValidator, token: &str) -> Option<AuthError> {
    judge(validator, token).await.err().map(|rejection| rejection.error)
}

fn subject(ground: Ground, config: IssuerConfig, mint: KeyMint) -> Subject {
    let validator = Arc::new(ground.validator([config]));
    subject_of(ground, validator, mint)
}

/// A validator on this ground, and what signs for it.
pub(super) fn subject_of(ground: Ground, validator: Arc<dyn TokenValidator>, mut mint: KeyMint) -> Subject {
    let clock = Arc::clone(&ground.clock);
    mint.beneath.push(Box::new(ground));
    Subject { validator, clock, mint: Box::new(mint) }
}

pub(super) fn mint(key: Key) -> KeyMint {
    KeyMint {
        key,
        claims: json!({"iss": ISSUER, "aud": AUDIENCE}),
        issuer: Judged::Always,
        audience: Judged::Always,
        others: Vec::new(),
        beneath: Vec::new(),
    }
}

/// Kind `jwt`, a secret alone; no `iss` and no `aud` is judged.
pub(super) async fn secret() -> Subject {
    let config = IssuerConfig { secret: Some(SecretString::from(SECRET)), ..IssuerConfig::jwt(policy("secret")) };
    let mint = KeyMint { issuer: Judged::Never, audience: Judged::Never, ..mint(Key::new(Algorithm::Hs256, None)) };
    subject(Ground::new(), config, mint)
}

/// Kind `jwt`, a configured key set.
pub(super) async fn fixed_keys() -> Subject {
    let key = Key::new(Algorithm::Es256, Some("es"));
    let config = IssuerConfig { jwks: Some(set(&[&key])), ..jwt(&[Algorithm::Es256]) };
    subject(Ground::new(), config, mint(key))
}

/// Kind `jwt`, a secret beside RSA keys: what a public key taken for a secret would open.
pub(super) async fn secret_and_rsa_keys() -> Subject {
    let key = Key::new(Algorithm::Rs256, Some("rs"));
    let algorithms = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512, Algorithm::Rs256];
    let secret = Some(SecretString::from(SECRET));
    let config = IssuerConfig { secret, jwks: Some(set(&[&key])), ..jwt(&algorithms) };
    subject(Ground::new(), config, mint(key))
}

/// The same with EC keys; the tokens of the suite are signed by the secret.
pub(super) async fn secret_and_ec_keys() -> Subject {
    let others = vec![Key::new(Algorithm::Es256, Some("es")), Key::new(Algorithm::Es512, Some("es512"))];
    let algorithms = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512, Algorithm::Es256, Algorithm::Es512];
    let jwks = Some(set(&others.iter().collect::<Vec<_>>()));
    let config = IssuerConfig { secret: Some(SecretString::from(SECRET)), jwks, ..jwt(&algorithms) };
    subject(Ground::new(), config, KeyMint { others, ..mint(Key::new(Algorithm::Hs512, None)) })
}

/// Kind `jwt`, a published key set.
pub(super) async fn remote_keys() -> Subject {
    let key = Key::new(Algorithm::Ps256, Some("ps"));
    let server = Scripted::start(Reply::json(&set(&[&key]))).await;
    let config = remote(Algorithm::Ps256, &server.url("/keys"));
    subject(Ground::new(), config, KeyMint { beneath: vec![Box::new(server)], ..mint(key) })
}

/// Kind `oidc`.
pub(super) async fn oidc(algorithm: Algorithm) -> Subject {
    let key = Key::new(algorithm, Some("key-1"));
    let keys = Scripted::start(Reply::json(&set(&[&key]))).await;
    let provider = Scripted::start(Reply::status(503)).await;
    let issuer = provider.url("/realms/demo/");
    provider.reply(Reply::json(&json!({"issuer": issuer, "jwks_uri": keys.url("/keys")})));
    let config = IssuerConfig {
        algorithms: vec![algorithm],
        ..IssuerConfig::oidc(policy("oidc"), &issuer, Audience::of(vec![AUDIENCE.to_owned()]))
    };
    let claims = json!({"iss": issuer, "aud": AUDIENCE});
    subject(Ground::new(), config, KeyMint { claims, beneath: vec![Box::new((keys, provider))], ..mint(key) })
}

/// Kind `workos`.
pub(super) async fn workos() -> Subject {
    let key = Key::new(Algorithm::Rs256, Some("sso_oidc_key_pair_01"));
    let server = Scripted::start(Reply::json(&set(&[&key]))).await;
    let config = IssuerConfig {
        published: Some(Published::At(Url::parse(&server.url("/sso/jwks/client_01")).unwrap())),
        ..IssuerConfig::workos(policy("workos"), "client_01").unwrap()
    };
    let claims = json!({
        "iss": "https://api.workos.com/user_management/client_01",
        "aud": "client_01",
        "sid": "session_01",
        "jti": "01J",
        "org_id": "org_01",
        "role": "admin",
        "permissions": ["workflows:run"],
    });
    let mint = KeyMint { claims, audience: Judged::IfPresent, beneath: vec![Box::new(server)], ..mint(key) };
    subject(Ground::new(), config, mint)
}
