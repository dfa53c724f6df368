//! Workflows.

use tidegate::{
    domain::{
        execution::Execution,
        ids::DeploymentId,
        page::PageRequest,
        text::Remark,
        workflow::{LatestDeployment, Workflow},
        workspace::WorkspaceAccess,
    },
    ports::repository::{RepositoryError, WorkflowFilter},
};

use super::{
    Store, assert_conflict, at_once,
    given::{UNICODE, at, engine, execution, id, key, name, only, space, workflow},
    suite, walk,
};

suite! {
    what_is_saved_is_found_in_every_way,
    an_unknown_one_is_none,
    a_taken_id_name_or_key_conflicts,
    other_workspaces_have_names_and_keys_of_their_own,
    of_two_creates_of_one_name_one_wins,
    a_change_is_written,
    a_change_to_a_taken_name_or_key_conflicts,
    a_hidden_one_is_found_by_its_id_alone,
    a_hidden_one_frees_its_name_and_key,
    a_key_is_found_in_every_workspace_reached,
    who_holds_a_bound_one_is_waited_for_before_it_is_hidden,
    a_list_is_newest_first_and_fits_the_filter,
    pages_lose_and_double_nothing,
}

fn deployed() -> Workflow {
    let latest = LatestDeployment { id: DeploymentId::new(id(900)), version: u32::MAX, created_at: at(9) };
    Workflow {
        name: name(UNICODE),
        description: Some(Remark::parse(UNICODE).unwrap()),
        latest_deployment: Some(latest),
        updated_at: at(10),
        revision: 2,
        ..workflow(1, "demo", "order")
    }
}

async fn what_is_saved_is_found_in_every_way(store: Store) {
    let saved = deployed();
    store.change(async |unit| unit.workflows().insert(&saved).await).await;
    let expected = Some(saved.clone());
    assert_eq!(store.read(async |view| view.workflows().find(saved.id).await).await, expected);
    assert_eq!(store.read(async |view| view.workflows().find_with_hidden(saved.id).await).await, expected);
    assert_eq!(store.change(async |unit| unit.workflows().lock(saved.id).await).await, expected);
    let by_name = store.read(async |view| view.workflows().find_by_name(&space("demo"), &name(UNICODE)).await).await;
    assert_eq!(by_name, expected);
    let within = only(["demo"]);
    let by_key = store.read(async |view| view.workflows().find_by_key(&within, &engine(), &key("order")).await).await;
    assert_eq!(by_key, [saved]);
}

async fn an_unknown_one_is_none(store: Store) {
    let unknown = workflow(1, "demo", "order");
    assert_eq!(store.read(async |view| view.workflows().find(unknown.id).await).await, None);
    assert_eq!(store.read(async |view| view.workflows().find_with_hidden(unknown.id).await).await, None);
    assert_eq!(store.change(async |unit| unit.workflows().lock(unknown.id).await).await, None);
    let by_name = store.read(async |view| view.workflows().find_by_name(&space("demo"), &name("order")).await).await;
    assert_eq!(by_name, None);
}

async fn a_taken_id_name_or_key_conflicts(store: Store) {
    store.change(async |unit| unit.workflows().insert(&workflow(1, "demo", "order")).await).await;
    let same_id = workflow(1, "demo", "other");
    let same_name = Workflow { process_key: key("other"), ..workflow(2, "demo", "order") };
    let same_key = Workflow { name: name("other"), ..workflow(3, "demo", "order") };
    for taken in [same_id, same_name, same_key] {
        assert_conflict(store.try_change(async |unit| unit.workflows().insert(&taken).await).await);
    }
}

async fn other_workspaces_have_names_and_keys_of_their_own(store: Store) {
    store.change(async |unit| unit.workflows().insert(&workflow(1, "demo", "order")).await).await;
    store.change(async |unit| unit.workflows().insert(&workflow(2, "prod", "order")).await).await;
    let found = store.read(async |view| view.workflows().find_by_name(&space("prod"), &name("order")).await).await;
    assert_eq!(found, Some(workflow(2, "prod", "order")));
}

async fn of_two_creates_of_one_name_one_wins(store: Store) {
    let creates = (0..6).map(async |number| {
        store.try_change(async |unit| unit.workflows().insert(&workflow(number, "demo", "order")).await).await
    });
    let outcomes = at_once(creates).await;
    let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(RepositoryError::Conflict))).count();
    assert_eq!(lost, 5, "{outcomes:?}");
}

async fn a_change_is_written(store: Store) {
    store.change(async |unit| unit.workflows().insert(&workflow(1, "demo", "order")).await).await;
    store.change(async |unit| unit.workflows().update(&deployed()).await).await;
    let found = store.read(async |view| view.workflows().find(deployed().id).await).await;
    assert_eq!(found, Some(deployed()));
    let old_name = store.read(async |view| view.workflows().find_by_name(&space("demo"), &name("order")).await).await;
    assert_eq!(old_name, None);
    store.change(async |unit| unit.workflows().update(&workflow(1, "demo", "order")).await).await;
    let found = store.read(async |view| view.workflows().find(deployed().id).await).await;
    assert_eq!(found, Some(workflow(1, "demo", "order")), "what may be absent can be taken away");
}

async fn a_change_to_a_taken_name_or_key_conflicts(store: Store) {
    store.change(async |unit| unit.workflows().insert(&workflow(1, "demo", "order")).await).await;
    store.change(async |unit| unit.workflows().insert(&workflow(2, "demo", "other")).await).await;
    let same_name = Workflow { name: name("order"), ..workflow(2, "demo", "other") };
    let same_key = Workflow { process_key: key("order"), ..workflow(2, "demo", "other") };
    for taken in [same_name, same_key] {
        assert_conflict(store.try_change(async |unit| unit.workflows().update(&taken).await).await);
    }
    let found = store.read(async |view| view.workflows().find(workflow(2, "demo", "other").id).await).await;
    assert_eq!(found, Some(workflow(2, "demo", "other")));
}

async fn a_hidden_one_is_found_by_its_id_alone(store: Store) {
    let hidden = workflow(1, "demo", "order");
    store.change(async |unit| unit.workflows().insert(&hidden).await).await;
    store.change(async |unit| unit.workflows().hide(hidden.id, at(5)).await).await;
    let found = store.read(async |view| view.workflows().find_with_hidden(hidden.id).await).await;
    assert_eq!(found, Some(hidden.clone()));
    assert_eq!(store.read(async |view| view.workflows().find(hidden.id).await).await, None);
    assert_eq!(store.change(async |unit| unit.workflows().lock(hidden.id).await).await, None);
    let filter = WorkflowFilter { within: WorkspaceAccess::All, name: None };
    let page = store.read(async |view| view.workflows().list(&filter, &PageRequest::default()).await).await;
    assert!(page.items.is_empty());
    let all = WorkspaceAccess::All;
    let by_key = store.read(async |view| view.workflows().find_by_key(&all, &engine(), &key("order")).await).await;
    assert!(by_key.is_empty());
}

async fn a_hidden_one_frees_its_name_and_key(store: Store) {
    store.change(async |unit| unit.workflows().insert(&workflow(1, "demo", "order")).await).await;
    store.change(async |unit| unit.workflows().hide(workflow(1, "demo", "order").id, at(5)).await).await;
    store.change(async |unit| unit.workflows().insert(&workflow(2, "demo", "order")).await).await;
    assert_conflict(store.try_change(async |unit| unit.workflows().insert(&workflow(1, "demo", "new")).await).await);
}

async fn a_key_is_found_in_every_workspace_reached(store: Store) {
    for (number, slug) in [(1, "a"), (2, "b"), (3, "c")] {
        store.change(async |unit| unit.workflows().insert(&workflow(number, slug, "order")).await).await;
    }
    let found = async |within: WorkspaceAccess| {
        let order = key("order");
        let found = store.read(async |view| view.workflows().find_by_key(&within, &engine(), &order).await).await;
        found.into_iter().map(|workflow| workflow.workspace.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(WorkspaceAccess::All).await, ["a", "b", "c"]);
    assert_eq!(found(only(["c", "a"])).await, ["a", "c"]);
    assert!(found(WorkspaceAccess::none()).await.is_empty());
}

async fn a_list_is_newest_first_and_fits_the_filter(store: Store) {
    for (number, slug, called) in [(1, "a", "x"), (2, "b", "x"), (3, "a", "y")] {
        store.change(async |unit| unit.workflows().insert(&workflow(number, slug, called)).await).await;
    }
    let list = async |within: WorkspaceAccess, called: Option<&str>| {
        let filter = WorkflowFilter { within, name: called.map(name) };
        let page = store.read(async |view| view.workflows().list(&filter, &PageRequest::default()).await).await;
        page.items.into_iter().map(|workflow| workflow.id.as_uuid()).collect::<Vec<_>>()
    };
    assert_eq!(list(WorkspaceAccess::All, None).await, [id(3), id(2), id(1)]);
    assert_eq!(list(only(["a"]), None).await, [id(3), id(1)]);
    assert_eq!(list(only(["a", "b"]), Some("x")).await, [id(2), id(1)]);
    assert!(list(only(["a"]), Some("z")).await.is_empty());
}

async fn pages_lose_and_double_nothing(store: Store) {
    store
        .change(async |unit| {
            for number in 0..17 {
                let slug = if number % 2 == 0 { "a" } else { "b" };
                unit.workflows().insert(&workflow(number, slug, &format!("w{number}"))).await?;
            }
            Ok(())
        })
        .await;
    let filter = WorkflowFilter { within: only(["a", "b"]), name: None };
    for limit in [1, 5, 17] {
        let walked =
            walk(limit, async |page| store.read(async |view| view.workflows().list(&filter, &page).await).await);
        let ids: Vec<_> = walked.await.into_iter().map(|workflow| workflow.id.as_uuid()).collect();
        assert_eq!(ids, (0..17).rev().map(id).collect::<Vec<_>>(), "limit {limit}");
    }
}

/// A start and a deletion at once: either the deletion sees the execution, or the start finds no workflow.
async fn who_holds_a_bound_one_is_waited_for_before_it_is_hidden(store: Store) {
    for number in 1..=20 {
        let name = format!("w{number}");
        let bound = workflow(number, "demo", &name);
        store.change(async |unit| unit.workflows().insert(&bound).await).await;
        let start = store.change(async |unit| {
            let found = unit.workflows().hold_bound(&space("demo"), &engine(), &bound.process_key).await?;
            if found.is_some() {
                let started = Execution { workflow: bound.id, ..execution(number, number) };
                unit.executions().insert(&started).await?;
            }
            Ok(found.is_some())
        });
        let delete = store.change(async |unit| {
            unit.workflows().lock(bound.id).await?;
            unit.workflows().hide(bound.id, at(2)).await?;
            unit.executions().any_running(bound.id).await
        });
        let (started, seen) = tokio::join!(start, delete);
        assert_eq!(started, seen, "{name}");
    }
}
