//! The `tidegate` command.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::{adapters::cli::Cli, wiring};

fn main() -> ExitCode {
    wiring::run(Cli::parse())
}
