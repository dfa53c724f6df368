//! A TCP proxy that can be cut: what is behind it is then gone, as when a network breaks.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A proxy on a free port of 127.0.0.1; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    open: watch::Sender<bool>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Before this address.
    pub(crate) async fn before(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, is_open) = watch::channel(true);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(forward(socket, address.clone(), is_open.clone()));
            }
        });
        Self { port, open, _task: task }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections, and takes none.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn forward(mut socket: TcpStream, address: String, mut is_open: watch::Receiver<bool>) {
    if !*is_open.borrow_and_update() {
        return;
    }
    let forwarding = async {
        if let Ok(mut behind) = TcpStream::connect(address).await {
            // However it ends, it is over.
            drop(copy_bidirectional(&mut socket, &mut behind).await);
        }
    };
    tokio::select! {
        () = forwarding => {}
        _ = is_open.wait_for(|open| !open) => {}
    }
}
