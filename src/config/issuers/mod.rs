//! `[[auth.issuers]]`: whose tokens are judged, how, and what they can come to (authentication.md sections 1 and 3).

mod dangers;
mod entries;
mod judge;
mod keys;
mod kinds;
mod policy;
mod table;

use serde_json::Value;
use url::Url;

use super::{
    origin::{Origin, Origins},
    problem::Findings,
    secret::Secret,
};
use crate::domain::{issuer::IssuerPolicy, user::IssuerName};

pub(super) use self::{
    dangers::judge_together,
    keys::names_secret,
    table::{Setting, kind_of},
};
pub use crate::adapters::auth::jwt::{Algorithm, Audience, KeyRules};

/// The key of the list.
pub(super) const LIST: &str = "auth.issuers";
/// What the keys of one issuer, set by its name, begin with.
pub(super) const PREFIX: &str = "auth.issuers.";

/// An issuer of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerConfig {
    /// Its name, and what its tokens can come to.
    pub policy: IssuerPolicy,
    /// The `iss` that its tokens have, exactly one of these; none: whatever they have.
    pub issuers: Vec<String>,
    /// Whom its tokens must be meant for.
    pub audiences: Audience,
    /// How its tokens are verified.
    pub kind: IssuerKind,
    /// Whether plain http to elsewhere than loopback is taken.
    pub allow_http: bool,
}

/// How an issuer's tokens are verified.
#[derive(Debug, Clone, PartialEq)]
pub enum IssuerKind {
    /// Access tokens of WorkOS.
    Workos(WorkosConfig),
    /// JWTs of an `OpenID` provider, found by its discovery document.
    Oidc(OidcConfig),
    /// JWTs by a secret, by given keys or by a key set's URL, any of them together.
    Jwt(JwtConfig),
    /// Opaque tokens, by asking whoever made them (RFC 7662).
    Introspection(IntrospectionConfig),
}

/// WorkOS.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkosConfig {
    /// The application.
    pub client_id: String,
    /// The algorithms that its tokens may have.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are; its API is asked at the same origin.
    pub jwks_url: Url,
    /// How the keys are fetched.
    pub keys: KeyRules,
    /// For asking its API who somebody is, since its tokens do not say.
    pub api_key: Option<Secret>,
    /// What its webhooks are signed with.
    pub webhook_secret: Option<Secret>,
}

/// An `OpenID` provider.
#[derive(Debug, Clone, PartialEq)]
pub struct OidcConfig {
    /// Where its discovery document is, whose `issuer` must be one of the configured ones.
    pub discovery_url: Url,
    /// The algorithms that its tokens may have.
    pub algorithms: Vec<Algorithm>,
    /// How the document and the keys are fetched.
    pub keys: KeyRules,
}

/// Any issuer of JWTs. At least one of the three is set.
#[derive(Debug, Clone, PartialEq)]
pub struct JwtConfig {
    /// The algorithms that its tokens may have.
    pub algorithms: Vec<Algorithm>,
    /// Verifies HS256, HS384 and HS512, and nothing else.
    pub secret: Option<Secret>,
    /// A key set (RFC 7517 section 5), without private members: verifies all others.
    pub jwks: Option<Value>,
    /// Where a key set is: verifies all others.
    pub jwks_url: Option<Url>,
    /// How it is fetched.
    pub keys: KeyRules,
}

/// A token introspection endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct IntrospectionConfig {
    /// What its tokens begin with.
    pub prefix: String,
    /// Who is asked.
    pub introspection_url: Url,
    /// Who asks.
    pub client_id: String,
    /// What shows it.
    pub client_secret: Secret,
}

impl IssuerKind {
    /// Its name in the config.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Workos(_) => "workos",
            Self::Oidc(_) => "oidc",
            Self::Jwt(_) => "jwt",
            Self::Introspection(_) => "introspection",
        }
    }
}

impl IssuerConfig {
    /// Its configured name.
    pub const fn name(&self) -> &IssuerName {
        &self.policy.name
    }

    /// What verifies its tokens by a secret, which nobody can tell apart from another's by a key's id.
    pub const fn secret(&self) -> Option<&Secret> {
        match &self.kind {
            IssuerKind::Jwt(JwtConfig { secret, .. }) => secret.as_ref(),
            _ => None,
        }
    }
}

/// Judges what is written of issuers: `aliases` lie below the list, what is set `by_name` above it. Notes where each of
/// their values came from.
pub(super) fn judge(
    aliases: Vec<Setting>,
    list: &[figment::value::Dict],
    by_name: Vec<Setting>,
    origins: &mut Origins,
    findings: &mut Findings,
) -> Vec<IssuerConfig> {
    let tables = table::gather(aliases, list, by_name, findings);
    let judged = tables.iter().filter_map(|table| judge::judge(table, findings).map(|issuer| (table, issuer)));
    judged
        .map(|(table, issuer)| {
            for key in keys::KEYS.iter().map(|key| key.name) {
                let of_list = || if table.is_listed(key) { origins.of(LIST) } else { Origin::Default };
                let origin = table.origin(key).cloned().unwrap_or_else(of_list);
                origins.note(format!("{PREFIX}{}.{key}", issuer.name()), origin);
            }
            issuer
        })
        .collect()
}

/// The list as `config check` shows it.
pub(super) fn entry(issuers: &[IssuerConfig]) -> Value {
    issuers.iter().map(entries::of).collect()
}
