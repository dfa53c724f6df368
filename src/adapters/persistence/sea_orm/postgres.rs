//! A Postgres database.

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, SqlxPostgresConnector,
    sqlx::{ConnectOptions, Connection, Executor, postgres::PgPoolOptions},
};
use tracing::log::LevelFilter;

use super::config::PostgresUrl;

/// How long to wait for a connection: a database that is gone is said to be gone within that.
const ACQUIRE: Duration = Duration::from_secs(3);
/// How long a connection may have been idle before it is tried out first.
const IDLE: Duration = Duration::from_secs(1);
/// From when on a statement is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// What each session is told. The limits are shorter than those of the client, so that the server gives up first and the
/// connection stays usable; a gateway that vanished in the middle of a transaction holds its rows for 15 s at most.
const SESSION: &str = "SET statement_timeout = '7s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '15s'; \
     SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off; \
     SET TimeZone = 'UTC'";

/// Makes the pool; its connections are made when they are first needed.
pub(super) fn open(url: &PostgresUrl, connections: u32) -> DatabaseConnection {
    let options = url.options.clone().application_name("tidegate");
    let options = options.log_statements(LevelFilter::Off).log_slow_statements(LevelFilter::Warn, SLOW);
    let pool = PgPoolOptions::new()
        .max_connections(connections.max(2))
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(SESSION).await?;
                Ok(())
            })
        });
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool.connect_lazy_with(options))
}
