//! Where everything is kept: [`memory`] for tests and library users, one process at a time; [`sea_orm`] for SQLite and
//! Postgres. Both pass the suite `tests/conformance/repository.rs`.

pub mod memory;
mod position;
pub mod sea_orm;
mod spent;
