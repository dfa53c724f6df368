//! The Redis that `scripts/with-peers` started, and private ones that a test may stop.

use std::{
    io::Write,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use redis::{Client, aio::MultiplexedConnection};

use super::{
    environment,
    process::{PATIENCE, pause},
    steady_port, unique,
};

/// A part of the shared server that no other test writes to: put its prefix before each key.
#[derive(Debug, Clone)]
pub(crate) struct SharedRedis {
    /// Where it is; its password is in it.
    pub(crate) url: String,
    /// What begins the keys of this test.
    pub(crate) prefix: String,
}

impl SharedRedis {
    /// The server, and a prefix of its own.
    pub(crate) fn new() -> Self {
        Self { url: environment("TIDEGATE_TEST_REDIS_URL"), prefix: format!("test:{}:", unique().simple()) }
    }

    /// A connection to it.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        connect(&self.url).await.expect("the shared Redis answers")
    }
}

/// A Redis of a test's own, on a port that stays its own; stopped when dropped. It keeps nothing over a stop.
#[derive(Debug)]
pub(crate) struct PrivateRedis {
    port: u16,
    password: String,
    running: Option<Running>,
}

impl PrivateRedis {
    /// Starts one, and waits until it answers.
    pub(crate) async fn start() -> Self {
        let mut redis = Self { port: steady_port(), password: unique().simple().to_string(), running: None };
        redis.start_again().await;
        redis
    }

    /// Where it is, also while it is stopped; its password is in it.
    pub(crate) fn url(&self) -> String {
        format!("redis://default:{}@127.0.0.1:{}/0", self.password, self.port)
    }

    /// Kills it: its connections break, new ones are refused, what it held is gone.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it where it was, empty, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        self.running = Some(Running::new(self.port, &self.password));
        let deadline = Instant::now() + PATIENCE;
        while connect(&self.url()).await.is_none() {
            if let Some(status) = self.running.as_mut().and_then(|running| running.child.try_wait().unwrap()) {
                panic!("Redis ended with {status}");
            }
            assert!(Instant::now() < deadline, "Redis is not ready");
            pause().await;
        }
    }

    /// A connection to it.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        connect(&self.url()).await.expect("the private Redis answers")
    }

    /// Lets it take connections and commands for so long without an answer to any.
    pub(crate) async fn freeze(&self, time: Duration) {
        let mut command = redis::cmd("CLIENT");
        command.arg("PAUSE").arg(u64::try_from(time.as_millis()).unwrap()).arg("ALL");
        let () = command.query_async(&mut self.connection().await).await.unwrap();
    }
}

/// The server's process, below a shell that ends it as soon as our end of the pipe closes, however this process ended.
#[derive(Debug)]
struct Running {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Running {
    fn new(port: u16, password: &str) -> Self {
        let script = r#"
            command -v redis-server >/dev/null || { echo "redis-server is missing: scripts/with-peers installs it" >&2; exit 1; }
            IFS= read -r password
            exec 3<&0
            printf '%s\n' "bind 127.0.0.1" "port $1" "requirepass $password" "dir /tmp" 'save ""' | redis-server - >/dev/null &
            server=$!
            { read -r _ <&3; kill -KILL $server; } & reader=$!
            wait $server 2>/dev/null
            kill $reader 2>/dev/null
        "#;
        let mut child = Command::new("bash")
            .args(["-c", script, "redis", &port.to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let mut pipe = child.stdin.take().unwrap();
        writeln!(pipe, "{password}").unwrap();
        Self { child, pipe: Some(pipe) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pipe = None;
        // Either way it is gone after this.
        let _ = self.child.wait();
    }
}

async fn connect(url: &str) -> Option<MultiplexedConnection> {
    let client = Client::open(url).expect("a Redis URL");
    client.get_multiplexed_async_connection().await.ok()
}
