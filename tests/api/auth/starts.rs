//! What stops the start, what warns, and what `config check` says of it (authentication.md sections 1 and 2).

use josekit::jwk::alg::rsa::RsaKeyPair;
use serde_json::json;

use super::{
    mint::{Key, SECRET, set},
    setup::{check, run, start},
};

/// A secret that no message may show.
const HIDDEN: &str = "a-hidden-secret-of-many-bytes-0123456789-abcdef";

fn issuer(keys: &str) -> String {
    format!("[[auth.issuers]]\n{keys}\n")
}

/// Asserts that start and check refuse each config with exit code 2, naming the key and showing no secret.
async fn refused(cases: &[(&str, String, &[&str])]) {
    let mut wrong = Vec::new();
    for (what, config, names) in cases {
        let (started, checked) = tokio::join!(start(config, &[]), check(config, &[]));
        for ran in [started, checked] {
            if ran.code != 2 || !names.iter().all(|name| ran.stderr.contains(name)) || ran.said().contains(HIDDEN) {
                wrong.push(format!("{what}: {names:?} expected, not {} {}", ran.code, ran.said()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_issuer_that_cannot_judge_stops_the_start() {
    let jwt = "name = \"a\"\nkind = \"jwt\"\naudiences = [\"t\"]";
    let introspection = "name = \"o\"\nkind = \"introspection\"\naudiences = [\"t\"]\nintrospection_url = \"http://127.0.0.1:1/i\"\nclient_id = \"c\"";
    let keys = set(&[&Key::new("ES256", "k")]);
    refused(&[
        ("no keys at all", issuer(jwt), &["auth.issuers.a"]),
        ("a short secret", issuer(&format!("{jwt}\nsecret = \"too-short-for-it\"")), &["auth.issuers.a.secret", "32"]),
        (
            "a secret short for HS512",
            issuer(&format!("{jwt}\nalgorithms = [\"HS512\"]\nsecret = \"{HIDDEN}\"")),
            &["auth.issuers.a.secret", "64"],
        ),
        (
            "an unknown algorithm",
            issuer(&format!("{jwt}\nalgorithms = [\"none\"]\nsecret = \"{HIDDEN}\"")),
            &["auth.issuers.a.algorithms"],
        ),
        (
            "no algorithm",
            issuer(&format!("{jwt}\nalgorithms = []\nsecret = \"{HIDDEN}\"")),
            &["auth.issuers.a.algorithms"],
        ),
        ("a set that is none", issuer(&format!("{jwt}\njwks = '{{\"keys\": 7}}'")), &["auth.issuers.a.jwks"]),
        ("no kind", issuer("name = \"a\"\nsecret = \"x\""), &["auth.issuers.a.kind"]),
        ("another kind", issuer("name = \"a\"\nkind = \"saml\""), &["auth.issuers.a.kind", "saml"]),
        ("no name", issuer("kind = \"jwt\""), &["auth.issuers", "name"]),
        ("an unknown key", issuer(&format!("{jwt}\nsecret = \"{HIDDEN}\"\nsecrets = \"{HIDDEN}\"")), &["secrets"]),
        ("a name twice", issuer(&format!("{jwt}\njwks = '{keys}'")).repeat(2), &["auth.issuers", "a"]),
        (
            "a key of another kind",
            issuer(&format!("{jwt}\nsecret = \"{HIDDEN}\"\nprefix = \"p_\"")),
            &["auth.issuers.a.prefix"],
        ),
        (
            "plain http to elsewhere",
            issuer(&format!("{jwt}\njwks_url = \"http://keys.example/jwks\"")),
            &["auth.issuers.a.jwks_url", "http"],
        ),
        ("no URL", issuer(&format!("{jwt}\njwks_url = \"keys\"")), &["auth.issuers.a.jwks_url"]),
        (
            "issuers of nobody",
            issuer(&format!("{jwt}\nsecret = \"{HIDDEN}\"\nissuers = []")),
            &["auth.issuers.a.issuers", "must name somebody"],
        ),
        (
            "an audience of nobody",
            issuer(&format!("name = \"a\"\nkind = \"jwt\"\naudiences = []\nsecret = \"{HIDDEN}\"")),
            &["auth.issuers.a.audiences", "must name somebody"],
        ),
        (
            "an unknown scope",
            issuer(&format!("{jwt}\nsecret = \"{HIDDEN}\"\nmax_scopes = [\"workflows:fly\"]")),
            &["auth.issuers.a.max_scopes", "workflows:fly"],
        ),
        (
            "a bad default workspace",
            issuer(&format!("{jwt}\nsecret = \"{HIDDEN}\"\ndefault_workspaces = [\"no slug\"]")),
            &["auth.issuers.a.default_workspaces"],
        ),
        (
            "another provision",
            issuer(&format!("{jwt}\nsecret = \"{HIDDEN}\"\nprovision = \"maybe\"")),
            &["auth.issuers.a.provision"],
        ),
        (
            "oidc without audiences",
            issuer("name = \"a\"\nkind = \"oidc\"\nissuers = [\"https://id.example\"]"),
            &["auth.issuers.a.audiences"],
        ),
        (
            "oidc without an issuer",
            issuer("name = \"a\"\nkind = \"oidc\"\naudiences = [\"t\"]"),
            &["auth.issuers.a.issuers"],
        ),
        ("workos without its client", issuer("name = \"a\"\nkind = \"workos\""), &["auth.issuers.a.client_id"]),
        (
            "an empty prefix",
            issuer(&format!("{introspection}\nprefix = \"\"\nclient_secret = \"{HIDDEN}\"")),
            &["auth.issuers.o.prefix"],
        ),
        (
            "our own prefix",
            issuer(&format!("{introspection}\nprefix = \"tgs_\"\nclient_secret = \"{HIDDEN}\"")),
            &["auth.issuers.o.prefix", "tgs_"],
        ),
        ("no prefix", issuer(&format!("{introspection}\nclient_secret = \"{HIDDEN}\"")), &["auth.issuers.o.prefix"]),
        (
            "introspection without a secret",
            issuer(&format!("{introspection}\nprefix = \"o_\"")),
            &["auth.issuers.o.client_secret"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_only_the_making_of_an_issuer_shows_stops_the_start_and_the_check() {
    let jwt = "name = \"a\"\nkind = \"jwt\"\naudiences = [\"t\"]";
    let keys = set(&[&Key::new("ES256", "k")]);
    let small = RsaKeyPair::generate(1_024).unwrap().to_jwk_public_key().to_string();
    refused(&[
        (
            "keys that nobody can use",
            issuer(&format!("{jwt}\njwks = '[{small}]'")),
            &["auth.issuers.a", "no key that the issuer's algorithms can use"],
        ),
        (
            "keys for other algorithms",
            issuer(&format!("{jwt}\njwks = '{keys}'")),
            &["auth.issuers.a", "no key that the issuer's algorithms can use"],
        ),
        (
            "plain http to what only looks like this machine",
            issuer(&format!("{jwt}\njwks_url = \"http://keys.localhost/jwks\"")),
            &["auth.issuers.a.jwks_url", "https"],
        ),
        (
            "an API key that fits into no header",
            issuer(&format!("name = \"w\"\nkind = \"workos\"\nclient_id = \"client_1\"\napi_key = \"sk {HIDDEN}\"")),
            &["auth.issuers.w.api_key", "visible ASCII"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn two_issuers_of_one_secret_tokens_stop_the_start() {
    let one = |name: &str, more: &str| {
        issuer(&format!("name = \"{name}\"\nkind = \"jwt\"\naudiences = [\"t\"]\nsecret = \"{HIDDEN}\"\n{more}"))
    };
    let same = "issuers = [\"https://id.example\"]";
    refused(&[
        ("the same iss", one("first", same) + &one("second", same), &["first", "second"]),
        (
            "one of several",
            one("first", same) + &one("second", "issuers = [\"x\", \"https://id.example\"]"),
            &["first", "second"],
        ),
        ("none named by either", one("first", "") + &one("second", ""), &["first", "second"]),
    ])
    .await;
    let fine = one("first", same) + &one("second", "issuers = [\"https://other.example\"]") + &one("third", "");
    check(&fine, &[]).await.ok();
}

#[tokio::test]
async fn a_bootstrap_token_that_something_else_would_judge_stops_the_start() {
    let opaque = issuer(
        "name = \"o\"\nkind = \"introspection\"\nprefix = \"black-\"\naudiences = [\"t\"]\nintrospection_url = \"http://127.0.0.1:1/i\"\nclient_id = \"c\"\nclient_secret = \"x\"",
    );
    let jwt = issuer(&format!("name = \"a\"\nkind = \"jwt\"\naudiences = [\"t\"]\nsecret = \"{SECRET}\""));
    for (what, config, token) in [
        ("too short", "", "fifteen-chars-x"),
        ("a service token's", "", "tgs_000000000000000000000000000000000000000000000000000"),
        ("an introspected one's", opaque.as_str(), "black-0123456789-0123456789-0123456789"),
        ("a JWT's", jwt.as_str(), "abcdefghijklmnop.abcdefghijklmnop.abcdefghijklmnop"),
        ("blanks", "", "a token of several words that is long"),
    ] {
        for arguments in [&["serve", "--bind", "127.0.0.1:0"][..], &["config", "check"]] {
            let file = super::setup::file(config);
            let ran = run(
                arguments,
                &[
                    ("TIDEGATE_CONFIG", file.path().to_str().unwrap()),
                    ("TIDEGATE_DATABASE__URL", "memory:"),
                    ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", token),
                ],
            )
            .await;
            assert_eq!(ran.code, 2, "{what}: {}", ran.said());
            assert!(ran.stderr.to_lowercase().contains("bootstrap_service_token"), "{what}: {}", ran.stderr);
            assert!(!ran.said().contains(token), "{what}: {}", ran.said());
        }
    }
}

#[tokio::test]
async fn values_that_cannot_stand_stop_the_start() {
    refused(&[
        ("a leeway over a minute", "[auth]\nleeway_seconds = 61".to_owned(), &["auth.leeway_seconds", "60"]),
        ("a leeway below zero", "[auth]\nleeway_seconds = -1".to_owned(), &["auth.leeway_seconds"]),
        ("a bad end of the bootstrap token", format!("[auth]\nbootstrap_service_token = \"{HIDDEN}\"\nbootstrap_token_expires_at = \"tomorrow\""), &["auth.bootstrap_token_expires_at"]),
        ("an unknown bootstrap scope", format!("[auth]\nbootstrap_service_token = \"{HIDDEN}\"\nbootstrap_token_scopes = [\"all\"]"), &["auth.bootstrap_token_scopes", "all"]),
        ("an unknown anonymous scope", "[auth]\nanonymous_scopes = [\"all\"]".to_owned(), &["auth.anonymous_scopes"]),
        ("redis without its URL", "[auth.rate_limit]\nkind = \"redis\"".to_owned(), &["auth.rate_limit"]),
        ("another kind of limits", "[auth.rate_limit]\nkind = \"disk\"".to_owned(), &["auth.rate_limit.kind"]),
        ("a URL of no Redis", "[auth.rate_limit]\nkind = \"redis\"\nredis_url = \"http://localhost:6379\"".to_owned(), &["auth.rate_limit.redis_url", "URL of a Redis"]),
        ("a password in no URL", format!("[auth.rate_limit]\nredis_url = \"redis://u:{HIDDEN}@h:port\""), &["auth.rate_limit.redis_url"]),
        ("a limit that holds nobody", "[auth.rate_limit]\nip = 4000000000".to_owned(), &["auth.rate_limit.ip", "1000000"]),
        ("a limit below zero", "[auth.rate_limit]\nidentity = -1".to_owned(), &["auth.rate_limit.identity", "0 (not limited)"]),
        ("an interval of nothing", "[auth.rate_limit]\ninterval_seconds = 0".to_owned(), &["auth.rate_limit.interval_seconds"]),
        ("an interval of years", "[auth.rate_limit]\ninterval_seconds = 1e15".to_owned(), &["auth.rate_limit.interval_seconds", "a day"]),
        ("a proxy that is no network", "[server]\ntrusted_proxies = [\"proxy\"]".to_owned(), &["server.trusted_proxies"]),
        ("a short session key", "[sessions]\nkey = \"short-key\"".to_owned(), &["sessions.key"]),
        ("an algorithm of no session", format!("[sessions]\nalgorithm = \"none\"\nkey = \"{HIDDEN}\""), &["sessions.algorithm"]),
        ("no PEM", format!("[sessions]\nalgorithm = \"RS256\"\nkey = \"{HIDDEN}\""), &["sessions.key"]),
        ("a session key that an issuer has", format!("[sessions]\nkey = \"{HIDDEN}\"\n[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\naudiences = [\"t\"]\nsecret = \"{HIDDEN}\""), &["sessions.key"]),
        ("a session issuer that an issuer has", format!("[sessions]\nissuer = \"https://id.example\"\nkey = \"{HIDDEN}\"\n[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\nissuers = [\"https://id.example\"]\naudiences = [\"t\"]\nsecret = \"{SECRET}\""), &["sessions.issuer"]),
        ("a short audit key", "[audit]\nkey = \"short\"".to_owned(), &["audit.key"]),
        ("an unknown key", "[auth]\nmod = \"required\"".to_owned(), &["auth.mod", "auth.mode"]),
    ])
    .await;
}

#[tokio::test]
async fn what_is_dangerous_is_named_but_starts() {
    let jwt = issuer(&format!("name = \"a\"\nkind = \"jwt\"\nsecret = \"{SECRET}\""));
    let anybody = issuer("name = \"b\"\nkind = \"oidc\"\nissuers = [\"https://id.example\"]\naudiences = [\"*\"]");
    for (what, config, variables, name) in [
        (
            "a short bootstrap token",
            String::new(),
            vec![("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", "twenty-characters-xx")],
            "bootstrap_service_token",
        ),
        ("a JWT issuer without audience", jwt, vec![], "audiences"),
        ("disabled", "[auth]\nmode = \"disabled\"".to_owned(), vec![], "auth.mode"),
        ("an unknown old name", String::new(), vec![("ORCHEO_FROBNICATE", "1")], "ORCHEO_FROBNICATE"),
        (
            "proxies that are everybody",
            "[server]\ntrusted_proxies = [\"::/0\"]".to_owned(),
            vec![],
            "server.trusted_proxies",
        ),
    ] {
        let ran = check(&config, &variables).await.ok();
        assert!(ran.said().contains(name) && ran.said().to_lowercase().contains("warn"), "{what}: {}", ran.said());
        let json = {
            let file = super::setup::file(&config);
            let mut all = vec![("TIDEGATE_CONFIG", file.path().to_str().unwrap())];
            all.extend(&variables);
            run(&["config", "check", "--json"], &all).await.ok().json()
        };
        assert!(json.to_string().contains(name), "{what}: {json}");
        assert_ne!(json["config"], json!(null));
    }
    check(&anybody, &[]).await.ok();
}
