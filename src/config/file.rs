//! Reads `config.toml`, with the line of every key.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    key,
    layer::Layer,
    origin::Origin,
    problem::Findings,
    sources::Sources,
    value::{Given, Typed},
};

const DEFAULT_NAME: &str = "config.toml";

/// Reads the file that the sources name, or else `./config.toml` if there is one.
pub(super) fn read(sources: &Sources, findings: &mut Findings) -> Layer {
    let (path, named_by) = match (&sources.config, sources.variable("TIDEGATE_CONFIG")) {
        (Some(path), _) => (path.clone(), Some("--config")),
        (None, Some(path)) => (PathBuf::from(path), Some("TIDEGATE_CONFIG")),
        (None, None) => (sources.directory.clone().unwrap_or_default().join(DEFAULT_NAME), None),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => read_text(&path, &text, findings),
        Err(error) if error.kind() == ErrorKind::NotFound && named_by.is_none() => Layer::default(),
        Err(error) => {
            let by = named_by.map(|by| format!(", which {by} names,")).unwrap_or_default();
            findings.refuse(path.display().to_string(), format!("the config file{by} cannot be read: {error}"));
            Layer::default()
        }
    }
}

fn read_text(path: &Path, text: &str, findings: &mut Findings) -> Layer {
    let mut layer = Layer::default();
    match DeTable::parse(text) {
        Ok(table) => Walk { path, text, layer: &mut layer, findings }.table("", table.get_ref()),
        Err(error) => {
            // Not the error's `Display`: that repeats the line, which may hold a secret.
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let origin = Origin::File { path: path.to_owned(), line };
            findings.refuse_at("config.toml", origin, format!("not readable as TOML: {}", error.message()));
        }
    }
    layer
}

struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    layer: &'a mut Layer,
    findings: &'a mut Findings,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            let origin = Origin::File { path: self.path.to_owned(), line: line_of(self.text, name.span().start) };
            match value.get_ref() {
                DeValue::Table(inner) if key::is_section(&path) => self.table(&path, inner),
                _ => self.value(&path, value, origin),
            }
        }
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, origin: Origin) {
        match typed(value.get_ref()) {
            Ok(typed) => self.layer.set(path, Given::Typed(typed), origin, self.findings),
            Err(reason) => self.findings.refuse_at(path, origin, reason),
        }
    }
}

fn typed(value: &DeValue<'_>) -> Result<Typed, String> {
    Ok(match value {
        DeValue::String(text) => Typed::Text(text.to_string()),
        DeValue::Integer(number) => Typed::Integer(
            i64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| "must be a number of 64 bits".to_owned())?,
        ),
        DeValue::Float(number) => Typed::Decimal(number.as_str().parse().map_err(|_| "must be a number".to_owned())?),
        DeValue::Boolean(flag) => Typed::Flag(*flag),
        DeValue::Datetime(moment) => Typed::Text(moment.to_string()),
        DeValue::Array(items) => Typed::List(items.iter().map(|item| typed(item.get_ref())).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let members = table.iter().map(|(name, value)| Ok((name.get_ref().to_string(), typed(value.get_ref())?)));
            Typed::Table(members.collect::<Result<_, String>>()?)
        }
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
