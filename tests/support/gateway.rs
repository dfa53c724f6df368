//! A gate in this process: the real router on a free loopback port, over memory adapters. Clients speak as someone.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tidegate::{
    adapters::http::{self, Settings},
    app::authenticate::Mode,
    wiring::{Gate, Parts},
};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// The bootstrap token of every test gateway.
pub(crate) const BOOTSTRAP: &str = "bootstrap-token-of-a-test-0123456789ab";

/// A running gate; it ends with the test.
pub(crate) struct TestGateway {
    base: String,
    gate: Gate,
    served: TaskTracker,
    /// One for all who call: it is slow to make.
    client: reqwest::Client,
}

impl TestGateway {
    /// A gate that asks everybody who they are.
    pub(crate) async fn start() -> Self {
        let parts = Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP);
        Self::of(Parts { mode: Mode::Required, ..parts }, Settings::default()).await
    }

    /// A gate of these parts.
    pub(crate) async fn of(parts: Parts, settings: Settings) -> Self {
        let gate = Gate::new(parts);
        gate.start();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stopping, limits) = (gate.stopping(), settings.limits.clone());
        let routes = http::routes(Arc::clone(&gate.app), settings, &stopping);
        let served = TaskTracker::new();
        served.spawn(http::serve(listener, routes, limits, stopping, Duration::from_secs(5)));
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build().unwrap();
        Self { base, gate, served, client }
    }

    /// Host and port, for whoever speaks TCP.
    pub(crate) fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    /// Someone without a credential.
    pub(crate) fn anonymous(&self) -> Client {
        self.client(None)
    }

    /// Someone with this token.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        self.client(Some(token.to_owned()))
    }

    /// Who holds the bootstrap token.
    pub(crate) fn bootstrap(&self) -> Client {
        self.bearer(BOOTSTRAP)
    }

    /// A service with these scopes in these workspaces, which are made where they are not there yet; `["*"]` is all of them.
    pub(crate) async fn service(&self, identifier: &str, scopes: &[&str], workspaces: &[&str]) -> Client {
        let mut body = json!({ "identifier": identifier, "scopes": scopes });
        if workspaces == ["*"] {
            body["all_workspaces"] = json!(true);
        } else {
            for workspace in workspaces {
                let made = self.bootstrap().post("/api/workspaces", &json!({ "id": workspace })).await;
                assert!(matches!(made.status.as_u16(), 201 | 409), "{made:?}");
            }
            body["workspace_ids"] = json!(workspaces);
        }
        let made = self.bootstrap().post("/api/admin/service-tokens", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        self.bearer(made.body["secret"].as_str().unwrap())
    }

    fn client(&self, token: Option<String>) -> Client {
        Client { base: self.base.clone(), token, inner: self.client.clone() }
    }

    /// Ends it in order.
    pub(crate) async fn stop(&self) {
        self.gate.stopping().cancel();
        self.served.close();
        self.served.wait().await;
        self.gate.stop(Duration::from_secs(5)).await;
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.gate.stopping().cancel();
    }
}

/// Someone who calls.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    token: Option<String>,
    inner: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body; null where it is no JSON.
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    /// Reads a response to its end.
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem, after a look at all that a problem must have.
    pub(crate) fn problem(&self) -> &str {
        assert!(self.status.is_client_error() || self.status.is_server_error(), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let code = self.body["code"].as_str().unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(self.body["type"], format!("/problems/{code}"), "{self:?}");
        assert_eq!(self.body["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(self.body["title"], self.status.canonical_reason().unwrap(), "{self:?}");
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "{self:?}");
        assert_eq!(self.body["detail"], self.body["message"], "{self:?}");
        assert!(self.body["instance"].as_str().is_some_and(|path| path.starts_with('/')), "{self:?}");
        code
    }

    /// The code of a problem with this status.
    pub(crate) fn refused(&self, status: u16) -> &str {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.problem()
    }

    /// The pointers of a problem's errors.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }
}

impl Client {
    /// A request on its way: add what it needs, then [`Answer::of`] what it gives.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.inner.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request with these headers and this body.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<&str, &str>,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.body(body).send().await.unwrap()).await
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path).send().await.unwrap()).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request("DELETE", path).send().await.unwrap()).await
    }

    /// POST with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request("POST", path).json(body).send().await.unwrap()).await
    }

    /// POST with a body of any text.
    pub(crate) async fn post_text(&self, path: &str, body: impl Into<String>) -> Answer {
        let request = self.request("POST", path).header("content-type", "application/json").body(body.into());
        Answer::of(request.send().await.unwrap()).await
    }

    /// PATCH with a JSON body.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request("PATCH", path).json(body).send().await.unwrap()).await
    }
}
