//! Units of work and views.

use tidegate::{
    domain::{
        ids::RevocationId,
        revocation::{Notice, Revoked},
        user::Role,
    },
    ports::{
        engine_store::{Due, TimerRow},
        repository::{RepositoryError, UnitOfWork},
    },
};

use super::{
    Store, assert_conflict, at_once,
    given::{
        at, entry, event, id, idempotency, incident, instance, job, membership, person, revocation, space, token, user,
        wish, workflow, workspace,
    },
    suite,
};

suite! {
    a_store_answers,
    a_commit_is_seen_by_others_and_not_before,
    a_unit_sees_its_own_changes,
    a_dropped_unit_leaves_nothing,
    a_view_changes_nothing,
    a_view_commits_in_vain,
    an_error_spends_the_unit,
    units_at_once_are_all_kept,
    units_that_end_badly_harm_nobody_else,
    units_that_change_one_thing_wait_for_each_other,
}

async fn a_store_answers(store: Store) {
    store.repository.ping().await.unwrap();
}

async fn a_commit_is_seen_by_others_and_not_before(store: Store) {
    let mut unit = store.begin().await;
    unit.workspaces().insert(&workspace("demo", 1)).await.unwrap();
    unit.instances().insert(&instance(1)).await.unwrap();
    let find = async |view: &mut dyn UnitOfWork| {
        Ok((view.workspaces().find(&space("demo")).await?, view.instances().find(id(1)).await?))
    };
    assert_eq!(store.read(find).await, (None, None), "a view waits for no writer, and sees what is committed");
    unit.commit().await.unwrap();
    assert_eq!(store.read(find).await, (Some(workspace("demo", 1)), Some(instance(1))));
}

async fn a_unit_sees_its_own_changes(store: Store) {
    let mut unit = store.begin().await;
    unit.workspaces().insert(&workspace("demo", 1)).await.unwrap();
    assert_eq!(unit.workspaces().find(&space("demo")).await.unwrap(), Some(workspace("demo", 1)));
    unit.commit().await.unwrap();
}

async fn a_dropped_unit_leaves_nothing(store: Store) {
    let mut unit = store.begin().await;
    unit.workspaces().insert(&workspace("demo", 1)).await.unwrap();
    unit.events().append(&[event(1, 1, "x")]).await.unwrap();
    drop(unit);
    let numbered = store.change(async |unit| unit.events().number(10).await).await;
    assert!(numbered.is_empty(), "{numbered:?}");
    assert_eq!(store.read(async |view| view.workspaces().find(&space("demo")).await).await, None);
    store.change(async |unit| unit.workspaces().insert(&workspace("demo", 2)).await).await;
}

async fn a_view_changes_nothing(store: Store) {
    let timer = TimerRow { what: Due::Continue(id(1)), due: at(1), schedule: String::new() };
    macro_rules! refused {
        ($($subject:ident.$method:ident($($argument:expr),*)),+ $(,)?) => {$(
            let mut view = store.repository.view().await.unwrap();
            let outcome = view.$subject().$method($($argument),*).await;
            let expected = matches!(outcome, Err(RepositoryError::ReadOnly));
            assert!(expected, "{}.{}: {outcome:?}", stringify!($subject), stringify!($method));
        )+};
    }
    refused! {
        workspaces.insert(&workspace("demo", 1)),
        workflows.insert(&workflow(1, "demo", "order")),
        workflows.lock(workflow(1, "demo", "order").id),
        workflows.hide(workflow(1, "demo", "order").id, at(1)),
        tokens.insert(&token("ci", 1)),
        tokens.lock(&token("ci", 1).id),
        tokens.record_uses(&[]),
        workspaces.lock(&space("demo")),
        users.insert(&user("workos:ada", 1)),
        users.update(&user("workos:ada", 1)),
        memberships.put(&membership("workos:ada", "demo", Role::Owner, 1)),
        memberships.remove(&person("workos:ada"), &space("demo")),
        revocations.insert(&revocation(1, 1, Revoked::User(person("workos:ada")))),
        revocations.lift(RevocationId::new(id(1))),
        revocations.tell(&Notice::Memberships(person("workos:ada"))),
        revocations.sweep(at(1), 1),
        audit.append(&[entry(1, "x", None)]),
        audit.lock_head(),
        audit.chain(&[]),
        events.append(&[event(1, 1, "x")]),
        events.number(1),
        events.delete_by_subject(event(1, 1, "x").workflow, "x", 1),
        events.delete_by_position(&[1]),
        executions.lock_expired(at(1), 1),
        executions.delete(&[]),
        idempotency.try_lock(&idempotency(1, 1).key),
        idempotency.insert(&idempotency(1, 1)),
        instances.lock(id(1)),
        instances.update(&instance(1)),
        jobs.lock(job(1, 1, "t", 1).id, at(1)),
        jobs.activate(&wish("t", "x", 1, at(1), 1), at(1)),
        tasks.lock(job(1, 1, "t", 1).id),
        timers.put(&timer),
        timers.lock_due(&timer.what, at(1)),
        timers.delete(&timer.what),
        incidents.put(&incident(1, 1, 1)),
        buffered_messages.sweep(at(1), 1),
    }
    assert_eq!(store.read(async |view| view.workspaces().find(&space("demo")).await).await, None);
}

async fn a_view_commits_in_vain(store: Store) {
    let mut view = store.repository.view().await.unwrap();
    assert_eq!(view.workspaces().find(&space("demo")).await.unwrap(), None);
    view.commit().await.unwrap();
}

async fn an_error_spends_the_unit(store: Store) {
    let mut unit = store.begin().await;
    unit.workspaces().insert(&workspace("first", 1)).await.unwrap();
    assert_conflict(unit.workspaces().insert(&workspace("first", 2)).await);
    let after = unit.workspaces().insert(&workspace("second", 3)).await;
    assert!(matches!(after, Err(RepositoryError::Unavailable(_))), "{after:?}");
    let commit = unit.commit().await;
    assert!(matches!(commit, Err(RepositoryError::Unavailable(_))), "{commit:?}");
    for slug in ["first", "second"] {
        assert_eq!(store.read(async |view| view.workspaces().find(&space(slug)).await).await, None, "{slug}");
    }
}

async fn units_at_once_are_all_kept(store: Store) {
    let units = (0..64).map(async |number| {
        store.change(async |unit| unit.instances().insert(&instance(number)).await).await;
        // What was acknowledged is there.
        store.read(async |view| view.instances().find(id(number)).await).await.is_some()
    });
    assert!(at_once(units).await.into_iter().all(|found| found));
}

async fn units_that_end_badly_harm_nobody_else(store: Store) {
    store.change(async |unit| unit.workspaces().insert(&workspace("taken", 1)).await).await;
    let units = (0..48).map(async |number| {
        let mut unit = store.begin().await;
        unit.instances().insert(&instance(number)).await.unwrap();
        match number % 3 {
            0 => unit.commit().await.unwrap(),
            1 => drop(unit),
            _ => assert_conflict(unit.workspaces().insert(&workspace("taken", 2)).await),
        }
    });
    at_once(units).await;
    for number in 0..48 {
        let found = store.read(async |view| view.instances().find(id(number)).await).await;
        assert_eq!(found.is_some(), number % 3 == 0, "{number}");
    }
}

async fn units_that_change_one_thing_wait_for_each_other(store: Store) {
    let zero = tidegate::ports::engine_store::InstanceRow { state: "0".into(), ..instance(1) };
    store.change(async |unit| unit.instances().insert(&zero).await).await;
    let units = (0..8).map(async |_| {
        for _ in 0..5 {
            store
                .change(async |unit| {
                    let mut row = unit.instances().lock(id(1)).await?.unwrap();
                    row.state = (row.state.parse::<u32>().unwrap() + 1).to_string();
                    unit.instances().update(&row).await
                })
                .await;
        }
    });
    at_once(units).await;
    let row = store.read(async |view| view.instances().find(id(1)).await).await.unwrap();
    assert_eq!(row.state, "40", "no change was lost");
}
