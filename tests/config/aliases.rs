//! The names of existing deployments that make the issuer `orcheo`.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    config::{Algorithm, Audience, IssuerConfig, IssuerKind, JwtConfig, Origin},
    domain::{issuer::Provision, scope::all_scopes, workspace::WorkspaceAccess},
};

use super::{SECRET, assert_refused, load_environment, load_file};

const KEYS: &str = r#"{"keys":[{"kty":"RSA","kid":"1","n":"x","e":"AQAB"}]}"#;

#[track_caller]
fn orcheo(variables: &[(&str, &str)]) -> (IssuerConfig, JwtConfig) {
    let loaded = load_environment(variables).unwrap();
    let [issuer] = <[IssuerConfig; 1]>::try_from(loaded.config.auth.issuers).unwrap();
    assert_eq!(issuer.name().as_str(), "orcheo");
    let IssuerKind::Jwt(jwt) = issuer.kind.clone() else { panic!("{issuer:?}") };
    (issuer, jwt)
}

#[test]
fn all_names_together_make_one_issuer() {
    let (issuer, jwt) = orcheo(&[
        ("ORCHEO_AUTH_JWT_SECRET", SECRET),
        ("ORCHEO_AUTH_JWKS_URL", "https://id.example/jwks"),
        ("ORCHEO_AUTH_JWKS", KEYS),
        ("ORCHEO_AUTH_JWKS_CACHE_TTL", "1.5"),
        ("ORCHEO_AUTH_JWKS_TIMEOUT", "2.5"),
        ("ORCHEO_AUTH_ALLOWED_ALGORITHMS", "hs256, RS256,eddsa"),
        ("ORCHEO_AUTH_AUDIENCE", "a, b"),
        ("ORCHEO_AUTH_ISSUER", "https://id.example,https://other.example"),
    ]);
    assert_eq!(issuer.policy.provision, Provision::User);
    assert_eq!(issuer.policy.max_scopes, all_scopes());
    assert_eq!(issuer.policy.default_workspaces, WorkspaceAccess::All);
    assert_eq!(issuer.audiences, Audience::OneOf(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(issuer.issuers, ["https://id.example", "https://other.example"]);
    assert_eq!(jwt.algorithms, [Algorithm::Hs256, Algorithm::Rs256, Algorithm::EdDsa]);
    assert_eq!(jwt.secret.unwrap().expose(), SECRET);
    assert_eq!(jwt.jwks_url.unwrap().as_str(), "https://id.example/jwks");
    assert_eq!(jwt.jwks, serde_json::from_str(KEYS).unwrap());
    assert_eq!(jwt.keys.cache_ttl, SignedDuration::from_millis(1_500));
    assert_eq!(jwt.keys.timeout, Duration::from_millis(2_500));
}

#[test]
fn a_secret_alone_is_enough_and_verbatim() {
    for secret in ["12345678901234567890123456789012", "\"quoted-quoted-quoted-quoted-quo\""] {
        let (_, jwt) = orcheo(&[("ORCHEO_AUTH_JWT_SECRET", secret)]);
        assert_eq!(jwt.algorithms, [Algorithm::Hs256]);
        assert_eq!(jwt.secret.unwrap().expose(), secret);
    }
    assert_refused(
        load_environment(&[("ORCHEO_AUTH_JWT_SECRET", "too-short")]),
        &["ORCHEO_AUTH_JWT_SECRET", "32 bytes"],
    );
}

#[test]
fn given_keys_are_a_set_or_an_array_and_the_plain_name_wins() {
    let other = r#"[{"kty":"RSA","kid":"2","n":"y","e":"AQAB"}]"#;
    let (_, jwt) = orcheo(&[("ORCHEO_AUTH_JWKS_STATIC", other)]);
    assert_eq!(jwt.jwks.unwrap()["keys"][0]["kid"], json!("2"));
    let both = [("ORCHEO_AUTH_JWKS_STATIC", other), ("ORCHEO_AUTH_JWKS", KEYS)];
    assert_eq!(orcheo(&both).1.jwks.unwrap()["keys"][0]["kid"], json!("1"));
    let told = load_environment(&both).unwrap().warnings;
    assert!(
        told.iter().any(|warning| warning.key == "ORCHEO_AUTH_JWKS_STATIC" && warning.message.contains("no effect"))
    );
}

#[test]
fn without_anything_that_verifies_there_is_no_issuer() {
    let loaded = load_environment(&[("ORCHEO_AUTH_AUDIENCE", "a"), ("ORCHEO_AUTH_ISSUER", "i")]).unwrap();
    assert_eq!(loaded.config.auth.issuers, []);
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].message.contains("no effect without ORCHEO_AUTH_JWT_SECRET"));
}

#[test]
fn a_list_that_came_out_empty_is_no_list_of_everybody() {
    for name in ["ORCHEO_AUTH_ISSUER", "ORCHEO_AUTH_AUDIENCE"] {
        assert_refused(
            load_environment(&[("ORCHEO_AUTH_JWT_SECRET", SECRET), (name, " , ")]),
            &[name, "must name somebody"],
        );
    }
}

#[test]
fn the_gates_own_names_win() {
    let secret = ("ORCHEO_AUTH_JWT_SECRET", SECRET);
    let loaded = load_environment(&[
        secret,
        ("ORCHEO_AUTH_AUDIENCE", "theirs"),
        ("TIDEGATE_AUTH__ISSUERS__ORCHEO__AUDIENCES", "ours"),
    ])
    .unwrap();
    assert_eq!(loaded.config.auth.issuers[0].audiences, Audience::OneOf(vec!["ours".to_owned()]));
    assert_eq!(loaded.origins.of("auth.issuers.orcheo.secret"), Origin::Alias("ORCHEO_AUTH_JWT_SECRET".to_owned()));
    // A left-over secret is not mixed into an issuer that somebody wrote down.
    let text = "[[auth.issuers]]\nname = \"orcheo\"\nkind = \"jwt\"\njwks_url = \"https://id.example/jwks\"\naudiences = [\"x\"]\n";
    let loaded = load_file(text, &[secret]).unwrap();
    assert!(loaded.config.auth.issuers[0].secret().is_none());
    assert!(loaded.warnings[0].message.contains("lists an issuer orcheo"), "{:?}", loaded.warnings);
    // Another issuer stands beside it.
    let loaded = load_file(&text.replace("orcheo", "corp"), &[secret]).unwrap();
    assert_eq!(loaded.config.auth.issuers.len(), 2);
}
