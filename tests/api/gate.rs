//! The real binary on a free loopback port on a fresh SQLite database (what it uses without config), and callers who know of it only what a client knows.

use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    ops::Index,
    path::Path,
    pin::Pin,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;
use tempfile::TempDir;

/// The bootstrap token of every gate that these tests start.
pub(super) const ROOT: &str = "black-box-bootstrap-token-0123456789";

/// How long a test waits for what must happen.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// One running process. It ends with the last test that holds it.
struct Process {
    child: Mutex<Child>,
    port: u16,
    folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already, which is as good.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Process {
    fn start(settings: &[(&str, &str)]) -> Self {
        (0..5).find_map(|_| Self::attempt(settings)).expect("the gate listens")
    }

    /// `None` if the port was taken in the meantime.
    fn attempt(settings: &[(&str, &str)]) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = TempDir::new().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("serve").env_clear().current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command.env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("TIDEGATE_SERVER__BIND", format!("127.0.0.1:{port}"));
        command.env("TIDEGATE_DATABASE__URL", "sqlite://data/tidegate.db");
        // Failures are this suite's trade.
        command.env("TIDEGATE_AUTH__RATE_LIMIT__IP", "0").env("TIDEGATE_AUTH__RATE_LIMIT__IDENTITY", "0");
        command.envs(settings.iter().copied());
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if child.try_wait().unwrap().is_some() {
                let said = std::fs::read_to_string(folder.path().join("log")).unwrap();
                assert!(said.contains("in use"), "the gate did not start:\n{said}");
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self { child: Mutex::new(child), port, folder });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("the gate does not listen:\n{}", std::fs::read_to_string(folder.path().join("log")).unwrap());
    }
}

/// A gate and a connection pool of one test.
#[derive(Clone)]
pub(super) struct Gate {
    process: Arc<Process>,
    client: reqwest::Client,
}

/// A gate that tests share: started by the first, ended with the last that holds it.
pub(super) struct Shared(Mutex<Weak<Process>>);

impl Shared {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// It, or a new one that `start` starts.
    pub(super) fn gate(&self, start: impl FnOnce() -> Gate) -> Gate {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let process = shared.upgrade().unwrap_or_else(|| {
            let process = start().process;
            *shared = Arc::downgrade(&process);
            process
        });
        drop(shared);
        Gate::of(process)
    }
}

static SHARED: Shared = Shared::new();

impl Gate {
    /// The one that most tests share, each within workspaces of its own.
    pub(super) fn shared() -> Self {
        SHARED.gate(|| Self::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT)]))
    }

    /// One with exactly these settings, besides where it listens and keeps its data.
    pub(super) fn with(settings: &[(&str, &str)]) -> Self {
        Self::of(Arc::new(Process::start(settings)))
    }

    fn of(process: Arc<Process>) -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { process, client }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.process.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.process.port
    }

    /// Its working directory, where it may leave files and has its log.
    pub(super) fn folder(&self) -> &Path {
        self.process.folder.path()
    }

    /// Tells it to stop, as a service manager does.
    pub(super) fn stop(&self) {
        let id = self.process.child.lock().unwrap_or_else(PoisonError::into_inner).id();
        assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
    }

    /// Its exit code, once it has gone.
    pub(super) fn ended(&self) -> Option<i32> {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if let Some(status) = self.process.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().unwrap()
            {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not stop");
    }

    pub(super) fn anonymous(&self) -> Caller {
        Caller { gate: self.clone(), token: None }
    }

    pub(super) fn caller(&self, token: impl Into<String>) -> Caller {
        Caller { gate: self.clone(), token: Some(token.into()) }
    }

    pub(super) fn root(&self) -> Caller {
        self.caller(ROOT)
    }
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) gate: Gate,
    pub(super) token: Option<String>,
}

impl Caller {
    pub(super) fn ask(&self, method: Method, path: &str) -> Ask {
        let mut builder = self.gate.client.request(method, self.gate.url(path));
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token);
        }
        Ask { builder, path: path.to_owned() }
    }

    pub(super) fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!(…)`")]
    pub(super) fn post(&self, path: &str, body: Value) -> Ask {
        self.ask(Method::POST, path).json(&body)
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!(…)`")]
    pub(super) fn patch(&self, path: &str, body: Value) -> Ask {
        self.ask(Method::PATCH, path).json(&body)
    }

    pub(super) fn delete(&self, path: &str) -> Ask {
        self.ask(Method::DELETE, path)
    }

    /// Every item of a list, page by page.
    pub(super) async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let next = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
            let page = self.get(&format!("{path}{sign}limit=200{next}")).await.is(200);
            items.extend(page.items().iter().cloned());
            cursor = ["next_cursor", "nextCursor"].iter().find_map(|key| page[*key].as_str().map(ToOwned::to_owned));
            if cursor.is_none() {
                return items;
            }
        }
    }
}

/// A request. Awaiting it sends it.
pub(super) struct Ask {
    builder: RequestBuilder,
    path: String,
}

impl Ask {
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// A body as it is, said to be JSON.
    pub(super) fn raw(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("Content-Type", "application/json").body(body);
        self
    }

    /// A body of which nothing is said.
    pub(super) fn bytes(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.body(body);
        self
    }

    /// The response with its body unread.
    pub(super) async fn open(self) -> reqwest::Response {
        self.builder.send().await.unwrap_or_else(|error| panic!("{}: {error:?}", self.path))
    }
}

impl IntoFuture for Ask {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let path = self.path.clone();
            Answer::read(path, self.open().await).await
        })
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// Null where the body is not JSON.
    pub(super) body: Value,
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.body[name]
    }
}

impl Answer {
    pub(super) async fn read(path: String, response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = Self { path, status, headers, text, body };
        assert_ne!(answer.header("x-request-id"), "", "{answer:?}");
        answer
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.path, self.text);
        if status < 300 && !self.text.is_empty() {
            assert!(self.header("content-type").starts_with("application/json"), "{}: {:?}", self.path, self.headers);
        }
        self
    }

    #[track_caller]
    pub(super) fn items(&self) -> &[Value] {
        self["items"].as_array().unwrap_or_else(|| panic!("{}: no items: {}", self.path, self.text))
    }

    #[track_caller]
    pub(super) fn str(&self, name: &str) -> &str {
        self[name].as_str().unwrap_or_else(|| panic!("{}: no text {name:?}: {}", self.path, self.text))
    }

    #[track_caller]
    pub(super) fn id(&self) -> String {
        self.str("id").to_owned()
    }

    /// A complete problem of this status and code. Gives its body.
    #[track_caller]
    pub(super) fn problem(&self, status: u16, code: &str) -> &Value {
        let body = &self.body;
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{}: {}", self.path, self.text);
        self.complete_problem()
    }

    /// A complete problem, whatever it is.
    #[track_caller]
    pub(super) fn complete_problem(&self) -> &Value {
        let body = &self.body;
        let code =
            body["code"].as_str().unwrap_or_else(|| panic!("{}: no code: {} {}", self.path, self.status, self.text));
        assert!(self.header("content-type").starts_with("application/problem+json"), "{:?}", self.headers);
        assert_eq!(body["type"], format!("/problems/{code}"), "{body}");
        assert_eq!(body["status"], self.status, "{body}");
        assert_eq!(body["instance"], self.path.split('?').next().unwrap(), "{body}");
        assert_eq!(body["request_id"], self.header("x-request-id"), "{body}");
        for name in ["title", "detail", "message"] {
            assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{name} of {body}");
        }
        if self.status == 401 {
            assert!(self.header("www-authenticate").starts_with("Bearer"), "{:?}", self.headers);
        }
        body
    }
}

/// Asks again until the answer fits.
pub(super) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < end, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
