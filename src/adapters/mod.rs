//! What meets the outside. Driving: [`http`], [`cli`]. Driven: all others, one folder a port.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod engines;
pub mod http;
pub mod persistence;
pub mod rate_limit;
pub mod realtime;
pub mod rng;
