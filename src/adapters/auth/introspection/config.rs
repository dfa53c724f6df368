//! An issuer whose tokens it is asked about.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use secrecy::SecretString;
use url::Url;

use super::{
    super::{
        jwt::checks::{Audience, Times, USUAL_LEEWAY},
        outgoing::{Address, BadAddress, USUAL_TIMEOUT},
    },
    Issuer,
    endpoint::Endpoint,
};
use crate::domain::{issuer::IssuerPolicy, service_token, user::IssuerName};

/// The configuration of an issuer of kind `introspection`.
#[derive(Debug, Clone)]
pub struct IntrospectionIssuer {
    /// What its tokens can come to.
    pub policy: IssuerPolicy,
    /// What its tokens begin with.
    pub prefix: String,
    /// The introspection endpoint.
    pub url: Url,
    /// The gate's own credentials there, by HTTP Basic (RFC 6749 section 2.3.1).
    pub client_id: String,
    /// Likewise.
    pub client_secret: SecretString,
    /// The values of `iss` that answers may have; none: any, or none.
    pub issuers: Vec<String>,
    /// Whom its tokens must be meant for.
    pub audience: Audience,
    /// Lets the endpoint be on plain http elsewhere than on loopback.
    pub allow_http: bool,
    /// How long a question may take, at most.
    pub timeout: Duration,
}

impl IntrospectionIssuer {
    /// An issuer with these necessities; any `iss`, any audience, five seconds.
    pub fn new(
        policy: IssuerPolicy,
        prefix: impl Into<String>,
        url: Url,
        client_id: impl Into<String>,
        client_secret: SecretString,
    ) -> Self {
        Self {
            policy,
            prefix: prefix.into(),
            url,
            client_id: client_id.into(),
            client_secret,
            issuers: Vec::new(),
            audience: Audience::NotJudged,
            allow_http: false,
            timeout: USUAL_TIMEOUT,
        }
    }
}

/// An issuer that cannot be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("issuer {issuer}: {reason}")]
pub struct BadIssuer {
    /// Its configured name.
    pub issuer: IssuerName,
    /// What is wrong with it.
    pub reason: BadIssuerReason,
}

/// What is wrong with an issuer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BadIssuerReason {
    /// Every token begins with nothing.
    #[error("prefix must not be empty")]
    EmptyPrefix,
    /// What begins so is a service token of the gate's.
    #[error("prefix must not be that of service tokens, {}", service_token::PREFIX)]
    ServiceTokens,
    /// A bearer token is visible ASCII.
    #[error("prefix must be visible ASCII")]
    UnfitPrefix,
    /// Whose a token is could not be told.
    #[error("prefix is also that of issuer {0}")]
    SamePrefix(IssuerName),
    /// The endpoint cannot be asked.
    #[error("introspection_url {0}")]
    Address(#[from] BadAddress),
    /// Client ids and secrets are not empty.
    #[error("client_id and client_secret must not be empty")]
    NoCredentials,
    /// The HTTP client cannot be made.
    #[error("no HTTP client can be made")]
    Client(#[source] Arc<reqwest::Error>),
}

impl Issuer {
    pub(super) fn new(config: IntrospectionIssuer) -> Result<Self, BadIssuer> {
        let name = config.policy.name.clone();
        Self::make(config).map_err(|reason| BadIssuer { issuer: name, reason })
    }

    fn make(config: IntrospectionIssuer) -> Result<Self, BadIssuerReason> {
        judge_prefix(&config.prefix)?;
        let address = Address::new(config.url, config.allow_http)?;
        let endpoint = Endpoint::new(
            config.policy.name.as_str(),
            address,
            &config.client_id,
            &config.client_secret,
            config.timeout,
        )?;
        Ok(Self {
            prefix: config.prefix,
            // The one clock is ours, the other the issuer's, who has judged on it already: no leeway. But a token is asked
            // about the moment it was made, and a clock a little ahead of ours must not make it bad for ten seconds.
            times: Times { leeway: SignedDuration::ZERO, ahead: USUAL_LEEWAY, most_life: config.policy.max_token_life },
            policy: config.policy,
            issuers: config.issuers,
            audience: config.audience,
            endpoint,
        })
    }
}

fn judge_prefix(prefix: &str) -> Result<(), BadIssuerReason> {
    if prefix.is_empty() {
        Err(BadIssuerReason::EmptyPrefix)
    } else if prefix.starts_with(service_token::PREFIX) {
        // A shorter one than theirs is harmless: service tokens are asked first.
        Err(BadIssuerReason::ServiceTokens)
    } else if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(BadIssuerReason::UnfitPrefix)
    } else {
        Ok(())
    }
}

/// The later of two issuers that have one prefix.
pub(super) fn same_prefix(pair: &[Issuer]) -> Option<BadIssuer> {
    let [first, second] = pair else { return None };
    (first.prefix == second.prefix).then(|| BadIssuer {
        issuer: second.policy.name.clone(),
        reason: BadIssuerReason::SamePrefix(first.policy.name.clone()),
    })
}
