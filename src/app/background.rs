//! What the gate does by itself: numbers and publishes events, fires timers, writes down token uses, forgets what is old.
//! Each is an owned task that ends at shutdown.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    context, core::Core, error::AppError, job_waits::AvailableJobs, retention::Retention,
    revocation_log::RevocationLog, signals::POLL,
};
use crate::{
    domain::{engine::EngineName, execution::Starter, identity::Identity},
    ports::{
        engine_store::Due,
        local_engine::EngineCommand,
        publisher::{EventFeed, Publisher},
    },
};

/// How many events are numbered and published at once.
const RELAY_BATCH: u32 = 500;
/// How many channels are asked for their heads at once: a statement has room for so many values only.
const HEADS_BATCH: usize = 1_000;
/// How often.
const HEADS_INTERVAL: Duration = Duration::from_millis(50);
/// For how many topics jobs are looked for at once.
const TOPICS_BATCH: usize = 500;
/// How many due timers are taken at once.
const DUE_BATCH: u32 = 100;
/// How long a timer may be late: what is due is looked for this often.
const DUE_POLL: Duration = Duration::from_millis(100);

/// How long what could not be done rests before it is tried again.
const REST: Duration = Duration::from_secs(10);

/// What is due but could not be done: it rests, so that it keeps nothing else from its turn.
#[derive(Debug, Default)]
struct Resting(HashMap<(EngineName, Due), Instant>);

impl Resting {
    /// Lets go what has rested; says how many rest on.
    fn wake(&mut self) -> u32 {
        let now = Instant::now();
        self.0.retain(|_, until| *until > now);
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    fn put(&mut self, engine: &EngineName, command: EngineCommand, rest: Duration) {
        if let EngineCommand::Due(what) = command {
            self.0.insert((engine.clone(), what), Instant::now() + rest);
        }
    }

    fn holds(&self, engine: &EngineName, command: &EngineCommand) -> bool {
        matches!(command, EngineCommand::Due(what) if self.0.contains_key(&(engine.clone(), what.clone())))
    }
}

/// The gate's own work.
#[derive(Debug, Clone)]
pub struct Background {
    core: Core,
    publisher: Arc<dyn Publisher>,
    feed: Arc<dyn EventFeed>,
    log: Arc<RevocationLog>,
    retention: Retention,
    stop: CancellationToken,
}

impl Background {
    /// On these foundations; `history_ttl` is `engines.history_ttl`.
    pub fn new(
        core: Core,
        publisher: Arc<dyn Publisher>,
        feed: Arc<dyn EventFeed>,
        log: Arc<RevocationLog>,
        history_ttl: SignedDuration,
        stop: CancellationToken,
    ) -> Self {
        let retention = Retention::new(core.clone(), history_ttl);
        Self { core, publisher, feed, log, retention, stop }
    }

    /// Begins all of it. The tasks end when the stop is called; the tracker of the [`Core`]'s commands owns them.
    pub fn start(&self) {
        self.spawn(|work| async move { work.relay().await });
        self.spawn(|work| async move { work.watch_heads().await });
        self.spawn(|work| async move { work.watch_jobs().await });
        self.spawn(|work| async move { work.watch_revocations().await });
        self.spawn(|work| async move { work.fire_timers().await });
        self.spawn(|work| async move { work.sweep().await });
    }

    fn spawn<F>(&self, work: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        let work = work(self.clone());
        drop(context::spawn(self.core.commands.tasks(), async move {
            stop.run_until_cancelled(work).await;
        }));
    }

    /// Numbers what has committed, and publishes it; again at once while there is more.
    async fn relay(self) {
        let mut committed = self.core.commands.signals().events.listen();
        loop {
            match self.number().await {
                Ok(true) => {}
                Ok(false) => committed.heard().await,
                Err(error) => {
                    tracing::warn!(error = %error, "events could not be numbered; trying again");
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    async fn number(&self) -> Result<bool, AppError> {
        let numbered = self
            .core
            .commands
            .run(|unit| Box::pin(async move { Ok(unit.uow().events().number(RELAY_BATCH).await?) }))
            .await?;
        if let Err(error) = self.publisher.publish(&numbered).await {
            // Streams read the store: only the wake-up is late. A server that keeps its own cursor comes with its adapter.
            tracing::warn!(error = %error, "events could not be published");
        }
        Ok(!numbered.is_empty())
    }

    /// Tells the streams of this replica what others have numbered.
    async fn watch_heads(self) {
        loop {
            tokio::time::sleep(HEADS_INTERVAL).await;
            let followed = self.feed.followed();
            for part in followed.chunks(HEADS_BATCH) {
                let heads = async { self.core.commands.view().await?.events().heads(part).await };
                match heads.await {
                    Ok(heads) => heads.into_iter().for_each(|(workflow, head)| self.feed.reached(workflow, head)),
                    Err(error) => {
                        tracing::debug!(error = %error, "heads of channels could not be read");
                        tokio::time::sleep(POLL).await;
                    }
                }
                // However many channels are followed, the database is asked as often.
                tokio::time::sleep(HEADS_INTERVAL).await;
            }
        }
    }

    /// Looks for jobs that other replicas have made available, and for those whose lock or back-off is over: once for all
    /// who wait here.
    async fn watch_jobs(self) {
        loop {
            tokio::time::sleep(POLL).await;
            let waits = &self.core.commands.signals().waits;
            for topics in waits.topics().chunks(TOPICS_BATCH) {
                let now = self.core.commands.now();
                let available = async { self.core.commands.view().await?.jobs().available_topics(topics, now).await };
                match available.await {
                    Ok(available) => available
                        .into_iter()
                        .for_each(|topic| waits.wake(&AvailableJobs { workspace: None, topic: Some(topic) })),
                    Err(error) => tracing::debug!(error = %error, "available jobs could not be looked for"),
                }
            }
        }
    }

    /// Learns what other replicas have revoked and changed.
    async fn watch_revocations(self) {
        let mut beat = tokio::time::interval(POLL);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if let Err(error) = self.log.read().await {
                tracing::warn!(error = %error, "the revocation log cannot be read; trying again");
            }
            self.core.commands.signals().standing.forget(self.core.commands.now());
        }
    }

    /// Does what time has brought, each in a unit of its own.
    async fn fire_timers(self) {
        let mut earlier = self.core.commands.signals().timers.listen();
        let mut resting = Resting::default();
        loop {
            let mut more = false;
            for name in self.core.engines.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                match self.fire_due(&name, &mut resting).await {
                    Ok(some) => more |= some,
                    Err(error) => {
                        tracing::warn!(engine = %name, error = %error, "due timers could not be read");
                        tokio::time::sleep(POLL).await;
                    }
                }
            }
            if !more {
                tokio::time::timeout(DUE_POLL, earlier.heard()).await.unwrap_or_default();
            }
        }
    }

    /// Does a batch of what is due, and says whether there was any.
    async fn fire_due(&self, name: &EngineName, resting: &mut Resting) -> Result<bool, AppError> {
        let local = self.core.engines.local(name)?;
        let limit = DUE_BATCH.saturating_add(resting.wake());
        let mut view = self.core.commands.view().await?;
        let due = local.due(&mut *view, self.core.commands.now(), limit).await?;
        drop(view);
        let mut some = false;
        for command in due.into_iter().filter(|command| !resting.holds(name, command)).collect::<Vec<_>>() {
            some = true;
            let (core, engine, what) = (self.core.clone(), name.clone(), command.clone());
            let starter = Starter::from(&Identity::system("timer"));
            let fired = self.core.commands.run(move |unit| {
                let (core, engine) = (core.clone(), engine.clone());
                let (command, starter) = (command.clone(), starter.clone());
                Box::pin(async move { core.perform(unit, &engine, command, starter).await.map(drop) })
            });
            if let Err(error) = fired.await {
                tracing::warn!(engine = %name, ?what, error = %error, "what was due could not be done; trying again");
                let gone = error.is_unavailable();
                resting.put(name, what, if gone { POLL } else { REST });
                if gone {
                    // Whether it is this one's row or all of the store, the next look will tell.
                    break;
                }
            }
        }
        Ok(some)
    }

    /// Deletes what is old.
    async fn sweep(self) {
        loop {
            tokio::time::sleep(self.retention.interval()).await;
            // Each failure is logged where it happens; the next round tries again.
            drop(self.sweep_once().await);
        }
    }

    /// Deletes what is older than it is kept, once.
    ///
    /// # Errors
    /// The first failure; what could be deleted has been.
    pub async fn sweep_once(&self) -> Result<(), AppError> {
        self.retention.sweep().await
    }
}
