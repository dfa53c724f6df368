//! Users.

use tidegate::{domain::user::User, ports::repository::RepositoryError};

use super::{
    Store, assert_conflict, at_once,
    given::{UNICODE, at, person, user},
    suite,
};

suite! {
    what_is_saved_is_found,
    an_unknown_one_is_none,
    who_is_known_conflicts,
    issuers_and_cases_tell_people_apart,
    what_they_are_called_changes_and_nothing_else,
    of_a_hundred_at_once_one_is_first,
}

async fn what_is_saved_is_found(store: Store) {
    let named = user("workos:ada", 1);
    let nameless = User { username: None, email: None, ..user(&format!("oidc_2:{UNICODE}:x"), 2) };
    for saved in [named, nameless] {
        store.change(async |unit| unit.users().insert(&saved).await).await;
        assert_eq!(store.read(async |view| view.users().find(&saved.id).await).await, Some(saved));
    }
}

async fn an_unknown_one_is_none(store: Store) {
    assert_eq!(store.read(async |view| view.users().find(&person("workos:ada")).await).await, None);
    store.change(async |unit| unit.users().update(&user("workos:ada", 1)).await).await;
    assert_eq!(store.read(async |view| view.users().find(&person("workos:ada")).await).await, None);
}

async fn who_is_known_conflicts(store: Store) {
    store.change(async |unit| unit.users().insert(&user("workos:ada", 1)).await).await;
    assert_conflict(store.try_change(async |unit| unit.users().insert(&user("workos:ada", 2)).await).await);
}

async fn issuers_and_cases_tell_people_apart(store: Store) {
    for id in ["a:bc", "ab:c", "a:BC", "a:b:c"] {
        store.change(async |unit| unit.users().insert(&user(id, 1)).await).await;
    }
}

async fn what_they_are_called_changes_and_nothing_else(store: Store) {
    store.change(async |unit| unit.users().insert(&user("workos:ada", 1)).await).await;
    store.change(async |unit| unit.users().insert(&user("workos:bob", 1)).await).await;
    let called = User { username: Some("Ada".into()), email: None, ..user("workos:ada", 9) };
    store.change(async |unit| unit.users().update(&called).await).await;
    let found = store.read(async |view| view.users().find(&called.id).await).await;
    assert_eq!(found, Some(User { created_at: at(1), ..called }));
    let other = store.read(async |view| view.users().find(&person("workos:bob")).await).await;
    assert_eq!(other, Some(user("workos:bob", 1)));
}

async fn of_a_hundred_at_once_one_is_first(store: Store) {
    let inserts = (0..100).map(async |second| {
        store.try_change(async |unit| unit.users().insert(&user("workos:ada", second)).await).await
    });
    let outcomes = at_once(inserts).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(RepositoryError::Conflict))).count();
    assert_eq!((won, lost), (1, 99));
}
