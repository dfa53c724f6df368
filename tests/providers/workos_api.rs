//! Profiles, against WorkOS's emulator.

use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use tidegate::{
    adapters::auth::workos_api::{BadWorkosApi, WorkosApi},
    ports::profile_source::{Profile, ProfileError, ProfileSource},
};

use crate::support::{
    peers::WorkosEmulator,
    scripted::{Reply, Scripted},
};

fn api(url: &str, key: &str, timeout: Duration) -> WorkosApi {
    WorkosApi::new(url.parse().unwrap(), &SecretString::from(key), timeout).unwrap()
}

async fn asked(reply: Reply) -> Result<Option<Profile>, ProfileError> {
    let server = Scripted::start(reply).await;
    api(&server.url(""), "sk_test", Duration::from_secs(5)).profile("user_01").await
}

#[tokio::test]
async fn a_person_is_called_what_workos_calls_them() {
    let workos = WorkosEmulator::start().await;
    let api = api(workos.url(), workos.api_key(), Duration::from_secs(5));
    let id = workos.add_user("eve@example.com").await;
    let path = format!("/user_management/users/{id}");
    let change = json!({ "first_name": "Eve", "last_name": "Moneypenny", "email_verified": true });
    assert!(workos.request(Method::PUT, &path).json(&change).send().await.unwrap().status().is_success());

    let profile = api.profile(&id).await.unwrap().unwrap();
    assert_eq!(profile.username.as_deref(), Some("Eve Moneypenny"));
    assert_eq!(profile.email.as_deref(), Some("eve@example.com"));
    assert_eq!(api.profile("user_01STRANGER").await, Ok(None));
    assert_eq!(api.profile("../../organizations").await, Ok(None));
}

#[tokio::test]
async fn a_wrong_key_is_an_error_that_does_not_show_it() {
    let workos = WorkosEmulator::start().await;
    let api = api(workos.url(), "sk_wrong_key", Duration::from_secs(5));
    let error = api.profile(&workos.user("ada@example.com").await).await.unwrap_err();
    assert!(error.to_string().contains("401") && !error.to_string().contains("sk_wrong"), "{error}");
    assert!(!format!("{api:?}").contains("sk_wrong"));
}

#[tokio::test]
async fn an_api_in_trouble_is_an_error_in_bounded_time() {
    let user = json!({ "first_name": "Ada", "email": "ada@example.com", "email_verified": true });
    for trouble in [
        Reply::status(500),
        Reply::status(429),
        Reply::html(),
        Reply::redirect("http://127.0.0.1:1/"),
        Reply::json(&user).huge(50 << 20),
        Reply::json(&user).huge_unannounced(50 << 20),
        Reply::json(&user).cut_after(10),
    ] {
        assert!(asked(trouble.clone()).await.is_err(), "{trouble:?}");
    }
    assert!(asked(Reply::json(&user).huge(1000)).await.unwrap().is_some());
    let server = Scripted::start(Reply::json(&user).never()).await;
    let error = api(&server.url(""), "sk", Duration::from_millis(100)).profile("user_01").await.unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
    let nobody = api("http://127.0.0.1:1", "sk", Duration::from_secs(5));
    assert!(nobody.profile("user_01").await.is_err());
}

#[test]
fn a_key_goes_nowhere_unsafe() {
    let made =
        |url: &str, key: &str| WorkosApi::new(url.parse().unwrap(), &SecretString::from(key), Duration::from_secs(5));
    assert!(made("https://api.workos.com", "sk_live_1").is_ok());
    for plain in ["http://api.workos.com", "http://workos:4100", "http://10.0.0.1"] {
        assert!(matches!(made(plain, "sk_live_1"), Err(BadWorkosApi::Address(_))), "{plain}");
    }
    for key in ["", "sk live", "sk\n"] {
        assert!(matches!(made("https://api.workos.com", key), Err(BadWorkosApi::Key)));
    }
}
