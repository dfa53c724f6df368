//! Two gates on one store: what one does to people holds on the other within a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tidegate::{
    adapters::persistence::{
        memory::MemoryRepository,
        sea_orm::{DatabaseConfig, DatabaseUrl, SeaOrmRepository},
    },
    app::authenticate::Credential,
    domain::{bearer::BearerToken, identity::Identity, issuer::Provision, page::PageRequest, scope::Scope, user::Role},
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
        self.gates[at].app.authenticator.judge_again(&credential).await.map(|caller| caller.identity)
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
