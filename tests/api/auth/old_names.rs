//! The names that existing deployments set (authentication.md section 10): a gate starts with each of them.

use serde_json::json;

use super::{
    mint::{Key, claims, secret, set},
    setup::{gate_with, log, refusal, run, start, whoami},
};
use crate::{
    api::gate::{Gate, ROOT, until},
    support::{
        postgres::TestDatabase,
        scripted::{Reply, Scripted},
    },
};

const SECRET: &str = super::mint::SECRET;

fn gate(variables: &[(&str, &str)]) -> Gate {
    gate_with("", variables)
}

#[tokio::test]
async fn the_old_names_of_a_secret_make_an_issuer() {
    let gate = gate(&[("ORCHEO_AUTH_JWT_SECRET", SECRET)]);
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    let me = whoami(&gate.caller(secret(&claims("anybody", "ada", &json!({"aud": null}))))).await;
    assert_eq!((&me["issuer"], &me["all_workspaces"]), (&json!("orcheo"), &json!(true)), "{}", me.text);
    let admin = json!({"scope": "admin:tokens:write workflows:read"});
    let me = whoami(&gate.caller(secret(&claims("anybody", "root", &admin)))).await;
    assert!(me["scopes"].as_array().unwrap().contains(&json!("admin:tokens:write")), "all scopes: {}", me.text);
}

#[tokio::test]
async fn all_old_names_of_an_issuer_hold_together() {
    let (key, other) = (Key::new("RS256", "k"), Key::new("ES256", "e"));
    let keys = set(&[&key, &other]).to_string();
    let gate = gate(&[
        ("ORCHEO_AUTH_MODE", "required"),
        ("ORCHEO_AUTH_JWT_SECRET", SECRET),
        ("ORCHEO_AUTH_JWKS", &keys),
        ("ORCHEO_AUTH_JWKS_CACHE_TTL", "1.5"),
        ("ORCHEO_AUTH_JWKS_TIMEOUT", "2.5"),
        ("ORCHEO_AUTH_ALLOWED_ALGORITHMS", "HS256, RS256"),
        ("ORCHEO_AUTH_AUDIENCE", "api, tidegate"),
        ("ORCHEO_AUTH_ISSUER", "https://one.test,https://two.test"),
    ]);
    for token in [
        secret(&claims("https://one.test", "ada", &json!({}))),
        key.token(&claims("https://two.test", "ada", &json!({"aud": "api"}))),
    ] {
        assert_eq!(whoami(&gate.caller(token)).await["issuer"], "orcheo");
    }
    for (token, code) in [
        (secret(&claims("https://three.test", "ada", &json!({}))), "auth.invalid_issuer"),
        (secret(&claims("https://one.test", "ada", &json!({"aud": "x"}))), "auth.invalid_audience"),
        (other.token(&claims("https://one.test", "ada", &json!({}))), "auth.unsupported_algorithm"),
    ] {
        assert_eq!(refusal(&gate.caller(token)).await, (401, code.to_owned()));
    }
}

#[tokio::test]
async fn old_names_of_key_sets_take_a_set_or_a_list_and_a_url() {
    let (key, loser) = (Key::new("RS256", "k"), Key::new("RS256", "l"));
    let list = json!([key.jwk()]).to_string();
    let outdone = set(&[&loser]).to_string();
    let token = key.token(&claims("x", "ada", &json!({})));
    for variables in [
        vec![("ORCHEO_AUTH_JWKS_STATIC", list.as_str())],
        vec![("ORCHEO_AUTH_JWKS", list.as_str()), ("ORCHEO_AUTH_JWKS_STATIC", outdone.as_str())],
    ] {
        let gate = gate(&variables);
        whoami(&gate.caller(&token)).await;
        let unknown = loser.token(&claims("x", "ada", &json!({})));
        assert_eq!(refusal(&gate.caller(unknown)).await, (401, "auth.invalid_token".to_owned()));
    }
    let server = Scripted::start(Reply::json(&set(&[&key]))).await;
    let gate = gate(&[("ORCHEO_AUTH_JWKS_URL", &server.url("/jwks"))]);
    until("the keys", || async { (refusal(&gate.caller(&token)).await.0 == 200).then_some(()) }).await;
}

#[tokio::test]
async fn old_names_of_the_bootstrap_token_and_of_limits() {
    let gate = Gate::with(&[
        ("ORCHEO_AUTH_BOOTSTRAP_SERVICE_TOKEN", ROOT),
        ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_SCOPES", "workflows:read,admin:tokens:read"),
        ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_EXPIRES_AT", "4102444800"),
        ("ORCHEO_LOG_LEVEL", "DEBUG"),
        ("ORCHEO_AUTH_SERVICE_TOKEN_BACKEND", "sqlite"),
    ]);
    let me = whoami(&gate.root()).await;
    assert_eq!(me["scopes"], json!(["workflows:read", "admin:tokens:read"]));
    assert!(me.str("expires_at").starts_with("2100-01-01T00:00:00"), "{}", me.text);
    let ran = run(&["config", "check", "--json"], &[("ORCHEO_LOG_LEVEL", "DEBUG")]).await.ok().json();
    assert_eq!(ran["config"]["telemetry"]["log_level"], "debug");
    assert!(!log(&gate).contains(ROOT));
    let past = Gate::with(&[
        ("ORCHEO_AUTH_BOOTSTRAP_SERVICE_TOKEN", ROOT),
        ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_EXPIRES_AT", "2020-01-01T00:00:00Z"),
    ]);
    past.root().get("/api/whoami").await.problem(401, "auth.token_expired");
    for (name, value) in [
        ("ORCHEO_AUTH_RATE_LIMIT_IP", "0"),
        ("ORCHEO_AUTH_RATE_LIMIT_IDENTITY", "0"),
        ("ORCHEO_AUTH_RATE_LIMIT_INTERVAL", "30"),
        ("ORCHEO_AUTH_RATE_LIMIT_INTERVAL", "2.5"),
    ] {
        let ran = run(&["config", "check"], &[(name, value)]).await.ok();
        assert!(ran.said().contains(name), "{name}: {}", ran.said());
    }
}

#[tokio::test]
async fn old_names_of_the_database() {
    let database = TestDatabase::fresh().await;
    let url = database.url();
    // What TIDEGATE_ says wins, so this gate must not be told by it where its data is.
    let file = super::setup::file("");
    let dsn = url.as_str();
    let shared = [
        ("ORCHEO_POSTGRES_DSN", dsn),
        ("ORCHEO_AUTH_SERVICE_TOKEN_BACKEND", "postgres"),
        ("TIDEGATE_CONFIG", file.path().to_str().unwrap()),
    ];
    let ran = run(&["config", "check", "--json"], &shared).await.ok();
    assert!(
        ran.json()["origins"]["database.url"].as_str().unwrap_or_default().contains("ORCHEO_POSTGRES_DSN"),
        "{}",
        ran.stdout
    );
    let password = url::Url::parse(dsn).unwrap().password().map(ToOwned::to_owned);
    assert!(password.is_none_or(|password| !ran.said().contains(&password)), "{}", ran.said());
}

#[tokio::test]
async fn the_native_name_wins_and_others_are_told() {
    let gate = gate(&[
        ("ORCHEO_AUTH_MODE", "disabled"),
        ("TIDEGATE_AUTH__MODE", "required"),
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT),
        ("ORCHEO_AUTH_BOOTSTRAP_SERVICE_TOKEN", "another-bootstrap-token-0123456789"),
        ("ORCHEO_SOMETHING_ELSE", "1"),
    ]);
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    whoami(&gate.root()).await;
    assert_eq!(refusal(&gate.caller("another-bootstrap-token-0123456789")).await.0, 401);
    let ran = run(&["config", "check"], &[("ORCHEO_SOMETHING_ELSE", "1")]).await.ok();
    assert!(ran.said().contains("ORCHEO_SOMETHING_ELSE"), "{}", ran.said());
    for value in ["true", "1", "0"] {
        let ran = start("", &[("ORCHEO_LOG_SENSITIVE_DEBUG", value)]).await;
        assert_eq!(ran.code, 2, "{}", ran.said());
        let said = ["ORCHEO_LOG_SENSITIVE_DEBUG", "never logs tokens", "unset it"];
        assert!(said.iter().all(|part| ran.stderr.contains(part)), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn secrets_of_the_environment_come_through_unchanged() {
    for text in [
        "12345678901234567890123456789012",
        "\"quoted-quoted-quoted-quoted-quoted\"",
        "1e5-but-long-enough-to-be-a-secret-0",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
        "true-true-true-true-true-true-true-true",
        "with,commas,in,it,and,=,signs,{and},more",
    ] {
        let bootstrap = format!("{text}-b");
        let gate =
            gate_with("", &[("ORCHEO_AUTH_JWT_SECRET", text), ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", &bootstrap)]);
        let body = claims("x", "ada", &json!({})).to_string();
        let token = super::mint::signed(r#"{"alg":"HS256"}"#, &body, |body| super::mint::hmac(text.as_bytes(), body));
        assert_eq!(whoami(&gate.caller(token)).await["issuer"], "orcheo", "{text}");
        if !bootstrap.contains([',', '"', '{']) {
            whoami(&gate.caller(bootstrap)).await;
        }
    }
}

#[tokio::test]
async fn secrets_of_files_lose_one_newline_and_nothing_else() {
    for (written, meant) in [
        ("12345678901234567890123456789012\n", "12345678901234567890123456789012"),
        ("\"#=quoted=#, and with blanks at its end\"  \n", "\"#=quoted=#, and with blanks at its end\"  "),
        ("two-lines-of-a-secret-that-is-long\n\n", "two-lines-of-a-secret-that-is-long\n"),
        ("no-newline-at-the-end-of-this-secret", "no-newline-at-the-end-of-this-secret"),
    ] {
        let file = super::setup::file(written);
        let gate = gate_with(
            "[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\naudiences = [\"tidegate\"]\n",
            &[("TIDEGATE_AUTH__ISSUERS__A__SECRET_FILE", file.path().to_str().unwrap())],
        );
        let body = claims("x", "ada", &json!({})).to_string();
        let token = |secret: &str| {
            super::mint::signed(r#"{"alg":"HS256"}"#, &body, |text| super::mint::hmac(secret.as_bytes(), text))
        };
        assert_eq!(whoami(&gate.caller(token(meant))).await["issuer"], "a", "{written:?}");
        assert_eq!(refusal(&gate.caller(token(&format!("{meant}\n")))).await.0, 401, "{written:?}");
        assert!(!log(&gate).contains(meant), "{}", log(&gate));
    }
}

#[tokio::test]
async fn no_refusal_of_an_old_name_shows_its_value() {
    let hidden = "hidden-0123456789";
    let dsn = format!("postgres://ada:{hidden}@db:port/gate");
    let jwks = format!("{{\"keys\": [{{\"kty\": \"oct\", \"k\": \"{hidden}\"}}]");
    let bootstrap = format!("tgs_{hidden}");
    for variables in [
        vec![("ORCHEO_AUTH_JWT_SECRET", hidden)],
        vec![("ORCHEO_AUTH_JWKS", jwks.as_str())],
        vec![("ORCHEO_AUTH_BOOTSTRAP_SERVICE_TOKEN", bootstrap.as_str())],
        vec![("ORCHEO_AUTH_SERVICE_TOKEN_BACKEND", "postgres"), ("ORCHEO_POSTGRES_DSN", dsn.as_str())],
        vec![("CENTRIFUGO_API_KEY", hidden)],
        vec![("ORCHESCALA_IDENTITY_SIGNING_KEY", hidden)],
    ] {
        for arguments in [&["serve", "--bind", "127.0.0.1:0"][..], &["config", "check"], &["config", "check", "--json"]]
        {
            let ran = run(arguments, &variables).await;
            assert_eq!(ran.code, 2, "{variables:?}: {}", ran.said());
            let name = variables.last().unwrap().0;
            assert!(ran.stderr.contains(name) && !ran.said().contains(hidden), "{name}: {}", ran.said());
        }
    }
}
