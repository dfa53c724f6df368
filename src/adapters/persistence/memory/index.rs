//! Sorted look-ups beside the tables.

use std::ops::Bound;

use imbl::{OrdMap, OrdSet};

use crate::domain::{
    json::JsonObject,
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// Many sorted values under each key.
#[derive(Debug, Clone)]
pub(super) struct Index<K: Ord, V: Ord> {
    sets: OrdMap<K, OrdSet<V>>,
}

impl<K: Ord + Clone, V: Ord + Clone> Default for Index<K, V> {
    fn default() -> Self {
        Self { sets: OrdMap::new() }
    }
}

impl<K: Ord + Clone, V: Ord + Clone + 'static> Index<K, V> {
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.sets.entry(key).or_default().insert(value);
    }

    pub(super) fn remove(&mut self, key: &K, value: &V) {
        let Some(set) = self.sets.get_mut(key) else { return };
        set.remove(value);
        if set.is_empty() {
            self.sets.remove(key);
        }
    }

    pub(super) fn is_empty(&self, key: &K) -> bool {
        !self.sets.contains_key(key)
    }

    pub(super) fn count(&self, key: &K) -> usize {
        self.sets.get(key).map_or(0, OrdSet::len)
    }

    /// The values of a key, the least first.
    pub(super) fn ascending(&self, key: &K) -> impl DoubleEndedIterator<Item = &V> {
        self.sets.get(key).into_iter().flat_map(OrdSet::iter)
    }

    /// The values of a key after one, the least first.
    pub(super) fn above(&self, key: &K, value: &V) -> impl Iterator<Item = &V> {
        let range = (Bound::Excluded(value), Bound::Unbounded);
        self.sets.get(key).into_iter().flat_map(move |set| set.range::<_, V>(range))
    }

    /// The values of a key up to one, the least first.
    pub(super) fn up_to(&self, key: &K, value: &V) -> impl Iterator<Item = &V> {
        let range = (Bound::Unbounded, Bound::Included(value));
        self.sets.get(key).into_iter().flat_map(move |set| set.range::<_, V>(range))
    }

    /// The values of a key below one, the greatest first.
    pub(super) fn descending(&self, key: &K, below: Option<&V>) -> impl Iterator<Item = &V> {
        let range = (Bound::Unbounded, below.map_or(Bound::Unbounded, Bound::Excluded));
        self.sets.get(key).into_iter().flat_map(move |set| set.range::<_, V>(range).rev())
    }

    /// The values of several keys below one, the greatest first, at most `limit` that are wanted.
    pub(super) fn merge_descending(
        &self,
        keys: impl IntoIterator<Item = K>,
        below: Option<&V>,
        limit: usize,
        wanted: impl Fn(&V) -> bool,
    ) -> Vec<V> {
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.descending(&key, below).filter(|value| wanted(value)).take(limit).cloned());
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.truncate(limit);
        found
    }
}

/// The keys under which an index by workspace (or `None` for all of them) holds what a caller reaches.
pub(super) fn facets(within: &WorkspaceAccess) -> Vec<Option<WorkspaceId>> {
    match within {
        WorkspaceAccess::All => vec![None],
        WorkspaceAccess::Only(ids) => ids.iter().cloned().map(Some).collect(),
    }
}

/// The keys under which something of a workspace stands in such an index.
pub(super) fn both(workspace: &WorkspaceId) -> [Option<WorkspaceId>; 2] {
    [None, Some(workspace.clone())]
}

/// A limit as a number of items.
pub(super) fn items(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// How many bytes an object has as JSON: what the databases store.
pub(super) fn size(object: &JsonObject) -> usize {
    serde_json::to_string(object).map_or(0, |text| text.len())
}

/// How many items were handled, as the ports say it.
pub(super) fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
