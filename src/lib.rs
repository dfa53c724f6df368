//! Tidegate: one authenticated, real-time, OpenAPI-described HTTP API in front of workflow engines.
//!
//! The house is hexagonal: [`domain`] (values and rules) ← [`ports`] (what is asked of the world) ← [`app`] (use cases) ←
//! [`adapters`] (HTTP, the command line, engines, databases). Only [`wiring`] and [`config`] name concrete adapters.
//!
//! The program `tidegate` is one way to run it. A whole gate on memory adapters is another, in a few lines:
//!
//! ```
//! use std::time::Duration;
//!
//! use tidegate::{adapters::http::Settings, wiring::{Gate, Parts}};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gate = Gate::new(Parts::in_memory()?.with_bootstrap_token("a-secret-of-sixteen-or-more"));
//! gate.start();
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let served = gate.listen(listener, Settings::default(), Duration::from_secs(10));
//! # let used = async {
//! #     let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
//! let who = client.get(format!("http://{address}/api/whoami")).bearer_auth("a-secret-of-sixteen-or-more");
//! #     let status = who.send().await?.status();
//! #     gate.stop(Duration::from_secs(1)).await;
//! #     Ok::<_, reqwest::Error>(status)
//! # };
//! # let (served, status) = tokio::join!(served, used);
//! # served?;
//! # assert_eq!(status?, 200);
//! # Ok(())
//! # }
//! ```
//!
//! Each of [`Parts`](wiring::Parts) may be replaced: another [`Repository`](ports::repository::Repository), another
//! [`Clock`](ports::clock::Clock). The use cases are there without HTTP, too: [`Gate::app`](wiring::Gate::app).

pub mod adapters;
pub mod app;
pub mod config;
pub mod conformance;
pub mod domain;
pub mod ports;
pub mod wiring;
