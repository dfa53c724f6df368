//! What an issuer of JWTs is made of.

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::{
    super::outgoing::BadAddress,
    ReadClaims,
    algorithm::Algorithm,
    checks::{Audience, USUAL_LEEWAY},
    keys::{KeyRules, Published, secret::ShortSecret},
};
use crate::domain::{claims::identity_of, issuer::IssuerPolicy};

/// Where `WorkOS` is.
const WORKOS: &str = "https://api.workos.com";

/// An issuer of JWTs, as it is configured. Begin with the constructor of its kind.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// What its tokens can come to.
    pub policy: IssuerPolicy,
    /// The `iss` of its tokens, exactly; empty: it is not judged.
    pub issuers: Vec<String>,
    /// Whom they must be meant for.
    pub audience: Audience,
    /// What they may be signed with; empty: what follows from the keys, HS256 of a secret and RS256 of a key set.
    pub algorithms: Vec<Algorithm>,
    /// For HS* alone.
    pub secret: Option<SecretString>,
    /// A JWK Set, or a list of keys.
    pub jwks: Option<Value>,
    /// Where more keys are published.
    pub published: Option<Published>,
    /// How those are fetched.
    pub rules: KeyRules,
    /// By how much clocks may differ.
    pub leeway: SignedDuration,
    /// Makes a caller of the claims.
    pub read: ReadClaims,
}

impl IssuerConfig {
    /// Kind `jwt`: keys are still to be set, and no audience is judged.
    pub fn jwt(policy: IssuerPolicy) -> Self {
        Self {
            policy,
            issuers: Vec::new(),
            audience: Audience::NotJudged,
            algorithms: Vec::new(),
            secret: None,
            jwks: None,
            published: None,
            rules: KeyRules::default(),
            leeway: USUAL_LEEWAY,
            read: identity_of,
        }
    }

    /// Kind `oidc`: the provider's discovery document says where its keys are.
    pub fn oidc(policy: IssuerPolicy, issuer: &str, audience: Audience) -> Self {
        Self {
            issuers: vec![issuer.to_owned()],
            audience,
            published: Some(Published::Discovered { issuers: vec![issuer.to_owned()], document: None }),
            ..Self::jwt(policy)
        }
    }

    /// Kind `workos`, in both forms of `iss` that it has (realtime-and-identity.md section 10). It names an audience only
    /// where a template says so, and then it must be the client.
    ///
    /// # Errors
    /// [`InvalidIssuer::ClientId`] when no address can be made of the client's id.
    pub fn workos(policy: IssuerPolicy, client_id: &str) -> Result<Self, InvalidIssuer> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if client_id.is_empty() || !client_id.chars().all(fits) {
            return Err(InvalidIssuer::ClientId);
        }
        let keys = Url::parse(&format!("{WORKOS}/sso/jwks/{client_id}")).map_err(|_| InvalidIssuer::ClientId)?;
        Ok(Self {
            issuers: vec![WORKOS.to_owned(), format!("{WORKOS}/user_management/{client_id}")],
            audience: Audience::IfPresent(vec![client_id.to_owned()]),
            algorithms: vec![Algorithm::Rs256],
            published: Some(Published::At(keys)),
            ..Self::jwt(policy)
        })
    }

    /// The algorithms that something verifies.
    pub(super) fn effective_algorithms(&self) -> Vec<Algorithm> {
        let (by_secret, by_key) = (self.secret.is_some(), self.jwks.is_some() || self.published.is_some());
        let usual = [Algorithm::Hs256, Algorithm::Rs256];
        let listed = if self.algorithms.is_empty() { &usual[..] } else { &self.algorithms };
        let mut algorithms = listed.to_vec();
        algorithms.retain(|algorithm| if algorithm.is_secret() { by_secret } else { by_key });
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms
    }
}

/// An issuer that tokens cannot be judged by. No message holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvalidIssuer {
    /// Neither a secret nor keys.
    #[error("has neither a secret nor keys for any of its algorithms")]
    NoKeys,
    /// A short secret.
    #[error(transparent)]
    Secret(#[from] ShortSecret),
    /// The configured key set is none.
    #[error("jwks: must be a JSON Web Key Set or a list of keys")]
    KeySet,
    /// None of its keys can be used.
    #[error("jwks: holds no key that the issuer's algorithms can use")]
    NoUsableKey,
    /// Keys must not be fetched from there.
    #[error("the address of its keys {0}")]
    Address(#[from] BadAddress),
    /// No discovery document can be there.
    #[error("must be a URL, since its discovery document is below it")]
    IssuerUrl,
    /// No client of `WorkOS` has such an id.
    #[error("client_id: must be letters, digits, _ and -")]
    ClientId,
    /// `issuers` or `audiences` hold an empty name, or must not be empty.
    #[error("{0}: must name somebody")]
    Nobody(&'static str),
    /// More than [`MOST_LEEWAY`](super::checks::MOST_LEEWAY), or negative.
    #[error("leeway: must be 0 to 60 s")]
    Leeway,
    /// Two could own the same token, and both verify by secret.
    #[error("{0} and {1} could both own a token, and both verify by a secret")]
    Ambiguous(String, String),
}
