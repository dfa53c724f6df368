//! What widgets' sessions are signed with.

use std::sync::Arc;

use crate::{
    adapters::{
        auth::sessions::{SessionKey, SessionKeyError, SessionTokens},
        persistence::sea_orm::DatabaseUrl,
    },
    config::{Algorithm, Config},
    ports::rng::Rng,
};

/// The configured key; without one a key of this process, where there can be no other replica. Says in the log what follows
/// from that.
pub(super) fn session_tokens(config: &Config, rng: &dyn Rng) -> Result<Option<Arc<SessionTokens>>, SessionKeyError> {
    let sessions = &config.sessions;
    let key = match &sessions.key {
        Some(key) => SessionKey::parse(sessions.algorithm.as_str(), key.expose())?,
        None if sessions.algorithm != Algorithm::Hs256 => {
            tracing::warn!("sessions.key is not set: POST /api/chatkit/session makes no sessions");
            return Ok(None);
        }
        None if matches!(config.database.url.stored(), Some(DatabaseUrl::Postgres(_))) => {
            tracing::warn!(
                "sessions.key is not set: POST /api/chatkit/session makes no sessions, since replicas on one Postgres must \
                 sign with one key"
            );
            return Ok(None);
        }
        None => {
            tracing::info!("sessions.key is not set: widgets' sessions end with this process");
            SessionKey::random(rng)
        }
    };
    Ok(Some(Arc::new(SessionTokens::new(sessions.issuer.as_str(), sessions.audience.as_str(), key))))
}
