//! `[realtime]`: where numbered events go. The gate's own streams are the only kind so far.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    key::{self, Key, Kind, key},
    problem::Findings,
    telemetry::one_of,
};

pub(super) const KEYS: &[Key] = &[key("realtime.kind", Kind::Text)];

const IN_PROCESS: &str = "in_process";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    kind: Option<String>,
}

impl Raw {
    pub(super) fn judge(&self, findings: &mut Findings) {
        match self.kind.as_deref() {
            None | Some(IN_PROCESS) => {}
            Some("centrifugo") => findings.refuse("realtime.kind", key::not_built_yet("kind = \"centrifugo\"")),
            Some(other) => findings.refuse("realtime.kind", one_of(other, &[IN_PROCESS])),
        }
    }
}

pub(super) fn entries() -> Vec<(&'static str, Value)> {
    vec![("realtime.kind", json!(IN_PROCESS))]
}
