//! The embedded engine's message and signal subscriptions.

use tidegate::{
    domain::workspace::WorkspaceAccess,
    ports::engine_store::{Subscriber, SubscriptionKind, SubscriptionQuery, SubscriptionRow},
};

use super::{
    Store, assert_conflict,
    given::{element, id, key, only, space, start_subscription, subscription},
    suite,
};

suite! {
    what_is_saved_is_found,
    a_second_one_of_a_subscriber_conflicts,
    the_oldest_come_first_up_to_the_limit,
    kind_name_and_workspace_must_fit,
    starts_and_elements_are_apart,
    keys_match_each_in_its_dialect,
    an_instance_alone_matches_either_dialect,
    a_forgotten_one_is_gone,
    all_starts_of_a_definition_are_forgotten,
}

async fn insert(store: &Store, subscription: SubscriptionRow) {
    store.change(async |unit| unit.subscriptions().insert(&subscription).await).await;
}

fn query() -> SubscriptionQuery {
    SubscriptionQuery {
        within: WorkspaceAccess::All,
        kind: SubscriptionKind::Message,
        name: key("paid"),
        instance: None,
        starts: false,
        correlation_key: None,
        business_key: None,
        limit: 10,
    }
}

async fn find(store: &Store, query: &SubscriptionQuery) -> Vec<Subscriber> {
    let found = store.read(async |view| view.subscriptions().find(query).await).await;
    found.into_iter().map(|subscription| subscription.subscriber).collect()
}

fn waits(instance: u128, number: u64) -> Subscriber {
    Subscriber::Element(element(instance, number))
}

async fn what_is_saved_is_found(store: Store) {
    let saved = subscription(1, 1, Some("K"), Some("B"));
    insert(&store, saved.clone()).await;
    insert(&store, start_subscription(5, "begin")).await;
    assert_eq!(store.read(async |view| view.subscriptions().find(&query()).await).await, [saved]);
    let starts = SubscriptionQuery { starts: true, ..query() };
    let found = store.read(async |view| view.subscriptions().find(&starts).await).await;
    assert_eq!(found, [start_subscription(5, "begin")]);
}

async fn a_second_one_of_a_subscriber_conflicts(store: Store) {
    insert(&store, subscription(1, 1, Some("K"), None)).await;
    let again = subscription(1, 1, Some("L"), None);
    assert_conflict(store.try_change(async |unit| unit.subscriptions().insert(&again).await).await);
}

async fn the_oldest_come_first_up_to_the_limit(store: Store) {
    for instance in [3, 1, 2] {
        insert(&store, subscription(instance, 1, None, Some("B"))).await;
    }
    assert_eq!(find(&store, &query()).await, [waits(3, 1), waits(1, 1), waits(2, 1)]);
    let two = SubscriptionQuery { business_key: Some(key("B")), limit: 2, ..query() };
    assert_eq!(find(&store, &two).await, [waits(3, 1), waits(1, 1)]);
}

async fn kind_name_and_workspace_must_fit(store: Store) {
    insert(&store, subscription(1, 1, None, None)).await;
    insert(&store, SubscriptionRow { kind: SubscriptionKind::Signal, ..subscription(2, 1, None, None) }).await;
    insert(&store, SubscriptionRow { name: key("Paid"), ..subscription(3, 1, None, None) }).await;
    insert(&store, SubscriptionRow { workspace: space("prod"), ..subscription(4, 1, None, None) }).await;
    assert_eq!(find(&store, &query()).await, [waits(1, 1), waits(4, 1)]);
    let signal = SubscriptionQuery { kind: SubscriptionKind::Signal, ..query() };
    assert_eq!(find(&store, &signal).await, [waits(2, 1)]);
    let prod = SubscriptionQuery { within: only(["prod", "x"]), ..query() };
    assert_eq!(find(&store, &prod).await, [waits(4, 1)]);
    assert!(find(&store, &SubscriptionQuery { within: WorkspaceAccess::none(), ..query() }).await.is_empty());
}

async fn starts_and_elements_are_apart(store: Store) {
    insert(&store, subscription(1, 1, None, None)).await;
    insert(&store, start_subscription(1, "a")).await;
    insert(&store, start_subscription(1, "b")).await;
    let start = |event: &str| Subscriber::Start { definition: id(1), element_id: event.into() };
    // Start events have no keys and no instance.
    let keyed = SubscriptionQuery { starts: true, correlation_key: Some(key("K")), instance: Some(id(9)), ..query() };
    assert_eq!(find(&store, &keyed).await, [start("a"), start("b")]);
}

async fn keys_match_each_in_its_dialect(store: Store) {
    insert(&store, subscription(1, 1, Some("K"), Some("B"))).await;
    insert(&store, subscription(2, 1, None, Some("B"))).await;
    insert(&store, subscription(3, 1, None, None)).await;
    insert(&store, subscription(4, 1, Some("B"), Some("K"))).await;
    let keyed = |correlation: Option<&str>, business: Option<&str>| SubscriptionQuery {
        correlation_key: correlation.map(key),
        business_key: business.map(key),
        ..query()
    };
    for (correlation, business, expected) in [
        (None, None, vec![waits(1, 1), waits(2, 1), waits(3, 1), waits(4, 1)]),
        (Some("K"), None, vec![waits(1, 1)]),
        (None, Some("B"), vec![waits(2, 1)]),
        (Some("B"), Some("B"), vec![waits(2, 1), waits(4, 1)]),
        (Some("K"), Some("B"), vec![waits(1, 1), waits(2, 1)]),
        (Some("x"), Some("x"), vec![]),
    ] {
        assert_eq!(find(&store, &keyed(correlation, business)).await, expected, "{correlation:?} {business:?}");
    }
}

async fn an_instance_alone_matches_either_dialect(store: Store) {
    insert(&store, subscription(1, 1, Some("K"), Some("B"))).await;
    insert(&store, subscription(1, 2, None, Some("B"))).await;
    insert(&store, subscription(2, 1, Some("K"), None)).await;
    let of = |instance| SubscriptionQuery { instance: Some(id(instance)), ..query() };
    assert_eq!(find(&store, &of(1)).await, [waits(1, 1), waits(1, 2)]);
    assert!(find(&store, &of(3)).await.is_empty());
    let both = SubscriptionQuery { correlation_key: Some(key("K")), ..of(1) };
    assert_eq!(find(&store, &both).await, [waits(1, 1)]);
}

async fn a_forgotten_one_is_gone(store: Store) {
    insert(&store, subscription(1, 1, Some("K"), None)).await;
    for _ in 0..2 {
        store.change(async |unit| unit.subscriptions().delete(&waits(1, 1)).await).await;
    }
    assert!(find(&store, &query()).await.is_empty());
    insert(&store, subscription(1, 1, Some("K"), None)).await;
}

async fn all_starts_of_a_definition_are_forgotten(store: Store) {
    for (definition, event) in [(1, "a"), (1, "b"), (2, "a")] {
        insert(&store, start_subscription(definition, event)).await;
    }
    insert(&store, subscription(1, 1, None, None)).await;
    store.change(async |unit| unit.subscriptions().delete_starts(id(1)).await).await;
    let starts = SubscriptionQuery { starts: true, ..query() };
    assert_eq!(find(&store, &starts).await, [Subscriber::Start { definition: id(2), element_id: "a".into() }]);
    assert_eq!(find(&store, &query()).await, [waits(1, 1)]);
}
