//! Keys that sign, for every algorithm.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::{
    jwk::{
        Jwk, KeyPair,
        alg::{ec::EcCurve, ec::EcKeyPair, ed::EdCurve, ed::EdKeyPair, rsa::RsaKeyPair},
    },
    jws::{ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, JwsSigner, PS256, PS384, PS512, RS256, RS384, RS512},
};
use serde_json::{Value, json};
use tidegate::{
    adapters::auth::jwt::Algorithm,
    conformance::validator::{Judged, Mint},
    domain::json::JsonObject,
};

/// The secret of issuers that have one; long enough for HS512.
pub(super) const SECRET: &str = "a secret of sixty-four bytes or more, which is what HS512 asks for";

/// A key that signs.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) id: Option<String>,
    signer: Arc<dyn JwsSigner>,
    public: Value,
    forms: Vec<Vec<u8>>,
}

fn rsa() -> &'static RsaKeyPair {
    static PAIR: OnceLock<RsaKeyPair> = OnceLock::new();
    PAIR.get_or_init(|| RsaKeyPair::generate(2_048).unwrap())
}

/// A public key as somebody might read it for a secret: DER, PEM with and without its last line end, JWK, and the bare
/// numbers of that.
fn forms(pair: &dyn KeyPair) -> Vec<Vec<u8>> {
    let pem = pair.to_pem_public_key();
    let trimmed = pem.trim_ascii_end().to_vec();
    let jwk = pair.to_jwk_public_key();
    let number = |name: &str| jwk.parameter(name).and_then(Value::as_str).map(|text| text.as_bytes().to_vec());
    let numbers: Vec<_> = ["n", "x", "y"].into_iter().filter_map(number).collect();
    let bare = numbers.iter().map(|text| URL_SAFE_NO_PAD.decode(text).unwrap()).collect::<Vec<_>>();
    let point = bare.concat();
    let mut forms = vec![pair.to_der_public_key(), pem, trimmed, jwk.to_string().into_bytes(), point];
    forms.extend(numbers.into_iter().chain(bare));
    forms
}

impl Key {
    /// A key for this algorithm: always the same RSA key and secret, else a fresh one.
    pub(super) fn new(algorithm: Algorithm, id: Option<&str>) -> Self {
        let public = |pair: &dyn KeyPair| (Value::Object(pair.to_jwk_public_key().as_ref().clone()), forms(pair));
        let secret = (json!(null), Vec::new());
        macro_rules! by {
            (secret $alg:expr) => {
                (Arc::new($alg.signer_from_bytes(SECRET).unwrap()), secret)
            };
            (rsa $alg:expr) => {
                (Arc::new($alg.signer_from_der(rsa().to_der_private_key()).unwrap()), public(rsa()))
            };
            (ec $alg:expr, $curve:expr) => {{
                let pair = EcKeyPair::generate($curve).unwrap();
                (Arc::new($alg.signer_from_der(pair.to_der_private_key()).unwrap()), public(&pair))
            }};
        }
        let (signer, (public, forms)): (Arc<dyn JwsSigner>, _) = match algorithm {
            Algorithm::Hs256 => by!(secret HS256),
            Algorithm::Hs384 => by!(secret HS384),
            Algorithm::Hs512 => by!(secret HS512),
            Algorithm::Rs256 => by!(rsa RS256),
            Algorithm::Rs384 => by!(rsa RS384),
            Algorithm::Rs512 => by!(rsa RS512),
            Algorithm::Ps256 => by!(rsa PS256),
            Algorithm::Ps384 => by!(rsa PS384),
            Algorithm::Ps512 => by!(rsa PS512),
            Algorithm::Es256 => by!(ec ES256, EcCurve::P256),
            Algorithm::Es384 => by!(ec ES384, EcCurve::P384),
            Algorithm::Es512 => by!(ec ES512, EcCurve::P521),
            Algorithm::EdDsa => {
                let pair = EdKeyPair::generate(EdCurve::Ed25519).unwrap();
                (Arc::new(EdDSA.signer_from_der(pair.to_der_private_key()).unwrap()), public(&pair))
            }
        };
        Self { algorithm, id: id.map(str::to_owned), signer, public, forms }.named()
    }

    fn named(mut self) -> Self {
        if let (Some(id), Some(public)) = (&self.id, self.public.as_object_mut()) {
            public.insert("kid".to_owned(), json!(id));
        }
        self
    }

    /// Its JWK.
    pub(super) fn public(&self) -> Value {
        self.public.clone()
    }

    pub(super) fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.signer.sign(text).unwrap()
    }

    /// Its tokens' header.
    pub(super) fn header(&self) -> JsonObject {
        let mut header = json!({"typ": "JWT", "alg": self.algorithm.as_str()});
        if let Some(id) = &self.id {
            header["kid"] = json!(id);
        }
        header.as_object().unwrap().clone()
    }

    /// A token of these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        signed(&Value::Object(self.header()).to_string(), &claims.to_string(), |text| self.sign(text))
    }
}

/// A JWK Set.
pub(super) fn set(keys: &[&Key]) -> Value {
    json!({"keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>()})
}

/// A token of these very texts.
pub(super) fn signed(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = encode(&sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// A mint of one key.
#[derive(Debug)]
pub(super) struct KeyMint {
    pub(super) key: Key,
    pub(super) claims: Value,
    pub(super) issuer: Judged,
    pub(super) audience: Judged,
    /// Other keys of the issuer's, whose public halves are no secrets either.
    pub(super) others: Vec<Key>,
    /// What must live as long.
    pub(super) beneath: Vec<Box<dyn Kept>>,
}

/// Something that is kept.
pub(super) trait Kept: Any + std::fmt::Debug + Send + Sync {}
impl<T: Any + std::fmt::Debug + Send + Sync> Kept for T {}

impl Mint for KeyMint {
    fn header(&self) -> JsonObject {
        self.key.header()
    }

    fn claims(&self) -> JsonObject {
        self.claims.as_object().unwrap().clone()
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.key.sign(text)
    }

    fn public_key_forms(&self) -> Vec<Vec<u8>> {
        self.others.iter().chain([&self.key]).flat_map(|key| key.forms.clone()).collect()
    }

    fn judges_issuer(&self) -> Judged {
        self.issuer
    }

    fn judges_audience(&self) -> Judged {
        self.audience
    }
}

/// A JWK of this RSA key.
pub(super) fn rsa_jwk(bits: u32) -> (openssl::rsa::Rsa<openssl::pkey::Private>, Value) {
    let rsa = openssl::rsa::Rsa::generate(bits).unwrap();
    let encode = |number: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
    let jwk = json!({"kty": "RSA", "kid": format!("rsa-{bits}"), "n": encode(rsa.n()), "e": encode(rsa.e())});
    assert!(Jwk::from_map(jwk.as_object().unwrap().clone()).is_ok());
    (rsa, jwk)
}
