//! Workflow engines.

pub mod embedded;
