//! WorkOS's own emulator (npm `workos`). Where it differs from the real thing: `realtime-and-identity.md`, section 11.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::{Peer, ask, client, text};

/// A running emulator, with the users and roles of its seed. Memberships are made by [`WorkosEmulator::add_member`].
#[derive(Debug)]
pub(crate) struct WorkosEmulator {
    url: String,
    api_key: String,
    client: reqwest::Client,
    _process: Peer,
}

/// Someone who signed in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// `user_…`, the token's `sub`.
    pub(crate) user: String,
    /// `session_…`, the token's `sid`.
    pub(crate) id: String,
    /// A JWT.
    pub(crate) access_token: String,
    /// Good for one use.
    pub(crate) refresh_token: String,
}

impl WorkosEmulator {
    /// The client id that its tokens have as their audience.
    pub(crate) const CLIENT_ID: &str = "client_test";

    /// One with two users, `ada@example.com` and `bob@example.com`, and the roles `admin` (permissions `workflows:read`,
    /// `workflows:write`, `workflows:execute`) and `member` (`workflows:read`).
    pub(crate) async fn start() -> Self {
        let all = ["workflows:read", "workflows:write", "workflows:execute"];
        let permissions = all.map(|slug| json!({ "slug": slug, "name": slug }));
        let users = ["Ada", "Bob"].map(|name| {
            let email = format!("{}@example.com", name.to_lowercase());
            json!({ "email": email, "first_name": name, "last_name": "Example", "password": "pw", "email_verified": true })
        });
        Self::with(&json!({
            "users": users,
            "permissions": permissions,
            "roles": [
                { "slug": "admin", "name": "Admin", "permissions": all },
                { "slug": "member", "name": "Member", "permissions": ["workflows:read"] },
            ],
        }))
        .await
    }

    /// One with this seed.
    pub(crate) async fn with(seed: &Value) -> Self {
        let (process, facts) = Peer::start("workos.mjs", &json!({ "seed": seed })).await;
        Self { url: text(&facts, "url"), api_key: text(&facts, "api_key"), client: client(), _process: process }
    }

    /// The base of its API, and its tokens' `iss`: `http://localhost:…` without a slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The key of its API.
    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Its key set.
    pub(crate) fn jwks_url(&self) -> String {
        format!("{}/sso/jwks/{}", self.url, Self::CLIENT_ID)
    }

    /// A request to its API, with the key: what this type has no name for.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.api_key)
    }

    /// Signs a user in: authorize, code, authenticate.
    pub(crate) async fn sign_in(&self, email: &str) -> Session {
        let mut url = Url::parse(&format!("{}/user_management/authorize", self.url)).unwrap();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", Self::CLIENT_ID)
            .append_pair("redirect_uri", "http://localhost/callback")
            .append_pair("provider", "authkit")
            .append_pair("login_hint", email);
        let redirect = self.client.get(url).send().await.expect("the emulator answers");
        let back = Url::parse(redirect.headers()["location"].to_str().unwrap()).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap_or_else(|| panic!("no code: {back}")).1;
        self.authenticate(json!({ "grant_type": "authorization_code", "code": code })).await
    }

    /// Signs a user in, then over to an organization: the token has its `org_id`, and `role` and `permissions` of a member.
    pub(crate) async fn sign_in_to(&self, email: &str, organization: &str) -> Session {
        let session = self.sign_in(email).await;
        self.refresh(&session, Some(organization)).await
    }

    /// Trades the refresh token for a new session; the emulator gives it a new `sid`, production would not.
    pub(crate) async fn refresh(&self, session: &Session, organization: Option<&str>) -> Session {
        let mut body = json!({ "grant_type": "refresh_token", "refresh_token": session.refresh_token });
        if let Some(organization) = organization {
            body["organization_id"] = json!(organization);
        }
        self.authenticate(body).await
    }

    /// Ends a session, which sends the event `session.revoked`.
    pub(crate) async fn revoke_session(&self, id: &str) {
        self.post("/user_management/sessions/revoke", &json!({ "session_id": id })).await;
    }

    /// The id of a user.
    pub(crate) async fn user(&self, email: &str) -> String {
        let found = ask(self.request(Method::GET, "/user_management/users").query(&[("email", email)])).await;
        text(&found["data"][0], "id")
    }

    /// Makes a user; gives the id.
    pub(crate) async fn add_user(&self, email: &str) -> String {
        text(&self.post("/user_management/users", &json!({ "email": email, "email_verified": true })).await, "id")
    }

    /// Deletes a user, which sends the event `user.deleted`.
    pub(crate) async fn delete_user(&self, id: &str) {
        ask(self.request(Method::DELETE, &format!("/user_management/users/{id}"))).await;
    }

    /// Makes an organization; gives its id.
    pub(crate) async fn add_organization(&self, name: &str) -> String {
        text(&self.post("/organizations", &json!({ "name": name })).await, "id")
    }

    /// Makes a user a member of an organization; gives the membership's id.
    pub(crate) async fn add_member(&self, organization: &str, user: &str, role: &str) -> String {
        let body = json!({ "organization_id": organization, "user_id": user, "role_slug": role });
        text(&self.post("/user_management/organization_memberships", &body).await, "id")
    }

    /// Ends a membership, which sends the event `organization_membership.deleted`.
    pub(crate) async fn remove_member(&self, membership: &str) {
        ask(self.request(Method::DELETE, &format!("/user_management/organization_memberships/{membership}"))).await;
    }

    /// Sends these events (all, where none is named) to a URL from now on, signed with the secret. Its stamp is in seconds
    /// (production: milliseconds), and it delivers once.
    pub(crate) async fn send_events(&self, url: &str, secret: &str, events: &[&str]) {
        self.post("/webhook_endpoints", &json!({ "endpoint_url": url, "secret": secret, "events": events })).await;
    }

    async fn authenticate(&self, mut body: Value) -> Session {
        body["client_id"] = json!(Self::CLIENT_ID);
        body["client_secret"] = json!(self.api_key);
        let answer = self.post("/user_management/authenticate", &body).await;
        let access_token = text(&answer, "access_token");
        Session {
            user: text(&answer["user"], "id"),
            id: text(&super::claims(&access_token), "sid"),
            refresh_token: text(&answer, "refresh_token"),
            access_token,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        ask(self.request(Method::POST, path).json(body)).await
    }
}
