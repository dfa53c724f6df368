//! A Postgres database of its own for each test, on the server that `scripts/with-postgres` started.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use url::Url;

use super::{environment, unique};

/// A database that goes away with this value.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// Makes an empty database.
    pub(crate) async fn fresh() -> Self {
        let server = environment("TIDEGATE_TEST_POSTGRES_URL");
        let name = format!("tidegate_test_{}", unique().simple());
        execute(&server, &format!("CREATE DATABASE {name}")).await;
        Self { server, name }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        let mut url = Url::parse(&self.server).expect("TIDEGATE_TEST_POSTGRES_URL is a URL");
        url.set_path(&self.name);
        url.into()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread of its own: the test's runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(execute(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        });
        drop(dropping.join());
    }
}

async fn execute(server: &str, sql: &str) {
    let connection: DatabaseConnection = Database::connect(server).await.expect("the test server answers");
    connection.execute_unprepared(sql).await.expect(sql);
    connection.close().await.expect("the connection ends");
}
