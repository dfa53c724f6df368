//! `kill -9` and the audit: an action and its entry are both there or both not, and the chain goes on where it was.

use std::{collections::BTreeSet, path::Path, time::Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    postgres::TestDatabase,
    process::{Caller, GateProcess, PATIENCE, pause},
};

const MINTERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_parts_no_action_from_its_entry_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/gate.db", folder.path().display());
    a_kill_parts_no_action_from_its_entry(folder.path(), &database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_parts_no_action_from_its_entry_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::fresh().await;
    a_kill_parts_no_action_from_its_entry(folder.path(), &database.url()).await;
}

async fn a_kill_parts_no_action_from_its_entry(folder: &Path, database: &str) {
    let mut gate = GateProcess::start(folder, database).await;
    for round in 0..3 {
        let before = gate.caller().all("/api/admin/service-tokens").await.len();
        let mut minters = JoinSet::new();
        for minter in 0..MINTERS {
            minters.spawn(mint(gate.caller(), format!("r{round}-m{minter}")));
        }
        // In the midst of it.
        while gate.caller().all("/api/admin/service-tokens").await.len() < before + 20 {
            pause().await;
        }
        gate.kill();
        minters.join_all().await;
        gate.start_again().await;
    }
    let caller = gate.caller();
    let made = |items: Vec<Value>, name: &str| -> Vec<String> {
        items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let tokens: BTreeSet<String> =
        made(caller.all("/api/admin/service-tokens").await, "identifier").into_iter().collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let entered = made(caller.all("/api/admin/audit-events?action=service_token.mint").await, "target");
        let known: BTreeSet<String> = entered.iter().cloned().collect();
        assert_eq!(entered.len(), known.len(), "an entry came twice");
        assert!(known.is_subset(&tokens), "entered, and never made: {:?}", known.difference(&tokens));
        if known == tokens {
            break;
        }
        assert!(Instant::now() < deadline, "made, and never entered: {:?}", tokens.difference(&known));
        pause().await;
    }
    let (holds, said) = gate.beside(&["audit", "verify"]);
    assert!(holds, "{said}");
}

/// Makes tokens until nobody answers.
async fn mint(caller: Caller, stem: String) {
    for number in 0_u32.. {
        let order = json!({"identifier": format!("{stem}-{number}"), "workspace_ids": []});
        match caller.try_post("/api/admin/service-tokens", &order).await {
            Some((201, _)) => {}
            Some((status, body)) => panic!("{status} {body}"),
            None => return,
        }
    }
}
