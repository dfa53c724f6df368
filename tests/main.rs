//! The one test binary: black-box tests over HTTP, a file a capability; conformance suites, one a port; the house's rules.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on may panic: that is how it fails"
)]

mod api;
mod app;
mod architecture;
mod cli;
mod config;
mod conformance;
mod crash;
mod http;
mod peers;
mod providers;
mod readme;
mod replicas;
mod support;
