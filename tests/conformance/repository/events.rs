//! Events and their numbers.

use std::collections::BTreeMap;

use tidegate::{
    domain::{
        event::{Event, EventType, NewEvent},
        ids::WorkflowId,
    },
    ports::repository::{AgedEvent, EventPage, ReadLimit, UnitOfWork},
};

use super::{
    Store, at_once,
    given::{at, event, id},
    suite,
};

suite! {
    what_is_saved_is_read_exactly,
    unnumbered_events_are_not_read,
    numbers_begin_at_one_and_follow_the_order_of_coming,
    numbering_keeps_its_limit,
    numbering_goes_on_where_it_ended,
    a_numbering_that_does_not_commit_is_done_again,
    events_of_one_subject_keep_their_numbers,
    heads_are_known,
    deleting_a_subject_keeps_the_rest_and_the_head,
    aged_events_are_listed_and_deleted_by_position,
    a_read_ends_before_it_has_too_many_bytes,
    many_events_at_once_are_kept,
    numberers_at_once_leave_no_gap_and_double_nothing,
}

fn channel(workflow: u128) -> WorkflowId {
    WorkflowId::new(id(workflow))
}

async fn append(store: &Store, events: &[NewEvent]) {
    store.change(async |unit| unit.events().append(events).await).await;
}

async fn number(store: &Store, limit: u32) -> Vec<Event> {
    store.change(async |unit| unit.events().number(limit).await).await
}

async fn read(store: &Store, workflow: u128, after: u64, limit: u32, subject: Option<&str>) -> Vec<Event> {
    read_page(store, workflow, after, ReadLimit { events: limit, bytes: usize::MAX }, subject).await.events
}

async fn read_page(store: &Store, workflow: u128, after: u64, limit: ReadLimit, subject: Option<&str>) -> EventPage {
    store.read(async |view| view.events().read(channel(workflow), after, limit, subject).await).await
}

async fn a_read_ends_before_it_has_too_many_bytes(store: Store) {
    let large = |number| {
        let data = serde_json::json!({"text": "x".repeat(1_000)}).as_object().unwrap().clone();
        NewEvent { data, ..event(number, 1, if number % 2 == 0 { "even" } else { "odd" }) }
    };
    append(&store, &(0..6).map(large).collect::<Vec<_>>()).await;
    number(&store, 100).await;
    let count = async |events, bytes, after, subject| {
        let page = read_page(&store, 1, after, ReadLimit { events, bytes }, subject).await;
        (page.events.len(), page.more)
    };
    assert_eq!(count(10, 2_500, 0, None).await, (2, true));
    assert_eq!(count(10, 2_500, 4, None).await, (2, false));
    assert_eq!(count(10, 1, 0, None).await, (1, true), "one at least");
    assert_eq!(count(2, 100_000, 0, None).await, (2, true));
    assert_eq!(count(6, 100_000, 0, None).await, (6, false));
    assert_eq!(count(10, 2_500, 0, Some("even")).await, (2, true));
    assert_eq!(count(10, 100_000, 6, None).await, (0, false));
}

/// Number and id of each.
fn listed(events: &[Event]) -> Vec<(u64, u128)> {
    events.iter().map(|event| (event.sequence, event.event.id.as_uuid().as_u128() - id(0).as_u128())).collect()
}

async fn what_is_saved_is_read_exactly(store: Store) {
    let all: Vec<_> =
        (0..).zip(EventType::ALL).map(|(number, kind)| NewEvent { kind: *kind, ..event(number, 1, "x") }).collect();
    append(&store, &all).await;
    let numbered = number(&store, 1_000).await;
    assert_eq!(numbered.iter().map(|event| event.event.clone()).collect::<Vec<_>>(), all);
    assert_eq!(read(&store, 1, 0, 1_000, None).await, numbered);
    append(&store, &[]).await;
}

async fn unnumbered_events_are_not_read(store: Store) {
    append(&store, &[event(1, 1, "x")]).await;
    assert!(read(&store, 1, 0, 10, None).await.is_empty());
    assert_eq!(store.read(async |view| view.events().head(channel(1)).await).await, 0);
}

async fn numbers_begin_at_one_and_follow_the_order_of_coming(store: Store) {
    // Neither ids nor times are in the order of coming.
    append(&store, &[event(9, 1, "x"), event(3, 2, "y"), event(7, 1, "x")]).await;
    append(&store, &[event(1, 2, "y"), event(2, 1, "x")]).await;
    let numbered = number(&store, 10).await;
    let of = |workflow: u128| {
        let events = numbered.iter().filter(|event| event.event.workflow == channel(workflow)).cloned();
        listed(&events.collect::<Vec<_>>())
    };
    assert_eq!(of(1), [(1, 9), (2, 7), (3, 2)]);
    assert_eq!(of(2), [(1, 3), (2, 1)]);
    assert_eq!(listed(&read(&store, 1, 1, 1, None).await), [(2, 7)], "after a number, up to a limit");
    assert!(read(&store, 1, 3, 10, None).await.is_empty());
    assert!(read(&store, 1, u64::MAX, 10, None).await.is_empty());
}

async fn numbering_keeps_its_limit(store: Store) {
    append(&store, &[event(1, 1, "x"), event(2, 2, "x"), event(3, 1, "x")]).await;
    assert_eq!(number(&store, 2).await.len(), 2);
    assert_eq!(number(&store, 2).await.len(), 1);
    assert!(number(&store, 2).await.is_empty());
}

async fn numbering_goes_on_where_it_ended(store: Store) {
    for at in 1..4 {
        append(&store, &[event(at, 1, "x")]).await;
        assert_eq!(listed(&number(&store, 10).await), [(u64::try_from(at).unwrap(), at)]);
    }
    append(&store, &[event(8, 2, "x"), event(9, 1, "x")]).await;
    let mut numbered = listed(&number(&store, 10).await);
    numbered.sort_unstable();
    assert_eq!(numbered, [(1, 8), (4, 9)], "a new channel beside a known one");
}

async fn a_numbering_that_does_not_commit_is_done_again(store: Store) {
    append(&store, &[event(1, 1, "x"), event(2, 1, "x")]).await;
    let mut unit = store.begin().await;
    assert_eq!(unit.events().number(1).await.unwrap().len(), 1);
    drop(unit);
    assert_eq!(listed(&number(&store, 10).await), [(1, 1), (2, 2)]);
}

async fn events_of_one_subject_keep_their_numbers(store: Store) {
    append(&store, &[event(1, 1, "x"), event(2, 1, "y"), event(3, 1, "x"), event(4, 2, "x")]).await;
    number(&store, 10).await;
    assert_eq!(listed(&read(&store, 1, 0, 10, Some("x")).await), [(1, 1), (3, 3)]);
    assert_eq!(listed(&read(&store, 1, 1, 10, Some("x")).await), [(3, 3)]);
    assert!(read(&store, 1, 0, 10, Some("z")).await.is_empty());
}

async fn heads_are_known(store: Store) {
    append(&store, &[event(1, 1, "x"), event(2, 1, "x"), event(3, 2, "x")]).await;
    number(&store, 10).await;
    let head = async |workflow| store.read(async |view| view.events().head(channel(workflow)).await).await;
    assert_eq!((head(1).await, head(2).await, head(3).await), (2, 1, 0));
    let asked = [channel(1), channel(3), channel(2)];
    let mut heads = store.read(async |view| view.events().heads(&asked).await).await;
    heads.retain(|(_, head)| *head > 0);
    heads.sort_unstable();
    assert_eq!(heads, [(channel(1), 2), (channel(2), 1)]);
    assert!(store.read(async |view| view.events().heads(&[]).await).await.is_empty());
}

async fn deleted_to(store: &Store, workflow: u128) -> u64 {
    store.read(async |view| view.events().deleted_to(channel(workflow)).await).await
}

async fn deleting_a_subject_keeps_the_rest_and_the_head(store: Store) {
    append(&store, &[event(1, 1, "x"), event(2, 1, "y"), event(3, 1, "x"), event(4, 2, "x"), event(5, 1, "x")]).await;
    number(&store, 10).await;
    append(&store, &[event(6, 1, "x")]).await;
    assert_eq!(deleted_to(&store, 1).await, 0);
    let delete =
        async |limit| store.change(async |unit| unit.events().delete_by_subject(channel(1), "x", limit).await).await;
    assert_eq!((delete(1).await, deleted_to(&store, 1).await), (1, 1), "the oldest first");
    assert_eq!((delete(9).await, delete(9).await), (2, 0), "an unnumbered one stays");
    assert_eq!((deleted_to(&store, 1).await, deleted_to(&store, 2).await), (4, 0));
    assert_eq!(listed(&read(&store, 1, 0, 10, None).await), [(2, 2)]);
    assert_eq!(listed(&number(&store, 10).await), [(5, 6)]);
}

async fn aged_events_are_listed_and_deleted_by_position(store: Store) {
    append(&store, &[event(1, 1, "x"), event(2, 2, "y"), event(3, 1, "z"), event(9, 1, "x"), event(4, 1, "x")]).await;
    number(&store, 10).await;
    append(&store, &[event(5, 1, "x")]).await;
    let list = async |after, second, limit| {
        store.change(async |unit| unit.events().list_aged(after, at(second), limit).await).await
    };
    let aged = list(0, 9, 10).await;
    let subjects = |aged: &[AgedEvent]| aged.iter().map(|event| event.subject.clone()).collect::<Vec<_>>();
    assert_eq!(subjects(&aged), ["x", "y", "z"], "it ends before the first that is younger");
    assert_eq!(subjects(&list(aged[0].position, 9, 1).await), ["y"]);
    assert_eq!(list(0, 100, 10).await.len(), 5, "and before the first without a number");
    let positions = [aged[0].position, aged[1].position];
    let delete = async || store.change(async |unit| unit.events().delete_by_position(&positions).await).await;
    assert_eq!((delete().await, delete().await), (2, 0));
    assert_eq!((deleted_to(&store, 1).await, deleted_to(&store, 2).await), (1, 1));
    assert_eq!(subjects(&list(0, 9, 10).await), ["z"]);
    store.change(async |unit| unit.events().delete_by_subject(channel(1), "z", 9).await).await;
    assert_eq!(list(0, 9, 10).await, []);
}

async fn many_events_at_once_are_kept(store: Store) {
    let events: Vec<_> = (0..1_201).map(|number| event(number, number % 3, "x")).collect();
    append(&store, &events).await;
    assert_eq!(number(&store, 5_000).await.len(), 1_201);
    assert_eq!(read(&store, 0, 0, 5_000, None).await.len(), 401);
}

async fn numberers_at_once_leave_no_gap_and_double_nothing(store: Store) {
    const CHANNELS: u128 = 5;
    const EACH: u128 = 60;
    let expected = usize::try_from(CHANNELS * EACH).unwrap();
    let writers = at_once((0..CHANNELS).map(async |channel| {
        for number in 0..EACH {
            append(&store, &[event(channel * EACH + number, channel, "x")]).await;
        }
    }));
    let numberers = at_once((0..3).map(async |_| {
        let mut numbered = Vec::new();
        while all(&store, CHANNELS).await.len() < expected {
            numbered.extend(number(&store, 7).await);
        }
        numbered
    }));
    let (_, numbered) = tokio::join!(writers, numberers);
    let numbered: Vec<Event> = numbered.into_iter().flatten().collect();
    assert_eq!(numbered.len(), expected, "each is numbered once");
    let mut channels: BTreeMap<WorkflowId, Vec<(u64, u128)>> = BTreeMap::new();
    for event in all(&store, CHANNELS).await {
        channels.entry(event.event.workflow).or_default().extend(listed(&[event]));
    }
    for (channel, events) in channels {
        let sequences: Vec<u64> = events.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, (1..=u64::try_from(EACH).unwrap()).collect::<Vec<_>>(), "{channel}");
        assert!(events.is_sorted_by_key(|(_, id)| *id), "one writer's events keep their order");
    }
}

async fn all(store: &Store, channels: u128) -> Vec<Event> {
    store
        .read(async |view: &mut dyn UnitOfWork| {
            let mut all = Vec::new();
            for workflow in 0..channels {
                let limit = ReadLimit { events: 10_000, bytes: usize::MAX };
                all.extend(view.events().read(channel(workflow), 0, limit, None).await?.events);
            }
            Ok(all)
        })
        .await
}
