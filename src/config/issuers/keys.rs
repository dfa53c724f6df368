//! The keys of one issuer: which there are, what kind of value each takes, and which kinds of issuers have it.

use super::super::key::{Kind, nearest};

/// The kinds of issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Workos,
    Oidc,
    Jwt,
    Introspection,
}

impl Sort {
    pub(super) const ALL: [Self; 4] = [Self::Workos, Self::Oidc, Self::Jwt, Self::Introspection];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Workos => "workos",
            Self::Oidc => "oidc",
            Self::Jwt => "jwt",
            Self::Introspection => "introspection",
        }
    }
}

/// A key of an issuer.
#[derive(Debug)]
pub(super) struct IssuerKey {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) of: &'static [Sort],
}

const EVERY: &[Sort] = &Sort::ALL;
const SIGNED: &[Sort] = &[Sort::Workos, Sort::Oidc, Sort::Jwt];

const fn every(name: &'static str, kind: Kind) -> IssuerKey {
    IssuerKey { name, kind, of: EVERY }
}

const fn only(name: &'static str, kind: Kind, of: &'static [Sort]) -> IssuerKey {
    IssuerKey { name, kind, of }
}

/// All of them, in the order in which they are shown.
pub(super) const KEYS: &[IssuerKey] = &[
    every("name", Kind::Text),
    every("kind", Kind::Text),
    every("issuers", Kind::Texts),
    every("audiences", Kind::Texts),
    only("algorithms", Kind::Texts, SIGNED),
    only("discovery_url", Kind::Text, &[Sort::Oidc]),
    only("jwks_url", Kind::Text, &[Sort::Workos, Sort::Jwt]),
    only("jwks", Kind::Json, &[Sort::Jwt]),
    only("secret", Kind::Secret, &[Sort::Jwt]),
    only("prefix", Kind::Text, &[Sort::Introspection]),
    only("introspection_url", Kind::Text, &[Sort::Introspection]),
    only("client_id", Kind::Text, &[Sort::Workos, Sort::Introspection]),
    only("client_secret", Kind::Secret, &[Sort::Introspection]),
    only("api_key", Kind::Secret, &[Sort::Workos]),
    only("webhook_secret", Kind::Secret, &[Sort::Workos]),
    every("allow_http", Kind::Flag),
    only("jwks_cache_ttl", Kind::Duration, SIGNED),
    only("jwks_timeout", Kind::Duration, SIGNED),
    only("jwks_max_stale", Kind::Duration, SIGNED),
    every("max_token_life", Kind::Duration),
    every("provision", Kind::Text),
    every("default_scopes", Kind::Texts),
    every("default_workspaces", Kind::Texts),
    every("role_scopes", Kind::TextsByName),
    every("max_scopes", Kind::Texts),
    every("requires_scopes", Kind::Flag),
    every("allowed_workspaces", Kind::Texts),
    every("claims", Kind::TextsByName),
];

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static IssuerKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether a list of issuers in JSON sets a secret of one.
pub(in crate::config) fn names_secret(list: &str) -> bool {
    KEYS.iter().filter(|key| key.kind == Kind::Secret).any(|key| list.contains(&format!("\"{}\"", key.name)))
}

/// Why there is no such key.
pub(super) fn unknown(name: &str) -> String {
    match nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => {
            format!("unknown key; an issuer has {}", KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::REFERENCE;

    #[test]
    fn every_key_stands_in_the_shipped_file() {
        for key in KEYS {
            assert!(REFERENCE.contains(&format!("\n# {} = ", key.name)), "{}", key.name);
        }
    }
}
