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
mod exposure;
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
    let mut origins = std::iter::once(&aliases).chain(&native).flat_map(Layer::origins).collect::<Origins>();
    let issuers = Issuers {
        aliased: aliases.issuers.clone(),
        by_name: native.iter().flat_map(|layer| layer.issuers.clone()).collect(),
    };
    let layers = std::iter::once(aliases).chain(native);
    let mut figment = Figment::new();
    for layer in layers {
        figment = figment.merge(layer);
    }
    let config = figment.extract::<Raw>().map(|raw| Config::judge(raw, issuers, &mut origins, &mut findings));
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
    fn judge(mut raw: Raw, issuers: Issuers, origins: &mut Origins, findings: &mut Findings) -> Self {
        raw.realtime.judge(findings);
        let listed = raw.auth.issuers.take().unwrap_or_default();
        let issuers = issuers::judge(issuers.aliased, &listed, issuers.by_name, origins, findings);
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
        config.judge_exposure(findings);
        config
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
