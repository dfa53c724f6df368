//! Requests that are under way when their caller loses what they were let in by.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    mint::{self, SECRET, now, secret},
    setup::gate,
};
use crate::api::{
    gate::{Answer, Caller, DEADLINE, Gate, Shared},
    models::{linear, service},
    world::{World, unique},
};

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| {
        gate(&format!(
            "[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\n\
             secret = \"{SECRET}\"\nprovision = \"user\"\nmax_scopes = [\"*\"]\n"
        ))
    })
}

fn token(subject: &str, more: &Value) -> String {
    secret(&mint::claims("https://corp.test", subject, more))
}

/// A POST whose head is there, and half of its body.
struct Slow {
    connection: TcpStream,
    rest: String,
}

impl Slow {
    async fn begin(gate: &Gate, token: &str, path: &str, body: &Value) -> Self {
        let body = body.to_string();
        let mut connection = TcpStream::connect(("127.0.0.1", gate.port())).await.unwrap();
        let (half, rest) = body.split_at(body.len() / 2);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{half}",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        Self { connection, rest: rest.to_owned() }
    }

    /// Sends the rest; gives the answer.
    async fn finish(mut self) -> String {
        self.connection.write_all(self.rest.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(DEADLINE, self.connection.read_to_end(&mut answer)).await.expect("an answer").unwrap();
        String::from_utf8(answer).unwrap()
    }
}

#[tokio::test]
async fn what_a_revoked_person_has_begun_to_send_is_refused() {
    let gate = town();
    let (subject, place) = (unique("ada"), unique("w"));
    let ada = gate.caller(token(&subject, &json!({"iat": now() - 10})));
    ada.post("/api/workspaces", json!({"id": place})).await.is(201);
    let name = unique("late");
    let order = json!({"identifier": name, "scopes": ["workflows:read"], "workspace_ids": [place]});
    let slow = Slow::begin(&gate, ada.token.as_ref().unwrap(), "/api/admin/service-tokens", &order).await;
    // Long enough that a token which is made now is younger than the revocation.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let entry = json!({"kind": "user", "issuer": "corp", "value": subject, "reason": "left"});
    gate.root().post("/api/admin/revocations", entry).await.is(201);
    let answer = slow.finish().await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("auth.token_revoked"), "{answer}");
    gate.root().get(&format!("/api/admin/service-tokens/{name}")).await.problem(404, "service_token.not_found");
}

#[tokio::test]
async fn a_slow_body_of_somebody_who_keeps_their_rights_is_taken() {
    let gate = town();
    let ada = gate.caller(token(&unique("ada"), &json!({})));
    let order = json!({"id": unique("w")});
    let slow = Slow::begin(&gate, ada.token.as_ref().unwrap(), "/api/workspaces", &order).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let answer = slow.finish().await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

/// What a worker gets that waits for a job of the topic, and how long that takes.
async fn waiting(caller: &Caller, world: &World) -> (Answer, Duration) {
    let asked = json!({"topics": ["work"], "worker": "w1", "timeoutInSec": 20, "workspaceId": world.id});
    let begun = Instant::now();
    let answer = caller.post("/api/jobs/activate", asked).await;
    (answer, begun.elapsed())
}

#[tokio::test]
async fn a_wait_ends_with_the_right_to_what_it_waits_for() {
    let gate = town();
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    let subject = unique("ada");
    let member = format!("/api/workspaces/{}/members/corp:{subject}", world.id);
    world.root.ask(reqwest::Method::PUT, &member).json(&json!({"role": "member"})).await.is(200);
    let person = gate.caller(token(&subject, &json!({"iat": now() - 10})));
    let order = json!({"scopes": ["jobs:work"], "workspace_ids": [world.id]});
    let made = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let machine = gate.caller(made.str("secret"));
    let ending = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        world.root.delete(&member).await.is(204);
        world.root.delete(&format!("/api/admin/service-tokens/{}", made.str("identifier"))).await.is(204);
    };
    let (person, machine, ()) = tokio::join!(waiting(&person, &world), waiting(&machine, &world), ending);
    person.0.problem(503, "auth.unavailable");
    machine.0.problem(401, "auth.token_revoked");
    assert!(person.1 < Duration::from_secs(3) && machine.1 < Duration::from_secs(3), "{person:?} {machine:?}");
    // Who kept their right gets what comes.
    let coming = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        world.start(&workflow, json!({})).await;
    };
    let ((answer, _), ()) = tokio::join!(waiting(&world, &world), coming);
    assert_eq!(answer.is(200)["jobs"].as_array().map(Vec::len), Some(1));
}
