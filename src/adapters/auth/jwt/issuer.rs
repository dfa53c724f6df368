//! An issuer of JWTs: whose tokens it owns, by which keys they are verified, what is judged of their claims.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ReadClaims,
    algorithm::Algorithm,
    checks::{Audience, MOST_LEEWAY, Times, judge_subject, suspect},
    config::{InvalidIssuer, IssuerConfig},
    keys::{IssuerKeys, KeyReport, Material, Upkeep},
};
use crate::{
    app::standing::Standing,
    domain::{
        identity::{CredentialKind, Identity, IdentityKind},
        issuer::IssuerPolicy,
        json::JsonObject,
        numeric_date::numeric_date,
        rights::Rights,
    },
    ports::token_validator::{AuthError, Rejection},
};

/// An issuer of JWTs.
#[derive(Debug)]
pub struct JwtIssuer {
    policy: IssuerPolicy,
    issuers: Vec<String>,
    audience: Audience,
    algorithms: Vec<Algorithm>,
    times: Times,
    read: ReadClaims,
    pub(super) keys: IssuerKeys,
}

impl JwtIssuer {
    /// Makes an issuer ready. Nothing is fetched yet: an unreachable provider stops no start.
    ///
    /// # Errors
    /// [`InvalidIssuer`].
    pub fn new(config: IssuerConfig, upkeep: &Upkeep) -> Result<Self, InvalidIssuer> {
        let algorithms = config.effective_algorithms();
        if algorithms.is_empty() {
            return Err(InvalidIssuer::NoKeys);
        }
        if config.issuers.iter().any(String::is_empty) {
            return Err(InvalidIssuer::Nobody("issuers"));
        }
        if let Audience::OneOf(names) | Audience::IfPresent(names) = &config.audience
            && (names.is_empty() || names.iter().any(String::is_empty))
        {
            return Err(InvalidIssuer::Nobody("audiences"));
        }
        if config.leeway.is_negative() || config.leeway > MOST_LEEWAY {
            return Err(InvalidIssuer::Leeway);
        }
        let keys = IssuerKeys::new(
            &Material {
                issuer: config.policy.name.as_str(),
                algorithms: &algorithms,
                secret: config.secret.as_ref(),
                jwks: config.jwks.as_ref(),
                published: config.published.as_ref(),
                rules: config.rules,
            },
            upkeep,
        )?;
        let times = Times { leeway: config.leeway, ahead: config.leeway, most_life: config.policy.max_token_life };
        let IssuerConfig { policy, issuers, audience, read, .. } = config;
        Ok(Self { policy, issuers, audience, algorithms, times, read, keys })
    }

    /// Its configured name.
    pub fn name(&self) -> &str {
        self.policy.name.as_str()
    }

    /// What its tokens can come to.
    pub const fn policy(&self) -> &IssuerPolicy {
        &self.policy
    }

    /// What its tokens may be signed with.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// How often its provider was asked for keys.
    pub fn key_fetches(&self) -> u64 {
        self.keys.fetches()
    }

    /// Asks its provider for keys now; `None` if it has no provider.
    pub async fn report(&self) -> Option<KeyReport> {
        self.keys.report().await
    }

    /// Whether its tokens may be signed with this.
    pub(super) fn takes(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether tokens with this `iss` are its own by name.
    pub(super) fn is_named(&self, iss: Option<&str>) -> bool {
        iss.is_some_and(|iss| self.issuers.iter().any(|own| own == iss))
    }

    /// Whether it takes tokens that are nobody's by name.
    pub(super) fn takes_any_name(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Whether a token could be its own and the other's, with both verifying by a secret.
    pub(super) fn rivals(&self, other: &Self) -> bool {
        let by_secret = |issuer: &Self| issuer.algorithms.iter().any(|algorithm| algorithm.is_secret());
        let same_name = self.issuers.iter().any(|iss| other.is_named(Some(iss)));
        by_secret(self) && by_secret(other) && (same_name || (self.takes_any_name() && other.takes_any_name()))
    }

    /// Judges claims that its signature vouches for; gives the caller, and when the token ends.
    pub(super) fn judge(
        &self,
        claims: JsonObject,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<(Identity, Timestamp), Rejection> {
        let suspect = suspect(&claims).map(str::to_owned);
        let judged = self.judge_unnamed(claims, standing, now);
        judged.map_err(|error| match suspect {
            Some(name) => error.of(Some(self.name()), name),
            None => error.into(),
        })
    }

    fn judge_unnamed(
        &self,
        claims: JsonObject,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<(Identity, Timestamp), AuthError> {
        let iss = claims.get("iss").and_then(Value::as_str);
        if !self.takes_any_name() && !self.is_named(iss) {
            return Err(AuthError::InvalidIssuer);
        }
        self.audience.judge(claims.get("aud"))?;
        let sound = self.times.judge(&claims, now).and_then(|end| judge_subject(&claims).map(|()| end));
        let end = match sound {
            // Revoked is said before expired.
            Err(_) if standing.revokes(&self.outline(&claims)) => return Err(AuthError::TokenRevoked),
            sound => sound?,
        };
        let identity = (self.read)(&self.policy, claims)?;
        if standing.revokes(&identity) { Err(AuthError::TokenRevoked) } else { Ok((identity, end)) }
    }

    /// As much of a caller as revocations go by, of claims that need not be good.
    fn outline(&self, claims: &JsonObject) -> Identity {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        Identity {
            issuer: Some(self.name().to_owned()),
            token_id: text("jti"),
            session_id: text("sid"),
            issued_at: claims.get("iat").and_then(|iat| numeric_date(iat).ok()),
            ..Identity::new(
                text("sub").unwrap_or_default(),
                IdentityKind::User,
                CredentialKind::External,
                Rights::none(),
            )
        }
    }
}
