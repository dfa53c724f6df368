//! Deletes what nobody needs any more: idempotency keys after a day, revocations that no token outlives, and ended
//! instances, executions and their events after `engines.history_ttl`. docs/retention.md.
//!
//! Each kind has transactions of its own, each of bounded cost, with a pause as long as the transaction took: others write
//! meanwhile, and a kind that fails stops no other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{commands::Unit, core::Core, error::AppError};
use crate::{
    domain::{engine::EngineName, idempotency, ids::ExecutionId},
    ports::repository::AgedEvent,
};

/// How many rows of a small kind one transaction deletes.
const ROWS_PER_STEP: u32 = 500;
/// How many instances, with all that belongs to them.
const INSTANCES_PER_STEP: u32 = 100;
/// How many executions, with their events; and how many events of them.
const EXECUTIONS_PER_STEP: u32 = 50;
const EVENTS_PER_STEP: u32 = 500;
/// The pause between two transactions.
const MIN_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// How often everything is swept: each minute, or as often as a shorter `engines.history_ttl` calls for.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_mins(1);

/// One transaction of a kind; gives whether there may be more to delete.
type Step = Arc<dyn for<'u> Fn(&'u mut Unit) -> BoxFuture<'u, Result<bool, AppError>> + Send + Sync>;

/// Deletes what is older than it is kept.
#[derive(Debug, Clone)]
pub(super) struct Retention {
    core: Core,
    history_ttl: SignedDuration,
    /// Up to which place in the store all events were looked at by age. It is kept in memory only: after a start the
    /// first sweep looks at all of them, in steps like any other.
    aged_to: Arc<AtomicU64>,
}

impl Retention {
    /// `history_ttl` is `engines.history_ttl`.
    pub(super) fn new(core: Core, history_ttl: SignedDuration) -> Self {
        Self { core, history_ttl, aged_to: Arc::default() }
    }

    /// The time from one sweep to the next.
    pub(super) fn interval(&self) -> Duration {
        self.history_ttl.unsigned_abs().clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// Sweeps every kind once.
    ///
    /// # Errors
    /// The first failure, after all kinds have had their turn. Each is logged.
    pub(super) async fn sweep(&self) -> Result<(), AppError> {
        let mut first = Ok(());
        for (kind, step) in self.kinds() {
            if let Err(error) = self.sweep_kind(step).await {
                tracing::warn!(kind, error = %error, "retention sweep failed");
                first = first.and(Err(error));
            }
        }
        first
    }

    async fn sweep_kind(&self, step: Step) -> Result<(), AppError> {
        loop {
            let began = Instant::now();
            let work = Arc::clone(&step);
            if !self.core.commands.run(move |unit| work(unit)).await? {
                return Ok(());
            }
            tokio::time::sleep(began.elapsed().clamp(MIN_PAUSE, MAX_PAUSE)).await;
        }
    }

    fn kinds(&self) -> Vec<(&'static str, Step)> {
        let ttl = self.history_ttl;
        let mut kinds: Vec<(&'static str, Step)> = vec![
            ("idempotency_keys", Arc::new(|unit| Box::pin(delete_idempotency_keys(unit)))),
            ("revocations", Arc::new(|unit| Box::pin(delete_revocations(unit)))),
        ];
        for (name, _) in self.core.engines.iter() {
            let (core, name) = (self.core.clone(), name.clone());
            kinds.push((
                "instances",
                Arc::new(move |unit| {
                    let (core, name) = (core.clone(), name.clone());
                    Box::pin(async move { delete_instances(&core, &name, unit, ttl).await })
                }),
            ));
        }
        kinds.push(("executions", Arc::new(move |unit| Box::pin(delete_executions(unit, ttl)))));
        let aged_to = Arc::clone(&self.aged_to);
        kinds.push((
            "events",
            Arc::new(move |unit| {
                let aged_to = Arc::clone(&aged_to);
                Box::pin(async move { delete_aged_events(unit, ttl, &aged_to).await })
            }),
        ));
        kinds
    }
}

/// The moment before which what is kept for `ttl` is old.
fn cutoff(unit: &Unit, ttl: SignedDuration) -> Timestamp {
    unit.now.saturating_sub(ttl).unwrap_or(Timestamp::MIN)
}

async fn delete_idempotency_keys(unit: &mut Unit) -> Result<bool, AppError> {
    let before = cutoff(unit, idempotency::KEPT_FOR);
    Ok(unit.uow().idempotency().sweep(before, ROWS_PER_STEP).await? >= ROWS_PER_STEP)
}

async fn delete_revocations(unit: &mut Unit) -> Result<bool, AppError> {
    let now = unit.now;
    Ok(unit.uow().revocations().sweep(now, ROWS_PER_STEP).await? >= ROWS_PER_STEP)
}

async fn delete_instances(
    core: &Core,
    engine: &EngineName,
    unit: &mut Unit,
    ttl: SignedDuration,
) -> Result<bool, AppError> {
    let before = cutoff(unit, ttl);
    let swept = core.engines.local(engine)?.sweep(unit.uow(), before, INSTANCES_PER_STEP).await?;
    Ok(swept >= INSTANCES_PER_STEP)
}

/// Deletes executions that ended long ago, each after the last of its events.
async fn delete_executions(unit: &mut Unit, ttl: SignedDuration) -> Result<bool, AppError> {
    let before = cutoff(unit, ttl);
    let expired = unit.uow().executions().lock_expired(before, EXECUTIONS_PER_STEP).await?;
    let (mut emptied, mut left) = (Vec::new(), EVENTS_PER_STEP);
    for execution in &expired {
        let subject = execution.id.to_string();
        let deleted = unit.uow().events().delete_by_subject(execution.workflow, &subject, left).await?;
        left -= deleted.min(left);
        if left == 0 {
            break;
        }
        emptied.push(execution.id);
    }
    unit.uow().executions().delete(&emptied).await?;
    Ok(!expired.is_empty())
}

/// Deletes old events that belong to no execution: those of executions go with them, so that the events of one that runs
/// are all there.
async fn delete_aged_events(unit: &mut Unit, ttl: SignedDuration, aged_to: &AtomicU64) -> Result<bool, AppError> {
    let before = cutoff(unit, ttl);
    let aged = unit.uow().events().list_aged(aged_to.load(Ordering::Relaxed), before, EVENTS_PER_STEP).await?;
    let Some(last) = aged.last().map(|event| event.position) else { return Ok(false) };
    let mut executions: Vec<_> = aged.iter().filter_map(execution_of).collect();
    executions.sort_unstable();
    executions.dedup();
    let existing = unit.uow().executions().find_existing(&executions).await?;
    let orphaned = |event: &&AgedEvent| execution_of(event).is_none_or(|id| !existing.contains(&id));
    let orphans: Vec<_> = aged.iter().filter(orphaned).map(|event| event.position).collect();
    unit.uow().events().delete_by_position(&orphans).await?;
    // What is stored before the commit is at worst looked at again after the next start.
    aged_to.store(last, Ordering::Relaxed);
    Ok(true)
}

fn execution_of(event: &AgedEvent) -> Option<ExecutionId> {
    event.subject.parse().ok()
}
