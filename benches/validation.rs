//! What judging a JWT costs: `cargo bench --bench validation`, or `scripts/measure`. Read the ratios: each is taken within
//! one run, in turns. Answers are printed, and the run fails when a goal is missed.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a program that measures: it may stop, and it reports with one digit behind the point"
)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use josekit::{
    jwk::{Jwk, alg::ec::EcCurve, alg::ed::EdCurve},
    jws::{
        ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, JwsSigner, JwsVerifier, PS256, PS384, PS512, RS256, RS384,
        RS512,
    },
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::{
    adapters::{
        auth::jwt::{Algorithm, IssuerConfig, JwtIssuer, JwtValidator, USUAL_BYTES, Upkeep},
        clock::ManualClock,
    },
    domain::{
        bearer::BearerToken,
        issuer::{IssuerPolicy, Provision},
        user::IssuerName,
    },
    ports::token_validator::TokenValidator,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const SECRET: &str = "a secret of sixty-four bytes or more, which is what HS512 asks for";
/// A cached validation takes no longer, in 99 of 100.
const GOAL_P99: Duration = Duration::from_micros(20);
/// Distinct tokens that are judged for the memory's sake.
const DISTINCT: u32 = 100_000;
const ROUNDS: usize = 5;

struct Bench {
    algorithm: Algorithm,
    signer: Box<dyn JwsSigner>,
    verifier: Box<dyn JwsVerifier>,
    jwks: Option<Value>,
}

impl Bench {
    fn new(algorithm: Algorithm, rsa: &Jwk) -> Self {
        macro_rules! made {
            ($alg:expr, $jwk:expr) => {{
                let (jwk, public) = ($jwk, $jwk.to_public_key().unwrap());
                let jwks = json!([Value::Object(public.as_ref().clone())]);
                let verifier = Box::new($alg.verifier_from_jwk(&public).unwrap());
                (Box::new($alg.signer_from_jwk(&jwk).unwrap()), verifier, Some(jwks))
            }};
            ($alg:expr) => {
                (
                    Box::new($alg.signer_from_bytes(SECRET).unwrap()),
                    Box::new($alg.verifier_from_bytes(SECRET).unwrap()),
                    None,
                )
            };
        }
        let ec = |curve| Jwk::generate_ec_key(curve).unwrap();
        let (p256, p384, p521) = (ec(EcCurve::P256), ec(EcCurve::P384), ec(EcCurve::P521));
        let ed = Jwk::generate_ed_key(EdCurve::Ed25519).unwrap();
        let (signer, verifier, jwks): (Box<dyn JwsSigner>, Box<dyn JwsVerifier>, _) = match algorithm {
            Algorithm::Hs256 => made!(HS256),
            Algorithm::Hs384 => made!(HS384),
            Algorithm::Hs512 => made!(HS512),
            Algorithm::Rs256 => made!(RS256, rsa),
            Algorithm::Rs384 => made!(RS384, rsa),
            Algorithm::Rs512 => made!(RS512, rsa),
            Algorithm::Ps256 => made!(PS256, rsa),
            Algorithm::Ps384 => made!(PS384, rsa),
            Algorithm::Ps512 => made!(PS512, rsa),
            Algorithm::Es256 => made!(ES256, &p256),
            Algorithm::Es384 => made!(ES384, &p384),
            Algorithm::Es512 => made!(ES512, &p521),
            Algorithm::EdDsa => made!(EdDSA, &ed),
        };
        Self { algorithm, signer, verifier, jwks }
    }

    fn validator(&self, clock: &Arc<ManualClock>) -> JwtValidator {
        let policy = IssuerPolicy::new(IssuerName::parse("bench").unwrap(), Provision::User);
        let config = IssuerConfig {
            issuers: vec!["https://idp.example".to_owned()],
            algorithms: vec![self.algorithm],
            secret: self.jwks.is_none().then(|| SecretString::from(SECRET)),
            jwks: self.jwks.clone(),
            ..IssuerConfig::jwt(policy)
        };
        let clock = Arc::clone(clock);
        let upkeep = Upkeep {
            clock: Arc::<ManualClock>::clone(&clock),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        JwtValidator::new(vec![JwtIssuer::new(config, &upkeep).unwrap()], clock, Arc::default()).unwrap()
    }

    /// A token of about a kilobyte, as an identity provider hands them out.
    fn token(&self, number: u32, now: Timestamp) -> String {
        let claims = json!({
            "iss": "https://idp.example",
            "aud": ["gate", "account"],
            "sub": format!("user_{number:026}"),
            "jti": format!("01J{number:023}"),
            "sid": format!("session_{number:026}"),
            "iat": now.as_second(),
            "exp": now.as_second() + 300,
            "email": format!("person.{number}@example.com"),
            "email_verified": true,
            "preferred_username": format!("person.{number}"),
            "scope": "openid profile workflows:read workflows:write workflows:execute",
            "workspace_ids": ["acme", "globex"],
            "realm_access": {"roles": ["offline_access", "uma_authorization", "member"]},
        });
        let header = json!({"typ": "JWT", "alg": self.algorithm.as_str()});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&header), encode(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.signer.sign(text.as_bytes()).unwrap());
        format!("{text}.{signature}")
    }

    /// What there is to verify of a token, and nothing but that.
    fn bare(&self, token: &str) {
        let (text, signature) = token.rsplit_once('.').unwrap();
        self.verifier.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn micros(since: Instant, times: usize) -> f64 {
    since.elapsed().as_secs_f64() * 1e6 / times as f64
}

fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at(now));
    let rsa = Jwk::generate_rsa_key(2_048).unwrap();
    println!("algorithm  josekit µs  cold µs  josekit/cold  cached µs");
    for algorithm in Algorithm::ALL {
        let bench = Bench::new(algorithm, &rsa);
        per_algorithm(&bench, &clock, now).await;
    }
    let bench = Bench::new(Algorithm::Rs256, &rsa);
    let p99 = cached(&bench, &clock, now).await;
    memory(&Bench::new(Algorithm::Hs256, &rsa), &clock, now).await;
    assert!(p99 < GOAL_P99, "the 99th percentile of a cached validation is {p99:?}");
}

/// In turns, over tokens that nobody has seen.
async fn per_algorithm(bench: &Bench, clock: &Arc<ManualClock>, now: Timestamp) {
    let each = 400;
    let tokens: Vec<String> = (0..each).map(|number| bench.token(number, now)).collect();
    let (mut bare, mut cold, mut cached) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let validator = bench.validator(clock);
        let fresh: Vec<_> = tokens.iter().map(BearerToken::new).collect();
        let start = Instant::now();
        for token in &tokens {
            bench.bare(token);
        }
        bare.push(micros(start, tokens.len()));
        for times in [&mut cold, &mut cached] {
            let fresh: Vec<_> = fresh.iter().map(|token| BearerToken::new(token.expose())).collect();
            let start = Instant::now();
            for token in &fresh {
                black_box(validator.validate(token).await.unwrap());
            }
            times.push(micros(start, tokens.len()));
        }
    }
    let (bare, cold, cached) = (median(bare), median(cold), median(cached));
    println!("{:9}  {bare:10.1}  {cold:7.1}  {:12.2}  {cached:9.2}", bench.algorithm.as_str(), bare / cold);
}

/// One by one, a fresh request's token each time: its digest is computed, too.
async fn cached(bench: &Bench, clock: &Arc<ManualClock>, now: Timestamp) -> Duration {
    let validator = bench.validator(clock);
    let tokens: Vec<String> = (0..1_000).map(|number| bench.token(number, now)).collect();
    for token in &tokens {
        validator.validate(&BearerToken::new(token)).await.unwrap();
    }
    let mut times = Vec::with_capacity(200_000);
    for token in tokens.iter().cycle().take(200_000) {
        let token = BearerToken::new(token);
        let start = Instant::now();
        black_box(validator.validate(&token).await.unwrap());
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |per_mille: usize| times[times.len() * per_mille / 1_000];
    println!("cached: median {:?}, p99 {:?}, p99.9 {:?}", at(500), at(990), at(999));
    at(990)
}

async fn memory(bench: &Bench, clock: &Arc<ManualClock>, now: Timestamp) {
    let validator = bench.validator(clock);
    validator.validate(&BearerToken::new(bench.token(DISTINCT, now))).await.unwrap();
    let before = resident_bytes();
    let mut most = before;
    for number in 0..DISTINCT {
        validator.validate(&BearerToken::new(bench.token(number, now))).await.unwrap();
        if number % 1_000 == 0 {
            most = most.max(resident_bytes());
        }
    }
    let (tokens, bytes) = validator.remembered();
    let grown = most.max(resident_bytes()) - before;
    println!(
        "memory: {DISTINCT} distinct tokens, {tokens} remembered, {} MiB by estimate, {} MiB more resident",
        bytes >> 20,
        grown >> 20
    );
    assert!(grown < USUAL_BYTES * 3 / 2, "what is remembered of tokens takes {grown} bytes");
}
