//! The embedded engine's messages that wait for a receiver.

use tidegate::ports::engine_store::{BufferedMessage, SubscriptionKind, SubscriptionRow};

use super::{
    Store, assert_conflict,
    given::{at, exact, id, key, message, space, start_subscription, subscription},
    suite,
};

suite! {
    a_message_is_taken_once_and_whole,
    a_taken_id_conflicts,
    the_oldest_that_fits_is_taken,
    keys_match_each_in_its_dialect,
    name_workspace_and_kind_must_fit,
    a_message_for_one_instance_is_for_it_alone,
    a_start_takes_what_names_neither_key_nor_instance,
    a_message_that_ran_out_is_not_taken,
    a_sweep_forgets_what_ran_out_in_bounded_steps,
}

async fn insert(store: &Store, message: BufferedMessage) {
    store.change(async |unit| unit.buffered_messages().insert(&message).await).await;
}

async fn take(store: &Store, subscription: &SubscriptionRow, second: i64) -> Option<BufferedMessage> {
    store.change(async |unit| unit.buffered_messages().take(subscription, at(second)).await).await
}

async fn a_message_is_taken_once_and_whole(store: Store) {
    let saved = BufferedMessage { variables: exact(), instance: Some(id(7)), ..message(1, Some("K"), Some("B")) };
    insert(&store, saved.clone()).await;
    assert_eq!(take(&store, &subscription(7, 1, Some("K"), None), 1).await, Some(saved));
    assert_eq!(take(&store, &subscription(7, 1, Some("K"), None), 1).await, None);
}

async fn a_taken_id_conflicts(store: Store) {
    insert(&store, message(1, None, None)).await;
    let again = message(1, Some("K"), None);
    assert_conflict(store.try_change(async |unit| unit.buffered_messages().insert(&again).await).await);
}

async fn the_oldest_that_fits_is_taken(store: Store) {
    for (number, correlation) in [(3, Some("other")), (2, None), (1, Some("K"))] {
        insert(&store, message(number, correlation, None)).await;
    }
    let waiting = subscription(7, 1, Some("K"), None);
    assert_eq!(take(&store, &waiting, 1).await.unwrap().id, id(2), "without keys it fits every subscription");
    assert_eq!(take(&store, &waiting, 1).await.unwrap().id, id(1));
    assert_eq!(take(&store, &waiting, 1).await, None);
}

async fn keys_match_each_in_its_dialect(store: Store) {
    insert(&store, message(1, Some("K"), Some("B"))).await;
    for misses in
        [subscription(7, 1, Some("B"), Some("B")), subscription(7, 1, None, Some("K")), subscription(7, 1, None, None)]
    {
        assert_eq!(take(&store, &misses, 1).await, None, "{misses:?}");
    }
    assert!(take(&store, &subscription(7, 1, None, Some("B")), 1).await.is_some());
    insert(&store, message(2, Some("K"), Some("B"))).await;
    assert!(take(&store, &subscription(7, 1, Some("K"), Some("x")), 1).await.is_some());
}

async fn name_workspace_and_kind_must_fit(store: Store) {
    insert(&store, message(1, None, None)).await;
    let waiting = subscription(7, 1, None, None);
    for misses in [
        SubscriptionRow { name: key("other"), ..waiting.clone() },
        SubscriptionRow { workspace: space("prod"), ..waiting.clone() },
        SubscriptionRow { kind: SubscriptionKind::Signal, ..waiting.clone() },
    ] {
        assert_eq!(take(&store, &misses, 1).await, None, "{misses:?}");
    }
    assert!(take(&store, &waiting, 1).await.is_some());
}

async fn a_message_for_one_instance_is_for_it_alone(store: Store) {
    insert(&store, BufferedMessage { instance: Some(id(7)), ..message(1, None, None) }).await;
    assert_eq!(take(&store, &subscription(8, 1, Some("K"), None), 1).await, None);
    assert_eq!(take(&store, &start_subscription(7, "begin"), 1).await, None);
    assert!(take(&store, &subscription(7, 1, Some("K"), None), 1).await.is_some());
}

async fn a_start_takes_what_names_neither_key_nor_instance(store: Store) {
    insert(&store, message(1, Some("K"), None)).await;
    insert(&store, message(2, None, None)).await;
    assert_eq!(take(&store, &start_subscription(7, "begin"), 1).await.unwrap().id, id(2));
    assert_eq!(take(&store, &start_subscription(7, "begin"), 1).await, None);
}

async fn a_message_that_ran_out_is_not_taken(store: Store) {
    insert(&store, message(1, None, None)).await;
    assert_eq!(take(&store, &subscription(7, 1, None, None), 100).await, None);
    assert!(take(&store, &subscription(7, 1, None, None), 99).await.is_some());
}

async fn a_sweep_forgets_what_ran_out_in_bounded_steps(store: Store) {
    for (number, second) in [(1, 30), (2, 10), (3, 20), (4, 41)] {
        insert(&store, BufferedMessage { expires_at: at(second), ..message(number, None, None) }).await;
    }
    let sweep = async || store.change(async |unit| unit.buffered_messages().sweep(at(30), 2).await).await;
    assert_eq!((sweep().await, sweep().await, sweep().await), (2, 1, 0));
    assert_eq!(take(&store, &subscription(7, 1, None, None), 0).await.unwrap().id, id(4));
}
