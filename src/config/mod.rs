//! The sections of `config.toml`, one struct and one file each, and how they come to their values:
//! `config.toml` < environment < command line.
//!
//! [`load`] reads everything that [`Sources`] names, judges each value where it came from, and gives typed values: what
//! it lets through needs no second look. [`Config::default`] is what no config at all means.

mod aliases;
mod audit;
mod auth;
mod database;
mod engines;
mod environment;
mod file;
mod issuers;
mod key;
mod layer;
mod origin;
mod problem;
mod quantity;
mod realtime;
mod report;
mod secret;
mod server;
mod sessions;
mod sources;
mod telemetry;
mod value;

use figment::Figment;
use serde::Deserialize;
use serde_json::Value;

pub use audit::AuditConfig;
pub use auth::{AuthConfig, AuthMode, RateLimitConfig, RateLimitKind};
pub use database::{DatabaseConfig, DatabaseUrl};
pub use engines::{EngineEntry, EngineKind, EnginesConfig};
pub use issuers::{
    Algorithm, Audience, IntrospectionConfig, IssuerConfig, IssuerKind, JwtConfig, KeyRules, OidcConfig, WorkosConfig,
};
pub use origin::{Origin, Origins};
pub use problem::{ConfigError, Problem, Warning};
pub use quantity::parse_duration;
pub use secret::Secret;
pub use server::ServerConfig;
pub use sessions::SessionsConfig;
pub use sources::{Argument, Sources};
pub use telemetry::{LogFormat, TelemetryConfig};

use layer::Layer;
use problem::Findings;

/// The shipped `config.toml`: the reference of every key, with its default, all commented out.
pub const REFERENCE: &str = include_str!("../../config.toml");

/// What the gate runs with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[database]`
    pub database: DatabaseConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[sessions]`
    pub sessions: SessionsConfig,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[engines]`
    pub engines: EnginesConfig,
    /// `[telemetry]`
    pub telemetry: TelemetryConfig,
}

/// A [`Config`] with what is to be said about it.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where each value came from; a key that is not here has its default.
    pub origins: Origins,
    /// What is allowed but should be known, in the order it was found.
    pub warnings: Vec<Warning>,
}

/// The sections as they are written, judged by [`Config::judge`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    server: server::Raw,
    database: database::Raw,
    auth: auth::Raw,
    sessions: sessions::Raw,
    audit: audit::Raw,
    engines: engines::Raw,
    realtime: realtime::Raw,
    telemetry: telemetry::Raw,
}

/// Reads the config.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong, each with its key, the place it came from and the reason. It never
/// shows a secret.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut findings = Findings::default();
    let native = [
        file::read(sources, &mut findings),
        environment::read(&sources.environment, &mut findings),
        layer::read_arguments(&sources.arguments, &mut findings),
    ];
    let aliases = aliases::read(&sources.environment, &native, &mut findings);
    let origins = std::iter::once(&aliases).chain(&native).flat_map(Layer::origins).collect::<Origins>();
    let issuers = Issuers {
        aliased: aliases.issuers.clone(),
        by_name: native.iter().flat_map(|layer| layer.issuers.clone()).collect(),
    };
    let layers = std::iter::once(aliases).chain(native);
    let mut figment = Figment::new();
    for layer in layers {
        figment = figment.merge(layer);
    }
    let config = figment.extract::<Raw>().map(|raw| Config::judge(raw, issuers, &mut findings));
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            for one in error {
                findings.refuse(one.path.join("."), one.kind.to_string());
            }
            Config::default()
        }
    };
    let (problems, warnings) = findings.into_parts(&origins);
    if problems.is_empty() { Ok(Loaded { config, origins, warnings }) } else { Err(ConfigError { problems, warnings }) }
}

/// What is set of single issuers, by their names.
struct Issuers {
    aliased: Vec<issuers::Setting>,
    by_name: Vec<issuers::Setting>,
}

impl Config {
    fn judge(mut raw: Raw, issuers: Issuers, findings: &mut Findings) -> Self {
        raw.realtime.judge(findings);
        let listed = raw.auth.issuers.take().unwrap_or_default();
        let issuers = issuers::judge(issuers.aliased, &listed, issuers.by_name, findings);
        let config = Self {
            server: raw.server.judge(findings),
            database: raw.database.judge(findings),
            auth: AuthConfig { issuers, ..raw.auth.judge(findings) },
            sessions: raw.sessions.judge(findings),
            audit: raw.audit.judge(findings),
            engines: raw.engines.judge(findings),
            telemetry: raw.telemetry.judge(findings),
        };
        issuers::judge_together(&config, findings);
        if config.auth.mode == Some(AuthMode::Disabled) {
            config.judge_exposure(findings);
        }
        config
    }

    fn judge_exposure(&self, findings: &mut Findings) {
        if let Err(reason) = self.exposure(false) {
            findings.refuse("auth.mode", reason);
            return;
        }
        findings.warn("auth.mode", "disabled: whoever reaches the gate may do everything");
        if !self.server.cors_allow_origins.is_empty() {
            let message =
                "in mode disabled pages of these origins may do everything, in the browser of whoever opens them";
            findings.warn("server.cors_allow_origins", message);
        }
    }

    /// What should be known of mode `optional` without a configured credential: what callers without a token may do there
    /// hangs on whether one is stored (authentication.md section 2). `None`: the database was not asked.
    pub fn openness(&self, credentials_stored: Option<bool>) -> Option<Warning> {
        if self.auth.mode != Some(AuthMode::Optional) || self.auth.holds_credential() {
            return None;
        }
        let message = match credentials_stored {
            Some(true) => return None,
            Some(false) => {
                "optional, without any credential: whoever reaches the gate may do everything but administer"
            }
            None => {
                "optional, and no credential is configured: unless a service token was ever made, whoever reaches the gate \
                 may do everything but administer, and it starts on loopback only; --online asks the database"
            }
        };
        Some(Warning { key: "auth.mode".to_owned(), message: message.to_owned() })
    }

    /// Whether the gate may listen where it is told to: where anybody may come in without a token, only on loopback
    /// (authentication.md section 2). [`load`] has asked for `disabled`; for `optional` the one who knows whether any
    /// credential is stored has to ask.
    ///
    /// # Errors
    /// The reason why not.
    pub fn exposure(&self, credentials_stored: bool) -> Result<(), String> {
        let credentials = credentials_stored || self.auth.holds_credential();
        let open = match self.auth.mode {
            Some(AuthMode::Disabled) => "disabled",
            Some(AuthMode::Optional) if !credentials => "optional, without any credential,",
            _ => return Ok(()),
        };
        if self.server.bind.ip().is_loopback() || self.auth.allow_insecure_bind {
            return Ok(());
        }
        Err(format!(
            "{open} lets anybody in, so the gate listens on loopback only and not on {}; set auth.allow_insecure_bind = true if you mean it",
            self.server.bind
        ))
    }

    /// Every key in force with its value, secrets redacted, in the order of `config.toml`.
    pub fn entries(&self) -> Vec<(&'static str, Value)> {
        [
            self.server.entries(),
            self.database.entries(),
            self.auth.entries(),
            self.sessions.entries(),
            self.audit.entries(),
            self.engines.entries(),
            realtime::entries(),
            self.telemetry.entries(),
        ]
        .concat()
    }
}
