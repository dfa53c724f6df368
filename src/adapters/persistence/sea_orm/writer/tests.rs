use sea_orm::{DbBackend, Statement};
use tempfile::TempDir;

use super::*;
use crate::adapters::persistence::sea_orm::sqlite;

struct Bench {
    _folder: TempDir,
    readers: DatabaseConnection,
    writer: Writer,
}

impl Bench {
    async fn new(lease: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        drop(sqlite::prepare(&path).await.unwrap());
        let connections = sqlite::open(&path, 2);
        let writer = Writer::start(connections.writer, lease, &TaskTracker::new());
        let bench = Self { _folder: folder, readers: connections.readers, writer };
        bench.write("CREATE TABLE notes (text NOT NULL)").await.unwrap();
        bench
    }

    async fn write(&self, sql: &str) -> Result<(), RepositoryError> {
        let lease = self.writer.lease().await?;
        execute(&lease, sql).await.map_err(|refused| RepositoryError::Unavailable(Box::new(refused)))?;
        lease.commit().await
    }

    async fn notes(&self) -> Vec<String> {
        let query =
            Statement::from_string(DbBackend::Sqlite, "SELECT substr(text, 1, 9) AS text FROM notes ORDER BY 1");
        let rows = self.readers.query_all_raw(query).await.unwrap();
        rows.iter().map(|row| row.try_get("", "text").unwrap()).collect()
    }
}

async fn execute(lease: &Lease, sql: &str) -> Result<(), DbErr> {
    let slot = lease.hold().await.map_err(|over| DbErr::Custom(over.to_string()))?;
    slot.as_ref().unwrap().execute_unprepared(sql).await.map(|_| ())
}

fn note(text: &str) -> String {
    format!("INSERT INTO notes VALUES ('{text}')")
}

#[tokio::test]
async fn a_unit_that_never_ends_is_taken_back() {
    let bench = Bench::new(Duration::from_millis(50)).await;
    let stuck = bench.writer.lease().await.unwrap();
    execute(&stuck, &note("stuck")).await.unwrap();
    bench.write(&note("next")).await.unwrap();
    assert!(matches!(stuck.hold().await, Err(RepositoryError::Unavailable(_))));
    assert!(matches!(stuck.commit().await, Err(RepositoryError::Unavailable(_))));
    assert_eq!(bench.notes().await, ["next"]);
}

#[tokio::test]
async fn a_full_disk_harms_nobody_but_the_unit_that_filled_it() {
    let bench = Bench::new(LEASE).await;
    bench.write("PRAGMA max_page_count = 20").await.unwrap();
    for round in 0..3 {
        bench.write(&note(&format!("before {round}"))).await.unwrap();
        let (small, large) = (note(&format!("small {round}")), note(&"large".repeat(100_000)));
        let (small, large) = tokio::join!(bench.write(&small), bench.write(&large));
        assert!(matches!(large, Err(RepositoryError::Unavailable(_))), "{large:?}");
        let kept = bench.notes().await.contains(&format!("small {round}"));
        assert_eq!(small.is_ok(), kept, "acknowledged exactly if it is there");
    }
    assert!(bench.notes().await.iter().all(|note| !note.starts_with("large")));
    bench.write(&note("after")).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_on_its_own_fails_the_group_and_no_later_one() {
    let bench = Bench::new(LEASE).await;
    let first = bench.writer.lease().await.unwrap();
    execute(&first, &note("first")).await.unwrap();
    let second = async {
        let lease = bench.writer.lease().await.unwrap();
        // What a full disk may do in the middle of a statement.
        execute(&lease, "ROLLBACK").await.unwrap();
    };
    let (first, ()) = tokio::join!(first.commit(), second);
    assert!(matches!(first, Err(RepositoryError::Unavailable(_))), "{first:?}");
    bench.write(&note("later")).await.unwrap();
    assert_eq!(bench.notes().await, ["later"]);
}
