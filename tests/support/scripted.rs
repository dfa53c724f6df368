//! An HTTP server that answers what a test tells it to, and counts: for trouble that no real product makes on command.

use std::{
    fmt::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

/// A server on a free port of 127.0.0.1, whatever path is asked for. It ends when dropped.
#[derive(Debug)]
pub(crate) struct Scripted {
    address: SocketAddr,
    reply: Arc<Mutex<Reply>>,
    seen: watch::Receiver<Vec<Request>>,
    _task: JoinSet<()>,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Request line and headers, as they came.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Request {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The path and query.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// What it answers. Connections close after each.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    /// What is said of the body's length, and how much is sent: the body or a part of it, then blanks.
    length: Option<Length>,
}

#[derive(Debug, Clone, Copy)]
struct Length {
    announced: Option<u64>,
    sent: u64,
}

impl Reply {
    /// This status with an empty body.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, length: None }
    }

    /// 200 with JSON.
    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self::status(200).header("content-type", "application/json").body(&body.to_string())
    }

    /// 200 with a page for people.
    pub(crate) fn html() -> Self {
        Self::status(200).header("content-type", "text/html").body("<!DOCTYPE html><title>Down for maintenance</title>")
    }

    /// 302 to there.
    pub(crate) fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }

    /// Comes so much later.
    #[must_use]
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Never comes.
    #[must_use]
    pub(crate) fn never(self) -> Self {
        self.after(Duration::MAX)
    }

    /// Breaks off after so many bytes of the body.
    #[must_use]
    pub(crate) fn cut_after(mut self, bytes: u64) -> Self {
        self.length = Some(Length { announced: Some(bytes + 1), sent: bytes });
        self
    }

    /// Has a body of so many bytes: its own, then blanks, which JSON allows.
    #[must_use]
    pub(crate) fn huge(mut self, bytes: u64) -> Self {
        self.length = Some(Length { announced: Some(bytes), sent: bytes });
        self
    }

    /// As [`Reply::huge`], without saying beforehand how long it is.
    #[must_use]
    pub(crate) fn huge_unannounced(mut self, bytes: u64) -> Self {
        self.length = Some(Length { announced: None, sent: bytes });
        self
    }

    async fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        sleep(self.delay).await;
        let mut head = format!("HTTP/1.1 {} Told So\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        let own = u64::try_from(self.body.len()).unwrap();
        let length = self.length.unwrap_or(Length { announced: Some(own), sent: own });
        if let Some(announced) = length.announced {
            write!(head, "content-length: {announced}\r\n").unwrap();
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await?;

        let first = length.sent.min(own);
        stream.write_all(&self.body[..usize::try_from(first).unwrap()]).await?;
        let mut left = length.sent - first;
        let blanks = vec![b' '; 64 * 1024];
        while left > 0 {
            let now = usize::try_from(left).unwrap().min(blanks.len());
            stream.write_all(&blanks[..now]).await?;
            left -= u64::try_from(now).unwrap();
        }
        stream.shutdown().await
    }
}

impl Scripted {
    /// One that answers this until told otherwise.
    pub(crate) async fn start(reply: Reply) -> Self {
        let reply = Arc::new(Mutex::new(reply));
        let told = Arc::clone(&reply);
        Self { reply, ..Self::answering(move |_| told.lock().unwrap().clone()).await }
    }

    /// One that makes up each answer from the question.
    pub(crate) async fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = watch::channel(Vec::new());
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::new(answer), sender));
        Self { address, reply: Arc::new(Mutex::new(Reply::status(500))), seen, _task: task }
    }

    /// `http://127.0.0.1:…` and this path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it answers from now on.
    pub(crate) fn reply(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// What it was asked until now.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.borrow().clone()
    }

    /// How often it was asked until now.
    pub(crate) fn count(&self) -> usize {
        self.seen.borrow().len()
    }

    /// What it was asked, once that are so many requests; the test fails if they do not come.
    pub(crate) async fn asked(&self, count: usize) -> Vec<Request> {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(super::process::PATIENCE, seen.wait_for(|seen| seen.len() >= count)).await;
        assert!(waited.is_ok(), "{} of {count} requests came", self.count());
        self.requests()
    }
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

async fn serve(listener: TcpListener, answer: Arc<Answer>, seen: watch::Sender<Vec<Request>>) {
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let (answer, seen) = (Arc::clone(&answer), seen.clone());
        connections.spawn(async move {
            let Ok(Some(request)) = read(&mut stream).await else { return };
            seen.send_modify(|seen| seen.push(request.clone()));
            let reply = answer(&request);
            // The other side may go away first.
            let _ = reply.send(&mut stream).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A request to its end; `None` where the other side closed before.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let request = Request { head: head.to_owned(), body: body.to_owned() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Ok(Some(request));
        }
    }
}
