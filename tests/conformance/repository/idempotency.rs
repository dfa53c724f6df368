//! Idempotency keys.

use tidegate::domain::idempotency::IdempotencyRecord;

use super::{
    Store, at_once,
    given::{at, idempotency, workspace},
    suite,
};

suite! {
    what_is_remembered_is_found,
    an_unknown_key_is_none,
    a_key_remembered_anew_has_the_new_answer,
    a_hold_ends_with_its_unit,
    what_is_rolled_back_holds_nothing_any_more,
    one_key_many_times_at_once_is_done_once,
    a_sweep_forgets_the_oldest_in_bounded_steps,
}

async fn what_is_remembered_is_found(store: Store) {
    store.change(async |unit| unit.idempotency().insert(&idempotency(1, 5)).await).await;
    let found = store.read(async |view| view.idempotency().find(&idempotency(1, 5).key).await).await;
    assert_eq!(found, Some(idempotency(1, 5)));
}

async fn an_unknown_key_is_none(store: Store) {
    assert_eq!(store.read(async |view| view.idempotency().find(&idempotency(1, 5).key).await).await, None);
}

async fn a_key_remembered_anew_has_the_new_answer(store: Store) {
    let anew = IdempotencyRecord { key: idempotency(1, 5).key, ..idempotency(2, 9) };
    for record in [&idempotency(1, 5), &anew] {
        store.change(async |unit| unit.idempotency().insert(record).await).await;
    }
    let found = store.read(async |view| view.idempotency().find(&anew.key).await).await;
    assert_eq!(found, Some(anew));
}

async fn a_hold_ends_with_its_unit(store: Store) {
    let key = idempotency(1, 1).key;
    let mut dropped = store.begin().await;
    assert!(dropped.idempotency().try_lock(&key).await.unwrap());
    drop(dropped);
    let mut committed = store.begin().await;
    while !committed.idempotency().try_lock(&key).await.unwrap() {
        // The store learns of the drop in its own time.
        drop(committed);
        tokio::task::yield_now().await;
        committed = store.begin().await;
    }
    assert!(committed.idempotency().try_lock(&key).await.unwrap(), "its own hold is not in the way");
    committed.commit().await.unwrap();
    assert!(store.change(async |unit| unit.idempotency().try_lock(&key).await).await);
}

async fn what_is_rolled_back_holds_nothing_any_more(store: Store) {
    let key = idempotency(1, 1).key;
    for _ in 0..20 {
        let mut unit = store.begin().await;
        assert!(unit.idempotency().try_lock(&key).await.unwrap(), "the one before has let go");
        unit.idempotency().insert(&idempotency(1, 1)).await.unwrap();
        unit.rollback().await;
    }
    assert_eq!(store.read(async |view| view.idempotency().find(&key).await).await, None);
}

async fn one_key_many_times_at_once_is_done_once(store: Store) {
    let commands = (0..8).map(async |number| {
        let key = idempotency(1, 1).key;
        store
            .change(async |unit| {
                if !unit.idempotency().try_lock(&key).await? {
                    return Ok("in flight");
                }
                if unit.idempotency().find(&key).await?.is_some() {
                    return Ok("replayed");
                }
                unit.workspaces().insert(&workspace(&format!("w{number}"), 1)).await?;
                unit.idempotency().insert(&idempotency(1, 1)).await?;
                Ok("done")
            })
            .await
    });
    let outcomes = at_once(commands).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "done").count(), 1, "{outcomes:?}");
}

async fn a_sweep_forgets_the_oldest_in_bounded_steps(store: Store) {
    for (number, second) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        store.change(async |unit| unit.idempotency().insert(&idempotency(number, second)).await).await;
    }
    let sweep = async || store.change(async |unit| unit.idempotency().sweep(at(40), 2).await).await;
    assert_eq!(sweep().await, 2);
    assert!(store.read(async |view| view.idempotency().find(&idempotency(1, 1).key).await).await.is_some());
    assert_eq!((sweep().await, sweep().await), (1, 0));
    assert!(store.read(async |view| view.idempotency().find(&idempotency(4, 1).key).await).await.is_some());
}
