//! Validators of a library user's, in a whole gate: when they are asked, and which token engines are shown
//! (authentication.md sections 1.2 and 4).

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use serde_json::json;
use tidegate::{
    adapters::{
        auth::{
            AsValidated,
            introspection::{IntrospectionIssuer, IntrospectionValidator},
            jwt::{IssuerConfig, JwtIssuer, JwtValidator, Upkeep},
        },
        http::Settings,
        persistence::memory::MemoryRepository,
    },
    app::{authenticate::Mode, context},
    domain::{
        bearer::BearerToken,
        identity::Identity,
        issuer::{IssuerPolicy, Provision},
        scope::Scope,
        user::IssuerName,
        workspace::WorkspaceAccess,
    },
    ports::{
        repository::{Repository, RepositoryError, UnitOfWork},
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
    wiring::Parts,
};

use crate::support::{
    gateway::{BOOTSTRAP, TestGateway},
    scripted::{Reply, Scripted},
    town::now,
};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// What a use case would pass on to an engine, at each look into the store that a request makes.
#[derive(Debug, Clone, Default)]
struct Watched {
    within: MemoryRepository,
    seen: Arc<Mutex<Vec<Option<String>>>>,
}

impl Watched {
    /// What the requests since the last time would have passed on: all the same.
    fn passed_on(&self) -> Option<String> {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.dedup();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

#[async_trait]
impl Repository for Watched {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        self.within.begin().await
    }

    async fn view(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError> {
        // While nobody is named yet, nothing could be passed on.
        if let Some(context) = context::current().filter(|context| context.identity.authenticated()) {
            self.seen.lock().unwrap().push(context.forwardable.map(|token| token.expose().to_owned()));
        }
        self.within.view().await
    }

    async fn ping(&self) -> Result<(), RepositoryError> {
        self.within.ping().await
    }
}

/// Tokens of a badge reader: of our own, of another maker's, and such that engines are shown another for.
#[derive(Debug)]
struct Badges;

#[async_trait]
impl TokenValidator for Badges {
    fn recognizes(&self, token: &BearerToken) -> bool {
        token.expose().starts_with("badge")
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        let who = || Identity::service("ada", [Scope::WorkflowsRead].into(), WorkspaceAccess::All);
        match token.expose() {
            "badge_own" => Ok(ValidatedToken::own(who())),
            "badge_external" => Ok(ValidatedToken::external(who())),
            "badge_exchanged" => Ok(ValidatedToken::in_place_of(who(), BearerToken::new("what engines know"))),
            _ => Err(AuthError::InvalidToken.into()),
        }
    }
}

fn policy(name: &str) -> IssuerPolicy {
    IssuerPolicy::new(IssuerName::parse(name).unwrap(), Provision::User)
}

/// A JWT of Ada's.
fn jwt() -> String {
    let now = now().as_second();
    let claims = json!({"sub": "ada", "iat": now, "exp": now + 300, "workspaces": ["demo"]}).to_string();
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A gate with every kind of tokens, and an issuer of opaque ones that begin so.
async fn gate(prefix: &str) -> (TestGateway, Watched, Scripted) {
    let seconds = now().as_second();
    let active = json!({"active": true, "sub": "ada", "exp": seconds + 300, "workspaces": ["demo"]});
    let asked = Scripted::start(Reply::json(&active)).await;
    let watched = Watched::default();
    let parts = Parts { repository: Arc::new(watched.clone()), mode: Mode::Required, ..Parts::in_memory().unwrap() };
    let (clock, signals) = (Arc::clone(&parts.clock), Arc::clone(&parts.ground.signals));
    let upkeep =
        Upkeep { clock: Arc::clone(&clock), tasks: parts.ground.tasks.clone(), stop: parts.ground.stop.clone() };
    let signed = IssuerConfig { secret: Some(SecretString::from(SECRET)), ..IssuerConfig::jwt(policy("signed")) };
    let signed = JwtIssuer::new(signed, &upkeep).unwrap();
    let url = asked.url("/").parse().unwrap();
    let opaque = IntrospectionIssuer::new(policy("opaque"), prefix, url, "gate", SecretString::from("secret"));
    let validators: Vec<Arc<dyn TokenValidator>> =
        vec![Arc::new(IntrospectionValidator::new(vec![opaque], Arc::clone(&clock), Arc::clone(&signals)).unwrap())];
    let jwts = Some(JwtValidator::new(vec![signed], clock, signals).unwrap());
    let issuers = vec![policy("signed").into(), policy("opaque").into()];
    let parts = Parts { validators, jwts, issuers, ..parts.with_bootstrap_token(BOOTSTRAP) };
    let parts = parts.with_scheme(Arc::new(Badges), Arc::new(AsValidated));
    (TestGateway::of(parts, Settings::default()).await, watched, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_are_shown_the_tokens_of_others_and_none_of_the_gates_own() {
    let (gateway, watched, _asked) = gate("opaque_").await;
    let service = gateway.service("ci", &["workflows:read", "chatkit:session"], &["demo"]).await;
    let made = service.post("/api/chatkit/session", &json!({"workspace_id": "demo"})).await;
    let session = gateway.bearer(made.body["client_secret"].as_str().unwrap_or_else(|| panic!("{made:?}")));
    drop(std::mem::take(&mut *watched.seen.lock().unwrap()));

    let jwt = jwt();
    for (what, client, passed_on) in [
        ("bootstrap", gateway.bootstrap(), None),
        ("service", service, None),
        ("session", session, None),
        ("jwt", gateway.bearer(&jwt), Some(jwt.as_str())),
        ("introspection", gateway.bearer("opaque_1"), Some("opaque_1")),
        ("own", gateway.bearer("badge_own"), None),
        ("external", gateway.bearer("badge_external"), Some("badge_external")),
        ("exchanged", gateway.bearer("badge_exchanged"), Some("what engines know")),
    ] {
        for _ in 0..2 {
            let answer = client.get("/api/workspaces").await;
            assert_eq!(answer.status.as_u16(), 200, "{what}: {answer:?}");
            assert_eq!(watched.passed_on().as_deref(), passed_on, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_validators_are_asked_before_issuers_and_nobody_after_them() {
    let (gateway, _watched, asked) = gate("b").await;
    assert_eq!(gateway.bearer("badge_own").get("/api/workspaces").await.status.as_u16(), 200);
    assert_eq!(gateway.bearer("badge_of_nobody").get("/api/workspaces").await.refused(401), "auth.invalid_token");
    assert_eq!(asked.count(), 0, "after a refusal nobody else is asked");
    let me = gateway.bearer("b_opaque").get("/api/whoami").await;
    assert_eq!((&me.body["issuer"], asked.count()), (&json!("opaque"), 1), "{me:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_about_tokens_that_begin_so_is_asked_before_jwts_are_judged() {
    let (gateway, _watched, asked) = gate("eyJ").await;
    let me = gateway.bearer(&jwt()).get("/api/whoami").await;
    assert_eq!((&me.body["issuer"], asked.count()), (&json!("opaque"), 1), "{me:?}");
    // A part of what service tokens begin with takes none of them.
    let (gateway, _watched, asked) = gate("t").await;
    let service = gateway.service("ci", &["workflows:read"], &["demo"]).await;
    assert_eq!(service.get("/api/whoami").await.body["subject"], "ci");
    assert_eq!(gateway.bearer("tgs_nobodys").get("/api/whoami").await.refused(401), "auth.invalid_token");
    assert_eq!(asked.count(), 0);
    assert_eq!(gateway.bearer("t-1").get("/api/whoami").await.body["issuer"], "opaque");
}
