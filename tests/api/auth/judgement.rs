//! Which issuer judges a JWT, what is refused, by which code and in which order (authentication.md section 1).

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::jwk::{KeyPair as _, alg::rsa::RsaKeyPair};
use serde_json::{Value, json};

use super::{
    mint::{Key, SECRET, claims, hmac, now, secret, secret_with, set, signed},
    setup::{gate, gate_with, log, refusal, whoami},
};
use crate::{
    api::gate::{Gate, Shared},
    support::scripted::{Reply, Scripted},
};

const BY_SECRET: &str = "https://secret.test";
const BY_KEYS: &str = "https://keys.test";
const BY_BOTH: &str = "https://both.test";
const BY_MANY: &str = "https://many.test";
const TWINS: &str = "https://twins.test";
const LONE: &str = "https://lone.test/";

struct Keys {
    first: Key,
    second: Key,
    one_twin: Key,
    other_twin: Key,
    curve: Key,
    edwards: Key,
    pss: Key,
    lone: Key,
    both: Key,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    first: Key::new("RS256", "first"),
    second: Key::new("RS256", "second"),
    one_twin: Key::new("RS256", "one"),
    other_twin: Key::new("RS256", "other"),
    curve: Key::new("ES256", "curve"),
    edwards: Key::new("EdDSA", "edwards"),
    pss: Key::new("PS256", "pss"),
    lone: Key::new("RS256", "lone"),
    both: Key::new("RS256", "both"),
});

fn config() -> String {
    let keys = &*KEYS;
    let small = RsaKeyPair::generate(1_024).unwrap();
    let mut small = Value::Object(small.to_jwk_public_key().as_ref().clone());
    small["kid"] = json!("small");
    let shared = json!({"kty": "oct", "kid": "shared", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    let mut encrypting = keys.both.jwk();
    encrypting["kid"] = json!("encrypting");
    encrypting["use"] = json!("enc");
    let mut odd = set(&[&keys.lone]);
    odd["keys"].as_array_mut().unwrap().extend([small, shared, encrypting, json!({"kty": "RSA", "kid": "hollow"})]);
    format!(
        r#"
        [[auth.issuers]]
        name = "secret"
        kind = "jwt"
        issuers = ["{BY_SECRET}", "{BY_SECRET}/second"]
        audiences = ["tidegate", "https://api.test"]
        secret = "{SECRET}"

        [[auth.issuers]]
        name = "keys"
        kind = "jwt"
        issuers = ["{BY_KEYS}"]
        audiences = ["tidegate"]
        jwks = '{}'

        [[auth.issuers]]
        name = "both"
        kind = "jwt"
        issuers = ["{BY_BOTH}"]
        secret = "{SECRET}"
        jwks = '{}'

        [[auth.issuers]]
        name = "many"
        kind = "jwt"
        issuers = ["{BY_MANY}"]
        audiences = ["tidegate"]
        algorithms = ["ES256", "EdDSA", "PS256"]
        jwks = '{}'

        [[auth.issuers]]
        name = "one"
        kind = "jwt"
        issuers = ["{TWINS}"]
        audiences = ["tidegate"]
        jwks = '{}'

        [[auth.issuers]]
        name = "other"
        kind = "jwt"
        issuers = ["{TWINS}"]
        audiences = ["tidegate"]
        jwks = '{}'

        [[auth.issuers]]
        name = "lone"
        kind = "jwt"
        issuers = ["{LONE}"]
        audiences = ["tidegate"]
        jwks = '{odd}'
        "#,
        set(&[&keys.first, &keys.second]),
        set(&[&keys.both]),
        set(&[&keys.curve, &keys.edwards, &keys.pss]),
        set(&[&keys.one_twin]),
        set(&[&keys.other_twin]),
    )
}

static SHARED: Shared = Shared::new();

fn judge() -> Gate {
    SHARED.gate(|| gate(&config()))
}

/// Asserts that each token is refused by its code.
async fn refuses(gate: &Gate, cases: &[(&str, String, &str)]) {
    let mut wrong = Vec::new();
    for (what, token, code) in cases {
        let refused = gate.caller(token).get("/api/whoami").await;
        if (refused.status, refused["code"].as_str()) != (401, Some(*code)) {
            wrong.push(format!("{what}: {code} expected, not {} {}", refused.status, refused.text));
            continue;
        }
        refused.complete_problem();
        assert!(
            refused.header("www-authenticate").contains("error=\"invalid_token\""),
            "{what}: {:?}",
            refused.headers
        );
        assert!(!refused.text.contains(token), "{what}: the token is shown");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Asserts that each token is taken.
async fn takes(gate: &Gate, cases: &[(&str, String)]) {
    let mut wrong = Vec::new();
    for (what, token) in cases {
        let taken = gate.caller(token).get("/api/whoami").await;
        if taken.status != 200 || taken["kind"] != "user" {
            wrong.push(format!("{what}: {} {}", taken.status, taken.text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn by_secret(more: &Value) -> String {
    secret(&claims(BY_SECRET, "ada", more))
}

fn by_keys(more: &Value) -> String {
    KEYS.first.token(&claims(BY_KEYS, "ada", more))
}

#[tokio::test]
async fn each_issuer_takes_the_tokens_of_its_own_keys() {
    let (gate, keys) = (judge(), &*KEYS);
    for (issuer, token) in [
        ("secret", by_secret(&json!({}))),
        ("secret", by_secret(&json!({"iss": format!("{BY_SECRET}/second")}))),
        ("keys", by_keys(&json!({}))),
        ("keys", keys.second.token(&claims(BY_KEYS, "ada", &json!({})))),
        ("both", secret(&claims(BY_BOTH, "ada", &json!({})))),
        ("both", keys.both.token(&claims(BY_BOTH, "ada", &json!({})))),
        ("many", keys.curve.token(&claims(BY_MANY, "ada", &json!({})))),
        ("many", keys.edwards.token(&claims(BY_MANY, "ada", &json!({})))),
        ("many", keys.pss.token(&claims(BY_MANY, "ada", &json!({})))),
        ("one", keys.one_twin.token(&claims(TWINS, "ada", &json!({})))),
        ("other", keys.other_twin.token(&claims(TWINS, "ada", &json!({})))),
        ("lone", keys.lone.token(&claims(LONE, "ada", &json!({})))),
    ] {
        let me = whoami(&gate.caller(token)).await;
        let told = (&me["authenticated"], &me["issuer"], &me["subject"], &me["kind"]);
        assert_eq!(told, (&json!(true), &json!(issuer), &json!("ada"), &json!("user")), "{}", me.text);
    }
}

#[tokio::test]
async fn an_issuer_is_found_by_the_exact_text_of_iss() {
    let gate = judge();
    for iss in [
        json!("https://nobody.test"),
        json!("https://secret.test/"),
        json!("https://SECRET.test"),
        json!(" https://secret.test"),
        json!("https://lone.test"),
        json!(""),
        Value::Null,
    ] {
        let token = by_secret(&json!({"iss": iss}));
        refuses(&gate, &[(&format!("iss {iss}"), token, "auth.invalid_issuer")]).await;
    }
    for iss in [json!(7), json!([BY_SECRET]), json!({"a": 1}), json!(true)] {
        assert_eq!(refusal(&gate.caller(by_secret(&json!({"iss": iss})))).await.0, 401, "{iss}");
    }
    // One issuer's key is no other's.
    let crossed = [
        ("keys' key", KEYS.first.token(&claims(BY_BOTH, "ada", &json!({}))), "auth.invalid_token"),
        ("a twin's key", KEYS.one_twin.token(&claims(BY_KEYS, "ada", &json!({}))), "auth.invalid_token"),
    ];
    refuses(&gate, &crossed).await;
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_does_not_list_is_named_first() {
    let (gate, keys) = (judge(), &*KEYS);
    let spoilt = json!({"aud": "another", "exp": 1});
    let with = |header: Value, issuer: &str| {
        signed(&header.to_string(), &claims(issuer, "ada", &spoilt).to_string(), |text| hmac(SECRET.as_bytes(), text))
    };
    let nothing = |alg: &str| {
        let header = json!({"alg": alg}).to_string();
        signed(&header, &claims(BY_SECRET, "ada", &json!({})).to_string(), |_| Vec::new())
    };
    let code = "auth.unsupported_algorithm";
    refuses(
        &gate,
        &[
            ("none", nothing("none"), code),
            ("None", nothing("None"), code),
            ("NONE", nothing("NONE"), code),
            ("hs256", with(json!({"alg": "hs256"}), BY_SECRET), code),
            ("HS512", with(json!({"alg": "HS512"}), BY_SECRET), code),
            ("HS256 of keys", with(json!({"alg": "HS256"}), BY_KEYS), code),
            ("RS256 of a secret", keys.first.token(&claims(BY_SECRET, "ada", &json!({}))), code),
            ("RS256 of others", keys.first.token(&claims(BY_MANY, "ada", &json!({}))), code),
            ("HS256 by an oct key", with(json!({"alg": "HS256", "kid": "shared"}), LONE), code),
            ("an unknown one", with(json!({"alg": "XS1"}), BY_SECRET), code),
        ],
    )
    .await;
    for alg in [json!(null), json!(256), json!(["HS256"])] {
        assert_eq!(refusal(&gate.caller(with(json!({"alg": alg}), BY_SECRET))).await.0, 401, "{alg}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said() {
    let gate = judge();
    let now = now();
    let mut cut = by_secret(&json!({}));
    cut.truncate(cut.len() - 4);
    let invalid = "auth.invalid_token";
    refuses(
        &gate,
        &[
            ("a cut signature", cut, invalid),
            ("no signature", by_secret(&json!({})).rsplit_once('.').unwrap().0.to_owned() + ".", invalid),
            (
                "another secret",
                signed(r#"{"alg":"HS256"}"#, &claims(BY_SECRET, "ada", &json!({})).to_string(), |text| {
                    hmac(&[b'x'; 40], text)
                }),
                invalid,
            ),
            ("no aud", by_secret(&json!({"aud": null})), "auth.invalid_audience"),
            ("another aud", by_secret(&json!({"aud": "another"})), "auth.invalid_audience"),
            ("aud by case", by_secret(&json!({"aud": "Tidegate"})), "auth.invalid_audience"),
            ("other auds", by_secret(&json!({"aud": ["another", "tidegate2"]})), "auth.invalid_audience"),
            ("no auds", by_secret(&json!({"aud": []})), "auth.invalid_audience"),
            ("expired", by_secret(&json!({"exp": now - 40})), "auth.token_expired"),
            ("long expired", by_secret(&json!({"exp": 0, "iat": 0})), "auth.token_expired"),
            ("no exp", by_secret(&json!({"exp": null})), invalid),
            ("exp as text", by_secret(&json!({"exp": (now + 300).to_string()})), invalid),
            ("exp below zero", by_secret(&json!({"exp": -1})), invalid),
            ("exp true", by_secret(&json!({"exp": true})), invalid),
            ("exp in a list", by_secret(&json!({"exp": [now + 300]})), invalid),
            ("exp beyond the year 9999", by_secret(&json!({"exp": 253_402_300_800_i64})), invalid),
            ("nbf ahead", by_secret(&json!({"nbf": now + 40})), invalid),
            ("nbf as text", by_secret(&json!({"nbf": "1"})), invalid),
            ("nbf below zero", by_secret(&json!({"nbf": -1})), invalid),
            ("iat ahead", by_secret(&json!({"iat": now + 40})), invalid),
            ("iat as text", by_secret(&json!({"iat": "1"})), invalid),
            ("no sub", by_secret(&json!({"sub": null})), invalid),
            ("an empty sub", by_secret(&json!({"sub": ""})), invalid),
            ("sub as a number", by_secret(&json!({"sub": 7})), invalid),
            ("a longer life than revocations are kept", by_secret(&json!({"exp": now + 25 * 3600})), invalid),
        ],
    )
    .await;
    // JSON's numbers go further than a time does.
    for exp in ["1e400", "1e300", "NaN", "9999999999999999999999999"] {
        let text = claims(BY_SECRET, "ada", &json!({"exp": 77_777})).to_string().replace("77777", exp);
        let token = signed(r#"{"alg":"HS256"}"#, &text, |text| hmac(SECRET.as_bytes(), text));
        refuses(&gate, &[(exp, token, invalid)]).await;
    }
}

#[tokio::test]
async fn what_the_rules_allow_is_taken() {
    let gate = judge();
    let now = now();
    let fraction = claims(BY_SECRET, "ada", &json!({"exp": 77_777})).to_string();
    let fraction = fraction.replace("77777", &format!("{}.75", now + 100));
    let header = |header: Value| secret_with(&header, &claims(BY_SECRET, "ada", &json!({})));
    takes(
        &gate,
        &[
            ("aud in a list", by_secret(&json!({"aud": ["x", "https://api.test"]}))),
            ("no iat", by_secret(&json!({"iat": null}))),
            ("exp within the leeway", by_secret(&json!({"exp": now - 20}))),
            ("nbf within the leeway", by_secret(&json!({"nbf": now + 20}))),
            ("iat within the leeway", by_secret(&json!({"iat": now + 20}))),
            ("a fraction", signed(r#"{"alg":"HS256"}"#, &fraction, |text| hmac(SECRET.as_bytes(), text))),
            ("a long life", by_secret(&json!({"exp": now + 23 * 3600}))),
            ("no typ", header(json!({"alg": "HS256"}))),
            ("typ at+jwt", header(json!({"alg": "HS256", "typ": "at+jwt"}))),
            ("typ in capitals", header(json!({"alg": "HS256", "typ": "AT+JWT"}))),
            ("typ with application/", header(json!({"alg": "HS256", "typ": "application/at+jwt"}))),
            ("typ Application/JWT", header(json!({"alg": "HS256", "typ": "Application/Jwt"}))),
            ("an unknown kid of a secret", header(json!({"alg": "HS256", "kid": "any"}))),
            ("no audience configured, none there", secret(&claims(BY_BOTH, "ada", &json!({"aud": null})))),
            ("no audience configured, any there", secret(&claims(BY_BOTH, "ada", &json!({"aud": "another"})))),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_header_is_read_strictly() {
    let gate = judge();
    let good = claims(BY_SECRET, "ada", &json!({})).to_string();
    let text = |header: &str| signed(header, &good, |text| hmac(SECRET.as_bytes(), text));
    let invalid = "auth.invalid_token";
    refuses(
        &gate,
        &[
            ("an unknown crit", text(r#"{"alg":"HS256","crit":["x"],"x":1}"#), invalid),
            ("an empty crit", text(r#"{"alg":"HS256","crit":[]}"#), invalid),
            ("b64", text(r#"{"alg":"HS256","crit":["b64"],"b64":true}"#), invalid),
            ("another typ", text(r#"{"alg":"HS256","typ":"dpop+jwt"}"#), invalid),
            ("an ID token's typ", text(r#"{"alg":"HS256","typ":"ID"}"#), invalid),
            ("a logout token", text(r#"{"alg":"HS256","typ":"logout+jwt"}"#), invalid),
            ("alg twice", text(r#"{"alg":"HS256","alg":"HS256"}"#), invalid),
            ("no object", text(r#"["HS256"]"#), invalid),
            ("no JSON", text("HS256"), invalid),
            ("two values", text(r#"{"alg":"HS256"}{}"#), invalid),
            ("nested", text(r#"{"alg":"HS256","cty":"JWT"}"#), invalid),
        ],
    )
    .await;
    let twice = good.replacen('{', r#"{"sub":"eve","#, 1);
    let claims_of = |claims: &str| signed(r#"{"alg":"HS256"}"#, claims, |text| hmac(SECRET.as_bytes(), text));
    refuses(
        &gate,
        &[
            ("sub twice", claims_of(&twice), invalid),
            ("two values", claims_of(&(good.clone() + "{}")), invalid),
            ("five parts", format!("{}.a.b", claims_of(&good)), invalid),
            ("padding", claims_of(&good) + "=", invalid),
            ("a last dot", claims_of(&good) + ".", invalid),
            ("two parts", claims_of(&good).rsplit_once('.').unwrap().0.to_owned(), invalid),
        ],
    )
    .await;
    // 32 bytes are 43 characters, and of the last only four bits count: another last one says the same, not canonically.
    let token = claims_of(&good);
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    let other = format!("{rest}{}", &alphabet[place + 1..place + 2]);
    takes(&gate, &[("the canonical one", token)]).await;
    refuses(&gate, &[("not canonical", other, invalid)]).await;
}

#[tokio::test]
async fn refusals_come_in_the_order_of_the_contract() {
    let gate = judge();
    let now = now();
    let forged = |more: &Value| {
        let mut token = by_secret(more);
        token.truncate(token.len() - 43);
        token + &"A".repeat(43)
    };
    let bad_kid =
        KEYS.first.token_with(&json!({"kid": "gone"}), &claims(BY_KEYS, "ada", &json!({"aud": "x", "exp": 1})));
    refuses(
        &gate,
        &[
            ("key before aud and exp", bad_kid, "auth.invalid_token"),
            ("signature before aud and exp", forged(&json!({"aud": "x", "exp": 1})), "auth.invalid_token"),
            ("aud before exp", by_secret(&json!({"aud": "x", "exp": 1})), "auth.invalid_audience"),
            ("aud before a missing sub", by_secret(&json!({"aud": "x", "sub": null})), "auth.invalid_audience"),
            ("exp before nbf", by_secret(&json!({"exp": now - 100, "nbf": now + 100})), "auth.token_expired"),
            ("exp before sub", by_secret(&json!({"exp": now - 100, "sub": ""})), "auth.token_expired"),
            (
                "alg before iss",
                signed(r#"{"alg":"none"}"#, &claims(BY_KEYS, "ada", &json!({"aud": "x"})).to_string(), |_| Vec::new()),
                "auth.unsupported_algorithm",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_a_header_says_of_keys_is_not_believed() {
    let gate = judge();
    let elsewhere = Scripted::start(Reply::json(&json!({"keys": []}))).await;
    let thief = Key::new("RS256", "first");
    elsewhere.reply(Reply::json(&set(&[&thief])));
    let good = claims(BY_KEYS, "ada", &json!({}));
    let jwk = json!({"jwk": thief.jwk()});
    let url = json!({"jku": elsewhere.url("/jwks"), "x5u": elsewhere.url("/x5u"), "x5c": ["AAAA"]});
    let invalid = "auth.invalid_token";
    let odd = |kid: Value| KEYS.first.token_with(&json!({"kid": kid}), &good);
    refuses(
        &gate,
        &[
            ("jwk", thief.token_with(&jwk, &good), invalid),
            ("jku", thief.token_with(&url, &good), invalid),
            ("another's key", thief.token(&good), invalid),
            ("an unknown kid", odd(json!("gone")), invalid),
            ("a path", odd(json!("../../../../dev/null")), invalid),
            ("SQL", odd(json!("' OR 1=1 --")), invalid),
            ("an empty kid", odd(json!("")), invalid),
            ("a kid by case", odd(json!("FIRST")), invalid),
            ("a number", odd(json!(1)), invalid),
            ("no kid where two keys fit", odd(Value::Null), invalid),
            ("a small key", KEYS.lone.token_with(&json!({"kid": "small"}), &claims(LONE, "ada", &json!({}))), invalid),
            (
                "a key for encrypting",
                KEYS.both.token_with(&json!({"kid": "encrypting"}), &claims(LONE, "ada", &json!({}))),
                invalid,
            ),
            (
                "a key without its number",
                KEYS.lone.token_with(&json!({"kid": "hollow"}), &claims(LONE, "ada", &json!({}))),
                invalid,
            ),
        ],
    )
    .await;
    takes(
        &gate,
        &[
            ("jwk beside the right key", KEYS.first.token_with(&jwk, &good)),
            ("jku beside the right key", KEYS.first.token_with(&url, &good)),
            (
                "no kid where one key fits",
                KEYS.lone.token_with(&json!({"kid": null}), &claims(LONE, "ada", &json!({}))),
            ),
        ],
    )
    .await;
    assert_eq!(elsewhere.count(), 0, "nobody asks where a token points");
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let (gate, keys) = (judge(), &*KEYS);
    let pem = keys.both.public_pem();
    let jwk = keys.both.jwk().to_string().into_bytes();
    let der = keys.both.public_der();
    for secret in [pem.trim_ascii_end().to_vec(), pem, jwk, der, Vec::from([0])] {
        let text = claims(BY_BOTH, "ada", &json!({})).to_string();
        for header in [json!({"alg": "HS256", "kid": "both"}), json!({"alg": "HS256"})] {
            let token = signed(&header.to_string(), &text, |text| hmac(&secret, text));
            refuses(&gate, &[("HS256 by a public key", token, "auth.invalid_token")]).await;
        }
    }
}

#[tokio::test]
async fn a_token_that_is_too_long_is_not_read() {
    let gate = judge();
    let long = by_secret(&json!({"padding": "x".repeat(14_000)}));
    assert!(long.len() > 16 << 10);
    refuses(&gate, &[("over 16 KiB", long, "auth.invalid_token")]).await;
    // Whatever else would be said of it.
    let padding = "x".repeat(64 << 10);
    let huge = by_secret(&json!({"padding": padding}));
    let unsigned =
        signed(r#"{"alg":"none"}"#, &claims("x", "ada", &json!({"padding": padding})).to_string(), |_| vec![]);
    let stale = by_secret(&json!({"padding": padding, "exp": 1}));
    let kid = KEYS.first.token_with(&json!({"kid": padding}), &claims(BY_KEYS, "ada", &json!({})));
    refuses(&gate, &[huge, unsigned, stale, kid].map(|token| ("64 KiB", token, "auth.invalid_token"))).await;
    let long = by_secret(&json!({"padding": "x".repeat(11_000)}));
    assert!(long.len() < 16 << 10);
    takes(&gate, &[("under 16 KiB", long)]).await;
}

#[tokio::test]
async fn an_issuer_without_issuers_takes_what_no_other_claims() {
    let keys = &*KEYS;
    let gate = gate(&format!(
        r#"
        [[auth.issuers]]
        name = "named"
        kind = "jwt"
        issuers = ["{BY_KEYS}"]
        audiences = ["tidegate"]
        jwks = '{}'
        [[auth.issuers]]
        name = "any"
        kind = "jwt"
        audiences = ["tidegate"]
        jwks = '{}'
        "#,
        set(&[&keys.first]),
        set(&[&keys.second]),
    ));
    for iss in [json!("https://whoever.test"), Value::Null, json!("")] {
        let me = whoami(&gate.caller(keys.second.token(&claims("x", "ada", &json!({"iss": iss}))))).await;
        assert_eq!(me["issuer"], "any");
    }
    let named = claims(BY_KEYS, "ada", &json!({}));
    assert_eq!(whoami(&gate.caller(keys.first.token(&named))).await["issuer"], "named");
    // Who is named exactly judges alone: after its refusal nobody else is asked.
    refuses(&gate, &[("the other's key", keys.second.token(&named), "auth.invalid_token")]).await;
}

#[tokio::test]
async fn the_leeway_is_the_configs() {
    let config = format!(
        "[auth]\nleeway_seconds = 5\n[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n"
    );
    let gate = gate(&config);
    let now = now();
    let token = |more: Value| secret(&claims("x", "ada", &more));
    refuses(
        &gate,
        &[
            ("exp", token(json!({"exp": now - 10})), "auth.token_expired"),
            ("nbf", token(json!({"nbf": now + 15})), "auth.invalid_token"),
        ],
    )
    .await;
    takes(&gate, &[("exp within", token(json!({"exp": now - 1}))), ("nbf within", token(json!({"nbf": now + 3})))])
        .await;
}

#[tokio::test]
async fn a_remembered_verdict_ends_with_its_token() {
    let gate = judge();
    let token = by_secret(&json!({"exp": now() - 28}));
    takes(&gate, &[("before", token.clone())]).await;
    crate::api::gate::until("the token's end", || async {
        let answer = gate.caller(&token).get("/api/whoami").await;
        (answer.status != 200).then(|| answer.problem(401, "auth.token_expired").clone())
    })
    .await;
}

#[tokio::test]
async fn issuers_are_credentials_and_their_secrets_stay_hidden() {
    let config = config() + "\n[server]\nbind = \"127.0.0.1:0\"\n";
    let gate = gate_with(&config, &[]);
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    assert!(!gate.folder().join("data/first-token").exists(), "no token is made where an issuer is");
    let token = by_secret(&json!({}));
    whoami(&gate.caller(&token)).await;
    whoami(&gate.caller(KEYS.first.token_with(&json!({"jku": SECRET}), &claims(BY_KEYS, "ada", &json!({}))))).await;
    let log = log(&gate);
    assert!(!log.contains(SECRET) && !log.contains(&token), "{log}");
}
