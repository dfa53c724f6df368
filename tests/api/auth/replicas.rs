//! Two gates, each a process of its own, on one Postgres and one Redis: what ends on one ends on the other within a second,
//! and nothing that is remembered counts when the database cannot be asked (authentication.md section 5).

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{
    mint::{self, Key, now},
    setup::{BOOTSTRAP, gate_with, refusal, whoami},
};
use crate::{
    api::{
        gate::{Caller, Gate},
        models::{linear, service},
        socket::{Said, Socket},
        stream::Stream,
        world::{World, unique},
    },
    support::{postgres::TestDatabase, proxy::Proxy, redis::PrivateRedis},
};

/// Within this a change holds everywhere.
const SOON: Duration = Duration::from_secs(1);
/// How long anything may take that should take a moment.
const PATIENCE: Duration = Duration::from_secs(30);

const ISSUER: &str = "https://corp.test";
const REVOCATIONS: &str = "/api/admin/revocations";

/// A database, and who signs the tokens of the gates on it.
struct Realm {
    key: Key,
    database: TestDatabase,
}

impl Realm {
    async fn new() -> Self {
        Self { key: Key::new("RS256", "k1"), database: TestDatabase::fresh().await }
    }

    /// A gate that reaches the database here.
    fn gate_at(&self, url: &str, more: &[(&str, &str)]) -> Gate {
        let config = format!(
            "[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"{ISSUER}\"]\naudiences = [\"tidegate\"]\n\
             provision = \"user\"\nmax_scopes = [\"*\"]\njwks = '{}'\n",
            mint::set(&[&self.key])
        );
        let mut settings =
            vec![BOOTSTRAP, ("TIDEGATE_DATABASE__URL", url), ("TIDEGATE_DATABASE__MAX_CONNECTIONS", "8")];
        settings.extend(more);
        gate_with(&config, &settings)
    }

    fn gate(&self) -> Gate {
        self.gate_at(&self.database.url(), &[])
    }

    fn token(&self, subject: &str, more: &Value) -> String {
        self.key.token(&mint::claims(ISSUER, subject, more))
    }
}

/// A workspace of this gate with a workflow.
async fn world(gate: &Gate) -> (World, String) {
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    (world, workflow)
}

/// An event stream and a socket of somebody's.
struct Listening {
    stream: Stream,
    socket: Socket,
}

impl Listening {
    async fn open(caller: &Caller, workflow: &str) -> Self {
        let stream = Stream::open(caller.get(&format!("/api/workflows/{workflow}/events"))).await;
        let mut socket = Socket::open(caller, &format!("/ws/workflow/{workflow}")).await;
        socket.ready().await;
        Self { stream, socket }
    }

    /// How the socket is closed, once both have ended.
    async fn end(&mut self) -> (u16, String) {
        let stream = async { while self.stream.next().await.is_some() {} };
        tokio::join!(stream, self.socket.closed()).1
    }
}

/// Until somebody is answered so; how long that took.
async fn until(caller: &Caller, status: u16) -> Duration {
    let begun = Instant::now();
    loop {
        let (answered, code) = refusal(caller).await;
        if answered == status {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{answered} {code}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_is_revoked_on_one_replica_ends_on_the_other() {
    let realm = Realm::new().await;
    let (here, there) = (realm.gate(), realm.gate());
    let (world, workflow) = world(&here).await;
    for (kind, claim) in [("user", "sub"), ("session", "sid"), ("token", "jti")] {
        let value = unique(claim);
        let claims = json!({claim: value, "workspaces": [world.id], "scope": "workflows:read"});
        let caller = there.caller(realm.token(&unique("ada"), &claims));
        let bystander = there.caller(realm.token(&unique("bob"), &json!({"workspaces": [world.id]})));
        let (mut listening, mut other) =
            (Listening::open(&caller, &workflow).await, Listening::open(&bystander, &workflow).await);
        let begun = Instant::now();
        let order = json!({"kind": kind, "issuer": "corp", "value": value});
        let entry = here.root().post(REVOCATIONS, order).await.is(201).id();
        let ended = listening.end().await;
        assert!(begun.elapsed() < SOON, "{kind}: {:?}", begun.elapsed());
        assert_eq!(ended, (4401, "auth.token_revoked".to_owned()), "{kind}");
        assert_eq!(refusal(&caller).await, (401, "auth.token_revoked".to_owned()), "{kind}");
        assert!(other.stream.is_silent().await && other.socket.is_silent().await, "{kind}");
        // Lifted there, it counts again here.
        there.root().delete(&format!("{REVOCATIONS}/{entry}")).await.is(204);
        let at_home = here.caller(caller.token.clone().unwrap());
        assert!(until(&at_home, 200).await < SOON, "{kind}");
    }
}

#[tokio::test]
async fn a_service_token_that_ends_on_one_replica_ends_on_the_other() {
    let realm = Realm::new().await;
    let (here, there) = (realm.gate(), realm.gate());
    let (world, workflow) = world(&here).await;
    for how in ["revoked", "rotated"] {
        let order = json!({"scopes": ["workflows:read"], "workspace_ids": [world.id]});
        let made = here.root().post("/api/admin/service-tokens", order).await.is(201);
        let path = format!("/api/admin/service-tokens/{}", made.str("identifier"));
        let caller = there.caller(made.str("secret"));
        let mut listening = Listening::open(&caller, &workflow).await;
        let begun = Instant::now();
        let code = if how == "revoked" {
            here.root().delete(&path).await.is(204);
            "auth.token_revoked"
        } else {
            here.root().post(&format!("{path}/rotate"), json!({"overlap_seconds": 0})).await.is(200);
            "auth.invalid_token"
        };
        let ended = listening.end().await;
        assert!(begun.elapsed() < SOON, "{how}: {:?}", begun.elapsed());
        assert_eq!(ended, (4401, code.to_owned()), "{how}");
        assert_eq!(refusal(&caller).await, (401, code.to_owned()), "{how}");
    }
}

#[tokio::test]
async fn a_membership_that_ends_on_one_replica_ends_on_the_other() {
    let realm = Realm::new().await;
    let (here, there) = (realm.gate(), realm.gate());
    let (world, workflow) = world(&here).await;
    let subject = unique("ada");
    let caller = there.caller(realm.token(&subject, &json!({})));
    let member = format!("/api/workspaces/{}/members/corp:{subject}", world.id);
    here.root().ask(Method::PUT, &member).json(&json!({"role": "admin"})).await.is(200);
    let events = format!("/api/workflows/{workflow}/events");
    let begun = Instant::now();
    while caller.get(&events).await.status != 200 {
        assert!(begun.elapsed() < SOON, "a membership that was given, too");
    }
    let order = json!({"scopes": ["workflows:read"], "workspace_ids": [world.id]});
    let made = caller.post("/api/admin/service-tokens", order).await.is(201);
    let machine = there.caller(made.str("secret"));
    let (mut person, mut program) =
        (Listening::open(&caller, &workflow).await, Listening::open(&machine, &workflow).await);
    // A lower role leaves what it gives.
    here.root().ask(Method::PUT, &member).json(&json!({"role": "viewer"})).await.is(200);
    assert!(person.stream.is_silent().await && program.socket.is_silent().await);
    person.socket.say(json!({"type": "run_workflow", "request_id": "1"})).await;
    let begun = Instant::now();
    loop {
        let frame = person.socket.frame().await;
        if frame["problem"]["code"] == "auth.missing_scope" {
            break;
        }
        assert!(begun.elapsed() < SOON, "{frame}");
        person.socket.say(json!({"type": "run_workflow", "request_id": "1"})).await;
    }
    let begun = Instant::now();
    here.root().delete(&member).await.is(204);
    let ended = tokio::join!(person.end(), program.end());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!((ended.0.0, ended.1.0), (4403, 4403), "{ended:?}");
    caller.get(&events).await.problem(404, "workflow.not_found");
    machine.get(&events).await.problem(404, "workflow.not_found");
}

#[tokio::test]
async fn what_a_person_made_ends_for_good_on_both() {
    let realm = Realm::new().await;
    let (here, there) = (realm.gate(), realm.gate());
    let (subject, place) = (unique("ada"), unique("w"));
    let ada = here.caller(realm.token(&subject, &json!({"iat": now() - 10})));
    ada.post("/api/workspaces", json!({"id": place})).await.is(201);
    let order = |scopes: &[&str]| json!({"scopes": scopes, "workspace_ids": [place]});
    let mints = ["workflows:read", "admin:tokens:write"];
    let first = ada.post("/api/admin/service-tokens", order(&mints)).await.is(201);
    // More than a page of them, and what they made themselves.
    for _ in 0..11 {
        let made = join_all((0..20).map(|_| ada.post("/api/admin/service-tokens", order(&[])).into_future()));
        assert!(made.await.iter().all(|made| made.status == 201));
    }
    let child = there.caller(first.str("secret")).post("/api/admin/service-tokens", order(&mints)).await.is(201);
    let grandchild = here.caller(child.str("secret")).post("/api/admin/service-tokens", order(&[])).await.is(201);
    let last = ada.post("/api/admin/service-tokens", order(&[])).await.is(201);
    let secrets = [first, child, grandchild, last].map(|made| made.str("secret").to_owned());
    let callers: Vec<_> =
        [&here, &there].into_iter().flat_map(|gate| secrets.each_ref().map(|s| gate.caller(s))).collect();
    for caller in &callers {
        whoami(caller).await;
    }
    let entry = json!({"kind": "user", "issuer": "corp", "value": subject, "reason": "left"});
    let entry = here.root().post(REVOCATIONS, entry).await.is(201).id();
    let waits = join_all(callers.iter().map(|caller| until(caller, 401))).await;
    assert!(waits.iter().all(|waited| *waited < SOON), "{waits:?}");
    here.root().delete(&format!("{REVOCATIONS}/{entry}")).await.is(204);
    assert!(until(&there.caller(ada.token.clone().unwrap()), 200).await < SOON, "the person's own token counts again");
    for caller in &callers {
        assert_eq!(refusal(caller).await, (401, "auth.token_revoked".to_owned()));
    }
    let all = here.root().all("/api/admin/service-tokens").await;
    let theirs: Vec<_> = all.iter().filter(|token| token["workspace_ids"] == json!([place])).collect();
    assert_eq!(theirs.len(), 224);
    assert!(theirs.iter().all(|token| token["status"] == "revoked" && token["revocation_reason"] == "left"));
}

#[tokio::test]
async fn a_limit_reached_on_one_replica_holds_on_the_other() {
    let (realm, redis) = (Realm::new().await, PrivateRedis::start().await);
    let (database, redis) = (realm.database.url(), redis.url());
    let limits = [
        ("TIDEGATE_AUTH__RATE_LIMIT__KIND", "redis"),
        ("TIDEGATE_AUTH__RATE_LIMIT__REDIS_URL", redis.as_str()),
        ("TIDEGATE_AUTH__RATE_LIMIT__IDENTITY", "3"),
    ];
    let (here, there) = (realm.gate_at(&database, &limits), realm.gate_at(&database, &limits));
    let subject = unique("ada");
    let expired = realm.token(&subject, &json!({"exp": now() - 100, "iat": now() - 200}));
    for _ in 0..3 {
        assert_eq!(refusal(&here.caller(&expired)).await, (401, "auth.token_expired".to_owned()));
    }
    let limited = (429, "auth.rate_limited.identity".to_owned());
    assert_eq!(refusal(&there.caller(&expired)).await, limited, "at once");
    let said =
        Socket::open(&there.caller(&expired), "/ws/workflow/0190f7a0-0000-7000-8000-000000000000").await.next().await;
    assert!(matches!(&said, Said::Closed(4429, reason) if reason.starts_with(&limited.1)), "{said:?}");
    whoami(&there.caller(realm.token(&subject, &json!({})))).await;
}

/// How the way to a database can break.
#[derive(Debug, Clone, Copy)]
enum Break {
    Cut,
    Silent,
}

async fn nothing_remembered_counts_without_the_database(how: Break) {
    let realm = Realm::new().await;
    let mut url = Url::parse(&realm.database.url()).unwrap();
    let proxy = Proxy::before(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    let (here, there) = (realm.gate(), realm.gate_at(url.as_str(), &[]));
    let (world, workflow) = world(&here).await;
    let claims = json!({"workspaces": [world.id], "scope": "workflows:read"});
    let (ada, eve) = (unique("ada"), unique("eve"));
    let (ada, eve_there) = (there.caller(realm.token(&ada, &claims)), there.caller(realm.token(&eve, &claims)));
    let machine = there.caller(world.token.clone().unwrap());
    for caller in [&ada, &eve_there, &machine] {
        whoami(caller).await;
    }
    match how {
        Break::Cut => proxy.cut(),
        Break::Silent => proxy.silence(),
    }
    let broken = Instant::now();
    for caller in [&ada, &eve_there, &machine] {
        whoami(caller).await;
    }
    here.root().post(REVOCATIONS, json!({"kind": "user", "issuer": "corp", "value": eve})).await.is(201);
    tokio::join!(until(&ada, 503), until(&eve_there, 503));
    // The last look may have been half a second before.
    let after = broken.elapsed();
    assert!((Duration::from_millis(4_400)..Duration::from_millis(6_500)).contains(&after), "{how:?}: {after:?}");
    until(&machine, 503).await;
    let unavailable = ada.get("/api/whoami").await;
    unavailable.problem(503, "auth.unavailable");
    assert_eq!(unavailable.header("retry-after"), "1");
    let unseen = there.caller(realm.token(&unique("zoe"), &claims));
    unseen.get("/api/whoami").await.problem(503, "auth.unavailable");
    let said = Socket::open(&ada, &format!("/ws/workflow/{workflow}")).await.next().await;
    assert!(matches!(&said, Said::Closed(1013, reason) if reason.starts_with("auth.unavailable")), "{said:?}");
    whoami(&there.root()).await;
    proxy.mend();
    let begun = Instant::now();
    loop {
        // Who was revoked meanwhile never comes in, not even in the first moment.
        let (refused, (let_in, _)) = tokio::join!(refusal(&eve_there), refusal(&ada));
        assert!([503, 401].contains(&refused.0), "{refused:?}");
        if let_in == 200 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until(&machine, 200).await;
    assert_eq!(refusal(&eve_there).await, (401, "auth.token_revoked".to_owned()));
    Listening::open(&ada, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_from_the_database_nothing_remembered_counts() {
    nothing_remembered_counts_without_the_database(Break::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_database_that_does_not_answer_nothing_remembered_counts() {
    nothing_remembered_counts_without_the_database(Break::Silent).await;
}
