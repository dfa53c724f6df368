//! What cannot stand together (authentication.md sections 1, 2 and 8).

use std::collections::BTreeSet;

use super::{
    super::{Config, problem::Findings, secret::Secret},
    IssuerConfig, IssuerKind, JwtConfig, LIST,
};
use crate::domain::workspace::WorkspaceAccess;

const BOOTSTRAP: &str = "auth.bootstrap_service_token";

/// Judges the issuers with each other, with the bootstrap token and with the sessions.
pub(in crate::config) fn judge_together(config: &Config, findings: &mut Findings) {
    let issuers = &config.auth.issuers;
    names(issuers, findings);
    prefixes(issuers, findings);
    for (at, one) in issuers.iter().enumerate() {
        for other in issuers.iter().skip(at + 1) {
            by_secret(one, other, findings);
        }
        sessions(config, one, findings);
        everywhere(one, findings);
    }
    if let Some(token) = &config.auth.bootstrap_service_token {
        bootstrap(issuers, token.expose(), findings);
    }
}

fn place(issuer: &IssuerConfig, key: &str) -> String {
    format!("{LIST}.{}.{key}", issuer.name())
}

fn names(issuers: &[IssuerConfig], findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for issuer in issuers {
        if !seen.insert(issuer.name()) {
            findings.refuse(LIST, format!("two issuers have the name {}: people are known by it", issuer.name()));
        }
    }
}

fn prefixes(issuers: &[IssuerConfig], findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for issuer in issuers {
        let IssuerKind::Introspection(kind) = &issuer.kind else { continue };
        if !seen.insert(&kind.prefix) {
            findings.refuse(place(issuer, "prefix"), "another issuer's tokens begin so, too");
        }
        // The JSON of a header begins with {", in Base64 eyJ.
        if kind.prefix.starts_with("eyJ") || "eyJ".starts_with(&kind.prefix) {
            let message = "JWTs begin so: this issuer judges those of the others, too, and the gate's own sessions";
            findings.warn(place(issuer, "prefix"), message);
        }
    }
}

/// Among issuers that could both own a token the one whose keys hold the `kid` judges it; secrets have none.
fn by_secret(one: &IssuerConfig, other: &IssuerConfig, findings: &mut Findings) {
    if one.secret().is_none() || other.secret().is_none() {
        return;
    }
    let shared = one.issuers.iter().find(|iss| other.issuers.contains(iss));
    let why = match shared {
        Some(iss) => format!("the issuer {} takes tokens of {iss:?} by a secret, too", one.name()),
        None if one.issuers.is_empty() && other.issuers.is_empty() => {
            format!("the issuer {} takes tokens by a secret, too, and neither says whose: set issuers", one.name())
        }
        None => return,
    };
    findings.refuse(place(other, "secret"), format!("nobody could tell who judges a token: {why}"));
}

/// Whose tokens name no workspace is in all of them.
fn everywhere(issuer: &IssuerConfig, findings: &mut Findings) {
    let policy = &issuer.policy;
    if policy.default_workspaces != WorkspaceAccess::All {
        return;
    }
    let rights = if policy.requires_scopes || !policy.default_scopes.is_empty() {
        "has the scopes of its token there"
    } else {
        "may do everything there that max_scopes allows, also by a token without scopes; set requires_scopes = true"
    };
    let message = format!(
        "\"*\" lets everybody whom this issuer knows, and who never was a member of any, into all workspaces: such a person {rights}"
    );
    findings.warn(place(issuer, "default_workspaces"), message);
}

fn sessions(config: &Config, issuer: &IssuerConfig, findings: &mut Findings) {
    let own = &config.sessions;
    if issuer.issuers.contains(&own.issuer) {
        findings.refuse("sessions.issuer", format!("{:?} is what the issuer {} has", own.issuer, issuer.name()));
    }
    let theirs = || match &issuer.kind {
        IssuerKind::Jwt(JwtConfig { jwks: Some(jwks), .. }) => own.session_key().is_some_and(|key| key.is_among(jwks)),
        _ => false,
    };
    if (own.key.is_some() && own.key.as_ref() == issuer.secret()) || theirs() {
        findings
            .refuse("sessions.key", format!("is a key of the issuer {}: who has it could be anybody", issuer.name()));
    }
}

fn bootstrap(issuers: &[IssuerConfig], token: &str, findings: &mut Findings) {
    for issuer in issuers {
        if let IssuerKind::Introspection(kind) = &issuer.kind
            && token.starts_with(&kind.prefix)
        {
            findings.refuse(BOOTSTRAP, format!("must not begin like the tokens of the issuer {}", issuer.name()));
        }
        if issuer.secret().map(Secret::expose) == Some(token) {
            findings.refuse(BOOTSTRAP, format!("is the secret of the issuer {}: take another", issuer.name()));
        }
    }
}
