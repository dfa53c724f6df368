//! Cursor-paginated lists.

/// How many items a list answers by default.
pub const DEFAULT_LIMIT: u32 = 50;
/// How many bytes of content a page has at most, unless its only item has more: it ends early, with its cursor.
pub const MAX_PAGE_BYTES: usize = 8 << 20;
/// How many items a list answers at most.
pub const MAX_LIMIT: u32 = 200;

/// How many of these items, by their sizes, fit into a page: the first one always does.
pub fn count_within(sizes: impl IntoIterator<Item = usize>, max_bytes: usize) -> usize {
    let mut sum = 0_usize;
    let fits = |size: &usize| {
        let is_first = sum == 0;
        sum = sum.saturating_add(*size).max(1);
        is_first || sum <= max_bytes
    };
    sizes.into_iter().take_while(fits).count()
}

/// What part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// Where the page before ended: its [`Page::next`].
    pub after: Option<Position>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: DEFAULT_LIMIT, after: None }
    }
}

/// A place in a list: the sort key of the last item seen. Lists sort by one text key, descending (newest first) unless
/// said otherwise, so that a page costs the same wherever it lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub String);

/// One part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

impl<T> Page<T> {
    /// Makes a page of what a store found when it was asked for one item more than the limit.
    pub fn cut(mut found: Vec<T>, limit: u32, position: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = if more { found.last().map(|last| Position(position(last))) } else { None };
        Self { items: found, next }
    }

    /// The same page of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
