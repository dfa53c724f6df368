//! What tests share.

pub(crate) mod follower;
pub(crate) mod gateway;
pub(crate) mod postgres;
pub(crate) mod process;
