//! A listener of an event stream that comes back after each break where it left off.

use reqwest::{Method, Response};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::process::{Caller, PATIENCE, pause};

/// Follows a workflow's events from the first one on; ends when dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    numbers: watch::Receiver<Vec<u64>>,
    _task: JoinSet<()>,
}

impl Follower {
    pub(crate) fn follow(caller: Caller, workflow: &str) -> Self {
        let (sender, numbers) = watch::channel(Vec::new());
        let path = format!("/api/workflows/{workflow}/events?after=0");
        let mut task = JoinSet::new();
        task.spawn(follow(caller, path, sender));
        Self { numbers, _task: task }
    }

    /// The numbers in the order in which they came, once there are so many.
    pub(crate) async fn numbers_up_to(mut self, count: usize) -> Vec<u64> {
        let waited = timeout(PATIENCE, self.numbers.wait_for(|numbers| numbers.len() >= count)).await.map(drop);
        assert!(waited.is_ok(), "the stream showed {} of {count} events", self.numbers.borrow().len());
        self.numbers.borrow().clone()
    }
}

async fn follow(caller: Caller, path: String, numbers: watch::Sender<Vec<u64>>) {
    loop {
        let mut request =
            caller.request(Method::GET, &path).header("Accept", "text/event-stream").timeout(PATIENCE * 5);
        let last = numbers.borrow().last().copied();
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        match request.send().await {
            Ok(response) if response.status() == 200 => read(response, &numbers).await,
            _ => pause().await,
        }
    }
}

/// Takes whole events only: what a broken connection cut off comes again.
async fn read(mut response: Response, numbers: &watch::Sender<Vec<u64>>) {
    let mut text = String::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            if let Some(id) = event.lines().find_map(|line| line.strip_prefix("id:")) {
                numbers.send_modify(|numbers| numbers.push(id.trim().parse().unwrap()));
            }
            text = rest.to_owned();
        }
    }
}
