//! Issuers as `config check` shows them: every key in force, secrets redacted.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{
    super::{
        auth::{scope_names, workspace_names},
        quantity::show_duration,
        secret::{REDACTED, Secret},
    },
    Algorithm, Audience, IssuerConfig, IssuerKind, KeyRules, policy,
};

pub(super) fn of(issuer: &IssuerConfig) -> Value {
    let mut shown = Map::new();
    let mut put = |key: &str, value: Value| {
        let nothing = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        if !nothing {
            shown.insert(key.to_owned(), value);
        }
    };
    put("name", json!(issuer.name().as_str()));
    put("kind", json!(issuer.kind.as_str()));
    // None: whatever they have.
    put("issuers", json!((!issuer.issuers.is_empty()).then_some(&issuer.issuers)));
    put("audiences", audiences(&issuer.audiences));
    for (key, value) in of_kind(&issuer.kind) {
        put(key, value);
    }
    put("allow_http", json!(issuer.allow_http));
    for (key, value) in of_policy(issuer) {
        put(key, value);
    }
    Value::Object(shown)
}

fn audiences(audiences: &Audience) -> Value {
    match audiences {
        Audience::NotJudged => json!(["*"]),
        Audience::OneOf(some) | Audience::IfPresent(some) => json!(some),
    }
}

fn of_kind(kind: &IssuerKind) -> Vec<(&'static str, Value)> {
    let (mut shown, keys) = match kind {
        IssuerKind::Workos(workos) => (
            vec![
                ("algorithms", algorithms(&workos.algorithms)),
                ("jwks_url", json!(workos.jwks_url.as_str())),
                ("client_id", json!(workos.client_id)),
                ("api_key", redacted(workos.api_key.as_ref())),
                ("webhook_secret", redacted(workos.webhook_secret.as_ref())),
            ],
            Some(&workos.keys),
        ),
        IssuerKind::Oidc(oidc) => (
            vec![("algorithms", algorithms(&oidc.algorithms)), ("discovery_url", json!(oidc.discovery_url.as_str()))],
            Some(&oidc.keys),
        ),
        IssuerKind::Jwt(jwt) => (
            vec![
                ("algorithms", algorithms(&jwt.algorithms)),
                ("jwks_url", json!(jwt.jwks_url.as_ref().map(url::Url::as_str))),
                // As text, so that what is shown can stand in the file again.
                ("jwks", json!(jwt.jwks.as_ref().map(Value::to_string))),
                ("secret", redacted(jwt.secret.as_ref())),
            ],
            Some(&jwt.keys),
        ),
        IssuerKind::Introspection(asked) => (
            vec![
                ("prefix", json!(asked.prefix)),
                ("introspection_url", json!(asked.introspection_url.as_str())),
                ("client_id", json!(asked.client_id)),
                ("client_secret", json!(REDACTED)),
            ],
            None,
        ),
    };
    shown.extend(keys.into_iter().flat_map(of_keys));
    shown
}

fn of_keys(keys: &KeyRules) -> [(&'static str, Value); 3] {
    [
        ("jwks_cache_ttl", json!(show_duration(keys.cache_ttl))),
        ("jwks_timeout", json!(SignedDuration::try_from(keys.timeout).map(show_duration).ok())),
        ("jwks_max_stale", json!(show_duration(keys.max_stale))),
    ]
}

fn of_policy(issuer: &IssuerConfig) -> [(&'static str, Value); 9] {
    let policy = &issuer.policy;
    let roles: Map<_, _> =
        policy.role_scopes.iter().map(|(role, scopes)| (role.clone(), scope_names(scopes))).collect();
    [
        ("max_token_life", json!(show_duration(policy.max_token_life))),
        ("provision", json!(policy::name_of(policy.provision))),
        ("default_scopes", scope_names(&policy.default_scopes)),
        ("default_workspaces", workspace_names(&policy.default_workspaces)),
        ("role_scopes", Value::Object(roles)),
        ("max_scopes", scope_names(&policy.max_scopes)),
        ("requires_scopes", json!(policy.requires_scopes)),
        ("allowed_workspaces", json!(policy.allowed_workspaces.globs())),
        ("claims", json!(policy.claims.table())),
    ]
}

fn algorithms(algorithms: &[Algorithm]) -> Value {
    algorithms.iter().map(|algorithm| algorithm.as_str()).collect()
}

fn redacted(secret: Option<&Secret>) -> Value {
    json!(secret.map(|_| REDACTED))
}
