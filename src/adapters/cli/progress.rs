//! A line that lives while something takes long, where a terminal is there to see it.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use tokio::time::interval;

/// Waits for a future, and says so on a terminal once it takes longer than a second.
pub(super) async fn while_waiting<T>(what: &str, future: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return future.await;
    }
    tokio::pin!(future);
    let mut ticks = interval(Duration::from_secs(1));
    let mut seconds = 0_u64;
    loop {
        tokio::select! {
            done = &mut future => {
                if seconds > 1 {
                    show("\r\x1b[K");
                }
                return done;
            }
            _ = ticks.tick() => {
                if seconds > 0 {
                    show(&format!("\r\x1b[K{what} … {seconds} s"));
                }
                seconds += 1;
            }
        }
    }
}

fn show(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // A terminal that cannot show progress loses nothing that matters.
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}
