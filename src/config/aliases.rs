//! Names that existing deployments already set (DESIGN section 8, authentication.md section 10). The native name wins over
//! all of them, wherever it is set: a left-over must not undo what somebody says to the gate itself. An empty one is as
//! good as unset.

use std::{collections::BTreeMap, ffi::OsString};

use super::{
    issuers, key,
    layer::Layer,
    origin::{Origin, Origins},
    problem::Findings,
    value::Given,
};

/// Those whose capability there is, with the key they set.
const UNDERSTOOD: &[(&str, &str)] = &[
    ("ORCHEO_AUTH_MODE", "auth.mode"),
    ("ORCHEO_AUTH_BOOTSTRAP_SERVICE_TOKEN", "auth.bootstrap_service_token"),
    ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_SCOPES", "auth.bootstrap_token_scopes"),
    ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_EXPIRES_AT", "auth.bootstrap_token_expires_at"),
    ("ORCHEO_AUTH_RATE_LIMIT_IP", "auth.rate_limit.ip"),
    ("ORCHEO_AUTH_RATE_LIMIT_IDENTITY", "auth.rate_limit.identity"),
    ("ORCHEO_AUTH_RATE_LIMIT_INTERVAL", "auth.rate_limit.interval_seconds"),
    ("ORCHEO_LOG_LEVEL", "telemetry.log_level"),
];

/// Those whose capability comes later: they stop the start, so that nobody believes in a gate that ignores them.
const LATER: &[&str] = &[
    "CENTRIFUGO_HOST",
    "CENTRIFUGO_PORT",
    "CENTRIFUGO_API_KEY",
    "CENTRIFUGO_JWT_SECRET",
    "ORCHESCALA_IDENTITY_SIGNING_KEY",
];

/// The one issuer that these make together, with its key that each sets. Of two for the same key the first wins.
const ISSUER: &str = "orcheo";
const OF_THE_ISSUER: &[(&str, &str)] = &[
    ("ORCHEO_AUTH_JWT_SECRET", "secret"),
    ("ORCHEO_AUTH_JWKS_URL", "jwks_url"),
    ("ORCHEO_AUTH_JWKS", "jwks"),
    ("ORCHEO_AUTH_JWKS_STATIC", "jwks"),
    ("ORCHEO_AUTH_JWKS_CACHE_TTL", "jwks_cache_ttl"),
    ("ORCHEO_AUTH_JWKS_TIMEOUT", "jwks_timeout"),
    ("ORCHEO_AUTH_ALLOWED_ALGORITHMS", "algorithms"),
    ("ORCHEO_AUTH_AUDIENCE", "audiences"),
    ("ORCHEO_AUTH_ISSUER", "issuers"),
];
/// Without one of these nothing verifies, and so there is no issuer.
const VERIFYING: [&str; 3] = ["secret", "jwks_url", "jwks"];
/// What those deployments know of rights: the scopes of the token, everywhere; without any, none.
const OF_EVERY_ORCHEO: [(&str, &str); 5] = [
    ("kind", "jwt"),
    ("provision", "user"),
    ("max_scopes", "*"),
    ("default_workspaces", "*"),
    ("requires_scopes", "true"),
];

/// Those that the command line's client reads.
const OF_THE_CLIENT: &[&str] = &["ORCHEO_API_URL", "ORCHEO_SERVICE_TOKEN"];

const BACKEND: &str = "ORCHEO_AUTH_SERVICE_TOKEN_BACKEND";
const POSTGRES: &str = "ORCHEO_POSTGRES_DSN";
const SENSITIVE_DEBUG: &str = "ORCHEO_LOG_SENSITIVE_DEBUG";

/// Reads the aliases; `native` is what is set by its own name.
pub(super) fn read(environment: &BTreeMap<String, OsString>, native: &[Layer], findings: &mut Findings) -> Layer {
    let origins = native.iter().flat_map(Layer::origins).collect();
    let listed = native.iter().flat_map(Layer::listed_issuers).any(|name| name == ISSUER);
    let mut aliases = Aliases { native: origins, layer: Layer::default(), findings };
    for (name, value) in environment {
        if !(name.starts_with("ORCHEO_") || LATER.contains(&name.as_str())) || value.is_empty() {
            continue;
        }
        match value.to_str() {
            Some(text) => aliases.read(name, text),
            None if is_known(name) => {
                aliases.findings.refuse_at(name, Origin::Alias(name.clone()), "its value is not UTF-8");
            }
            None => aliases.read(name, ""),
        }
    }
    let text = |name: &str| environment.get(name).and_then(|value| value.to_str()).filter(|text| !text.is_empty());
    aliases.read_database(text(BACKEND), text(POSTGRES));
    let of_issuer = OF_THE_ISSUER.iter().filter_map(|(name, key)| Some((*name, *key, text(name)?))).collect();
    aliases.read_issuer(of_issuer, listed);
    aliases.layer
}

struct Aliases<'a> {
    native: Origins,
    layer: Layer,
    findings: &'a mut Findings,
}

impl Aliases<'_> {
    fn read(&mut self, name: &str, text: &str) {
        let origin = || Origin::Alias(name.to_owned());
        if let Some((_, path)) = UNDERSTOOD.iter().find(|(alias, _)| *alias == name) {
            let text = if *path == "telemetry.log_level" { level(text) } else { text.to_owned() };
            self.set(name, path, text);
        } else if LATER.contains(&name) {
            self.findings.refuse_at(name, origin(), key::not_built_yet("what it configures"));
        } else if name == SENSITIVE_DEBUG {
            let reason = "refused: the gate never logs tokens, bodies or mail addresses; unset it";
            self.findings.refuse_at(name, origin(), reason);
        } else if !is_read_elsewhere(name) {
            self.findings.warn(name, "not a name that the gate knows; it has no effect");
        }
    }

    fn set(&mut self, name: &str, path: &str, text: String) {
        match self.native.exactly(path) {
            None => {
                self.findings.warn(name, format!("understood as {path}"));
                self.layer.set(path, Given::Text(text), Origin::Alias(name.to_owned()), self.findings);
            }
            Some(native) => self.findings.warn(name, format!("has no effect: {path} is set by {native}")),
        }
    }

    /// All that is said of keys, audience and issuer makes one issuer. One of its name in the list is set whole: nothing
    /// left over is mixed into it.
    fn read_issuer(&mut self, given: Vec<(&str, &str, &str)>, listed: bool) {
        let path = |key: &str| format!("{}{ISSUER}.{key}", issuers::PREFIX);
        if listed {
            for (name, ..) in given {
                self.findings.warn(name, format!("has no effect: {} lists an issuer {ISSUER}", issuers::LIST));
            }
            return;
        }
        let verifying = VERIFYING.iter().any(|key| given.iter().any(|(_, given, _)| given == key))
            || VERIFYING.iter().any(|key| self.native.sets(&path(key)));
        if !verifying {
            for (name, ..) in given {
                let needs = "ORCHEO_AUTH_JWT_SECRET, ORCHEO_AUTH_JWKS_URL or ORCHEO_AUTH_JWKS";
                self.findings.warn(name, format!("has no effect without {needs}"));
            }
            return;
        }
        let Some((first, ..)) = given.first().copied() else { return };
        for (key, text) in OF_EVERY_ORCHEO {
            let origin = Origin::Alias(first.to_owned());
            self.layer.set(&path(key), Given::Text(text.to_owned()), origin, self.findings);
        }
        let mut seen = Vec::new();
        for (name, key, text) in given {
            if seen.contains(&key) {
                self.findings.warn(name, "has no effect: ORCHEO_AUTH_JWKS is set");
                continue;
            }
            seen.push(key);
            let text = if key == "algorithms" { algorithms(text) } else { text.to_owned() };
            self.set(name, &path(key), text);
        }
    }

    /// `ORCHEO_AUTH_SERVICE_TOKEN_BACKEND=postgres` and `ORCHEO_POSTGRES_DSN` together are `database.url`.
    fn read_database(&mut self, backend: Option<&str>, url: Option<&str>) {
        let postgres = matches!(backend.map(str::to_ascii_lowercase).as_deref(), Some("postgres" | "postgresql"));
        match (postgres, url) {
            (true, Some(url)) => self.set(POSTGRES, "database.url", url.to_owned()),
            (true, None) if self.native.of("database.url") == Origin::Default => {
                let reason = "says postgres, but ORCHEO_POSTGRES_DSN is not set";
                self.findings.refuse_at(BACKEND, Origin::Alias(BACKEND.to_owned()), reason);
            }
            (false, Some(_)) => self.findings.warn(POSTGRES, format!("has no effect, since {BACKEND} is not postgres")),
            (_, None) if backend.is_some() => {
                self.findings.warn(BACKEND, "has no effect: tokens are kept in database.url");
            }
            (_, None) => {}
        }
    }
}

fn is_known(name: &str) -> bool {
    UNDERSTOOD.iter().any(|(alias, _)| *alias == name)
        || LATER.contains(&name)
        || name == SENSITIVE_DEBUG
        || is_read_elsewhere(name)
}

fn is_read_elsewhere(name: &str) -> bool {
    [BACKEND, POSTGRES].contains(&name)
        || OF_THE_CLIENT.contains(&name)
        || OF_THE_ISSUER.iter().any(|(alias, _)| *alias == name)
}

/// Names of algorithms as tokens spell them, whatever their case.
fn algorithms(text: &str) -> String {
    let known = issuers::Algorithm::ALL.map(issuers::Algorithm::as_str);
    let spelled =
        |name: &str| known.into_iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name).to_owned();
    if text.trim_start().starts_with('[') {
        return text.to_owned();
    }
    text.split(',').map(|name| spelled(name.trim())).collect::<Vec<_>>().join(",")
}

/// Python's names of levels as ours.
fn level(text: &str) -> String {
    match text.trim().to_ascii_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        "notset" => "trace".to_owned(),
        other => other.to_owned(),
    }
}
