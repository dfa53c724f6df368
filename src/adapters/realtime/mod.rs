//! Where numbered events go.

pub mod in_process;
