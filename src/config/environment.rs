//! Reads the variables that are keys: `TIDEGATE_AUTH__MODE` sets `auth.mode`.
//!
//! Only names with `__` after `TIDEGATE_` are keys: a Kubernetes Service named tidegate injects `TIDEGATE_PORT` and the
//! like, and `TIDEGATE_URL`, `TIDEGATE_TOKEN`, `TIDEGATE_PROFILE` and `TIDEGATE_CONFIG` belong to the command line. Each is
//! read by the kind of its key, so that text stays text: figment's own `Env` turns a secret of digits into a number.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read},
};

use super::{
    key::{self, Kind},
    layer::Layer,
    origin::Origin,
    problem::Findings,
    value::Given,
};

const PREFIX: &str = "TIDEGATE_";
const FILE_SUFFIX: &str = "_FILE";
/// No secret is longer.
const MAX_SECRET_FILE: u64 = 64 * 1024;

/// Reads every variable that is a key.
pub(super) fn read(environment: &BTreeMap<String, OsString>, findings: &mut Findings) -> Layer {
    let mut layer = Layer::default();
    let mut seen = BTreeMap::new();
    for (name, value) in environment {
        let Some(path) = path_of(name) else { continue };
        let origin = Origin::Variable(name.clone());
        // Case does not count, so two may be the same.
        if let Some(other) = seen.insert(path.clone(), name) {
            findings.refuse_at(path, origin, format!("both {other} and {name} set it: keep one"));
            continue;
        }
        let Some(text) = value.to_str() else {
            findings.refuse_at(path, origin, "its value is not UTF-8");
            continue;
        };
        match name.strip_suffix(FILE_SUFFIX).filter(|_| key::kind_of(&path).is_none()) {
            Some(plain) => read_named_file(plain, text, environment, &mut layer, findings),
            None => layer.set(&path, Given::Text(text.to_owned()), origin, findings),
        }
    }
    layer
}

fn path_of(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    rest.contains("__").then(|| rest.to_ascii_lowercase().replace("__", "."))
}

/// Reads the secret that `<plain>_FILE` names the file of.
fn read_named_file(
    plain: &str,
    file: &str,
    environment: &BTreeMap<String, OsString>,
    layer: &mut Layer,
    findings: &mut Findings,
) {
    let name = format!("{plain}{FILE_SUFFIX}");
    let origin = Origin::VariableFile(name.clone());
    let Some(path) = path_of(plain) else { return };
    let refused = match key::kind_of(&path) {
        None if key::later_section(&path).is_some() => key::not_built_yet(&path),
        None => key::unknown(&path),
        Some(Kind::Secret | Kind::Url | Kind::Json) if environment.contains_key(plain) => {
            format!("both {plain} and {name} are set: keep one")
        }
        Some(Kind::Secret | Kind::Url | Kind::Json) => match read_secret(file) {
            Ok(secret) => return layer.set(&path, Given::Text(secret), origin, findings),
            Err(error) => format!("the file {file:?} cannot be read: {error}"),
        },
        Some(_) => format!("only secrets are read from files; set {plain} instead"),
    };
    findings.refuse_at(path, Origin::Variable(name), refused);
}

/// The file's text without its last newline: editors and `echo` put one there.
fn read_secret(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_SECRET_FILE + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_SECRET_FILE) {
        return Err(io::Error::other("it has more than 64 KiB"));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}
