//! Secrets: HS256, HS384, HS512.

use std::fmt;

use josekit::jws::{HS256, HS384, HS512, JwsSigner, alg::hmac::HmacJwsSigner};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::super::algorithm::Algorithm;

/// A secret is shorter than the hash that it is used with (RFC 7518 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret must have at least {least} bytes for {algorithm}")]
pub struct ShortSecret {
    algorithm: Algorithm,
    least: usize,
}

/// A secret, made ready for the algorithms that it is for.
pub(in super::super) struct Secret(Vec<(Algorithm, HmacJwsSigner)>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

impl Secret {
    pub(super) fn new(secret: &SecretString, algorithms: &[Algorithm]) -> Result<Self, ShortSecret> {
        let secret = secret.expose_secret().as_bytes();
        let made = algorithms.iter().filter_map(|algorithm| {
            let least = algorithm.least_secret()?;
            let short = ShortSecret { algorithm: *algorithm, least };
            let signer = match algorithm {
                _ if secret.len() < least => return Some(Err(short)),
                Algorithm::Hs256 => HS256.signer_from_bytes(secret),
                Algorithm::Hs384 => HS384.signer_from_bytes(secret),
                _ => HS512.signer_from_bytes(secret),
            };
            Some(signer.map(|signer| (*algorithm, signer)).map_err(|_| short))
        });
        Ok(Self(made.collect::<Result<_, _>>()?))
    }

    /// Whether it made this signature. josekit's own verifier compares byte by byte until they differ: the time would tell.
    pub(in super::super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let own = self.0.iter().find(|(own, _)| *own == algorithm);
        let own = own.and_then(|(_, secret)| secret.sign(signed).ok());
        own.is_some_and(|own| own.ct_eq(signature).into())
    }
}
