//! The use cases, driven through a gate over memory whose clock and randomness the tests hold.

mod audit;
mod credentials;
mod deployments;
mod jobs;
mod repeats;
mod service_tokens;
mod timers;
mod units;
mod workspaces;
mod world;
