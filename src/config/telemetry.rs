//! `[telemetry]`: what the gate tells about itself.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    key::{self, Key, Kind, key, later},
    problem::Findings,
};

pub(super) const KEYS: &[Key] = &[
    key("telemetry.log_format", Kind::Text),
    key("telemetry.log_level", Kind::Text),
    later("telemetry.otlp_endpoint"),
    later("telemetry.metrics"),
];

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// What the gate tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// How log lines look.
    pub log_format: LogFormat,
    /// A level, or levels by module: `info,tidegate::adapters::http=debug`; what `tracing`'s `EnvFilter` takes.
    pub log_level: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log_format: LogFormat::Text, log_level: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Its name in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    log_format: Option<String>,
    log_level: Option<String>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> TelemetryConfig {
        let default = TelemetryConfig::default();
        TelemetryConfig {
            log_format: self
                .log_format
                .and_then(|text| findings.take("telemetry.log_format", parse_format(&text)))
                .unwrap_or(default.log_format),
            log_level: self
                .log_level
                .and_then(|text| findings.take("telemetry.log_level", parse_level(&text)))
                .unwrap_or(default.log_level),
        }
    }
}

fn parse_format(text: &str) -> Result<LogFormat, String> {
    [LogFormat::Text, LogFormat::Json]
        .into_iter()
        .find(|format| format.as_str() == text)
        .ok_or_else(|| one_of(text, &["text", "json"]))
}

/// `EnvFilter` takes a misspelled level for a module's name and then logs nothing: so levels are judged here.
fn parse_level(text: &str) -> Result<String, String> {
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(one_of(level, LEVELS));
        }
    }
    Ok(text.to_owned())
}

/// Why a text that must be one of a few is none, with the nearest.
pub(super) fn one_of(text: &str, known: &[&str]) -> String {
    let hint = key::nearest(text, known.iter().copied()).map(|near| format!("; did you mean {near}?"));
    format!("must be one of {}, not {text:?}{}", known.join(", "), hint.unwrap_or_default())
}

impl TelemetryConfig {
    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        vec![("telemetry.log_format", json!(self.log_format.as_str())), ("telemetry.log_level", json!(self.log_level))]
    }
}
