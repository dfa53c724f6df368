//! The names of all keys, with what kind of value each takes.

use super::{audit, auth, database, engines, issuers, realtime, server, sessions, telemetry};

/// How the text of a key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As it is.
    Text,
    /// As it is, and never shown; may also be read from a file.
    Secret,
    /// As it is; may hold credentials, which are never shown; may also be read from a file.
    Url,
    /// Texts: in the environment split at commas, or a JSON array.
    Texts,
    /// `[[…]]`: in the environment a JSON array of objects.
    Tables,
    /// A table of lists of texts, one text standing for a list of it: in the environment a JSON object.
    TextsByName,
    /// JSON in a text, or a table; may also be read from a file.
    Json,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Flag,
    /// Seconds as a number, or text such as `30s`, `5m`, `30d`, `PT30S`.
    Duration,
    /// Bytes as a number, or text such as `4 MiB`.
    Size,
    /// ISO 8601, or seconds since 1970.
    Moment,
}

/// Whether the gate can do already what the key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has an effect.
    Built,
    /// Setting it stops the start, so that nobody believes in it.
    Later,
}

/// A key that may stand in `config.toml`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) standing: Standing,
}

/// A key that works.
pub(super) const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind, standing: Standing::Built }
}

/// A key whose capability comes later.
pub(super) const fn later(path: &'static str) -> Key {
    Key { path, kind: Kind::Text, standing: Standing::Later }
}

/// Whole sections of capabilities that come later.
const LATER_SECTIONS: &[&str] = &["login", "workers", "centrifugo", "engines.routes", "runtimes", "vault"];

fn all() -> impl Iterator<Item = &'static Key> {
    [
        server::KEYS,
        database::KEYS,
        auth::KEYS,
        auth::rate_limit::KEYS,
        sessions::KEYS,
        audit::KEYS,
        engines::KEYS,
        realtime::KEYS,
        telemetry::KEYS,
    ]
    .into_iter()
    .flatten()
}

/// The key of this name.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    all().find(|key| key.path == path)
}

/// What kind of value a path takes, be it a key or one issuer's.
pub(super) fn kind_of(path: &str) -> Option<Kind> {
    match path.strip_prefix(issuers::PREFIX) {
        Some(rest) => issuers::kind_of(rest),
        None => find(path).map(|known| known.kind),
    }
}

/// Whether this is a table that holds keys.
pub(super) fn is_section(path: &str) -> bool {
    all().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The section that comes later in which this path lies.
pub(super) fn later_section(path: &str) -> Option<&'static str> {
    LATER_SECTIONS
        .iter()
        .copied()
        .find(|section| path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// What is said of a capability that comes later.
pub(super) fn not_built_yet(name: &str) -> String {
    format!("{name} is not built yet: take it out, and look into CHANGELOG.md for when it comes")
}

/// Why a path that is no key cannot stand, with the nearest one that can.
pub(super) fn unknown(path: &str) -> String {
    let candidates = all().filter(|key| key.standing == Standing::Built).map(|key| key.path);
    match nearest(path, candidates) {
        Some(known) => format!("unknown key; did you mean {known}?"),
        None => "unknown key; config.toml lists those that there are".to_owned(),
    }
}

/// The candidate that a writer most likely meant: by the whole path, or by its last name where the section is wrong.
pub(super) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let given_last = last(given);
    candidates
        .map(|candidate| {
            let whole = strsim::normalized_damerau_levenshtein(given, candidate);
            let tail = strsim::normalized_damerau_levenshtein(&given_last, &last(candidate)) - 0.1;
            (whole.max(tail), candidate)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_by_path_or_by_its_end() {
        let candidates = || all().map(|key| key.path);
        assert_eq!(nearest("server.bnid", candidates()), Some("server.bind"));
        assert_eq!(nearest("bind", candidates()), Some("server.bind"));
        assert_eq!(nearest("database.bootstrap_service_token", candidates()), Some("auth.bootstrap_service_token"));
        assert_eq!(nearest("auth.something_else", candidates()), None);
    }

    #[test]
    fn no_key_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        assert!(all().all(|key| seen.insert(key.path)));
    }
}
