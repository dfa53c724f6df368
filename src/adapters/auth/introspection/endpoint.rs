//! An introspection endpoint, asked as RFC 7662 section 2.1 says.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{AcquireError, Semaphore};
use url::form_urlencoded;

use super::{
    super::outgoing::{Address, CallError, Outgoing},
    answer::{Answer, Unreadable},
    config::BadIssuerReason,
};
use crate::domain::bearer::BearerToken;

/// How many questions are open at once.
const AT_ONCE: usize = 32;
/// How long a further one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where questions go.
#[derive(Debug)]
pub(super) struct Endpoint {
    issuer: String,
    address: Address,
    outgoing: Outgoing,
    credentials: HeaderValue,
    places: Semaphore,
    /// Whether the last question came to nothing: the first one of a row is logged.
    failing: AtomicBool,
}

/// Why the question was not answered. `Display` holds neither token nor secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("too many questions are open")]
    Busy,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the endpoint refuses the gate's own client_id and client_secret: it answered {0}")]
    Credentials(StatusCode),
    #[error("it answered {0}, not 200")]
    Status(StatusCode),
    #[error("it answered with something else than RFC 7662 says")]
    Unreadable(#[from] Unreadable),
}

impl From<AcquireError> for NoAnswer {
    fn from(_: AcquireError) -> Self {
        Self::Busy
    }
}

impl Endpoint {
    pub(super) fn new(
        issuer: &str,
        address: Address,
        client_id: &str,
        client_secret: &SecretString,
        timeout: Duration,
    ) -> Result<Self, BadIssuerReason> {
        if client_id.is_empty() || client_secret.expose_secret().is_empty() {
            return Err(BadIssuerReason::NoCredentials);
        }
        let outgoing = Outgoing::to(&address, timeout).map_err(BadIssuerReason::Client)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            address,
            outgoing,
            credentials: basic(client_id, client_secret.expose_secret()),
            places: Semaphore::new(AT_ONCE),
            failing: AtomicBool::new(false),
        })
    }

    /// Asks about a token, once there is a place for one more question.
    pub(super) async fn ask(&self, token: &BearerToken) -> Result<Answer, NoAnswer> {
        let asked = self.ask_now(token).await;
        match &asked {
            Ok(_) => self.failing.store(false, Ordering::Relaxed),
            Err(error) if self.failing.swap(true, Ordering::Relaxed) => {
                tracing::debug!(issuer = %self.issuer, error = %error, "a token could still not be introspected");
            }
            Err(error) => {
                let url = self.address.shown();
                tracing::warn!(issuer = %self.issuer, %url, error = %error, "a token could not be introspected");
            }
        }
        asked
    }

    async fn ask_now(&self, token: &BearerToken) -> Result<Answer, NoAnswer> {
        let place = tokio::time::timeout(PATIENCE, self.places.acquire()).await;
        let _place = place.map_err(|_| NoAnswer::Busy)??;
        let request = self.outgoing.request(Method::POST, &self.address);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose())
            .append_pair("token_type_hint", "access_token")
            .finish();
        let request = request.header(AUTHORIZATION, self.credentials.clone());
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = self.outgoing.send(request).await?;
        match answer.status {
            StatusCode::OK => Ok(Answer::read(&answer.body)?),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(NoAnswer::Credentials(status)),
            status => Err(NoAnswer::Status(status)),
        }
    }
}

/// RFC 6749 section 2.3.1: both are form-encoded before they are put together, so that a colon in the one is not the colon
/// between them.
fn basic(id: &str, secret: &str) -> HeaderValue {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
    // Base64 is always a header's value.
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).unwrap_or(HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_credentials_are_encoded_before_they_are_put_together() {
        let value = basic("gate+odd", "a secret+with%41 :all=of&it");
        assert_eq!(format!("{value:?}"), "Sensitive");
        let pair = STANDARD.decode(value.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "gate%2Bodd:a+secret%2Bwith%2541+%3Aall%3Dof%26it");
    }
}
