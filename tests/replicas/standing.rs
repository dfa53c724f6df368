//! What stands against credentials is the same on two gates: within a second, and not at all when nobody can tell.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tidegate::{
    adapters::{
        http::{Settings, WorkosWebhook},
        persistence::sea_orm::{DatabaseConfig, DatabaseUrl, SeaOrmRepository},
    },
    domain::user::IssuerName,
    wiring::Parts,
};
use url::Url;

use crate::support::{
    gateway::{Answer, Client},
    people::TestIssuer,
    postgres::TestDatabase,
    process::pause,
    proxy::Proxy,
    town::{PATIENCE, Town, closed, now, socket, stream, until_its_end, workos_signature},
};

/// Within this a change holds everywhere.
const SOON: Duration = Duration::from_secs(1);

async fn replica(url: &str, issuer: &TestIssuer) -> Town {
    let config = DatabaseConfig { max_connections: 8, ..DatabaseConfig::new(DatabaseUrl::parse(url).unwrap()) };
    let repository = SeaOrmRepository::connect(&config).await.unwrap();
    repository.migrate().await.unwrap();
    let parts = Parts { repository: Arc::new(repository), ..Parts::in_memory().unwrap() };
    let issuer_name = IssuerName::parse("corp").unwrap();
    let workos = vec![WorkosWebhook { issuer: issuer_name, secret: "secret".into(), stamps_in_seconds: false }];
    Town::of(parts, Settings { workos, ..Settings::default() }, issuer.clone()).await
}

/// Asks again until the answer is of this status; gives it, and how long that took.
async fn until(client: &Client, status: u16) -> (Answer, Duration) {
    let begun = Instant::now();
    loop {
        let answer = client.get("/api/whoami").await;
        if answer.status.as_u16() == status {
            return (answer, begun.elapsed());
        }
        assert!(begun.elapsed() < PATIENCE, "{answer:?}");
        pause().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_made_on_one_replica_holds_on_the_other() {
    let (database, issuer) = (TestDatabase::fresh().await, TestIssuer::default());
    let (here, there) = (replica(&database.url(), &issuer).await, replica(&database.url(), &issuer).await);
    let workflow = here.demo(&["ada"]).await;
    let token = here.token("ada", "s1", -60);
    let ada = there.gateway.bearer(&token);
    until(&ada, 200).await;
    let (reading, listening) = (stream(&ada, &workflow).await, socket(&there.gateway, &token, &workflow).await);

    let entry = json!({"kind": "user", "issuer": "corp", "value": "ada"});
    let made = here.gateway.bootstrap().post("/api/admin/revocations", &entry).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    assert_eq!(here.gateway.bearer(&token).get("/api/whoami").await.refused(401), "auth.token_revoked", "here at once");
    let ((refused, took), read, (code, reason, listened)) =
        tokio::join!(until(&ada, 401), until_its_end(reading), closed(listening));
    assert_eq!((refused.problem(), code, reason.as_str()), ("auth.token_revoked", 4401, "auth.token_revoked"));
    assert!(took < SOON && read < SOON && listened < SOON, "{took:?} {read:?} {listened:?}");

    assert_eq!(there.gateway.bootstrap().delete(made.header("location")).await.status.as_u16(), 204);
    assert_eq!(ada.get("/api/whoami").await.status.as_u16(), 200, "lifted there at once");
    assert!(until(&here.gateway.bearer(&token), 200).await.1 < SOON, "and here soon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_membership_and_a_service_token_that_end_on_one_replica_end_on_the_other() {
    let (database, issuer) = (TestDatabase::fresh().await, TestIssuer::default());
    let (here, there) = (replica(&database.url(), &issuer).await, replica(&database.url(), &issuer).await);
    let workflow = here.demo(&["ada"]).await;
    let wish = json!({"identifier": "ci", "scopes": ["workflows:read"], "workspace_ids": ["demo"]});
    let minted = here.gateway.bootstrap().post("/api/admin/service-tokens", &wish).await;
    let secret = minted.body["secret"].as_str().unwrap_or_else(|| panic!("{minted:?}"));
    let person = socket(&there.gateway, &here.token("ada", "s1", -60), &workflow).await;
    let program = socket(&there.gateway, secret, &workflow).await;

    let root = here.gateway.bootstrap();
    assert_eq!(root.delete("/api/workspaces/demo/members/corp:ada").await.status.as_u16(), 204);
    assert_eq!(root.delete("/api/admin/service-tokens/ci").await.status.as_u16(), 204);
    let (person, program) = tokio::join!(closed(person), closed(program));
    assert_eq!((person.0, person.1.as_str()), (4403, "auth.workspace_forbidden"));
    assert_eq!((program.0, program.1.as_str()), (4401, "auth.token_revoked"));
    assert!(person.2 < SOON && program.2 < SOON, "{person:?} {program:?}");
    assert_eq!(there.gateway.bearer(secret).get("/api/whoami").await.refused(401), "auth.token_revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_from_the_database_a_replica_stops_believing_what_it_remembers() {
    let (database, issuer) = (TestDatabase::fresh().await, TestIssuer::default());
    let mut url = Url::parse(&database.url()).unwrap();
    let behind = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let proxy = Proxy::before(behind).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    let town = replica(url.as_str(), &issuer).await;
    town.demo(&["ada"]).await;
    let (ada, ci) = (town.sign_in("ada", "s1", -60), town.gateway.service("ci", &[], &["demo"]).await);
    until(&ada, 200).await;
    until(&ci, 200).await;

    proxy.cut();
    let cut = Instant::now();
    for client in [&ada, &ci] {
        assert_eq!(client.get("/api/whoami").await.status.as_u16(), 200, "what was verified lately counts on");
    }
    let ((person, _), (program, _)) = tokio::join!(until(&ada, 503), until(&ci, 503));
    // The last look may have been POLL before the cut.
    assert!((Duration::from_secs(4)..Duration::from_secs(10)).contains(&cut.elapsed()), "{:?}", cut.elapsed());
    let body = json!({"id": "event_1", "event": "session.revoked", "data": {"id": "s1"}}).to_string();
    let signature = workos_signature("secret", now(), &body);
    let headers = [("workos-signature", signature.as_str())].into();
    let told = town.gateway.anonymous().send("POST", "/auth/workos/events", &headers, body).await;
    assert_eq!(told.refused(503), "database.unavailable", "so that WorkOS comes again");
    for refused in [person, program] {
        assert_eq!((refused.problem(), refused.header("retry-after")), ("auth.unavailable", "1"));
    }

    proxy.mend();
    until(&ada, 200).await;
    until(&ci, 200).await;
}
