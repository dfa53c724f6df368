//! The embedded engine's timers. The store's clock is the caller's here; see `postgres.rs` for the database's.

use tidegate::ports::engine_store::{Due, TimerRow};

use super::{
    Store,
    given::{UNICODE, at, element, id},
    suite,
};

suite! {
    what_is_due_is_found_the_longest_due_first,
    a_timer_set_anew_replaces_the_old,
    a_timer_is_held_only_while_it_is_due,
    a_forgotten_timer_is_gone,
    all_starts_of_a_definition_are_forgotten,
    each_thing_has_a_timer_of_its_own,
}

fn timer(what: Due, second: i64) -> TimerRow {
    TimerRow { what, due: at(second), schedule: UNICODE.into() }
}

fn start(definition: u128, event: &str) -> Due {
    Due::Start { definition: id(definition), element_id: event.into() }
}

async fn put(store: &Store, timer: TimerRow) {
    store.change(async |unit| unit.timers().put(&timer).await).await;
}

async fn due(store: &Store, second: i64, limit: u32) -> Vec<TimerRow> {
    store.read(async |view| view.timers().due(at(second), limit).await).await
}

async fn what_is_due_is_found_the_longest_due_first(store: Store) {
    let timers = [
        timer(Due::Timer(element(1, 7)), 3),
        timer(start(1, "every day"), 1),
        timer(Due::Continue(id(2)), 2),
        timer(Due::Timer(element(1, 8)), 4),
    ];
    for timer in &timers {
        put(&store, timer.clone()).await;
    }
    let [third, first, second, _] = timers;
    assert!(due(&store, 0, 10).await.is_empty());
    assert_eq!(due(&store, 3, 10).await, [first.clone(), second.clone(), third]);
    assert_eq!(due(&store, 3, 2).await, [first, second]);
}

async fn a_timer_set_anew_replaces_the_old(store: Store) {
    put(&store, timer(Due::Timer(element(1, 7)), 3)).await;
    let anew = TimerRow { schedule: "new".into(), ..timer(Due::Timer(element(1, 7)), 9) };
    put(&store, anew.clone()).await;
    assert!(due(&store, 8, 10).await.is_empty());
    assert_eq!(due(&store, 9, 10).await, [anew]);
}

async fn a_timer_is_held_only_while_it_is_due(store: Store) {
    let set = timer(start(1, "x"), 5);
    put(&store, set.clone()).await;
    let lock = async |second| store.change(async |unit| unit.timers().lock_due(&set.what, at(second)).await).await;
    assert_eq!(lock(4).await, None);
    assert_eq!(lock(5).await, Some(set.clone()));
    put(&store, timer(start(1, "x"), 50)).await;
    assert_eq!(lock(5).await, None, "whoever came first has set it anew");
}

async fn a_forgotten_timer_is_gone(store: Store) {
    let what = Due::Continue(id(1));
    put(&store, timer(what.clone(), 1)).await;
    store.change(async |unit| unit.timers().delete(&what).await).await;
    assert!(due(&store, 9, 10).await.is_empty());
    store.change(async |unit| unit.timers().delete(&what).await).await;
    assert_eq!(store.change(async |unit| unit.timers().lock_due(&what, at(9)).await).await, None);
}

async fn all_starts_of_a_definition_are_forgotten(store: Store) {
    for what in [start(1, "a"), start(1, ""), Due::Continue(id(1)), start(2, "a"), Due::Timer(element(1, 1))] {
        put(&store, timer(what, 1)).await;
    }
    store.change(async |unit| unit.timers().delete_starts(id(1)).await).await;
    let mut left: Vec<_> = due(&store, 9, 10).await.into_iter().map(|timer| timer.what).collect();
    left.sort_unstable();
    assert_eq!(left, [Due::Timer(element(1, 1)), start(2, "a"), Due::Continue(id(1))]);
}

async fn each_thing_has_a_timer_of_its_own(store: Store) {
    for what in [Due::Timer(element(1, 0)), Due::Continue(id(1)), start(1, ""), Due::Timer(element(1, 1))] {
        put(&store, timer(what, 1)).await;
    }
    assert_eq!(due(&store, 1, 10).await.len(), 4);
}
