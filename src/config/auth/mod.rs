//! `[auth]`: who may come in (authentication.md sections 2 and 4).

mod bootstrap;
pub(super) mod rate_limit;

use std::collections::BTreeSet;

use figment::value::Dict;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::{
    bearer::BearerToken,
    scope::{Scope, Scopes},
    workspace::{WorkspaceAccess, WorkspaceId},
};

pub use self::rate_limit::{RateLimitConfig, RateLimitKind};
use super::{
    database::SecretText,
    issuers::{self, IssuerConfig},
    key::{Key, Kind, key},
    problem::Findings,
    quantity::{show_duration, show_seconds},
    secret::REDACTED,
    telemetry::one_of,
};

pub(super) const KEYS: &[Key] = &[
    key("auth.mode", Kind::Text),
    key(bootstrap::KEY, Kind::Secret),
    key("auth.bootstrap_token_scopes", Kind::Texts),
    key("auth.bootstrap_token_expires_at", Kind::Moment),
    key("auth.allow_insecure_bind", Kind::Flag),
    key("auth.anonymous_scopes", Kind::Texts),
    key("auth.anonymous_workspaces", Kind::Texts),
    key("auth.query_tokens", Kind::Flag),
    key("auth.max_service_token_life", Kind::Duration),
    key("auth.leeway_seconds", Kind::Duration),
    key(issuers::LIST, Kind::Tables),
];

const MOST_LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// Who may come in.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// What is asked of a caller; `None`: a token as soon as any credential is configured, and the start mints one.
    pub mode: Option<AuthMode>,
    /// A credential that lives in the config.
    pub bootstrap_service_token: Option<BearerToken>,
    /// What the bootstrap token may do; `None`: everything.
    pub bootstrap_token_scopes: Option<Scopes>,
    /// From this moment on the bootstrap token is refused.
    pub bootstrap_token_expires_at: Option<Timestamp>,
    /// How far clocks may differ when a JWT's times are judged, both ways.
    pub leeway: SignedDuration,
    /// Lets a gate that anybody may enter listen elsewhere than on loopback.
    pub allow_insecure_bind: bool,
    /// What the anonymous may do in mode `optional` with credentials configured.
    pub anonymous_scopes: Scopes,
    /// Where they may do it.
    pub anonymous_workspaces: WorkspaceAccess,
    /// Whether event streams also take a token from the query.
    pub query_tokens: bool,
    /// The longest life that a service token may be given; `None`: any.
    pub max_service_token_life: Option<SignedDuration>,
    /// How failures are limited.
    pub rate_limit: RateLimitConfig,
    /// Whose tokens are judged; no name twice.
    pub issuers: Vec<IssuerConfig>,
}

impl PartialEq for AuthConfig {
    fn eq(&self, other: &Self) -> bool {
        let token = |config: &Self| config.bootstrap_service_token.as_ref().map(|token| token.expose().to_owned());
        token(self) == token(other) && self.issuers == other.issuers && self.entries() == other.entries()
    }
}

/// What is asked of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// A token, always.
    Required,
    /// A good token or none.
    Optional,
    /// Nothing.
    Disabled,
}

impl AuthMode {
    /// Its name in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Disabled => "disabled",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let modes = [Self::Required, Self::Optional, Self::Disabled];
        let folded = text.to_ascii_lowercase();
        modes.into_iter().find(|mode| mode.as_str() == folded).ok_or_else(|| one_of(text, &modes.map(Self::as_str)))
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            mode: None,
            bootstrap_service_token: None,
            bootstrap_token_scopes: None,
            bootstrap_token_expires_at: None,
            leeway: SignedDuration::from_secs(30),
            allow_insecure_bind: false,
            anonymous_scopes: Scopes::new(),
            anonymous_workspaces: WorkspaceAccess::none(),
            query_tokens: true,
            max_service_token_life: None,
            rate_limit: RateLimitConfig::default(),
            issuers: Vec::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    mode: Option<String>,
    bootstrap_service_token: Option<SecretText>,
    bootstrap_token_scopes: Option<Vec<String>>,
    bootstrap_token_expires_at: Option<Timestamp>,
    leeway_seconds: Option<SignedDuration>,
    allow_insecure_bind: Option<bool>,
    anonymous_scopes: Option<Vec<String>>,
    anonymous_workspaces: Option<Vec<String>>,
    query_tokens: Option<bool>,
    max_service_token_life: Option<SignedDuration>,
    rate_limit: rate_limit::Raw,
    /// Judged with what is set by name.
    pub(super) issuers: Option<Vec<Dict>>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> AuthConfig {
        let bootstrap = self.bootstrap_service_token.and_then(|text| bootstrap::judge(text.expose(), findings));
        if bootstrap.is_none() && (self.bootstrap_token_scopes.is_some() || self.bootstrap_token_expires_at.is_some()) {
            findings.warn(bootstrap::KEY, "not set, so what is said of its scopes and its end has no effect");
        }
        let anonymous_scopes = self
            .anonymous_scopes
            .and_then(|scopes| findings.take("auth.anonymous_scopes", parse_scopes(&scopes)))
            .unwrap_or_default();
        if anonymous_scopes.iter().any(|scope| scope.is_admin()) {
            findings.warn("auth.anonymous_scopes", "lets callers without a token administer, in mode optional");
        }
        AuthConfig {
            mode: self.mode.and_then(|text| findings.take("auth.mode", AuthMode::parse(&text))),
            bootstrap_service_token: bootstrap,
            bootstrap_token_scopes: self
                .bootstrap_token_scopes
                .and_then(|scopes| findings.take("auth.bootstrap_token_scopes", parse_scopes(&scopes))),
            bootstrap_token_expires_at: self.bootstrap_token_expires_at,
            leeway: self
                .leeway_seconds
                .and_then(|leeway| findings.take("auth.leeway_seconds", parse_leeway(leeway)))
                .unwrap_or(AuthConfig::default().leeway),
            allow_insecure_bind: self.allow_insecure_bind.unwrap_or_default(),
            anonymous_scopes,
            anonymous_workspaces: self
                .anonymous_workspaces
                .and_then(|ids| findings.take("auth.anonymous_workspaces", parse_workspaces(&ids)))
                .unwrap_or(WorkspaceAccess::none()),
            query_tokens: self.query_tokens.unwrap_or(AuthConfig::default().query_tokens),
            max_service_token_life: self
                .max_service_token_life
                .and_then(|life| findings.take("auth.max_service_token_life", positive(life))),
            rate_limit: self.rate_limit.judge(findings),
            issuers: Vec::new(),
        }
    }
}

/// Names of scopes; `workflows:*` stands for all that begin so, `*` for all.
pub(super) fn parse_scopes(names: &[String]) -> Result<Scopes, String> {
    let mut scopes = Scopes::new();
    for name in names {
        match name.strip_suffix('*') {
            Some(begin) if begin.is_empty() || begin.ends_with(':') => {
                let fitting: Vec<_> = Scope::ALL.iter().filter(|scope| scope.as_str().starts_with(begin)).collect();
                if fitting.is_empty() {
                    return Err(format!("no scope begins with {begin:?}"));
                }
                scopes.extend(fitting);
            }
            _ => {
                scopes.insert(name.parse::<Scope>().map_err(|error| error.to_string())?);
            }
        }
    }
    Ok(scopes)
}

pub(super) fn parse_workspaces(ids: &[String]) -> Result<WorkspaceAccess, String> {
    if let [all] = ids
        && all == "*"
    {
        return Ok(WorkspaceAccess::All);
    }
    let parse = |id: &String| WorkspaceId::parse(id).map_err(|error| format!("{id:?}: a workspace's id {error}"));
    ids.iter().map(parse).collect::<Result<BTreeSet<_>, _>>().map(WorkspaceAccess::Only)
}

fn parse_leeway(leeway: SignedDuration) -> Result<SignedDuration, String> {
    if leeway <= MOST_LEEWAY {
        return Ok(leeway);
    }
    Err(format!("must be at most 60 seconds, not {}: a token that has ended has ended", show_duration(leeway)))
}

fn positive(duration: SignedDuration) -> Result<SignedDuration, String> {
    if duration.is_zero() { Err("must be more than 0 seconds".to_owned()) } else { Ok(duration) }
}

impl AuthConfig {
    /// Whether any credential is configured: an issuer or a bootstrap token (authentication.md section 2).
    pub const fn holds_credential(&self) -> bool {
        self.bootstrap_service_token.is_some() || !self.issuers.is_empty()
    }

    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        let token = self.bootstrap_service_token.as_ref().map(|_| REDACTED);
        let mut entries = vec![
            ("auth.mode", json!(self.mode.map(AuthMode::as_str))),
            (bootstrap::KEY, json!(token)),
            ("auth.bootstrap_token_scopes", json!(self.bootstrap_token_scopes.as_ref().map(scope_names))),
            ("auth.bootstrap_token_expires_at", json!(self.bootstrap_token_expires_at)),
            ("auth.leeway_seconds", show_seconds(self.leeway)),
            ("auth.allow_insecure_bind", json!(self.allow_insecure_bind)),
            ("auth.anonymous_scopes", scope_names(&self.anonymous_scopes)),
            ("auth.anonymous_workspaces", workspace_names(&self.anonymous_workspaces)),
            ("auth.query_tokens", json!(self.query_tokens)),
            ("auth.max_service_token_life", json!(self.max_service_token_life.map(show_duration))),
        ];
        entries.push((issuers::LIST, issuers::entry(&self.issuers)));
        entries.extend(self.rate_limit.entries());
        entries
    }
}

pub(super) fn scope_names(scopes: &Scopes) -> Value {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

pub(super) fn workspace_names(access: &WorkspaceAccess) -> Value {
    match access {
        WorkspaceAccess::All => json!(["*"]),
        WorkspaceAccess::Only(ids) => ids.iter().map(WorkspaceId::as_str).collect(),
    }
}
