//! What sessions are signed with: a secret (HS256), or a private key (RS256, ES256, `EdDSA`) in PEM or as a JWK.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use josekit::{
    JoseError,
    jwk::{
        Jwk, KeyPair,
        alg::{
            ec::{EcCurve, EcKeyPair},
            ed::{EdCurve, EdKeyPair},
            rsa::RsaKeyPair,
        },
    },
    jws::{ES256, EdDSA, JwsSigner, JwsVerifier, RS256},
};
use serde_json::Value;
use sha2::Sha256;

use crate::ports::rng::Rng;

/// An HMAC secret shorter than its hash adds nothing to it but guessability (RFC 7518 section 3.2).
const LEAST_SECRET: usize = 32;
/// What makes a JWK the key that it is (RFC 7638 section 3.2).
const IDENTIFYING: [&str; 6] = ["kty", "crv", "x", "y", "n", "e"];

/// Why a key cannot sign sessions. It never shows the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionKeyError {
    /// The algorithm is none of these.
    #[error("sessions are signed with HS256, RS256, ES256 or EdDSA")]
    Algorithm,
    /// The secret is too short.
    #[error("must have at least 32 bytes; `openssl rand -base64 32` makes a good one")]
    Short,
    /// It is a private key, and the algorithm takes a secret.
    #[error("is a private key, and HS256 takes a secret: set sessions.algorithm")]
    NoSecret,
    /// It is no private key for the algorithm.
    #[error(
        "must be a private key in PEM, or a JWK, for sessions.algorithm: RSA of 2048 bits or more, P-256 or Ed25519"
    )]
    Unfit,
}

/// What sessions are signed with.
pub struct SessionKey(Inner);

enum Inner {
    Secret(Hmac<Sha256>),
    Pair { algorithm: &'static str, signer: Box<dyn JwsSigner>, verifier: Box<dyn JwsVerifier>, public: Box<Jwk> },
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({}, [redacted])", self.algorithm())
    }
}

impl SessionKey {
    /// Reads the key that an algorithm takes.
    ///
    /// # Errors
    /// [`SessionKeyError`].
    pub fn parse(algorithm: &str, text: &str) -> Result<Self, SessionKeyError> {
        let form = Form::of(text);
        match algorithm {
            "HS256" => Self::secret(&form),
            "RS256" => Self::rsa(&form),
            "ES256" => Self::p256(&form),
            "EdDSA" => Self::ed25519(&form),
            _ => Err(SessionKeyError::Algorithm),
        }
    }

    /// A secret of this process alone.
    pub fn random(rng: &dyn Rng) -> Self {
        let mut secret = hmac::digest::Key::<Hmac<Sha256>>::default();
        rng.fill(&mut secret);
        Self(Inner::Secret(Hmac::new(&secret)))
    }

    fn secret(form: &Form<'_>) -> Result<Self, SessionKeyError> {
        let Form::Text(secret) = form else { return Err(SessionKeyError::NoSecret) };
        if secret.len() < LEAST_SECRET {
            return Err(SessionKeyError::Short);
        }
        // It takes secrets of any length; the error is there for other MACs.
        Hmac::new_from_slice(secret.as_bytes()).map(|mac| Self(Inner::Secret(mac))).map_err(|_| SessionKeyError::Short)
    }

    fn rsa(form: &Form<'_>) -> Result<Self, SessionKeyError> {
        let pair = form.pair(RsaKeyPair::from_pem, RsaKeyPair::from_jwk)?;
        let (private, public) = (pair.to_jwk_private_key(), pair.to_jwk_public_key());
        // josekit refuses RSA keys under 2048 bits here.
        Self::pair("RS256", RS256.signer_from_jwk(&private), RS256.verifier_from_jwk(&public), public)
    }

    fn p256(form: &Form<'_>) -> Result<Self, SessionKeyError> {
        let pair = form.pair(|pem| EcKeyPair::from_pem(pem, Some(EcCurve::P256)), EcKeyPair::from_jwk)?;
        let (private, public) = (pair.to_jwk_private_key(), pair.to_jwk_public_key());
        Self::pair("ES256", ES256.signer_from_jwk(&private), ES256.verifier_from_jwk(&public), public)
    }

    fn ed25519(form: &Form<'_>) -> Result<Self, SessionKeyError> {
        let pair = form.pair(EdKeyPair::from_pem, EdKeyPair::from_jwk)?;
        if pair.curve() != EdCurve::Ed25519 {
            return Err(SessionKeyError::Unfit);
        }
        let (private, public) = (pair.to_jwk_private_key(), pair.to_jwk_public_key());
        Self::pair("EdDSA", EdDSA.signer_from_jwk(&private), EdDSA.verifier_from_jwk(&public), public)
    }

    /// A pair whose halves fit each other: a JWK may state a public key that is not its private key's.
    fn pair<S, V>(
        algorithm: &'static str,
        signer: Result<S, JoseError>,
        verifier: Result<V, JoseError>,
        public: Jwk,
    ) -> Result<Self, SessionKeyError>
    where
        S: JwsSigner + 'static,
        V: JwsVerifier + 'static,
    {
        let (Ok(signer), Ok(verifier)) = (signer, verifier) else { return Err(SessionKeyError::Unfit) };
        let (signer, verifier) = (Box::new(signer), Box::new(verifier));
        let key = Self(Inner::Pair { algorithm, signer, verifier, public: Box::new(public) });
        let probe = key.sign(b"probe").map_err(|_| SessionKeyError::Unfit)?;
        if key.verifies(b"probe", &probe) { Ok(key) } else { Err(SessionKeyError::Unfit) }
    }

    /// Its name in a token's header.
    pub const fn algorithm(&self) -> &'static str {
        match &self.0 {
            Inner::Secret(_) => "HS256",
            Inner::Pair { algorithm, .. } => algorithm,
        }
    }

    /// Whether a key set, or a list of keys, holds it: then whoever verifies by that set takes sessions for its issuer's.
    pub fn is_among(&self, set: &Value) -> bool {
        let Inner::Pair { public, .. } = &self.0 else { return false };
        let keys = set.get("keys").unwrap_or(set).as_array();
        let same = |key: &Value| IDENTIFYING.iter().all(|name| key.get(name) == public.parameter(name));
        keys.is_some_and(|keys| keys.iter().any(same))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        match &self.0 {
            Inner::Secret(mac) => Ok(mac.clone().chain_update(message).finalize().into_bytes().to_vec()),
            Inner::Pair { signer, .. } => signer.sign(message),
        }
    }

    /// Whether the signature holds; HMACs are compared in constant time, which josekit does not.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Inner::Secret(mac) => mac.clone().chain_update(message).verify_slice(signature).is_ok(),
            Inner::Pair { verifier, .. } => verifier.verify(message, signature).is_ok(),
        }
    }
}

/// How a key is written.
enum Form<'a> {
    Text(&'a str),
    Pem(&'a str),
    Jwk(Option<Box<Jwk>>),
}

impl<'a> Form<'a> {
    fn of(text: &'a str) -> Self {
        let begins = text.trim_start();
        if begins.starts_with("-----BEGIN ") {
            Self::Pem(text)
        } else if begins.starts_with('{') && serde_json::from_str::<Value>(text).is_ok() {
            Self::Jwk(Jwk::from_bytes(text.as_bytes()).ok().map(Box::new))
        } else {
            Self::Text(text)
        }
    }

    fn pair<P>(
        &self,
        from_pem: impl FnOnce(&'a str) -> Result<P, JoseError>,
        from_jwk: impl FnOnce(&Jwk) -> Result<P, JoseError>,
    ) -> Result<P, SessionKeyError> {
        let pair = match self {
            Self::Pem(text) => from_pem(text).ok(),
            Self::Jwk(jwk) => jwk.as_ref().and_then(|jwk| from_jwk(jwk).ok()),
            Self::Text(_) => None,
        };
        pair.ok_or(SessionKeyError::Unfit)
    }
}
