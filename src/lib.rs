//! Tidegate: one authenticated, real-time, OpenAPI-described HTTP API in front of workflow engines.

pub mod adapters;
pub mod app;
pub mod config;
pub mod domain;
pub mod ports;
pub mod wiring;
