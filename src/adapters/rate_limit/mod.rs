//! Counters of failures, for the limits of authentication.md section 6.

pub mod memory;
pub mod redis;
