//! What WorkOS tells at `/auth/workos/events`, with signatures as it makes them (authentication.md section 5).

use data_encoding::HEXLOWER;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    mint::{self, Key, hmac, now},
    setup::{gate, log, refusal, whoami},
};
use crate::api::{
    gate::{Answer, Gate, Shared},
    world::unique,
};

const PATH: &str = "/auth/workos/events";
const REVOCATIONS: &str = "/api/admin/revocations";
/// Of the issuers `web` and `phone`, two applications of one environment, and of `other`.
const HOOK: &str = "whsec-of-a-black-box-test-0123456789";
const OTHER_HOOK: &str = "whsec-of-another-environment-987654321";

static SHARED: Shared = Shared::new();
static KEY: std::sync::LazyLock<Key> = std::sync::LazyLock::new(|| Key::new("RS256", "k1"));

/// A gate with the three; and `corp`, whose people have the same names.
fn town() -> Gate {
    SHARED.gate(|| {
        let workos = |name: &str, secret: &str| {
            // Nobody listens where WorkOS's keys are: these tests need its events only.
            format!(
                "[[auth.issuers]]\nname = \"{name}\"\nkind = \"workos\"\nclient_id = \"client_{name}\"\n\
                 issuers = [\"https://{name}.test\"]\njwks_url = \"http://127.0.0.1:1/{name}\"\n\
                 webhook_secret = \"{secret}\"\n"
            )
        };
        let corp = format!(
            "[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\n\
             jwks = '{}'\n",
            mint::set(&[&KEY])
        );
        gate(&(workos("web", HOOK) + &workos("phone", HOOK) + &workos("other", OTHER_HOOK) + &corp))
    })
}

fn event(id: &str, kind: &str, data: &Value, at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap().to_string();
    json!({"id": id, "event": kind, "data": data, "created_at": at}).to_string()
}

/// What WorkOS puts beside a body at a moment, in milliseconds.
fn signature(secret: &str, stamp: i64, body: &str) -> String {
    format!("t={stamp}, v1={}", HEXLOWER.encode(&hmac(secret.as_bytes(), format!("{stamp}.{body}").as_bytes())))
}

async fn deliver(gate: &Gate, header: &str, body: &str) -> Answer {
    let ask = gate.anonymous().ask(Method::POST, PATH);
    ask.header("WorkOS-Signature", header).raw(body.to_owned()).await
}

async fn tell(gate: &Gate, body: &str) -> Answer {
    deliver(gate, &signature(HOOK, now() * 1_000, body), body).await.is(200)
}

/// The entries against somebody or something.
async fn entries(gate: &Gate, value: &str) -> Vec<Value> {
    let all = gate.root().all(REVOCATIONS).await;
    all.into_iter().filter(|entry| entry["value"] == value).collect()
}

#[tokio::test]
async fn what_workos_signs_is_entered_for_each_issuer_of_that_secret() {
    let gate = town();
    let (sid, user) = (unique("session_"), unique("user_"));
    let ended = event(&unique("event_"), "session.revoked", &json!({"id": sid, "user_id": user}), now());
    assert_eq!(tell(&gate, &ended).await["outcome"], "applied");
    let deleted = event(&unique("event_"), "user.deleted", &json!({"id": user, "email": "x@example.com"}), now());
    assert_eq!(tell(&gate, &deleted).await["outcome"], "applied");
    for (value, kind, ban) in [(&sid, "session", false), (&user, "user", true)] {
        let entries = entries(&gate, value).await;
        let mut issuers: Vec<_> = entries.iter().map(|entry| entry["issuer"].as_str().unwrap()).collect();
        issuers.sort_unstable();
        assert_eq!(issuers, ["phone", "web"], "{entries:?}");
        for entry in &entries {
            assert_eq!((&entry["kind"], &entry["ban"]), (&json!(kind), &json!(ban)), "{entry}");
            assert_eq!(entry["created_by"], "issuer", "{entry}");
        }
    }
    // Others' people of that name are none of WorkOS's business.
    let namesake = KEY.token(&mint::claims("https://corp.test", &user, &json!({"sid": sid})));
    whoami(&gate.caller(namesake)).await;
    let elsewhere = event(&unique("event_"), "session.revoked", &json!({"id": unique("session_")}), now());
    let told = deliver(&gate, &signature(OTHER_HOOK, now() * 1_000, &elsewhere), &elsewhere).await.is(200);
    assert_eq!(told["outcome"], "applied");
    let log = log(&gate);
    assert!(!log.contains(HOOK) && !log.contains(OTHER_HOOK));
}

#[tokio::test]
async fn what_is_not_signed_right_is_refused() {
    let gate = town();
    let sid = unique("session_");
    let body = event(&unique("event_"), "session.revoked", &json!({"id": sid}), now());
    let millis = now() * 1_000;
    let good = signature(HOOK, millis, &body);
    let other = event(&unique("event_"), "session.revoked", &json!({"id": sid}), now());
    for (what, header) in [
        ("another secret", signature("another", millis, &body)),
        ("an empty secret", signature("", millis, &body)),
        ("the issuer's secret, another body", signature(HOOK, millis, &other)),
        ("an old stamp", signature(HOOK, millis - 181_000, &body)),
        ("a stamp to come", signature(HOOK, millis + 190_000, &body)),
        ("a stamp in seconds", signature(HOOK, now(), &body)),
        ("another stamp than was signed", good.replacen(&millis.to_string(), &(millis + 1).to_string(), 1)),
        ("half a signature", good[..good.len() - 32].to_owned()),
        ("no signature", format!("t={millis}")),
        ("no stamp", good.split_once(", ").unwrap().1.to_owned()),
        ("nonsense", "nonsense".to_owned()),
        ("nothing", String::new()),
    ] {
        let refused = deliver(&gate, &header, &body).await;
        refused.problem(401, "webhook.signature_invalid");
        assert!(entries(&gate, &sid).await.is_empty(), "{what}");
    }
    let bare = gate.anonymous().ask(Method::POST, PATH).raw(body.clone()).await;
    bare.problem(401, "webhook.signature_invalid");
    // A bearer token is no signature.
    gate.root().ask(Method::POST, PATH).raw(body.clone()).await.problem(401, "webhook.signature_invalid");
    assert!(entries(&gate, &sid).await.is_empty());
    // As its documentation has it, and as its emulator spaces it.
    deliver(&gate, &good.replace(", ", ","), &body).await.is(200);
    assert_eq!(entries(&gate, &sid).await.len(), 2);
}

#[tokio::test]
async fn an_event_that_comes_again_counts_no_more_even_when_it_was_lifted() {
    let gate = town();
    let (sid, user) = (unique("session_"), unique("user_"));
    for (kind, data, value) in [
        ("session.revoked", json!({"id": sid}), &sid),
        ("user.deleted", json!({"id": user}), &user),
        ("organization_membership.updated", json!({"id": "om_1", "user_id": user}), &user),
    ] {
        let body = event(&unique("event_"), kind, &data, now());
        for _ in 0..2 {
            assert_eq!(tell(&gate, &body).await["outcome"], "applied", "{kind}");
            assert_eq!(entries(&gate, value).await.len(), 2, "{kind}");
        }
        for entry in entries(&gate, value).await {
            let path = format!("{REVOCATIONS}/{}", entry["id"].as_str().unwrap());
            gate.root().delete(&path).await.is(204);
        }
        // WorkOS has not heard that it was heard, and somebody replays what they have seen.
        for _ in 0..2 {
            assert_eq!(tell(&gate, &body).await["outcome"], "applied", "{kind}");
        }
        assert_eq!(entries(&gate, value).await, Vec::<Value>::new(), "{kind}");
        let next = event(&unique("event_"), kind, &data, now());
        tell(&gate, &next).await;
        let again = entries(&gate, value).await;
        assert_eq!(again.len(), 2, "{kind}: another event counts");
        for entry in again {
            gate.root().delete(&format!("{REVOCATIONS}/{}", entry["id"].as_str().unwrap())).await.is(204);
        }
    }
}

#[tokio::test]
async fn of_one_event_many_times_at_once_one_counts() {
    let gate = town();
    let user = unique("user_");
    let body = event(&unique("event_"), "user.deleted", &json!({"id": user}), now());
    let header = signature(HOOK, now() * 1_000, &body);
    let told = futures_util::future::join_all((0..20).map(|_| deliver(&gate, &header, &body))).await;
    assert!(told.iter().all(|told| told.status == 200), "{:?}", told.iter().map(|told| &told.text).collect::<Vec<_>>());
    assert_eq!(entries(&gate, &user).await.len(), 2, "one an issuer");
}

#[tokio::test]
async fn a_late_event_leaves_what_can_still_matter() {
    let gate = town();
    let (user, sid) = (unique("user_"), unique("session_"));
    let days_ago = now() - 3 * 24 * 3_600;
    tell(&gate, &event(&unique("event_"), "session.revoked", &json!({"id": sid}), days_ago)).await;
    assert!(entries(&gate, &sid).await.is_empty(), "no token of it can be left");
    tell(&gate, &event(&unique("event_"), "user.deleted", &json!({"id": user}), days_ago)).await;
    let bans = entries(&gate, &user).await;
    assert!(bans.len() == 2 && bans.iter().all(|entry| entry["ban"] == true), "{bans:?}");
}

#[tokio::test]
async fn what_means_nothing_to_the_gate_is_taken_and_what_cannot_be_read_is_not() {
    let gate = town();
    let body = event(&unique("event_"), "connection.activated", &json!({"id": "conn_1"}), now());
    assert_eq!(tell(&gate, &body).await["outcome"], "ignored");
    for bad in ["", "no json", "[]", r#"{"id":"e","event":"user.deleted","data":{}}"#] {
        let refused = deliver(&gate, &signature(HOOK, now() * 1_000, bad), bad).await;
        refused.problem(400, "request.invalid");
    }
    let long = json!({"id": "e", "event": "user.deleted", "data": {"id": "u".repeat(256)}}).to_string();
    deliver(&gate, &signature(HOOK, now() * 1_000, &long), &long).await.problem(422, "request.invalid");
    let answer = refusal(&gate.root()).await;
    assert_eq!(answer.0, 200);
}
