//! The commands, one file a subject: what it takes, what it calls, what it shows.

pub(super) mod audit;
pub(super) mod auth;
pub(super) mod authz;
pub(super) mod completions;
pub(super) mod execution;
pub(super) mod job;
pub(super) mod message;
pub(super) mod revocation;
pub(super) mod task;
pub(super) mod token;
pub(super) mod watch;
pub(super) mod whoami;
pub(super) mod workflow;
pub(super) mod workspace;
