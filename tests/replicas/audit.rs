//! Two gates chain one audit: whoever comes first, no number is left out or given twice.

use std::time::Instant;

use serde_json::json;

use crate::support::{
    postgres::TestDatabase,
    process::{Caller, GateProcess, PATIENCE, pause},
};

const EACH: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_chain_one_audit_at_once() {
    let database = TestDatabase::fresh().await;
    let url = database.url();
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) =
        tokio::join!(GateProcess::start(folders.0.path(), &url), GateProcess::start(folders.1.path(), &url));
    let (here, there) = (one.caller(), other.caller());
    tokio::join!(mint(&here, "here-a"), mint(&here, "here-b"), mint(&there, "there-a"), mint(&there, "there-b"));
    let deadline = Instant::now() + PATIENCE;
    for caller in [&here, &there] {
        while caller.all("/api/admin/audit-events?action=service_token.mint").await.len() < 4 * EACH {
            assert!(Instant::now() < deadline, "not everything is chained");
            pause().await;
        }
    }
    let entries = here.all("/api/admin/audit-events").await;
    let mut numbers: Vec<u64> = entries.iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect();
    numbers.reverse();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<_>>());
    let head = format!("{}:{}", entries[0]["sequence"], entries[0]["hash"].as_str().unwrap());
    let (holds, said) = other.beside(&["audit", "verify", "--anchor", &head]);
    assert!(holds, "{said}");
}

async fn mint(caller: &Caller, stem: &str) {
    for number in 0..EACH {
        let order = json!({"identifier": format!("{stem}-{number}"), "workspace_ids": []});
        caller.post("/api/admin/service-tokens", &order).await;
    }
}
