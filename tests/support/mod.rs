//! What tests share.

pub(crate) mod process;
