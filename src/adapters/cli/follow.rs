//! Follows a workflow's events, over broken connections too: misses none, repeats none.

use std::{ops::ControlFlow, time::Duration};

use reqwest::Response;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{CliError, client::Client, request::Request, sse::SseReader};

/// The gate sends a heartbeat every 15 s: who is silent for longer is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How often in a row a stream may bring nothing at all before it is given up: a gate that restarts is back by then.
const TRIES: u32 = 20;
/// Before the next try, growing to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How one connection ended.
enum End {
    /// Somebody said stop.
    Stopped,
    /// By itself, after it had brought something, be it a heartbeat.
    Broken,
    /// It brought nothing.
    Silent,
}

/// Calls `each` with every event until it says stop. `after` is the number of the last event already known.
pub(super) async fn follow(
    client: &Client,
    request: Request,
    after: Option<u64>,
    mut each: impl FnMut(&Value) -> Result<ControlFlow<()>, CliError>,
) -> Result<(), CliError> {
    let mut last = after.map(|number| number.to_string());
    let mut failures = 0;
    while failures < TRIES {
        let end = match client.open_stream(&request, last.as_deref()).await? {
            Some(stream) => read(client, stream, &mut last, &mut each).await?,
            None => End::Silent,
        };
        failures = match end {
            End::Stopped => return Ok(()),
            End::Broken => 0,
            End::Silent => failures + 1,
        };
        sleep((PAUSE * failures.max(1)).min(LONGEST_PAUSE)).await;
    }
    Err(client.unreachable("the event stream broke off and does not come back"))
}

/// Reads one connection until it ends or somebody says stop.
async fn read(
    client: &Client,
    mut stream: Response,
    last: &mut Option<String>,
    each: &mut impl FnMut(&Value) -> Result<ControlFlow<()>, CliError>,
) -> Result<End, CliError> {
    let no_events = || client.unreachable("what it streams are no events");
    let mut reader = SseReader::default();
    let mut end = End::Silent;
    while let Ok(Ok(Some(piece))) = timeout(SILENCE, stream.chunk()).await {
        end = End::Broken;
        for event in reader.feed(&piece).map_err(|_| no_events())? {
            let value = serde_json::from_str(&event.data).map_err(|_| no_events())?;
            if event.id.is_some() {
                *last = event.id;
            }
            if each(&value)?.is_break() {
                return Ok(End::Stopped);
            }
        }
    }
    Ok(end)
}
