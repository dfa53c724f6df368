//! `WorkOS`'s API, asked what people are called: its access tokens do not tell
//! (<https://workos.com/docs/reference/authkit/user/get>).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::outgoing::{Address, BadAddress, Outgoing};
use crate::{
    domain::claims::described,
    ports::profile_source::{Profile, ProfileError, ProfileSource},
};

pub use super::outgoing::USUAL_TIMEOUT;

/// Where the API is.
pub const USUAL_URL: &str = "https://api.workos.com";

/// Asks `GET /user_management/users/{id}`.
#[derive(Debug)]
pub struct WorkosApi {
    users: Address,
    authorization: HeaderValue,
    outgoing: Outgoing,
}

/// The API cannot be asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BadWorkosApi {
    /// It is at no address that may be called.
    #[error("the URL of the API {0}")]
    Address(#[from] BadAddress),
    /// A key of `WorkOS`'s is visible ASCII.
    #[error("the API key must be visible ASCII")]
    Key,
    /// The HTTP client cannot be made.
    #[error("no HTTP client can be made")]
    Client(#[source] Arc<reqwest::Error>),
}

/// What is read of a user.
#[derive(Deserialize)]
struct User {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
}

impl WorkosApi {
    /// The API at an address ([`USUAL_URL`]) with the key of the environment, which goes by https or to loopback, whatever
    /// is allowed for keys that are public; a question takes at most `timeout`.
    ///
    /// # Errors
    /// [`BadWorkosApi`].
    pub fn new(url: Url, key: &SecretString, timeout: Duration) -> Result<Self, BadWorkosApi> {
        let address = Address::new(url, false)?;
        let key = key.expose_secret();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadWorkosApi::Key);
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| BadWorkosApi::Key)?;
        authorization.set_sensitive(true);
        let outgoing = Outgoing::to(&address, timeout).map_err(BadWorkosApi::Client)?;
        Ok(Self { users: address.below(&["user_management", "users"]), authorization, outgoing })
    }
}

/// `WorkOS`'s ids: what is none is not asked for, since it may lead elsewhere in the API (`..`).
fn is_id(subject: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !subject.is_empty() && subject.len() <= 255 && subject.bytes().all(fits)
}

#[async_trait]
impl ProfileSource for WorkosApi {
    async fn profile(&self, subject: &str) -> Result<Option<Profile>, ProfileError> {
        if !is_id(subject) {
            return Ok(None);
        }
        let request = self.outgoing.request(Method::GET, &self.users.below(&[subject]));
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let answer = self.outgoing.send(request).await.map_err(|error| ProfileError(error.to_string()))?;
        match answer.status {
            StatusCode::OK => read(&answer.body).map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(ProfileError(format!("WorkOS answered {status}"))),
        }
    }
}

fn read(body: &[u8]) -> Result<Profile, ProfileError> {
    // The error of the parser could hold a name.
    let user: User =
        serde_json::from_slice(body).map_err(|_| ProfileError("WorkOS answered with no user".to_owned()))?;
    let names: Vec<String> = [user.first_name, user.last_name].into_iter().flatten().collect();
    Ok(Profile {
        username: described(&names.join(" ")),
        email: user.email.filter(|_| user.email_verified).as_deref().and_then(described),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(body: &str) -> (Option<String>, Option<String>) {
        let profile = read(body.as_bytes()).unwrap();
        (profile.username, profile.email)
    }

    #[test]
    fn a_profile_is_a_name_and_a_verified_address() {
        let ada =
            r#"{"first_name":"Ada","last_name":"Lovelace","email":"ada@example.com","email_verified":true,"x":1}"#;
        assert_eq!(profile(ada), (Some("Ada Lovelace".to_owned()), Some("ada@example.com".to_owned())));
        let bob = r#"{"first_name":null,"last_name":"Bob","email":"bob@example.com","email_verified":false}"#;
        assert_eq!(profile(bob), (Some("Bob".to_owned()), None));
        assert_eq!(profile(r#"{"first_name":" ","last_name":""}"#), (None, None));
        for bad in ["", "[]", r#"{"first_name":5}"#] {
            assert!(!read(bad.as_bytes()).unwrap_err().to_string().contains('5'), "{bad}");
        }
    }

    #[test]
    fn only_an_id_is_asked_for() {
        assert!(is_id("user_01HXYZ"));
        for bad in ["", "..", ".", "a/b", "a?b", "%2e%2e", "ä", "a b"] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }
}
