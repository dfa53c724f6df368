//! The `tidegate` command: what the composition root does itself, and the hand-over of all else to the command line.

use std::{
    error::Error,
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use secrecy::ExposeSecret as _;
use tokio::runtime;
use tracing_subscriber::EnvFilter;

use super::{audit, authz_why, check, serve};
use crate::{
    adapters::{
        cli::{
            self, AuditCommand, AuthzCommand, CheckConfig, Cli, CliError, Command, ConfigCommand, ConfigOptions,
            DatabaseOptions, ExportAudit, Variables, VerifyAudit, exit,
        },
        http::Document,
    },
    config::{self, Argument, LogFormat, Sources, TelemetryConfig},
};

/// Does what the command line says; gives the process's exit code ([`exit`]).
pub fn run(cli: Cli) -> ExitCode {
    let json = cli.wants_json();
    let token = cli.token().map(str::to_owned);
    let sources = Sources::of_process();
    match cli.command {
        Command::Serve(options) => run_gate(&with_options(sources, options)),
        Command::Config(ConfigCommand::Check(CheckConfig { online, config })) => {
            check::run(&with_options(sources, config), online, json)
        }
        Command::Authz(AuthzCommand::Why(why)) => authz_why::run(why, token.as_deref(), json, sources),
        Command::Openapi => {
            let document = Document::generate();
            print(if json { document.json() } else { document.yaml() })
        }
        Command::Audit(AuditCommand::Verify(VerifyAudit { anchor, database })) => {
            audit::run_verify(&of_database(sources, database), anchor.as_deref(), json)
        }
        Command::Audit(AuditCommand::Export(ExportAudit { after, database })) => {
            audit::run_export(&of_database(sources, database), after)
        }
        _ => call(cli, sources),
    }
}

/// Runs the gate until it is told to stop.
fn run_gate(sources: &Sources) -> ExitCode {
    let loaded = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(error) => return failed(&error, exit::USAGE),
    };
    start_logging(&loaded.config.telemetry);
    for warning in &loaded.warnings {
        tracing::warn!(key = warning.key, "{}", warning.message);
    }
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, exit::FAILED),
    };
    match runtime.block_on(serve(loaded.config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, if error.is_of_config() { exit::USAGE } else { exit::FAILED }),
    }
}

fn start_logging(config: &TelemetryConfig) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log_level))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Calls a gate.
fn call(cli: Cli, sources: Sources) -> ExitCode {
    let variables = Variables::new(sources.environment);
    let called = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Output)
        .and_then(|runtime| runtime.block_on(cli::run(cli, &variables)));
    called.map_or_else(
        |error| {
            error.report();
            ExitCode::from(error.exit_code())
        },
        |()| ExitCode::SUCCESS,
    )
}

/// The config of a command that looks into the database.
fn of_database(sources: Sources, options: DatabaseOptions) -> Sources {
    with_options(sources, ConfigOptions { config: options.config, bind: None, set: options.set })
}

/// Runs something on this thread.
pub(super) fn runtime_of_one<T>(work: impl Future<Output = Result<T, Box<dyn Error>>>) -> Result<T, Box<dyn Error>> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

pub(super) fn with_options(sources: Sources, options: ConfigOptions) -> Sources {
    let argument = |key: String, text: String, option: String| Argument { key, text, option };
    let bind = options.bind.map(|text| argument("server.bind".to_owned(), text, "--bind".to_owned()));
    let set = options.set.into_iter().map(|(key, text)| {
        let option = format!("--set {key}");
        argument(key, text.expose_secret().to_owned(), option)
    });
    Sources { config: options.config, arguments: bind.into_iter().chain(set).collect(), ..sources }
}

/// Prints to standard output; whoever closed it has seen enough.
pub(super) fn print(text: &str) -> ExitCode {
    let printed = std::io::stdout().lock().write_all(text.as_bytes());
    drop(printed);
    ExitCode::SUCCESS
}

/// Prints an error with its causes, once.
pub(super) fn failed(error: &dyn Error, code: u8) -> ExitCode {
    eprintln!("error: {}", told(error));
    ExitCode::from(code)
}

/// An error with its causes.
pub(super) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Some errors of others repeat their cause.
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}
