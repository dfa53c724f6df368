//! Revocations and their log.

use jiff::Timestamp;
use tidegate::{
    domain::{
        ids::RevocationId,
        page::{PageRequest, Position},
        revocation::{Notice, Revocation, Revoked},
        service_token::ServiceTokenId,
    },
    ports::repository::LogPosition,
};

use super::{
    Store, assert_conflict, at_once,
    given::{UNICODE, id, person, revocation},
    suite, walk,
};

suite! {
    what_is_saved_is_found,
    an_unknown_one_is_none,
    a_taken_id_conflicts,
    a_lifted_one_is_gone_and_told,
    a_reader_without_a_position_is_given_what_holds,
    a_reader_is_given_every_line_after_their_position,
    a_dropped_unit_tells_nothing,
    lines_of_units_at_once_are_all_read,
    pages_lose_and_double_nothing,
    a_position_of_no_list_has_an_empty_page,
    a_sweep_takes_what_has_ended_a_batch_at_a_time,
    a_line_is_kept_for_a_day,
    who_comes_back_too_late_is_given_all_that_hold,
    a_target_has_those_that_hold_against_it,
    an_event_is_heard_once,
    of_many_at_once_that_hear_an_event_one_is_first,
    an_event_is_remembered_for_a_month,
}

fn banned(number: u128, second: i64) -> Revocation {
    Revocation { ban: true, ends_at: None, ..revocation(number, second, Revoked::User(person("workos:ada"))) }
}

fn session(number: u128, second: i64) -> Revocation {
    let issuer = person("oidc:x").issuer().clone();
    revocation(number, second, Revoked::Session { issuer, sid: UNICODE.into() })
}

fn bare(number: u128, second: i64) -> Revocation {
    let issuer = person("oidc:x").issuer().clone();
    Revocation { reason: None, ..revocation(number, second, Revoked::Token { issuer, jti: "j-1".into() }) }
}

async fn insert(store: &Store, revocation: &Revocation) {
    store.change(async |unit| unit.revocations().insert(revocation).await).await;
}

async fn lift(store: &Store, number: u128) -> bool {
    store.change(async |unit| unit.revocations().lift(RevocationId::new(id(number))).await).await
}

async fn tell(store: &Store, notice: &Notice) {
    store.change(async |unit| unit.revocations().tell(notice).await).await;
}

async fn log(store: &Store, after: Option<LogPosition>) -> (Vec<Notice>, LogPosition) {
    let read = store.read(async |view| view.revocations().read_log(after).await).await;
    (read.notices, read.position)
}

async fn what_is_saved_is_found(store: Store) {
    for saved in [banned(1, 1), session(2, 2), bare(3, 3)] {
        insert(&store, &saved).await;
        assert_eq!(store.read(async |view| view.revocations().find(saved.id).await).await, Some(saved));
    }
}

async fn an_unknown_one_is_none(store: Store) {
    let (_, start) = log(&store, None).await;
    assert_eq!(store.read(async |view| view.revocations().find(RevocationId::new(id(1))).await).await, None);
    assert!(!lift(&store, 1).await);
    assert_eq!(log(&store, Some(start)).await.0, [], "nothing was lifted, and nothing is told");
}

async fn a_taken_id_conflicts(store: Store) {
    insert(&store, &banned(1, 1)).await;
    assert_conflict(store.try_change(async |unit| unit.revocations().insert(&session(1, 2)).await).await);
}

async fn a_lifted_one_is_gone_and_told(store: Store) {
    insert(&store, &banned(1, 1)).await;
    let (_, position) = log(&store, None).await;
    assert!(lift(&store, 1).await && !lift(&store, 1).await);
    assert_eq!(store.read(async |view| view.revocations().find(RevocationId::new(id(1))).await).await, None);
    assert_eq!(log(&store, None).await.0, []);
    assert_eq!(log(&store, Some(position)).await.0.last(), Some(&Notice::Lifted(RevocationId::new(id(1)))));
    insert(&store, &session(1, 2)).await;
}

async fn a_reader_without_a_position_is_given_what_holds(store: Store) {
    assert_eq!(log(&store, None).await.0, []);
    for each in [banned(1, 1), session(2, 2), bare(3, 3)] {
        insert(&store, &each).await;
    }
    lift(&store, 2).await;
    tell(&store, &Notice::Memberships(person("workos:ada"))).await;
    let (mut notices, _) = log(&store, None).await;
    notices.sort_by_key(|notice| format!("{notice:?}"));
    let mut expected = vec![Notice::Revoked(banned(1, 1)), Notice::Revoked(bare(3, 3))];
    expected.sort_by_key(|notice| format!("{notice:?}"));
    assert_eq!(notices, expected);
}

async fn a_reader_is_given_every_line_after_their_position(store: Store) {
    let (_, start) = log(&store, None).await;
    let told = [
        Notice::Memberships(person(&format!("workos:{UNICODE}"))),
        Notice::ServiceToken(ServiceTokenId::parse("ci").unwrap()),
        Notice::Revoked(banned(1, 1)),
        Notice::Lifted(RevocationId::new(id(9))),
    ];
    for notice in &told {
        match notice {
            Notice::Revoked(revocation) => insert(&store, revocation).await,
            other => tell(&store, other).await,
        }
    }
    let (notices, next) = log(&store, Some(start)).await;
    assert_eq!(notices, told, "in their order");
    insert(&store, &bare(2, 2)).await;
    let (notices, _) = log(&store, Some(next)).await;
    assert_eq!(notices.last(), Some(&Notice::Revoked(bare(2, 2))));
}

async fn a_dropped_unit_tells_nothing(store: Store) {
    let (_, start) = log(&store, None).await;
    let mut unit = store.begin().await;
    unit.revocations().insert(&banned(1, 1)).await.unwrap();
    unit.revocations().tell(&Notice::Memberships(person("workos:ada"))).await.unwrap();
    drop(unit);
    insert(&store, &bare(2, 2)).await;
    assert_eq!(log(&store, Some(start)).await.0, [Notice::Revoked(bare(2, 2))]);
}

async fn lines_of_units_at_once_are_all_read(store: Store) {
    let (_, start) = log(&store, None).await;
    let lines = (0..64).map(async |number| {
        tell(&store, &Notice::Lifted(RevocationId::new(id(number)))).await;
    });
    let reading = async {
        let (mut position, mut seen) = (start, std::collections::BTreeSet::new());
        while seen.len() < 64 {
            let (notices, next) = log(&store, Some(position)).await;
            seen.extend(notices.iter().map(|notice| format!("{notice:?}")));
            position = next;
        }
    };
    let deadline = std::time::Duration::from_secs(20);
    tokio::time::timeout(deadline, async { tokio::join!(at_once(lines), reading) }).await.unwrap();
}

async fn list(store: &Store, page: PageRequest) -> Vec<Revocation> {
    store.read(async |view| view.revocations().list(&page).await).await.items
}

async fn pages_lose_and_double_nothing(store: Store) {
    for number in 0..9 {
        insert(&store, &banned(number, i64::try_from(number / 3).unwrap())).await;
    }
    let expected: Vec<_> = (0..9).rev().map(|number| RevocationId::new(id(number))).collect();
    for limit in [1, 4, 200] {
        let walked =
            walk(limit, async |page| store.read(async |view| view.revocations().list(&page).await).await).await;
        assert_eq!(walked.iter().map(|each| each.id).collect::<Vec<_>>(), expected, "limit {limit}");
    }
}

async fn a_position_of_no_list_has_an_empty_page(store: Store) {
    insert(&store, &banned(1, 1)).await;
    for text in ["", "nonsense", "1", "x/y", "' OR 1=1"] {
        let page = PageRequest { limit: 5, after: Some(Position(text.into())) };
        assert!(list(&store, page).await.is_empty(), "{text:?}");
    }
}

async fn sweep(store: &Store, before: Timestamp, limit: u32) -> u32 {
    store.change(async |unit| unit.revocations().sweep(before, limit).await).await
}

async fn a_sweep_takes_what_has_ended_a_batch_at_a_time(store: Store) {
    for number in 1..=5 {
        insert(&store, &session(number, i64::try_from(number).unwrap())).await;
    }
    insert(&store, &banned(6, 1)).await;
    // The first three have ended; nobody's lines are a day old by the clock of whoever sweeps.
    let now = session(4, 4).ends_at.unwrap();
    for expected in [2, 1, 0] {
        assert_eq!(sweep(&store, now, 2).await, expected);
    }
    let left: Vec<_> = list(&store, PageRequest::default()).await.into_iter().map(|each| each.id).collect();
    assert_eq!(left, [5, 4, 6].map(|number| RevocationId::new(id(number))));
}

async fn a_line_is_kept_for_a_day(store: Store) {
    let (_, start) = log(&store, None).await;
    for number in 1..=5 {
        tell(&store, &Notice::Lifted(RevocationId::new(id(number)))).await;
    }
    // The databases ask their own clocks when a line came: so much later it is old by all of them.
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    let (today, tomorrow) = (day("2199-12-30T12:00:00Z"), day("2199-12-31T13:00:00Z"));
    let databases = sweep(&store, today, 2).await;
    let mut left = 5 - databases;
    tell(&store, &Notice::Lifted(RevocationId::new(id(6)))).await;
    while left > 0 {
        let swept = sweep(&store, tomorrow, 2).await;
        assert!((1..=2).contains(&swept), "{swept} of {left}");
        left = left.saturating_sub(swept);
    }
    let (notices, _) = log(&store, Some(start)).await;
    assert!(notices.len() <= 1, "{notices:?}");
}

async fn who_comes_back_too_late_is_given_all_that_hold(store: Store) {
    let (_, start) = log(&store, None).await;
    for each in [banned(1, 1), session(2, 2), bare(3, 3)] {
        insert(&store, &each).await;
    }
    lift(&store, 2).await;
    let long_ago = LogPosition(start.0 - 24 * 3_600 * 1_000_000);
    let read = store.read(async |view| view.revocations().read_log(Some(long_ago)).await).await;
    assert!(read.whole);
    assert_eq!(read.notices, [banned(1, 1), bare(3, 3)].map(Notice::Revoked));
    let next = store.read(async |view| view.revocations().read_log(Some(read.position)).await).await;
    assert!(!next.whole, "from there on it goes line by line");
    let first = store.read(async |view| view.revocations().read_log(None).await).await;
    assert!(first.whole);
}

async fn a_target_has_those_that_hold_against_it(store: Store) {
    let ban = banned(1, 1);
    let again = Revocation { ban: false, ends_at: Some(Timestamp::MAX), ..banned(2, 2) };
    let other = Revocation { revoked: Revoked::User(person("oidc:ada")), ..banned(3, 3) };
    for each in [&ban, &again, &other, &session(4, 4), &bare(5, 5)] {
        insert(&store, each).await;
    }
    let against = async |target: &Revoked| {
        let mut found = store.read(async |view| view.revocations().against(target).await).await;
        found.sort_by_key(|each| each.id);
        found
    };
    assert_eq!(against(&ban.revoked).await.len(), 2);
    assert_eq!(against(&other.revoked).await, std::slice::from_ref(&other));
    assert_eq!(against(&session(4, 4).revoked).await, [session(4, 4)]);
    let issuer = person("oidc:x").issuer().clone();
    let namesake = Revoked::Token { issuer: issuer.clone(), jti: UNICODE.into() };
    assert_eq!(against(&namesake).await, []);
    assert_eq!(against(&Revoked::Session { issuer, sid: "j-1".into() }).await, []);
    lift(&store, 1).await;
    assert_eq!(against(&ban.revoked).await.into_iter().map(|each| each.id).collect::<Vec<_>>(), [again.id]);
}

async fn hear(store: &Store, number: u128, at: Timestamp) -> bool {
    store.change(async |unit| unit.revocations().hear(RevocationId::new(id(number)), at).await).await
}

async fn an_event_is_heard_once(store: Store) {
    let now = session(1, 1).at;
    assert!(hear(&store, 1, now).await && !hear(&store, 1, now).await && hear(&store, 2, now).await);
    let mut unit = store.begin().await;
    assert!(unit.revocations().hear(RevocationId::new(id(3)), now).await.unwrap());
    drop(unit);
    assert!(hear(&store, 3, now).await, "what came of it was not committed");
}

async fn of_many_at_once_that_hear_an_event_one_is_first(store: Store) {
    let now = session(1, 1).at;
    let heard = at_once((0..32).map(async |_| hear(&store, 1, now).await)).await;
    assert_eq!(heard.into_iter().filter(|first| *first).count(), 1);
}

async fn an_event_is_remembered_for_a_month(store: Store) {
    let now = session(1, 1).at;
    for number in 1..=3 {
        hear(&store, number, now).await;
    }
    let later = |hours: i64| now + jiff::SignedDuration::from_hours(hours);
    assert_eq!(sweep(&store, later(30 * 24), 9).await, 0);
    assert!(!hear(&store, 1, now).await);
    for expected in [2, 1, 0] {
        assert_eq!(sweep(&store, later(30 * 24 + 1), 2).await, expected);
    }
    assert!(hear(&store, 1, now).await);
}
