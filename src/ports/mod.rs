//! What the gate asks of the world: one trait a file, its contract in its documentation, its own error.
//!
//! To add an adapter: implement the trait, point the trait's conformance suite (`tests/conformance/`) at it, and name it
//! in `src/wiring.rs`.

pub mod clock;
pub mod engine;
pub mod engine_store;
pub mod local_engine;
pub mod profile_source;
pub mod publisher;
pub mod rate_limiter;
pub mod repository;
pub mod rng;
pub mod session_signer;
pub mod token_validator;
