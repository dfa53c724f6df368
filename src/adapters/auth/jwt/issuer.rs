//! An issuer of JWTs: whose tokens it owns, by which keys they are verified, what is judged of their claims.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ReadClaims,
    algorithm::Algorithm,
    checks::{Audience, MOST_LEEWAY, Times, judge_subject},
    config::{InvalidIssuer, IssuerConfig},
    keys::{IssuerKeys, KeyReport, Material, Upkeep},
};
use crate::{
    app::standing::Standing,
    domain::{claims::InvalidClaims, identity::Identity, issuer::IssuerPolicy, json::JsonObject},
    ports::token_validator::{AuthError, Rejection, Suspect},
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
        Self::make(config, Some(upkeep))
    }

    /// The same of keys that stand in the config: nothing is ever fetched.
    ///
    /// # Errors
    /// [`InvalidIssuer`].
    pub fn of_given_keys(config: IssuerConfig) -> Result<Self, InvalidIssuer> {
        Self::make(IssuerConfig { published: None, ..config }, None)
    }

    fn make(config: IssuerConfig, upkeep: Option<&Upkeep>) -> Result<Self, InvalidIssuer> {
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
        let claims = Arc::new(claims);
        let who = (self.read)(&self.policy, Arc::clone(&claims));
        // Of what is no caller's, as much is told as there is.
        let of = who.as_ref().map_or_else(|_| Suspect::of_claims(self.name(), &claims), |who| Some(who.into()));
        self.judge_unnamed(&claims, who, standing, now).map_err(|rejection| rejection.about(of))
    }

    fn judge_unnamed(
        &self,
        claims: &JsonObject,
        who: Result<Identity, InvalidClaims>,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<(Identity, Timestamp), Rejection> {
        let iss = claims.get("iss").and_then(Value::as_str);
        if !self.takes_any_name() && !self.is_named(iss) {
            return Err(AuthError::InvalidIssuer.into());
        }
        self.audience.judge(claims.get("aud"))?;
        let end = self.times.judge(claims, now).and_then(|end| Ok(judge_subject(claims).map(|()| end)?));
        match (end, who) {
            // Revoked is said before expired.
            (_, Ok(who)) if standing.revokes(&who) => Err(AuthError::TokenRevoked.into()),
            (Ok(end), Ok(who)) => Ok((who, end)),
            (Err(rejection), _) => Err(rejection),
            (Ok(_), Err(invalid)) => Err(invalid.into()),
        }
    }
}
