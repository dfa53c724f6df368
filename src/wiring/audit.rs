//! `tidegate audit verify` and `export`: they read the database itself, beside a gate that may be running.

use std::{
    error::Error,
    io::{BufWriter, Write as _},
    process::ExitCode,
};

use serde_json::json;

use super::command::{failed, print, runtime_of_one};
use crate::{
    adapters::{
        cli::exit,
        persistence::sea_orm::{DatabaseConfig, SeaOrmRepository},
    },
    app::audit::{AuditKey, Verification, export, head_text, parse_head, verify},
    config::{self, Config, Sources},
    ports::repository::Repository,
};

/// There is no database to look into.
#[derive(Debug, thiserror::Error)]
#[error("database.url is memory: the audit ends with the gate")]
struct NoDatabase;

/// The export is whole, but for these.
#[derive(Debug, thiserror::Error)]
#[error("{0} entries cannot be read: they were altered; tidegate audit verify says more")]
struct Tampered(u64);

/// Walks the chain; what does not fit is told on standard output, and makes the command fail.
pub(super) fn run_verify(sources: &Sources, anchor: Option<&str>, json: bool) -> ExitCode {
    let anchor = match anchor.map(parse_head).transpose() {
        Ok(anchor) => anchor,
        Err(error) => {
            eprintln!("error: --anchor {error}");
            return ExitCode::from(exit::USAGE);
        }
    };
    let config = match load(sources) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let walked = runtime_of_one(async {
        let repository = open(&config).await?;
        let verified = verify(&repository, &audit_key(&config), anchor).await;
        repository.close().await;
        Ok(verified?)
    });
    match walked {
        Err(error) => failed(&*error, exit::FAILED),
        Ok(verification) => {
            let keyed = config.audit.key.is_some();
            print(&if json { as_json(&verification) } else { in_words(&verification, anchor.is_some(), keyed) });
            if verification.holds() { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) }
        }
    }
}

/// Prints the entries after a number, and the head.
pub(super) fn run_export(sources: &Sources, after: u64) -> ExitCode {
    let config = match load(sources) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let exported = runtime_of_one(async {
        let repository = open(&config).await?;
        let mut out = BufWriter::new(std::io::stdout());
        let exported = export(&mut *repository.view().await?, after, &mut out).await;
        out.flush()?;
        repository.close().await;
        Ok(exported?)
    });
    match exported {
        Err(error) => failed(&*error, exit::FAILED),
        Ok(exported) if exported.unreadable > 0 => failed(&Tampered(exported.unreadable), exit::FAILED),
        Ok(_) => ExitCode::SUCCESS,
    }
}

/// What the chain is made under.
pub(super) fn audit_key(config: &Config) -> AuditKey {
    AuditKey::new(config.audit.key.clone().map(Into::into))
}

fn load(sources: &Sources) -> Result<Config, ExitCode> {
    config::load(sources).map(|loaded| loaded.config).map_err(|error| failed(&error, exit::USAGE))
}

async fn open(config: &Config) -> Result<SeaOrmRepository, Box<dyn Error>> {
    let url = config.database.url.stored().cloned().ok_or(NoDatabase)?;
    let database = DatabaseConfig { max_connections: 2, ..DatabaseConfig::new(url) };
    Ok(SeaOrmRepository::open_for_reading(&database).await?)
}

fn as_json(found: &Verification) -> String {
    let faults: Vec<_> = found.faults.iter().map(ToString::to_string).collect();
    let value = json!({
        "ok": found.holds(),
        "entries": found.entries,
        "head": head_text(&found.head),
        "anchored": found.anchored,
        "faults": faults,
        "more_faults": found.more_faults,
    });
    format!("{value:#}\n")
}

fn in_words(found: &Verification, with_anchor: bool, keyed: bool) -> String {
    let mut lines: Vec<_> = found.faults.iter().map(|fault| format!("FAULT  {fault}")).collect();
    if found.more_faults > 0 {
        lines.push(format!("FAULT  … and {} more", found.more_faults));
    }
    let entries = found.entries;
    lines.push(if found.holds() {
        format!("all {entries} entries fit")
    } else {
        format!("{entries} entries were read")
    });
    lines.push(format!("head   {}", head_text(&found.head)));
    if with_anchor && found.anchored > 0 {
        let after = found.head.sequence.saturating_sub(found.anchored);
        lines.push(format!("anchored up to entry {}; {after} after it are not", found.anchored));
    } else if !with_anchor {
        lines.push("the tail is unanchored: entries cut off at the end are found with --anchor, a head from the log or an export".to_owned());
    }
    if !keyed {
        lines.push("audit.key is not set: whoever can write the database can make the chain anew".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}
