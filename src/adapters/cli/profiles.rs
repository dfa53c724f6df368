//! `~/.config/tidegate/cli.toml`: gates by name.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use secrecy::SecretString;
use toml::{Table, Value};

use super::CliError;

/// A gate and the token for it.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub(super) api_url: Option<String>,
    pub(super) service_token: Option<SecretString>,
}

/// Finds a profile; `None` when the file has none of this name, or there is no file.
///
/// No error shows what the file holds: a broken line may be the one with the token.
pub(super) fn find(path: &Path, name: &str) -> Result<Option<Profile>, CliError> {
    let unusable = |reason: String| CliError::Usage(format!("{}: {reason}", path.display()));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(format!("cannot be read: {error}"))),
    };
    let table: Table = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
        unusable(format!("line {line} is not readable as TOML"))
    })?;
    let Some(profile) = table.get("profiles").and_then(|profiles| profiles.get(name)) else { return Ok(None) };
    warn_of_readers(path);
    read(profile).map(Some).map_err(|reason| unusable(format!("[profiles.{name}]: {reason}")))
}

fn read(profile: &Value) -> Result<Profile, String> {
    let mut found = Profile::default();
    for (key, value) in profile.as_table().ok_or("must be a table")? {
        let text = value.as_str().ok_or_else(|| format!("{key} must be a text"))?;
        match key.as_str() {
            "api_url" => found.api_url = Some(text.to_owned()),
            "service_token" => found.service_token = Some(SecretString::from(text)),
            _ => return Err(format!("unknown key {key}; there are api_url and service_token")),
        }
    }
    Ok(found)
}

fn warn_of_readers(path: &Path) {
    let open = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
    if open {
        eprintln!("warning: others can read {0}, and it holds tokens: chmod 600 {0}", path.display());
    }
}
