//! Follows a workflow's events, over broken connections too: misses none, repeats none.

use std::{ops::ControlFlow, time::Duration};

use reqwest::Response;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{CliError, client::Client, request::Request, sse::SseReader};

/// The gate sends a heartbeat every 15 s: who is silent for longer is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How often in a row a stream may fail to open before it is given up.
const TRIES: u32 = 8;

/// Calls `each` with every event until it says stop. `after` is the number of the last event already known.
pub(super) async fn follow(
    client: &Client,
    request: Request,
    after: Option<u64>,
    mut each: impl FnMut(&Value) -> Result<ControlFlow<()>, CliError>,
) -> Result<(), CliError> {
    let mut last = after.map(|number| number.to_string());
    let mut failures = 0;
    loop {
        let known = last.clone();
        if let Some(stream) = client.open_stream(&request, last.as_deref()).await?
            && read(client, stream, &mut last, &mut each).await?.is_break()
        {
            return Ok(());
        }
        failures = if last == known { failures + 1 } else { 0 };
        if failures >= TRIES {
            return Err(client.unreachable("the event stream broke off and does not come back"));
        }
        sleep(Duration::from_millis(250) * failures.max(1)).await;
    }
}

/// Reads one connection until it ends or somebody says stop.
async fn read(
    client: &Client,
    mut stream: Response,
    last: &mut Option<String>,
    each: &mut impl FnMut(&Value) -> Result<ControlFlow<()>, CliError>,
) -> Result<ControlFlow<()>, CliError> {
    let mut reader = SseReader::default();
    while let Ok(Ok(Some(piece))) = timeout(SILENCE, stream.chunk()).await {
        let events = reader.feed(&piece).map_err(|_| client.unreachable("what it streams are no events"))?;
        for event in events {
            let value =
                serde_json::from_str(&event.data).map_err(|_| client.unreachable("what it streams are no events"))?;
            if event.id.is_some() {
                *last = event.id;
            }
            if each(&value)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}
