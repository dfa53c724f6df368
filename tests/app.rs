//! The use cases, driven through a gate over memory whose clock and randomness the tests hold.

mod audit;
mod credentials;
mod deployments;
mod escalation;
mod jobs;
mod limits;
mod members;
mod owned_tokens;
mod people;
mod repeats;
mod retention;
mod rights;
mod service_tokens;
mod sessions;
mod timers;
mod town;
mod two_replicas;
mod units;
mod workspaces;
mod world;
