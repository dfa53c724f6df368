//! Whom validated tokens name, remembered as long as the validators remember the tokens.

use std::{fmt, sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::domain::identity::Identity;

/// How many callers are remembered as they were named last, and how long after their last request.
const NAMED: u64 = 20_000;
const NAMED_FOR: Duration = Duration::from_mins(2);

/// What was made of validated identities. By the address of each: whoever validates tokens gives the same one as long as a
/// token is remembered, and an entry keeps it alive, so that no other one can come to lie there.
pub(super) struct Named<T>(Cache<usize, (Arc<Identity>, T)>);

impl<T> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> Default for Named<T> {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(NAMED).time_to_idle(NAMED_FOR).build())
    }
}

impl<T: Clone + Send + Sync + 'static> Named<T> {
    /// What was made of this one.
    pub(super) fn find(&self, validated: &Arc<Identity>) -> Option<T> {
        let (known, made) = self.0.get(&Arc::as_ptr(validated).addr())?;
        Arc::ptr_eq(&known, validated).then_some(made)
    }

    /// Remembers it.
    pub(super) fn keep(&self, validated: &Arc<Identity>, made: T) {
        self.0.insert(Arc::as_ptr(validated).addr(), (Arc::clone(validated), made));
    }
}
