//! A client of event streams.

use std::time::Duration;

use serde_json::Value;

use super::gate::{Ask, DEADLINE};

/// One event of a stream.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) data: Value,
}

/// An open stream.
pub(super) struct Stream {
    response: reqwest::Response,
    unread: String,
    /// Comment lines so far.
    pub(super) comments: usize,
}

impl Stream {
    /// Opens it; the headers are there.
    pub(super) async fn open(ask: Ask) -> Self {
        let response = ask.header("Accept", "text/event-stream").open().await;
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!((response.status().as_u16(), kind.split(';').next()), (200, Some("text/event-stream")));
        Self { response, unread: String::new(), comments: 0 }
    }

    /// The next event, or `None` when the gate ended the stream.
    pub(super) async fn next(&mut self) -> Option<Told> {
        tokio::time::timeout(DEADLINE, self.read()).await.expect("an event, or the stream's end")
    }

    async fn read(&mut self) -> Option<Told> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (told, comments) = parse(block);
                self.unread = self.unread.split_off(self.unread.len() - rest.len());
                self.comments += comments;
                if told.is_some() {
                    return told;
                }
                continue;
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.unread += std::str::from_utf8(&chunk).unwrap(),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// As many events.
    pub(super) async fn take(&mut self, count: usize) -> Vec<Told> {
        let mut told = Vec::new();
        while told.len() < count {
            told.push(self.next().await.unwrap_or_else(|| panic!("the stream ended after {told:?}")));
        }
        told
    }

    /// Whether nothing comes for a while.
    pub(super) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(300), self.read()).await.is_err()
    }
}

fn parse(block: &str) -> (Option<Told>, usize) {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
    };
    let comments = block.lines().filter(|line| line.starts_with(':')).count();
    let data = field("data");
    let told = (!data.is_empty()).then(|| Told {
        id: field("id"),
        event: field("event"),
        data: serde_json::from_str(&data).unwrap(),
    });
    (told, comments)
}
