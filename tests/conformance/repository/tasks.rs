//! The embedded engine's user tasks.

use tidegate::{
    domain::{engine::NativeId, workspace::WorkspaceAccess},
    ports::{
        engine::{TaskQuery, UserTask},
        engine_store::{ElementRef, TaskRow, WorkState, task_position},
    },
};

use super::{
    Store, assert_conflict,
    given::{element, id, only, task},
    suite,
};

suite! {
    what_is_saved_is_found,
    an_unknown_one_is_none,
    a_taken_id_conflicts,
    a_change_writes_state_and_assignee,
    a_list_is_newest_first_and_open,
    a_list_fits_the_query,
    pages_lose_and_double_nothing,
}

async fn insert(store: &Store, task: TaskRow) {
    store.change(async |unit| unit.tasks().insert(&task).await).await;
}

async fn list(store: &Store, query: &TaskQuery) -> Vec<ElementRef> {
    let tasks = store.read(async |view| view.tasks().list(query, None, 100).await).await;
    tasks.iter().map(|task| ElementRef::parse(&task.id).unwrap()).collect()
}

fn anywhere() -> TaskQuery {
    TaskQuery::within(WorkspaceAccess::All)
}

async fn what_is_saved_is_found(store: Store) {
    let saved = task(1, 1, "demo", 5);
    insert(&store, saved.clone()).await;
    assert_eq!(store.read(async |view| view.tasks().find(saved.id).await).await, Some(saved.clone()));
    assert_eq!(store.change(async |unit| unit.tasks().lock(saved.id).await).await, Some(saved.clone()));
    assert_eq!(store.read(async |view| view.tasks().list(&anywhere(), None, 1).await).await, [saved.task]);
}

async fn an_unknown_one_is_none(store: Store) {
    assert_eq!(store.read(async |view| view.tasks().find(element(1, 1)).await).await, None);
    assert_eq!(store.change(async |unit| unit.tasks().lock(element(1, 1)).await).await, None);
}

async fn a_taken_id_conflicts(store: Store) {
    insert(&store, task(1, 1, "demo", 5)).await;
    assert_conflict(store.try_change(async |unit| unit.tasks().insert(&task(1, 1, "prod", 5)).await).await);
}

fn assigned(row: TaskRow, assignee: Option<&str>) -> TaskRow {
    let task = UserTask { assignee: assignee.map(str::to_owned), ..row.task };
    TaskRow { task, ..row }
}

async fn a_change_writes_state_and_assignee(store: Store) {
    insert(&store, task(1, 1, "demo", 5)).await;
    let ada = assigned(task(1, 1, "demo", 5), Some("ada"));
    let more = TaskRow { task: UserTask { name: "other".into(), ..ada.task.clone() }, ..ada.clone() };
    store.change(async |unit| unit.tasks().update(&more).await).await;
    assert_eq!(store.read(async |view| view.tasks().find(element(1, 1)).await).await, Some(ada));
    let done = TaskRow { state: WorkState::Completed, ..task(1, 1, "demo", 5) };
    store.change(async |unit| unit.tasks().update(&done).await).await;
    assert_eq!(store.read(async |view| view.tasks().find(element(1, 1)).await).await, Some(done));
}

async fn a_list_is_newest_first_and_open(store: Store) {
    for (number, second) in [(1, 3), (2, 1), (3, 2), (4, 9)] {
        insert(&store, task(1, number, "demo", second)).await;
    }
    assert_eq!(list(&store, &anywhere()).await, [element(1, 4), element(1, 1), element(1, 3), element(1, 2)]);
    let done = TaskRow { state: WorkState::Completed, ..task(1, 4, "demo", 9) };
    store.change(async |unit| unit.tasks().update(&done).await).await;
    insert(&store, TaskRow { state: WorkState::Cancelled, ..task(1, 5, "demo", 9) }).await;
    assert_eq!(list(&store, &anywhere()).await, [element(1, 1), element(1, 3), element(1, 2)]);
    let group = TaskQuery { candidate_group: Some("ops".into()), ..anywhere() };
    assert_eq!(list(&store, &group).await.len(), 3);
}

async fn a_list_fits_the_query(store: Store) {
    insert(&store, assigned(task(1, 1, "demo", 1), Some("ada"))).await;
    insert(&store, task(1, 2, "demo", 2)).await;
    let mut other = task(2, 1, "prod", 3);
    other.task.element_id = "other".into();
    other.task.candidate_groups = vec!["ops".into(), "ops".into()];
    insert(&store, other).await;
    let native = |number: u128| NativeId::new(id(number).to_string());
    let all = anywhere;
    for (query, expected) in [
        (TaskQuery::within(only(["demo"])), vec![element(1, 2), element(1, 1)]),
        (TaskQuery::within(only(["demo", "prod"])), vec![element(2, 1), element(1, 2), element(1, 1)]),
        (TaskQuery::within(WorkspaceAccess::none()), vec![]),
        (TaskQuery { instance: Some(native(2)), ..all() }, vec![element(2, 1)]),
        (TaskQuery { instance: Some(native(2)), ..TaskQuery::within(only(["demo"])) }, vec![]),
        (TaskQuery { instance: Some(NativeId::new("no uuid")), ..all() }, vec![]),
        (TaskQuery { element_id: Some("other".into()), ..all() }, vec![element(2, 1)]),
        (TaskQuery { assignee: Some("ada".into()), ..all() }, vec![element(1, 1)]),
        (TaskQuery { assignee: Some("nobody".into()), ..all() }, vec![]),
        (TaskQuery { candidate_group: Some("sales".into()), ..all() }, vec![element(1, 2), element(1, 1)]),
        (TaskQuery { candidate_group: Some("ops".into()), ..TaskQuery::within(only(["prod"])) }, vec![element(2, 1)]),
        (TaskQuery { id: Some(element(1, 2).native()), ..all() }, vec![element(1, 2)]),
        (TaskQuery { id: Some(element(1, 2).native()), ..TaskQuery::within(only(["prod"])) }, vec![]),
        (TaskQuery { id: Some(NativeId::new("no element")), ..all() }, vec![]),
        (TaskQuery { assignee: Some("ada".into()), candidate_group: Some("ops".into()), ..all() }, vec![element(1, 1)]),
    ] {
        assert_eq!(list(&store, &query).await, expected, "{query:?}");
    }
}

async fn pages_lose_and_double_nothing(store: Store) {
    for number in 0..11 {
        // Several of one moment: the id decides among them, as text.
        insert(&store, task(1, number, "demo", i64::try_from(number / 4).unwrap())).await;
    }
    let mut expected: Vec<_> =
        (0..11).map(|number| task(1, number, "demo", i64::try_from(number / 4).unwrap()).task).collect();
    expected.sort_by_key(|task| std::cmp::Reverse(task_position(task.created_at, &task.id)));
    for query in [anywhere(), TaskQuery::within(only(["demo"]))] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = store.read(async |view| view.tasks().list(&query, after.as_deref(), 3).await).await;
            let Some(last) = page.last() else { break };
            after = Some(task_position(last.created_at, &last.id));
            walked.extend(page);
        }
        assert_eq!(walked, expected);
    }
}
