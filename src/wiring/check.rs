//! `tidegate config check`: the config in force, what is dangerous in it, and with `--online` what those say whom it names.

use std::{error::Error as _, io, process::ExitCode};

use serde_json::json;
use tokio::runtime;

use super::{
    command::{failed, print, told},
    online::{self, Finding},
    serve,
};
use crate::{
    adapters::cli::exit,
    config::{self, Config, ConfigError, Loaded, Problem, Sources},
};

/// What they say whom the config names.
struct Online {
    issuers: Vec<Finding>,
    /// Whether a credential is stored, where that decides who may come in.
    stored: Option<Result<Option<bool>, String>>,
}

/// Shows it; gives the process's exit code.
pub(super) fn run(sources: &Sources, online: bool, json: bool) -> ExitCode {
    let online = |config: &Config| online.then(|| look_around(config)).transpose();
    let judged = config::load(sources).and_then(put_together);
    let (loaded, said) = match judged.map(|loaded| (online(&loaded.config), loaded)) {
        Ok((Ok(said), loaded)) => (loaded, said),
        Ok((Err(error), _)) => return failed(&error, exit::FAILED),
        Err(error) => return refuse(&error, json),
    };
    match open_to_whom(loaded, said.as_ref()) {
        Ok(loaded) => show(&loaded, said.as_ref(), json),
        Err(error) => refuse(&error, json),
    }
}

/// Refuses what only the making of issuers shows to be wrong, as the start does.
fn put_together(loaded: Loaded) -> Result<Loaded, ConfigError> {
    match serve::try_out(&loaded.config) {
        Ok(()) => Ok(loaded),
        Err(error) => {
            let reason = error.source().map(told).unwrap_or_default();
            Err(refusal(loaded, &error.to_string(), reason))
        }
    }
}

/// Refuses, and names, what hangs on whether a credential is stored.
fn open_to_whom(mut loaded: Loaded, said: Option<&Online>) -> Result<Loaded, ConfigError> {
    let stored = said.and_then(|said| said.stored.as_ref()?.as_ref().ok().copied()?);
    if stored == Some(false)
        && let Err(reason) = loaded.config.exposure(false)
    {
        return Err(refusal(loaded, "auth.mode", reason));
    }
    let cautions = loaded.config.cautions(stored);
    loaded.warnings.extend(cautions);
    Ok(loaded)
}

fn refusal(loaded: Loaded, key: &str, reason: String) -> ConfigError {
    let problem = Problem { key: key.to_owned(), origin: loaded.origins.of(key), reason };
    ConfigError { problems: vec![problem], warnings: loaded.warnings }
}

fn look_around(config: &Config) -> io::Result<Online> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let said = runtime.block_on(async {
        let stored = if config.hangs_on_the_store() { Some(online::ask_database(config).await) } else { None };
        Online { issuers: online::ask(&config.auth).await, stored }
    });
    // What still fetches has nobody left to tell.
    runtime.shutdown_background();
    Ok(said)
}

fn refuse(error: &ConfigError, json: bool) -> ExitCode {
    if json {
        print(&format!("{:#}\n", error.to_json()));
    }
    for warning in &error.warnings {
        eprintln!("warning: {warning}");
    }
    failed(error, exit::USAGE)
}

fn show(loaded: &Loaded, said: Option<&Online>, json: bool) -> ExitCode {
    if json {
        let mut shown = loaded.to_json();
        if let (Some(shown), Some(said)) = (shown.as_object_mut(), said) {
            shown.insert("online".to_owned(), said.issuers.iter().map(Finding::to_json).collect());
            shown.extend(said.stored.as_ref().map(|stored| ("database".to_owned(), database_json(stored))));
        }
        print(&format!("{shown:#}\n"));
    } else {
        let issuers = said.iter().flat_map(|said| &said.issuers).map(|finding| format!("{finding}\n"));
        let database = said.and_then(|said| said.stored.as_ref()).map(database_line);
        print(&std::iter::once(loaded.report()).chain(database).chain(issuers).collect::<Vec<_>>().join("\n"));
    }
    if said.is_none_or(Online::is_good) { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) }
}

fn database_json(stored: &Result<Option<bool>, String>) -> serde_json::Value {
    json!({ "ok": stored.is_ok(), "credential_stored": stored.as_ref().ok(), "failure": stored.as_ref().err() })
}

fn database_line(stored: &Result<Option<bool>, String>) -> String {
    match stored {
        Ok(Some(true)) => "ok: the database holds a credential\n".to_owned(),
        Ok(Some(false)) => "ok: the database holds no credential\n".to_owned(),
        Ok(None) => "ok: the database waits for the next start, which brings it up to date\n".to_owned(),
        Err(failure) => format!("FAILED: the database cannot be asked whether it holds a credential\n  {failure}\n"),
    }
}

impl Online {
    fn is_good(&self) -> bool {
        self.issuers.iter().all(|finding| finding.good) && self.stored.as_ref().is_none_or(Result::is_ok)
    }
}
