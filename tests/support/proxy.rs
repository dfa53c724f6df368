//! A TCP proxy that can be cut or stopped: what is behind it is then gone, or silent, as when a network breaks.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

#[derive(Debug, Clone, Copy)]
enum Line {
    Open,
    Silent,
    Cut,
}

/// A proxy on a free port of 127.0.0.1; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    line: watch::Sender<Line>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Before this address.
    pub(crate) async fn before(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (line, state) = watch::channel(Line::Open);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(forward(socket, address.clone(), state.clone()));
            }
        });
        Self { port, line, _task: task }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections, and takes none.
    pub(crate) fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    /// Takes connections, and carries nothing on any.
    pub(crate) fn silence(&self) {
        self.line.send_replace(Line::Silent);
    }

    /// Carries what comes again.
    pub(crate) fn mend(&self) {
        self.line.send_replace(Line::Open);
    }
}

async fn forward(mut socket: TcpStream, address: String, mut line: watch::Receiver<Line>) {
    let mut forwarding = std::pin::pin!(async {
        if let Ok(mut behind) = TcpStream::connect(address).await {
            // However it ends, it is over.
            drop(copy_bidirectional(&mut socket, &mut behind).await);
        }
    });
    loop {
        let state = *line.borrow_and_update();
        let gone = match state {
            Line::Cut => true,
            Line::Silent => line.changed().await.is_err(),
            Line::Open => tokio::select! {
                () = &mut forwarding => true,
                changed = line.changed() => changed.is_err(),
            },
        };
        if gone {
            return;
        }
    }
}
