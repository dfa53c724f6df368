//! Tokens by hand: every byte of them is the test's own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::{
    jwk::{
        KeyPair,
        alg::{ec::EcCurve, ec::EcKeyPair, ed::EdCurve, ed::EdKeyPair, rsa::RsaKeyPair},
    },
    jws::{ES256, EdDSA, JwsSigner, PS256, RS256},
};
use serde_json::{Value, json};

/// The secret of issuers that have one.
pub(super) const SECRET: &str = "black-box-secret-of-forty-eight-bytes-0123456789";

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the tests stand outside the gate, as its clients do")]
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The claims of a good token for the audience `tidegate`, with more, or others in their place; null takes one out.
pub(super) fn claims(issuer: &str, subject: &str, more: &Value) -> Value {
    let now = now();
    let mut claims = json!({"iss": issuer, "aud": "tidegate", "sub": subject, "iat": now, "exp": now + 300});
    merge(&mut claims, more);
    claims
}

/// Puts the members of one object into another; null takes one out.
pub(super) fn merge(into: &mut Value, more: &Value) {
    let into = into.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            into.remove(name);
        } else {
            into.insert(name.clone(), value.clone());
        }
    }
}

/// A token of these very texts.
pub(super) fn signed(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// An HMAC with SHA-256.
pub(super) fn hmac(secret: &[u8], text: &[u8]) -> Vec<u8> {
    use ::hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// A token by [`SECRET`].
pub(super) fn secret(claims: &Value) -> String {
    secret_with(&json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// A token by [`SECRET`] with this header.
pub(super) fn secret_with(header: &Value, claims: &Value) -> String {
    signed(&header.to_string(), &claims.to_string(), |text| hmac(SECRET.as_bytes(), text))
}

/// A key that signs.
pub(super) struct Key {
    kid: String,
    algorithm: &'static str,
    pair: Box<dyn KeyPair + Send + Sync>,
    signer: Box<dyn JwsSigner>,
}

impl Key {
    /// A fresh key for one of `RS256`, `PS256`, `ES256`, `EdDSA`.
    pub(super) fn new(algorithm: &'static str, kid: &str) -> Self {
        let (pair, signer): (Box<dyn KeyPair + Send + Sync>, Box<dyn JwsSigner>) = match algorithm {
            "RS256" => {
                let pair = RsaKeyPair::generate(2_048).unwrap();
                let signer = RS256.signer_from_der(pair.to_der_private_key()).unwrap();
                (Box::new(pair), Box::new(signer))
            }
            "PS256" => {
                let pair = RsaKeyPair::generate(2_048).unwrap();
                let signer = PS256.signer_from_der(pair.to_der_private_key()).unwrap();
                (Box::new(pair), Box::new(signer))
            }
            "ES256" => {
                let pair = EcKeyPair::generate(EcCurve::P256).unwrap();
                let signer = ES256.signer_from_der(pair.to_der_private_key()).unwrap();
                (Box::new(pair), Box::new(signer))
            }
            "EdDSA" => {
                let pair = EdKeyPair::generate(EdCurve::Ed25519).unwrap();
                let signer = EdDSA.signer_from_der(pair.to_der_private_key()).unwrap();
                (Box::new(pair), Box::new(signer))
            }
            other => panic!("{other}"),
        };
        Self { kid: kid.to_owned(), algorithm, pair, signer }
    }

    /// Its public half, with `kid` and `use`.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = Value::Object(self.pair.to_jwk_public_key().as_ref().clone());
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The PEM of its public half.
    pub(super) fn public_pem(&self) -> Vec<u8> {
        self.pair.to_pem_public_key()
    }

    /// The DER of its public half.
    pub(super) fn public_der(&self) -> Vec<u8> {
        self.pair.to_der_public_key()
    }

    /// Its tokens' header.
    pub(super) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.kid, "typ": "JWT"})
    }

    /// A token of these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({}), claims)
    }

    /// A token with more in its header; null takes out.
    pub(super) fn token_with(&self, more: &Value, claims: &Value) -> String {
        let mut header = self.header();
        merge(&mut header, more);
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// A token of these very texts.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        signed(header, claims, |text| self.signer.sign(text).unwrap())
    }
}

/// A key set of them.
pub(super) fn set(keys: &[&Key]) -> Value {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
}
