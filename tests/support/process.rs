//! The real program in a process of its own, for what only that can show: kills, restarts, the command line.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// How long anything may take that should take a moment.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A bootstrap token for tests.
const BOOTSTRAP: &str = "bootstrap-token-of-a-test-0123456789ab";

/// A gate's process; killed when dropped.
#[derive(Debug)]
pub(crate) struct GateProcess {
    folder: PathBuf,
    database: String,
    port: u16,
    child: Child,
    client: Client,
}

impl GateProcess {
    /// Starts the gate in a folder of its own on a database, and waits until it is ready. Nothing of this process's
    /// environment that is meant for a gate reaches it.
    pub(crate) async fn start(folder: &Path, database: &str) -> Self {
        let port = free_port();
        let mut gate = Self {
            folder: folder.to_path_buf(),
            database: database.to_owned(),
            port,
            child: spawn(folder, database, port),
            client: Client::builder().timeout(Duration::from_secs(30)).build().unwrap(),
        };
        gate.wait_until_ready().await;
        gate
    }

    /// Runs the program beside the gate, on its database; gives whether that succeeded, and what was said.
    pub(crate) fn beside(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = tidegate();
        command.args(arguments).current_dir(&self.folder).env("TIDEGATE_DATABASE__URL", &self.database);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    }

    /// `kill -9`, whatever it is doing.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, and waits until it is ready.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(&self.folder, &self.database, self.port);
        self.wait_until_ready().await;
    }

    /// Its address and the bootstrap token's rights, for as many tasks as want to call.
    pub(crate) fn caller(&self) -> Caller {
        Caller { base: format!("http://127.0.0.1:{}", self.port), client: self.client.clone() }
    }

    async fn wait_until_ready(&mut self) {
        let caller = self.caller();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = || std::fs::read_to_string(self.folder.join("gate.log")).unwrap_or_default();
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the gate ended with {status}:\n{}", log());
            }
            let answer = caller.request(Method::GET, "/health/ready").send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            assert!(Instant::now() < deadline, "the gate is not ready:\n{}", log());
            pause().await;
        }
    }
}

impl Drop for GateProcess {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls a gate as bootstrap.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    base: String,
    client: Client,
}

impl Caller {
    /// A request with the token on it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(BOOTSTRAP)
    }

    /// Status and body of an answer; `None` when there was none.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// The body of an answer that must be a 2xx.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, body) = self.try_post(path, body).await.expect("an answer");
        assert!((200..300).contains(&status), "POST {path}: {status} {body}");
        body
    }

    /// The body of an answer that must be a 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).await.expect("an answer");
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                self.get(&format!("{path}{}limit=200{cursor}", if path.contains('?') { '&' } else { '?' })).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { return items };
            cursor = format!("&cursor={next}");
        }
    }

    /// Status and body of an answer; `None` when there was none.
    pub(crate) async fn try_get(&self, path: &str) -> Option<(u16, Value)> {
        answer(self.request(Method::GET, path)).await
    }
}

/// Status and body of an answer; `None` when there was none, or only a part of one.
pub(crate) async fn answer(request: RequestBuilder) -> Option<(u16, Value)> {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let text = response.bytes().await.ok()?;
    Some((status, serde_json::from_slice(&text).unwrap_or(Value::Null)))
}

/// Between two looks at a condition that has a deadline.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// A port of 127.0.0.1 that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The program.
pub(crate) fn tidegate() -> Command {
    quiet(env!("CARGO_BIN_EXE_tidegate"))
}

/// A program without what this process's environment says to a gate, and without input.
pub(crate) fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["TIDEGATE_", "ORCHEO_", "ORCHESCALA_", "CENTRIFUGO_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null());
    command
}

fn spawn(folder: &Path, database: &str, port: u16) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("gate.log")).unwrap();
    tidegate()
        .arg("serve")
        .current_dir(folder)
        .env("TIDEGATE_SERVER__BIND", format!("127.0.0.1:{port}"))
        .env("TIDEGATE_DATABASE__URL", database)
        .env("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", BOOTSTRAP)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
