//! Signatures and keys that only look good.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::EcGroup,
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    sign::Signer,
};
use serde_json::{Value, json};
use tidegate::{
    adapters::auth::jwt::{Algorithm, InvalidIssuer, IssuerConfig, JwtIssuer},
    ports::token_validator::AuthError,
};

use super::{
    kinds::{Ground, judge, jwt, refusal, remote},
    mint::{Key, rsa_jwk, set, signed},
};
use crate::support::scripted::{Reply, Scripted};

/// `bytes` as a number of this length.
fn padded(number: &BigNum, length: usize) -> Vec<u8> {
    number.to_vec_padded(i32::try_from(length).unwrap()).unwrap()
}

#[tokio::test]
async fn an_ec_signature_is_two_numbers_in_range_and_nothing_else() {
    let ground = Ground::new();
    for (algorithm, curve, length) in [
        (Algorithm::Es256, Nid::X9_62_PRIME256V1, 32),
        (Algorithm::Es384, Nid::SECP384R1, 48),
        (Algorithm::Es512, Nid::SECP521R1, 66),
    ] {
        let key = Key::new(algorithm, None);
        let validator = ground.validator([IssuerConfig { jwks: Some(set(&[&key])), ..jwt(&[algorithm]) }]);
        let good = key.token(&ground.claims(&json!({})));
        assert!(judge(&validator, &good).await.is_ok());

        let (text, signature) = good.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let (r, s) = signature.split_at(length);
        let mut order = BigNum::new().unwrap();
        let mut context = BigNumContext::new().unwrap();
        EcGroup::from_curve_name(curve).unwrap().order(&mut order, &mut context).unwrap();
        let number = |bytes: &[u8]| BigNum::from_slice(bytes).unwrap();
        let (zero, n, max) = (vec![0; length], padded(&order, length), vec![255; length]);
        let der = EcdsaSig::from_private_components(number(r), number(s)).unwrap().to_der().unwrap();
        let swapped = [s, r].concat();
        let mut bad = vec![der, swapped, [r, s, &[0]].concat(), [&[0], r, s].concat(), r.to_vec(), vec![]];
        for edge in [&zero, &n, &max] {
            bad.extend([[edge, s].concat(), [r, edge].concat(), [&edge[..], edge].concat()]);
        }
        // The same numbers plus the order, where that fits the length.
        let mut beyond = BigNum::new().unwrap();
        beyond.checked_add(&number(r), &order).unwrap();
        if usize::try_from(beyond.num_bytes()).unwrap() <= length {
            bad.push([padded(&beyond, length), s.to_vec()].concat());
        }
        for bad in bad {
            let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(&bad));
            assert_eq!(refusal(&validator, &token).await, Some(AuthError::InvalidToken), "{algorithm} {bad:02x?}");
        }
    }
}

/// RFC 8032 section 5.1.7: a signature's number is below the group's order, so that nobody makes another of it.
#[tokio::test]
async fn an_ed25519_signature_has_one_spelling() {
    let ground = Ground::new();
    let key = Key::new(Algorithm::EdDsa, None);
    let validator = ground.validator([IssuerConfig { jwks: Some(set(&[&key])), ..jwt(&[Algorithm::EdDsa]) }]);
    let good = key.token(&ground.claims(&json!({})));
    let (text, signature) = good.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = signature.split_at(32);
    let order = BigNum::from_hex_str("1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED").unwrap();
    let s = BigNum::from_slice(&s.iter().rev().copied().collect::<Vec<_>>()).unwrap();
    let mut beyond = BigNum::new().unwrap();
    beyond.checked_add(&s, &order).unwrap();
    let beyond: Vec<_> = padded(&beyond, 32).into_iter().rev().collect();
    let forged = format!("{text}.{}", URL_SAFE_NO_PAD.encode([r, &beyond[..]].concat()));
    assert_eq!(refusal(&validator, &forged).await, Some(AuthError::InvalidToken));
    assert_eq!(refusal(&validator, &good).await, None);
}

fn rs256(rsa: &openssl::rsa::Rsa<openssl::pkey::Private>, kid: &str, claims: &Value) -> String {
    let key = PKey::from_rsa(rsa.clone()).unwrap();
    signed(&json!({"alg": "RS256", "kid": kid}).to_string(), &claims.to_string(), |text| {
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.sign_oneshot_to_vec(text).unwrap()
    })
}

#[tokio::test]
async fn a_small_rsa_key_verifies_nothing() {
    let ground = Ground::new();
    // 2047 bits are 256 bytes, as 2048 are.
    let keys = [512, 1_024, 2_047, 2_048].map(rsa_jwk);
    let jwks: Vec<_> = keys.iter().map(|(_, jwk)| jwk.clone()).collect();
    let provider = Scripted::start(Reply::json(&json!({"keys": jwks}))).await;
    let fixed = IssuerConfig { jwks: Some(Value::Array(jwks)), ..jwt(&[Algorithm::Rs256]) };
    for config in [fixed, remote(Algorithm::Rs256, &provider.url("/"))] {
        let validator = ground.validator([config]);
        for (rsa, jwk) in &keys {
            let token = rs256(rsa, jwk["kid"].as_str().unwrap(), &ground.claims(&json!({})));
            let small = rsa.n().num_bits() < 2_048;
            assert_eq!(refusal(&validator, &token).await, small.then_some(AuthError::InvalidToken), "{}", jwk["kid"]);
        }
    }
    let alone = IssuerConfig { jwks: Some(json!([keys[2].1])), ..jwt(&[Algorithm::Rs256]) };
    assert!(matches!(JwtIssuer::new(alone, &ground.upkeep()), Err(InvalidIssuer::NoUsableKey)));
}

/// `oct` keys of a set are everybody's; only the configured secret is one.
#[tokio::test]
async fn a_symmetric_key_of_a_set_verifies_nothing() {
    let ground = Ground::new();
    let (key, secret) = (Key::new(Algorithm::Es256, Some("es")), Key::new(Algorithm::Hs256, Some("oct")));
    let oct = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(super::mint::SECRET)});
    let jwks = json!([key.public(), oct]);
    let provider = Scripted::start(Reply::json(&json!({"keys": jwks}))).await;
    let both = [Algorithm::Es256, Algorithm::Hs256];
    let fixed = IssuerConfig { jwks: Some(jwks), ..jwt(&both) };
    let remote = IssuerConfig { algorithms: both.to_vec(), ..remote(Algorithm::Es256, &provider.url("/")) };
    for config in [fixed, remote] {
        let validator = ground.validator([config]);
        let token = secret.token(&ground.claims(&json!({})));
        assert_eq!(refusal(&validator, &token).await, Some(AuthError::UnsupportedAlgorithm));
        assert!(judge(&validator, &key.token(&ground.claims(&json!({})))).await.is_ok());
    }
}
