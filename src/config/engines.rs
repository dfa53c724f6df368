//! `[engines]`: what runs processes.

use std::collections::BTreeSet;

use figment::value::{Dict, Value as Given};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::engine::EngineName;

use super::{
    key::{self, Key, Kind, key, later},
    problem::Findings,
    quantity::show_duration,
    telemetry::one_of,
};

pub(super) const KEYS: &[Key] = &[
    key("engines.default", Kind::Text),
    key("engines.history_ttl", Kind::Duration),
    key("engines.list", Kind::Tables),
    later("engines.impersonate_process_key"),
    later("engines.identity_signing_keys"),
    later("engines.identity_signature"),
];

const LIST: &str = "engines.list";
const EMBEDDED: &str = "embedded";
const LATER_KINDS: &[&str] = &["camunda7", "operaton", "camunda8"];
/// Of an engine: those that the embedded one has no use for come with the kinds that do.
const ENTRY_KEYS: &[&str] = &["name", "kind"];
const LATER_ENTRY_KEYS: &[&str] = &["url", "auth", "tenants"];

/// What runs processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnginesConfig {
    /// The engine of a workflow that names none; always one of the list.
    pub default: EngineName,
    /// How long ended instances, executions and events stay readable.
    pub history_ttl: SignedDuration,
    /// The engines; at least one, no name twice.
    pub list: Vec<EngineEntry>,
}

/// One engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEntry {
    /// The first part of the ids of everything on it.
    pub name: EngineName,
    /// What it is.
    pub kind: EngineKind,
}

/// What an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// The gate's own, in the gate's own database.
    Embedded,
}

impl EngineKind {
    /// Its name in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => EMBEDDED,
        }
    }
}

impl Default for EnginesConfig {
    fn default() -> Self {
        let embedded = EngineEntry { name: EngineName::embedded(), kind: EngineKind::Embedded };
        Self { default: embedded.name.clone(), history_ttl: SignedDuration::from_hours(30 * 24), list: vec![embedded] }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    default: Option<String>,
    history_ttl: Option<SignedDuration>,
    list: Option<Vec<Dict>>,
}

impl Raw {
    pub(super) fn judge(self, findings: &mut Findings) -> EnginesConfig {
        let fallback = EnginesConfig::default();
        let list = match self.list {
            None => fallback.list,
            Some(entries) => judge_list(&entries, findings),
        };
        let named = self.default.and_then(|text| findings.take("engines.default", EngineName::parse(&text)));
        EnginesConfig {
            default: judge_default(named, &list, findings).unwrap_or(fallback.default),
            history_ttl: self
                .history_ttl
                .and_then(|ttl| findings.take("engines.history_ttl", parse_ttl(ttl)))
                .unwrap_or(fallback.history_ttl),
            list,
        }
    }
}

fn judge_list(entries: &[Dict], findings: &mut Findings) -> Vec<EngineEntry> {
    if entries.is_empty() {
        findings.refuse(LIST, "must hold at least one engine; leave it out for the embedded one");
    }
    let list: Vec<_> = entries.iter().filter_map(|entry| judge_entry(entry, findings)).collect();
    let names: BTreeSet<_> = list.iter().map(|entry| &entry.name).collect();
    if names.len() < list.len() {
        findings.refuse(LIST, "two engines have the same name");
    } else if list.len() > 1 {
        findings.refuse(LIST, "a gate has one embedded engine: it lives in the gate's own database");
    }
    list
}

fn judge_entry(entry: &Dict, findings: &mut Findings) -> Option<EngineEntry> {
    let kind = entry.get("kind").and_then(Given::as_str);
    let kind = match kind {
        Some(EMBEDDED) => EngineKind::Embedded,
        Some(kind) if LATER_KINDS.contains(&kind) => {
            findings.refuse(LIST, key::not_built_yet(&format!("kind = {kind:?}")));
            return None;
        }
        Some(other) => {
            findings.refuse(LIST, format!("kind {}", one_of(other, &[EMBEDDED])));
            return None;
        }
        None => {
            findings.refuse(LIST, "every engine needs a kind: \"embedded\"");
            return None;
        }
    };
    for name in entry.keys().map(String::as_str).filter(|name| !ENTRY_KEYS.contains(name)) {
        findings.refuse(format!("{LIST}.{name}"), unknown_entry_key(name));
    }
    let Some(name) = entry.get("name").and_then(Given::as_str) else {
        findings.refuse(LIST, "every engine needs a name");
        return None;
    };
    let name = findings.take("engines.list.name", EngineName::parse(name))?;
    Some(EngineEntry { name, kind })
}

fn unknown_entry_key(name: &str) -> String {
    if LATER_ENTRY_KEYS.contains(&name) {
        return "an embedded engine has none; engines elsewhere are not built yet".to_owned();
    }
    match key::nearest(name, ENTRY_KEYS.iter().copied()) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => format!("unknown key; an engine has {}", ENTRY_KEYS.join(", ")),
    }
}

fn judge_default(named: Option<EngineName>, list: &[EngineEntry], findings: &mut Findings) -> Option<EngineName> {
    let Some(named) = named else { return list.first().map(|entry| entry.name.clone()) };
    if list.iter().all(|entry| entry.name != named) {
        let known: Vec<_> = list.iter().map(|entry| entry.name.as_str()).collect();
        findings.refuse("engines.default", one_of(named.as_str(), &known));
    }
    Some(named)
}

fn parse_ttl(ttl: SignedDuration) -> Result<SignedDuration, String> {
    if ttl < SignedDuration::from_mins(1) {
        return Err(format!("must be at least a minute, not {}", show_duration(ttl)));
    }
    Ok(ttl)
}

impl EnginesConfig {
    pub(super) fn entries(&self) -> Vec<(&'static str, Value)> {
        let list = self.list.iter().map(|entry| json!({"name": entry.name.as_str(), "kind": entry.kind.as_str()}));
        vec![
            ("engines.default", json!(self.default.as_str())),
            ("engines.history_ttl", json!(show_duration(self.history_ttl))),
            (LIST, Value::Array(list.collect())),
        ]
    }
}
