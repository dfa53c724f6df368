//! Deployments.

use tidegate::{
    domain::{deployment::Deployment, ids::WorkflowId, page::PageRequest, workspace::WorkspaceAccess},
    ports::repository::DeploymentFilter,
};

use super::{
    Store, assert_conflict,
    given::{deployment, engine, id, only, resources, space},
    suite, walk,
};

suite! {
    what_is_saved_is_found_with_its_resources_in_their_order,
    an_unknown_one_is_none_and_has_no_resources,
    a_taken_id_conflicts,
    the_newest_of_the_same_bytes_is_found,
    a_list_is_newest_first_and_fits_the_filter,
    pages_lose_and_double_nothing,
}

async fn insert(store: &Store, deployment: Deployment) {
    store.change(async |unit| unit.deployments().insert(&deployment, &resources()).await).await;
}

async fn what_is_saved_is_found_with_its_resources_in_their_order(store: Store) {
    let saved = deployment(1, "demo", &[11, 12, 11]);
    insert(&store, saved.clone()).await;
    assert_eq!(store.read(async |view| view.deployments().find(saved.id).await).await, Some(saved.clone()));
    assert_eq!(store.read(async |view| view.deployments().resources(saved.id).await).await, resources());
}

async fn an_unknown_one_is_none_and_has_no_resources(store: Store) {
    let unknown = deployment(1, "demo", &[]).id;
    assert_eq!(store.read(async |view| view.deployments().find(unknown).await).await, None);
    assert!(store.read(async |view| view.deployments().resources(unknown).await).await.is_empty());
}

async fn a_taken_id_conflicts(store: Store) {
    insert(&store, deployment(1, "demo", &[])).await;
    let again = deployment(1, "prod", &[]);
    assert_conflict(store.try_change(async |unit| unit.deployments().insert(&again, &[]).await).await);
}

async fn the_newest_of_the_same_bytes_is_found(store: Store) {
    for (number, slug) in [(2, "demo"), (1, "demo"), (3, "prod")] {
        insert(&store, deployment(number, slug, &[])).await;
    }
    let same = async |digest: [u8; 32]| {
        store.read(async |view| view.deployments().find_same(&space("demo"), &engine(), &digest).await).await
    };
    assert_eq!(same(deployment(1, "demo", &[]).digest).await, Some(deployment(2, "demo", &[])));
    assert_eq!(same([0; 32]).await, None);
}

async fn a_list_is_newest_first_and_fits_the_filter(store: Store) {
    for (number, slug, workflows) in [(1, "a", vec![11]), (2, "b", vec![11, 12]), (3, "a", vec![12])] {
        insert(&store, deployment(number, slug, &workflows)).await;
    }
    let list = async |within: WorkspaceAccess, workflow: Option<u128>| {
        let filter = DeploymentFilter { within, workflow: workflow.map(|number| WorkflowId::new(id(number))) };
        let page = store.read(async |view| view.deployments().list(&filter, &PageRequest::default()).await).await;
        page.items.into_iter().map(|deployment| deployment.id.as_uuid()).collect::<Vec<_>>()
    };
    assert_eq!(list(WorkspaceAccess::All, None).await, [id(3), id(2), id(1)]);
    assert_eq!(list(WorkspaceAccess::All, Some(11)).await, [id(2), id(1)]);
    assert_eq!(list(only(["a"]), Some(12)).await, [id(3)]);
    assert!(list(WorkspaceAccess::none(), None).await.is_empty());
}

async fn pages_lose_and_double_nothing(store: Store) {
    for number in 0..9 {
        insert(&store, deployment(number, "demo", &[11])).await;
    }
    for workflow in [None, Some(WorkflowId::new(id(11)))] {
        let filter = DeploymentFilter { within: only(["demo", "prod"]), workflow };
        let walked = walk(4, async |page| store.read(async |view| view.deployments().list(&filter, &page).await).await);
        let ids: Vec<_> = walked.await.into_iter().map(|deployment| deployment.id.as_uuid()).collect();
        assert_eq!(ids, (0..9).rev().map(id).collect::<Vec<_>>());
    }
}
