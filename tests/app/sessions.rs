//! Sessions of widgets: within their maker's rights, and ended with what they were made with (authentication.md section 8).

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use josekit::jwk::{
    KeyPair,
    alg::{ec::EcCurve, ec::EcKeyPair, ed::EdCurve, ed::EdKeyPair, rsa::RsaKeyPair},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tidegate::{
    adapters::auth::sessions::{SessionKey, SessionKeyError, SessionTokens},
    app::{
        audit::Wanted,
        authenticate::{Caller, Credential, Mode},
        error::{AppError, Noun},
        service_tokens::{NewRotation, NewServiceToken},
        sessions::{MadeSession, NewSession},
        tasks::TaskFilter,
    },
    domain::{
        bearer::BearerToken,
        engine::{Handle, ProcessKey},
        identity::{CredentialKind, Identity, IdentityKind},
        ids::{RevocationId, WorkflowId},
        issuer::{IssuerPolicy, Provision},
        json::JsonObject,
        page::PageRequest,
        revocation::{Notice, Revocation, Revoked},
        scope::{Scope, Scopes},
        text::Key,
        user::{IssuerName, Role},
        workspace::WorkspaceAccess,
    },
    ports::token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    wiring::{Gate, Parts},
};

use super::{
    town::{Town, id as user},
    world::{World, admin, id, new_token, nothing, one_job, only, workspace},
};
use crate::support::people::{person, placed, policy};

const MAKER: &[Scope] = &[
    Scope::WorkflowsRead,
    Scope::WorkflowsExecute,
    Scope::ChatkitSession,
    Scope::AdminTokensRead,
    Scope::AdminTokensWrite,
];

fn at(text: &str) -> NewSession {
    NewSession { workspace: Some(workspace(text)), ..NewSession::default() }
}

fn left(scopes: &[Scope]) -> Scopes {
    scopes.iter().copied().collect()
}

async fn judge(gate: &Gate, token: &str) -> Result<Caller, AuthError> {
    gate.app.authenticator.authenticate(&Credential::Bearer(BearerToken::new(token)), None).await
}

impl World {
    async fn judged(&self, token: &str) -> Result<Caller, AuthError> {
        judge(&self.gate, token).await
    }

    /// Who comes with a fresh service token.
    async fn maker(&self, new: NewServiceToken) -> Identity {
        let (_, plain) = self.mint(&admin(), new).await;
        self.judged(plain.expose()).await.unwrap().identity.as_ref().clone()
    }

    async fn session(&self, who: &Identity, new: NewSession) -> Result<MadeSession, AppError> {
        self.app().sessions.create(who, new).await
    }

    async fn session_token(&self, who: &Identity, new: NewSession) -> String {
        self.session(who, new).await.unwrap().client_secret.expose_secret().to_owned()
    }
}

async fn world() -> World {
    let world = World::new().await;
    world.workspace("other").await;
    world
}

async fn refused(making: impl Future<Output = Result<MadeSession, AppError>>) -> AuthError {
    match making.await.expect_err("it is refused") {
        AppError::Auth(error) => error,
        other => panic!("{other:?}"),
    }
}

fn missing(scope: Scope) -> AuthError {
    AuthError::MissingScope(left(&[scope]))
}

#[tokio::test]
async fn a_session_may_what_its_maker_may_there_but_administer_and_make_sessions() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo", "other"])).await;
    let made = world.session(&maker, at("demo")).await.unwrap();
    assert_eq!(made.expires_at, world.clock().saturating_add(SignedDuration::from_secs(300)).unwrap());
    let caller = world.judged(made.client_secret.expose_secret()).await.unwrap();
    let who = &caller.identity;
    assert_eq!(
        (who.kind, who.credential, who.subject.as_str()),
        (IdentityKind::Service, CredentialKind::Session, "ci")
    );
    assert_eq!((who.token_id.as_deref(), who.expires_at), (Some("ci"), Some(made.expires_at)));
    assert_eq!(who.rights.reach(), only(&["demo"]));
    assert_eq!(who.rights.scopes_in(&workspace("demo")), left(&[Scope::WorkflowsRead, Scope::WorkflowsExecute]));
    assert!(caller.forwardable.is_none(), "it never leaves the gate");
    world.pass(300);
    assert_eq!(world.judged(made.client_secret.expose_secret()).await.unwrap_err(), AuthError::TokenExpired);
    assert_eq!(world.app().tokens.get(&admin(), &id("ci")).await.unwrap().use_count, 0, "uses are the token's own");
}

#[tokio::test]
async fn a_session_is_no_way_to_more() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let token = world.session_token(&maker, at("demo")).await;
    let who = world.judged(&token).await.unwrap().identity;
    assert_eq!(refused(world.session(&who, at("demo"))).await, missing(Scope::ChatkitSession));
    let minted = world.app().tokens.mint(&who, new_token("more", &[], &["demo"]), None).await;
    assert!(matches!(minted, Err(AppError::Auth(AuthError::MissingScope(_)))), "{minted:?}");
    let made = world.app().workspaces.create(&who, workspace("mine"), None, None).await;
    assert!(matches!(made, Err(AppError::Auth(AuthError::MissingScope(_)))), "{made:?}");
    let town = town().await;
    let owner = ada(&town).await;
    let hers = town.who(&town.world.session_token(&owner, at("demo")).await).await.unwrap();
    assert_eq!((hers.kind, hers.user()), (IdentityKind::User, None));
    let made = town.world.app().workspaces.create(&hers, workspace("mine"), None, None).await;
    assert!(matches!(made, Err(AppError::Auth(AuthError::MissingScope(_)))), "{made:?}");
    let put = town.world.app().members.put(&hers, workspace("demo"), user("eve"), Role::Owner).await;
    assert!(matches!(put, Err(AppError::Auth(AuthError::MissingScope(_)))), "{put:?}");
}

#[tokio::test]
async fn a_session_lives_no_longer_than_its_makers_token() {
    let world = world().await;
    let life = Some(SignedDuration::from_secs(100));
    let maker = world.maker(NewServiceToken { expires_in: life, ..new_token("ci", MAKER, &["demo"]) }).await;
    world.pass(40);
    let made = world.session(&maker, at("demo")).await.unwrap();
    assert_eq!(Some(made.expires_at), maker.expires_at);
    world.pass(60);
    assert_eq!(world.judged(made.client_secret.expose_secret()).await.unwrap_err(), AuthError::TokenExpired);
    assert_eq!(refused(world.session(&maker, at("demo"))).await, AuthError::TokenExpired);
}

#[tokio::test]
async fn a_session_ends_at_once_when_its_service_token_is_revoked() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let token = world.session_token(&maker, at("demo")).await;
    world.judged(&token).await.unwrap();
    world.app().tokens.revoke(&admin(), id("ci"), None, false).await.unwrap();
    assert_eq!(world.judged(&token).await.unwrap_err(), AuthError::TokenRevoked);
}

#[tokio::test]
async fn a_session_ends_with_the_secret_that_it_was_made_with() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let rotate = async |seconds: i64| {
        let new = NewRotation { overlap: Some(SignedDuration::from_secs(seconds)), ..NewRotation::default() };
        world.app().tokens.rotate(&admin(), id("ci"), new, None).await.unwrap().1
    };
    let before = world.session_token(&maker, at("demo")).await;
    world.clock.advance(SignedDuration::from_millis(1));
    let second = rotate(100).await;
    world.judged(&before).await.unwrap();
    world.pass(100);
    assert_eq!(world.judged(&before).await.unwrap_err(), AuthError::TokenExpired);
    let maker = world.judged(second.expose()).await.unwrap().identity;
    let before = world.session_token(&maker, at("demo")).await;
    world.clock.advance(SignedDuration::from_millis(1));
    let third = rotate(0).await;
    assert_eq!(world.judged(&before).await.unwrap_err(), AuthError::TokenExpired);
    let maker = world.judged(third.expose()).await.unwrap().identity;
    world.judged(&world.session_token(&maker, at("demo")).await).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_was_replaced_twice_brings_no_session_back() {
    let world = World::of(|parts| Parts { session_ttl: SignedDuration::from_hours(1), ..parts });
    world.workspace("demo").await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let rotate = async |seconds: i64| {
        let new = NewRotation { overlap: Some(SignedDuration::from_secs(seconds)), ..NewRotation::default() };
        world.app().tokens.rotate(&admin(), id("ci"), new, None).await.unwrap().1
    };
    let by_first = world.session_token(&maker, at("demo")).await;
    let second = rotate(100).await;
    let maker = world.judged(second.expose()).await.unwrap().identity;
    let by_second = world.session_token(&maker, at("demo")).await;
    world.judged(&by_first).await.unwrap();
    world.pass(100);
    assert_eq!(world.judged(&by_first).await.unwrap_err(), AuthError::TokenExpired);
    rotate(100).await;
    assert_eq!(world.judged(&by_first).await.unwrap_err(), AuthError::TokenExpired, "not while the second works on");
    world.judged(&by_second).await.unwrap();
    world.pass(100);
    assert_eq!(world.judged(&by_second).await.unwrap_err(), AuthError::TokenExpired);
}

#[tokio::test]
async fn sessions_end_when_another_bootstrap_token_is_configured() {
    let one = World::of(|parts| Parts { sessions: Some(tokens("chatkit", KEY)), ..parts });
    one.workspace("demo").await;
    let replica = |token: &str| {
        let parts = Parts { repository: Arc::new(one.repository.clone()), clock: one.clock.clone(), ..parts() };
        Gate::new(Parts { sessions: Some(tokens("chatkit", KEY)), ..parts }.with_bootstrap_token(token))
    };
    let (first, again) = (replica("a-first-bootstrap-token-0123456789"), replica("a-first-bootstrap-token-0123456789"));
    let root = judge(&first, "a-first-bootstrap-token-0123456789").await.unwrap().identity;
    let token = first.app.sessions.create(&root, at("demo")).await.unwrap().client_secret;
    let token = token.expose_secret();
    for gate in [&first, &again] {
        let who = judge(gate, token).await.unwrap().identity;
        assert_eq!((who.kind, who.rights.reach()), (IdentityKind::Bootstrap, only(&["demo"])));
    }
    let another = replica("another-bootstrap-token-0123456789");
    assert_eq!(judge(&another, token).await.unwrap_err(), AuthError::TokenRevoked);
}

async fn ada(town: &Town) -> Identity {
    town.who(&town.token(person("ada"))).await.unwrap().as_ref().clone()
}

async fn town() -> Town {
    let town = Town::of(policy(Provision::User)).await;
    town.put("ada", Role::Admin).await;
    town
}

#[tokio::test]
async fn a_session_is_cut_to_the_memberships_that_its_maker_has_now() {
    let town = town().await;
    let token = town.world.session_token(&ada(&town).await, at("demo")).await;
    let may = async |scope: Scope| town.who(&token).await.unwrap().may(scope, &workspace("demo"));
    assert!(may(Scope::WorkflowsExecute).await && may(Scope::VaultWrite).await && !may(Scope::ChatkitSession).await);
    assert!(!may(Scope::AdminTokensRead).await);
    town.put("ada", Role::Viewer).await;
    assert!(may(Scope::WorkflowsRead).await && !may(Scope::WorkflowsExecute).await);
    town.remove("ada").await;
    assert_eq!(town.who(&token).await.unwrap().rights.reach(), WorkspaceAccess::none());
}

#[tokio::test]
async fn a_session_of_a_persons_own_token_is_cut_to_what_the_person_has_now() {
    let town = town().await;
    let secret = town.world.mint(&ada(&town).await, new_token("hers", MAKER, &["demo"])).await.1;
    let hers = town.who(secret.expose()).await.unwrap();
    let token = town.world.session_token(&hers, at("demo")).await;
    let may = async |scope: Scope| town.who(&token).await.unwrap().may(scope, &workspace("demo"));
    assert!(may(Scope::WorkflowsRead).await && may(Scope::WorkflowsExecute).await);
    town.put("ada", Role::Viewer).await;
    assert!(may(Scope::WorkflowsRead).await && !may(Scope::WorkflowsExecute).await);
    town.remove("ada").await;
    assert!(!may(Scope::WorkflowsRead).await);
    assert_eq!(town.who(&token).await.unwrap().rights.reach(), WorkspaceAccess::none());
}

#[tokio::test]
async fn a_session_of_who_is_nobodys_member_follows_them_when_they_become_one() {
    let open = IssuerPolicy { default_workspaces: only(&["demo"]), ..policy(Provision::User) };
    let town = Town::of(open).await;
    let token = town.world.session_token(&ada(&town).await, at("demo")).await;
    let may = async |scope: Scope| town.who(&token).await.unwrap().may(scope, &workspace("demo"));
    assert!(may(Scope::WorkflowsExecute).await);
    town.put("ada", Role::Viewer).await;
    assert!(may(Scope::WorkflowsRead).await && !may(Scope::WorkflowsExecute).await);
}

#[tokio::test]
async fn a_session_ends_when_its_makers_token_session_or_person_is_revoked() {
    let issuer = IssuerName::parse("corp").unwrap();
    for revoked in [
        Revoked::User(user("ada")),
        Revoked::Session { issuer: issuer.clone(), sid: "s-1".to_owned() },
        Revoked::Token { issuer: issuer.clone(), jti: "j-1".to_owned() },
    ] {
        let town = town().await;
        let hers = Identity {
            token_id: Some("j-1".to_owned()),
            session_id: Some("s-1".to_owned()),
            ..placed("ada", &["demo", "elsewhere"])
        };
        let ada = town.who(&town.token(hers)).await.unwrap();
        let token = town.world.session_token(&ada, at("demo")).await;
        // Workspaces that her token names need no membership.
        town.remove("ada").await;
        assert_eq!(town.who(&token).await.unwrap().rights.reach(), only(&["demo"]));
        // What was issued before a moment ends, and the session counts as issued with its parent.
        let revocation = Revocation {
            id: RevocationId::new(uuid::Uuid::from_u128(7)),
            revoked: revoked.clone(),
            reason: None,
            ban: false,
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            ends_at: None,
            created_by: (&admin()).into(),
        };
        town.world.app().core.commands.signals().standing.apply([Notice::Revoked(revocation)]);
        assert_eq!(town.who(&token).await.unwrap_err(), AuthError::TokenRevoked, "{revoked:?}");
    }
}

#[tokio::test]
async fn a_session_for_a_workflow_reaches_that_one_and_nothing_else() {
    let world = world().await;
    let deployed = async |key: &str| world.deploy(&admin(), "demo", &one_job(key)).await;
    let (own, other) = (deployed("own").await, deployed("other").await);
    let (its, others) = (own.processes[0].workflow, other.processes[0].workflow);
    let scopes = [MAKER, &[Scope::WorkflowsWrite, Scope::JobsWork, Scope::VaultRead]].concat();
    let maker = world.maker(new_token("ci", &scopes, &["demo"])).await;
    let order = NewSession { workflow: Some(its), ..NewSession::default() };
    let who = world.judged(&world.session_token(&maker, order).await).await.unwrap().identity;
    let (app, who) = (world.app(), &*who);
    assert_eq!(who.rights.scopes_in(&workspace("demo")), left(&[Scope::WorkflowsRead, Scope::WorkflowsExecute]));

    let started = app.executions.start(who, its, nothing(), None, None).await.unwrap().value;
    assert_eq!(app.workflows.get(who, its).await.unwrap().id, its);
    assert_eq!(app.executions.get(who, started.id).await.unwrap().id, started.id);
    let instance = Handle::new(started.engine, started.instance.unwrap()).to_string();
    app.processes.variables(who, &instance).await.unwrap();
    app.events.may_follow(who, its).await.unwrap();
    app.executions.cancel(who, started.id, None).await.unwrap();

    let running = app.executions.start(&maker, others, nothing(), None, None).await.unwrap().value;
    let foreign = Handle::new(running.engine, running.instance.unwrap()).to_string();
    let refused = [
        app.workflows.get(who, others).await.err(),
        app.executions.start(who, others, nothing(), None, None).await.err(),
        app.executions.get(who, running.id).await.err(),
        app.executions.cancel(who, running.id, None).await.err(),
        app.events.may_follow(who, others).await.err(),
        app.processes.variables(who, &foreign).await.err(),
        app.deployments.get(who, own.id).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(AppError::NotFound(_))), "{error:?}");
    }
    let (key, page) = (ProcessKey::parse("own").unwrap(), PageRequest::default());
    let refused = [
        app.workflows.list(who, None, None, &page).await.err(),
        app.workflows.list(who, Some(&workspace("demo")), None, &page).await.err(),
        app.deployments.list(who, None, None, &page).await.err(),
        app.tasks.inbox(who, TaskFilter::default(), &page).await.err(),
        app.processes.start(who, key, None, None, nothing(), None).await.err(),
        app.messages.broadcast(who, Key::parse("x").unwrap(), None, nothing()).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(AppError::Auth(AuthError::WorkspaceForbidden))), "{error:?}");
    }
}

#[tokio::test]
async fn making_a_session_is_entered_in_the_audit_and_failing_to_is_not() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo", "other"])).await;
    let token = world.session_token(&maker, at("demo")).await;
    let both = world.session_token(&maker, NewSession::default()).await;
    refused(world.session(&maker, at("nobodys"))).await;
    let long = JsonObject::from_iter([("note".to_owned(), Value::from("a".repeat(3_000)))]);
    world.session(&maker, NewSession { metadata: Some(long), ..at("demo") }).await.unwrap_err();
    world.gate.audit().finish().await;
    let wanted = Wanted { action: Some("session.create".to_owned()), ..Wanted::default() };
    let found = world.app().audit.list(&admin(), wanted, &PageRequest::default()).await.unwrap().items;
    let id = |token: &str| {
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()["jti"].as_str().map(str::to_owned)
    };
    let said: Vec<_> = found.iter().map(|entry| (entry.target.clone(), entry.workspace.clone())).collect();
    assert_eq!(said, [(id(&both), None), (id(&token), Some(workspace("demo")))]);
    assert!(found.iter().all(|entry| entry.identity.subject == "ci" && entry.identity.kind == IdentityKind::Service));
}

#[tokio::test]
async fn a_workflow_must_be_seen_and_gives_the_session_its_workspace() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let here = world.workflow(&admin(), "demo", "here").await.unwrap();
    let there = world.workflow(&admin(), "other", "there").await.unwrap();
    let of = |workflow: WorkflowId| NewSession { workflow: Some(workflow), ..NewSession::default() };
    let who = world.judged(&world.session_token(&maker, of(here.id)).await).await.unwrap().identity;
    assert_eq!((who.rights.reach(), &who.claims["workflow_id"]), (only(&["demo"]), &json!(here.id.to_string())));
    let unseen = world.session(&maker, of(there.id)).await;
    assert!(matches!(unseen, Err(AppError::NotFound(Noun::Workflow))), "{unseen:?}");
    let both = NewSession { workspace: Some(workspace("other")), ..of(here.id) };
    let maker = world.maker(new_token("both", MAKER, &["demo", "other"])).await;
    assert!(matches!(world.session(&maker, both).await, Err(AppError::Invalid(_))));
}

#[tokio::test]
async fn nobody_gets_a_session_for_all_workspaces_and_nobody_without_a_credential_or_the_scope() {
    let world = world().await;
    let nothing = NewSession::default;
    assert!(matches!(world.session(&admin(), nothing()).await, Err(AppError::Invalid(_))));
    let anonymous = Identity::anonymous(left(&[Scope::ChatkitSession]), WorkspaceAccess::All);
    assert_eq!(refused(world.session(&anonymous, at("demo"))).await, AuthError::MissingToken);
    let reader = world.maker(new_token("reader", &[Scope::WorkflowsRead], &["demo"])).await;
    assert_eq!(refused(world.session(&reader, at("demo"))).await, missing(Scope::ChatkitSession));
    let maker = world.maker(new_token("ci", MAKER, &["demo", "gone"])).await;
    assert_eq!(refused(world.session(&maker, at("other"))).await, AuthError::WorkspaceForbidden);
    assert_eq!(refused(world.session(&maker, at("gone"))).await, AuthError::WorkspaceForbidden);
    let who = world.judged(&world.session_token(&maker, nothing()).await).await.unwrap().identity;
    assert_eq!(who.rights.reach(), only(&["demo", "gone"]));
}

#[tokio::test]
async fn metadata_travels_along_within_bounds() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let with = |text: String| {
        let metadata = JsonObject::from_iter([("note".to_owned(), Value::from(text))]);
        NewSession { metadata: Some(metadata), ..at("demo") }
    };
    let who = world.judged(&world.session_token(&maker, with("ä\"".to_owned())).await).await.unwrap().identity;
    assert_eq!(who.claims["metadata"], json!({"note": "ä\""}));
    assert!(matches!(world.session(&maker, with("a".repeat(3_000))).await, Err(AppError::Invalid(_))));
}

#[tokio::test]
async fn without_a_key_there_are_no_sessions() {
    let world = World::of(|parts| Parts { sessions: None, ..parts });
    world.workspace("demo").await;
    assert!(matches!(world.session(&admin(), at("demo")).await, Err(AppError::NoSessions)));
}

fn tokens(audience: &str, key: &str) -> Arc<SessionTokens> {
    Arc::new(SessionTokens::new("tidegate", audience, SessionKey::parse("HS256", key).unwrap()).unwrap())
}

const KEY: &str = "a key of thirty-two bytes or more";

#[tokio::test]
async fn replicas_with_one_key_know_each_others_sessions_and_nobody_elses() {
    let one = World::of(|parts| Parts { sessions: Some(tokens("chatkit", KEY)), ..parts });
    one.workspace("demo").await;
    let replica = |sessions: Arc<SessionTokens>| {
        let parts = Parts { repository: Arc::new(one.repository.clone()), clock: one.clock.clone(), ..parts() };
        Gate::new(Parts { sessions: Some(sessions), ..parts })
    };
    let maker = one.maker(new_token("ci", MAKER, &["demo"])).await;
    let token = one.session_token(&maker, at("demo")).await;
    judge(&replica(tokens("chatkit", KEY)), &token).await.unwrap();
    let another = "another key of thirty-two bytes or more";
    assert_eq!(judge(&replica(tokens("chatkit", another)), &token).await.unwrap_err(), AuthError::InvalidToken);
    assert_eq!(judge(&replica(tokens("others", KEY)), &token).await.unwrap_err(), AuthError::InvalidAudience);
    let elsewhere = SessionTokens::new("elsewhere", "chatkit", SessionKey::parse("HS256", KEY).unwrap()).unwrap();
    assert_eq!(judge(&replica(Arc::new(elsewhere)), &token).await.unwrap_err(), AuthError::InvalidIssuer);
    let session = one.session_token(&admin(), at("demo")).await;
    assert_eq!(
        judge(&replica(tokens("chatkit", KEY)), &session).await.unwrap_err(),
        AuthError::TokenRevoked,
        "where there is no bootstrap token, none has made it"
    );
}

/// Takes everything that looks like a JWT, and refuses it.
#[derive(Debug)]
struct Greedy;

#[async_trait]
impl TokenValidator for Greedy {
    fn recognizes(&self, token: &BearerToken) -> bool {
        token.expose().starts_with("eyJ")
    }

    async fn validate(&self, _: &BearerToken) -> Result<ValidatedToken, Rejection> {
        Err(AuthError::UnsupportedAlgorithm.into())
    }
}

#[tokio::test]
async fn sessions_are_judged_where_jwts_are_after_all_who_go_by_a_prefix() {
    let world = World::of(|parts| Parts { validators: vec![Arc::new(Greedy)], ..parts });
    world.workspace("demo").await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let token = world.session_token(&maker, at("demo")).await;
    assert_eq!(world.judged(&token).await.unwrap_err(), AuthError::UnsupportedAlgorithm);
}

#[tokio::test]
async fn what_is_wrong_with_a_session_is_told_of_whom_it_stands_for() {
    let world = world().await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let token = world.session_token(&maker, at("demo")).await;
    world.app().tokens.revoke(&admin(), id("ci"), None, false).await.unwrap();
    let credential = Credential::Bearer(BearerToken::new(token));
    let rejection = world.app().authenticator.admit(&credential, None).await.unwrap_err();
    let of = rejection.of.unwrap();
    assert_eq!(
        (rejection.error, of.kind, of.issuer.as_deref()),
        (AuthError::TokenRevoked, IdentityKind::Service, None)
    );
    assert_eq!((of.subject.as_str(), of.token_id.as_deref()), ("ci", Some("ci")));
}

fn parts() -> Parts {
    Parts { mode: Mode::Required, ..Parts::in_memory().unwrap() }
}

#[tokio::test]
async fn what_was_tampered_with_is_refused() {
    let world = World::of(|parts| Parts { sessions: Some(tokens("chatkit", KEY)), ..parts });
    world.workspace("demo").await;
    let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
    let token = world.session_token(&maker, at("demo")).await;
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three segments") };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    for name in ["iss", "aud", "sub", "iat", "exp", "jti", "scope", "workspace_ids", "parent"] {
        assert!(!claims[name].is_null(), "{name}: {claims}");
    }
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut wider = claims.clone();
    wider["workspace_ids"] = json!(["demo", "other"]);
    let none = encode(&json!({"alg": "none", "typ": "JWT"}));
    let other = encode(&json!({"alg": "RS256", "typ": "JWT"}));
    let dressed_up = encode(&json!({"alg": "HS256", "typ": "JWT", "kid": "1"}));
    for (forged, error) in [
        (format!("{header}.{}.{signature}", encode(&wider)), AuthError::InvalidToken),
        (format!("{header}.{payload}."), AuthError::InvalidToken),
        (format!("{header}.{payload}.{}", signature.get(1..).unwrap()), AuthError::InvalidToken),
        (format!("{header}.{payload}.{signature}="), AuthError::InvalidToken),
        (format!("{dressed_up}.{payload}.{signature}"), AuthError::InvalidToken),
        (format!("{none}.{payload}."), AuthError::UnsupportedAlgorithm),
        (format!("{other}.{payload}.{signature}"), AuthError::UnsupportedAlgorithm),
        (format!("{token}.{signature}"), AuthError::InvalidToken),
    ] {
        assert_eq!(world.judged(&forged).await.unwrap_err(), error, "{forged}");
    }
    world.judged(&token).await.unwrap();
}

#[tokio::test]
async fn every_algorithm_signs_what_it_verifies() {
    let rsa = RsaKeyPair::generate(2048).unwrap();
    let p256 = EcKeyPair::generate(EcCurve::P256).unwrap();
    let ed25519 = EdKeyPair::generate(EdCurve::Ed25519).unwrap();
    let pem = |pair: &dyn KeyPair| String::from_utf8(pair.to_pem_private_key()).unwrap();
    let jwk = |pair: &dyn KeyPair| pair.to_jwk_private_key().to_string();
    for (algorithm, text) in [
        ("HS256", KEY.to_owned()),
        ("RS256", pem(&rsa)),
        ("RS256", jwk(&rsa)),
        ("ES256", pem(&p256)),
        ("ES256", jwk(&p256)),
        ("EdDSA", pem(&ed25519)),
        ("EdDSA", jwk(&ed25519)),
    ] {
        let key = SessionKey::parse(algorithm, &text).unwrap();
        assert_eq!(format!("{key:?}"), format!("SessionKey({algorithm}, [redacted])"));
        let tokens = Arc::new(SessionTokens::new("tidegate", "chatkit", key).unwrap());
        let world = World::of(|parts| Parts { sessions: Some(tokens), ..parts });
        world.workspace("demo").await;
        let maker = world.maker(new_token("ci", MAKER, &["demo"])).await;
        let token = world.session_token(&maker, at("demo")).await;
        assert_eq!(world.judged(&token).await.unwrap().identity.subject, "ci", "{algorithm}");
    }
    let small = pem(&RsaKeyPair::generate(1024).unwrap());
    let public = String::from_utf8(rsa.to_pem_public_key()).unwrap();
    for (algorithm, text, error) in [
        ("HS256", "short".to_owned(), SessionKeyError::Short),
        ("HS256", pem(&rsa), SessionKeyError::NoSecret),
        ("RS256", small, SessionKeyError::Unfit),
        ("RS256", public, SessionKeyError::Unfit),
        ("RS256", pem(&p256), SessionKeyError::Unfit),
        ("ES256", pem(&EcKeyPair::generate(EcCurve::P384).unwrap()), SessionKeyError::Unfit),
        ("EdDSA", KEY.to_owned(), SessionKeyError::Unfit),
        ("HS512", KEY.repeat(3), SessionKeyError::Algorithm),
    ] {
        assert_eq!(SessionKey::parse(algorithm, &text).unwrap_err(), error, "{algorithm}");
    }
}

#[test]
fn a_key_is_found_among_an_issuers_by_what_it_is() {
    let (own, other) = (EcKeyPair::generate(EcCurve::P256).unwrap(), EcKeyPair::generate(EcCurve::P256).unwrap());
    let key = SessionKey::parse("ES256", &own.to_jwk_private_key().to_string()).unwrap();
    let public = |pair: &EcKeyPair| {
        let mut jwk: Value = serde_json::from_str(&pair.to_jwk_public_key().to_string()).unwrap();
        jwk["kid"] = json!("anything");
        jwk
    };
    assert!(key.is_among(&json!({"keys": [public(&other), public(&own)]})));
    assert!(key.is_among(&json!([public(&own)])));
    assert!(!key.is_among(&json!({"keys": [public(&other)]})));
    assert!(!SessionKey::parse("HS256", KEY).unwrap().is_among(&json!({"keys": [public(&own)]})));
}

impl World {
    fn clock(&self) -> Timestamp {
        tidegate::ports::clock::Clock::now(&*self.clock)
    }
}
