//! Issuers as they are written: `[[auth.issuers]]` in the file or as JSON in the environment, and single keys of them by
//! name (`TIDEGATE_AUTH__ISSUERS__CORP__SECRET`), laid over each other.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::{
    super::{
        key::Kind,
        origin::Origin,
        problem::Findings,
        value::{self, Given, Typed},
    },
    LIST,
    keys::{self, IssuerKey},
};

/// One key of one issuer, set by the issuer's name.
#[derive(Debug, Clone)]
pub(in crate::config) struct Setting {
    issuer: String,
    key: &'static IssuerKey,
    value: Value,
    origin: Origin,
}

impl Setting {
    /// Reads what is set for `auth.issuers.<rest>`; the reason where it cannot be.
    pub(in crate::config) fn read(rest: &str, given: Given, origin: Origin) -> Result<Self, String> {
        let (issuer, key) = split(rest)?;
        Ok(Self { issuer, key, value: value::read(key.kind, given)?, origin })
    }

    /// Where it came from, under its full name.
    pub(in crate::config) fn origin(&self) -> (String, Origin) {
        (format!("{LIST}.{}.{}", self.issuer, self.key.name), self.origin.clone())
    }
}

/// The kind of value that `auth.issuers.<rest>` takes, if it is a key.
pub(in crate::config) fn kind_of(rest: &str) -> Option<Kind> {
    split(rest).ok().map(|(_, key)| key.kind)
}

fn split(rest: &str) -> Result<(String, &'static IssuerKey), String> {
    let Some((issuer, name)) = rest.rsplit_once('.') else {
        return Err("an issuer's key is set by its name: auth.issuers.corp.secret".to_owned());
    };
    let key = keys::find(name).ok_or_else(|| keys::unknown(name))?;
    if key.name == "name" {
        return Err("the name stands in the variable already".to_owned());
    }
    // A name may hold what becomes a dot on the way here.
    Ok((issuer.replace('.', "__"), key))
}

/// One issuer's keys, each read by its kind.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) name: String,
    values: BTreeMap<&'static str, Value>,
    /// Of those that are set by name; the others came with the list.
    origins: BTreeMap<&'static str, Origin>,
}

impl Table {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The names of the keys that are set.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.values.keys().copied()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The value of a key. Its type was seen to when it was set.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.values.get(key).and_then(|value| value.deserialize().ok())
    }

    /// Where a key came from that is set by name; whoever set the first of them, named the issuer.
    pub(super) fn origin(&self, key: &str) -> Option<&Origin> {
        let names = || self.origins.values().next().filter(|_| key == "name" && !self.has("name"));
        self.origins.get(key).or_else(names)
    }

    /// Whether a key has its value from the list.
    pub(super) fn is_listed(&self, key: &str) -> bool {
        self.has(key) && !self.origins.contains_key(key)
    }

    fn set(&mut self, setting: Setting) {
        self.values.insert(setting.key.name, setting.value);
        self.origins.insert(setting.key.name, setting.origin);
    }

    /// Variables cannot hold hyphens, so an underscore stands for one there.
    fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.name.replace('-', "_") == name
    }
}

/// Lays over each other: what aliases say, the list, and what is set by name.
pub(super) fn gather(
    aliases: Vec<Setting>,
    list: &[Dict],
    by_name: Vec<Setting>,
    findings: &mut Findings,
) -> Vec<Table> {
    let mut tables: Vec<_> = list.iter().filter_map(|entry| read(entry, findings)).collect();
    for setting in aliases.into_iter().chain(by_name) {
        let found = tables.iter_mut().filter(|table| table.answers_to(&setting.issuer)).collect::<Vec<_>>();
        let key = format!("{LIST}.{}.{}", setting.issuer, setting.key.name);
        match <[&mut Table; 1]>::try_from(found) {
            Ok([table]) => table.set(setting),
            Err(none) if none.is_empty() => {
                let mut table = Table::named(&setting.issuer);
                table.set(setting);
                tables.push(table);
            }
            Err(_) => findings.refuse_at(key, setting.origin, "several issuers could be meant: their names are alike"),
        }
    }
    tables
}

fn read(entry: &Dict, findings: &mut Findings) -> Option<Table> {
    let Some(name) = entry.get("name").and_then(Value::as_str) else {
        findings.refuse(LIST, "every issuer needs a name");
        return None;
    };
    let mut table = Table::named(name);
    for (given, value) in entry {
        let place = format!("{LIST}.{name}.{given}");
        let Some(key) = keys::find(given) else {
            findings.refuse(place, keys::unknown(given));
            continue;
        };
        match Typed::of(value).and_then(|typed| value::read(key.kind, Given::Typed(typed))) {
            Ok(value) => {
                table.values.insert(key.name, value);
            }
            Err(reason) => findings.refuse(place, reason),
        }
    }
    Some(table)
}
