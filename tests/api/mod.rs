//! Black-box tests: the real binary, spoken to over HTTP by what the contracts say, a file a capability.

mod audit;
mod auth;
mod bad_input;
mod deployments;
mod elements;
mod events;
mod executions;
mod gate;
mod idempotency;
mod jobs;
mod messages;
mod models;
mod operations;
mod processes;
mod service_tokens;
mod sessions;
mod shutdown;
mod socket;
mod sockets;
mod stream;
mod tenancy;
mod user_tasks;
mod whoami;
mod workflows;
mod workspaces;
mod world;
