//! A SQLite file: one connection that writes, a few that read, and a lock that keeps a second gateway off.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use sea_orm::{
    DatabaseConnection, DbErr, SqlxSqliteConnector,
    sqlx::{
        ConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use tokio::time::Instant;
use tracing::log::LevelFilter;

use super::error::ConnectError;

/// How long a statement waits for another process that has the file.
const BUSY: Duration = Duration::from_secs(2);
/// How long to wait for a file that another gateway has, and how often to try.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait for a connection.
const ACQUIRE: Duration = Duration::from_secs(3);
/// From when on a statement is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// The file's connections.
#[derive(Debug)]
pub(super) struct Connections {
    /// A pool of one; a connection is closed when it is given back.
    pub(super) writer: DatabaseConnection,
    pub(super) readers: DatabaseConnection,
}

/// Makes the file and its folder if they are missing, and locks it for one gateway: until the answer is dropped.
///
/// A gateway that was just killed holds its lock until the system has cleared it away: a locked file is tried for a while.
pub(super) async fn prepare(path: &Path) -> Result<File, ConnectError> {
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        let path = path.to_owned();
        let task = tokio::task::spawn_blocking(move || make_and_lock(&path));
        match task.await.unwrap_or_else(|gone| Err(ConnectError::Database(DbErr::Custom(gone.to_string())))) {
            Err(ConnectError::InUse(_)) if Instant::now() < give_up => tokio::time::sleep(LOCK_PAUSE).await,
            result => return result,
        }
    }
}

fn make_and_lock(path: &Path) -> Result<File, ConnectError> {
    let failed = |at: &Path| {
        let path = at.to_owned();
        move |source: io::Error| ConnectError::File { path, source }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let lock = private(&lock_path).map_err(failed(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ConnectError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => return Err(failed(&lock_path)(source)),
    }
    // SQLite gives the files beside it (-wal, -shm) the rights of the database itself.
    private(path).map_err(failed(path))?;
    Ok(lock)
}

/// Opens a file, made for its owner alone if it is missing.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Opens the file, which is there. The connections are made when they are first needed.
pub(super) fn open(path: &Path, readers: u32) -> Connections {
    let options = options(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let pool = pool(1).after_release(|_, _| Box::pin(async { Ok(false) }));
    let writer = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.connect_lazy_with(options));
    Connections { writer, readers: open_for_reading(path, readers) }
}

/// Opens the file for reading alone.
pub(super) fn open_for_reading(path: &Path, readers: u32) -> DatabaseConnection {
    let options = options(path).pragma("query_only", "ON");
    SqlxSqliteConnector::from_sqlx_sqlite_pool(pool(readers.max(1)).connect_lazy_with(options))
}

fn options(path: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).foreign_keys(true);
    options.busy_timeout(BUSY).log_statements(LevelFilter::Off).log_slow_statements(LevelFilter::Warn, SLOW)
}

fn pool(connections: u32) -> SqlitePoolOptions {
    let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
    pool.idle_timeout(None).max_lifetime(None).test_before_acquire(false)
}
