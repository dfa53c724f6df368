//! The sections of `config.toml`.
