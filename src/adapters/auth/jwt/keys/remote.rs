//! A key set that a provider publishes: fetched at its first use, renewed ahead of its time, kept while the provider is down.
//!
//! Ages are measured on the `Clock`. A clock that was set back makes a set due for renewal, and no more.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{
    super::algorithm::Algorithm,
    Upkeep,
    fetch::FetchError,
    set::KeySet,
    source::Source,
    state::{Flight, Freshness, Held, RETRY_AFTER, State, is_before},
};
use crate::app::context;

/// The keeper of a set rests at least so long.
const LEAST_REST: Duration = Duration::from_millis(100);

/// A set, or how to get at it.
#[derive(Debug)]
pub(in super::super) enum AtHand {
    /// It counts.
    Now(Arc<KeySet>),
    /// It will, when this fetch is over.
    Soon(Flight),
    /// There is none, and the provider was asked a moment ago.
    Nothing,
}

/// The answer to "have you this key?" of somebody who is ready to wait for a fetch.
#[derive(Debug)]
pub(in super::super) struct Renewed {
    /// The set as it is now; `None` if there is none that counts.
    pub(in super::super) set: Option<Arc<KeySet>>,
    /// Whether the latest attempt succeeded: then what is not in the set does not exist.
    pub(in super::super) is_latest: bool,
}

/// A remote key set.
#[derive(Debug)]
pub(in super::super) struct RemoteSet {
    /// Whose it is, for logs.
    issuer: String,
    source: Source,
    algorithms: Vec<Algorithm>,
    freshness: Freshness,
    upkeep: Upkeep,
    state: Mutex<State>,
}

impl RemoteSet {
    pub(super) fn new(
        issuer: String,
        source: Source,
        algorithms: Vec<Algorithm>,
        freshness: Freshness,
        upkeep: Upkeep,
    ) -> Self {
        Self { issuer, source, algorithms, freshness, upkeep, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves it whole: its parts are set one by one, and each is right by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the latest attempt failed, if it did.
    pub(super) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// How many fetches began.
    pub(super) fn fetches(&self) -> u64 {
        self.state().fetches
    }

    /// Where the keys come from, for logs and reports.
    pub(super) fn shown(&self) -> String {
        self.source.shown()
    }

    /// The set as it counts now, or the fetch to wait for; begins to renew it when it is due.
    pub(in super::super) fn at_hand(self: &Arc<Self>) -> AtHand {
        let now = self.upkeep.clock.now();
        let mut state = self.state();
        state.used = true;
        let Some(held) = state.held.clone().filter(|held| !self.freshness.is_stale(held.at, now)) else {
            // Where the last attempt did not fail, its set has merely had its time.
            if !state.has_failed() || state.has_cooled(now, now) {
                self.begin(&mut state, now);
            }
            return state.flight.clone().map_or(AtHand::Nothing, AtHand::Soon);
        };
        if held.is_due(now) && state.may_retry(now) {
            self.begin(&mut state, now);
        }
        match &state.flight {
            // Nobody looked in time, and the provider was there when it was last asked: it may say something else now.
            Some(flight) if held.is_over(flight.began) && !state.has_failed() => AtHand::Soon(flight.clone()),
            _ => AtHand::Now(held.set),
        }
    }

    /// The set as it counts now. Waits where there is none, or where its time is over.
    pub(in super::super) async fn current(self: &Arc<Self>) -> Option<Arc<KeySet>> {
        match self.at_hand() {
            AtHand::Now(set) => Some(set),
            AtHand::Nothing => None,
            AtHand::Soon(flight) => {
                flight.over().await;
                self.serving(&self.state())
            }
        }
    }

    /// The set, unless it has had its time. What an attempt brought serves who waited for it, however long that took.
    fn serving(&self, state: &State) -> Option<Arc<KeySet>> {
        let now = self.upkeep.clock.now();
        let held = state.held.as_ref()?;
        (!state.has_failed() || !self.freshness.is_stale(held.at, now)).then(|| Arc::clone(&held.set))
    }

    /// Sees to it that an attempt was made within the last [`COOL_DOWN`], and waits for it.
    pub(in super::super) async fn renewed(self: &Arc<Self>) -> Renewed {
        let arrived = self.upkeep.clock.now();
        while let Some(flight) = self.flight_since(arrived) {
            let began = flight.began;
            flight.over().await;
            if self.state().has_failed() || !is_before(began, arrived) {
                break;
            }
        }
        let state = self.state();
        let set = self.serving(&state);
        Renewed { is_latest: set.is_some() && !state.has_failed(), set }
    }

    /// The attempt to wait for; `None` if the last one is over and not older than the cool-down.
    fn flight_since(self: &Arc<Self>, arrived: Timestamp) -> Option<Flight> {
        let mut state = self.state();
        state.used = true;
        if state.flight.is_none() {
            let now = self.upkeep.clock.now();
            if !state.has_cooled(arrived, now) {
                return None;
            }
            self.begin(&mut state, now);
        }
        state.flight.clone()
    }

    /// Begins a fetch. It is a task of its own: whoever asked for it may go away.
    fn begin(self: &Arc<Self>, state: &mut State, now: Timestamp) {
        if state.flight.is_some() {
            return;
        }
        let (over, receiver) = watch::channel(());
        state.flight = Some(Flight { began: now, over: receiver });
        state.attempted_at = Some(now);
        state.fetches += 1;
        let landing = Landing { set: Arc::clone(self), outcome: None, _over: over };
        context::spawn_as_system(&self.upkeep.tasks, landing.fly(now));
        if !state.is_kept {
            state.is_kept = true;
            context::spawn_as_system(&self.upkeep.tasks, Arc::clone(self).keep());
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<Held, FetchError> {
        let fetch = self.source.fetch(self.freshness, now);
        let fetched = self.upkeep.stop.run_until_cancelled(fetch).await.ok_or(FetchError::Stopping)??;
        let old = self.state().held.as_ref().map(|held| Arc::clone(&held.set)).unwrap_or_default();
        let set = old.renewed(&fetched.body, &self.algorithms)?;
        for (index, reason) in set.skipped() {
            tracing::debug!(issuer = self.issuer, index, %reason, "a key of a key set is not used");
        }
        Ok(Held { set: Arc::new(set), at: now, ttl: self.freshness.ttl(fetched.max_age) })
    }

    fn land(&self, outcome: Result<Held, FetchError>) {
        let mut state = self.state();
        state.flight = None;
        match outcome {
            Ok(held) => {
                if let Some(old) = &state.held {
                    old.set.replaced_by(&held.set);
                }
                held.set.count_until(held.is_over_at());
                held.set.has_vouched();
                (state.held, state.failure, state.used) = (Some(held), None, false);
            }
            Err(error) => {
                state.failure = Some(error.to_string());
                if let Some(held) = &state.held {
                    held.set.count_until(self.freshness.serves_until(held.at));
                }
                drop(state);
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let source = self.source.shown();
                tracing::warn!(issuer = self.issuer, source, %error, cause, "a key set could not be fetched");
            }
        }
    }

    /// Renews the set ahead of its time as long as it is used, also while nobody asks.
    async fn keep(self: Arc<Self>) {
        loop {
            let flight = self.state().flight.clone();
            if let Some(flight) = flight {
                flight.over().await;
            }
            let Some(pause) = self.rest() else { return };
            if self.upkeep.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            let now = self.upkeep.clock.now();
            let mut state = self.state();
            if state.is_used() && state.held.as_ref().is_some_and(|held| held.is_due(now)) && state.may_retry(now) {
                self.begin(&mut state, now);
            }
        }
    }

    /// How long the keeper rests; `None` once nobody uses the set: whoever does again sees it fetched, and kept anew.
    fn rest(&self) -> Option<Duration> {
        let now = self.upkeep.clock.now();
        let mut state = self.state();
        let used = state.is_used();
        let pause = match &state.held {
            Some(held) if !held.is_due(now) => held.ttl / 5 * 4 - held.at.duration_until(now),
            Some(_) if used && state.has_failed() => RETRY_AFTER,
            Some(_) if used => SignedDuration::ZERO,
            _ => {
                state.is_kept = false;
                return None;
            }
        };
        Some(Duration::try_from(pause).unwrap_or_default().max(LEAST_REST))
    }
}

/// Ends a flight whatever becomes of its task.
struct Landing {
    set: Arc<RemoteSet>,
    outcome: Option<Result<Held, FetchError>>,
    _over: watch::Sender<()>,
}

impl Landing {
    async fn fly(mut self, now: Timestamp) {
        self.outcome = Some(self.set.fetch(now).await);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.set.land(self.outcome.take().unwrap_or(Err(FetchError::Stopping)));
    }
}
