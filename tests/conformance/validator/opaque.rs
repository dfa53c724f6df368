//! The cases that hold for opaque tokens too: what is judged of claims, wherever they come from. Here they look like JWTs to
//! us, so that one suite makes them, and only their issuer can read them.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};
use tidegate::{
    adapters::auth::{
        introspection::{IntrospectionIssuer, IntrospectionValidator},
        jwt::Audience,
    },
    conformance::validator::{self, Judged, Mint, Subject},
    domain::json::JsonObject,
};
use url::{Url, form_urlencoded};

use super::kinds::{AUDIENCE, Ground, ISSUER, policy};
use crate::support::scripted::{Reply, Request, Scripted};

macro_rules! suite {
    ($($case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            let kept = validator::$case(&subject().await).await;
            assert!(kept.is_ok(), "{kept:?}");
        }
    )+};
}

suite! {
    a_good_token_names_its_caller,
    a_wrong_signature_is_refused,
    a_long_token_is_not_read,
    the_issuer_is_judged,
    the_audience_is_judged,
    a_token_without_an_end_is_refused,
    what_is_no_time_is_refused,
    fractions_of_seconds_count,
    what_is_not_yet_valid_is_refused,
    a_life_longer_than_allowed_is_refused,
    a_subject_is_a_text_that_is_not_empty,
    a_refusal_names_only_who_signed,
    a_token_shows_up_nowhere,
    an_expired_token_is_refused,
}

/// An issuer that calls every token active that it made, and leaves the rest to us.
#[derive(Debug)]
struct Issuer {
    _endpoint: Scripted,
    _ground: Ground,
}

async fn subject() -> Subject {
    let endpoint = Scripted::answering(introspect).await;
    let url = Url::parse(&endpoint.url("/introspect")).unwrap();
    let config = IntrospectionIssuer {
        issuers: vec![ISSUER.to_owned()],
        audience: Audience::of(vec![AUDIENCE.to_owned()]),
        ..IntrospectionIssuer::new(policy("demo"), "eyJ", url, "gate", SecretString::from("secret"))
    };
    let ground = Ground::new();
    let clock = Arc::clone(&ground.clock);
    let validator = IntrospectionValidator::new(vec![config], clock.clone(), Arc::clone(&ground.signals)).unwrap();
    Subject { validator: Arc::new(validator), clock, mint: Box::new(Issuer { _endpoint: endpoint, _ground: ground }) }
}

fn introspect(request: &Request) -> Reply {
    let form: Vec<_> = form_urlencoded::parse(request.body.as_bytes()).collect();
    let token = form.iter().find(|(name, _)| name == "token").map(|(_, token)| token.clone());
    match claims_of(&token.unwrap_or_default()) {
        // As text: a number that no float holds must come through.
        Some(claims) => Reply::status(200).body(&claims.replacen('{', "{\"active\":true,", 1)),
        None => Reply::json(&json!({"active": false})),
    }
}

fn claims_of(token: &str) -> Option<String> {
    let (text, signature) = token.rsplit_once('.')?;
    let (_, claims) = text.split_once('.')?;
    let ours = URL_SAFE_NO_PAD.decode(signature).ok()? == sign(text.as_bytes());
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (ours && serde_json::from_str::<JsonObject>(&claims).is_ok()).then_some(claims)
}

fn sign(text: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(b"only the issuer knows").chain_update(text).finalize().to_vec()
}

impl Mint for Issuer {
    fn header(&self) -> JsonObject {
        JsonObject::from_iter([("alg".to_owned(), json!("its own"))])
    }

    fn claims(&self) -> JsonObject {
        JsonObject::from_iter([("iss".to_owned(), json!(ISSUER)), ("aud".to_owned(), json!(AUDIENCE))])
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        sign(text)
    }

    fn public_key_forms(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn judges_issuer(&self) -> Judged {
        Judged::Always
    }

    fn judges_audience(&self) -> Judged {
        Judged::Always
    }
}
