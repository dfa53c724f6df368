//! `[[auth.issuers]]`: what each kind takes, what it refuses, and how single keys are set by name.

use std::fs;

use jiff::SignedDuration;
use tempfile::TempDir;
use tidegate::{
    config::{Algorithm, Audience, IssuerConfig, IssuerKind, JwtConfig},
    domain::{
        issuer::Provision,
        scope::{Scope, all_scopes},
        workspace::{WorkspaceAccess, WorkspaceId},
    },
};

use super::{SECRET, assert_refused, load_environment, load_file, refusal};

const OIDC: &str = "[[auth.issuers]]\nname = \"corp\"\nkind = \"oidc\"\nissuers = [\"https://id.example/corp/\"]\naudiences = [\"tidegate\"]\n";

/// Loads one issuer of these keys.
#[track_caller]
fn issuer(keys: &str) -> IssuerConfig {
    let loaded = load_file(&format!("[[auth.issuers]]\n{keys}"), &[]).unwrap();
    let [issuer] = <[IssuerConfig; 1]>::try_from(loaded.config.auth.issuers).unwrap();
    issuer
}

#[track_caller]
fn assert_issuer_refused(keys: &str, parts: &[&str]) {
    assert_refused(load_file(&format!("[[auth.issuers]]\n{keys}"), &[]), parts);
}

fn jwt(config: &IssuerConfig) -> &JwtConfig {
    match &config.kind {
        IssuerKind::Jwt(jwt) => jwt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn workos_needs_nothing_but_the_application() {
    let config = issuer("name = \"workos\"\nkind = \"workos\"\nclient_id = \"client_01\"\n");
    let IssuerKind::Workos(workos) = &config.kind else { panic!("{config:?}") };
    assert_eq!(workos.jwks_url.as_str(), "https://api.workos.com/sso/jwks/client_01");
    assert_eq!(workos.algorithms, [Algorithm::Rs256]);
    assert_eq!(workos.keys.max_stale, SignedDuration::from_hours(24));
    assert_eq!(config.audiences, Audience::IfPresent(vec!["client_01".to_owned()]));
    assert!(config.issuers.contains(&"https://api.workos.com".to_owned()));
    assert!(config.issuers.contains(&"https://api.workos.com/user_management/client_01".to_owned()));
    assert_eq!(config.policy.provision, Provision::Workspace);
    assert_issuer_refused("name = \"workos\"\nkind = \"workos\"\n", &["auth.issuers.workos.client_id", "must be set"]);
}

#[test]
fn the_key_of_workos_goes_to_workos() {
    let load = |keys: &str| {
        load_file(
            &format!(
                "[[auth.issuers]]\nname = \"w\"\nkind = \"workos\"\nclient_id = \"client_01\"\napi_key = \"{SECRET}\"\n{keys}\n"
            ),
            &[],
        )
    };
    for keys in [
        "",
        "jwks_url = \"https://api.workos.com/other/keys\"",
        "jwks_url = \"http://localhost:4100/keys\"",
        "jwks_url = \"http://127.0.0.1:4100/keys\"",
    ] {
        assert_eq!(load(keys).unwrap().warnings, [], "{keys}");
    }
    // Where nobody would look for it, it does not go.
    for elsewhere in
        ["https://keys.example/jwks", "https://api.workos.com.example/jwks", "https://api.workos.com:8443/"]
    {
        assert_refused(
            load(&format!("jwks_url = \"{elsewhere}\"")),
            &["auth.issuers.w.api_key", "would go to", "name it in issuers"],
        );
    }
    let named = "issuers = [\"https://auth.example/\"]\njwks_url = \"https://auth.example/sso/jwks/client_01\"";
    let loaded = load(named).unwrap();
    assert!(loaded.warnings[0].to_string().contains("goes to https://auth.example,"), "{:?}", loaded.warnings);
    let plain = "issuers = [\"http://workos:4100\"]\njwks_url = \"http://workos:4100/keys\"\nallow_http = true";
    assert_refused(load(plain), &["auth.issuers.w.api_key", "plain http"]);
}

#[test]
fn oidc_finds_its_document_and_wants_an_audience() {
    let loaded = load_file(OIDC, &[]).unwrap();
    assert_eq!(loaded.warnings, []);
    let IssuerKind::Oidc(oidc) = &loaded.config.auth.issuers[0].kind else { panic!() };
    assert_eq!(oidc.discovery_url.as_str(), "https://id.example/corp/.well-known/openid-configuration");
    assert_eq!(loaded.config.auth.issuers[0].policy.provision, Provision::User);
    assert_refused(
        load_file(&OIDC.replace("audiences = [\"tidegate\"]\n", ""), &[]),
        &["auth.issuers.corp.audiences", "must be set", "[\"*\"]"],
    );
    let all = load_file(&OIDC.replace("tidegate", "*"), &[]).unwrap();
    assert_eq!(all.config.auth.issuers[0].audiences, Audience::NotJudged);
    assert_eq!(all.warnings, []);
    assert_refused(
        load_file(&OIDC.replace("issuers = [\"https://id.example/corp/\"]\n", ""), &[]),
        &["issuers", "must be set"],
    );
    assert_refused(
        load_file(&format!("{OIDC}algorithms = [\"HS256\"]\n"), &[]),
        &["algorithms", "belongs to kind jwt"],
    );
}

#[test]
fn the_algorithms_of_a_jwt_issuer_follow_from_what_is_set() {
    let keys = "jwks = '{\"keys\":[{\"kty\":\"RSA\",\"n\":\"x\",\"e\":\"AQAB\"}]}'\n";
    let base = "name = \"a\"\nkind = \"jwt\"\naudiences = [\"x\"]\n";
    let secret = format!("secret = \"{SECRET}\"\n");
    assert_eq!(jwt(&issuer(&format!("{base}{secret}"))).algorithms, [Algorithm::Hs256]);
    assert_eq!(jwt(&issuer(&format!("{base}{keys}"))).algorithms, [Algorithm::Rs256]);
    assert_eq!(jwt(&issuer(&format!("{base}{keys}{secret}"))).algorithms, [Algorithm::Hs256, Algorithm::Rs256]);
    assert_issuer_refused(base, &["auth.issuers.a.secret", "set secret, jwks or jwks_url"]);
    assert_issuer_refused(&format!("{base}{secret}algorithms = [\"RS256\"]\n"), &["none of them can be verified"]);
    assert_issuer_refused(&format!("{base}{secret}algorithms = [\"hs256\"]\n"), &["\"hs256\" is none of"]);
    assert_issuer_refused(&format!("{base}{secret}algorithms = [\"none\"]\n"), &["\"none\" is none of"]);
}

#[test]
fn a_secret_is_as_long_as_its_hash() {
    let load = |algorithm: &str, length: usize| {
        let secret = SECRET.repeat(2);
        let keys = format!(
            "name = \"a\"\nkind = \"jwt\"\naudiences = [\"x\"]\nalgorithms = [\"{algorithm}\"]\nsecret = \"{}\"\n",
            &secret[..length]
        );
        load_file(&format!("[[auth.issuers]]\n{keys}"), &[])
    };
    for (algorithm, least) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        assert!(load(algorithm, least).is_ok());
        assert_refused(load(algorithm, least - 1), &["auth.issuers.a.secret", &format!("at least {least} bytes")]);
    }
}

#[test]
fn a_jwt_issuer_without_an_audience_is_warned_of() {
    let text = format!("[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\nsecret = \"{SECRET}\"\n");
    let loaded = load_file(&text, &[]).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].key, "auth.issuers.a.audiences");
    assert_eq!(loaded.config.auth.issuers[0].audiences, Audience::NotJudged);
}

#[test]
fn keys_may_be_a_set_or_an_array_or_a_table_and_lose_their_private_half() {
    let base = "name = \"a\"\nkind = \"jwt\"\naudiences = [\"x\"]\n";
    for keys in [
        "jwks = '{\"keys\":[{\"kty\":\"RSA\",\"n\":\"x\",\"e\":\"AQAB\"}]}'\n",
        "jwks = '[{\"kty\":\"RSA\",\"n\":\"x\",\"e\":\"AQAB\"}]'\n",
        "jwks = { keys = [{ kty = \"RSA\", n = \"x\", e = \"AQAB\", d = \"private-half\" }] }\n",
        "jwks = '[{\"kty\":\"RSA\",\"n\":\"x\",\"e\":\"AQAB\"},{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]'\n",
    ] {
        let config = issuer(&format!("{base}{keys}"));
        let expected = serde_json::json!({"keys": [{"kty": "RSA", "n": "x", "e": "AQAB"}]});
        assert_eq!(jwt(&config).jwks, Some(expected), "{keys}");
    }
    for (keys, reason) in [
        ("jwks = '{}'\n", "must be a key set"),
        ("jwks = '[1]'\n", "must be a key set"),
        ("jwks = '[]'\n", "at least one key"),
        ("jwks = '{'\n", "not readable as JSON"),
        ("jwks = '[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]'\n", "holds no public key"),
    ] {
        assert_issuer_refused(&format!("{base}{keys}"), &["auth.issuers.a.jwks", reason]);
    }
}

#[test]
fn introspection_needs_a_prefix_that_is_nobody_elses() {
    let load = |prefix: &str| {
        let keys = format!(
            "name = \"o\"\nkind = \"introspection\"\nprefix = \"{prefix}\"\nintrospection_url = \"https://id.example/i\"\nclient_id = \"gate\"\nclient_secret = \"s\"\naudiences = [\"x\"]\n"
        );
        load_file(&format!("[[auth.issuers]]\n{keys}"), &[])
    };
    // Service tokens are recognised before: a part of what they begin with takes none of them.
    for prefix in ["opaque_", "t", "tgs", "my-tgs_", "TGS_"] {
        assert!(load(prefix).is_ok(), "{prefix}");
    }
    for prefix in ["", "tgs_", "tgs_more", "a b", "\u{e4}"] {
        assert_refused(load(prefix), &["auth.issuers.o.prefix"]);
    }
    assert_issuer_refused(
        "name = \"o\"\nkind = \"introspection\"\nprefix = \"o_\"\n",
        &["introspection_url", "client_id", "client_secret"],
    );
}

#[test]
fn what_belongs_to_another_kind_is_refused_by_name() {
    assert_refused(
        load_file(&format!("{OIDC}secret = \"{SECRET}\"\nprefix = \"o_\"\nclient_secret = \"{SECRET}\"\n"), &[]),
        &["auth.issuers.corp.secret", "belongs to kind jwt, and this issuer is oidc", "belongs to kind introspection"],
    );
    assert_refused(
        load_file(&format!("{OIDC}audience = \"x\"\n"), &[]),
        &["auth.issuers.corp.audience", "did you mean audiences?"],
    );
    assert_refused(load_file(&OIDC.replace("\"oidc\"", "\"odic\""), &[]), &["did you mean oidc?"]);
    assert_refused(load_file(&OIDC.replace("kind = \"oidc\"\n", ""), &[]), &["auth.issuers.corp.kind", "must be set"]);
    assert_refused(load_file(&OIDC.replace("\"corp\"", "\"Corp Inc\""), &[]), &["Corp Inc", "a-z"]);
    assert_refused(load_file("[[auth.issuers]]\nkind = \"oidc\"\n", &[]), &["every issuer needs a name"]);
    assert_refused(
        load_file(&OIDC.replace("[\"tidegate\"]", "\"tidegate\""), &[]),
        &["audiences", "must be a list of texts"],
    );
}

#[test]
fn plain_http_goes_to_loopback_or_as_somebody_says() {
    let load =
        |url: &str, more: &str| load_file(&format!("{}{more}", OIDC.replace("https://id.example/corp/", url)), &[]);
    for near in ["http://127.0.0.1:9/x", "http://localhost:9", "http://[::1]:9"] {
        assert!(load(near, "").is_ok(), "{near}");
    }
    assert_refused(load("http://id.example", ""), &["auth.issuers.corp.issuers", "must be https", "allow_http"]);
    let allowed = load("http://id.example", "allow_http = true\n").unwrap();
    assert!(allowed.warnings[0].message.contains("plain http"), "{:?}", allowed.warnings);
    assert_refused(load("http://id.localhost", ""), &["must be https"]);
    for bad in ["ftp://id.example", "id.example", "https://ada:pw@id.example"] {
        assert_refused(load(bad, ""), &["must be an http or https URL"]);
    }
}

#[test]
fn what_an_issuers_tokens_can_come_to_is_said_there() {
    let config = issuer(&format!(
        "{}{}",
        OIDC.strip_prefix("[[auth.issuers]]\n").unwrap(),
        r#"
provision = "none"
default_scopes = ["workflows:read"]
default_workspaces = ["Demo"]
role_scopes = { developer = ["workflows:*"], auditor = "admin:audit:read" }
max_scopes = ["*"]
allowed_workspaces = ["team-*"]
max_token_life = "1h"
claims = { roles = ["realm_access.roles"], workspaces = "tenant" }
"#
    ));
    let policy = &config.policy;
    assert_eq!(policy.provision, Provision::None);
    assert_eq!(policy.default_scopes, [Scope::WorkflowsRead].into());
    assert_eq!(policy.default_workspaces, WorkspaceAccess::Only([WorkspaceId::parse("demo").unwrap()].into()));
    assert_eq!(
        policy.role_scopes["developer"],
        [Scope::WorkflowsRead, Scope::WorkflowsWrite, Scope::WorkflowsExecute].into()
    );
    assert_eq!(policy.role_scopes["auditor"], [Scope::AdminAuditRead].into());
    assert_eq!(policy.max_scopes, all_scopes());
    assert!(policy.allowed_workspaces.allow(&WorkspaceId::parse("team-a").unwrap()));
    assert!(!policy.allowed_workspaces.allow(&WorkspaceId::parse("demo").unwrap()));
    assert_eq!(policy.claims.table()["workspaces"], ["tenant"]);
    assert_eq!(policy.max_token_life, SignedDuration::from_hours(1));
    for (keys, reason) in [
        ("provision = \"users\"\n", "did you mean user?"),
        ("max_scopes = [\"workflows:reed\"]\n", "unknown scope"),
        ("max_scopes = [\"flows:*\"]\n", "no scope begins"),
        ("role_scopes = { a = [\"x\"] }\n", "unknown scope"),
        ("role_scopes = [\"x\"]\n", "must be a table"),
        ("default_workspaces = [\"a b\"]\n", "a workspace's id"),
        ("claims = { role = \"x\" }\n", "is none of scopes, roles, workspaces"),
        ("max_token_life = 0\n", "must lie between"),
        ("jwks_timeout = 0\n", "at least 0.1 s"),
        ("jwks_timeout = 3600\n", "must lie between"),
    ] {
        assert_refused(load_file(&format!("{OIDC}{keys}"), &[]), &["auth.issuers.corp.", reason]);
    }
}

#[test]
fn single_keys_are_set_by_the_issuers_name() {
    let text = OIDC.replace("\"corp\"", "\"my-corp\"");
    let loaded = load_file(&text, &[("TIDEGATE_AUTH__ISSUERS__MY_CORP__AUDIENCES", "a,b")]).unwrap();
    assert_eq!(loaded.config.auth.issuers[0].audiences, Audience::OneOf(vec!["a".to_owned(), "b".to_owned()]));

    // An issuer may stand in the environment alone, in parts or as JSON, and a secret in a file.
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    let file = file.to_str().unwrap();
    for kind in [
        ("TIDEGATE_AUTH__ISSUERS__STATIC__KIND", "jwt"),
        ("TIDEGATE_AUTH__ISSUERS", r#"[{"name":"static","kind":"jwt"}]"#),
    ] {
        for secret in
            [("TIDEGATE_AUTH__ISSUERS__STATIC__SECRET", SECRET), ("TIDEGATE_AUTH__ISSUERS__STATIC__SECRET_FILE", file)]
        {
            let config = load_environment(&[kind, secret]).unwrap().config;
            assert_eq!(config.auth.issuers[0].secret().unwrap().expose(), SECRET);
        }
    }
    for (variables, parts) in [
        (vec![("TIDEGATE_AUTH__ISSUERS__NOBODY__SECRET", SECRET)], ["auth.issuers.nobody.kind", "must be set"]),
        (vec![("TIDEGATE_AUTH__ISSUERS__A__SECRT", SECRET)], ["auth.issuers.a.secrt", "did you mean secret?"]),
        (vec![("TIDEGATE_AUTH__ISSUERS__A", SECRET)], ["auth.issuers.a", "set by its name"]),
        (
            vec![("TIDEGATE_AUTH__ISSUERS__A__SECRET", SECRET), ("TIDEGATE_AUTH__ISSUERS__A__SECRET_FILE", file)],
            ["both", "keep one"],
        ),
        (vec![("TIDEGATE_AUTH__ISSUERS__A__KIND_FILE", file)], ["auth.issuers.a.kind", "only secrets"]),
    ] {
        assert_refused(load_environment(&variables), &parts);
    }
}

#[test]
fn where_each_value_of_an_issuer_came_from_is_told() {
    let text = OIDC.replace("\"corp\"", "\"my-corp\"");
    let loaded =
        load_file(&text, &[("TIDEGATE_AUTH__ISSUERS__MY_CORP__AUDIENCES", "a"), ("ORCHEO_AUTH_JWT_SECRET", SECRET)]);
    let loaded = loaded.unwrap();
    let origins = loaded.to_json()["origins"].clone();
    let origin = |key: &str| origins[format!("auth.issuers.{key}")].as_str().unwrap_or_default().to_owned();
    assert_eq!(origin("my-corp.audiences"), "$TIDEGATE_AUTH__ISSUERS__MY_CORP__AUDIENCES");
    for key in ["my-corp.name", "my-corp.kind", "my-corp.issuers"] {
        assert!(origin(key).ends_with("config.toml:1"), "{key}: {}", origin(key));
    }
    for key in ["my-corp.jwks_timeout", "my-corp.max_scopes", "orcheo.max_token_life"] {
        assert_eq!(origin(key), "default", "{key}");
    }
    for key in ["orcheo.name", "orcheo.kind", "orcheo.secret", "orcheo.max_scopes"] {
        assert_eq!(origin(key), "$ORCHEO_AUTH_JWT_SECRET (alias)", "{key}");
    }
    let report = loaded.report();
    let line = report.lines().find(|line| line.starts_with("audiences = [\"a\"]")).unwrap();
    assert!(line.ends_with("# $TIDEGATE_AUTH__ISSUERS__MY_CORP__AUDIENCES"), "{report}");
}

#[test]
fn secrets_of_issuers_come_through_unchanged_and_are_never_shown() {
    for secret in
        ["12345678901234567890123456789012", "\"quoted-quoted-quoted-quoted-quo\"", "a,b,[1,2],{c:1},a,b,[1,2],{c:1},"]
    {
        let loaded = load_environment(&[
            ("TIDEGATE_AUTH__ISSUERS__A__KIND", "jwt"),
            ("TIDEGATE_AUTH__ISSUERS__A__SECRET", secret),
        ])
        .unwrap();
        assert_eq!(loaded.config.auth.issuers[0].secret().unwrap().expose(), secret);
        let shown = format!("{loaded:?}{}{}", loaded.report(), loaded.to_json());
        assert!(!shown.contains(secret), "{shown}");
    }
    let short = "too-short-a-secret";
    let message = refusal(load_environment(&[
        ("TIDEGATE_AUTH__ISSUERS__A__KIND", "jwt"),
        ("TIDEGATE_AUTH__ISSUERS__A__SECRET", short),
    ]));
    assert!(message.contains("TIDEGATE_AUTH__ISSUERS__A__SECRET") && !message.contains(short), "{message}");
    let broken = format!("[{{\"name\":\"a\",\"kind\":\"jwt\",\"secret\":\"{SECRET}\"");
    assert_refused(load_environment(&[("TIDEGATE_AUTH__ISSUERS", &broken)]), &["not readable as JSON"]);
    assert_refused(
        load_environment(&[("TIDEGATE_AUTH__ISSUERS", &format!("{{\"secret\":\"{SECRET}\"}}"))]),
        &["must be a list of tables"],
    );
}

#[test]
fn what_is_shown_of_issuers_is_a_config_again() {
    let text =
        super::REFERENCE.lines().map(|line| line.strip_prefix('#').unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let loaded = load_file(&text, &[]).unwrap();
    let report = loaded.report();
    assert!(report.contains("\n[[auth.issuers]]\nname = \"workos\"  "), "{report}");
    let secrets = [
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("TIDEGATE_AUTH__ISSUERS__STATIC__SECRET", "change-me-change-me-change-me-32"),
        ("TIDEGATE_AUTH__ISSUERS__OPAQUE__CLIENT_SECRET", "change-me"),
        ("TIDEGATE_AUTH__ISSUERS__WORKOS__API_KEY", "sk_example"),
        ("TIDEGATE_AUTH__ISSUERS__WORKOS__WEBHOOK_SECRET", "whsec_example"),
        ("TIDEGATE_AUTH__RATE_LIMIT__REDIS_URL", "redis://127.0.0.1:6379"),
        ("TIDEGATE_SESSIONS__KEY", "abcdef0123456789abcdef0123456789"),
        ("TIDEGATE_AUDIT__KEY", "fedcba9876543210fedcba9876543210"),
    ];
    let mut again = load_file(&report, &secrets).unwrap().config;
    // One key of a static set has no name to be set by, and is not secret.
    assert_eq!(again.auth.issuers.len(), 4);
    again.auth.issuers.sort_by(|a, b| a.name().cmp(b.name()));
    let mut first = loaded.config;
    first.auth.issuers.sort_by(|a, b| a.name().cmp(b.name()));
    assert_eq!(again, first);
}

#[test]
fn what_cannot_stand_together_stops_the_start() {
    let by_secret = |name: &str, secret: &str, more: &str| {
        format!(
            "[[auth.issuers]]\nname = \"{name}\"\nkind = \"jwt\"\naudiences = [\"x\"]\nsecret = \"{secret}\"\n{more}"
        )
    };
    let other = SECRET.replace("secret", "public");
    let two = |a: &str, b: &str| load_file(&format!("{}{}", by_secret("a", SECRET, a), by_secret("b", &other, b)), &[]);
    assert_refused(two("", ""), &["auth.issuers.b.secret", "nobody could tell"]);
    assert_refused(two("issuers = [\"i\", \"j\"]\n", "issuers = [\"j\"]\n"), &["\"j\""]);
    assert!(two("issuers = [\"i\"]\n", "").is_ok());
    assert!(two("issuers = [\"i\"]\n", "issuers = [\"j\"]\n").is_ok());
    assert_refused(load_file(&format!("{OIDC}{OIDC}"), &[]), &["two issuers have the name corp"]);

    let session = |text: &str| format!("{}[sessions]\n{text}", by_secret("a", SECRET, "issuers = [\"tidegate\"]\n"));
    assert_refused(load_file(&session(""), &[]), &["sessions.issuer", "\"tidegate\""]);
    assert_refused(load_file(&session(&format!("issuer = \"own\"\nkey = \"{SECRET}\"\n")), &[]), &["sessions.key"]);
    assert!(load_file(&session(&format!("issuer = \"own\"\nkey = \"{other}\"\n")), &[]).is_ok());

    let bootstrap = ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", SECRET);
    assert_refused(load_file(&by_secret("a", SECRET, ""), &[bootstrap]), &["auth.bootstrap_service_token", "another"]);
    let opaque = "[[auth.issuers]]\nname = \"o\"\nkind = \"introspection\"\nprefix = \"a-secret\"\nintrospection_url = \"https://id.example/i\"\nclient_id = \"gate\"\nclient_secret = \"s\"\naudiences = [\"x\"]\n";
    assert_refused(load_file(opaque, &[bootstrap]), &["auth.bootstrap_service_token", "issuer o"]);
    assert_refused(
        load_file(&format!("{opaque}{}", opaque.replace("\"o\"", "\"p\"")), &[]),
        &["another issuer's tokens"],
    );
}

#[test]
fn an_issuer_is_a_credential() {
    let everywhere = ("TIDEGATE_SERVER__BIND", "0.0.0.0:8080");
    let optional = ("TIDEGATE_AUTH__MODE", "optional");
    assert!(load_file("", &[everywhere, optional]).unwrap().config.exposure(false).is_err());
    assert!(load_file(OIDC, &[everywhere, optional]).unwrap().config.exposure(false).is_ok());
}

#[test]
fn leeway_proxies_sessions_and_the_audits_key_are_judged() {
    let load = |name: &str, value: &str| load_environment(&[(name, value)]);
    assert_refused(load("TIDEGATE_AUTH__LEEWAY_SECONDS", "61"), &["at most 60"]);
    assert_eq!(load("TIDEGATE_AUTH__LEEWAY_SECONDS", "0").unwrap().config.auth.leeway, SignedDuration::ZERO);
    let nets = load("TIDEGATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1").unwrap().config.server.trusted_proxies;
    assert_eq!(nets.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "::1/128"]);
    assert_refused(load("TIDEGATE_SERVER__TRUSTED_PROXIES", "proxy"), &["addresses or nets"]);
    assert_refused(load("TIDEGATE_AUDIT__KEY", "short"), &["audit.key", "32 bytes"]);
    assert_refused(load("TIDEGATE_SESSIONS__KEY", "short"), &["sessions.key", "32 bytes"]);
    assert_refused(load("TIDEGATE_SESSIONS__ALGORITHM", "HS512"), &["HS256, RS256, ES256, EdDSA"]);
    assert_refused(load("TIDEGATE_SESSIONS__TTL_SECONDS", "0"), &["between a second and a day"]);
    let rsa = [("TIDEGATE_SESSIONS__ALGORITHM", "RS256"), ("TIDEGATE_SESSIONS__KEY", SECRET)];
    assert_refused(load_environment(&rsa), &["private key in PEM"]);
}
