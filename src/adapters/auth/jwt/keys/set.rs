//! A key set (RFC 7517 section 5): the keys of it that an issuer's tokens may be verified with.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    super::algorithm::Algorithm,
    key::{Key, Unusable},
};
use crate::domain::json::JsonObject;

/// How many keys of one id are tried: kinds of keys may share one, and a key may be replaced under its old id.
const TRIED: usize = 4;
/// How many keys of a set are looked at.
const MOST_KEYS: usize = 1_000;

/// The text is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Web Key Set")]
pub struct NotAKeySet;

/// The keys of a set that can be used.
#[derive(Debug, Default)]
pub(in super::super) struct KeySet {
    keys: Vec<Arc<Key>>,
    by_id: HashMap<String, Vec<Arc<Key>>>,
    /// By the digest of the JWK: what comes again is the same key.
    by_jwk: HashMap<[u8; 32], Arc<Key>>,
    skipped: Vec<(usize, Unusable)>,
}

impl KeySet {
    /// Reads a set that takes this one's place: what both have is the same key, verifiers and all. A bad key is skipped, not
    /// the set.
    pub(super) fn renewed(&self, text: &[u8], algorithms: &[Algorithm]) -> Result<Self, NotAKeySet> {
        match serde_json::from_slice(text) {
            Ok(Value::Object(set)) => match set.get("keys") {
                Some(Value::Array(keys)) => Ok(self.with(keys, algorithms)),
                _ => Err(NotAKeySet),
            },
            _ => Err(NotAKeySet),
        }
    }

    /// The set of these JWKs.
    pub(super) fn of(jwks: &[Value], algorithms: &[Algorithm]) -> Self {
        Self::default().with(jwks, algorithms)
    }

    fn with(&self, jwks: &[Value], algorithms: &[Algorithm]) -> Self {
        let mut set = Self::default();
        for (index, jwk) in jwks.iter().enumerate().take(MOST_KEYS) {
            let jwk = jwk.as_object().ok_or(Unusable::Malformed);
            if let Err(reason) = jwk.and_then(|jwk| set.take(jwk, self, algorithms)) {
                set.skipped.push((index, reason));
            }
        }
        if jwks.len() > MOST_KEYS {
            set.skipped.push((MOST_KEYS, Unusable::TooMany));
        }
        set
    }

    fn take(&mut self, jwk: &JsonObject, old: &Self, algorithms: &[Algorithm]) -> Result<(), Unusable> {
        let digest =
            serde_json::to_vec(jwk).map(|text| Sha256::digest(text).into()).map_err(|_| Unusable::Malformed)?;
        if self.by_jwk.contains_key(&digest) {
            return Ok(());
        }
        let key = match old.by_jwk.get(&digest) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Key::read(jwk, algorithms)?),
        };
        if let Some(id) = key.id() {
            self.by_id.entry(id.to_owned()).or_default().push(Arc::clone(&key));
        }
        self.by_jwk.insert(digest, Arc::clone(&key));
        self.keys.push(key);
        Ok(())
    }

    /// The keys that a token with this `kid` may be signed with; for one without, every key that fits.
    pub(in super::super) fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<Arc<Key>> {
        let (named, most) = match id {
            Some(id) => (self.by_id.get(id), TRIED),
            None => (Some(&self.keys), usize::MAX),
        };
        named.into_iter().flatten().filter(|key| key.fits(algorithm)).take(most).cloned().collect()
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// What to tell of the keys.
    pub(super) fn described(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.described()).collect()
    }

    /// The places and reasons of the keys that cannot be used.
    pub(super) fn skipped(&self) -> &[(usize, Unusable)] {
        &self.skipped
    }

    /// From then on nobody is remembered by its keys without another look at them.
    pub(super) fn count_until(&self, end: Timestamp) {
        self.keys.iter().for_each(|key| key.count_until(end));
    }

    /// Whether somebody was remembered by its keys since this was asked the last time.
    pub(super) fn has_vouched(&self) -> bool {
        self.keys.iter().filter(|key| key.has_vouched()).count() > 0
    }

    /// Another set has taken this one's place: what only this one has counts no longer.
    pub(super) fn replaced_by(&self, new: &Self) {
        let gone = self.by_jwk.iter().filter(|(digest, _)| !new.by_jwk.contains_key(*digest));
        gone.for_each(|(_, key)| key.withdraw());
    }
}

#[cfg(test)]
mod tests {
    use josekit::jwk::{
        Jwk,
        alg::{ec::EcCurve, ed::EdCurve},
    };
    use serde_json::json;

    use super::*;

    const EVERY: &[Algorithm] = &Algorithm::ALL;

    fn public(jwk: &Jwk, more: &[(&str, Value)]) -> Value {
        let mut map: JsonObject = jwk.to_public_key().unwrap().as_ref().clone();
        for (name, value) in more {
            map.insert((*name).to_owned(), value.clone());
        }
        Value::Object(map)
    }

    fn fitting(jwk: Value) -> Vec<Algorithm> {
        let set = KeySet::of(&[jwk], EVERY);
        EVERY.iter().copied().filter(|algorithm| !set.fitting(None, *algorithm).is_empty()).collect()
    }

    fn reason(jwk: Value) -> Unusable {
        let set = KeySet::of(&[jwk], EVERY);
        set.skipped()[0].1.clone()
    }

    #[test]
    fn a_key_is_used_for_what_it_is_for() {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let (rsa, p256) = (Jwk::generate_rsa_key(2_048).unwrap(), Jwk::generate_ec_key(EcCurve::P256).unwrap());
        assert_eq!(fitting(public(&rsa, &[])), [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]);
        assert_eq!(fitting(public(&rsa, &[("alg", json!("RS384")), ("use", json!("sig"))])), [Rs384]);
        assert_eq!(fitting(public(&p256, &[("key_ops", json!(["verify"]))])), [Es256]);
        assert_eq!(fitting(public(&Jwk::generate_ec_key(EcCurve::P384).unwrap(), &[])), [Es384]);
        assert_eq!(fitting(public(&Jwk::generate_ed_key(EdCurve::Ed25519).unwrap(), &[])), [EdDsa]);
        for (name, value) in [
            ("use", json!("enc")),
            ("key_ops", json!(["encrypt"])),
            ("key_ops", json!("verify")),
            ("alg", json!("RSA-OAEP")),
            ("alg", json!("rs256")),
            ("kty", json!("EC")),
        ] {
            assert_eq!(fitting(public(&rsa, &[(name, value.clone())])), [], "{name} {value}");
        }
    }

    #[test]
    fn a_weak_or_broken_key_is_skipped_and_its_neighbours_stay() {
        let good = public(&Jwk::generate_rsa_key(2_048).unwrap(), &[("kid", json!("good"))]);
        let mut short = Jwk::generate_rsa_key(2_047).unwrap();
        short.set_key_id("short");
        let p256 = Jwk::generate_ec_key(EcCurve::P256).unwrap();
        let off_curve = URL_SAFE.encode([7; 32]);
        let bad = [
            public(&short, &[]),
            public(&Jwk::generate_rsa_key(1_024).unwrap(), &[]),
            public(&Jwk::generate_rsa_key(2_048).unwrap(), &[("e", json!("AQ"))]),
            public(&p256, &[("y", json!(off_curve))]),
            public(&p256, &[("x", json!("AAAA"))]),
            public(&Jwk::generate_ed_key(EdCurve::Ed448).unwrap(), &[]),
            public(&Jwk::generate_ec_key(EcCurve::Secp256k1).unwrap(), &[]),
            json!({"kty": "oct", "k": URL_SAFE.encode([7; 64])}),
            json!({"kty": "RSA", "n": "!", "e": "AQAB"}),
            json!({"kty": "RSA"}),
            json!({"kid": 5}),
            json!("text"),
            json!(null),
        ];
        let all: Vec<Value> = bad.iter().cloned().chain([good]).collect();
        let set = KeySet::of(&all, EVERY);
        assert_eq!((set.len(), set.skipped().len()), (1, bad.len()), "{:?}", set.skipped());
        assert_eq!(set.fitting(Some("good"), Algorithm::Rs256).len(), 1);
        assert_eq!(reason(bad[0].clone()), Unusable::Weak(2_047));
        assert_eq!(reason(bad[7].clone()), Unusable::Symmetric);
    }

    #[test]
    fn a_leading_zero_of_an_rsa_modulus_is_overlooked() {
        let key = public(&Jwk::generate_rsa_key(2_048).unwrap(), &[]);
        let mut modulus = URL_SAFE.decode(key["n"].as_str().unwrap()).unwrap();
        modulus.insert(0, 0);
        let mut padded = key.clone();
        padded["n"] = json!(URL_SAFE.encode(modulus));
        assert!(fitting(padded).contains(&Algorithm::Rs256));
    }

    #[test]
    fn a_key_that_stays_is_the_same_key_and_one_that_goes_is_withdrawn() {
        let key = |id: &str| public(&Jwk::generate_ed_key(EdCurve::Ed25519).unwrap(), &[("kid", json!(id))]);
        let (a, b) = (key("a"), key("b"));
        let text = |keys: &[&Value]| serde_json::to_vec(&json!({"keys": keys})).unwrap();
        let old = KeySet::default().renewed(&text(&[&a, &a, &b]), EVERY).unwrap();
        assert_eq!(old.len(), 2);
        let new = old.renewed(&text(&[&b, &key("a")]), EVERY).unwrap();
        old.replaced_by(&new);
        let one = |set: &KeySet, id| set.fitting(Some(id), Algorithm::EdDsa).remove(0);
        assert!(one(&old, "a").is_withdrawn() && !one(&new, "a").is_withdrawn());
        assert!(Arc::ptr_eq(&one(&old, "b"), &one(&new, "b")) && !one(&new, "b").is_withdrawn());
    }

    #[test]
    fn only_so_much_of_a_set_is_looked_at() {
        let key = public(&Jwk::generate_ed_key(EdCurve::Ed25519).unwrap(), &[("kid", json!("last"))]);
        let nothing = |count| vec![json!(0); count];
        let set = KeySet::of(&[nothing(MOST_KEYS - 1), vec![key.clone()]].concat(), EVERY);
        assert_eq!((set.len(), set.skipped().len()), (1, MOST_KEYS - 1));
        let set = KeySet::of(&[nothing(MOST_KEYS), vec![key], nothing(100_000)].concat(), EVERY);
        assert_eq!((set.len(), set.skipped().len()), (0, MOST_KEYS + 1));
        assert_eq!(set.skipped()[MOST_KEYS], (MOST_KEYS, Unusable::TooMany));
    }

    #[test]
    fn a_set_is_an_object_with_a_list_of_keys() {
        for text in ["", "null", "[]", "{}", r#"{"keys":{}}"#, "<html>", "{\"keys\":[]"] {
            assert!(KeySet::default().renewed(text.as_bytes(), EVERY).is_err(), "{text}");
        }
        assert!(KeySet::default().renewed(b"{\"keys\":[],\"more\":1}", EVERY).is_ok());
    }

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as URL_SAFE};
}
