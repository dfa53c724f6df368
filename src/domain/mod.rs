//! Values and rules. No async, I/O, clock, randomness or framework types: everything here is parsed once at the edge and
//! valid ever after, and every rule is a function of its arguments.

pub mod audit;
pub mod bearer;
pub mod claims;
pub mod deployment;
pub mod engine;
pub mod event;
pub mod execution;
pub mod idempotency;
pub mod identity;
pub mod ids;
pub mod issuer;
pub mod json;
pub mod numeric_date;
pub mod page;
pub mod rejection;
pub mod revocation;
pub mod rights;
pub mod scope;
pub mod service_token;
pub mod session;
pub mod text;
pub mod user;
pub mod workflow;
pub mod workspace;
