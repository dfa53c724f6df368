//! Issuers that are asked over the network: key sets, discovery, introspection, WorkOS (authentication.md section 1).

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    mint::{Key, claims as claims_of, set},
    setup::{BOOTSTRAP, Ran, gate, gate_with, log, refusal, run, whoami},
};
use crate::{
    api::gate::{Answer, Gate, until},
    support::{
        peers::{Endpoint, Fault, OidcProvider, WorkosEmulator},
        scripted::{Reply, Scripted},
    },
};

fn oidc(provider: &OidcProvider, more: &str) -> String {
    format!(
        "[[auth.issuers]]\nname = \"corp\"\nkind = \"oidc\"\nissuers = [\"{}\"]\naudiences = [\"tidegate\"]\n{more}\n",
        provider.issuer()
    )
}

async fn good(provider: &OidcProvider) -> String {
    provider.user_token("ada").audience("tidegate").scope("workflows:read").mint().await
}

/// A token of a key that the provider has, signed by nobody's.
fn forged(provider: &OidcProvider) -> String {
    let header = json!({"kid": provider.first_kid()});
    Key::new("RS256", "x").token_with(&header, &claims_of(provider.issuer(), "ada", &json!({})))
}

/// The answer to a token once it is this status.
async fn becomes(gate: &Gate, token: &str, status: u16) -> Answer {
    until(&format!("a {status}"), || async {
        let answer = gate.caller(token).get("/api/whoami").await;
        (answer.status == status).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn an_openid_providers_tokens_are_judged() {
    let provider = OidcProvider::with(&["RS256", "ES256"]).await;
    let gate = gate(&oidc(&provider, "algorithms = [\"RS256\"]"));
    let me = becomes(&gate, &good(&provider).await, 200).await;
    assert_eq!((&me["issuer"], &me["subject"], &me["kind"]), (&json!("corp"), &json!("ada"), &json!("user")));
    assert_eq!(me["scopes"], json!(["workflows:read"]));
    let request = || provider.user_token("ada").audience("tidegate");
    for (what, token, code) in [
        ("aud", provider.user_token("ada").audience("another").mint().await, "auth.invalid_audience"),
        ("alg", request().algorithm("ES256").mint().await, "auth.unsupported_algorithm"),
        ("iss", request().claims(&json!({"iss": "https://evil.test"})).mint().await, "auth.invalid_issuer"),
        (
            "iss with a slash",
            request().claims(&json!({"iss": format!("{}/", provider.issuer())})).mint().await,
            "auth.invalid_issuer",
        ),
        ("exp", request().claims(&json!({"exp": 1})).mint().await, "auth.token_expired"),
        ("sub", request().claims(&json!({"sub": ""})).mint().await, "auth.invalid_token"),
        ("typ", request().header(&json!({"typ": "logout+jwt"})).mint().await, "auth.invalid_token"),
    ] {
        assert_eq!(refusal(&gate.caller(token)).await, (401, code.to_owned()), "{what}");
    }
    let list = request().claims(&json!({"aud": ["x", "tidegate"]})).mint().await;
    whoami(&gate.caller(list)).await;
    let service = provider.service_token().audience("tidegate").scope("workflows:read").mint().await;
    whoami(&gate.caller(service)).await;
}

#[tokio::test]
async fn a_rotated_key_is_found_and_a_removed_one_forgotten() {
    let provider = OidcProvider::start().await;
    let gate = gate(&oidc(&provider, "jwks_cache_ttl = 1"));
    let (old, unseen) = (good(&provider).await, good(&provider).await);
    becomes(&gate, &old, 200).await;
    let kid = provider.add_key("RS256").await;
    provider.sign_with(&kid).await;
    becomes(&gate, &good(&provider).await, 200).await;
    whoami(&gate.caller(&old)).await;
    provider.remove_key(provider.first_kid()).await;
    let refused = becomes(&gate, &unseen, 401).await;
    refused.problem(401, "auth.invalid_token");
    // Nor is anybody remembered by it.
    gate.caller(&old).get("/api/whoami").await.problem(401, "auth.invalid_token");
    whoami(&gate.caller(good(&provider).await)).await;
}

#[tokio::test]
async fn the_last_good_keys_serve_so_long_and_no_longer() {
    let provider = OidcProvider::start().await;
    let gate = gate(&oidc(&provider, "jwks_cache_ttl = 1\njwks_max_stale = 3"));
    let (seen, unseen) = (good(&provider).await, good(&provider).await);
    whoami(&gate.caller(&seen)).await;
    provider.go_down().await;
    whoami(&gate.caller(&seen)).await;
    // Who was verified by them is remembered no longer than they serve.
    becomes(&gate, &seen, 503).await.problem(503, "auth.key_unavailable");
    gate.caller(&unseen).get("/api/whoami").await.problem(503, "auth.key_unavailable");
    provider.come_back().await;
    becomes(&gate, &seen, 200).await;
}

#[tokio::test]
async fn keys_that_may_not_be_stale_serve_while_the_provider_does() {
    let provider = OidcProvider::start().await;
    let gate = gate(&oidc(&provider, "jwks_max_stale = 0"));
    for _ in 0..3 {
        whoami(&gate.caller(good(&provider).await)).await;
    }
    let forged = forged(&provider);
    gate.caller(&forged).get("/api/whoami").await.problem(401, "auth.invalid_token");
    provider.go_down().await;
    becomes(&gate, &forged, 503).await.problem(503, "auth.key_unavailable");
}

#[tokio::test]
async fn a_provider_may_go_by_several_names() {
    let provider = OidcProvider::start().await;
    let config = oidc(&provider, &format!("discovery_url = \"{}\"", provider.discovery_url()));
    let own = format!("\"{}\"", provider.issuer());
    let gate = gate(&config.replace(&own, &format!("\"https://old.test\", {own}")));
    let me = becomes(&gate, &good(&provider).await, 200).await;
    assert_eq!(me["issuer"], "corp");
    let old = provider.user_token("ada").audience("tidegate").claims(&json!({"iss": "https://old.test"})).mint().await;
    assert_eq!(whoami(&gate.caller(old)).await["subject"], "ada");
}

/// Once a set was asked for twice after a change, what it says now is known.
async fn is_known(provider: &Scripted) {
    let before = provider.count();
    until("two more fetches", || async { (provider.count() >= before + 2).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_load_and_nobody_notices() {
    let provider = Scripted::start(Reply::json(&json!({"keys": []}))).await;
    let mut current = Key::new("EdDSA", "key-0");
    provider.reply(Reply::json(&set(&[&current])));
    let gate = gate(&format!(
        "[[auth.issuers]]\nname = \"k\"\nkind = \"jwt\"\nissuers = [\"https://keys.test\"]\naudiences = [\"tidegate\"]\n\
         algorithms = [\"EdDSA\"]\njwks_cache_ttl = 1\njwks_url = \"{}\"\n",
        provider.url("/jwks")
    ));
    let token = |key: &Key, name: &str| key.token(&claims_of("https://keys.test", name, &json!({})));
    let in_use = Arc::new(Mutex::new(token(&current, "ada")));
    let mut users = JoinSet::new();
    for _ in 0..4 {
        let (gate, in_use) = (gate.clone(), Arc::clone(&in_use));
        users.spawn(async move {
            loop {
                let token = in_use.lock().unwrap().clone();
                let answer = gate.caller(token).get("/api/whoami").await;
                assert_eq!(answer.status, 200, "{}", answer.text);
            }
        });
    }
    for number in 1..4 {
        let next = Key::new("EdDSA", &format!("key-{number}"));
        let old = token(&current, "eve");
        provider.reply(Reply::json(&set(&[&current, &next])));
        is_known(&provider).await;
        whoami(&gate.caller(&old)).await;
        *in_use.lock().unwrap() = token(&next, "ada");
        whoami(&gate.caller(token(&next, "bob"))).await;
        // Who took the last token before has had their answer.
        is_known(&provider).await;
        provider.reply(Reply::json(&set(&[&next])));
        is_known(&provider).await;
        for old in [old, token(&current, "mallory")] {
            gate.caller(&old).get("/api/whoami").await.problem(401, "auth.invalid_token");
        }
        current = next;
    }
    assert!(users.try_join_next().is_none(), "somebody was refused");
}

#[tokio::test]
async fn however_many_ask_at_once_the_keys_are_fetched_once_in_two_seconds() {
    let (key, stranger) = (Key::new("EdDSA", "k"), Key::new("EdDSA", "k"));
    let provider = Scripted::start(Reply::json(&set(&[&key]))).await;
    let gate = gate(&format!(
        "[[auth.issuers]]\nname = \"k\"\nkind = \"jwt\"\nissuers = [\"https://keys.test\"]\naudiences = [\"tidegate\"]\n\
         algorithms = [\"EdDSA\"]\njwks_url = \"{}\"\n",
        provider.url("/jwks")
    ));
    let token = |number: u32| key.token(&claims_of("https://keys.test", &format!("user-{number}"), &json!({})));
    let known = join_all((0..100).map(|number| gate.caller(token(number)).get("/api/whoami").into_future())).await;
    assert!(known.iter().all(|answer| answer.status == 200), "{:?}", known.iter().find(|answer| answer.status != 200));
    assert_eq!(provider.count(), 1);
    let (begun, before) = (Instant::now(), provider.count());
    for round in 0..10 {
        let unknown = (0..100).map(|number| {
            let header = json!({"kid": format!("unknown-{round}-{number}")});
            gate.caller(stranger.token_with(&header, &claims_of("https://keys.test", "eve", &json!({}))))
        });
        let known = (0..10).map(|number| gate.caller(token(1_000 + round * 10 + number)));
        let unknown = join_all(unknown.map(|caller| async move { caller.get("/api/whoami").await.status }));
        let known = join_all(known.map(|caller| async move { caller.get("/api/whoami").await.status }));
        let (unknown, known) = tokio::join!(unknown, known);
        assert!(unknown.iter().all(|status| *status == 401) && known.iter().all(|status| *status == 200));
    }
    let allowed = 2 + begun.elapsed().as_secs() / 2;
    let fetched = u64::try_from(provider.count() - before).unwrap();
    assert!(fetched <= allowed, "{fetched} fetches, {allowed} allowed");
}

#[tokio::test]
async fn an_unknown_key_is_no_when_the_provider_answers_and_unsure_when_not() {
    let provider = OidcProvider::start().await;
    let gate = gate(&oidc(&provider, ""));
    let token = good(&provider).await;
    becomes(&gate, &token, 200).await;
    let unknown = provider.user_token("ada").audience("tidegate").header(&json!({"kid": "gone"})).mint().await;
    gate.caller(&unknown).get("/api/whoami").await.problem(401, "auth.invalid_token");
    provider.fault(Endpoint::Jwks, Fault::Status(500)).await;
    let unsure = becomes(&gate, &unknown, 503).await;
    unsure.problem(503, "auth.key_unavailable");
    assert!(unsure.header("retry-after").parse::<u64>().unwrap() >= 1, "{:?}", unsure.headers);
    assert_eq!(unsure["message"], "Unable to resolve signing key for bearer token");
    // The last good set still serves, and what is plainly wrong is still refused.
    let fresh = provider.user_token("bob").audience("tidegate").mint().await;
    whoami(&gate.caller(fresh)).await;
    let expired = provider.user_token("bob").audience("tidegate").claims(&json!({"exp": 1})).mint().await;
    gate.caller(expired).get("/api/whoami").await.problem(401, "auth.token_expired");
    // One fetch in two seconds, however many ask.
    let before = provider.requests(Endpoint::Jwks).await;
    for number in 0..200 {
        let header = json!({"kid": format!("gone-{number}")});
        let token = Key::new("EdDSA", "x").token_with(&header, &claims_of(provider.issuer(), "ada", &json!({})));
        assert_ne!(refusal(&gate.caller(token)).await.0, 200);
    }
    let fetched = provider.requests(Endpoint::Jwks).await - before;
    assert!(fetched <= 5, "{fetched} fetches");
}

#[tokio::test]
async fn a_provider_that_is_down_stops_no_start() {
    let provider = OidcProvider::start().await;
    let token = good(&provider).await;
    provider.go_down().await;
    let gate = gate(&oidc(&provider, ""));
    whoami(&gate.root()).await;
    assert_eq!(gate.anonymous().get("/health/ready").await.status, 200);
    for _ in 0..3 {
        gate.caller(&token).get("/api/whoami").await.problem(503, "auth.key_unavailable");
    }
    gate.caller("nonsense").get("/api/whoami").await.problem(401, "auth.invalid_token");
    let unknown = claims_of("https://nobody.test", "ada", &json!({}));
    gate.caller(Key::new("RS256", "k").token(&unknown)).get("/api/whoami").await.problem(401, "auth.invalid_issuer");
    provider.come_back().await;
    becomes(&gate, &token, 200).await;
}

#[tokio::test]
async fn a_key_set_that_is_none_is_no_answer() {
    let key = Key::new("RS256", "k");
    let server = Scripted::start(Reply::html()).await;
    let elsewhere = Scripted::start(Reply::json(&set(&[&key]))).await;
    let token = key.token(&claims_of("https://keys.test", "ada", &json!({})));
    for (what, reply) in [
        ("HTML", Reply::html()),
        ("a 500", Reply::status(500)),
        ("a redirect", Reply::redirect(&elsewhere.url("/jwks"))),
        ("no set", Reply::json(&json!({"keys": "none"}))),
        ("half of it", Reply::json(&set(&[&key])).cut_after(40)),
        ("50 MiB", Reply::json(&set(&[&key])).huge(50 << 20)),
        ("2 MiB, unannounced", Reply::json(&set(&[&key])).huge_unannounced(2 << 20)),
    ] {
        server.reply(reply);
        let gate = gate(&format!(
            "[[auth.issuers]]\nname = \"k\"\nkind = \"jwt\"\nissuers = [\"https://keys.test\"]\naudiences = [\"tidegate\"]\njwks_url = \"{}\"\n",
            server.url("/jwks")
        ));
        let answer = gate.caller(&token).get("/api/whoami").await;
        assert_eq!(
            (answer.status, answer["code"].as_str()),
            (503, Some("auth.key_unavailable")),
            "{what}: {}",
            answer.text
        );
        server.reply(Reply::json(&json!({"keys": [{"kty": "RSA", "kid": "bad", "n": "!", "e": 1}, 7, key.jwk()]})));
        becomes(&gate, &token, 200).await;
    }
    assert_eq!(elsewhere.count(), 0, "redirects are not followed");
}

#[tokio::test]
async fn a_document_of_another_issuer_serves_nobody() {
    let provider = OidcProvider::start().await;
    let (name, mut document) = ("corp", json!({}));
    for (member, value) in [("issuer", "https://evil.test".to_owned()), ("jwks_uri", provider.jwks_url())] {
        document[member] = json!(value);
    }
    provider.fault(Endpoint::Discovery, Fault::Body(document.to_string())).await;
    let gate = gate(&oidc(&provider, ""));
    let token = good(&provider).await;
    gate.caller(&token).get("/api/whoami").await.problem(503, "auth.key_unavailable");
    provider.fault(Endpoint::Discovery, Fault::None).await;
    becomes(&gate, &token, 200).await;
    assert!(log(&gate).contains(name), "the log names the issuer: {}", log(&gate));
}

fn introspection(provider: &OidcProvider, prefix: &str) -> String {
    let (id, secret) = provider.introspection_client();
    format!(
        "[[auth.issuers]]\nname = \"opaque{}\"\nkind = \"introspection\"\nprefix = \"{prefix}\"\naudiences = [\"tidegate\"]\n\
         introspection_url = \"{}\"\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n",
        prefix.len(),
        provider.introspection_url()
    )
}

#[tokio::test]
async fn an_opaque_token_is_asked_about() {
    let answer = |more: Value| {
        let mut answer = claims_of("https://opaque.test", "ada", &json!({"active": true, "scope": "workflows:read"}));
        super::mint::merge(&mut answer, &more);
        Reply::json(&answer)
    };
    let server = Scripted::start(answer(json!({}))).await;
    let gate = gate(&format!(
        "[[auth.issuers]]\nname = \"short\"\nkind = \"introspection\"\nprefix = \"o_\"\naudiences = [\"tidegate\"]\nissuers = [\"https://opaque.test\"]\n\
         introspection_url = \"{0}\"\nclient_id = \"us\"\nclient_secret = \"secret-of-ours\"\n\
         [[auth.issuers]]\nname = \"long\"\nkind = \"introspection\"\nprefix = \"o_long_\"\naudiences = [\"tidegate\"]\nissuers = [\"https://opaque.test\"]\n\
         introspection_url = \"{0}\"\nclient_id = \"us\"\nclient_secret = \"secret-of-ours\"\n",
        server.url("/introspect")
    ));
    let me = whoami(&gate.caller("o_1")).await;
    assert_eq!(
        (&me["issuer"], &me["subject"], &me["scopes"]),
        (&json!("short"), &json!("ada"), &json!(["workflows:read"]))
    );
    assert_eq!(whoami(&gate.caller("o_long_1")).await["issuer"], "long", "the longest prefix");
    let asked = server.requests();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].body.contains("token=o_1") && asked[0].header("authorization").unwrap().starts_with("Basic "));
    whoami(&gate.caller("o_1")).await;
    assert_eq!(server.count(), 2, "remembered");
    let now = super::mint::now();
    for (number, (what, reply, status, code)) in [
        ("inactive", Reply::json(&json!({"active": false})), 401, "auth.invalid_token"),
        ("another aud", answer(json!({"aud": "x"})), 401, "auth.invalid_audience"),
        ("no aud", answer(json!({"aud": null})), 401, "auth.invalid_audience"),
        ("another iss", answer(json!({"iss": "https://x.test"})), 401, "auth.invalid_issuer"),
        ("expired", answer(json!({"exp": now - 60})), 401, "auth.token_expired"),
        ("no leeway for what is no JWT", answer(json!({"exp": now - 5})), 401, "auth.token_expired"),
        ("active as text", answer(json!({"active": "true"})), 503, "auth.unavailable"),
        ("a 500", Reply::status(500), 503, "auth.unavailable"),
        ("HTML", Reply::html(), 503, "auth.unavailable"),
        ("a refusal of us", Reply::status(401), 503, "auth.unavailable"),
        ("a redirect", Reply::redirect(&server.url("/other")), 503, "auth.unavailable"),
        ("5 MiB", answer(json!({})).huge(5 << 20), 503, "auth.unavailable"),
    ]
    .into_iter()
    .enumerate()
    {
        server.reply(reply);
        let answer = gate.caller(format!("o_case_{number}")).get("/api/whoami").await;
        let code =
            if status == 503 && answer["code"] == "auth.key_unavailable" { "auth.key_unavailable" } else { code };
        assert_eq!((answer.status, answer["code"].as_str()), (status, Some(code)), "{what}: {}", answer.text);
    }
    // Nobody could tell: nothing is remembered.
    server.reply(answer(json!({})));
    whoami(&gate.caller("o_case_7")).await;
    // Odd characters travel.
    whoami(&gate.caller("o_+/=~")).await;
    assert!(server.requests().last().unwrap().body.contains("o_%2B%2F%3D"), "{:?}", server.requests().last());
    assert!(!log(&gate).contains("secret-of-ours") && !log(&gate).contains("o_long_1"));
}

#[tokio::test]
async fn a_real_provider_introspects_its_tokens() {
    let provider = OidcProvider::start().await;
    let opaque = || provider.user_token("ada").audience("tidegate").scope("workflows:read").opaque();
    // Random texts; the bootstrap token begins with a b and service tokens with a t: their prefix may be neither.
    let mut token = opaque().mint().await;
    while token.starts_with(['b', 't']) {
        token = opaque().mint().await;
    }
    let prefix = &token[..1];
    let gate = gate(&introspection(&provider, prefix));
    let me = whoami(&gate.caller(&token)).await;
    assert_eq!((&me["subject"], &me["scopes"]), (&json!("ada"), &json!(["workflows:read"])), "{}", me.text);
    gate.caller(format!("{prefix}-never-made")).get("/api/whoami").await.problem(401, "auth.invalid_token");
    provider.fault(Endpoint::Introspection, Fault::Drop).await;
    gate.caller(format!("{prefix}-nobody-knows")).get("/api/whoami").await.complete_problem();
    assert_eq!(gate.caller(format!("{prefix}-nobody-knows")).get("/api/whoami").await.status, 503);
    whoami(&gate.caller(&token)).await;
    provider.fault(Endpoint::Introspection, Fault::None).await;
}

fn workos(emulator: &WorkosEmulator) -> String {
    format!(
        "[[auth.issuers]]\nname = \"workos\"\nkind = \"workos\"\nissuers = [\"{}\"]\nclient_id = \"{}\"\njwks_url = \"{}\"\napi_key = \"{}\"\n\
         webhook_secret = \"whsec-of-a-test\"\nallow_http = true\n",
        emulator.url(),
        WorkosEmulator::CLIENT_ID,
        emulator.jwks_url(),
        emulator.api_key()
    )
}

#[tokio::test]
async fn people_of_workos_get_a_workspace_and_their_name() {
    let emulator = WorkosEmulator::start().await;
    let gate = gate(&workos(&emulator));
    let session = emulator.sign_in("ada@example.com").await;
    let ada = gate.caller(&session.access_token);
    let me = becomes(&gate, &session.access_token, 200).await;
    assert_eq!((&me["issuer"], &me["subject"], &me["kind"]), (&json!("workos"), &json!(session.user), &json!("user")));
    let id = me["workspace_ids"][0].as_str().unwrap().to_owned();
    assert!(id.starts_with("u-"), "{}", me.text);
    assert_eq!(me["workspaces"][0]["role"], "owner");
    let members = until("the address of the API", || async {
        let members = ada.get(&format!("/api/workspaces/{id}/members")).await.is(200);
        (members.items()[0]["email"] == "ada@example.com").then_some(members)
    })
    .await;
    assert_eq!(members.items()[0]["user_id"], format!("workos:{}", session.user));
    // The organization's permissions are a ceiling.
    let org = emulator.add_organization("Acme").await;
    emulator.add_member(&org, &session.user, "member").await;
    let session = emulator.sign_in_to("ada@example.com", &org).await;
    let me = whoami(&gate.caller(&session.access_token)).await;
    assert_eq!((&me["scopes"], &me["workspace_ids"]), (&json!(["workflows:read"]), &json!([id])), "{}", me.text);
}

#[tokio::test]
async fn config_check_online_tells_what_it_found() {
    let provider = OidcProvider::start().await;
    let dead = Scripted::start(Reply::status(500)).await;
    let (_, secret) = provider.introspection_client();
    let config = oidc(&provider, "") + &introspection(&provider, "o_");
    let online = async |config: &str| -> Ran {
        let file = super::setup::file(config);
        run(&["config", "check", "--online"], &[("TIDEGATE_CONFIG", file.path().to_str().unwrap()), BOOTSTRAP]).await
    };
    let ran = online(&config).await.ok();
    assert!(ran.said().contains("corp") && ran.said().contains(provider.first_kid()), "keys are told: {}", ran.said());
    assert!(!ran.said().contains(secret), "{}", ran.said());
    let broken = format!(
        "{config}\n[[auth.issuers]]\nname = \"dead\"\nkind = \"jwt\"\nissuers = [\"x\"]\naudiences = [\"t\"]\njwks_url = \"{}\"\n",
        dead.url("/jwks")
    );
    let ran = online(&broken).await;
    assert_ne!(ran.code, 0, "{}", ran.said());
    assert!(ran.said().contains("dead"), "{}", ran.said());
    provider.go_down().await;
    let ran = online(&config).await;
    assert_ne!(ran.code, 0, "{}", ran.said());
    assert!(ran.said().contains("corp"), "{}", ran.said());
}

#[tokio::test]
async fn issuers_of_all_kinds_stand_side_by_side() {
    let provider = OidcProvider::start().await;
    let emulator = WorkosEmulator::start().await;
    let secret = super::mint::SECRET;
    let config = oidc(&provider, "")
        + &workos(&emulator)
        + &introspection(&provider, "o_")
        + &format!(
            "[[auth.issuers]]\nname = \"static\"\nkind = \"jwt\"\nissuers = [\"https://static.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{secret}\"\n"
        );
    let gate = gate_with(&config, &[BOOTSTRAP]);
    let service = crate::api::world::mint(&gate.root(), &["workflows:read"], &[]).await;
    let session = emulator.sign_in("bob@example.com").await;
    for (token, issuer) in [
        (good(&provider).await, json!("corp")),
        (session.access_token.clone(), json!("workos")),
        (super::mint::secret(&claims_of("https://static.test", "ada", &json!({}))), json!("static")),
        (service.token.clone().unwrap(), Value::Null),
        (gate.root().token.unwrap(), Value::Null),
    ] {
        let me = becomes(&gate, &token, 200).await;
        assert_eq!(me["issuer"], issuer, "{}", me.text);
    }
    // One provider down is no trouble of another's people.
    provider.go_down().await;
    whoami(&gate.caller(super::mint::secret(&claims_of("https://static.test", "eve", &json!({}))))).await;
    whoami(&gate.caller(&session.access_token)).await;
}
