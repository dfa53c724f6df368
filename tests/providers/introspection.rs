//! Opaque tokens: with the certified provider, and with a scripted endpoint for the trouble that it does not make.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::{
    adapters::{
        auth::{
            introspection::{BadIssuer, IntrospectionIssuer, IntrospectionValidator},
            jwt::Audience,
        },
        clock::ManualClock,
    },
    app::signals::Signals,
    domain::{
        bearer::BearerToken,
        identity::{Identity, IdentityKind},
        ids::RevocationId,
        issuer::{IssuerPolicy, Provision},
        rejection::RejectionReason,
        revocation::{Notice, Revocation, Revoked},
        scope::{Scope, Scopes},
        user::IssuerName,
    },
    ports::{
        clock::Clock,
        repository::{LogPosition, LogRead},
        token_validator::{AuthError, Rejection, Suspect, TokenValidator},
    },
};
use tokio::time::Instant;

use crate::support::{
    peers::{Endpoint, Fault, OidcProvider},
    scripted::{Reply, Scripted},
};

/// Now, on the tests' clock.
pub(super) const NOW: i64 = 1_800_000_000;

/// A validator whose clock stands, beside a revocation log that was just read.
pub(super) struct World {
    pub(super) validator: IntrospectionValidator,
    pub(super) clock: Arc<ManualClock>,
    pub(super) signals: Arc<Signals>,
}

impl World {
    pub(super) fn of(issuers: Vec<IntrospectionIssuer>) -> Self {
        Self::at(jiff::Timestamp::from_second(NOW).unwrap(), issuers)
    }

    fn at(now: jiff::Timestamp, issuers: Vec<IntrospectionIssuer>) -> Self {
        let world = Self::without_log(now, issuers);
        world.read_log();
        world
    }

    /// Nobody has read the revocation log yet.
    fn without_log(now: jiff::Timestamp, issuers: Vec<IntrospectionIssuer>) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let signals = Arc::new(Signals::default());
        let validator = IntrospectionValidator::new(issuers, clock.clone(), signals.clone()).unwrap();
        Self { validator, clock, signals }
    }

    fn read_log(&self) {
        let nothing = LogRead { notices: Vec::new(), position: LogPosition(0), whole: false };
        self.signals.standing.took(nothing, Instant::now());
    }

    pub(super) async fn judge(&self, token: &str) -> Result<Arc<Identity>, Rejection> {
        let token = BearerToken::new(token);
        assert!(self.validator.recognizes(&token));
        let validated = self.validator.validate(&token).await?;
        assert_eq!(validated.forwardable(&token).as_ref(), Some(&token));
        Ok(Arc::clone(validated.identity()))
    }

    async fn refusal(&self, token: &str) -> AuthError {
        self.judge(token).await.unwrap_err().error
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    fn revoke(&self, revoked: Revoked) {
        let revocation = Revocation {
            id: RevocationId::new(crate::support::unique()),
            revoked,
            reason: None,
            ban: false,
            at: self.clock.now(),
            ends_at: None,
            created_by: (&Identity::bootstrap(Scopes::new(), None)).into(),
        };
        self.signals.standing.apply([Notice::Revoked(revocation)]);
    }
}

pub(super) fn name() -> IssuerName {
    IssuerName::parse("opaque").unwrap()
}

pub(super) fn issuer(prefix: &str, url: &str) -> IntrospectionIssuer {
    let policy = IssuerPolicy::new(name(), Provision::User);
    IntrospectionIssuer::new(policy, prefix, url.parse().unwrap(), "gate", SecretString::from("client-secret"))
}

/// The answer about a good token of Ada's.
pub(super) fn active() -> Value {
    json!({"active": true, "sub": "ada", "jti": "t1", "sid": "s1", "iat": NOW, "exp": NOW + 300, "scope": "workflows:read"})
}

async fn scripted(reply: Reply) -> (Scripted, World) {
    let server = Scripted::start(reply).await;
    let world = World::of(vec![issuer("op_", &server.url("/introspect"))]);
    (server, world)
}

fn told(issuer: &str, token: Option<&str>, error: AuthError) -> Rejection {
    error.of(suspect(issuer, "ada", token))
}

/// A person of an issuer's, by a token of theirs.
pub(super) fn suspect(issuer: &str, subject: &str, token: Option<&str>) -> Suspect {
    let (issuer, subject, token_id) = (Some(issuer.to_owned()), subject.to_owned(), token.map(str::to_owned));
    Suspect { kind: IdentityKind::User, issuer, subject, token_id }
}

/// An issuer in the gate's configuration for all that a real provider makes.
fn real(provider: &OidcProvider, token: &str) -> World {
    let (id, secret) = provider.odd_introspection_client();
    let policy = IssuerPolicy::new(name(), Provision::User);
    let url = provider.introspection_url().parse().unwrap();
    let secret = SecretString::from(secret.to_owned());
    let issuer = IntrospectionIssuer {
        issuers: vec![provider.issuer().to_owned()],
        audience: Audience::of(vec!["tidegate".to_owned()]),
        ..IntrospectionIssuer::new(policy, &token[..3], url, id, secret)
    };
    World::at(tidegate::adapters::clock::SystemClock.now(), vec![issuer])
}

#[tokio::test]
async fn a_real_providers_opaque_token_names_its_subject() {
    let provider = OidcProvider::start().await;
    let request = provider.user_token("ada").audience("tidegate").scope("workflows:read openid");
    let token = request.claims(&json!({"workspaces": ["demo"]})).opaque().mint().await;
    let world = real(&provider, &token);
    let ada = world.judge(&token).await.unwrap();
    assert_eq!((ada.subject.as_str(), ada.issuer.as_deref()), ("ada", Some("opaque")));
    assert!(ada.may(Scope::WorkflowsRead, &"demo".parse_workspace()) && !ada.is_allowed(Scope::WorkflowsWrite));
    assert_eq!(provider.requests(Endpoint::Introspection).await, 1);

    let foreign = provider.user_token("ada").audience("elsewhere").scope("workflows:read").opaque().mint().await;
    let world = real(&provider, &foreign);
    assert_eq!(world.judge(&foreign).await.unwrap_err(), told("opaque", None, AuthError::InvalidAudience));
}

#[tokio::test]
async fn a_token_that_its_provider_ended_is_refused_within_a_minute() {
    let provider = OidcProvider::start().await;
    let token = provider.user_token("ada").audience("tidegate").scope("jobs:work").opaque().mint().await;
    let world = real(&provider, &token);
    assert!(world.judge(&token).await.is_ok());
    provider.revoke(&token).await;
    world.pass(60);
    assert_eq!(world.judge(&token).await, Err(RejectionReason::Inactive.into()));
    let unknown = format!("{}-nobody-made-this", &token[..3]);
    assert_eq!(world.refusal(&unknown).await, AuthError::InvalidToken);
}

#[tokio::test]
async fn a_provider_that_is_down_refuses_nobody_for_it() {
    let provider = OidcProvider::start().await;
    let token = provider.user_token("ada").audience("tidegate").scope("jobs:work").opaque().mint().await;
    let world = real(&provider, &token);
    provider.go_down().await;
    assert_eq!(world.refusal(&token).await, AuthError::Unavailable);
    provider.come_back().await;
    for fault in [Fault::Status(500), Fault::Drop, Fault::Cut, Fault::Huge, Fault::Html] {
        provider.fault(Endpoint::Introspection, fault.clone()).await;
        assert_eq!(world.refusal(&token).await, AuthError::Unavailable, "{fault:?}");
    }
    provider.fault(Endpoint::Introspection, Fault::None).await;
    assert!(world.judge(&token).await.is_ok());
    provider.go_down().await;
    assert!(world.judge(&token).await.is_ok(), "what was found out still counts");
}

#[tokio::test]
async fn the_question_is_put_as_the_rfcs_say() {
    let (server, world) = scripted(Reply::json(&active())).await;
    world.judge("op_a+b/c=&token=x").await.unwrap();
    let request = &server.requests()[0];
    assert!(request.head.starts_with("POST /introspect HTTP/1.1"));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.header("authorization"), Some("Basic Z2F0ZTpjbGllbnQtc2VjcmV0"));
    assert_eq!(request.body, "token=op_a%2Bb%2Fc%3D%26token%3Dx&token_type_hint=access_token");
}

#[tokio::test]
async fn a_good_answer_counts_for_a_minute_and_never_past_the_end_of_the_token() {
    let (server, world) = scripted(Reply::json(&active())).await;
    for _ in 0..3 {
        assert!(world.judge("op_1").await.is_ok());
    }
    world.pass(59);
    assert!(world.judge("op_1").await.is_ok());
    assert_eq!(server.count(), 1);
    world.pass(1);
    assert!(world.judge("op_1").await.is_ok());
    assert_eq!(server.count(), 2);

    world.pass(235);
    assert!(world.judge("op_2").await.is_ok());
    server.reply(Reply::json(&json!({"active": false})));
    world.pass(5);
    assert_eq!(world.refusal("op_2").await, AuthError::InvalidToken);
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn a_refusal_counts_for_ten_seconds() {
    let (server, world) = scripted(Reply::json(&json!({"active": false}))).await;
    assert_eq!(world.judge("op_1").await, Err(RejectionReason::Inactive.into()));
    server.reply(Reply::json(&active()));
    world.pass(9);
    assert_eq!(world.refusal("op_1").await, AuthError::InvalidToken);
    assert_eq!(server.count(), 1);
    world.pass(1);
    assert!(world.judge("op_1").await.is_ok());
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_what_was_found_out_doubtful() {
    let (server, world) = scripted(Reply::json(&json!({"active": false}))).await;
    world.refusal("op_1").await;
    world.pass(-3600);
    world.refusal("op_1").await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_are_one_question() {
    let (server, world) = scripted(Reply::json(&active()).after(Duration::from_millis(200))).await;
    let answers = join_all((0..100).map(|_| world.judge("op_1"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn who_gives_up_waiting_takes_nobody_along() {
    let (server, world) = scripted(Reply::json(&active()).after(Duration::from_millis(300))).await;
    let impatient = tokio::time::timeout(Duration::from_millis(50), world.judge("op_1"));
    let (given_up, answer) = tokio::join!(impatient, world.judge("op_1"));
    assert!(given_up.is_err() && answer.is_ok());
    assert!(server.count() <= 2);
}

#[tokio::test]
async fn trouble_at_the_endpoint_is_never_a_refusal_and_never_remembered() {
    let (server, world) = scripted(Reply::status(500)).await;
    for trouble in [
        Reply::status(500),
        Reply::status(503),
        Reply::status(400),
        Reply::status(401),
        Reply::status(403),
        Reply::status(204),
        Reply::html(),
        Reply::redirect(&server.url("/elsewhere")),
        Reply::json(&json!({})),
        Reply::json(&json!([true])),
        Reply::json(&json!({"active": "true", "sub": "ada"})),
        Reply::status(200).body("{\"active\":false,\"active\":true}"),
        Reply::json(&active()).cut_after(12),
        Reply::json(&active()).huge(2 << 20),
        Reply::json(&active()).huge_unannounced(50 << 20),
    ] {
        let before = server.count();
        server.reply(trouble.clone());
        assert_eq!(world.judge("op_1").await, Err(AuthError::Unavailable.into()), "{trouble:?}");
        assert_eq!(server.count(), before + 1, "no redirect is followed, nothing is asked twice");
    }
    server.reply(Reply::json(&active()).huge(1_000_000));
    assert!(world.judge("op_1").await.is_ok());
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_waited_for_in_vain_but_not_for_long() {
    let server = Scripted::start(Reply::json(&active()).never()).await;
    let mut issuer = issuer("op_", &server.url("/"));
    issuer.timeout = Duration::from_millis(100);
    let world = World::of(vec![issuer]);
    assert_eq!(world.refusal("op_1").await, AuthError::Unavailable);
}

#[tokio::test]
async fn only_so_many_questions_are_open_at_once() {
    let server = Scripted::start(Reply::json(&active()).never()).await;
    let mut issuer = issuer("op_", &server.url("/"));
    issuer.timeout = Duration::from_secs(3);
    let world = World::of(vec![issuer]);
    let tokens: Vec<_> = (0..50).map(|number| format!("op_{number}")).collect();
    let answers = join_all(tokens.iter().map(|token| world.refusal(token))).await;
    assert!(answers.iter().all(|answer| *answer == AuthError::Unavailable));
    assert_eq!(server.count(), 32);
}

#[tokio::test]
async fn what_was_revoked_is_refused_at_its_next_use() {
    let revoked = [
        Revoked::User("opaque:ada".parse_user()),
        Revoked::Session { issuer: name(), sid: "s1".to_owned() },
        Revoked::Token { issuer: name(), jti: "t1".to_owned() },
    ];
    for revoked in revoked {
        let (server, world) = scripted(Reply::json(&active())).await;
        assert!(world.judge("op_1").await.is_ok());
        world.revoke(revoked.clone());
        assert_eq!(world.judge("op_1").await, Err(told("opaque", Some("t1"), AuthError::TokenRevoked)), "{revoked:?}");
        assert_eq!(server.count(), 1);
        // Said before that it has expired.
        world.pass(400);
        assert_eq!(world.judge("op_2").await, Err(told("opaque", Some("t1"), AuthError::TokenRevoked)), "{revoked:?}");
    }
}

#[tokio::test]
async fn what_is_revoked_while_it_is_asked_about_is_refused() {
    let (server, world) = scripted(Reply::json(&active()).after(Duration::from_millis(300))).await;
    let revoked = async {
        server.asked(1).await;
        world.revoke(Revoked::Token { issuer: name(), jti: "t1".to_owned() });
    };
    let (judged, ()) = tokio::join!(world.judge("op_1"), revoked);
    assert_eq!(judged, Err(told("opaque", Some("t1"), AuthError::TokenRevoked)));
    assert_eq!(world.judge("op_1").await, Err(told("opaque", Some("t1"), AuthError::TokenRevoked)));
}

#[tokio::test]
async fn what_was_found_out_counts_only_while_the_revocation_log_is_read() {
    let server = Scripted::start(Reply::json(&active())).await;
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let world = World::without_log(now, vec![issuer("op_", &server.url("/"))]);
    assert!(world.judge("op_1").await.is_ok() && world.judge("op_1").await.is_ok());
    assert_eq!(server.count(), 2, "it was asked again");
    world.read_log();
    assert!(world.judge("op_1").await.is_ok());
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn the_longest_prefix_tells_whose_a_token_is() {
    let short = Scripted::start(Reply::json(&json!({"active": false}))).await;
    let long = Scripted::start(Reply::json(&active())).await;
    let world = World::of(vec![issuer("op_", &short.url("/")), issuer("op_live_", &long.url("/"))]);
    assert!(world.judge("op_live_1").await.is_ok());
    assert_eq!(world.refusal("op_1").await, AuthError::InvalidToken);
    assert_eq!((short.count(), long.count()), (1, 1));
    for stranger in ["op", "OP_1", "x", "", "tgs_op_1"] {
        assert!(!world.validator.recognizes(&BearerToken::new(stranger)), "{stranger}");
    }
}

#[tokio::test]
async fn what_is_remembered_is_bounded_in_bytes() {
    let mut answer = active();
    answer["more"] = json!("x".repeat(900_000));
    let (server, world) = scripted(Reply::json(&answer)).await;
    for number in 0..20 {
        assert!(world.judge(&format!("op_{number}")).await.is_ok());
    }
    let (tokens, bytes) = world.validator.remembered().await;
    assert!((1..20).contains(&tokens) && bytes <= 32 << 20, "{tokens} tokens, {bytes} bytes");
    assert_eq!(server.count(), 20);
}

#[tokio::test]
async fn a_token_that_is_too_long_is_not_asked_about() {
    let (server, world) = scripted(Reply::json(&active())).await;
    assert_eq!(world.refusal(&format!("op_{}", "a".repeat(16 * 1024))).await, AuthError::InvalidToken);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn neither_token_nor_secret_shows() {
    let (_server, world) = scripted(Reply::status(401)).await;
    let error = world.judge("op_very-secret").await.unwrap_err();
    let shown = format!("{:?} {error:?} {}", world.validator, error.error);
    assert!(!shown.contains("very-secret") && !shown.contains("client-secret") && !shown.contains("Z2F0Z"), "{shown}");
}

#[test]
fn issuers_that_cannot_be_are_named() {
    let url = "https://idp.example/introspect";
    let made = |issuers: Vec<IntrospectionIssuer>| -> Result<(), BadIssuer> {
        let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
        IntrospectionValidator::new(issuers, clock, Arc::default()).map(|_| ())
    };
    let no_secret = IntrospectionIssuer { client_secret: SecretString::from(""), ..issuer("op_", url) };
    for (issuers, reason) in [
        (vec![issuer("", url)], "opaque: prefix must not be empty"),
        (vec![issuer("tgs_", url)], "prefix must not be that of service tokens, tgs_"),
        (vec![issuer("tgs_x", url)], "prefix must not be that of service tokens"),
        (vec![issuer("op ", url)], "prefix must be visible ASCII"),
        (vec![issuer("op_", url), issuer("x", url), issuer("op_", url)], "prefix is also that of issuer opaque"),
        (vec![issuer("op_", "http://idp.example/")], "introspection_url plain http is for loopback only"),
        (vec![issuer("op_", "https://me:pw@idp.example/")], "introspection_url must not hold a user"),
        (vec![no_secret], "client_id and client_secret must not be empty"),
    ] {
        let error = made(issuers).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("pw"), "{error}");
    }
    let plain = IntrospectionIssuer { allow_http: true, ..issuer("op_", "http://idp.example/") };
    assert!(made(vec![issuer("op_", url), issuer("op_x", url), plain]).is_err());
    assert!(made(vec![issuer("tg", url), issuer("op_x", url)]).is_ok());
}

/// What texts name.
trait Named {
    fn parse_workspace(&self) -> tidegate::domain::workspace::WorkspaceId;
    fn parse_user(&self) -> tidegate::domain::user::UserId;
}

impl Named for str {
    fn parse_workspace(&self) -> tidegate::domain::workspace::WorkspaceId {
        tidegate::domain::workspace::WorkspaceId::parse(self).unwrap()
    }

    fn parse_user(&self) -> tidegate::domain::user::UserId {
        tidegate::domain::user::UserId::parse(self).unwrap()
    }
}
