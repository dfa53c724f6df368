//! One call to the gate, before it is sent.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::Value;

use super::CliError;

/// A call: what, where, and with what.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// The path's segments, unescaped.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    /// How long the gate is asked to wait.
    pub(super) wait: Duration,
    /// Whether the gate is told so by `Prefer`; else a parameter tells it.
    pub(super) prefer_wait: bool,
    /// Sent as `Idempotency-Key`: the call may then be repeated.
    pub(super) idempotency_key: Option<String>,
}

impl Request {
    pub(super) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|segment| (*segment).to_owned()).collect(),
            query: Vec::new(),
            body: None,
            wait: Duration::ZERO,
            prefer_wait: false,
            idempotency_key: None,
        }
    }

    pub(super) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: &[&str], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::POST, path) }
    }

    /// Adds a parameter, if there is one.
    pub(super) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// Gives the gate so much longer to answer.
    pub(super) fn wait(mut self, seconds: u64) -> Self {
        self.wait = Duration::from_secs(seconds);
        self
    }

    /// Asks the gate to wait for the end of what is started.
    pub(super) fn prefer_wait(mut self, seconds: Option<u64>) -> Self {
        self.prefer_wait = seconds.is_some();
        self.wait(seconds.unwrap_or_default())
    }

    /// Makes the call repeatable: with the caller's own key, or else a fresh one.
    pub(super) fn once(mut self, key: Option<String>) -> Result<Self, CliError> {
        self.idempotency_key = Some(key.map_or_else(fresh_key, Ok)?);
        Ok(self)
    }
}

fn fresh_key() -> Result<String, CliError> {
    let mut bytes = [0_u8; 18];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::Failed(format!("the operating system gives no randomness: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
