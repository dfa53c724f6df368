//! Configured issuers become validators: the longest prefix first, JWTs last (authentication.md section 1.2).

use std::sync::Arc;

use jiff::SignedDuration;
use url::Url;

use super::Parts;
use crate::{
    adapters::auth::{
        introspection::{BadIssuer, IntrospectionIssuer, IntrospectionValidator},
        jwt::{self, InvalidIssuer, JwtIssuer, JwtValidator, KeyReport, Published, Upkeep, checks::USUAL_LEEWAY},
        workos_api::{BadWorkosApi, USUAL_TIMEOUT, WorkosApi},
    },
    app::people,
    config::{IntrospectionConfig, IssuerConfig, IssuerKind, WorkosConfig},
    domain::{bearer::BearerToken, user::IssuerName},
    ports::{
        profile_source::ProfileSource,
        token_validator::{AuthError, TokenValidator},
    },
};

/// Behind a prefix, a token that nobody made.
const NOBODYS: &str = "asked-by-tidegate-config-check";

/// An issuer that cannot be. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its tokens cannot be judged.
    #[error("auth.issuers.{issuer}")]
    Jwt {
        /// Its name.
        issuer: IssuerName,
        /// Why.
        source: InvalidIssuer,
    },
    /// Two of them cannot stand together.
    #[error("auth.issuers")]
    Together(#[source] InvalidIssuer),
    /// Its tokens cannot be asked about.
    #[error("auth.issuers")]
    Introspection(#[from] BadIssuer),
    /// Its people cannot be asked about.
    #[error("auth.issuers.{issuer}.api_key")]
    Profiles {
        /// Its name.
        issuer: IssuerName,
        /// Why.
        source: BadWorkosApi,
    },
}

impl Parts {
    /// The same with these issuers, by the clock that the parts have now. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`IssuerError`] names what cannot be.
    pub fn with_issuers(mut self, issuers: &[IssuerConfig], leeway: SignedDuration) -> Result<Self, IssuerError> {
        self.ground.signals.standing.set_leeway(leeway.max(least_leeway(issuers)));
        for issuer in issuers {
            self.issuers.push(people::Issuer { policy: issuer.policy.clone(), profiles: profiles(issuer)? });
        }
        let asked: Vec<_> = issuers.iter().filter_map(asked_about).collect();
        if !asked.is_empty() {
            let signals = Arc::clone(&self.ground.signals);
            self.validators.push(Arc::new(IntrospectionValidator::new(asked, Arc::clone(&self.clock), signals)?));
        }
        let upkeep =
            Upkeep { clock: Arc::clone(&self.clock), tasks: self.ground.tasks.clone(), stop: self.ground.stop.clone() };
        let signed = issuers.iter().filter_map(|issuer| signing(issuer, leeway, &upkeep));
        let signed = signed.collect::<Result<Vec<_>, _>>()?;
        if !signed.is_empty() {
            let signals = Arc::clone(&self.ground.signals);
            let validator = JwtValidator::new(signed, Arc::clone(&self.clock), signals);
            self.jwts = Some(validator.map_err(IssuerError::Together)?);
        }
        Ok(self)
    }
}

/// Introspection lets `iat` be ahead by so much, whatever is configured for JWTs.
fn least_leeway(issuers: &[IssuerConfig]) -> SignedDuration {
    let introspects = issuers.iter().any(|issuer| matches!(issuer.kind, IssuerKind::Introspection(_)));
    if introspects { USUAL_LEEWAY } else { SignedDuration::ZERO }
}

/// What a look at an issuer came to.
pub(super) enum Look {
    /// Nobody was asked: its keys stand in the config.
    Given,
    /// What its provider publishes.
    Keys(KeyReport),
    /// Whether who is asked about tokens answers.
    Asked {
        /// Who.
        source: String,
        /// Why there is no answer that counts.
        failure: Option<String>,
    },
}

impl Look {
    /// The answer did not come in time.
    pub(super) fn too_late() -> Self {
        Self::Asked { source: "it".to_owned(), failure: Some("did not answer in time".to_owned()) }
    }
}

/// Asks an issuer for what a gate would ask it.
pub(super) async fn look(issuer: &IssuerConfig, leeway: SignedDuration, upkeep: &Upkeep) -> Result<Look, IssuerError> {
    if let Some(ready) = signing(issuer, leeway, upkeep) {
        return Ok(ready?.report().await.map_or(Look::Given, Look::Keys));
    }
    let Some(config) = asked_about(issuer) else { return Ok(Look::Given) };
    let source = config.url.to_string();
    let nobodys = BearerToken::new(format!("{}{NOBODYS}", config.prefix));
    let validator = IntrospectionValidator::new(vec![config], Arc::clone(&upkeep.clock), Arc::default())?;
    let failure = match validator.validate(&nobodys).await {
        Ok(_) => Some("takes a token for good that nobody made".to_owned()),
        Err(rejection) if rejection.error == AuthError::InvalidToken => None,
        Err(_) => Some("gives no answer that counts: look at its address, client_id and client_secret".to_owned()),
    };
    Ok(Look::Asked { source, failure })
}

fn signing(issuer: &IssuerConfig, leeway: SignedDuration, upkeep: &Upkeep) -> Option<Result<JwtIssuer, IssuerError>> {
    let config = jwt_config(issuer, leeway)?;
    let ready = JwtIssuer::new(config, upkeep);
    Some(ready.map_err(|source| IssuerError::Jwt { issuer: issuer.name().clone(), source }))
}

fn jwt_config(issuer: &IssuerConfig, leeway: SignedDuration) -> Option<jwt::IssuerConfig> {
    let base = jwt::IssuerConfig {
        issuers: issuer.issuers.clone(),
        audience: issuer.audiences.clone(),
        leeway,
        ..jwt::IssuerConfig::jwt(issuer.policy.clone())
    };
    Some(match &issuer.kind {
        IssuerKind::Workos(workos) => jwt::IssuerConfig {
            algorithms: workos.algorithms.clone(),
            published: Some(Published::At(workos.jwks_url.clone())),
            rules: workos.keys,
            ..base
        },
        IssuerKind::Oidc(oidc) => jwt::IssuerConfig {
            algorithms: oidc.algorithms.clone(),
            published: Some(Published::Discovered {
                issuers: issuer.issuers.clone(),
                document: Some(oidc.discovery_url.clone()),
            }),
            rules: oidc.keys,
            ..base
        },
        IssuerKind::Jwt(jwt) => jwt::IssuerConfig {
            algorithms: jwt.algorithms.clone(),
            secret: jwt.secret.clone().map(Into::into),
            jwks: jwt.jwks.clone(),
            published: jwt.jwks_url.clone().map(Published::At),
            rules: jwt.keys,
            ..base
        },
        IssuerKind::Introspection(_) => return None,
    })
}

fn asked_about(issuer: &IssuerConfig) -> Option<IntrospectionIssuer> {
    let IssuerKind::Introspection(config) = &issuer.kind else { return None };
    let IntrospectionConfig { prefix, introspection_url, client_id, client_secret } = config.clone();
    let policy = issuer.policy.clone();
    Some(IntrospectionIssuer {
        issuers: issuer.issuers.clone(),
        audience: issuer.audiences.clone(),
        allow_http: issuer.allow_http,
        ..IntrospectionIssuer::new(policy, prefix, introspection_url, client_id, client_secret.into())
    })
}

/// Where an issuer's API tells what its people are called: `WorkOS`'s, at the origin of its keys.
fn profiles(issuer: &IssuerConfig) -> Result<Option<Arc<dyn ProfileSource>>, IssuerError> {
    let IssuerKind::Workos(WorkosConfig { api_key: Some(key), jwks_url, .. }) = &issuer.kind else { return Ok(None) };
    let api = WorkosApi::new(origin(jwks_url), &key.clone().into(), USUAL_TIMEOUT);
    let api = api.map_err(|source| IssuerError::Profiles { issuer: issuer.name().clone(), source })?;
    Ok(Some(Arc::new(api)))
}

fn origin(url: &Url) -> Url {
    let mut origin = url.clone();
    origin.set_path("");
    origin.set_query(None);
    origin
}
