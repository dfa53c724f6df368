//! JWTs of the issuer kinds `jwt`, `oidc` and `workos` (authentication.md section 1).
//!
//! josekit verifies signatures; all else is judged here, on our clock: josekit's payload validator takes tokens without
//! `exp`, and tokens without `aud` where an audience is set.

pub mod algorithm;
mod belief;
pub mod checks;
pub mod config;
mod issuer;
mod keys;
pub(super) mod object;
pub mod token;
mod verdicts;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::{
    algorithm::Algorithm,
    checks::Audience,
    config::{InvalidIssuer, IssuerConfig},
    issuer::JwtIssuer,
    keys::{KeyReport, KeyRules, Published, Upkeep, key::Unusable, secret::ShortSecret, set::NotAKeySet},
    verdicts::USUAL_BYTES,
};
use self::{
    belief::{Believed, believe},
    token::{LONGEST, Malformed, Unverified, has_shape},
    verdicts::Verdicts,
};
pub use super::outgoing::BadAddress;
use crate::{
    app::signals::Signals,
    domain::{
        bearer::BearerToken,
        claims::InvalidClaims,
        identity::{CredentialKind, Identity},
        issuer::IssuerPolicy,
        json::JsonObject,
        rejection::RejectionReason,
    },
    ports::{
        clock::Clock,
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
};

/// Makes a caller of the claims of a verified token.
pub type ReadClaims = fn(&IssuerPolicy, Arc<JsonObject>) -> Result<Identity, InvalidClaims>;

/// Judges JWTs of several issuers.
pub struct JwtValidator {
    issuers: Vec<Arc<JwtIssuer>>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    verdicts: Verdicts,
}

impl fmt::Debug for JwtValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtValidator").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

impl From<Malformed> for Rejection {
    fn from(_: Malformed) -> Self {
        RejectionReason::MalformedToken.into()
    }
}

impl JwtValidator {
    /// Judges the tokens of these issuers, and remembers [`USUAL_BYTES`] of those that it verified.
    ///
    /// # Errors
    /// [`InvalidIssuer::Ambiguous`].
    pub fn new(issuers: Vec<JwtIssuer>, clock: Arc<dyn Clock>, signals: Arc<Signals>) -> Result<Self, InvalidIssuer> {
        for (index, issuer) in issuers.iter().enumerate() {
            if let Some(rival) = issuers.iter().skip(index + 1).find(|other| issuer.rivals(other)) {
                return Err(InvalidIssuer::Ambiguous(issuer.name().to_owned(), rival.name().to_owned()));
            }
        }
        let issuers = issuers.into_iter().map(Arc::new).collect();
        Ok(Self { issuers, ..Self::of_nobody(clock, signals) })
    }

    /// Nobody's tokens: each is refused.
    pub fn of_nobody(clock: Arc<dyn Clock>, signals: Arc<Signals>) -> Self {
        Self { issuers: Vec::new(), clock, signals, verdicts: Verdicts::new(USUAL_BYTES) }
    }

    /// The same with an issuer that the gate is itself, in front of the others.
    #[must_use]
    pub fn with_own(mut self, issuer: Arc<JwtIssuer>) -> Self {
        self.issuers.insert(0, issuer);
        self
    }

    /// The same, remembering so many bytes.
    #[must_use]
    pub fn remembering(self, bytes: u64) -> Self {
        Self { verdicts: Verdicts::new(bytes), ..self }
    }

    /// Its issuers.
    pub fn issuers(&self) -> &[Arc<JwtIssuer>] {
        &self.issuers
    }

    /// How often providers were asked for keys.
    pub fn key_fetches(&self) -> u64 {
        self.issuers.iter().map(|issuer| issuer.key_fetches()).sum()
    }

    /// How many verified tokens are remembered, and about how many bytes they take.
    pub fn remembered(&self) -> (u64, u64) {
        self.verdicts.size()
    }

    /// A token that was verified a moment ago: it is judged by what holds now.
    fn known(&self, token: &BearerToken, now: Timestamp) -> Option<Result<Arc<Identity>, Rejection>> {
        let identity = self.verdicts.find(token.digest(), now)?;
        if self.signals.standing.revokes(&identity) {
            return Some(Err(AuthError::TokenRevoked.of(&*identity)));
        }
        Some(Ok(identity))
    }

    async fn verify(&self, token: &BearerToken) -> Result<Arc<Identity>, Rejection> {
        let unverified = Unverified::read(token.expose())?;
        let (owners, algorithm) = self.owners(&unverified)?;
        let Believed { issuer, key, claims } = believe(unverified, &owners, algorithm).await?;
        // A set may have been waited for.
        let now = self.clock.now();
        let (identity, end) = issuer.judge(claims, &self.signals.standing, now)?;
        let identity = Arc::new(identity);
        self.verdicts.keep(*token.digest(), &identity, key, now, end);
        Ok(identity)
    }

    /// Who may have made a token, by what it says itself, and what it is signed with.
    fn owners(&self, token: &Unverified<'_>) -> Result<(Vec<&JwtIssuer>, Algorithm), Rejection> {
        let mut owners = token.issuer().map(|iss| self.owners_of(iss)).unwrap_or_default();
        let algorithm = Algorithm::parse(token.algorithm()).ok_or(AuthError::UnsupportedAlgorithm)?;
        // A token of nobody's is judged by what anybody's may be signed with.
        let may_be = match owners.as_slice() {
            [] => self.issuers.iter().any(|issuer| issuer.takes(algorithm)),
            owners => owners.iter().any(|issuer| issuer.takes(algorithm)),
        };
        if !may_be {
            return Err(AuthError::UnsupportedAlgorithm.into());
        }
        token.judge_header().map_err(|_| RejectionReason::Header)?;
        if owners.is_empty() {
            return Err(AuthError::InvalidIssuer.into());
        }
        owners.retain(|issuer| issuer.takes(algorithm));
        Ok((owners, algorithm))
    }

    fn owners_of(&self, iss: Option<&str>) -> Vec<&JwtIssuer> {
        let issuers = || self.issuers.iter().map(AsRef::as_ref);
        let named: Vec<&JwtIssuer> = issuers().filter(|issuer| issuer.is_named(iss)).collect();
        if named.is_empty() { issuers().filter(|issuer| issuer.takes_any_name()).collect() } else { named }
    }
}

#[async_trait]
impl TokenValidator for JwtValidator {
    fn recognizes(&self, token: &BearerToken) -> bool {
        has_shape(token.expose())
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        if token.expose().len() > LONGEST {
            return Err(RejectionReason::MalformedCredential.into());
        }
        let identity = match self.known(token, self.clock.now()) {
            Some(known) => known?,
            None => self.verify(token).await?,
        };
        // What the gate made itself, a widget's session say, never leaves it.
        Ok(match identity.credential {
            CredentialKind::External => ValidatedToken::external(identity),
            _ => ValidatedToken::own(identity),
        })
    }
}
