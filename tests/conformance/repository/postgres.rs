//! What Postgres owes beyond the contract.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sea_orm::{ConnectionTrait, Database};
use tidegate::{
    adapters::persistence::sea_orm::{
        ConnectError, DatabaseClock, DatabaseConfig, DatabaseUrl, InvalidDatabaseUrl, SeaOrmRepository,
    },
    app::standing::Standing,
    domain::{revocation::Notice, workspace::WorkspaceAccess},
    ports::{
        engine_store::{Due, JobRow, SubscriptionQuery, TimerRow},
        repository::{LogPosition, Repository, RepositoryError},
    },
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    Store,
    given::{at, element, entry, event, id, idempotency, instance, job, message, person, subscription, user, wish},
    on_postgres, sea_orm,
};
use crate::support::postgres::TestDatabase;

async fn by_the_databases_clock() -> Store {
    let database = TestDatabase::fresh().await;
    let repository = sea_orm(&database.url(), DatabaseClock::Database).await;
    Store { repository: Arc::new(repository), _beneath: Box::new(database) }
}

/// A caller whose clock is decades late, and one whose clock is decades early.
fn wrong_clocks() -> [Timestamp; 2] {
    [at(0) - SignedDuration::from_hours(24 * 365 * 30), at(0) + SignedDuration::from_hours(24 * 365 * 30)]
}

#[tokio::test]
async fn locks_are_kept_by_the_databases_clock() {
    let store = by_the_databases_clock().await;
    for (number, now) in (0..).zip(wrong_clocks()) {
        let job = JobRow { available_at: now, created_at: now, ..job(1, number, "charge", 1) };
        store.change(async |unit| unit.jobs().insert(&job).await).await;
        let wish = wish("charge", "x", 5, now, 60);
        let given = store.change(async |unit| unit.jobs().activate(&wish, now).await).await;
        assert_eq!(given.iter().map(|job| job.id).collect::<Vec<_>>(), [job.id], "available at once");
        for anyone in wrong_clocks() {
            let held = store.change(async |unit| unit.jobs().lock(job.id, anyone).await).await.unwrap();
            assert!(held.lock_holds, "60 s from the moment of locking");
            let again = store.change(async |unit| unit.jobs().activate(&wish, anyone).await).await;
            assert!(again.is_empty());
        }
        let back = JobRow { lock: None, available_at: now + SignedDuration::from_secs(60), ..job };
        store.change(async |unit| unit.jobs().update(&back, now).await).await;
        for anyone in wrong_clocks() {
            let again = store.change(async |unit| unit.jobs().activate(&wish, anyone).await).await;
            assert!(again.is_empty(), "back-off lasts 60 s");
        }
    }
}

#[tokio::test]
async fn timers_are_due_by_the_databases_clock() {
    let store = by_the_databases_clock().await;
    let [past, future] = wrong_clocks();
    let timer = |number, due| TimerRow { what: Due::Timer(element(1, number)), due, schedule: String::new() };
    for timer in [timer(1, past), timer(2, future)] {
        store.change(async |unit| unit.timers().put(&timer).await).await;
    }
    for anyone in wrong_clocks() {
        assert_eq!(store.read(async |view| view.timers().due(anyone, 9).await).await, [timer(1, past)]);
        let early = store.change(async |unit| unit.timers().lock_due(&timer(2, future).what, anyone).await).await;
        assert_eq!(early, None);
    }
}

#[tokio::test]
async fn a_channel_in_anothers_hands_is_passed_over() {
    let store = on_postgres().await;
    let two = [event(1, 1, "x"), event(2, 2, "x")];
    store.change(async |unit| unit.events().append(&two).await).await;
    store.change(async |unit| unit.events().number(9).await).await;
    let more = [event(3, 1, "x"), event(4, 1, "x")];
    store.change(async |unit| unit.events().append(&more).await).await;
    let mut first = store.begin().await;
    assert_eq!(first.events().number(1).await.unwrap().len(), 1);
    store.change(async |unit| unit.events().append(&[event(5, 2, "x")]).await).await;
    let numbered = store.change(async |unit| unit.events().number(9).await).await;
    assert_eq!(numbered.iter().map(|event| event.event.id.as_uuid()).collect::<Vec<_>>(), [id(5)]);
    first.commit().await.unwrap();
    let rest = store.change(async |unit| unit.events().number(9).await).await;
    assert_eq!(rest.iter().map(|event| (event.sequence, event.event.id.as_uuid())).collect::<Vec<_>>(), [(3, id(4))]);
}

#[tokio::test]
async fn jobs_that_another_unit_is_locking_are_passed_over() {
    let store = on_postgres().await;
    for number in 1..=3 {
        store.change(async |unit| unit.jobs().insert(&job(1, number, "charge", 1)).await).await;
    }
    let mut first = store.begin().await;
    let taken = first.jobs().activate(&wish("charge", "x", 2, at(5), 60), at(5)).await.unwrap();
    assert_eq!(taken.len(), 2);
    let rest = store.change(async |unit| unit.jobs().activate(&wish("charge", "y", 9, at(5), 60), at(5)).await).await;
    assert_eq!(rest.iter().map(|job| job.id).collect::<Vec<_>>(), [element(1, 3)]);
    drop(first);
}

/// What a message and its receiver do when they come at the same moment: see the contract of
/// `BufferedMessages::insert`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_and_its_receiver_never_miss_each_other() {
    let store = on_postgres().await;
    for round in 0..30 {
        let waiting = subscription(round, 1, Some(&format!("K{round}")), None);
        let message = message(round, Some(&format!("K{round}")), None);
        let seek = SubscriptionQuery {
            within: WorkspaceAccess::All,
            kind: waiting.kind,
            name: waiting.name.clone(),
            instance: None,
            starts: false,
            correlation_key: message.correlation_key.clone(),
            business_key: None,
            limit: 2,
        };
        let receiver = store.change(async |unit| {
            let taken = unit.buffered_messages().take(&waiting, at(1)).await?;
            unit.subscriptions().insert(&waiting).await?;
            Ok(taken.is_some())
        });
        let sender = store.change(async |unit| {
            if !unit.subscriptions().find(&seek).await?.is_empty() {
                return Ok(true);
            }
            unit.buffered_messages().insert(&message).await?;
            Ok(!unit.subscriptions().find(&seek).await?.is_empty())
        });
        let (taken, delivered) = tokio::join!(receiver, sender);
        assert!(taken || delivered, "round {round}");
    }
}

#[tokio::test]
async fn an_idempotency_key_in_anothers_hands_is_told_at_once() {
    let store = on_postgres().await;
    let mut first = store.begin().await;
    assert!(first.idempotency().try_lock(&idempotency(1, 1).key).await.unwrap());
    let held = store.change(async |unit| unit.idempotency().try_lock(&idempotency(1, 1).key).await).await;
    let other = store.change(async |unit| unit.idempotency().try_lock(&idempotency(2, 1).key).await).await;
    assert_eq!((held, other), (false, true));
    first.commit().await.unwrap();
}

#[tokio::test]
async fn units_in_each_others_way_may_run_again() {
    let store = on_postgres().await;
    for number in [1, 2] {
        store.change(async |unit| unit.instances().insert(&instance(number)).await).await;
    }
    let (mut first, mut second) = (store.begin().await, store.begin().await);
    first.instances().lock(id(1)).await.unwrap();
    second.instances().lock(id(2)).await.unwrap();
    let one = async {
        let outcome = first.instances().lock(id(2)).await.map(|_| ());
        drop(first);
        outcome
    };
    let other = async {
        let outcome = second.instances().lock(id(1)).await.map(|_| ());
        drop(second);
        outcome
    };
    let outcomes: [_; 2] = tokio::join!(one, other).into();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let lost = outcomes.iter().find_map(|outcome| outcome.as_ref().err());
    assert!(matches!(lost, Some(RepositoryError::Serialization)), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_share_one_migration() {
    let database = TestDatabase::fresh().await;
    let mut replicas = JoinSet::new();
    for _ in 0..4 {
        let url = database.url();
        replicas.spawn(async move { sea_orm(&url, DatabaseClock::Database).await.migrate().await.is_ok() });
    }
    assert_eq!(replicas.join_all().await, [true; 4]);
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_is_unavailable_and_the_next_works() {
    let database = TestDatabase::fresh().await;
    let repository = sea_orm(&database.url(), DatabaseClock::Given).await;
    let mut unit = repository.begin().await.unwrap();
    unit.instances().insert(&instance(1)).await.unwrap();
    let killer = Database::connect(database.url()).await.unwrap();
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    killer.execute_unprepared(others).await.unwrap();
    let step = unit.instances().insert(&instance(2)).await;
    assert!(matches!(step, Err(RepositoryError::Unavailable(_))), "{step:?}");
    drop(unit);
    let again = async || {
        let mut unit = repository.begin().await?;
        unit.instances().insert(&instance(3)).await?;
        unit.commit().await
    };
    // The pool meets its other dead connections first, at most once each.
    let deadline = timeout(Duration::from_secs(10), async { while again().await.is_err() {} });
    deadline.await.unwrap();
    let mut view = repository.view().await.unwrap();
    assert_eq!(view.instances().find(id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_database_that_is_gone_is_unavailable_within_seconds() {
    let database = TestDatabase::fresh().await;
    let repository = sea_orm(&database.url(), DatabaseClock::Given).await;
    drop(database);
    let ping = timeout(Duration::from_secs(6), repository.ping()).await.unwrap();
    assert!(matches!(ping, Err(RepositoryError::Unavailable(_))), "{ping:?}");
    let unit = timeout(Duration::from_secs(6), repository.begin()).await.unwrap();
    assert!(matches!(unit, Err(RepositoryError::Unavailable(_))), "{unit:?}");
}

#[tokio::test]
async fn nobody_at_the_address_stops_the_start_and_hides_the_password() -> Result<(), InvalidDatabaseUrl> {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = DatabaseUrl::parse(&format!("postgres://ada:s3cret@127.0.0.1:{free}/gate"))?;
    let config = DatabaseConfig::new(url);
    let connect = SeaOrmRepository::connect(&config);
    let refused = timeout(Duration::from_secs(6), connect).await.unwrap();
    assert!(matches!(refused, Err(ConnectError::Database(_))), "{refused:?}");
    assert!(!format!("{refused:?}").contains("s3cret"));
    Ok(())
}

/// See the contract of `Revocations`: lines are numbered before they commit.
#[tokio::test]
async fn a_line_that_commits_late_is_read_by_who_has_read_later_ones() {
    let store = by_the_databases_clock().await;
    let [early, late] = ["workos:early", "workos:late"].map(|id| Notice::Memberships(person(id)));
    let start = store.read(async |view| view.revocations().read_log(None).await).await.position;
    let mut slow = store.begin().await;
    slow.revocations().tell(&late).await.unwrap();
    store.change(async |unit| unit.revocations().tell(&early).await).await;
    let first = store.read(async |view| view.revocations().read_log(Some(start)).await).await;
    assert_eq!(first.notices, [early]);
    slow.commit().await.unwrap();
    let next = store.read(async |view| view.revocations().read_log(Some(first.position)).await).await;
    assert!(next.notices.contains(&late), "{next:?}");
}

#[tokio::test]
async fn a_line_is_read_again_for_half_a_minute() {
    let database = TestDatabase::fresh().await;
    let repository = sea_orm(&database.url(), DatabaseClock::Database).await;
    let connection = Database::connect(database.url()).await.unwrap();
    let store = Store { repository: Arc::new(repository), _beneath: Box::new(database) };
    let told = Notice::Memberships(person("workos:ada"));
    store.change(async |unit| unit.revocations().tell(&told).await).await;
    let position = store.read(async |view| view.revocations().read_log(None).await).await.position;
    let after_more = async |seconds: i64| {
        let aged = format!("UPDATE revocation_log SET logged_at = logged_at - {seconds}000000");
        connection.execute_unprepared(&aged).await.unwrap();
        store.read(async |view| view.revocations().read_log(Some(position)).await).await.notices
    };
    assert_eq!(after_more(25).await, [told]);
    assert_eq!(after_more(6).await, []);
}

/// As when another server takes over whose clock is late.
#[tokio::test]
async fn a_clock_of_the_database_that_goes_back_loses_no_line() {
    let store = by_the_databases_clock().await;
    let now = store.read(async |view| view.revocations().read_log(None).await).await.position;
    let ahead = LogPosition(now.0 + 600 * 1_000_000);
    let told = Notice::Memberships(person("workos:ada"));
    store.change(async |unit| unit.revocations().tell(&told).await).await;
    let read = store.read(async |view| view.revocations().read_log(Some(ahead)).await).await;
    assert_eq!(read.notices, [told]);
    assert!(read.position.0 < ahead.0, "it goes on by the clock that there is");
}

/// A large table: it is read whole at the start, and then costs nothing.
#[tokio::test]
async fn a_hundred_thousand_revocations_are_read_at_a_start() {
    let database = TestDatabase::fresh().await;
    let store = sea_orm(&database.url(), DatabaseClock::Database).await;
    let connection = Database::connect(database.url()).await.unwrap();
    let rows = "INSERT INTO revocations (id, kind, issuer, value, ban, at, ends_at, created_by, created_by_kind) \
        SELECT gen_random_uuid(), 'session', 'corp', 'session_' || n, false, 1767225600000000, 1767312000000000, 'x', 'bootstrap' \
        FROM generate_series(1, 100000) AS n";
    connection.execute_unprepared(rows).await.unwrap();
    connection.close().await.unwrap();
    let standing = Standing::default();
    let begun = Instant::now();
    let read = store.view().await.unwrap().revocations().read_log(None).await.unwrap();
    assert_eq!(read.notices.len(), 100_000);
    let position = read.position;
    standing.took(read, begun);
    let started = begun.elapsed();
    let begun = Instant::now();
    let next = store.view().await.unwrap().revocations().read_log(Some(position)).await.unwrap();
    assert!(next.notices.is_empty());
    let polled = begun.elapsed();
    println!("a start: {started:?}; a poll: {polled:?}");
    assert!(started < Duration::from_secs(30) && polled < Duration::from_secs(1), "{started:?} {polled:?}");
}

/// What mints and what ends holds the person: neither misses the other.
#[tokio::test]
async fn who_holds_a_person_is_waited_for() {
    let store = on_postgres().await;
    store.change(async |unit| unit.users().insert(&user("workos:ada", 1)).await).await;
    let mut first = store.begin().await;
    first.users().lock(&person("workos:ada")).await.unwrap();
    first.users().lock(&person("workos:nobody")).await.unwrap();
    store.change(async |unit| unit.users().lock(&person("workos:bob")).await).await;
    let mut second = store.begin().await;
    let ada = person("workos:ada");
    let mut waiting = second.users().lock(&ada);
    assert!(timeout(Duration::from_millis(200), &mut waiting).await.is_err(), "it waits");
    drop(first);
    timeout(Duration::from_secs(5), waiting).await.expect("it is its turn").unwrap();
}

#[tokio::test]
async fn the_audits_head_in_anothers_hands_is_passed_over() {
    let store = on_postgres().await;
    let mut first = store.begin().await;
    assert!(first.audit().lock_head().await.unwrap().is_some());
    assert_eq!(store.change(async |unit| unit.audit().lock_head().await).await, None);
    store.change(async |unit| unit.audit().append(&[entry(1, "x", None)]).await).await;
    let seen = store.read(async |view| view.audit().head().await).await;
    assert_eq!(seen.sequence, 0, "who only looks waits for nobody");
    drop(first);
    let deadline = Duration::from_secs(5);
    let free =
        timeout(deadline, async { while store.change(async |unit| unit.audit().lock_head().await).await.is_none() {} });
    free.await.unwrap();
}
