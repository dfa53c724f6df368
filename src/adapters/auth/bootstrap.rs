//! The bootstrap token: one configured secret that stands beside the stored service tokens, as a decorator, since equality
//! is no shape (authentication.md section 1).

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use crate::{
    domain::{bearer::BearerToken, identity::Identity, scope::Scopes, service_token::HashedToken},
    ports::{
        clock::Clock,
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
};

/// Recognizes the bootstrap token, and leaves all others to the validator within.
#[derive(Debug)]
pub struct WithBootstrapToken {
    digest: HashedToken,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    clock: Arc<dyn Clock>,
    others: Arc<dyn TokenValidator>,
}

impl WithBootstrapToken {
    /// Puts a bootstrap token, with these scopes on all workspaces, in front of the others.
    pub fn new(
        token: &BearerToken,
        scopes: Scopes,
        expires_at: Option<Timestamp>,
        clock: Arc<dyn Clock>,
        others: Arc<dyn TokenValidator>,
    ) -> Self {
        Self { digest: HashedToken::of_bearer(token), scopes, expires_at, clock, others }
    }

    /// Over digests, so that the time tells nothing, not even the length.
    fn is_it(&self, token: &BearerToken) -> bool {
        token.digest().ct_eq(self.digest.as_bytes()).into()
    }
}

#[async_trait]
impl TokenValidator for WithBootstrapToken {
    fn recognizes(&self, token: &BearerToken) -> bool {
        // The shape first: it costs nothing.
        self.others.recognizes(token) || self.is_it(token)
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        if !self.is_it(token) {
            return self.others.validate(token).await;
        }
        let who = Identity::bootstrap(self.scopes.clone(), self.expires_at);
        if self.expires_at.is_some_and(|end| end <= self.clock.now()) {
            tracing::warn!("the bootstrap token was used after its end");
            return Err(AuthError::TokenExpired.of(&who));
        }
        Ok(ValidatedToken::own(Identity { secret: Some(self.digest), ..who }))
    }
}
