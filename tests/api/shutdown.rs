//! Told to stop, the gate answers who waits, ends its streams, and goes.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    gate::{Gate, ROOT},
    models::{linear, service},
    stream::Stream,
    world::World,
};

#[tokio::test]
async fn who_waits_gets_what_there_is() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT)]);
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear("p", &[&service("work")])).await;
    world.events_with(&workflow, "deployment.created").await;
    let mut stream = Stream::open(world.get(&format!("/api/workflows/{workflow}/events"))).await;
    let path = format!("/api/workflows/{workflow}/executions");
    let begun = Instant::now();
    let poll = json!({"topics": ["other"], "worker": "w1", "timeoutInSec": 50});
    let (waited, polled, ()) = tokio::join!(
        async { world.post(&path, json!({})).header("Prefer", "wait=50").await },
        async { world.post("/api/jobs/activate", poll).await },
        async {
            // The start is under way once the stream tells of it.
            assert_eq!(stream.take(2).await[1].event, "job.created");
            gate.stop();
        }
    );
    assert_eq!((waited.is(201)["status"].as_str(), polled.is(200)["jobs"].clone()), (Some("running"), json!([])));
    assert!(stream.next().await.is_none());
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(gate.ended(), Some(0), "its exit code");
}
