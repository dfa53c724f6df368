//! `tidegate completions SHELL`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::adapters::cli::{Cli, CliError, output};

/// Which shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// bash, elvish, fish, powershell or zsh
    shell: Shell,
}

pub(in crate::adapters::cli) fn run(command: &Completions) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Cli::command(), "tidegate", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end())
}
