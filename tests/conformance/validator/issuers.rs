//! Which issuer a token is judged by, and which cannot be made.

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;
use tidegate::{
    adapters::auth::jwt::{Algorithm, Audience, InvalidIssuer, IssuerConfig, JwtIssuer, JwtValidator, Published},
    domain::identity::{Identity, IdentityKind},
    ports::token_validator::{AuthError, Suspect},
};
use url::Url;

use super::{
    kinds::{AUDIENCE, Ground, ISSUER, judge, jwt, policy, refusal},
    mint::{Key, SECRET, set},
};

fn named(name: &str, issuers: &[&str], key: &Key) -> IssuerConfig {
    IssuerConfig {
        issuers: issuers.iter().map(ToString::to_string).collect(),
        jwks: Some(set(&[key])),
        algorithms: vec![key.algorithm],
        ..IssuerConfig::jwt(policy(name))
    }
}

fn by_secret(name: &str, issuers: &[&str]) -> IssuerConfig {
    IssuerConfig {
        issuers: issuers.iter().map(ToString::to_string).collect(),
        secret: Some(SecretString::from(SECRET)),
        ..IssuerConfig::jwt(policy(name))
    }
}

fn issuer(who: &Identity) -> &str {
    who.issuer.as_deref().unwrap()
}

#[tokio::test]
async fn a_token_is_judged_by_the_issuer_that_it_names() {
    let ground = Ground::new();
    let [a, b, any] = ["a", "b", "any"].map(|id| Key::new(Algorithm::Es256, Some(id)));
    let validator = ground.validator([
        named("any", &[], &any),
        named("a", &["https://a.example", "https://a2.example"], &a),
        named("b", &["https://b.example"], &b),
    ]);
    let token = |key: &Key, iss: &str| key.token(&ground.claims(&json!({"iss": iss})));
    for (key, iss, name) in [
        (&a, "https://a.example", "a"),
        (&a, "https://a2.example", "a"),
        (&b, "https://b.example", "b"),
        (&any, "https://unheard.of", "any"),
    ] {
        assert_eq!(judge(&validator, &token(key, iss)).await.map(|who| issuer(&who).to_owned()), Ok(name.to_owned()));
    }
    // Nobody else is asked: a key of another issuer's signs nothing here.
    for (key, iss) in [(&a, "https://b.example"), (&any, "https://a.example"), (&b, "https://unheard.of")] {
        assert_eq!(refusal(&validator, &token(key, iss)).await, Some(AuthError::InvalidToken), "{iss}");
    }
}

#[tokio::test]
async fn a_token_of_nobodys_has_an_invalid_issuer() {
    let ground = Ground::new();
    let key = Key::new(Algorithm::Es256, Some("a"));
    let validator = ground.validator([named("a", &[ISSUER], &key)]);
    let claims = ground.claims(&json!({"iss": "https://b.example"}));
    assert_eq!(refusal(&validator, &key.token(&claims)).await, Some(AuthError::InvalidIssuer));
    // The header is judged before that.
    let other = Key::new(Algorithm::Rs256, Some("a"));
    assert_eq!(refusal(&validator, &other.token(&claims)).await, Some(AuthError::UnsupportedAlgorithm));
}

#[tokio::test]
async fn among_several_the_one_whose_keys_hold_the_kid_judges() {
    let ground = Ground::new();
    let [a, b] = ["a", "b"].map(|id| Key::new(Algorithm::Es256, Some(id)));
    let (nameless, secret) = (Key::new(Algorithm::Es256, None), Key::new(Algorithm::Hs256, Some("a")));
    let validator =
        ground.validator([named("a", &[ISSUER], &a), named("b", &[ISSUER], &b), by_secret("secret", &[ISSUER])]);
    for (key, name) in [(&a, "a"), (&b, "b"), (&secret, "secret")] {
        let judged = judge(&validator, &key.token(&ground.claims(&json!({})))).await;
        assert_eq!(judged.map(|who| issuer(&who).to_owned()), Ok(name.to_owned()));
    }
    // Two keys fit: nobody can tell which.
    assert_eq!(refusal(&validator, &nameless.token(&ground.claims(&json!({})))).await, Some(AuthError::InvalidToken));
}

#[tokio::test]
async fn without_a_kid_exactly_one_key_must_fit() {
    let ground = Ground::new();
    let (own, other) = (Key::new(Algorithm::Es256, None), Key::new(Algorithm::Es256, Some("other")));
    let rsa = Key::new(Algorithm::Rs256, Some("rsa"));
    let of = |keys: &[&Key]| {
        let algorithms = [Algorithm::Es256, Algorithm::Rs256];
        ground.validator([IssuerConfig { jwks: Some(set(keys)), ..jwt(&algorithms) }])
    };
    let token = own.token(&ground.claims(&json!({})));
    assert_eq!(refusal(&of(&[&own, &rsa]), &token).await, None);
    assert_eq!(refusal(&of(&[&own, &rsa, &other]), &token).await, Some(AuthError::InvalidToken));
    // A `kid` that no key has does not become none.
    let mut header = own.header();
    header.insert("kid".to_owned(), json!("unknown"));
    let claims = ground.claims(&json!({})).to_string();
    let unknown = super::mint::signed(&serde_json::Value::Object(header).to_string(), &claims, |text| own.sign(text));
    assert_eq!(refusal(&of(&[&own, &rsa]), &unknown).await, Some(AuthError::InvalidToken));
}

#[tokio::test]
async fn a_refusal_names_the_token_or_its_subject() {
    let ground = Ground::new();
    let key = Key::new(Algorithm::Es256, None);
    let validator = ground.validator([IssuerConfig { jwks: Some(set(&[&key])), ..jwt(&[Algorithm::Es256]) }]);
    let of = async |more| judge(&validator, &key.token(&ground.claims(&more))).await.unwrap_err().of.map(|of| *of);
    let suspect = |kind: IdentityKind, subject: &str, token: Option<&str>| {
        let (issuer, subject, token_id) = (Some("demo".to_owned()), subject.to_owned(), token.map(str::to_owned));
        Some(Suspect { kind, issuer, subject, token_id })
    };
    assert_eq!(of(json!({"exp": 0})).await, suspect(IdentityKind::User, "ada", None));
    assert_eq!(of(json!({"exp": 0, "jti": "t-1"})).await, suspect(IdentityKind::User, "ada", Some("t-1")));
    let expired_client = json!({"exp": 0, "token_use": "client"});
    assert_eq!(of(expired_client).await, suspect(IdentityKind::Service, "ada", None));
    assert_eq!(of(json!({"aud": "others", "jti": "t-1"})).await, suspect(IdentityKind::User, "ada", Some("t-1")));
    // An ID token is nothing to call with, and somebody's all the same.
    assert_eq!(of(json!({"token_use": "ID"})).await, suspect(IdentityKind::User, "ada", None));
    assert_eq!(of(json!({"sub": "", "jti": "t-1"})).await, suspect(IdentityKind::User, "t-1", Some("t-1")));
    assert_eq!(of(json!({"sub": "", "jti": 5})).await, None);
}

#[tokio::test]
async fn workos_has_two_names_and_its_client_for_an_audience() {
    let ground = Ground::new();
    let key = Key::new(Algorithm::Rs256, Some("k"));
    let config = IssuerConfig::workos(policy("workos"), "client_01").unwrap();
    let Some(Published::At(url)) = &config.published else { panic!("{config:?}") };
    assert_eq!(url.as_str(), "https://api.workos.com/sso/jwks/client_01");
    let validator = ground.validator([IssuerConfig { published: None, jwks: Some(set(&[&key])), ..config }]);
    let judged = async |iss: &str, aud: serde_json::Value| {
        let mut claims = ground.claims(&json!({"iss": iss, "aud": aud}));
        if aud.is_null() {
            claims.as_object_mut().unwrap().remove("aud");
        }
        refusal(&validator, &key.token(&claims)).await
    };
    for iss in ["https://api.workos.com", "https://api.workos.com/user_management/client_01"] {
        assert_eq!(judged(iss, json!(null)).await, None);
        assert_eq!(judged(iss, json!("client_01")).await, None);
        assert_eq!(judged(iss, json!("client_02")).await, Some(AuthError::InvalidAudience));
    }
    for iss in ["https://api.workos.com/", "https://api.workos.com/user_management/client_02", "https://workos.com"] {
        assert_eq!(judged(iss, json!(null)).await, Some(AuthError::InvalidIssuer), "{iss}");
    }
    assert!(matches!(IssuerConfig::workos(policy("workos"), "../x"), Err(InvalidIssuer::ClientId)));
}

#[tokio::test]
async fn an_issuer_that_cannot_judge_is_not_made() {
    let ground = Ground::new();
    let key = Key::new(Algorithm::Es256, None);
    let good = || IssuerConfig { jwks: Some(set(&[&key])), ..jwt(&[Algorithm::Es256]) };
    let secret = |text: &str, algorithm| IssuerConfig { secret: Some(SecretString::from(text)), ..jwt(&[algorithm]) };
    let at = |url: &str| IssuerConfig { published: Some(Published::At(Url::parse(url).unwrap())), ..good() };
    let refused = |config| JwtIssuer::new(config, &ground.upkeep()).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            refused(jwt(&[])),
            refused(jwt(&[Algorithm::Hs256, Algorithm::Es256])),
            refused(secret(&"x".repeat(31), Algorithm::Hs256)),
            refused(secret(&"x".repeat(47), Algorithm::Hs384)),
            refused(secret(&"x".repeat(63), Algorithm::Hs512)),
            refused(IssuerConfig { jwks: Some(json!("keys")), ..good() }),
            refused(IssuerConfig { jwks: Some(json!([])), ..good() }),
            refused(at("http://idp.example/keys")),
            refused(at("https://me:pw@idp.example/keys")),
            refused(IssuerConfig { audience: Audience::of(vec![]), ..good() }),
            refused(IssuerConfig { issuers: vec![String::new()], ..good() }),
            refused(IssuerConfig { leeway: SignedDuration::from_secs(61), ..good() }),
            refused(IssuerConfig { leeway: SignedDuration::from_secs(-1), ..good() }),
            refused(IssuerConfig::oidc(policy("o"), "not a url", Audience::of(vec![AUDIENCE.to_owned()]))),
        ]
        .join("\n"),
        @r"
    has neither a secret nor keys for any of its algorithms
    has neither a secret nor keys for any of its algorithms
    the secret must have at least 32 bytes for HS256
    the secret must have at least 48 bytes for HS384
    the secret must have at least 64 bytes for HS512
    jwks: must be a JSON Web Key Set or a list of keys
    jwks: holds no key that the issuer's algorithms can use
    the address of its keys plain http is for loopback only (or set allow_http)
    the address of its keys must not hold a user or a password
    audiences: must name somebody
    issuers: must name somebody
    leeway: must be 0 to 60 s
    leeway: must be 0 to 60 s
    must be a URL, since its discovery document is below it
    "
    );
    assert!(JwtIssuer::new(secret(&"x".repeat(32), Algorithm::Hs256), &ground.upkeep()).is_ok());
}

#[tokio::test]
async fn two_issuers_that_could_own_a_token_do_not_both_verify_by_a_secret() {
    let ground = Ground::new();
    let key = Key::new(Algorithm::Es256, None);
    let made = |configs: Vec<IssuerConfig>| {
        let issuers = configs.into_iter().map(|config| ground.issuer(config)).collect();
        let clock = std::sync::Arc::<tidegate::adapters::clock::ManualClock>::clone(&ground.clock);
        JwtValidator::new(issuers, clock, std::sync::Arc::default())
    };
    let ambiguous = |configs| matches!(made(configs), Err(InvalidIssuer::Ambiguous(..)));
    assert!(ambiguous(vec![by_secret("a", &[]), by_secret("b", &[])]));
    assert!(ambiguous(vec![by_secret("a", &["x", "y"]), named("n", &[], &key), by_secret("b", &["y", "z"])]));
    assert!(!ambiguous(vec![by_secret("a", &["x"]), by_secret("b", &["y"]), by_secret("c", &[])]));
    assert!(!ambiguous(vec![by_secret("a", &["x"]), named("b", &["x"], &key)]));
}
