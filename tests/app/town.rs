//! A gate whose people are of the issuer `corp`.

use std::sync::Arc;

use tidegate::{
    app::{authenticate::Credential, people::Issuer},
    domain::{
        bearer::BearerToken,
        identity::Identity,
        user::{Role, UserId},
    },
    ports::token_validator::AuthError,
};

use super::world::{World, admin, workspace};
use crate::support::people::TestIssuer;

/// A gate that knows the issuer `corp`.
pub(super) struct Town {
    pub(super) world: World,
    issuer: TestIssuer,
}

impl Town {
    pub(super) async fn of(known: impl Into<Issuer>) -> Self {
        let issuer = TestIssuer::default();
        let world = World::of(|parts| issuer.join(parts, known));
        world.workspace("demo").await;
        Self { world, issuer }
    }

    /// Signs somebody in.
    pub(super) fn token(&self, who: Identity) -> String {
        self.issuer.token(who)
    }

    pub(super) async fn who(&self, token: &str) -> Result<Arc<Identity>, AuthError> {
        let credential = Credential::Bearer(BearerToken::new(token));
        self.world.app().authenticator.authenticate(&credential, None).await.map(|caller| caller.identity)
    }

    pub(super) async fn put(&self, user: &str, role: Role) {
        self.world.app().members.put(&admin(), workspace("demo"), id(user), role).await.unwrap();
    }

    pub(super) async fn remove(&self, user: &str) {
        self.world.app().members.remove(&admin(), workspace("demo"), id(user)).await.unwrap();
    }
}

/// Somebody of `corp`.
pub(super) fn id(subject: &str) -> UserId {
    UserId::parse(&format!("corp:{subject}")).unwrap()
}
