//! The audit.

use std::collections::BTreeSet;

use tidegate::{
    domain::{
        audit::{AuditEntry, AuditIdentity, AuditOutcome, NewAuditEntry},
        identity::IdentityKind,
        page::{PageRequest, Position},
        workspace::WorkspaceAccess,
    },
    ports::repository::{AuditFilter, AuditHead, RepositoryError},
};

use super::{
    Store, assert_conflict, at_once,
    given::{at, entry, only},
    suite, walk,
};

suite! {
    the_head_begins_at_zero,
    what_waits_is_read_by_nobody,
    what_is_written_is_read_back_exactly,
    entries_wait_in_the_order_of_their_coming,
    a_dropped_unit_leaves_no_entry,
    an_entry_has_one_place_only,
    sequencers_at_once_leave_no_gap,
    a_list_is_newest_first_and_fits,
    entries_without_a_workspace_are_read_by_who_has_all,
    pages_lose_and_double_nothing,
    a_position_of_no_list_has_an_empty_page,
    an_export_reads_on_from_a_number,
}

async fn append(store: &Store, entries: &[NewAuditEntry]) {
    store.change(async |unit| unit.audit().append(entries).await).await;
}

/// Chains up to `limit` entries, with their number as their hash; says how many. `None`: another one has the head.
async fn chain(store: &Store, limit: u32) -> Option<usize> {
    store
        .change(async |unit| {
            let Some(head) = unit.audit().lock_head().await? else { return Ok(None) };
            let waiting = unit.audit().unchained(limit).await?;
            let links: Vec<_> =
                waiting.iter().zip(head.sequence + 1..).map(|(entry, number)| (entry.row, link(number))).collect();
            unit.audit().chain(&links).await?;
            Ok(Some(links.len()))
        })
        .await
}

fn link(sequence: u64) -> AuditHead {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&sequence.to_be_bytes());
    AuditHead { sequence, hash }
}

fn everything() -> AuditFilter {
    AuditFilter { within: WorkspaceAccess::All, subject: None, action: None, outcome: None, from: None, to: None }
}

/// The chained entries after a number.
async fn read(store: &Store, after: u64, limit: u32) -> Vec<AuditEntry> {
    let read = store.read(async |view| view.audit().read(after, limit).await).await;
    read.into_iter().map(Result::unwrap).collect()
}

async fn numbers(store: &Store, filter: &AuditFilter) -> Vec<u64> {
    let page = store.read(async |view| view.audit().list(filter, &PageRequest::default()).await).await;
    page.items.into_iter().map(|entry| entry.sequence).collect()
}

fn chained(new: NewAuditEntry, sequence: u64) -> AuditEntry {
    AuditEntry {
        sequence,
        time: new.time,
        identity: new.identity,
        action: new.action.into(),
        target: new.target,
        workspace: new.workspace,
        outcome: new.outcome,
        code: new.code,
        ip: new.ip.map(|ip| ip.to_string()),
        request_id: new.request_id,
        count: new.count,
        hash: if sequence == 0 { [0; 32] } else { link(sequence).hash },
    }
}

/// An entry that leaves out what can be left out.
fn bare(second: i64) -> NewAuditEntry {
    NewAuditEntry {
        identity: AuditIdentity {
            kind: IdentityKind::Anonymous,
            issuer: None,
            subject: "anonymous".into(),
            actor: None,
        },
        target: None,
        outcome: AuditOutcome::Allowed,
        code: None,
        ip: None,
        request_id: None,
        count: 1,
        ..entry(second, "auth.failure", None)
    }
}

async fn the_head_begins_at_zero(store: Store) {
    let zero = AuditHead { sequence: 0, hash: [0; 32] };
    assert_eq!(store.read(async |view| view.audit().head().await).await, zero);
    assert_eq!(store.change(async |unit| unit.audit().lock_head().await).await, Some(zero));
    assert_eq!(chain(&store, 9).await, Some(0));
    assert_eq!(store.read(async |view| view.audit().head().await).await, zero);
}

async fn what_waits_is_read_by_nobody(store: Store) {
    append(&store, &[entry(1, "service_token.mint", Some("demo"))]).await;
    assert!(numbers(&store, &everything()).await.is_empty());
    assert!(read(&store, 0, 9).await.is_empty());
}

async fn what_is_written_is_read_back_exactly(store: Store) {
    let written = [entry(1, "service_token.mint", Some("demo")), bare(2)];
    append(&store, &written).await;
    let waiting = store.read(async |view| view.audit().unchained(9).await).await;
    let waiting: Vec<_> = waiting.into_iter().map(|unchained| unchained.entry).collect();
    assert_eq!(waiting, written.clone().map(|new| chained(new, 0)));
    assert_eq!(chain(&store, 9).await, Some(2));
    let expected: Vec<_> = written.into_iter().zip(1..).map(|(new, sequence)| chained(new, sequence)).collect();
    assert_eq!(read(&store, 0, 9).await, expected);
    let page = store.read(async |view| view.audit().list(&everything(), &PageRequest::default()).await).await;
    assert_eq!(page.items, expected.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(store.read(async |view| view.audit().head().await).await, link(2));
    assert!(store.read(async |view| view.audit().unchained(9).await).await.is_empty());
}

async fn entries_wait_in_the_order_of_their_coming(store: Store) {
    let entries: Vec<_> = (0..1_200).map(|number| entry(1_200 - number, "x", None)).collect();
    append(&store, &entries).await;
    append(&store, &[]).await;
    let waiting = store.read(async |view| view.audit().unchained(700).await).await;
    let times: Vec<_> = waiting.iter().map(|unchained| unchained.entry.time).collect();
    assert_eq!(times, entries[..700].iter().map(|entry| entry.time).collect::<Vec<_>>());
    for expected in [700, 500, 0] {
        assert_eq!(chain(&store, 700).await, Some(expected));
    }
    let read = read(&store, 0, 2_000).await;
    assert_eq!(
        read.iter().map(|entry| entry.time).collect::<Vec<_>>(),
        entries.iter().map(|e| e.time).collect::<Vec<_>>()
    );
    assert!(read.iter().zip(1..).all(|(entry, number)| entry.sequence == number && entry.hash == link(number).hash));
}

async fn a_dropped_unit_leaves_no_entry(store: Store) {
    let mut unit = store.begin().await;
    unit.audit().append(&[bare(1)]).await.unwrap();
    drop(unit);
    assert!(store.read(async |view| view.audit().unchained(9).await).await.is_empty());
    append(&store, &[bare(1)]).await;
    let mut unit = store.begin().await;
    let row = unit.audit().unchained(1).await.unwrap()[0].row;
    unit.audit().chain(&[(row, link(1))]).await.unwrap();
    drop(unit);
    assert_eq!(store.read(async |view| view.audit().unchained(9).await).await.len(), 1);
    assert_eq!(store.read(async |view| view.audit().head().await).await.sequence, 0);
}

async fn an_entry_has_one_place_only(store: Store) {
    append(&store, &[bare(1)]).await;
    let row = store.read(async |view| view.audit().unchained(1).await).await[0].row;
    chain(&store, 9).await;
    for row in [row, row + 99] {
        let again = store.try_change(async |unit| unit.audit().chain(&[(row, link(2))]).await).await;
        assert_conflict(again);
    }
    assert_eq!(store.read(async |view| view.audit().head().await).await, link(1));
}

async fn sequencers_at_once_leave_no_gap(store: Store) {
    let writers = (0..8).map(async |writer| {
        for number in 0..10 {
            append(&store, &[bare(writer * 10 + number)]).await;
            chain(&store, 3).await;
        }
    });
    at_once(writers).await;
    while chain(&store, 7).await != Some(0) {}
    let read = read(&store, 0, 200).await;
    assert_eq!(read.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), (1..=80).collect::<Vec<_>>());
    let times: BTreeSet<_> = read.iter().map(|entry| entry.time).collect();
    assert_eq!(times, (0..80).map(at).collect());
}

async fn a_list_is_newest_first_and_fits(store: Store) {
    append(
        &store,
        &[
            entry(10, "service_token.mint", Some("demo")),
            entry(20, "service_token.revoke", Some("prod")),
            bare(30),
            entry(25, "service_token.mint", Some("demo")),
        ],
    )
    .await;
    chain(&store, 9).await;
    let all = everything();
    assert_eq!(numbers(&store, &all).await, [4, 3, 2, 1]);
    let subject = Some("anonymous".to_owned());
    assert_eq!(numbers(&store, &AuditFilter { subject, ..all.clone() }).await, [3]);
    let action = Some("service_token.mint".to_owned());
    assert_eq!(numbers(&store, &AuditFilter { action, ..all.clone() }).await, [4, 1]);
    let outcome = Some(AuditOutcome::Allowed);
    assert_eq!(numbers(&store, &AuditFilter { outcome, ..all.clone() }).await, [3]);
    let (from, to) = (Some(at(20)), Some(at(30)));
    assert_eq!(numbers(&store, &AuditFilter { from, ..all.clone() }).await, [4, 3, 2]);
    assert_eq!(numbers(&store, &AuditFilter { to, ..all.clone() }).await, [4, 2, 1]);
    assert_eq!(numbers(&store, &AuditFilter { from, to, ..all.clone() }).await, [4, 2]);
    let narrow = AuditFilter { within: only(["demo"]), from, ..all };
    assert_eq!(numbers(&store, &narrow).await, [4]);
}

async fn entries_without_a_workspace_are_read_by_who_has_all(store: Store) {
    let of = |workspace| entry(1, "x", workspace);
    append(&store, &[of(None), of(Some("demo")), of(Some("prod")), of(None)]).await;
    chain(&store, 9).await;
    let within = |within| AuditFilter { within, ..everything() };
    assert_eq!(numbers(&store, &within(only(["demo", "prod", "x"]))).await, [3, 2]);
    assert_eq!(numbers(&store, &within(only(["prod"]))).await, [3]);
    assert!(numbers(&store, &within(WorkspaceAccess::none())).await.is_empty());
}

async fn pages_lose_and_double_nothing(store: Store) {
    let entries: Vec<_> =
        (0..23).map(|number| entry(number, "x", Some(if number % 2 == 0 { "demo" } else { "prod" }))).collect();
    append(&store, &entries).await;
    chain(&store, 99).await;
    for within in [WorkspaceAccess::All, only(["demo", "prod"])] {
        let filter = AuditFilter { within, ..everything() };
        let walked = walk(5, async |page| store.read(async |view| view.audit().list(&filter, &page).await).await);
        let walked: Vec<_> = walked.await.into_iter().map(|entry| entry.sequence).collect();
        assert_eq!(walked, (1..=23).rev().collect::<Vec<_>>());
    }
}

async fn a_position_of_no_list_has_an_empty_page(store: Store) {
    append(&store, &[bare(1)]).await;
    chain(&store, 9).await;
    for text in ["", "nonsense", "-1", "1/x", "0", "' OR 1=1"] {
        let page = PageRequest { limit: 5, after: Some(Position(text.into())) };
        let page = store.read(async |view| view.audit().list(&everything(), &page).await).await;
        assert!(page.items.is_empty(), "{text:?}");
    }
}

async fn an_export_reads_on_from_a_number(store: Store) {
    append(&store, &(0..7).map(bare).collect::<Vec<_>>()).await;
    chain(&store, 9).await;
    let mut numbers = Vec::new();
    loop {
        let after = numbers.last().copied().unwrap_or(0);
        let batch = read(&store, after, 3).await;
        if batch.is_empty() {
            break;
        }
        numbers.extend(batch.into_iter().map(|entry| entry.sequence));
    }
    assert_eq!(numbers, (1..=7).collect::<Vec<_>>());
    let beyond: Result<_, RepositoryError> = store.repository.view().await.unwrap().audit().read(u64::MAX, 3).await;
    assert!(beyond.unwrap().is_empty());
}
