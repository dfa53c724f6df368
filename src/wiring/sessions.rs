//! What widgets' sessions are signed with.

use std::sync::Arc;

use crate::{
    adapters::{
        auth::sessions::{SessionKey, SessionTokens},
        persistence::sea_orm::DatabaseUrl,
    },
    config::{Algorithm, Config},
    ports::rng::Rng,
};

/// By the configured key.
pub(super) fn configured_tokens(config: &Config) -> Option<Arc<SessionTokens>> {
    // The configuration was judged: a key in it fits.
    let key = config.sessions.key.as_ref()?;
    let key = SessionKey::parse(config.sessions.algorithm.as_str(), key.expose()).ok()?;
    tokens(&config.sessions.issuer, &config.sessions.audience, key)
}

/// By the configured key; without one by a key of this process, where there can be no other replica. Says in the log what
/// follows from that.
pub(super) fn session_tokens(config: &Config, rng: &dyn Rng) -> Option<Arc<SessionTokens>> {
    let configured = configured_tokens(config);
    if configured.is_some() {
        return configured;
    }
    if config.sessions.algorithm != Algorithm::Hs256 {
        tracing::warn!("sessions.key is not set: POST /api/chatkit/session makes no sessions");
        return None;
    }
    if matches!(config.database.url.stored(), Some(DatabaseUrl::Postgres(_))) {
        tracing::warn!(
            "sessions.key is not set: POST /api/chatkit/session makes no sessions, since replicas on one Postgres must sign \
             with one key"
        );
        return None;
    }
    tracing::info!("sessions.key is not set: widgets' sessions end with this process");
    of_this_process(&config.sessions.issuer, &config.sessions.audience, rng)
}

/// By a key that nobody else has.
pub(super) fn of_this_process(issuer: &str, audience: &str, rng: &dyn Rng) -> Option<Arc<SessionTokens>> {
    tokens(issuer, audience, SessionKey::random(rng).ok()?)
}

fn tokens(issuer: &str, audience: &str, key: SessionKey) -> Option<Arc<SessionTokens>> {
    SessionTokens::new(issuer, audience, key).ok().map(Arc::new)
}
