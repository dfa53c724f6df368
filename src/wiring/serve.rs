//! `tidegate serve`: opens the store, brings it up to date, sees to the first token, listens, and ends in order.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use super::{
    BootstrapToken, Gate, Ground, IssuerError, Parts,
    audit::audit_key,
    default_workspace,
    default_workspace::DefaultWorkspaceError,
    first_token,
    first_token::FirstTokenError,
    sessions::{configured_tokens, session_tokens},
};
use crate::{
    adapters::{
        clock::SystemClock,
        http::{Limits, Settings, TrustedProxies, WorkosWebhook},
        persistence::{
            memory::MemoryRepository,
            sea_orm::{ConnectError, DatabaseConfig, DatabaseUrl, SeaOrmRepository},
        },
        rate_limit::{
            memory::MemoryLimiter,
            redis::{RedisLimiter, RedisUrlError},
        },
        rng::SystemRng,
    },
    app::{
        authenticate::{AnonymousAccess, Mode},
        limits::LimitPolicy,
    },
    config::{AuthConfig, AuthMode, Config, IssuerConfig, IssuerKind, RateLimitConfig, RateLimitKind, WorkosConfig},
    domain::{engine::EngineName, scope::all_scopes},
    ports::{
        rate_limiter::RateLimiter,
        repository::{Repository, RepositoryError},
    },
};

/// Why the gate does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store cannot be opened.
    #[error("the database cannot be opened")]
    Database(#[from] ConnectError),
    /// The store does not answer.
    #[error("the database cannot be used")]
    Repository(#[from] RepositoryError),
    /// Anybody could come in from anywhere.
    #[error("auth.mode: {0}")]
    Exposed(String),
    /// The configuration names engines that cannot stand side by side.
    #[error("engines.list: the gate's own engine can be there once, since all its things are in one database")]
    Engines,
    /// An issuer cannot be.
    #[error("an issuer cannot be")]
    Issuer(#[from] IssuerError),
    /// The limits have no store.
    #[error("auth.rate_limit.redis_url {0}")]
    Limits(#[from] RedisUrlError),
    /// The first token could not be made or shown.
    #[error("the first service token could not be made")]
    FirstToken(#[from] FirstTokenError),
    /// The first workspace could not be made.
    #[error("the workspace default could not be made")]
    DefaultWorkspace(#[from] DefaultWorkspaceError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server ended by itself.
    #[error("the server ended")]
    Server(#[source] std::io::Error),
}

/// Where the database is; `None`: in memory.
fn database(config: &Config) -> Option<DatabaseConfig> {
    let url = config.database.url.stored().cloned()?;
    Some(DatabaseConfig { max_connections: config.database.max_connections, ..DatabaseConfig::new(url) })
}

impl ServeError {
    /// Whether it is the config that cannot stand, although only the start shows it.
    pub fn is_of_config(&self) -> bool {
        matches!(self, Self::Exposed(_) | Self::Engines | Self::Issuer(_) | Self::Limits(_))
    }
}

/// An opened store, and how it is closed.
pub(super) enum Store {
    Memory(MemoryRepository),
    Database(Arc<SeaOrmRepository>),
}

impl Store {
    async fn open(config: &Config) -> Result<Self, ServeError> {
        let Some(database) = database(config) else { return Ok(Self::Memory(MemoryRepository::default())) };
        let repository = SeaOrmRepository::connect(&database).await?;
        repository.migrate().await?;
        Ok(Self::Database(Arc::new(repository)))
    }

    /// Beside a server that runs: nothing can be changed.
    pub(super) async fn open_for_reading(config: &Config) -> Result<Self, ServeError> {
        let Some(database) = database(config) else { return Ok(Self::Memory(MemoryRepository::default())) };
        let database = DatabaseConfig { max_connections: 2, ..database };
        Ok(Self::Database(Arc::new(SeaOrmRepository::open_for_reading(&database).await?)))
    }

    pub(super) fn repository(&self) -> Arc<dyn Repository> {
        match self {
            Self::Memory(repository) => Arc::new(repository.clone()),
            Self::Database(repository) => repository.clone(),
        }
    }

    pub(super) async fn close(self) {
        if let Self::Database(repository) = self {
            repository.close().await;
        }
    }
}

/// Runs the gate until it is told to stop (SIGTERM, SIGINT), then ends in order: new requests are refused, waits answer
/// with what they have, streams end, commands finish.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(config: Config) -> Result<(), ServeError> {
    let engine = engine(&config)?;
    let store = Store::open(&config).await?;
    let repository = store.repository();
    let (clock, rng) = (Arc::new(SystemClock), Arc::new(SystemRng));
    let sessions = session_tokens(&config, &*rng);
    let limiter = limiter(&config.auth.rate_limit).await?;
    let parts = Parts { limiter, sessions, ..parts(&config, Arc::clone(&repository), engine)? };
    // Before the first token is made: a start that fails here leaves nothing behind.
    let address = config.server.bind;
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| ServeError::Listen { address, source })?;
    let needs_token = config.auth.mode.is_none() && !config.auth.holds_credential();
    if needs_token {
        first_token::mint(&*repository, &*clock, &*rng, &folder(&config)).await?;
    }
    let stored = repository.view().await?.tokens().any().await?;
    if needs_token && !stored {
        // Nobody shall find the gate open.
        return Err(RepositoryError::Serialization.into());
    }
    config.exposure(stored).map_err(ServeError::Exposed)?;
    if config.auth.mode == Some(AuthMode::Optional) && !stored && !config.auth.holds_credential() {
        default_workspace::make(&*repository, &*clock).await?;
    }
    for warning in config.cautions(Some(stored)) {
        tracing::warn!(key = warning.key, "{}", warning.message);
    }

    let gate = Gate::new(parts);
    gate.start();
    tracing::info!(address = %bound, database = %config.database.url, "listening");
    let told = async {
        asked_to_stop().await;
        tracing::info!("stopping");
        gate.stopping().cancel();
        Instant::now()
    };
    let served = gate.listen(listener, settings(&config), config.server.shutdown_grace);
    let mut served = std::pin::pin!(served);
    // The grace is one for all of it: what the server needed of it, the commands under way do not have any more.
    let (since, served) = tokio::select! {
        since = told => (since, served.await),
        ended = &mut served => (Instant::now(), ended),
    };
    gate.stop(config.server.shutdown_grace.saturating_sub(since.elapsed())).await;
    store.close().await;
    served.map_err(ServeError::Server)
}

/// Makes what can be made of this config without asking anybody, and drops it.
///
/// # Errors
/// [`IssuerError`] for what only that shows to be wrong.
pub(super) fn try_out(config: &Config) -> Result<(), IssuerError> {
    parts(config, Arc::new(MemoryRepository::default()), EngineName::embedded()).map(drop)
}

/// What the gate of this config is made of, but for who counts failures for all replicas.
pub(super) fn parts(
    config: &Config,
    repository: Arc<dyn Repository>,
    engine: EngineName,
) -> Result<Parts, IssuerError> {
    let parts = Parts {
        ground: Ground::default(),
        repository,
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        engine,
        mode: mode(config.auth.mode),
        bootstrap: bootstrap(&config.auth),
        schemes: Vec::new(),
        validators: Vec::new(),
        jwts: None,
        issuers: Vec::new(),
        only_looks: false,
        anonymous: AnonymousAccess {
            scopes: config.auth.anonymous_scopes.clone(),
            workspaces: config.auth.anonymous_workspaces.clone(),
        },
        limiter: Arc::new(MemoryLimiter::default()),
        limits: LimitPolicy {
            ip: config.auth.rate_limit.ip,
            identity: config.auth.rate_limit.identity,
            interval: config.auth.rate_limit.interval,
        },
        sessions: configured_tokens(config),
        session_ttl: config.sessions.ttl,
        max_token_life: config.auth.max_service_token_life,
        history_ttl: config.engines.history_ttl,
        audit_key: audit_key(config),
    };
    parts.with_issuers(&config.auth.issuers, config.auth.leeway)
}

/// The engine's name.
pub(super) fn engine(config: &Config) -> Result<EngineName, ServeError> {
    match config.engines.list.as_slice() {
        [only] => Ok(only.name.clone()),
        _ => Err(ServeError::Engines),
    }
}

/// Beside the database's file; else `data`.
fn folder(config: &Config) -> PathBuf {
    match config.database.url.stored() {
        Some(DatabaseUrl::Sqlite(file)) => file.parent().map(Path::to_path_buf).unwrap_or_default(),
        _ => PathBuf::from("data"),
    }
}

const fn mode(mode: Option<AuthMode>) -> Mode {
    match mode {
        None => Mode::Unset,
        Some(AuthMode::Required) => Mode::Required,
        Some(AuthMode::Optional) => Mode::Optional,
        Some(AuthMode::Disabled) => Mode::Disabled,
    }
}

fn bootstrap(auth: &AuthConfig) -> Option<BootstrapToken> {
    let token = auth.bootstrap_service_token.clone()?;
    let scopes = auth.bootstrap_token_scopes.clone().unwrap_or_else(all_scopes);
    Some(BootstrapToken { token, scopes, expires_at: auth.bootstrap_token_expires_at })
}

/// What begins the keys in Redis.
const LIMIT_KEYS: &str = "tidegate:limit:";

async fn limiter(config: &RateLimitConfig) -> Result<Arc<dyn RateLimiter>, ServeError> {
    let RateLimitKind::Redis(url) = &config.kind else { return Ok(Arc::new(MemoryLimiter::default())) };
    let limiter = RedisLimiter::at(url, LIMIT_KEYS)?;
    limiter.connect().await;
    Ok(Arc::new(limiter))
}

fn settings(config: &Config) -> Settings {
    Settings {
        body_limit: config.server.body_limit,
        request_timeout: config.server.request_timeout,
        cors_allow_origins: config.server.cors_allow_origins.clone(),
        public_host: config.server.public_url.as_ref().and_then(|url| url.host_str().map(str::to_owned)),
        query_tokens: config.auth.query_tokens,
        workos: config.auth.issuers.iter().filter_map(webhook).collect(),
        trusted_proxies: TrustedProxies::new(config.server.trusted_proxies.iter().copied()),
        limits: limits(config),
        ..Settings::default()
    }
}

fn limits(config: &Config) -> Limits {
    let possible = Limits::of_process();
    let or = |configured: usize, default: usize| if configured == 0 { default } else { configured };
    let max_connections = or(config.server.max_connections, possible.max_connections);
    if max_connections > possible.max_connections {
        tracing::warn!(
            possible = possible.max_connections,
            "server.max_connections is more than the limit of open files has room for"
        );
    }
    Limits {
        max_connections,
        max_connections_per_address: or(config.server.max_connections_per_address, (max_connections / 2).max(1)),
        trusted_proxies: TrustedProxies::new(config.server.trusted_proxies.iter().copied()),
        stall_timeout: config.server.stall_timeout,
        ..possible
    }
}

/// The events of an issuer, if it tells of any.
fn webhook(issuer: &IssuerConfig) -> Option<WorkosWebhook> {
    let IssuerKind::Workos(WorkosConfig { webhook_secret: Some(secret), .. }) = &issuer.kind else { return None };
    let secret = secret.expose().into();
    Some(WorkosWebhook { issuer: issuer.name().clone(), secret, stamps_in_seconds: false })
}

async fn asked_to_stop() {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard; only SIGINT stops the gate in order");
            return interrupted().await;
        }
    };
    tokio::select! {
        () = interrupted() => {}
        _ = terminate.recv() => {}
    }
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "SIGINT cannot be heard");
        std::future::pending::<()>().await;
    }
}
