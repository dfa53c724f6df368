//! A client of a WebSocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::{HeaderName, HeaderValue},
    },
};

use super::gate::{Caller, DEADLINE, Gate};

/// What a socket gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// A frame.
    Frame(Value),
    /// It was closed, with this code and reason.
    Closed(u16, String),
    /// The connection is gone.
    Cut,
}

/// An open socket.
pub(super) struct Socket {
    pub(super) inner: WebSocketStream<TcpStream>,
    /// The subprotocol that the gate has selected.
    pub(super) protocol: Option<String>,
}

impl Socket {
    /// Opens one with these headers: the upgrade is always accepted.
    pub(super) async fn with(gate: &Gate, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://127.0.0.1:{}{path}", gate.port()).into_client_request().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let connection = TcpStream::connect(("127.0.0.1", gate.port())).await.unwrap();
        let opening = timeout(DEADLINE, client_async(request, connection)).await.expect("an answer");
        let (inner, response) = opening.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let protocol = response.headers().get("sec-websocket-protocol");
        Self { inner, protocol: protocol.map(|name| name.to_str().unwrap().to_owned()) }
    }

    /// Opens one as somebody who shows their token in the header.
    pub(super) async fn open(caller: &Caller, path: &str) -> Self {
        match &caller.token {
            Some(token) => Self::with(&caller.gate, path, &[("authorization", &format!("Bearer {token}"))]).await,
            None => Self::with(&caller.gate, path, &[]).await,
        }
    }

    pub(super) async fn send(&mut self, message: Message) {
        self.inner.send(message).await.unwrap();
    }

    pub(super) async fn say(&mut self, frame: Value) {
        self.send(Message::Text(frame.to_string().into())).await;
    }

    /// What comes next, pings and pongs aside.
    pub(super) async fn next(&mut self) -> Said {
        timeout(DEADLINE, self.read()).await.expect("a frame, or the socket's end")
    }

    async fn read(&mut self) -> Said {
        loop {
            return match self.inner.next().await {
                Some(Ok(Message::Text(text))) => Said::Frame(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(close)))) => Said::Closed(close.code.into(), close.reason.to_string()),
                Some(Ok(Message::Close(None))) => Said::Closed(1005, String::new()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => Said::Cut,
            };
        }
    }

    /// The next frame.
    #[track_caller]
    pub(super) fn frame(&mut self) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            match self.next().await {
                Said::Frame(frame) => frame,
                other => panic!("{place}: {other:?}"),
            }
        }
    }

    /// The first frame's number.
    pub(super) async fn ready(&mut self) -> u64 {
        let frame = self.frame().await;
        assert_eq!(frame, json!({"type": "ready", "sequence": frame["sequence"]}), "the first frame");
        frame["sequence"].as_u64().unwrap()
    }

    /// The next event.
    pub(super) async fn event(&mut self) -> Value {
        let mut frame = self.frame().await;
        assert_eq!(frame["type"], "event", "{frame}");
        frame["event"].take()
    }

    /// How it was closed, whatever came before.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Said::Frame(_) => {}
                Said::Closed(code, reason) => return (code, reason),
                Said::Cut => panic!("cut, not closed"),
            }
        }
    }

    /// Whether nothing comes for a while.
    pub(super) async fn is_silent(&mut self) -> bool {
        timeout(std::time::Duration::from_millis(300), self.read()).await.is_err()
    }
}
