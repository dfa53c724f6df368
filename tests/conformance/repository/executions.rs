//! Executions.

use jiff::Timestamp;
use tidegate::{
    domain::{
        engine::{EngineName, NativeId},
        execution::{Execution, ExecutionError, ExecutionStatus, MAX_LISTED_BYTES},
        ids::WorkflowId,
        json::JsonObject,
        page::PageRequest,
        text::Key,
    },
    ports::repository::ExecutionFilter,
};

use super::{
    Store, assert_conflict,
    given::{UNICODE, at, engine, exact, execution, id, key},
    suite, walk,
};

suite! {
    what_is_saved_is_found_exactly,
    an_unknown_one_is_none,
    a_taken_id_or_instance_conflicts,
    executions_without_instance_do_not_conflict,
    a_bare_native_id_gives_at_most_two,
    an_end_is_written_and_nothing_else,
    one_running_is_known,
    a_list_is_newest_first_and_fits_the_filter,
    a_list_leaves_large_variables_out,
    pages_lose_and_double_nothing,
    expired_executions_are_found_oldest_first_and_deleted,
}

async fn insert(store: &Store, execution: Execution) {
    store.change(async |unit| unit.executions().insert(&execution).await).await;
}

async fn what_is_saved_is_found_exactly(store: Store) {
    let saved = Execution { business_key: Some(key(UNICODE)), ..execution(1, 11) };
    insert(&store, saved.clone()).await;
    let found = store.read(async |view| view.executions().find(saved.id).await).await.unwrap();
    assert_eq!(found, saved);
    let text = serde_json::to_string(&found.input).unwrap();
    for number in ["9007199254740993", "-9223372036854775808", "1234567890.123456789012345678901234"] {
        assert!(text.contains(number), "{number} in {text}");
    }
    let instance = saved.instance.clone().unwrap();
    let by_instance = store.read(async |view| view.executions().find_by_instance(&engine(), &instance).await).await;
    assert_eq!(by_instance, Some(saved));
}

async fn an_unknown_one_is_none(store: Store) {
    let unknown = execution(1, 11);
    assert_eq!(store.read(async |view| view.executions().find(unknown.id).await).await, None);
    let instance = NativeId::new("no-uuid ' ~");
    let by_instance = store.read(async |view| view.executions().find_by_instance(&engine(), &instance).await).await;
    assert_eq!(by_instance, None);
    assert!(store.read(async |view| view.executions().find_by_native(&instance).await).await.is_empty());
}

async fn a_taken_id_or_instance_conflicts(store: Store) {
    insert(&store, execution(1, 11)).await;
    let same_id = Execution { instance: None, ..execution(1, 12) };
    let same_instance = Execution { instance: execution(1, 11).instance, ..execution(2, 11) };
    for taken in [same_id, same_instance] {
        assert_conflict(store.try_change(async |unit| unit.executions().insert(&taken).await).await);
    }
}

async fn executions_without_instance_do_not_conflict(store: Store) {
    for number in 1..3 {
        insert(&store, Execution { instance: None, ..execution(number, 11) }).await;
    }
}

async fn a_bare_native_id_gives_at_most_two(store: Store) {
    for (number, engine) in [(1, "a"), (2, "b"), (3, "c")] {
        let engine = EngineName::parse(engine).unwrap();
        insert(&store, Execution { engine, instance: Some(NativeId::new("42")), ..execution(number, 11) }).await;
    }
    let found = store.read(async |view| view.executions().find_by_native(&NativeId::new("42")).await).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|execution| execution.instance == Some(NativeId::new("42"))));
}

fn ended(number: u128, second: i64) -> Execution {
    Execution { status: ExecutionStatus::Completed, ended_at: Some(at(second)), ..execution(number, 11) }
}

async fn an_end_is_written_and_nothing_else(store: Store) {
    insert(&store, execution(1, 11)).await;
    let failed = Execution {
        status: ExecutionStatus::Failed,
        result: Some(exact()),
        error: Some(ExecutionError { code: "NO_STOCK".into(), message: UNICODE.into() }),
        ended_at: Some(at(50)),
        ..execution(1, 11)
    };
    let more = Execution { events_after: 99, business_key: Some(key("other")), ..failed.clone() };
    store.change(async |unit| unit.executions().end(&more).await).await;
    assert_eq!(store.read(async |view| view.executions().find(failed.id).await).await, Some(failed));
}

async fn one_running_is_known(store: Store) {
    let running = async || {
        let workflow = WorkflowId::new(id(11));
        store.read(async |view| view.executions().any_running(workflow).await).await
    };
    assert!(!running().await);
    insert(&store, execution(1, 11)).await;
    insert(&store, execution(2, 12)).await;
    assert!(running().await);
    store.change(async |unit| unit.executions().end(&ended(1, 5)).await).await;
    assert!(!running().await, "another workflow's do not count");
}

async fn a_list_is_newest_first_and_fits_the_filter(store: Store) {
    insert(&store, execution(1, 11)).await;
    insert(&store, Execution { business_key: Some(key("A-1")), ..execution(2, 11) }).await;
    insert(&store, ended(3, 9)).await;
    insert(&store, Execution { business_key: Some(key("A-1")), ..ended(4, 9) }).await;
    insert(&store, execution(5, 12)).await;
    let list = async |status: Option<ExecutionStatus>, business: Option<Key>, started_after: Option<Timestamp>| {
        let workflow = WorkflowId::new(id(11));
        let filter = ExecutionFilter { workflow, status, business_key: business, started_after };
        let page = store.read(async |view| view.executions().list(&filter, &PageRequest::default()).await).await;
        page.items.into_iter().map(|listed| listed.execution.id.as_uuid()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None).await, [id(4), id(3), id(2), id(1)]);
    assert_eq!(list(Some(ExecutionStatus::Running), None, None).await, [id(2), id(1)]);
    assert_eq!(list(Some(ExecutionStatus::Completed), Some(key("A-1")), None).await, [id(4)]);
    assert_eq!(list(None, Some(key("A-1")), None).await, [id(4), id(2)]);
    assert_eq!(list(None, None, Some(at(2))).await, [id(4), id(3)], "after, not at");
    assert!(list(Some(ExecutionStatus::Failed), None, None).await.is_empty());
}

async fn a_list_leaves_large_variables_out(store: Store) {
    let sized = |bytes: usize| json_object(bytes);
    let limit = MAX_LISTED_BYTES;
    insert(&store, Execution { input: sized(limit + 1), ..execution(1, 11) }).await;
    insert(&store, Execution { input: sized(limit), ..execution(2, 11) }).await;
    insert(&store, Execution { result: Some(sized(limit + 1)), ..ended(3, 9) }).await;
    insert(&store, Execution { result: Some(sized(limit)), ..ended(4, 9) }).await;
    let workflow = WorkflowId::new(id(11));
    let filter = ExecutionFilter { workflow, status: None, business_key: None, started_after: None };
    let page = store.read(async |view| view.executions().list(&filter, &PageRequest::default()).await).await;
    let found: Vec<_> = page.items.iter().map(|listed| (listed.omits_input, listed.omits_result)).collect();
    assert_eq!(found, [(false, false), (false, true), (false, false), (true, false)]);
    assert_eq!(page.items[0].execution.result, Some(sized(limit)));
    assert_eq!(page.items[1].execution.result, None);
    assert_eq!((&page.items[2].execution.input, page.items[3].execution.input.len()), (&sized(limit), 0));
}

/// An object of so many bytes of JSON.
fn json_object(bytes: usize) -> JsonObject {
    let empty = serde_json::json!({"text": ""}).to_string().len();
    serde_json::json!({"text": "x".repeat(bytes - empty)}).as_object().unwrap().clone()
}

async fn pages_lose_and_double_nothing(store: Store) {
    store
        .change(async |unit| {
            for number in 0..13 {
                unit.executions().insert(&execution(number, 11)).await?;
            }
            Ok(())
        })
        .await;
    let status = Some(ExecutionStatus::Running);
    let filter = ExecutionFilter { workflow: WorkflowId::new(id(11)), status, business_key: None, started_after: None };
    let walked = walk(4, async |page| store.read(async |view| view.executions().list(&filter, &page).await).await);
    let ids: Vec<_> = walked.await.into_iter().map(|listed| listed.execution.id.as_uuid()).collect();
    assert_eq!(ids, (0..13).rev().map(id).collect::<Vec<_>>());
}

async fn expired_executions_are_found_oldest_first_and_deleted(store: Store) {
    insert(&store, execution(1, 11)).await;
    for (number, second) in [(2, 30), (3, 10), (4, 20), (5, 40)] {
        insert(&store, ended(number, second)).await;
    }
    let expired = async |limit| {
        let found = store.change(async |unit| unit.executions().lock_expired(at(40), limit).await).await;
        assert!(found.iter().all(|found| found.workflow == execution(1, 11).workflow));
        found.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    let of = |numbers: &[u128]| numbers.iter().map(|number| execution(*number, 11).id).collect::<Vec<_>>();
    assert_eq!(expired(2).await, of(&[3, 4]));
    assert_eq!(expired(9).await, of(&[3, 4, 2]));
    let ids = of(&[3, 2, 99]);
    store.change(async |unit| unit.executions().delete(&ids).await).await;
    assert_eq!(expired(9).await, of(&[4]));
    let asked = of(&[1, 2, 3, 4, 5, 6]);
    let existing = store.read(async |view| view.executions().find_existing(&asked).await).await;
    assert_eq!(existing.into_iter().collect::<Vec<_>>(), of(&[1, 4, 5]));
    insert(&store, execution(3, 11)).await;
}
