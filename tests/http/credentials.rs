//! From a request to a judgement (authentication.md sections 1, 2 and 7).

use tidegate::{adapters::http::Settings, app::authenticate::Mode, wiring::Parts};

use crate::support::gateway::{Answer, BOOTSTRAP, Client, TestGateway};

async fn whoami(gateway: &TestGateway, headers: &[(&str, &str)]) -> Answer {
    let mut request = gateway.anonymous().request("GET", "/api/whoami");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn accepting(client: &Client, path: &str, accept: &str) -> Answer {
    Answer::of(client.request("GET", path).header("accept", accept).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_header_one_scheme_one_token() {
    let gateway = TestGateway::start().await;
    let good = format!("bEARER {BOOTSTRAP}");
    let answer = whoami(&gateway, &[("authorization", &good)]).await;
    assert_eq!((answer.status.as_u16(), &answer.body["kind"]), (200, &"bootstrap".into()));
    for missing in ["Basic YTpi", "Bearer", "Bearer ", "Token abc"] {
        let answer = whoami(&gateway, &[("authorization", missing)]).await;
        assert_eq!(answer.refused(401), "auth.missing_token", "{missing:?}");
    }
    let long = format!("Bearer {}", "a".repeat(16 * 1024));
    for invalid in ["Bearer  abc", "Bearer a b", "Bearer abc", "Bearer tgs_abc", "Bearer a.b.c", &long] {
        let answer = whoami(&gateway, &[("authorization", invalid)]).await;
        assert_eq!(answer.refused(401), "auth.invalid_token");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    let twice = whoami(&gateway, &[("authorization", &good), ("authorization", &good)]).await;
    assert_eq!(twice.refused(401), "auth.invalid_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_401_to_a_stranger_and_404_or_405_to_others() {
    let gateway = TestGateway::start().await;
    let (stranger, known) = (gateway.anonymous(), gateway.bootstrap());
    for path in ["/", "/api", "/api/nothing", "/api/whoami/", "/API/whoami", "/api/%zz", "/api/%2e%2e/whoami"] {
        assert_eq!(stranger.get(path).await.refused(401), "auth.missing_token", "{path}");
        assert_eq!(known.get(path).await.refused(404), "request.not_found", "{path}");
    }
    assert_eq!(stranger.delete("/api/whoami").await.refused(401), "auth.missing_token");
    let refused = known.delete("/api/workspaces").await;
    assert_eq!(refused.refused(405), "request.method_not_allowed");
    assert_eq!(refused.header("allow"), "GET, POST, HEAD");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_the_query_is_for_streams_only() {
    let gateway = TestGateway::start().await;
    let client = gateway.anonymous();
    assert_eq!(client.get(&format!("/api/whoami?token={BOOTSTRAP}")).await.refused(401), "auth.missing_token");
    let events = "/api/workflows/01890a5d-ac96-774b-bcce-b302099a8057/events";
    let stream = async |client: &Client, path: &str| accepting(client, path, "text/event-stream").await;
    for name in ["token", "access_token"] {
        let path = format!("{events}?{name}={BOOTSTRAP}");
        assert_eq!(stream(&client, &path).await.refused(404), "workflow.not_found");
        assert_eq!(stream(&gateway.bootstrap(), &path).await.refused(401), "auth.invalid_token", "two credentials");
        assert_eq!(client.get(&path).await.refused(401), "auth.missing_token", "a history is no stream");
        let history = accepting(&client, &path, "text/event-stream;q=0, application/json").await;
        assert_eq!(history.refused(401), "auth.missing_token", "nor is what does not want one");
    }
    let both = format!("{events}?token={BOOTSTRAP}&access_token={BOOTSTRAP}");
    assert_eq!(stream(&client, &both).await.refused(401), "auth.invalid_token");
    let parts = Parts { mode: Mode::Required, ..Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP) };
    let strict = TestGateway::of(parts, Settings { query_tokens: false, ..Settings::default() }).await;
    let answer = stream(&strict.anonymous(), &format!("{events}?token={BOOTSTRAP}")).await;
    assert_eq!(answer.refused(401), "auth.missing_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_authentication_a_foreign_host_is_refused() {
    let parts = Parts { mode: Mode::Disabled, ..Parts::in_memory().unwrap() };
    let settings = Settings { public_host: Some("gate.example.org".to_owned()), ..Settings::default() };
    let gateway = TestGateway::of(parts, settings).await;
    for host in ["localhost:8080", "127.0.0.1", "[::1]:80", "GATE.example.org"] {
        assert_eq!(whoami(&gateway, &[("host", host)]).await.status.as_u16(), 200, "{host}");
    }
    for host in ["evil.example.org", "localhost.evil.example.org", "127.0.0.1.evil.example.org"] {
        assert_eq!(whoami(&gateway, &[("host", host)]).await.refused(421), "request.misdirected", "{host}");
    }
    let answer = whoami(&gateway, &[("authorization", "Bearer  nonsense")]).await;
    assert_eq!(answer.body["kind"], "anonymous", "tokens are not looked at");
}
