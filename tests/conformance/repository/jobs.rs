//! The embedded engine's jobs. The store's clock is the caller's here; see `postgres.rs` for the database's.

use jiff::{SignedDuration, Timestamp};
use tidegate::{
    domain::workspace::WorkspaceAccess,
    ports::engine_store::{ElementRef, JobLock, JobRow, JobWish, WorkState},
};

use super::{
    Store, assert_conflict, at_once,
    given::{at, element, job, key, only, space, wish},
    suite,
};

suite! {
    what_is_saved_is_found,
    an_unknown_one_is_none,
    a_taken_id_conflicts,
    a_change_writes_what_may_change,
    activation_locks_and_gives_as_locked,
    the_longest_available_come_first,
    only_open_available_jobs_with_retries_in_nobodys_hands_are_given,
    a_job_whose_lock_ran_out_is_given_again,
    a_lock_holds_until_its_end,
    activation_stays_within_topics_and_workspaces,
    activations_at_once_never_give_one_job_twice,
}

async fn insert(store: &Store, job: JobRow) {
    store.change(async |unit| unit.jobs().insert(&job).await).await;
}

async fn activate(store: &Store, wish: &JobWish, now: Timestamp) -> Vec<ElementRef> {
    let jobs = store.change(async |unit| unit.jobs().activate(wish, now).await).await;
    jobs.into_iter().map(|job| job.id).collect()
}

async fn what_is_saved_is_found(store: Store) {
    let lock = JobLock { worker: key("w1"), token: "t1".into(), until: at(9) };
    for saved in [job(1, 1, "charge", 5), JobRow { lock: Some(lock), business_key: None, ..job(1, 2, "charge", 5) }] {
        insert(&store, saved.clone()).await;
        assert_eq!(store.read(async |view| view.jobs().find(saved.id).await).await, Some(saved));
    }
}

async fn an_unknown_one_is_none(store: Store) {
    assert_eq!(store.read(async |view| view.jobs().find(element(1, 1)).await).await, None);
    assert_eq!(store.change(async |unit| unit.jobs().lock(element(1, 1), at(1)).await).await, None);
}

async fn a_taken_id_conflicts(store: Store) {
    insert(&store, job(1, 1, "charge", 5)).await;
    assert_conflict(store.try_change(async |unit| unit.jobs().insert(&job(1, 1, "other", 5)).await).await);
}

async fn a_change_writes_what_may_change(store: Store) {
    insert(&store, job(1, 1, "charge", 5)).await;
    let lock = JobLock { worker: key("w1"), token: "t1".into(), until: at(70) };
    let changed = JobRow {
        retries: 1,
        state: WorkState::Cancelled,
        lock: Some(lock),
        available_at: at(60),
        ..job(1, 1, "charge", 5)
    };
    let more = JobRow { topic: key("other"), created_at: at(99), ..changed.clone() };
    store.change(async |unit| unit.jobs().update(&more, at(50)).await).await;
    assert_eq!(store.read(async |view| view.jobs().find(element(1, 1)).await).await, Some(changed));
}

async fn activation_locks_and_gives_as_locked(store: Store) {
    insert(&store, job(1, 1, "charge", 5)).await;
    let given =
        store.change(async |unit| unit.jobs().activate(&wish("charge", "x", 5, at(10), 60), at(10)).await).await;
    let lock = JobLock { worker: key("w1"), token: "x".into(), until: at(10) + SignedDuration::from_secs(60) };
    let expected = JobRow { lock: Some(lock), ..job(1, 1, "charge", 5) };
    assert_eq!(given, std::slice::from_ref(&expected));
    assert_eq!(store.read(async |view| view.jobs().find(element(1, 1)).await).await, Some(expected));
    assert!(activate(&store, &wish("charge", "y", 5, at(11), 60), at(11)).await.is_empty());
}

async fn the_longest_available_come_first(store: Store) {
    for (number, second) in [(1, 3), (2, 1), (3, 2)] {
        insert(&store, job(1, number, "charge", second)).await;
    }
    let first = activate(&store, &wish("charge", "x", 2, at(10), 60), at(10)).await;
    assert_eq!(first, [element(1, 2), element(1, 3)]);
    assert_eq!(activate(&store, &wish("charge", "y", 2, at(10), 60), at(10)).await, [element(1, 1)]);
}

async fn only_open_available_jobs_with_retries_in_nobodys_hands_are_given(store: Store) {
    insert(&store, JobRow { state: WorkState::Completed, ..job(1, 1, "charge", 1) }).await;
    insert(&store, JobRow { state: WorkState::Cancelled, ..job(1, 2, "charge", 1) }).await;
    insert(&store, JobRow { retries: 0, ..job(1, 3, "charge", 1) }).await;
    insert(&store, job(1, 4, "charge", 11)).await;
    let held = JobLock { worker: key("w0"), token: "t".into(), until: at(11) };
    insert(&store, JobRow { lock: Some(held), ..job(1, 5, "charge", 1) }).await;
    insert(&store, job(1, 6, "charge", 10)).await;
    assert_eq!(activate(&store, &wish("charge", "x", 9, at(10), 60), at(10)).await, [element(1, 6)]);
    let back = JobRow { retries: 2, lock: None, available_at: at(20), ..job(1, 6, "charge", 10) };
    store.change(async |unit| unit.jobs().update(&back, at(10)).await).await;
    assert_eq!(activate(&store, &wish("charge", "x", 9, at(19), 60), at(19)).await, [element(1, 4), element(1, 5)]);
    assert_eq!(activate(&store, &wish("charge", "x", 9, at(20), 60), at(20)).await, [element(1, 6)]);
}

async fn a_job_whose_lock_ran_out_is_given_again(store: Store) {
    insert(&store, job(1, 1, "charge", 1)).await;
    activate(&store, &wish("charge", "x", 1, at(10), 5), at(10)).await;
    let end = at(10) + SignedDuration::from_secs(5);
    let before = end - SignedDuration::from_micros(1);
    assert!(activate(&store, &wish("charge", "y", 1, before, 5), before).await.is_empty());
    assert_eq!(activate(&store, &wish("charge", "y", 1, end, 5), end).await, [element(1, 1)]);
}

async fn a_lock_holds_until_its_end(store: Store) {
    insert(&store, job(1, 1, "charge", 1)).await;
    let holds = async |now| {
        let locked = store.change(async |unit| unit.jobs().lock(element(1, 1), now).await).await;
        locked.unwrap().lock_holds
    };
    assert!(!holds(at(1)).await, "nobody has it");
    activate(&store, &wish("charge", "x", 1, at(10), 5), at(10)).await;
    let end = at(10) + SignedDuration::from_secs(5);
    assert!(holds(at(10)).await && holds(end - SignedDuration::from_micros(1)).await);
    assert!(!holds(end).await, "the lock stands there, but has run out");
}

async fn activation_stays_within_topics_and_workspaces(store: Store) {
    insert(&store, job(1, 1, "charge", 1)).await;
    insert(&store, JobRow { workspace: space("prod"), ..job(1, 2, "charge", 2) }).await;
    insert(&store, job(1, 3, "ship", 3)).await;
    insert(&store, job(1, 4, "other", 4)).await;
    let wish = |within: WorkspaceAccess, topics: &[&str]| JobWish {
        within,
        topics: topics.iter().map(|topic| key(topic)).collect(),
        ..super::given::wish("charge", "x", 9, at(10), 60)
    };
    assert!(activate(&store, &wish(WorkspaceAccess::none(), &["charge"]), at(10)).await.is_empty());
    assert!(activate(&store, &wish(WorkspaceAccess::All, &[]), at(10)).await.is_empty());
    let within = wish(only(["demo", "x"]), &["ship", "charge", "ship"]);
    assert_eq!(activate(&store, &within, at(10)).await, [element(1, 1), element(1, 3)]);
    let everywhere = wish(WorkspaceAccess::All, &["charge", "ship"]);
    assert_eq!(activate(&store, &everywhere, at(10)).await, [element(1, 2)]);
}

async fn activations_at_once_never_give_one_job_twice(store: Store) {
    store
        .change(async |unit| {
            for number in 0..100 {
                unit.jobs().insert(&job(1, number, "charge", 1)).await?;
            }
            Ok(())
        })
        .await;
    let workers = (0..6).map(async |worker| {
        let mut taken = Vec::new();
        loop {
            let wish = wish("charge", &format!("worker {worker}"), 7, at(10), 60);
            let jobs = activate(&store, &wish, at(10)).await;
            if jobs.is_empty() && all_locked(&store).await {
                return taken;
            }
            taken.extend(jobs);
        }
    });
    let mut taken: Vec<_> = at_once(workers).await.into_iter().flatten().collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..100).map(|number| element(1, number)).collect::<Vec<_>>());
}

/// Another unit may just have been locking what was passed over.
async fn all_locked(store: &Store) -> bool {
    for number in 0..100 {
        let job = store.read(async |view| view.jobs().find(element(1, number)).await).await.unwrap();
        if job.lock.is_none() {
            return false;
        }
    }
    true
}
