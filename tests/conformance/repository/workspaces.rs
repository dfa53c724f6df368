//! Workspaces.

use tidegate::{
    domain::{
        page::{PageRequest, Position},
        workspace::WorkspaceAccess,
    },
    ports::repository::RepositoryError,
};

use super::{
    Store, assert_conflict, at_once,
    given::{only, space, workspace},
    suite, walk,
};

suite! {
    what_is_saved_is_found,
    an_unknown_id_is_none,
    a_taken_id_conflicts,
    of_two_creates_of_one_id_one_wins,
    a_list_is_newest_first_and_within,
    pages_lose_and_double_nothing,
    a_position_stays_where_it_is_when_others_come,
    a_position_of_no_list_has_an_empty_page,
}

async fn what_is_saved_is_found(store: Store) {
    store.change(async |unit| unit.workspaces().insert(&workspace("demo", 7)).await).await;
    let found = store.read(async |view| view.workspaces().find(&space("demo")).await).await;
    assert_eq!(found, Some(workspace("demo", 7)));
    let held = store.change(async |unit| unit.workspaces().lock(&space("demo")).await).await;
    assert_eq!(held, Some(workspace("demo", 7)));
}

async fn an_unknown_id_is_none(store: Store) {
    assert_eq!(store.read(async |view| view.workspaces().find(&space("demo")).await).await, None);
    assert_eq!(store.change(async |unit| unit.workspaces().lock(&space("demo")).await).await, None);
}

async fn a_taken_id_conflicts(store: Store) {
    store.change(async |unit| unit.workspaces().insert(&workspace("demo", 1)).await).await;
    assert_conflict(store.try_change(async |unit| unit.workspaces().insert(&workspace("demo", 2)).await).await);
}

async fn of_two_creates_of_one_id_one_wins(store: Store) {
    let creates = (0..8).map(async |second| {
        store.try_change(async |unit| unit.workspaces().insert(&workspace("demo", second)).await).await
    });
    let outcomes = at_once(creates).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(RepositoryError::Conflict))).count();
    assert_eq!((won, lost), (1, 7), "{outcomes:?}");
}

async fn list(store: &Store, within: &WorkspaceAccess, page: PageRequest) -> Vec<String> {
    let page = store.read(async |view| view.workspaces().list(within, &page).await).await;
    page.items.into_iter().map(|workspace| workspace.id.to_string()).collect()
}

async fn a_list_is_newest_first_and_within(store: Store) {
    for (slug, second) in [("b", 1), ("a", 3), ("c", 2)] {
        store.change(async |unit| unit.workspaces().insert(&workspace(slug, second)).await).await;
    }
    let all = PageRequest::default();
    assert_eq!(list(&store, &WorkspaceAccess::All, all.clone()).await, ["a", "c", "b"]);
    assert_eq!(list(&store, &only(["b", "a", "unknown"]), all.clone()).await, ["a", "b"]);
    assert!(list(&store, &WorkspaceAccess::none(), all).await.is_empty());
}

async fn pages_lose_and_double_nothing(store: Store) {
    store
        .change(async |unit| {
            for number in 0..23 {
                // Several of one moment: the id decides among them.
                unit.workspaces().insert(&workspace(&format!("w{number:02}"), number / 5)).await?;
            }
            Ok(())
        })
        .await;
    for limit in [1, 4, 23, 200] {
        let walked = walk(limit, async |page| {
            store.read(async |view| view.workspaces().list(&WorkspaceAccess::All, &page).await).await
        });
        let ids: Vec<_> = walked.await.into_iter().map(|workspace| workspace.id.to_string()).collect();
        let expected: Vec<_> = (0..23).rev().map(|number| format!("w{number:02}")).collect();
        assert_eq!(ids, expected, "limit {limit}");
    }
}

async fn a_position_stays_where_it_is_when_others_come(store: Store) {
    for (slug, second) in [("a", 1), ("b", 2), ("c", 3)] {
        store.change(async |unit| unit.workspaces().insert(&workspace(slug, second)).await).await;
    }
    let first = PageRequest { limit: 2, after: None };
    let first = store.read(async |view| view.workspaces().list(&WorkspaceAccess::All, &first).await).await;
    store.change(async |unit| unit.workspaces().insert(&workspace("d", 4)).await).await;
    let next = PageRequest { limit: 2, after: first.next };
    assert_eq!(list(&store, &WorkspaceAccess::All, next).await, ["a"]);
}

async fn a_position_of_no_list_has_an_empty_page(store: Store) {
    store.change(async |unit| unit.workspaces().insert(&workspace("demo", 1)).await).await;
    for text in ["", "nonsense", "1", "x/y", "' OR 1=1"] {
        let page = PageRequest { limit: 5, after: Some(Position(text.into())) };
        assert!(list(&store, &WorkspaceAccess::All, page).await.is_empty(), "{text:?}");
    }
}
