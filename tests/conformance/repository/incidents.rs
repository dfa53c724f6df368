//! The embedded engine's incidents.

use tidegate::ports::engine_store::IncidentRow;

use super::{
    Store,
    given::{at, element, id, incident},
    suite,
};

suite! {
    what_is_saved_is_found,
    open_ones_are_listed_oldest_first_and_counted,
    a_resolved_one_is_found_but_not_open,
    the_first_resolution_stays,
    all_of_an_instance_are_resolved,
    a_resolved_one_opens_anew,
    at_most_two_hundred_are_listed_and_all_are_counted,
}

async fn put(store: &Store, incident: IncidentRow) {
    store.change(async |unit| unit.incidents().put(&incident).await).await;
}

async fn open(store: &Store, instance: u128) -> (Vec<u64>, u64) {
    store
        .read(async |view| {
            let open = view.incidents().open(id(instance)).await?;
            let count = view.incidents().count_open(id(instance)).await?;
            Ok((open.into_iter().map(|incident| incident.id.key).collect(), count))
        })
        .await
}

async fn what_is_saved_is_found(store: Store) {
    put(&store, incident(1, 7, 5)).await;
    let found = store.read(async |view| view.incidents().find(element(1, 7)).await).await;
    assert_eq!(found, Some(incident(1, 7, 5)));
    assert_eq!(store.read(async |view| view.incidents().find(element(1, 8)).await).await, None);
}

async fn open_ones_are_listed_oldest_first_and_counted(store: Store) {
    for (instance, number, second) in [(1, 1, 3), (1, 2, 1), (2, 3, 2)] {
        put(&store, incident(instance, number, second)).await;
    }
    assert_eq!(open(&store, 1).await, (vec![2, 1], 2));
    assert_eq!(open(&store, 3).await, (vec![], 0));
}

async fn a_resolved_one_is_found_but_not_open(store: Store) {
    put(&store, incident(1, 7, 5)).await;
    store.change(async |unit| unit.incidents().resolve(element(1, 7), at(9)).await).await;
    assert_eq!(open(&store, 1).await, (vec![], 0));
    let found = store.read(async |view| view.incidents().find(element(1, 7)).await).await;
    assert_eq!(found, Some(IncidentRow { resolved_at: Some(at(9)), ..incident(1, 7, 5) }));
}

async fn the_first_resolution_stays(store: Store) {
    put(&store, incident(1, 7, 5)).await;
    for second in [9, 10] {
        store.change(async |unit| unit.incidents().resolve(element(1, 7), at(second)).await).await;
    }
    let found = store.read(async |view| view.incidents().find(element(1, 7)).await).await.unwrap();
    assert_eq!(found.resolved_at, Some(at(9)));
}

async fn all_of_an_instance_are_resolved(store: Store) {
    for (instance, number) in [(1, 1), (1, 2), (2, 1)] {
        put(&store, incident(instance, number, 1)).await;
    }
    store.change(async |unit| unit.incidents().resolve_all(id(1), at(9)).await).await;
    assert_eq!(open(&store, 1).await, (vec![], 0));
    assert_eq!(open(&store, 2).await, (vec![1], 1));
}

async fn a_resolved_one_opens_anew(store: Store) {
    put(&store, incident(1, 7, 5)).await;
    store.change(async |unit| unit.incidents().resolve(element(1, 7), at(9)).await).await;
    let mut anew = incident(1, 7, 20);
    anew.incident.message = "again".into();
    put(&store, anew.clone()).await;
    assert_eq!(store.read(async |view| view.incidents().open(id(1)).await).await, [anew]);
}

async fn at_most_two_hundred_are_listed_and_all_are_counted(store: Store) {
    store
        .change(async |unit| {
            for number in 0..203 {
                unit.incidents().put(&incident(1, number, 1)).await?;
            }
            Ok(())
        })
        .await;
    let (listed, count) = open(&store, 1).await;
    assert_eq!((listed, count), ((0..200).collect(), 203));
}
