//! The audit's chain on a real SQLite file, and what whoever changes the file behind the gate's back cannot hide.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tempfile::TempDir;
use tidegate::{
    adapters::{
        clock::ManualClock,
        persistence::sea_orm::{DatabaseConfig, DatabaseUrl, SeaOrmRepository},
    },
    app::audit::{AuditKey, Collector, Fault, Place, Verification, Wanted, export, head_text, parse_head, verify},
    domain::{audit::AuditOutcome, identity::IdentityKind, page::PageRequest, scope::Scope},
    ports::{
        repository::{AuditHead, Repository},
        token_validator::Suspect,
    },
    wiring::{Gate, Parts},
};

use super::world::{World, admin, id, new_token, workspace};

const KEY: &str = "an-audit-key-of-more-than-32-characters";

struct File {
    _folder: TempDir,
    path: PathBuf,
    repository: Arc<SeaOrmRepository>,
    gate: Gate,
}

impl File {
    /// A gate on a file of its own whose audit has twelve entries.
    async fn of_twelve() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.db");
        let url = DatabaseUrl::parse(&format!("sqlite://{}", path.display())).unwrap();
        let repository = SeaOrmRepository::connect(&DatabaseConfig::new(url)).await.unwrap();
        repository.migrate().await.unwrap();
        let repository = Arc::new(repository);
        let parts = Parts { repository: repository.clone(), audit_key: key(), ..Parts::in_memory().unwrap() };
        let file = Self { _folder: folder, path, repository, gate: Gate::new(parts) };
        file.act(12).await;
        file
    }

    async fn act(&self, times: usize) {
        let head = self.head().await.sequence;
        for number in 0..times {
            let id = workspace(&format!("w{head}-{number}"));
            self.gate.app.workspaces.create(&admin(), id, None, None).await.unwrap();
        }
        self.gate.audit().finish().await;
        assert_eq!(self.head().await.sequence, head + u64::try_from(times).unwrap());
    }

    async fn head(&self) -> AuditHead {
        self.repository.view().await.unwrap().audit().head().await.unwrap()
    }

    /// Does something to the file that the gate knows nothing of.
    async fn tamper(&self, sql: &str) {
        let stranger = Database::connect(format!("sqlite://{}?mode=rw", self.path.display())).await.unwrap();
        stranger.execute_unprepared(sql).await.unwrap();
        stranger.close().await.unwrap();
    }

    async fn verify(&self, anchor: Option<AuditHead>) -> Verification {
        verify(&*self.repository, &key(), anchor).await.unwrap()
    }

    async fn faults(&self, anchor: Option<AuditHead>) -> Vec<Fault> {
        self.verify(anchor).await.faults
    }
}

fn key() -> AuditKey {
    AuditKey::new(Some(KEY.into()))
}

#[tokio::test]
async fn what_nobody_touched_fits_and_goes_on_fitting() {
    let file = File::of_twelve().await;
    let first = file.verify(None).await;
    assert!(first.holds(), "{first:?}");
    assert_eq!((first.entries, first.head, first.anchored), (12, file.head().await, 0));
    file.act(3).await;
    let next = file.verify(Some(first.head)).await;
    assert!(next.holds(), "{next:?}");
    assert_eq!((next.entries, next.anchored), (15, 12));
    assert!(!verify(&*file.repository, &AuditKey::new(None), None).await.unwrap().holds());
}

#[tokio::test]
async fn every_altered_column_is_found() {
    for change in [
        "time = time + 1",
        "kind = 'user'",
        "issuer = 'x'",
        "subject = 'somebody else'",
        "actor = ''",
        "action = 'membership.put'",
        "target = NULL",
        "workspace = 'other'",
        "outcome = 'refused'",
        "code = 'x'",
        "ip = '192.0.2.1'",
        "request_id = ''",
        "count = count + 1",
    ] {
        let file = File::of_twelve().await;
        file.tamper(&format!("UPDATE audit_entries SET {change} WHERE sequence = 5")).await;
        assert_eq!(file.faults(None).await, [Fault::Altered(5)], "{change}");
    }
}

#[tokio::test]
async fn an_altered_hash_is_found_even_where_it_is_made_anew_without_the_key() {
    let file = File::of_twelve().await;
    file.tamper("UPDATE audit_entries SET subject = 'x', hash = zeroblob(32) WHERE sequence = 5").await;
    assert_eq!(file.faults(None).await, [Fault::Altered(5), Fault::Altered(6)]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_any_more_is_a_fault_and_the_walk_goes_on() {
    for change in ["kind = 'nobody'", "outcome = ''", "hash = zeroblob(3)", "workspace = 'no slug'"] {
        let file = File::of_twelve().await;
        file.tamper(&format!("UPDATE audit_entries SET {change} WHERE sequence = 5")).await;
        file.tamper("UPDATE audit_entries SET target = 'x' WHERE sequence = 9").await;
        let found = file.verify(None).await;
        assert_eq!(found.faults, [Fault::Unreadable(5), Fault::Altered(9)], "{change}");
        assert_eq!(found.entries, 11);
        let mut out = Vec::new();
        let exported = export(&mut *file.repository.view().await.unwrap(), 0, &mut out).await.unwrap();
        assert_eq!((exported.entries, exported.unreadable), (12, 1), "the others are exported: {change}");
        assert!(String::from_utf8(out).unwrap().contains(r#"{"sequence":5,"unreadable":true}"#), "{change}");
    }
}

#[tokio::test]
async fn what_was_written_over_in_every_column_hides_nothing_else() {
    let columns = ["time", "kind", "subject", "action", "outcome", "count", "hash"];
    for column in columns {
        let file = File::of_twelve().await;
        file.tamper(&format!("UPDATE audit_entries SET {column} = 'nonsense' WHERE sequence = 5")).await;
        file.tamper("UPDATE audit_entries SET target = 'x' WHERE sequence = 9").await;
        let faults = file.faults(None).await;
        assert!(matches!(faults[0], Fault::Unreadable(5) | Fault::Altered(5)), "{column}: {faults:?}");
        assert_eq!(faults.last(), Some(&Fault::Altered(9)), "{column}: {faults:?}");
    }
}

#[tokio::test]
async fn a_number_beyond_all_others_is_found_at_once() {
    for change in ["sequence = 9000000000000000000", "sequence = 9000000000000000000, kind = 'nobody'"] {
        let file = File::of_twelve().await;
        file.tamper(&format!("UPDATE audit_entries SET {change} WHERE sequence = 12")).await;
        let walk = tokio::time::timeout(std::time::Duration::from_secs(10), file.faults(None));
        let faults = walk.await.expect("it ends");
        assert_eq!(faults[0], Fault::Missing { from: 12, to: 8_999_999_999_999_999_999 }, "{change}: {faults:?}");
    }
}

#[tokio::test]
async fn an_entry_that_lost_its_place_to_get_another_is_found() {
    let file = File::of_twelve().await;
    file.tamper("UPDATE audit_entries SET sequence = NULL, hash = NULL WHERE sequence = 5").await;
    assert_eq!(file.faults(None).await, [Fault::Missing { from: 5, to: 5 }]);
    file.gate.audit().finish().await;
    assert_eq!(file.head().await.sequence, 13, "it is chained once more, at the end");
    assert_eq!(file.faults(None).await, [Fault::Missing { from: 5, to: 5 }]);
}

#[tokio::test]
async fn under_another_key_what_was_before_fits_no_more_and_what_comes_after_does() {
    let file = File::of_twelve().await;
    let anchor = file.head().await;
    let other = AuditKey::new(Some("another-audit-key-of-more-than-32-characters".into()));
    let parts = Parts { repository: file.repository.clone(), audit_key: other.clone(), ..Parts::in_memory().unwrap() };
    let gate = Gate::new(parts);
    gate.app.workspaces.create(&admin(), workspace("later"), None, None).await.unwrap();
    gate.audit().finish().await;
    let found = verify(&*file.repository, &other, Some(anchor)).await.unwrap();
    assert_eq!(found.faults, (1..=12).map(Fault::Altered).collect::<Vec<_>>());
    assert_eq!((found.entries, found.anchored), (13, 12));
    assert_eq!(file.faults(Some(anchor)).await, [Fault::Altered(13)], "under the old one it is the other way round");
}

#[tokio::test]
async fn a_chain_of_many_batches_is_walked_and_exported_whole() {
    let file = File::of_twelve().await;
    let place = Place { address: None, request_id: "r" };
    for number in 0..2_600 {
        file.gate.app.audit.collector.failed(&format!("auth.code_{number}"), None, None, place);
    }
    file.gate.audit().finish().await;
    let found = file.verify(None).await;
    assert!(found.holds() && found.entries == 2_612, "{found:?}");
    let mut out = Vec::new();
    let exported = export(&mut *file.repository.view().await.unwrap(), 0, &mut out).await.unwrap();
    assert_eq!((exported.entries, exported.head), (2_612, found.head));
    file.tamper("UPDATE audit_entries SET code = 'x' WHERE sequence % 10 = 0").await;
    let found = file.verify(None).await;
    assert_eq!((found.faults.len(), found.more_faults), (100, 161), "a hundred are named, the rest is counted");
}

/// The chain's rule as docs/audit.md tells it, in another program's words: from lines of an export alone.
fn hash_of(key: &str, before: &[u8], line: &serde_json::Value) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    let number = |name: &str| Some(line[name].to_string());
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let who = &line["identity"];
    let fields = [
        Some("tidegate.audit.1".to_owned()),
        number("sequence"),
        Some(time.as_microsecond().to_string()),
        text(&who["kind"]),
        text(&who["issuer"]),
        text(&who["subject"]),
        text(&who["actor"]),
        text(&line["action"]),
        text(&line["target"]),
        text(&line["workspace_id"]),
        text(&line["outcome"]),
        text(&line["code"]),
        text(&line["ip"]),
        text(&line["request_id"]),
        number("count"),
    ];
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(before);
    for field in fields {
        mac.update(field.map_or("-".to_owned(), |text| format!("{}:{text}", text.len())).as_bytes());
    }
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

#[tokio::test]
async fn an_export_is_verified_by_whoever_has_the_key_and_the_documentation() {
    let file = File::of_twelve().await;
    let place = Place { address: Some(IpAddr::from([192, 0, 2, 1])), request_id: "r-ä" };
    let of = Suspect { kind: IdentityKind::User, issuer: Some("corp".into()), subject: "1:ä".into(), token_id: None };
    file.gate.app.audit.collector.failed("auth.token_expired", None, Some(&of), place);
    file.gate.audit().finish().await;
    let mut out = Vec::new();
    export(&mut *file.repository.view().await.unwrap(), 0, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (head, entries) = lines.split_last().unwrap();
    assert_eq!(entries.len(), 13);
    let mut before = vec![0; 32];
    for line in entries {
        let hash = hash_of(KEY, &before, line);
        assert_eq!(line["hash"], hash, "{line}");
        before = data_encoding::HEXLOWER.decode(hash.as_bytes()).unwrap();
    }
    assert_eq!(head["head"], format!("13:{}", data_encoding::HEXLOWER.encode(&before)));
}

#[tokio::test]
async fn deleted_entries_are_found_at_the_beginning_in_the_middle_and_at_the_end() {
    let file = File::of_twelve().await;
    file.tamper("DELETE FROM audit_entries WHERE sequence IN (1, 5, 6, 12)").await;
    let missing = |from, to| Fault::Missing { from, to };
    assert_eq!(file.faults(None).await, [missing(1, 1), missing(5, 6), missing(12, 12)]);
}

#[tokio::test]
async fn a_deletion_hidden_by_new_numbers_is_found() {
    let file = File::of_twelve().await;
    file.tamper(
        "DELETE FROM audit_entries WHERE sequence = 5; \
         UPDATE audit_entries SET sequence = sequence - 1 WHERE sequence > 5; \
         UPDATE audit_head SET sequence = 11",
    )
    .await;
    let faults = file.faults(None).await;
    assert!(faults.contains(&Fault::Altered(5)), "{faults:?}");
}

#[tokio::test]
async fn entries_in_each_others_places_are_found() {
    let file = File::of_twelve().await;
    file.tamper(
        "UPDATE audit_entries SET sequence = 99 WHERE sequence = 5; \
         UPDATE audit_entries SET sequence = 5 WHERE sequence = 6; \
         UPDATE audit_entries SET sequence = 6 WHERE sequence = 99",
    )
    .await;
    assert!(file.faults(None).await.contains(&Fault::Altered(5)));
}

/// Cuts off the end and mends the head, as far as it can be done without the key.
const CUT: &str = "DELETE FROM audit_entries WHERE sequence > 8; \
     UPDATE audit_head SET sequence = 8, hash = (SELECT hash FROM audit_entries WHERE sequence = 8)";

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_by_an_anchor_alone() {
    let file = File::of_twelve().await;
    let anchor = file.head().await;
    file.tamper(CUT).await;
    let without = file.verify(None).await;
    assert!(without.holds() && without.anchored == 0, "{without:?}");
    assert_eq!(file.faults(Some(anchor)).await, [Fault::Truncated(anchor)]);
    file.act(6).await;
    assert_eq!(file.faults(Some(anchor)).await, [Fault::Rewritten(anchor)], "grown again, it is another one");
}

#[tokio::test]
async fn a_head_that_names_no_last_entry_is_found() {
    let file = File::of_twelve().await;
    file.tamper("UPDATE audit_head SET hash = zeroblob(32)").await;
    assert!(matches!(file.faults(None).await.as_slice(), [Fault::Head(_)]));
}

#[tokio::test]
async fn a_chain_that_was_emptied_is_found_by_its_anchor() {
    let file = File::of_twelve().await;
    let anchor = file.head().await;
    file.tamper("DELETE FROM audit_entries; UPDATE audit_head SET sequence = 0, hash = NULL").await;
    assert!(file.verify(None).await.holds());
    assert_eq!(file.faults(Some(anchor)).await, [Fault::Truncated(anchor)]);
}

#[tokio::test]
async fn an_export_ends_with_the_head_and_goes_on_after_a_number() {
    let file = File::of_twelve().await;
    for (after, lines) in [(0, 12), (10, 2), (12, 0)] {
        let mut out = Vec::new();
        let exported = export(&mut *file.repository.view().await.unwrap(), after, &mut out).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines_: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((exported.entries, lines_.len()), (lines, usize::try_from(lines).unwrap() + 1));
        let head = parse_head(lines_.last().unwrap()["head"].as_str().unwrap()).unwrap();
        assert_eq!(head_text(&head), head_text(&file.head().await));
    }
}

#[tokio::test]
async fn an_action_that_fails_leaves_no_entry_and_one_that_is_done_leaves_one() {
    let world = World::new().await;
    world.mint(&admin(), new_token("ci", &[Scope::WorkflowsRead], &["demo"])).await;
    let again = world.app().tokens.mint(&admin(), new_token("ci", &[], &["demo"]), None).await;
    assert!(again.is_err());
    for _ in 0..2 {
        world.app().tokens.revoke(&admin(), id("ci"), None, false).await.unwrap();
    }
    world.gate.audit().finish().await;
    let page = world.app().audit.list(&admin(), Wanted::default(), &PageRequest::default()).await.unwrap();
    let said: Vec<_> = page.items.iter().map(|entry| (entry.action.as_str(), entry.target.as_deref())).collect();
    let expected =
        [("service_token.revoke", Some("ci")), ("service_token.mint", Some("ci")), ("workspace.create", Some("demo"))];
    assert_eq!(said, expected, "the second revocation changed nothing");
    assert!(page.items.iter().all(|entry| entry.workspace == Some(workspace("demo"))));
}

#[tokio::test]
async fn what_was_gathered_is_written_down_when_the_gate_stops() {
    let world = World::new().await;
    world.gate.start();
    let place = Place { address: Some(IpAddr::from([192, 0, 2, 1])), request_id: "r-1" };
    for _ in 0..1_000 {
        world.app().audit.collector.failed("auth.invalid_token", None, None, place);
    }
    world.gate.stop(std::time::Duration::from_secs(5)).await;
    let wanted = Wanted { action: Some("auth.failure".into()), ..Wanted::default() };
    let page = world.app().audit.list(&admin(), wanted, &PageRequest::default()).await.unwrap();
    assert!(page.items.iter().all(|entry| entry.outcome == AuditOutcome::Refused));
    assert_eq!(page.items.iter().map(|entry| entry.count).sum::<u64>(), 1_000, "counted exactly");
    assert_eq!(page.items.len(), 6, "five singly, the rest in one");
}

#[tokio::test]
async fn what_a_store_refuses_is_kept_for_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("gate.db").display());
    let config = DatabaseConfig::new(DatabaseUrl::parse(&url).unwrap());
    let repository = Arc::new(SeaOrmRepository::connect(&config).await.unwrap());
    repository.migrate().await.unwrap();
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let collector = Collector::new(repository.clone(), clock);
    collector.failed("auth.token_expired", None, None, Place { address: None, request_id: "r" });
    let stranger = Database::connect(ConnectOptions::new(url.clone()).max_connections(1).to_owned()).await.unwrap();
    stranger.execute_unprepared("BEGIN EXCLUSIVE").await.unwrap();
    assert!(collector.write().await.is_err(), "another program has the file");
    stranger.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(collector.write().await.ok(), Some(true));
    assert_eq!(collector.write().await.ok(), Some(false));
    assert_eq!(repository.view().await.unwrap().audit().unchained(9).await.unwrap().len(), 1);
}
