//! Validators of bearer tokens.

pub mod bootstrap;
pub mod introspection;
pub mod jwt;
mod outgoing;
pub mod service_tokens;
pub mod sessions;
pub mod workos_api;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    domain::identity::Identity,
    ports::token_validator::{AuthError, IdentityExtractor, ValidatedToken},
};

/// Takes the identity as the validator left it: for credentials of our own, which name nobody but themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsValidated;

#[async_trait]
impl IdentityExtractor for AsValidated {
    async fn identify(&self, token: &ValidatedToken) -> Result<Arc<Identity>, AuthError> {
        Ok(Arc::clone(token.identity()))
    }
}
