//! What a SQLite file owes beyond the contract.

use std::{
    fs,
    future::poll_fn,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;
use tidegate::{
    adapters::persistence::sea_orm::{ConnectError, DatabaseConfig, DatabaseUrl, SeaOrmRepository},
    ports::repository::{Repository, RepositoryError},
};
use tokio::task::JoinSet;

use super::given::{event, execution, id, instance, job};

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/here/tidegate.db");
        Self { _folder: folder, path }
    }

    fn config(&self) -> DatabaseConfig {
        let url = DatabaseUrl::parse(&format!("sqlite://{}", self.path.display())).unwrap();
        DatabaseConfig { max_connections: 4, ..DatabaseConfig::new(url) }
    }

    async fn open(&self) -> SeaOrmRepository {
        let repository = SeaOrmRepository::connect(&self.config()).await.unwrap();
        repository.migrate().await.unwrap();
        repository
    }

    /// Another program's connection.
    async fn stranger(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rw", self.path.display()));
        options.max_connections(1);
        Database::connect(options).await.unwrap()
    }
}

async fn insert(repository: &SeaOrmRepository, number: u128) -> Result<(), RepositoryError> {
    let mut unit = repository.begin().await?;
    unit.instances().insert(&instance(number)).await?;
    unit.commit().await
}

async fn is_there(repository: &SeaOrmRepository, number: u128) -> bool {
    let mut view = repository.view().await.unwrap();
    view.instances().find(id(number)).await.unwrap().is_some()
}

/// How many commits the write-ahead log holds: frames that say how large the database is after them
/// (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
fn commits(database: &Path) -> usize {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let log = fs::read(log).unwrap();
    let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let frame = usize::try_from(word(8)).unwrap() + 24;
    let frames = (32..log.len().saturating_sub(frame - 1)).step_by(frame);
    frames.filter(|at| log[at + 8..at + 16] == log[16..24] && word(at + 4) != 0).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_that_wait_share_a_commit() {
    let place = Place::new();
    let repository = Arc::new(place.open().await);
    insert(&repository, 999).await.unwrap();
    let before = commits(&place.path);
    let mut units = JoinSet::new();
    for client in 0..16 {
        let repository = Arc::clone(&repository);
        units.spawn(async move {
            for number in 0..8 {
                insert(&repository, client * 8 + number).await.unwrap();
            }
        });
    }
    units.join_all().await;
    let made = commits(&place.path) - before;
    assert!((1..=64).contains(&made), "128 units in {made} commits");
    for number in 0..128 {
        assert!(is_there(&repository, number).await);
    }
}

#[tokio::test]
async fn a_unit_alone_has_a_commit_of_its_own() {
    let place = Place::new();
    let repository = place.open().await;
    insert(&repository, 999).await.unwrap();
    let before = commits(&place.path);
    for number in 0..3 {
        insert(&repository, number).await.unwrap();
    }
    drop(repository.begin().await.unwrap());
    assert_eq!(commits(&place.path) - before, 3);
}

#[tokio::test]
async fn a_second_gateway_is_refused_until_the_first_has_closed() {
    let place = Place::new();
    let first = place.open().await;
    insert(&first, 1).await.unwrap();
    let second = SeaOrmRepository::connect(&place.config()).await;
    assert!(matches!(second, Err(ConnectError::InUse(ref path)) if *path == place.path), "{second:?}");
    first.close().await;
    assert!(matches!(first.begin().await, Err(RepositoryError::Unavailable(_))));
    let second = place.open().await;
    assert!(is_there(&second, 1).await);
}

#[tokio::test]
async fn a_dropped_store_frees_the_file() {
    let place = Place::new();
    drop(place.open().await);
    drop(place.open().await);
}

#[tokio::test]
async fn a_command_that_only_reads_may_open_a_file_in_use() {
    let place = Place::new();
    let gateway = place.open().await;
    insert(&gateway, 1).await.unwrap();
    let reader = SeaOrmRepository::open_for_reading(&place.config()).await.unwrap();
    assert!(is_there(&reader, 1).await);
    insert(&gateway, 2).await.unwrap();
    assert!(is_there(&reader, 2).await);
    assert!(matches!(reader.begin().await, Err(RepositoryError::ReadOnly)));
}

#[tokio::test]
async fn a_command_that_only_reads_makes_nothing() {
    let place = Place::new();
    let missing = SeaOrmRepository::open_for_reading(&place.config()).await;
    assert!(matches!(missing, Err(ConnectError::Missing(_))), "{missing:?}");
    assert!(!place.path.exists());
    let unmigrated = SeaOrmRepository::connect(&place.config()).await.unwrap();
    let outdated = SeaOrmRepository::open_for_reading(&place.config()).await;
    assert!(matches!(outdated, Err(ConnectError::Outdated)), "{outdated:?}");
    unmigrated.close().await;
}

#[tokio::test]
async fn folder_and_files_are_their_owners_alone() {
    let place = Place::new();
    let repository = place.open().await;
    insert(&repository, 1).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = place.path.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let place = Place::new();
    let repository = place.open().await;
    insert(&repository, 1).await.unwrap();
    repository.migrate().await.unwrap();
    assert!(is_there(&repository, 1).await);
}

#[tokio::test]
async fn a_database_locked_by_another_is_unavailable_for_changes_alone() {
    let place = Place::new();
    let repository = place.open().await;
    insert(&repository, 1).await.unwrap();
    let stranger = place.stranger().await;
    stranger.execute_unprepared("BEGIN EXCLUSIVE").await.unwrap();
    let units = tokio::join!(insert(&repository, 2), insert(&repository, 3));
    for unit in [units.0, units.1] {
        assert!(matches!(unit, Err(RepositoryError::Unavailable(_))), "{unit:?}");
    }
    assert!(is_there(&repository, 1).await && !is_there(&repository, 2).await);
    stranger.execute_unprepared("ROLLBACK").await.unwrap();
    insert(&repository, 2).await.unwrap();
}

#[tokio::test]
async fn a_step_given_up_in_the_middle_spends_the_unit() {
    let place = Place::new();
    let repository = place.open().await;
    let many: Vec<_> = (0..5_000).map(|number| event(number, 1, "x")).collect();
    // A busy machine may let SQLite be done before the first look at it.
    let mut unit = loop {
        let mut unit = repository.begin().await.unwrap();
        if poll_once(unit.events().append(&many)).await.is_pending() {
            break unit;
        }
    };
    let after = unit.events().append(&[]).await;
    assert!(matches!(after, Err(RepositoryError::Unavailable(_))), "{after:?}");
    let commit = unit.commit().await;
    assert!(matches!(commit, Err(RepositoryError::Unavailable(_))), "{commit:?}");
    let mut unit = repository.begin().await.unwrap();
    assert!(unit.events().number(10).await.unwrap().is_empty());
}

/// Looks at a future once, and gives it up.
async fn poll_once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context))).await
}

#[tokio::test]
async fn a_requester_that_vanished_is_passed_over() {
    let place = Place::new();
    let repository = place.open().await;
    let held = repository.begin().await.unwrap();
    assert!(poll_once(repository.begin()).await.is_pending());
    drop(held);
    insert(&repository, 1).await.unwrap();
    assert!(is_there(&repository, 1).await);
}

/// A unit as a start makes it: an instance, an execution, a job, three events.
async fn start(repository: &SeaOrmRepository, number: u128) -> Result<(), RepositoryError> {
    let mut unit = repository.begin().await?;
    unit.instances().insert(&instance(number)).await?;
    unit.executions().insert(&execution(number, number % 4)).await?;
    unit.jobs().insert(&job(number, 1, "charge", 1)).await?;
    let events: Vec<_> = (0..3).map(|event| super::given::event(number * 3 + event, number % 4, "x")).collect();
    unit.events().append(&events).await?;
    unit.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "measures: cargo test --release --test tests -- --ignored --nocapture a_group_writes_more"]
async fn a_group_writes_more_than_one_alone() {
    let place = Place::new();
    let repository = Arc::new(place.open().await);
    let mut rates = Vec::new();
    for (round, writers) in [1, 64].into_iter().enumerate() {
        let clock = std::time::Instant::now();
        let mut units = JoinSet::new();
        for writer in 0..writers {
            let repository = Arc::clone(&repository);
            units.spawn(async move {
                let each: u32 = if writers == 1 { 500 } else { 100 };
                for number in 0..u128::from(each) {
                    let number = u128::try_from(round).unwrap() * 100_000 + writer * 1_000 + number;
                    start(&repository, number).await.unwrap();
                }
                each
            });
        }
        let done: u32 = units.join_all().await.into_iter().sum();
        let rate = f64::from(done) / clock.elapsed().as_secs_f64();
        eprintln!("{writers} writers: {rate:.0} units of work per second");
        rates.push(rate);
    }
    repository.close().await;
    let clock = std::time::Instant::now();
    place.open().await;
    eprintln!("opened again in {:?}", clock.elapsed());
    assert!(rates[1] > rates[0], "{rates:?}");
}
