//! Service tokens.

use jiff::SignedDuration;
use tidegate::{
    domain::{
        identity::IdentityKind,
        page::PageRequest,
        scope::Scopes,
        service_token::{HashedToken, PreviousSecret, Revocation, Rotation, RotationError, ServiceToken},
        text::Remark,
        workspace::WorkspaceAccess,
    },
    ports::repository::TokenUse,
};

use super::{
    Store, assert_conflict, at_once,
    given::{UNICODE, at, maker, only, person, token},
    suite, walk,
};

suite! {
    what_is_saved_is_found_in_every_way,
    an_unknown_one_is_none,
    a_taken_identifier_conflicts,
    an_identifier_that_differs_in_case_only_is_taken,
    a_change_is_written_but_no_use,
    an_old_hash_is_forgotten,
    uses_add_up,
    a_list_holds_those_whose_workspaces_are_all_reached,
    pages_lose_and_double_nothing,
    the_first_token_is_noticed,
    of_two_rotations_under_a_lock_one_is_done,
    what_belongs_to_a_person_ends_at_once,
}

async fn insert(store: &Store, token: ServiceToken) {
    store.change(async |unit| unit.tokens().insert(&token).await).await;
}

fn whole() -> ServiceToken {
    ServiceToken {
        previous: Some(PreviousSecret { hash: HashedToken::of("older"), ends_at: at(60) }),
        workspaces: only(["demo", "prod"]),
        rotated_at: Some(at(30)),
        revoked: Some(Revocation { at: at(40), reason: Some(Remark::parse(UNICODE).unwrap()) }),
        created_by: maker(IdentityKind::User, Some("workos"), UNICODE),
        owner: Some(person("workos:ada")),
        last_used_at: Some(at(35)),
        use_count: 9,
        ..token("ci", 1)
    }
}

async fn what_is_saved_is_found_in_every_way(store: Store) {
    let all = ServiceToken { workspaces: WorkspaceAccess::All, scopes: Scopes::new(), ..token("all", 1) };
    let none = ServiceToken { workspaces: WorkspaceAccess::none(), expires_at: None, ..token("none", 1) };
    for saved in [whole(), all, none] {
        insert(&store, saved.clone()).await;
        let expected = Some(saved.clone());
        assert_eq!(store.read(async |view| view.tokens().find(&saved.id).await).await, expected);
        assert_eq!(store.change(async |unit| unit.tokens().lock(&saved.id).await).await, expected);
        assert_eq!(store.read(async |view| view.tokens().find_by_hash(&saved.hash).await).await, expected);
    }
    let older = store.read(async |view| view.tokens().find_by_hash(&HashedToken::of("older")).await).await;
    assert_eq!(older, Some(whole()));
}

async fn an_unknown_one_is_none(store: Store) {
    let unknown = token("ci", 1);
    assert_eq!(store.read(async |view| view.tokens().find(&unknown.id).await).await, None);
    assert_eq!(store.change(async |unit| unit.tokens().lock(&unknown.id).await).await, None);
    assert_eq!(store.read(async |view| view.tokens().find_by_hash(&unknown.hash).await).await, None);
}

async fn a_taken_identifier_conflicts(store: Store) {
    insert(&store, whole()).await;
    let again = ServiceToken { hash: HashedToken::of("new"), ..token("ci", 9) };
    assert_conflict(store.try_change(async |unit| unit.tokens().insert(&again).await).await);
}

async fn an_identifier_that_differs_in_case_only_is_taken(store: Store) {
    insert(&store, token("ci", 1)).await;
    let other = token("CI", 2);
    assert!(store.read(async |view| view.tokens().is_taken(&other.id).await).await);
    assert!(!store.read(async |view| view.tokens().is_taken(&token("c-i", 1).id).await).await);
    assert_conflict(store.try_change(async |unit| unit.tokens().insert(&other).await).await);
    assert_eq!(store.read(async |view| view.tokens().find(&other.id).await).await, None);
}

async fn a_change_is_written_but_no_use(store: Store) {
    insert(&store, ServiceToken { last_used_at: Some(at(5)), use_count: 3, ..token("ci", 1) }).await;
    store.change(async |unit| unit.tokens().update(&whole()).await).await;
    let found = store.read(async |view| view.tokens().find(&whole().id).await).await;
    assert_eq!(found, Some(ServiceToken { last_used_at: Some(at(5)), use_count: 3, ..whole() }));
}

async fn an_old_hash_is_forgotten(store: Store) {
    insert(&store, whole()).await;
    let changed = ServiceToken { hash: HashedToken::of("newest"), previous: None, ..whole() };
    store.change(async |unit| unit.tokens().update(&changed).await).await;
    for gone in [whole().hash, HashedToken::of("older")] {
        assert_eq!(store.read(async |view| view.tokens().find_by_hash(&gone).await).await, None);
    }
}

async fn uses_add_up(store: Store) {
    insert(&store, token("ci", 1)).await;
    let use_of = |identifier: &str, count, second| TokenUse { id: token(identifier, 1).id, count, last: at(second) };
    let uses = [use_of("unknown", 1, 5), use_of("ci", 2, 50)];
    store.change(async |unit| unit.tokens().record_uses(&uses).await).await;
    store.change(async |unit| unit.tokens().record_uses(&[use_of("ci", 3, 40)]).await).await;
    let found = store.read(async |view| view.tokens().find(&token("ci", 1).id).await).await;
    assert_eq!(found, Some(ServiceToken { last_used_at: Some(at(50)), use_count: 5, ..token("ci", 1) }));
    store.change(async |unit| unit.tokens().record_uses(&[]).await).await;
}

async fn a_list_holds_those_whose_workspaces_are_all_reached(store: Store) {
    for (identifier, second, workspaces) in [
        ("demo", 1, only(["demo"])),
        ("both", 3, only(["demo", "prod"])),
        ("all", 2, WorkspaceAccess::All),
        ("none", 4, WorkspaceAccess::none()),
    ] {
        insert(&store, ServiceToken { workspaces, ..token(identifier, second) }).await;
    }
    let list = async |within: WorkspaceAccess| {
        let page = store.read(async |view| view.tokens().list(&within, &PageRequest::default()).await).await;
        page.items.into_iter().map(|token| token.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(WorkspaceAccess::All).await, ["none", "both", "all", "demo"]);
    assert_eq!(list(only(["demo"])).await, ["none", "demo"]);
    assert_eq!(list(only(["demo", "prod", "x"])).await, ["none", "both", "demo"]);
    assert_eq!(list(WorkspaceAccess::none()).await, ["none"]);
}

async fn pages_lose_and_double_nothing(store: Store) {
    for number in 0..9 {
        insert(&store, token(&format!("t{number}"), number / 3)).await;
    }
    for within in [WorkspaceAccess::All, only(["demo"])] {
        let walked = walk(2, async |page| store.read(async |view| view.tokens().list(&within, &page).await).await);
        let ids: Vec<_> = walked.await.into_iter().map(|token| token.id.to_string()).collect();
        assert_eq!(ids, (0..9).rev().map(|number| format!("t{number}")).collect::<Vec<_>>());
    }
}

async fn the_first_token_is_noticed(store: Store) {
    assert!(!store.read(async |view| view.tokens().any().await).await);
    insert(&store, whole()).await;
    assert!(store.read(async |view| view.tokens().any().await).await, "a revoked one counts");
}

async fn of_two_rotations_under_a_lock_one_is_done(store: Store) {
    insert(&store, token("ci", 1)).await;
    let rotations = (0..2).map(async |number| {
        let rotation = Rotation {
            hash: HashedToken::of(&format!("secret {number}")),
            overlap: SignedDuration::from_secs(300),
            expires_at: None,
            add_scopes: Scopes::new(),
        };
        store
            .change(async |unit| {
                let mut token = unit.tokens().lock(&token("ci", 1).id).await?.unwrap();
                let rotated = token.rotate(rotation, at(10));
                unit.tokens().update(&token).await?;
                Ok(rotated)
            })
            .await
    });
    let outcomes = at_once(rotations).await;
    assert!(outcomes.contains(&Ok(())) && outcomes.contains(&Err(RotationError::AlreadyRotating)), "{outcomes:?}");
    let found = store.read(async |view| view.tokens().find(&token("ci", 1).id).await).await.unwrap();
    assert_eq!(found.previous.unwrap().hash, HashedToken::of("ci"), "the first secret works on");
}

async fn what_belongs_to_a_person_ends_at_once(store: Store) {
    let owned = |identifier: &str, owner: &str, second| ServiceToken {
        owner: Some(person(owner)),
        last_used_at: Some(at(5)),
        use_count: 3,
        ..token(identifier, second)
    };
    let earlier = Revocation { at: at(3), reason: None };
    for saved in [
        owned("first", "workos:ada", 1),
        owned("second", "workos:ada", 10),
        ServiceToken { previous: whole().previous, ..owned("rotating", "workos:ada", 2) },
        owned("later", "workos:ada", 11),
        ServiceToken { revoked: Some(earlier.clone()), ..owned("ended", "workos:ada", 1) },
        owned("namesake", "oidc:ada", 1),
        owned("others", "workos:Ada", 1),
        token("nobodys", 1),
    ] {
        insert(&store, saved).await;
    }
    let revocation = Revocation { at: at(20), reason: Some(Remark::parse(UNICODE).unwrap()) };
    let end = async || {
        let ada = person("workos:ada");
        let mut ended = store.change(async |unit| unit.tokens().revoke_owned(&ada, at(10), &revocation).await).await;
        ended.sort_by(|a, b| a.id.cmp(&b.id));
        ended
    };
    let ended = end().await;
    assert_eq!(ended.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), ["first", "rotating", "second"]);
    for token in &ended {
        assert_eq!((&token.revoked, token.use_count), (&Some(revocation.clone()), 3), "{token:?}");
        let found = store.read(async |view| view.tokens().find(&token.id).await).await;
        assert_eq!(found.as_ref(), Some(token), "nothing else has changed");
    }
    assert_eq!(end().await, []);
    for (identifier, expected) in
        [("later", None), ("ended", Some(earlier)), ("namesake", None), ("others", None), ("nobodys", None)]
    {
        let id = token(identifier, 1).id;
        let found = store.read(async |view| view.tokens().find(&id).await).await.unwrap();
        assert_eq!(found.revoked, expected, "{identifier}");
    }
}
