//! Use cases, one file a capability. They know the domain and the ports, and nothing of HTTP, SQL or any engine's wire.

pub mod context;
