//! The HTTP client: timeouts, problem bodies, pages, one repeat where a key makes that safe.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::{
    CliError, Options, Variables,
    connection::{self, Chosen, Connection},
    error::Refusal,
    request::Request,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a page of a list asks for: the most that the gate gives.
const PAGE: u32 = 200;
/// Before a call that has an idempotency key is sent again.
const PAUSE: Duration = Duration::from_millis(300);

/// A client of one gate.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<SecretString>,
    timeout: Duration,
    /// Who said which gate it is and which token.
    pub(super) chosen: Chosen,
}

/// What the gate answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// `Null` where there is none.
    pub(super) body: Value,
    /// The header `userTaskId`.
    pub(super) user_task_id: Option<String>,
}

impl Client {
    /// A client of the gate that the options, the variables and the profiles name. Nothing is sent yet.
    pub(super) fn connect(options: &Options, variables: &Variables) -> Result<Self, CliError> {
        let Connection { url, token, chosen } = connection::resolve(options, variables)?;
        if token.is_some() && url.scheme() == "http" && !connection::is_loopback(&url) && !options.insecure {
            let message = "the token does not go over plain http to another machine, where others can read it: \
                           use https://, or --insecure if you mean it";
            return Err(CliError::Usage(message.to_owned()));
        }
        // No redirect: the token is for this gate alone.
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("tidegate-cli/", env!("CARGO_PKG_VERSION")));
        let builder = if connection::is_loopback(&url) { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| CliError::Failed(format!("cannot set up HTTP: {error}")))?;
        Ok(Self { http, base: url, token, timeout: Duration::from_secs(options.timeout), chosen })
    }

    /// The same without a token: what a stranger would see.
    pub(super) fn as_stranger(&self) -> Self {
        Self {
            http: self.http.clone(),
            base: self.base.clone(),
            token: None,
            timeout: self.timeout,
            chosen: self.chosen.clone(),
        }
    }

    /// Sends a call and reads the whole answer. A call with an idempotency key is sent once more when the answer got lost.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, CliError> {
        match self.send_once(&request).await {
            Err(Attempt::Lost(_)) if request.idempotency_key.is_some() => {
                tokio::time::sleep(PAUSE).await;
                self.send_once(&request).await.map_err(Attempt::into_error)
            }
            outcome => outcome.map_err(Attempt::into_error),
        }
    }

    async fn send_once(&self, request: &Request) -> Result<Answer, Attempt> {
        let builder = self.prepare(request)?.timeout(self.timeout + request.wait);
        let response = builder.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let (request_id, user_task_id) = (header("x-request-id"), header("userTaskId"));
        let bytes = response.bytes().await.map_err(|error| self.lost(&error))?;
        if !status.is_success() {
            let refusal = Refusal::read(status.as_u16(), request_id.as_deref(), &bytes);
            return Err(Attempt::Over(CliError::Refused(Box::new(refusal))));
        }
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            let unreadable = |_| CliError::Failed(format!("what answers at {} is no gate: not JSON", self.base));
            serde_json::from_slice(&bytes).map_err(unreadable).map_err(Attempt::Over)?
        };
        Ok(Answer { body, user_task_id })
    }

    /// Opens an event stream; `None` when the connection was not to be had, which may pass.
    pub(super) async fn open_stream(
        &self,
        request: &Request,
        last_event_id: Option<&str>,
    ) -> Result<Option<Response>, CliError> {
        let mut builder =
            self.prepare(request).map_err(Attempt::into_error)?.header(header::ACCEPT, "text/event-stream");
        if let Some(id) = last_event_id {
            builder = builder.header("Last-Event-ID", id);
        }
        let Ok(Ok(response)) = tokio::time::timeout(self.timeout, builder.send()).await else { return Ok(None) };
        let status = response.status();
        if status.is_success() {
            return Ok(Some(response));
        }
        if status.is_server_error() {
            return Ok(None);
        }
        let bytes = response.bytes().await.unwrap_or_default();
        Err(CliError::Refused(Box::new(Refusal::read(status.as_u16(), None, &bytes))))
    }

    /// Gets all pages of a list as one array, and besides the first page's other members.
    pub(super) async fn list(&self, request: Request) -> Result<Listed, CliError> {
        let mut listed = Listed::default();
        let mut cursor: Option<String> = None;
        loop {
            let page = request.clone().query("limit", Some(PAGE)).query("cursor", cursor.as_deref());
            let mut body = self.send(page).await?.body;
            if let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) {
                listed.items.extend(items);
            }
            if let Some(Value::Array(failed)) = body.get_mut("failedEngines").map(Value::take) {
                listed.failed_engines = failed;
            }
            let next = body.get("next_cursor").or_else(|| body.get("nextCursor")).and_then(Value::as_str);
            match next.map(ToOwned::to_owned) {
                Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                _ => return Ok(listed),
            }
        }
    }

    /// What is said when the gate cannot be reached any more.
    pub(super) fn unreachable(&self, reason: &str) -> CliError {
        CliError::Unreachable { url: self.base.to_string(), reason: reason.to_owned() }
    }

    fn prepare(&self, request: &Request) -> Result<RequestBuilder, Attempt> {
        let mut url = self.base.clone();
        // A URL reads these two as directions and not as names.
        if request.path.iter().any(|segment| matches!(segment.as_str(), "" | "." | "..")) {
            return Err(Attempt::Over(CliError::Usage("a name or id must be more than dots".to_owned())));
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&request.path);
        }
        let mut builder = self.http.request(request.method.clone(), url).query(&request.query);
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token.expose_secret());
        }
        if request.prefer_wait {
            builder = builder.header("Prefer", format!("wait={}", request.wait.as_secs()));
        }
        if let Some(key) = &request.idempotency_key {
            builder = builder.header("Idempotency-Key", key);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        Ok(builder)
    }

    fn lost(&self, error: &reqwest::Error) -> Attempt {
        let reason = if error.is_timeout() {
            "it did not answer in time"
        } else if error.is_connect() {
            if mentions_tls(error) {
                "TLS could not be set up: is it an https address?"
            } else {
                "nobody listens there"
            }
        } else if error.is_builder() {
            return Attempt::Over(CliError::Usage("the token or a parameter does not fit into a request".to_owned()));
        } else {
            "the connection broke off"
        };
        let unreachable = self.unreachable(reason);
        // Nothing was sent where nobody listens, and a second wait for an answer would be as long as the first.
        if error.is_connect() || error.is_timeout() { Attempt::Over(unreachable) } else { Attempt::Lost(unreachable) }
    }
}

/// Whether a connection failed in the TLS handshake, or for what its certificate says.
fn mentions_tls(error: &reqwest::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        let text = error.to_string().to_ascii_lowercase();
        if ["ssl", "tls", "certificate"].iter().any(|word| text.contains(word)) {
            return true;
        }
        source = error.source();
    }
    false
}

/// All pages of a list.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) items: Vec<Value>,
    /// Engines that could not be asked.
    pub(super) failed_engines: Vec<Value>,
}

/// Why a call was not answered: whether another try may help.
enum Attempt {
    Lost(CliError),
    Over(CliError),
}

impl Attempt {
    fn into_error(self) -> CliError {
        match self {
            Self::Lost(error) | Self::Over(error) => error,
        }
    }
}
