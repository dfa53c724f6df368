//! The embedded engine's process definitions.

use super::{
    Store, assert_conflict,
    given::{definition, id, key, space},
    suite,
};

suite! {
    what_is_saved_is_found,
    an_unknown_one_is_none,
    a_taken_version_or_id_conflicts,
    the_latest_version_is_found,
}

async fn what_is_saved_is_found(store: Store) {
    store.change(async |unit| unit.definitions().insert(&definition(1, "demo", 1)).await).await;
    assert_eq!(store.read(async |view| view.definitions().find(id(1)).await).await, Some(definition(1, "demo", 1)));
}

async fn an_unknown_one_is_none(store: Store) {
    assert_eq!(store.read(async |view| view.definitions().find(id(1)).await).await, None);
    let latest = store.read(async |view| view.definitions().find_latest(&space("demo"), &key("order")).await).await;
    assert_eq!(latest, None);
}

async fn a_taken_version_or_id_conflicts(store: Store) {
    store.change(async |unit| unit.definitions().insert(&definition(1, "demo", 1)).await).await;
    for taken in [definition(2, "demo", 1), definition(1, "demo", 2)] {
        assert_conflict(store.try_change(async |unit| unit.definitions().insert(&taken).await).await);
    }
}

async fn the_latest_version_is_found(store: Store) {
    for (number, slug, version) in [(1, "demo", 1), (2, "demo", 10), (3, "demo", 9), (4, "prod", 11)] {
        store.change(async |unit| unit.definitions().insert(&definition(number, slug, version)).await).await;
    }
    let latest = store.read(async |view| view.definitions().find_latest(&space("demo"), &key("order")).await).await;
    assert_eq!(latest, Some((id(2), 10)));
}
