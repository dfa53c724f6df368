//! From which address a request comes, behind proxies (authentication.md section 6): what limits go by.

use tidegate::{
    adapters::http::{Settings, TrustedProxies},
    app::{authenticate::Mode, limits::LimitPolicy},
    wiring::Parts,
};

use crate::support::gateway::{Answer, TestGateway};

async fn behind(proxies: &[&str]) -> TestGateway {
    let parts = Parts::in_memory().unwrap();
    let limits = LimitPolicy { ip: 1, ..LimitPolicy::default() };
    let trusted_proxies = TrustedProxies::new(proxies.iter().map(|net| net.parse().unwrap()));
    let settings = Settings { trusted_proxies, ..Settings::default() };
    TestGateway::of(Parts { mode: Mode::Required, limits, ..parts }, settings).await
}

/// The address to which a failure is put down.
async fn limited(gateway: &TestGateway, forwarded_for: &[&str]) -> String {
    for _ in 0..2 {
        let mut request = gateway.bearer("nobody's").request("GET", "/api/whoami");
        for line in forwarded_for {
            request = request.header("x-forwarded-for", *line);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        if answer.status.as_u16() == 429 {
            assert_eq!(answer.problem(), "auth.rate_limited.ip");
            let detail = answer.body["detail"].as_str().unwrap();
            return detail.strip_prefix("Too many authentication attempts from IP ").unwrap().to_owned();
        }
    }
    panic!("it is not limited")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_trusted_proxy_clients_are_limited_one_by_one() {
    let gateway = behind(&["127.0.0.0/8", "10.0.0.0/8"]).await;
    assert_eq!(limited(&gateway, &["203.0.113.9"]).await, "203.0.113.9");
    assert_eq!(limited(&gateway, &["198.51.100.66", "203.0.113.10:4711, 10.0.0.7"]).await, "203.0.113.10");
    assert_eq!(limited(&gateway, &["2001:db8:1:2:3::4"]).await, "2001:db8:1:2::/64");
    assert_eq!(limited(&gateway, &["198.51.100.67, unknown"]).await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_escapes_a_limit_by_a_header_of_their_own() {
    let gateway = behind(&[]).await;
    for client in ["203.0.113.9", "203.0.113.10"] {
        assert_eq!(limited(&gateway, &[client]).await, "127.0.0.1");
    }
}
