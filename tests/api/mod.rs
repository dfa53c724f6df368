//! Black-box tests: the real binary, spoken to over HTTP by what the contracts say, a file a capability.

mod deployments;
mod executions;
mod gate;
mod models;
mod service_tokens;
mod whoami;
mod workflows;
mod workspaces;
mod world;
