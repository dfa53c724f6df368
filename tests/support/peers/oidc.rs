//! A certified OpenID provider (npm `oidc-provider`), and what a test may do to it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{Peer, ask, client, form, text};

/// What a token names as its resource, and so as its audience, where a test asks for no other.
const RESOURCE: &str = "https://gate.test/api";

/// A running provider. It is a real one: tokens, key sets and introspection are its own doing, only users need no browser.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    issuer: String,
    admin: String,
    signing: String,
    secret: String,
    odd_client: (String, String),
    client: reqwest::Client,
    _process: Peer,
}

/// Where a provider may fail, and what it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Endpoint {
    /// The key set.
    Jwks,
    /// `/.well-known/openid-configuration`.
    Discovery,
    /// RFC 7662.
    Introspection,
    /// Where tokens come from.
    Token,
}

impl Endpoint {
    fn name(self) -> &'static str {
        match self {
            Self::Jwks => "jwks",
            Self::Discovery => "discovery",
            Self::Introspection => "introspection",
            Self::Token => "token",
        }
    }
}

/// What an endpoint does in place of its answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It answers.
    None,
    /// It answers, but so much later.
    Slow(Duration),
    /// It takes the request and never answers.
    Hang,
    /// It closes the connection.
    Drop,
    /// This status, and a JSON object.
    Status(u16),
    /// 200 and a page for people.
    Html,
    /// 302 to there.
    Redirect(String),
    /// 200, `application/json` and this body.
    Body(String),
    /// Less than it announces.
    Cut,
    /// Valid JSON of 50 MiB.
    Huge,
}

impl OidcProvider {
    /// One that signs by RS256.
    pub(crate) async fn start() -> Self {
        Self::with(&["RS256"]).await
    }

    /// One with a key for each of these algorithms (RS, PS, ES 256 to 512, `EdDSA`); the first signs.
    pub(crate) async fn with(algorithms: &[&str]) -> Self {
        let (process, facts) = Peer::start("oidc-provider.mjs", &json!({ "algorithms": algorithms })).await;
        Self {
            issuer: text(&facts, "issuer"),
            admin: text(&facts, "admin"),
            signing: text(&facts, "kid"),
            secret: text(&facts, "secret"),
            odd_client: (text(&facts["odd"], "id"), text(&facts["odd"], "secret")),
            client: client(),
            _process: process,
        }
    }

    /// Its issuer, `http://127.0.0.1:…` without a slash.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its discovery document.
    pub(crate) fn discovery_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer)
    }

    /// Its key set.
    pub(crate) fn jwks_url(&self) -> String {
        format!("{}/jwks", self.issuer)
    }

    /// Its introspection endpoint.
    pub(crate) fn introspection_url(&self) -> String {
        format!("{}/token/introspection", self.issuer)
    }

    /// The id and secret of a client that may introspect everybody's tokens.
    pub(crate) fn introspection_client(&self) -> (&str, &str) {
        ("gate", &self.secret)
    }

    /// Another such client; in Basic credentials its id and secret must be form-encoded first (RFC 6749, 2.3.1).
    pub(crate) fn odd_introspection_client(&self) -> (&str, &str) {
        (&self.odd_client.0, &self.odd_client.1)
    }

    /// The key that signs as long as no test says otherwise.
    pub(crate) fn first_kid(&self) -> &str {
        &self.signing
    }

    /// A token that a service gets by client credentials; its `sub` and `client_id` are `service`. An opaque one has no
    /// `sub` when introspected.
    pub(crate) fn service_token(&self) -> TokenRequest<'_> {
        TokenRequest::new(self, &[("grant_type", "client_credentials")])
    }

    /// A token of a user, by a grant that asks nobody.
    pub(crate) fn user_token(&self, sub: &str) -> TokenRequest<'_> {
        TokenRequest::new(self, &[("grant_type", "urn:tidegate:test:user"), ("sub", sub)])
    }

    /// Ends an opaque token (RFC 7009).
    pub(crate) async fn revoke(&self, token: &str) {
        let request =
            self.client.post(format!("{}/token/revocation", self.issuer)).basic_auth("service", Some(&self.secret));
        ask(form(request, [("token", token)])).await;
    }

    /// Publishes one more key, which signs nothing yet; gives its `kid`.
    pub(crate) async fn add_key(&self, algorithm: &str) -> String {
        text(&self.tell(json!({ "op": "add_key", "alg": algorithm })).await, "kid")
    }

    /// As [`OidcProvider::add_key`], with a `kid` of the test's choice.
    pub(crate) async fn add_key_as(&self, algorithm: &str, kid: &str) {
        self.tell(json!({ "op": "add_key", "alg": algorithm, "kid": kid })).await;
    }

    /// From now on this key signs what names no algorithm.
    pub(crate) async fn sign_with(&self, kid: &str) {
        self.tell(json!({ "op": "sign_with", "kid": kid })).await;
    }

    /// Takes a key out of the key set. The last one stays: [`Fault::Body`] plays an empty set.
    pub(crate) async fn remove_key(&self, kid: &str) {
        self.tell(json!({ "op": "remove_key", "kid": kid })).await;
    }

    /// A new key that signs, in place of all that was: a careless rotation. Gives its `kid`.
    pub(crate) async fn rotate(&self, old: &str, algorithm: &str) -> String {
        let kid = self.add_key(algorithm).await;
        self.sign_with(&kid).await;
        self.remove_key(old).await;
        kid
    }

    /// What an endpoint does from now on.
    pub(crate) async fn fault(&self, endpoint: Endpoint, fault: Fault) {
        let mut order = match fault {
            Fault::None => json!({ "kind": "none" }),
            Fault::Slow(time) => json!({ "kind": "slow", "milliseconds": time.as_millis() }),
            Fault::Hang => json!({ "kind": "hang" }),
            Fault::Drop => json!({ "kind": "drop" }),
            Fault::Status(status) => json!({ "kind": "status", "status": status }),
            Fault::Html => json!({ "kind": "html" }),
            Fault::Redirect(to) => json!({ "kind": "redirect", "to": to }),
            Fault::Body(body) => json!({ "kind": "body", "body": body }),
            Fault::Cut => json!({ "kind": "cut" }),
            Fault::Huge => json!({ "kind": "huge" }),
        };
        order["op"] = json!("fault");
        order["endpoint"] = json!(endpoint.name());
        self.tell(order).await;
    }

    /// Headers on all answers of an endpoint from now on, such as `("cache-control", "max-age=5")`.
    pub(crate) async fn headers(&self, endpoint: Endpoint, headers: &[(&str, &str)]) {
        let headers: BTreeMap<_, _> = headers.iter().copied().collect();
        self.tell(json!({ "op": "headers", "endpoint": endpoint.name(), "headers": headers })).await;
    }

    /// How many requests an endpoint got until now, faulty answers included.
    pub(crate) async fn requests(&self, endpoint: Endpoint) -> u64 {
        self.tell(json!({ "op": "counts" })).await[endpoint.name()].as_u64().unwrap_or(0)
    }

    /// Closes all connections, and takes no more.
    pub(crate) async fn go_down(&self) {
        self.tell(json!({ "op": "down" })).await;
    }

    /// Comes back where it was, with the keys and tokens that it had.
    pub(crate) async fn come_back(&self) {
        self.tell(json!({ "op": "up" })).await;
    }

    async fn tell(&self, order: Value) -> Value {
        ask(self.client.post(&self.admin).body(order.to_string())).await
    }
}

/// A token in the making; what is not said is not in it.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct TokenRequest<'a> {
    provider: &'a OidcProvider,
    form: BTreeMap<&'static str, String>,
}

impl<'a> TokenRequest<'a> {
    fn new(provider: &'a OidcProvider, form: &[(&'static str, &str)]) -> Self {
        let form =
            form.iter().chain(&[("resource", RESOURCE)]).map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { provider, form }
    }

    /// Its `scope`.
    pub(crate) fn scope(self, scope: &str) -> Self {
        self.with("scope", scope)
    }

    /// Its `aud`, a text; [`TokenRequest::claims`] makes it a list.
    pub(crate) fn audience(self, audience: &str) -> Self {
        self.with("audience", audience)
    }

    /// The algorithm, whose newest key signs.
    pub(crate) fn algorithm(self, algorithm: &str) -> Self {
        self.with("alg", algorithm)
    }

    /// Claims that are added, or put in the place of the provider's own, or, as null, taken out (not `iat`). Of an opaque
    /// token only additions count, and they show when it is introspected.
    pub(crate) fn claims(self, claims: &Value) -> Self {
        self.with("claims", &claims.to_string())
    }

    /// Header members, likewise added or put in place of the provider's own (`typ` is `at+jwt`).
    pub(crate) fn header(self, header: &Value) -> Self {
        self.with("header", &header.to_string())
    }

    /// How long it lives, in seconds; five minutes where nothing is said.
    pub(crate) fn lives(self, seconds: u64) -> Self {
        self.with("lifetime", &seconds.to_string())
    }

    /// Not a JWT but a random text, to be introspected.
    pub(crate) fn opaque(self) -> Self {
        self.with("format", "opaque")
    }

    /// The token.
    pub(crate) async fn mint(self) -> String {
        let OidcProvider { issuer, client, secret, .. } = self.provider;
        let request = client.post(format!("{issuer}/token")).basic_auth("service", Some(secret));
        text(&ask(form(request, &self.form)).await, "access_token")
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.form.insert(name, value.to_owned());
        self
    }
}
