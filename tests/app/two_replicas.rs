//! Two gates on one store: what one does to people holds on the other within a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use tidegate::{
    adapters::persistence::{
        memory::MemoryRepository,
        sea_orm::{DatabaseConfig, DatabaseUrl, SeaOrmRepository},
    },
    app::{
        authenticate::Credential,
        error::AppError,
        revocations::{NewRevocation, Target},
    },
    domain::{
        bearer::BearerToken,
        identity::Identity,
        issuer::Provision,
        page::PageRequest,
        revocation::Notice,
        scope::Scope,
        service_token::{HashedToken, ServiceToken},
        user::Role,
    },
    ports::{repository::Repository, token_validator::AuthError},
    wiring::{Gate, Parts},
};

use super::{
    town::id,
    world::{admin, id as token_id, new_token, workspace},
};
use crate::support::{
    people::{TestIssuer, person, policy},
    postgres::TestDatabase,
};

/// How soon a change must hold everywhere.
const SOON: Duration = Duration::from_secs(1);

struct Pair {
    gates: [Gate; 2],
    issuer: TestIssuer,
    repository: Arc<dyn Repository>,
}

impl Pair {
    fn on(repository: Arc<dyn Repository>) -> Self {
        let issuer = TestIssuer::default();
        let gates = [(); 2].map(|()| {
            let parts = Parts { repository: Arc::clone(&repository), ..Parts::in_memory().unwrap() };
            let gate = Gate::new(issuer.join(parts, policy(Provision::Workspace)));
            gate.start();
            gate
        });
        Self { gates, issuer, repository }
    }

    async fn who(&self, at: usize, token: &str) -> Result<Arc<Identity>, AuthError> {
        let credential = Credential::Bearer(BearerToken::new(token));
        self.gates[at]
            .app
            .authenticator
            .judge_again(&credential)
            .await
            .map(|caller| caller.identity)
            .map_err(|rejection| rejection.error)
    }

    /// How long it takes until somebody's right at the second gate is as it should be.
    async fn lag(&self, token: &str, right: bool) -> Duration {
        let since = Instant::now();
        while self.who(1, token).await.unwrap().may(Scope::WorkflowsRead, &workspace("demo")) != right {
            assert!(since.elapsed() < 10 * SOON, "it does not hold at all");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        since.elapsed()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for gate in &self.gates {
            gate.stopping().cancel();
        }
    }
}

async fn a_hundred_first_requests_at_both_make_one_user(pair: &Pair) {
    let tokens: Vec<_> = (0..100).map(|_| pair.issuer.token(person("ada"))).collect();
    let met = join_all(tokens.iter().enumerate().map(|(number, token)| pair.who(number % 2, token))).await;
    let own = id("ada").default_workspace().unwrap();
    for who in met {
        assert_eq!(who.unwrap().rights.role_in(&own), Some(Role::Owner));
    }
    let mut view = pair.repository.view().await.unwrap();
    assert_eq!(view.memberships().list(&own, &PageRequest::default()).await.unwrap().items.len(), 1);
    assert_eq!(view.memberships().of_user(&id("ada")).await.unwrap().len(), 1);
}

async fn a_removed_membership_holds_at_the_other_within_a_second(pair: &Pair) {
    let here = &pair.gates[0].app;
    here.workspaces.create(&admin(), workspace("demo"), None, None).await.unwrap();
    let token = pair.issuer.token(person("bob"));
    pair.who(1, &token).await.unwrap();
    for _ in 0..3 {
        here.members.put(&admin(), workspace("demo"), id("bob"), Role::Admin).await.unwrap();
        assert!(pair.lag(&token, true).await < SOON);
        let bob = pair.who(0, &token).await.unwrap();
        let name = format!("t-{}", crate::support::unique());
        let minted = here.tokens.mint(&bob, new_token(&name, &[Scope::WorkflowsRead], &["demo"]), None).await.unwrap();
        let secret = minted.1.expose().to_owned();
        assert!(pair.lag(&secret, true).await < SOON);
        here.members.remove(&admin(), workspace("demo"), id("bob")).await.unwrap();
        let (theirs, tokens) = tokio::join!(pair.lag(&token, false), pair.lag(&secret, false));
        assert!(theirs < SOON && tokens < SOON, "{theirs:?} {tokens:?}");
    }
}

/// Lines are read again for 30 s: one of a unit that took longer must not be older than that when it commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_line_of_the_log_is_as_young_as_its_commit() {
    let database = TestDatabase::fresh().await;
    let config = DatabaseConfig::new(DatabaseUrl::parse(&database.url()).unwrap());
    let repository = SeaOrmRepository::connect(&config).await.unwrap();
    repository.migrate().await.unwrap();
    let pair = Pair::on(Arc::new(repository));
    let told = pair.gates[0].app.core.commands.run(|unit| {
        Box::pin(async move {
            unit.tell(Notice::Memberships(id("ada")));
            tokio::time::sleep(SOON / 2).await;
            Ok(crate::support::town::now().as_microsecond())
        })
    });
    let told = told.await.unwrap();
    let connection = sea_orm::Database::connect(database.url()).await.unwrap();
    let lines = "SELECT count(*) AS lines FROM revocation_log WHERE kind = 'memberships' AND logged_at >= ";
    let backend = connection.get_database_backend();
    let query = sea_orm::Statement::from_string(backend, format!("{lines}{}", told - 50_000));
    let row = connection.query_one_raw(query).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "lines").unwrap(), 1);
}

/// What a person is about to mint when they are revoked ends with them; what they begin to mint then is never made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_and_a_mint_do_not_miss_each_other() {
    let database = TestDatabase::fresh().await;
    let config = DatabaseConfig::new(DatabaseUrl::parse(&database.url()).unwrap());
    let repository: Arc<dyn Repository> = Arc::new(SeaOrmRepository::connect(&config).await.unwrap());
    let pair = {
        let migrated = SeaOrmRepository::connect(&config).await.unwrap();
        migrated.migrate().await.unwrap();
        Pair::on(Arc::clone(&repository))
    };
    let [here, there] = [0, 1].map(|at: usize| Arc::clone(&pair.gates[at].app));
    here.workspaces.create(&admin(), workspace("demo"), None, None).await.unwrap();
    here.members.put(&admin(), workspace("demo"), id("ada"), Role::Admin).await.unwrap();
    let token = pair.issuer.token(person("ada"));
    let ada = pair.who(1, &token).await.unwrap();

    // A mint is under way, and commits after the revocation was asked for.
    let (made, plain) = there.tokens.mint(&ada, new_token("early", &[], &["demo"]), None).await.unwrap();
    let mut minting = repository.begin().await.unwrap();
    minting.users().lock(&id("ada")).await.unwrap();
    let late = ServiceToken { id: token_id("late"), hash: HashedToken::of("late"), ..made };
    minting.tokens().insert(&late).await.unwrap();
    let new = NewRevocation {
        target: Target::User,
        issuer: "corp".to_owned(),
        value: "ada".to_owned(),
        reason: None,
        ban: false,
    };
    let revoking = async { here.revocations.add(&admin(), new).await.unwrap() };
    let committing = async {
        tokio::time::sleep(SOON / 4).await;
        minting.commit().await.unwrap();
    };
    let (entry, ()) = tokio::join!(revoking, committing);
    let mut view = repository.view().await.unwrap();
    for name in ["early", "late"] {
        let token = view.tokens().find(&token_id(name)).await.unwrap().unwrap();
        assert!(token.revoked.is_some(), "{name}");
    }
    // On the other gate, which may not have read of it yet: who was let in before mints nothing now.
    let refused = there.tokens.mint(&ada, new_token("later", &[], &["demo"]), None).await;
    assert!(matches!(refused, Err(AppError::Auth(AuthError::TokenRevoked))), "{:?}", refused.map(|_| ()));
    here.revocations.lift(&admin(), entry.id).await.unwrap();
    there.tokens.mint(&ada, new_token("later", &[], &["demo"]), None).await.unwrap();
    assert_eq!(pair.who(0, plain.expose()).await.unwrap_err(), AuthError::TokenRevoked);
}

/// A token that is ended at one gate with what it minted, while that mints at the other: nothing of it is left.
async fn what_is_minted_meanwhile_ends_too(pair: &Pair) {
    let [here, there] = pair.gates.each_ref().map(|gate| &gate.app);
    let minter = [Scope::AdminTokensWrite];
    for round in 0..10 {
        let name = |kind: &str| format!("{kind}-{round}");
        let secret = here.tokens.mint(&admin(), new_token(&name("parent"), &minter, &["demo"]), None).await.unwrap().1;
        let parent = pair.who(0, secret.expose()).await.unwrap();
        let secret = here.tokens.mint(&parent, new_token(&name("child"), &minter, &["demo"]), None).await.unwrap().1;
        let child = pair.who(1, secret.expose()).await.unwrap();
        let minting = (0..8).map(|number| {
            there.tokens.mint(&child, new_token(&format!("leaf-{round}-{number}"), &[], &["demo"]), None)
        });
        let root = admin();
        let revoking = here.tokens.revoke(&root, token_id(&name("parent")), None, true);
        let (leaves, revoked) = tokio::join!(join_all(minting), revoking);
        revoked.unwrap();
        for (leaf, _) in leaves.into_iter().flatten() {
            let leaf = here.tokens.get(&admin(), &leaf.id).await.unwrap();
            assert!(leaf.revoked.is_some(), "{leaf:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_memory() {
    let pair = Pair::on(Arc::new(MemoryRepository::default()));
    a_hundred_first_requests_at_both_make_one_user(&pair).await;
    a_removed_membership_holds_at_the_other_within_a_second(&pair).await;
    what_is_minted_meanwhile_ends_too(&pair).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_postgres() {
    let database = TestDatabase::fresh().await;
    let repository =
        SeaOrmRepository::connect(&DatabaseConfig::new(DatabaseUrl::parse(&database.url()).unwrap())).await.unwrap();
    repository.migrate().await.unwrap();
    let pair = Pair::on(Arc::new(repository));
    a_hundred_first_requests_at_both_make_one_user(&pair).await;
    a_removed_membership_holds_at_the_other_within_a_second(&pair).await;
    what_is_minted_meanwhile_ends_too(&pair).await;
}
