//! What tests share.

use std::net::TcpListener;

use uuid::Uuid;

pub(crate) mod follower;
pub(crate) mod gateway;
pub(crate) mod peers;
pub(crate) mod people;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod rights;
pub(crate) mod scripted;
pub(crate) mod town;

/// A name that no other test has, in this process or another.
pub(crate) fn unique() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("randomness");
    Uuid::from_bytes(bytes)
}

/// A setting of `scripts/with-peers`. A test that needs it and finds none fails: nothing is skipped.
#[expect(clippy::disallowed_methods, reason = "the tests' own settings, which the gate never reads")]
pub(crate) fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `make test`, or `scripts/with-peers cargo test`, which start what the tests meet"
        )
    })
}

/// A free port of 127.0.0.1 for a server that a test stops and starts: it is below the ephemeral ones, so no outgoing
/// connection takes it meanwhile.
pub(crate) fn steady_port() -> u16 {
    let mut bytes = [0; 2];
    loop {
        getrandom::fill(&mut bytes).expect("randomness");
        let port = 20_000 + u16::from_ne_bytes(bytes) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
