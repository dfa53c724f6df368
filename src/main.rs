//! The `tidegate` command.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use tidegate::{adapters::cli::Cli, wiring};

/// Each request makes and drops many small things, often on different threads, which glibc's allocator takes its time over.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    wiring::run(Cli::parse())
}
