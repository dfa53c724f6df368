//! Workers that wait for jobs. Those who wait for the same are a group, in which one looks and the others stand behind it;
//! a group is woken by jobs of its topics and workspaces alone; and what other replicas do is found by one look of all
//! groups together.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::{
    text::Key,
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// How many requests of one identity may wait at once: for jobs, for a task, for the end of an execution.
pub const MAX_WAITS_PER_IDENTITY: usize = 256;

/// Jobs that became available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailableJobs {
    /// Where; `None`: somewhere.
    pub workspace: Option<WorkspaceId>,
    /// Of which topic; `None`: of any.
    pub topic: Option<Key>,
}

/// Everybody who waits on this replica.
#[derive(Debug, Default)]
pub struct Waits {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    groups: HashMap<Wanted, Arc<Group>>,
    by_identity: HashMap<String, usize>,
}

/// What a group waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wanted {
    within: WorkspaceAccess,
    topics: BTreeSet<Key>,
}

/// Who waits for the same.
#[derive(Debug, Default)]
struct Group {
    /// Held by who looks.
    turn: tokio::sync::Mutex<()>,
    bell: Notify,
}

/// A place among those who wait; given back when it is dropped.
#[derive(Debug)]
pub struct Wait<'w> {
    waits: &'w Waits,
    identity: String,
}

/// A place in a group; given back when it is dropped.
#[derive(Debug)]
pub struct Membership<'w> {
    waits: &'w Waits,
    wanted: Wanted,
    group: Arc<Group>,
}

impl Waits {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a request that waits; `None`: the identity has too many.
    pub fn enter(&self, identity: String) -> Option<Wait<'_>> {
        let mut state = self.state();
        let count = state.by_identity.entry(identity.clone()).or_default();
        if *count >= MAX_WAITS_PER_IDENTITY {
            return None;
        }
        *count += 1;
        drop(state);
        Some(Wait { waits: self, identity })
    }

    /// A place in the group of those who wait for jobs of these topics in these workspaces.
    pub fn join(&self, within: WorkspaceAccess, topics: &[Key]) -> Membership<'_> {
        let wanted = Wanted { within, topics: topics.iter().cloned().collect() };
        let group = Arc::clone(self.state().groups.entry(wanted.clone()).or_default());
        Membership { waits: self, wanted, group }
    }

    /// Wakes who waits for these jobs: of each group the one that looks.
    pub fn wake(&self, jobs: &AvailableJobs) {
        let state = self.state();
        let wants = |wanted: &Wanted| {
            jobs.topic.as_ref().is_none_or(|topic| wanted.topics.contains(topic))
                && jobs.workspace.as_ref().is_none_or(|workspace| wanted.within.contains(workspace))
        };
        for (_, group) in state.groups.iter().filter(|(wanted, _)| wants(wanted)) {
            group.bell.notify_one();
        }
    }

    /// All topics that somebody waits for.
    pub fn topics(&self) -> Vec<Key> {
        let state = self.state();
        let all: BTreeSet<_> = state.groups.keys().flat_map(|wanted| &wanted.topics).collect();
        all.into_iter().cloned().collect()
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut state = self.waits.state();
        if let Some(count) = state.by_identity.get_mut(&self.identity) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.by_identity.remove(&self.identity);
            }
        }
    }
}

impl Membership<'_> {
    /// Waits until it is this member's turn to look.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.group.turn.lock().await
    }

    /// Waits until there may be jobs.
    pub async fn woken(&self) {
        self.group.bell.notified().await;
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        let mut state = self.waits.state();
        // The map's own handle and this one.
        if Arc::strong_count(&self.group) <= 2 {
            state.groups.remove(&self.wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn workspace(id: &str) -> WorkspaceId {
        WorkspaceId::parse(id).unwrap()
    }

    fn only(id: &str) -> WorkspaceAccess {
        WorkspaceAccess::Only([workspace(id)].into())
    }

    fn available(id: &str, topic: Option<&str>) -> AvailableJobs {
        AvailableJobs { workspace: Some(workspace(id)), topic: topic.map(key) }
    }

    async fn is_woken(member: &Membership<'_>) -> bool {
        timeout(Duration::from_millis(20), member.woken()).await.is_ok()
    }

    #[tokio::test]
    async fn jobs_wake_who_waits_for_them_and_nobody_else() {
        let waits = Waits::default();
        let charge = waits.join(only("a"), &[key("charge"), key("ship")]);
        let [elsewhere, other] = [waits.join(only("b"), &[key("charge")]), waits.join(only("a"), &[key("bill")])];
        let everywhere = waits.join(WorkspaceAccess::All, &[key("charge")]);
        waits.wake(&available("a", Some("charge")));
        assert!(is_woken(&charge).await && is_woken(&everywhere).await);
        assert!(!is_woken(&elsewhere).await && !is_woken(&other).await);
        waits.wake(&available("a", None));
        assert!(is_woken(&charge).await && is_woken(&other).await && !is_woken(&elsewhere).await);
        assert_eq!(waits.topics(), [key("bill"), key("charge"), key("ship")]);
    }

    #[tokio::test]
    async fn one_of_a_group_looks_at_a_time_and_a_wake_is_not_lost() {
        let waits = Waits::default();
        let [first, second] = [0, 1].map(|_| waits.join(only("a"), &[key("x")]));
        let looking = first.turn().await;
        assert!(timeout(Duration::from_millis(20), second.turn()).await.is_err());
        waits.wake(&available("a", Some("x")));
        drop(looking);
        drop(first);
        let looking = second.turn().await;
        assert!(is_woken(&second).await, "it was not used by the first");
        drop(looking);
        drop(second);
        assert_eq!(waits.topics(), []);
    }

    #[tokio::test]
    async fn an_identity_has_so_many_places() {
        let waits = Waits::default();
        let all: Vec<_> = std::iter::from_fn(|| waits.enter("ci".to_owned())).collect();
        assert_eq!(all.len(), MAX_WAITS_PER_IDENTITY);
        assert!(waits.enter("other".to_owned()).is_some());
        drop(all);
        assert!(waits.enter("ci".to_owned()).is_some());
    }
}
