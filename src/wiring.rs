//! The composition root: adapters are named here and in [`config`](crate::config), and nowhere else.

mod audit;
mod authz_why;
mod check;
mod command;
mod default_workspace;
mod first_token;
mod issuers;
mod online;
mod serve;
mod sessions;

use std::{io, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::command::run;
pub use self::issuers::IssuerError;
pub use self::serve::{ServeError, serve};
use crate::{
    adapters::{
        auth::{
            AsValidated, bootstrap::WithBootstrapToken, jwt::JwtValidator, service_tokens::ServiceTokenValidator,
            sessions::SessionTokens,
        },
        clock::SystemClock,
        engines::embedded::{AutoCommitEngine, EmbeddedEngine},
        http::{self, Settings},
        persistence::memory::MemoryRepository,
        rate_limit::memory::MemoryLimiter,
        realtime::in_process::InProcessPublisher,
        rng::SystemRng,
    },
    app::{
        App, Callers,
        audit::{AuditKey, AuditWork, Collector, Sequencer},
        authenticate::{AnonymousAccess, Authenticator, Entrance, Mode, Scheme},
        background::Background,
        commands::Commands,
        context,
        core::Core,
        engines::Engines,
        error::AppError,
        limits::{LimitPolicy, Limits},
        people::{Issuer, People},
        revocation_log::RevocationLog,
        sessions::{BootstrapRights, Parents, Sessions},
        signals::{POLL, Signals},
        token_uses::TokenUses,
    },
    domain::{
        bearer::BearerToken,
        engine::EngineName,
        scope::{Scopes, all_scopes},
        service_token::HashedToken,
        session::DEFAULT_TTL_SECONDS,
        text::InvalidText,
        workspace::WorkspaceAccess,
    },
    ports::{
        clock::Clock,
        publisher::EventFeed,
        rate_limiter::RateLimiter,
        repository::Repository,
        rng::Rng,
        session_signer::SessionSigner,
        token_validator::{IdentityExtractor, TokenValidator},
    },
};

/// A credential that lives in the configuration.
#[derive(Debug, Clone)]
pub struct BootstrapToken {
    /// The token.
    pub token: BearerToken,
    /// What it may do, in all workspaces.
    pub scopes: Scopes,
    /// From this moment on it is refused.
    pub expires_at: Option<Timestamp>,
}

impl From<&BootstrapToken> for BootstrapRights {
    fn from(token: &BootstrapToken) -> Self {
        let hash = HashedToken::of_bearer(&token.token);
        Self { hash, scopes: token.scopes.clone(), expires_at: token.expires_at }
    }
}

/// What a gate's own work stands on, and what is made before the gate but works with it: what fetches keys ends when the
/// gate stops.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// What is revoked, and what has changed.
    pub signals: Arc<Signals>,
    /// Owns every task of the gate's.
    pub tasks: TaskTracker,
    /// Ends them.
    pub stop: CancellationToken,
}

/// What a gate is made of. [`Parts::in_memory`] has a value for each; replace what you have better.
///
/// A token is judged by the first that recognizes it, and after its refusal nobody else is asked: the bootstrap token and
/// service tokens, [`schemes`](Self::schemes), [`validators`](Self::validators), [`jwts`](Self::jwts) with the gate's own
/// [`sessions`](Self::sessions).
#[derive(Debug)]
pub struct Parts {
    /// What the gate's own work stands on.
    pub ground: Ground,
    /// Where everything is kept.
    pub repository: Arc<dyn Repository>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// The embedded engine's name.
    pub engine: EngineName,
    /// Whether callers must show who they are.
    pub mode: Mode,
    /// A credential to begin with.
    pub bootstrap: Option<BootstrapToken>,
    /// Kinds of tokens of your own, in this order, each with who says whom they name.
    pub schemes: Vec<Scheme>,
    /// Who judges the tokens of issuers that are no JWTs, each by its shape, in this order;
    /// [`with_issuers`](Self::with_issuers) makes them.
    pub validators: Vec<Arc<dyn TokenValidator>>,
    /// Who judges the JWTs of issuers, if there are any; [`with_issuers`](Self::with_issuers) makes it, too.
    pub jwts: Option<JwtValidator>,
    /// Those issuers: what their tokens can come to, and who tells what their people are called.
    pub issuers: Vec<Issuer>,
    /// Whether the gate only looks: nobody becomes a user at first sight, but is judged as if they had.
    pub only_looks: bool,
    /// What anonymous callers may do in mode `optional`.
    pub anonymous: AnonymousAccess,
    /// Where failures to authenticate are counted.
    pub limiter: Arc<dyn RateLimiter>,
    /// How many failures are judged.
    pub limits: LimitPolicy,
    /// What widgets' sessions are signed with; without it none are made.
    pub sessions: Option<Arc<SessionTokens>>,
    /// How long one lives at most.
    pub session_ttl: SignedDuration,
    /// The longest life that a service token may be given.
    pub max_token_life: Option<SignedDuration>,
    /// How long what ended stays readable.
    pub history_ttl: SignedDuration,
    /// What the audit is chained under.
    pub audit_key: AuditKey,
}

impl Parts {
    /// A gate that keeps everything in memory and asks nobody who they are, until a credential is given to it.
    ///
    /// # Errors
    /// None in practice: the engine's built-in name is a name.
    pub fn in_memory() -> Result<Self, InvalidText> {
        Ok(Self {
            ground: Ground::default(),
            repository: Arc::new(MemoryRepository::default()),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            engine: EngineName::parse("embedded")?,
            mode: Mode::Unset,
            bootstrap: None,
            schemes: Vec::new(),
            validators: Vec::new(),
            jwts: None,
            issuers: Vec::new(),
            only_looks: false,
            anonymous: AnonymousAccess { scopes: Scopes::new(), workspaces: WorkspaceAccess::none() },
            limiter: Arc::new(MemoryLimiter::default()),
            limits: LimitPolicy::default(),
            sessions: sessions::of_this_process("tidegate", "chatkit", &SystemRng),
            session_ttl: SignedDuration::from_secs(DEFAULT_TTL_SECONDS),
            max_token_life: None,
            history_ttl: SignedDuration::from_hours(30 * 24),
            audit_key: AuditKey::new(None),
        })
    }

    /// The same with a kind of tokens of your own, asked after those that it has already.
    #[must_use]
    pub fn with_scheme(mut self, validator: Arc<dyn TokenValidator>, extractor: Arc<dyn IdentityExtractor>) -> Self {
        self.schemes.push(Scheme { validator, extractor });
        self
    }

    /// The same with a bootstrap token that may do everything.
    #[must_use]
    pub fn with_bootstrap_token(mut self, token: &str) -> Self {
        self.bootstrap =
            Some(BootstrapToken { token: BearerToken::new(token), scopes: all_scopes(), expires_at: None });
        self
    }
}

/// A gate, put together: its use cases, and its own work in the background while it runs.
#[derive(Debug)]
pub struct Gate {
    /// The use cases: what a driving adapter stands on.
    pub app: Arc<App>,
    background: Background,
    audit: AuditWork,
    uses: Arc<TokenUses>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// How often the uses of tokens are written down.
const WRITE_USES_EVERY: Duration = Duration::from_secs(5);
/// How long the last writing may take when the gate stops.
const WRITE_USES_WITHIN: Duration = Duration::from_secs(1);
/// The same of the last entries of the audit.
const WRITE_AUDIT_WITHIN: Duration = Duration::from_secs(2);

impl Gate {
    /// Puts a gate together. Nothing runs before [`start`](Self::start).
    pub fn new(parts: Parts) -> Self {
        let Parts { repository, clock, rng, engine, mode, bootstrap, anonymous, max_token_life, history_ttl, .. } =
            parts;
        let limits = Limits::new(parts.limiter, Arc::clone(&clock), parts.limits);
        let Parts {
            ground: Ground { signals, tasks, stop },
            schemes: custom,
            validators,
            jwts,
            issuers,
            sessions,
            session_ttl,
            only_looks,
            audit_key,
            ..
        } = parts;
        let publisher = Arc::new(InProcessPublisher::default());
        let feed: Arc<dyn EventFeed> = publisher.clone();

        let embedded = EmbeddedEngine::new(Arc::clone(&rng));
        let embedded = AutoCommitEngine::new(embedded, Arc::clone(&repository), Arc::clone(&clock));
        let engines = Engines::one(engine, Arc::new(embedded));
        let commands = Commands::new(
            Arc::clone(&repository),
            Arc::clone(&clock),
            rng,
            Arc::clone(&signals),
            tasks.clone(),
            stop.clone(),
        );
        let core = Core { commands, engines };

        let collector = Arc::new(Collector::new(Arc::clone(&repository), Arc::clone(&clock)));
        let sequencer = Sequencer::new(core.commands.clone(), audit_key);
        let audit = AuditWork::new(Arc::clone(&collector), sequencer, Arc::clone(&signals));

        let uses = Arc::new(TokenUses::new(Arc::clone(&repository), Arc::clone(&clock)));
        let log = Arc::new(RevocationLog::new(Arc::clone(&repository), Arc::clone(&signals)));
        let people = Arc::new(People::new(issuers, only_looks, core.commands.clone(), Arc::clone(&log)));
        let tokens = ServiceTokenValidator::new(
            Arc::clone(&repository),
            Arc::clone(&clock),
            Arc::clone(&signals),
            Arc::clone(&people),
        );
        let configured = bootstrap.is_some() || !custom.is_empty() || !validators.is_empty() || jwts.is_some();
        let mut jwts = jwts.unwrap_or_else(|| JwtValidator::of_nobody(Arc::clone(&clock), Arc::clone(&signals)));
        if let Some(tokens) = &sessions {
            jwts = jwts.with_own(tokens.built_in());
        }
        let signer = sessions.map(|tokens| -> Arc<dyn SessionSigner> { tokens });
        let parents = Parents::new(
            Arc::clone(&repository),
            Arc::clone(&clock),
            Arc::clone(&signals),
            Arc::clone(&people),
            bootstrap.as_ref().map(BootstrapRights::from),
            signer.clone(),
        );
        let sessions = Sessions::new(core.commands.clone(), signer, session_ttl);
        let validator = with_bootstrap(bootstrap, clock, Arc::new(tokens));
        let mut schemes = vec![Scheme { validator, extractor: Arc::new(AsValidated) }];
        schemes.extend(custom);
        schemes.extend(validators.into_iter().map(|validator| Scheme { validator, extractor: people.clone() }));
        schemes.push(Scheme { validator: Arc::new(jwts), extractor: Arc::new(parents) });
        let authenticator = Authenticator::new(
            Entrance { mode, configured, anonymous },
            schemes,
            limits,
            Arc::clone(&repository),
            Arc::clone(&uses),
            Arc::clone(&log),
            signals,
        );

        let background = Background::new(core.clone(), publisher, Arc::clone(&feed), log, history_ttl, stop.clone());
        let callers = Callers { authenticator, people, sessions };
        let app = Arc::new(App::new(repository, core, callers, feed, collector, max_token_life));
        Self { app, background, audit, uses, tasks, stop }
    }

    /// Begins the gate's own work: keeping the audit, numbering and publishing events, firing timers, forgetting what is old.
    pub fn start(&self) {
        self.background.start();
        self.audit.start(&self.tasks, &self.stop);
        let (uses, stop) = (Arc::clone(&self.uses), self.stop.clone());
        drop(context::spawn(&self.tasks, async move {
            while stop.run_until_cancelled(tokio::time::sleep(WRITE_USES_EVERY)).await.is_some() {
                write_uses(&uses).await;
            }
        }));
    }

    /// Serves the HTTP API on a listener until the gate is [`stopping`](Self::stopping), with `grace` for what is under way
    /// then.
    ///
    /// # Errors
    /// When the listener has no address.
    pub async fn listen(&self, listener: TcpListener, settings: Settings, grace: Duration) -> io::Result<()> {
        let (stopping, limits) = (self.stopping(), settings.limits.clone());
        let routes = http::routes(Arc::clone(&self.app), settings, &stopping);
        http::serve(listener, routes, limits, stopping, grace).await
    }

    /// The audit's own work: for whoever wants entries chained now.
    pub const fn audit(&self) -> &AuditWork {
        &self.audit
    }

    /// Deletes at once what is older than it is kept, as the gateway does every minute while it runs.
    ///
    /// # Errors
    /// The first failure; what could be deleted has been.
    pub async fn sweep(&self) -> Result<(), AppError> {
        self.background.sweep_once().await
    }

    /// Says when the gate is stopping: open streams and waits end with it.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Ends the gate's own work, and waits for the commands under way, at most so long.
    pub async fn stop(&self, grace: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace.max(POLL), self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "shutdown_grace is over; what has not committed is abandoned");
        }
        // Last, since requests that were under way have used tokens, too.
        if tokio::time::timeout(WRITE_USES_WITHIN, write_uses(&self.uses)).await.is_err() {
            tracing::warn!("the last uses of service tokens could not be written down in time");
        }
        if tokio::time::timeout(WRITE_AUDIT_WITHIN, self.audit.finish()).await.is_err() {
            tracing::warn!("the last entries of the audit could not be written down in time");
        }
    }
}

async fn write_uses(uses: &TokenUses) {
    if let Err(error) = uses.write().await {
        tracing::warn!(error = %error, "uses of service tokens could not be written down; trying again");
    }
}

fn with_bootstrap(
    bootstrap: Option<BootstrapToken>,
    clock: Arc<dyn Clock>,
    others: Arc<dyn TokenValidator>,
) -> Arc<dyn TokenValidator> {
    match bootstrap {
        Some(BootstrapToken { token, scopes, expires_at }) => {
            Arc::new(WithBootstrapToken::new(&token, scopes, expires_at, clock, others))
        }
        None => others,
    }
}
