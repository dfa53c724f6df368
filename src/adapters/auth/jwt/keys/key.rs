//! One public key of a key set, with its verifiers made once.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use josekit::{
    jwk::Jwk,
    jws::{ES256, ES384, ES512, EdDSA, JwsVerifier, PS256, PS384, PS512, RS256, RS384, RS512},
};
use openssl::bn::BigNum;
use serde_json::Value;

use super::{super::algorithm::Algorithm, roca};
use crate::domain::json::JsonObject;

/// The fewest bits of an RSA modulus (RFC 7518 section 3.3), and the most that OpenSSL computes with.
const RSA_BITS: std::ops::RangeInclusive<i32> = 2_048..=16_384;
/// The most bits of an RSA exponent: OpenSSL takes no longer one for large keys.
const MOST_EXPONENT_BITS: i32 = 64;

const WITHDRAWN: i64 = i64::MIN;

/// Why a key of a set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Public keys verify; a secret in a key set is everybody's.
    #[error("a symmetric key")]
    Symmetric,
    /// `kty`, `crv`, `use`, `key_ops` or `alg` say that it is for other things.
    #[error("for none of the issuer's algorithms")]
    OtherUse,
    /// Short, even, or otherwise weak.
    #[error("an RSA key of {0} bits, or with a bad exponent")]
    Weak(i32),
    /// Its private half can be computed.
    #[error("an RSA key whose private half can be computed from it (CVE-2017-15361, ROCA)")]
    Roca,
    /// It is no key.
    #[error("malformed")]
    Malformed,
    /// The set has so many before it that neither it nor any behind it is looked at.
    #[error("too many keys: neither this nor any behind it is looked at")]
    TooMany,
}

/// A public key.
pub(in super::super) struct Key {
    id: Option<String>,
    verifiers: Vec<(Algorithm, Box<dyn JwsVerifier>)>,
    /// Until when what it verified counts by itself, in milliseconds since 1970; [`WITHDRAWN`]: no more.
    counts_until: AtomicI64,
    /// Whether somebody was remembered by it since its set was asked.
    used: AtomicBool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    /// Reads a JWK, for those of these algorithms that it is for.
    pub(super) fn read(jwk: &JsonObject, algorithms: &[Algorithm]) -> Result<Self, Unusable> {
        let id = match jwk.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Unusable::Malformed),
        };
        let sound = sound(jwk)?;
        let josekit_key = Jwk::from_map(sound).map_err(|_| Unusable::Malformed)?;
        let verifiers =
            algorithms.iter().filter_map(|algorithm| Some((*algorithm, verifier(*algorithm, &josekit_key)?)));
        let verifiers: Vec<_> = verifiers.collect();
        if verifiers.is_empty() {
            return Err(Unusable::OtherUse);
        }
        Ok(Self { id, verifiers, counts_until: AtomicI64::new(i64::MAX), used: AtomicBool::new(false) })
    }

    /// Its id.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What to tell of it: `kid "1" (RS256)`.
    pub(super) fn described(&self) -> String {
        let algorithms: Vec<_> = self.verifiers.iter().map(|(algorithm, _)| algorithm.as_str()).collect();
        let id = self.id.as_ref().map_or_else(|| "no kid".to_owned(), |id| format!("kid {id:?}"));
        format!("{id} ({})", algorithms.join(", "))
    }

    /// Whether it verifies by this algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.verifiers.iter().any(|(own, _)| *own == algorithm)
    }

    /// Whether it made this signature.
    pub(in super::super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let verifier = self.verifiers.iter().find(|(own, _)| *own == algorithm);
        verifier.is_some_and(|(_, verifier)| verifier.verify(signed, signature).is_ok())
    }

    /// Whether what it verified before still counts without another look at its set: that has it, and its time is not over.
    /// That is a use of the set, too.
    pub(in super::super) fn vouches_at(&self, now: Timestamp) -> bool {
        let vouches = now.as_millisecond() < self.counts_until.load(Ordering::Acquire);
        if vouches && !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        vouches
    }

    /// Whether it vouched for somebody since this was asked the last time.
    pub(super) fn has_vouched(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// From then on its set must be looked at.
    pub(super) fn count_until(&self, end: Timestamp) {
        self.counts_until.store(end.as_millisecond(), Ordering::Release);
    }

    /// Whether its set is without it now.
    pub(in super::super) fn is_withdrawn(&self) -> bool {
        self.counts_until.load(Ordering::Acquire) == WITHDRAWN
    }

    /// Its set is without it from now on.
    pub(super) fn withdraw(&self) {
        self.counts_until.store(WITHDRAWN, Ordering::Release);
    }
}

fn verifier(algorithm: Algorithm, jwk: &Jwk) -> Option<Box<dyn JwsVerifier>> {
    fn boxed<V: JwsVerifier + 'static, E>(verifier: Result<V, E>) -> Option<Box<dyn JwsVerifier>> {
        verifier.ok().map(|verifier| -> Box<dyn JwsVerifier> { Box::new(verifier) })
    }
    // josekit sees to `kty`, `crv`, `use`, `key_ops` and `alg`; OpenSSL to points that are on no curve.
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Rs256 => boxed(RS256.verifier_from_jwk(jwk)),
        Algorithm::Rs384 => boxed(RS384.verifier_from_jwk(jwk)),
        Algorithm::Rs512 => boxed(RS512.verifier_from_jwk(jwk)),
        Algorithm::Ps256 => boxed(PS256.verifier_from_jwk(jwk)),
        Algorithm::Ps384 => boxed(PS384.verifier_from_jwk(jwk)),
        Algorithm::Ps512 => boxed(PS512.verifier_from_jwk(jwk)),
        Algorithm::Es256 => boxed(ES256.verifier_from_jwk(jwk)),
        Algorithm::Es384 => boxed(ES384.verifier_from_jwk(jwk)),
        Algorithm::Es512 => boxed(ES512.verifier_from_jwk(jwk)),
        Algorithm::EdDsa => boxed(EdDSA.verifier_from_jwk(jwk)),
    }
}

/// What josekit leaves out: the exact size of an RSA key (it rounds up to bytes), its exponent, the lengths of coordinates
/// (it puts both behind each other), Ed448. Gives the JWK as josekit reads it.
fn sound(jwk: &JsonObject) -> Result<JsonObject, Unusable> {
    let mut jwk = jwk.clone();
    let curve = jwk.get("crv").and_then(Value::as_str).unwrap_or_default().to_owned();
    match jwk.get("kty").and_then(Value::as_str) {
        Some("RSA") => {
            let (modulus, exponent) = (bytes(&jwk, "n")?, bytes(&jwk, "e")?);
            judge_rsa(&modulus, &exponent)?;
            // RFC 7518 section 6.3.1.1 forbids leading zeros, some providers send one, and OpenSSL refuses it.
            jwk.insert("n".to_owned(), without_leading_zeros(&modulus));
            jwk.insert("e".to_owned(), without_leading_zeros(&exponent));
        }
        Some("EC") => {
            let length = match curve.as_str() {
                "P-256" => 32,
                "P-384" => 48,
                "P-521" => 66,
                _ => return Err(Unusable::OtherUse),
            };
            if bytes(&jwk, "x")?.len() != length || bytes(&jwk, "y")?.len() != length {
                return Err(Unusable::Malformed);
            }
        }
        Some("OKP") if curve == "Ed25519" => {
            if bytes(&jwk, "x")?.len() != 32 {
                return Err(Unusable::Malformed);
            }
        }
        Some("oct") => return Err(Unusable::Symmetric),
        Some(_) => return Err(Unusable::OtherUse),
        None => return Err(Unusable::Malformed),
    }
    Ok(jwk)
}

fn bytes(jwk: &JsonObject, name: &str) -> Result<Vec<u8>, Unusable> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(Unusable::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Unusable::Malformed)
}

fn without_leading_zeros(bytes: &[u8]) -> Value {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Value::String(URL_SAFE_NO_PAD.encode(bytes.get(zeros..).unwrap_or_default()))
}

fn judge_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), Unusable> {
    let number = |bytes| BigNum::from_slice(bytes).map_err(|_| Unusable::Malformed);
    let (modulus, exponent) = (number(modulus)?, number(exponent)?);
    let least = BigNum::from_u32(3).map_err(|_| Unusable::Malformed)?;
    let good_exponent = exponent.is_bit_set(0) && exponent >= least && exponent.num_bits() <= MOST_EXPONENT_BITS;
    if !RSA_BITS.contains(&modulus.num_bits()) || !modulus.is_bit_set(0) || !good_exponent {
        return Err(Unusable::Weak(modulus.num_bits()));
    }
    if roca::has_fingerprint(&modulus).map_err(|_| Unusable::Malformed)? { Err(Unusable::Roca) } else { Ok(()) }
}
