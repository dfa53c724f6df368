//! The scripted server.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::get;
use crate::support::scripted::{Reply, Scripted};

#[tokio::test]
async fn it_answers_as_told_and_remembers_what_it_was_asked() {
    let server = Scripted::start(Reply::json(&json!({ "keys": [] })).header("cache-control", "max-age=5")).await;
    let answer = get(&server.url("/jwks?a=b")).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["cache-control"]), (200, &"max-age=5".parse().unwrap()));
    assert_eq!(answer.text().await.unwrap(), r#"{"keys":[]}"#);

    server.reply(Reply::status(503));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.post(server.url("/")).body("token=a").send().await.unwrap().status(), 503);
    server.reply(Reply::redirect("http://127.0.0.1:1/"));
    assert_eq!(get(&server.url("/")).await.unwrap().headers()["location"], "http://127.0.0.1:1/");
    server.reply(Reply::html());
    assert_eq!(get(&server.url("/")).await.unwrap().headers()["content-type"], "text/html");

    assert_eq!(server.count(), 4);
    let asked = server.requests();
    assert_eq!((asked[0].target(), asked[1].body.as_str()), ("/jwks?a=b", "token=a"));
    assert_eq!(asked[1].header("Content-Length"), Some("7"));
}

#[tokio::test]
async fn it_cuts_bodies_sends_huge_ones_and_lets_callers_wait() {
    let server = Scripted::start(Reply::json(&json!({ "keys": [] })).cut_after(4)).await;
    let read = async || get(&server.url("/")).await.unwrap().bytes().await;
    assert!(read().await.is_err());

    for huge in [Reply::json(&json!({})).huge(3 << 20), Reply::json(&json!({})).huge_unannounced(3 << 20)] {
        server.reply(huge);
        let body = read().await.unwrap();
        assert_eq!((body.len(), serde_json::from_slice(&body).ok()), (3 << 20, Some(json!({}))));
    }
    for silent in [Reply::status(200).never(), Reply::status(200).after(Duration::from_mins(1))] {
        server.reply(silent);
        assert!(timeout(Duration::from_millis(100), read()).await.is_err());
    }
}
