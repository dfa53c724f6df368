//! The identity providers of `tests/peers/`, each a Node.js process of one test; they end when dropped.

pub(crate) mod oidc;
pub(crate) mod workos;

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdin, Stdio},
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;
use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::{task::spawn_blocking, time::timeout};
use url::form_urlencoded;

pub(crate) use self::{
    oidc::{Endpoint, Fault, OidcProvider},
    workos::WorkosEmulator,
};
use super::{
    environment,
    process::{PATIENCE, quiet},
};

/// A peer's process, which ends as soon as our end of its standard input closes, however this process ended.
#[derive(Debug)]
struct Peer {
    child: Child,
    _lifeline: ChildStdin,
}

impl Peer {
    /// Runs a script of `tests/peers/`; what it says when it is ready comes along.
    async fn start(script: &str, options: &Value) -> (Self, Value) {
        let folder = PathBuf::from(environment("TIDEGATE_TEST_PEERS_DIR"));
        let mut child = quiet(&environment("TIDEGATE_TEST_NODE"))
            .arg(folder.join(script))
            .arg(options.to_string())
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js starts");
        let lifeline = child.stdin.take().unwrap();
        let output = child.stdout.take().unwrap();
        let peer = Self { child, _lifeline: lifeline };
        let reading = spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        });
        let line = timeout(PATIENCE, reading).await.expect("the peer is ready in time").unwrap().unwrap();
        let facts = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{script} is not ready, it says: {line:?}"));
        (peer, facts)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that follows no redirects and uses no proxy.
fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Sends a request whose answer must be a 2xx; gives its JSON, or null where there is no body.
async fn ask(request: RequestBuilder) -> Value {
    let response = request.send().await.expect("the peer answers");
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }
}

/// A request with a form as its body.
fn form(
    request: RequestBuilder,
    fields: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

/// A text of an object.
fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name:?} in {value}")).to_owned()
}

/// The header of a JWT, which nobody has verified.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

/// The claims of a JWT, which nobody has verified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a JWT has three parts");
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url")).expect("JSON")
}
