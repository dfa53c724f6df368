//! What sessions are signed with: a secret (HS256), or a private key (RS256, ES256, `EdDSA`) in PEM or as a JWK.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
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
    jws::{ES256, EdDSA, HS256, JwsSigner, JwsVerifier, RS256},
};
use secrecy::SecretString;
use serde_json::Value;
use sha2::Sha256;

use super::super::jwt::Algorithm;
use crate::{domain::service_token::HashedToken, ports::rng::Rng};

/// An HMAC secret shorter than its hash adds nothing to it but guessability (RFC 7518 section 3.2).
const LEAST_SECRET: usize = 32;
/// How much of a MAC marks a secret.
const MARK_BYTES: usize = 16;
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
pub struct SessionKey {
    algorithm: Algorithm,
    signer: Box<dyn JwsSigner>,
    verified_by: VerifiedBy,
    /// Makes marks: under the secret, or the private part of the key.
    marks: Hmac<Sha256>,
}

enum VerifiedBy {
    Secret(SecretString),
    Public(Box<Jwk>),
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({}, [redacted])", self.algorithm)
    }
}

impl SessionKey {
    /// Reads the key that an algorithm takes.
    ///
    /// # Errors
    /// [`SessionKeyError`].
    pub fn parse(algorithm: &str, text: &str) -> Result<Self, SessionKeyError> {
        let form = Form::of(text);
        match Algorithm::parse(algorithm) {
            Some(Algorithm::Hs256) => match form {
                Form::Text(secret) => Self::of_secret(secret),
                Form::Pem(_) | Form::Jwk(_) => Err(SessionKeyError::NoSecret),
            },
            Some(Algorithm::Rs256) => Self::rsa(&form),
            Some(Algorithm::Es256) => Self::p256(&form),
            Some(Algorithm::EdDsa) => Self::ed25519(&form),
            _ => Err(SessionKeyError::Algorithm),
        }
    }

    /// A secret of this process alone.
    ///
    /// # Errors
    /// None in practice: 64 hexadecimal digits are long enough.
    pub fn random(rng: &dyn Rng) -> Result<Self, SessionKeyError> {
        let mut secret = [0; LEAST_SECRET];
        rng.fill(&mut secret);
        Self::of_secret(&data_encoding::HEXLOWER.encode(&secret))
    }

    fn of_secret(secret: &str) -> Result<Self, SessionKeyError> {
        if secret.len() < LEAST_SECRET {
            return Err(SessionKeyError::Short);
        }
        let signer = HS256.signer_from_bytes(secret).map_err(|_| SessionKeyError::Short)?;
        Ok(Self {
            algorithm: Algorithm::Hs256,
            signer: Box::new(signer),
            verified_by: VerifiedBy::Secret(SecretString::from(secret)),
            marks: marks(secret)?,
        })
    }

    fn rsa(form: &Form<'_>) -> Result<Self, SessionKeyError> {
        let pair = form.pair(RsaKeyPair::from_pem, RsaKeyPair::from_jwk)?;
        let (private, public) = (pair.to_jwk_private_key(), pair.to_jwk_public_key());
        // josekit refuses RSA keys under 2048 bits here.
        let (signer, verifier) = (RS256.signer_from_jwk(&private), RS256.verifier_from_jwk(&public));
        Self::pair(Algorithm::Rs256, signer, verifier, &private, public)
    }

    fn p256(form: &Form<'_>) -> Result<Self, SessionKeyError> {
        let pair = form.pair(|pem| EcKeyPair::from_pem(pem, Some(EcCurve::P256)), EcKeyPair::from_jwk)?;
        let (private, public) = (pair.to_jwk_private_key(), pair.to_jwk_public_key());
        let (signer, verifier) = (ES256.signer_from_jwk(&private), ES256.verifier_from_jwk(&public));
        Self::pair(Algorithm::Es256, signer, verifier, &private, public)
    }

    fn ed25519(form: &Form<'_>) -> Result<Self, SessionKeyError> {
        let pair = form.pair(EdKeyPair::from_pem, EdKeyPair::from_jwk)?;
        if pair.curve() != EdCurve::Ed25519 {
            return Err(SessionKeyError::Unfit);
        }
        let (private, public) = (pair.to_jwk_private_key(), pair.to_jwk_public_key());
        let (signer, verifier) = (EdDSA.signer_from_jwk(&private), EdDSA.verifier_from_jwk(&public));
        Self::pair(Algorithm::EdDsa, signer, verifier, &private, public)
    }

    /// A pair whose halves fit each other: a JWK may state a public key that is not its private key's.
    fn pair<S, V>(
        algorithm: Algorithm,
        signer: Result<S, JoseError>,
        verifier: Result<V, JoseError>,
        private: &Jwk,
        public: Jwk,
    ) -> Result<Self, SessionKeyError>
    where
        S: JwsSigner + 'static,
        V: JwsVerifier + 'static,
    {
        let (Ok(signer), Ok(verifier)) = (signer, verifier) else { return Err(SessionKeyError::Unfit) };
        let fits = signer.sign(b"probe").and_then(|probe| verifier.verify(b"probe", &probe));
        fits.map_err(|_| SessionKeyError::Unfit)?;
        // The private part of all these kinds (RFC 7518 section 6, RFC 8037 section 2).
        let part = private.parameter("d").and_then(Value::as_str).ok_or(SessionKeyError::Unfit)?;
        let marks = marks(part)?;
        Ok(Self { algorithm, signer: Box::new(signer), verified_by: VerifiedBy::Public(Box::new(public)), marks })
    }

    /// What it signs by.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What its signatures are verified by, where that is itself.
    pub(super) const fn secret(&self) -> Option<&SecretString> {
        match &self.verified_by {
            VerifiedBy::Secret(secret) => Some(secret),
            VerifiedBy::Public(_) => None,
        }
    }

    /// What they are verified by, where that is no secret.
    pub(super) fn public(&self) -> Option<&Jwk> {
        match &self.verified_by {
            VerifiedBy::Secret(_) => None,
            VerifiedBy::Public(jwk) => Some(jwk),
        }
    }

    /// Whether a key set, or a list of keys, holds it: then whoever verifies by that set takes sessions for its issuer's.
    pub fn is_among(&self, set: &Value) -> bool {
        let Some(public) = self.public() else { return false };
        let keys = set.get("keys").unwrap_or(set).as_array();
        let same = |key: &Value| IDENTIFYING.iter().all(|name| key.get(name) == public.parameter(name));
        keys.is_some_and(|keys| keys.iter().any(same))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.signer.sign(message)
    }

    /// Tells secrets apart, and nobody without the key anything of them.
    pub(super) fn mark(&self, secret: &HashedToken) -> String {
        // No token's signed text begins so.
        let mac = self.marks.clone().chain_update(b"\0mark").chain_update(secret.as_bytes()).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(mac.get(..MARK_BYTES).unwrap_or_default())
    }
}

fn marks(key: &str) -> Result<Hmac<Sha256>, SessionKeyError> {
    // It takes keys of any length; the error is there for other MACs.
    Hmac::new_from_slice(key.as_bytes()).map_err(|_| SessionKeyError::Unfit)
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
