//! The embedded engine's instances.

use tidegate::{domain::execution::ExecutionStatus, ports::engine_store::InstanceRow};

use super::{
    Store, assert_conflict,
    given::{at, element, id, incident, instance, job, key, task},
    suite,
};

suite! {
    what_is_saved_is_found,
    an_unknown_one_is_none,
    a_taken_id_conflicts,
    a_change_writes_status_state_and_end,
    what_ended_is_found_oldest_end_first,
    a_sweep_forgets_what_ended_with_all_that_belongs_to_it,
}

fn ended(number: u128, second: i64) -> InstanceRow {
    InstanceRow { status: ExecutionStatus::Completed, ended_at: Some(at(second)), ..instance(number) }
}

async fn what_is_saved_is_found(store: Store) {
    store.change(async |unit| unit.instances().insert(&instance(1)).await).await;
    assert_eq!(store.read(async |view| view.instances().find(id(1)).await).await, Some(instance(1)));
    assert_eq!(store.change(async |unit| unit.instances().lock(id(1)).await).await, Some(instance(1)));
}

async fn an_unknown_one_is_none(store: Store) {
    assert_eq!(store.read(async |view| view.instances().find(id(1)).await).await, None);
    assert_eq!(store.change(async |unit| unit.instances().lock(id(1)).await).await, None);
}

async fn a_taken_id_conflicts(store: Store) {
    store.change(async |unit| unit.instances().insert(&instance(1)).await).await;
    assert_conflict(store.try_change(async |unit| unit.instances().insert(&instance(1)).await).await);
}

async fn a_change_writes_status_state_and_end(store: Store) {
    store.change(async |unit| unit.instances().insert(&instance(1)).await).await;
    let changed = InstanceRow { state: "{}".into(), process_key: key("other"), ..ended(1, 9) };
    store.change(async |unit| unit.instances().update(&changed).await).await;
    let expected = InstanceRow { state: "{}".into(), ..ended(1, 9) };
    assert_eq!(store.read(async |view| view.instances().find(id(1)).await).await, Some(expected));
}

async fn what_ended_is_found_oldest_end_first(store: Store) {
    for row in [ended(1, 30), instance(2), ended(3, 10), ended(4, 20), ended(5, 20)] {
        store.change(async |unit| unit.instances().insert(&row).await).await;
    }
    let since = async |second, limit| {
        let rows = store.read(async |view| view.instances().ended_since(at(second), limit).await).await;
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(since(20, 10).await, [id(4), id(5), id(1)]);
    assert_eq!(since(0, 2).await, [id(3), id(4)]);
    assert!(since(31, 10).await.is_empty());
}

async fn a_sweep_forgets_what_ended_with_all_that_belongs_to_it(store: Store) {
    for row in [ended(1, 10), ended(2, 20), instance(3), ended(4, 50)] {
        let number = row.id.as_u128() - id(0).as_u128();
        store
            .change(async |unit| {
                unit.instances().insert(&row).await?;
                unit.jobs().insert(&job(number, 1, "t", 1)).await?;
                unit.tasks().insert(&task(number, 2, "demo", 1)).await?;
                unit.incidents().put(&incident(number, 1, 1)).await
            })
            .await;
    }
    let sweep = async || store.change(async |unit| unit.instances().sweep(at(50), 1).await).await;
    assert_eq!((sweep().await, sweep().await, sweep().await), (1, 1, 0));
    for (number, kept) in [(1, false), (2, false), (3, true), (4, true)] {
        let found = store
            .read(async |view| {
                Ok([
                    view.instances().find(id(number)).await?.is_some(),
                    view.jobs().find(element(number, 1)).await?.is_some(),
                    view.tasks().find(element(number, 2)).await?.is_some(),
                    view.incidents().find(element(number, 1)).await?.is_some(),
                ])
            })
            .await;
        assert_eq!(found, [kept; 4], "{number}");
    }
}
