//! Memberships.

use tidegate::{
    domain::{
        page::{PageRequest, Position},
        user::{Membership, Role},
    },
    ports::repository::{Member, RepositoryError},
};

use super::{
    Store, at_once,
    given::{at, membership, person, space, user, workspace},
    suite, walk,
};

suite! {
    what_is_saved_is_found,
    an_unknown_one_is_none,
    another_role_leaves_the_beginning,
    a_member_is_shown_as_they_are_called,
    all_of_one_user_are_found,
    owners_are_counted,
    who_leaves_is_gone,
    who_once_was_a_member_is_known_for_good,
    a_member_of_an_undone_unit_never_was_one,
    many_first_memberships_at_once_are_all_kept,
    pages_lose_and_double_nothing,
    a_position_of_no_list_has_an_empty_page,
    changes_under_the_workspaces_lock_wait_for_each_other,
}

async fn put(store: &Store, membership: &Membership) {
    store.change(async |unit| unit.memberships().put(membership).await).await;
}

async fn found(store: &Store, id: &str, slug: &str) -> Option<Member> {
    store.read(async |view| view.memberships().find(&person(id), &space(slug)).await).await
}

async fn what_is_saved_is_found(store: Store) {
    for (role, slug) in Role::ALL.into_iter().zip(["a", "b", "c", "d"]) {
        let saved = membership("workos:ada", slug, role, 1);
        put(&store, &saved).await;
        let member = Member { membership: saved, username: None, email: None };
        assert_eq!(found(&store, "workos:ada", slug).await, Some(member));
    }
}

async fn an_unknown_one_is_none(store: Store) {
    put(&store, &membership("workos:ada", "demo", Role::Owner, 1)).await;
    for (id, slug) in [("workos:ada", "prod"), ("workos:bob", "demo"), ("oidc:ada", "demo")] {
        assert_eq!(found(&store, id, slug).await, None);
        let removed = async |unit: &mut dyn tidegate::ports::repository::UnitOfWork| {
            unit.memberships().remove(&person(id), &space(slug)).await
        };
        assert!(!store.change(removed).await);
    }
}

async fn another_role_leaves_the_beginning(store: Store) {
    put(&store, &membership("workos:ada", "demo", Role::Owner, 1)).await;
    put(&store, &membership("workos:ada", "demo", Role::Viewer, 9)).await;
    let expected = membership("workos:ada", "demo", Role::Viewer, 1);
    assert_eq!(found(&store, "workos:ada", "demo").await.map(|member| member.membership), Some(expected));
    assert_eq!(list(&store, "demo", PageRequest::default()).await, ["workos:ada"]);
}

async fn a_member_is_shown_as_they_are_called(store: Store) {
    let ada = user("workos:ada", 1);
    store.change(async |unit| unit.users().insert(&ada).await).await;
    // A namesake of another issuer.
    store.change(async |unit| unit.users().insert(&user("oidc:bob", 1)).await).await;
    put(&store, &membership("workos:ada", "demo", Role::Owner, 2)).await;
    put(&store, &membership("workos:bob", "demo", Role::Member, 1)).await;
    let shown = Member {
        membership: membership("workos:ada", "demo", Role::Owner, 2),
        username: ada.username.clone(),
        email: ada.email.clone(),
    };
    let unseen = Member { membership: membership("workos:bob", "demo", Role::Member, 1), username: None, email: None };
    assert_eq!(found(&store, "workos:ada", "demo").await, Some(shown.clone()));
    let page = store.read(async |view| view.memberships().list(&space("demo"), &PageRequest::default()).await).await;
    assert_eq!(page.items, [shown, unseen]);
}

async fn all_of_one_user_are_found(store: Store) {
    let mine = [
        membership("workos:ada", "a", Role::Owner, 3),
        membership("workos:ada", "b", Role::Viewer, 1),
        membership("workos:ada", "c", Role::Admin, 2),
    ];
    for each in mine.iter().chain([&membership("oidc:ada", "d", Role::Owner, 1)]) {
        put(&store, each).await;
    }
    assert_eq!(store.read(async |view| view.memberships().of_user(&person("workos:ada")).await).await, mine);
    assert_eq!(store.read(async |view| view.memberships().of_user(&person("workos:bob")).await).await, []);
}

async fn owners(store: &Store, slug: &str) -> u64 {
    store.read(async |view| view.memberships().owners(&space(slug)).await).await
}

async fn owners_are_counted(store: Store) {
    assert_eq!(owners(&store, "demo").await, 0);
    for (id, role) in [("a:1", Role::Owner), ("b:1", Role::Owner), ("a:2", Role::Admin)] {
        put(&store, &membership(id, "demo", role, 1)).await;
    }
    put(&store, &membership("a:1", "prod", Role::Owner, 1)).await;
    assert_eq!(owners(&store, "demo").await, 2);
    put(&store, &membership("a:1", "demo", Role::Member, 1)).await;
    put(&store, &membership("a:2", "demo", Role::Owner, 1)).await;
    assert_eq!(owners(&store, "demo").await, 2);
    store.change(async |unit| unit.memberships().remove(&person("b:1"), &space("demo")).await).await;
    assert_eq!((owners(&store, "demo").await, owners(&store, "prod").await), (1, 1));
}

async fn who_leaves_is_gone(store: Store) {
    for slug in ["demo", "prod"] {
        put(&store, &membership("workos:ada", slug, Role::Owner, 1)).await;
    }
    for expected in [true, false] {
        let removed =
            store.change(async |unit| unit.memberships().remove(&person("workos:ada"), &space("demo")).await).await;
        assert_eq!(removed, expected);
    }
    assert_eq!(found(&store, "workos:ada", "demo").await, None);
    assert!(list(&store, "demo", PageRequest::default()).await.is_empty());
    assert!(found(&store, "workos:ada", "prod").await.is_some());
}

async fn ever(store: &Store, id: &str) -> bool {
    store.read(async |view| view.memberships().ever(&person(id)).await).await
}

async fn who_once_was_a_member_is_known_for_good(store: Store) {
    assert!(!ever(&store, "workos:ada").await);
    for slug in ["demo", "prod", "demo"] {
        put(&store, &membership("workos:ada", slug, Role::Viewer, 1)).await;
        assert!(ever(&store, "workos:ada").await);
    }
    for slug in ["demo", "prod"] {
        store.change(async |unit| unit.memberships().remove(&person("workos:ada"), &space(slug)).await).await;
        assert!(ever(&store, "workos:ada").await);
    }
    assert_eq!(store.read(async |view| view.memberships().of_user(&person("workos:ada")).await).await, []);
    put(&store, &membership("workos:ada", "demo", Role::Owner, 2)).await;
    // Whether or not the gate has seen them; and nobody else.
    store.change(async |unit| unit.users().insert(&user("workos:ada", 1)).await).await;
    assert!(ever(&store, "workos:ada").await);
    for other in ["workos:Ada", "oidc:ada", "workos:bob"] {
        assert!(!ever(&store, other).await, "{other}");
    }
}

async fn a_member_of_an_undone_unit_never_was_one(store: Store) {
    let undone: Result<(), _> = store
        .try_change(async |unit| {
            unit.memberships().put(&membership("workos:ada", "demo", Role::Owner, 1)).await?;
            assert!(unit.memberships().ever(&person("workos:ada")).await?, "within the unit");
            Err(RepositoryError::Conflict)
        })
        .await;
    assert!(undone.is_err() && !ever(&store, "workos:ada").await);
}

async fn many_first_memberships_at_once_are_all_kept(store: Store) {
    let slugs: Vec<_> = (0..16).map(|number| format!("w{number}")).collect();
    let first = slugs.iter().map(async |slug| {
        store
            .try_change(async |unit| unit.memberships().put(&membership("workos:ada", slug, Role::Member, 1)).await)
            .await
    });
    for outcome in at_once(first).await {
        outcome.unwrap();
    }
    let all = store.read(async |view| view.memberships().of_user(&person("workos:ada")).await).await;
    assert!(all.len() == slugs.len() && ever(&store, "workos:ada").await);
}

async fn list(store: &Store, slug: &str, page: PageRequest) -> Vec<String> {
    let page = store.read(async |view| view.memberships().list(&space(slug), &page).await).await;
    page.items.into_iter().map(|member| member.membership.user.to_string()).collect()
}

async fn pages_lose_and_double_nothing(store: Store) {
    // Several of one moment: the issuer decides among them, then the subject, byte by byte.
    let people = ["a:x", "a:y", "a-b:x", "a0:x", "ab:X", "ab:x", "ab:x/1", "ab:ä", "z:1"];
    for (number, id) in people.iter().enumerate() {
        let second = i64::try_from(number / 5).unwrap();
        put(&store, &membership(id, "demo", Role::Member, second)).await;
        put(&store, &membership(id, "prod", Role::Member, 7 - second)).await;
    }
    let mut expected = people;
    expected.reverse();
    for limit in [1, 2, 9, 200] {
        let walked = walk(limit, async |page| {
            store.read(async |view| view.memberships().list(&space("demo"), &page).await).await
        });
        let ids: Vec<_> = walked.await.into_iter().map(|member| member.membership.user.to_string()).collect();
        assert_eq!(ids, expected, "limit {limit}");
    }
}

async fn a_position_of_no_list_has_an_empty_page(store: Store) {
    put(&store, &membership("workos:ada", "demo", Role::Owner, 1)).await;
    for text in ["", "nonsense", "1", "x/a:b", "1/y", "1/:y", "' OR 1=1"] {
        let page = PageRequest { limit: 5, after: Some(Position(text.into())) };
        assert!(list(&store, "demo", page).await.is_empty(), "{text:?}");
    }
}

/// What the last owner's departure stands on: of two owners who go at once, one finds themselves to be the last.
async fn changes_under_the_workspaces_lock_wait_for_each_other(store: Store) {
    store.change(async |unit| unit.workspaces().insert(&workspace("demo", 1)).await).await;
    let ids: Vec<_> = (0..8).map(|number| format!("workos:{number}")).collect();
    for id in &ids {
        put(&store, &membership(id, "demo", Role::Owner, 1)).await;
    }
    let departures = ids.iter().map(async |id| {
        store
            .try_change(async |unit| {
                unit.workspaces().lock(&space("demo")).await?.unwrap();
                if unit.memberships().owners(&space("demo")).await? == 1 {
                    return Err(RepositoryError::Conflict);
                }
                unit.memberships().remove(&person(id), &space("demo")).await
            })
            .await
    });
    let outcomes = at_once(departures).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1, "{outcomes:?}");
    assert_eq!(owners(&store, "demo").await, 1);
    let last = list(&store, "demo", PageRequest::default()).await;
    let last = found(&store, &last[0], "demo").await.unwrap();
    assert_eq!(last.membership.since, at(1));
}
