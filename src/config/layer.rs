//! One source's keys, ready to be laid over another's.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::{
    issuers,
    key::{self, Kind, Standing},
    origin::Origin,
    problem::Findings,
    sources::Argument,
    value::{self, Given},
};

/// The keys that one source sets, each read by its kind.
#[derive(Debug, Default)]
pub(super) struct Layer {
    keys: Vec<(&'static str, Value, Origin)>,
    /// Keys of single issuers, which are laid over the list of them.
    pub(super) issuers: Vec<issuers::Setting>,
}

impl Layer {
    /// Takes a value for a path, or notes why it cannot.
    pub(super) fn set(&mut self, path: &str, given: Given, origin: Origin, findings: &mut Findings) {
        if let Some(section) = key::later_section(path) {
            return findings.refuse_at(path, origin, key::not_built_yet(section));
        }
        if let Some(rest) = path.strip_prefix(issuers::PREFIX) {
            match issuers::Setting::read(rest, given, origin.clone()) {
                Ok(setting) => self.issuers.push(setting),
                Err(reason) => findings.refuse_at(path, origin, reason),
            }
            return;
        }
        let Some(known) = key::find(path) else {
            let reason = if key::is_section(path) { "must be a table of keys".to_owned() } else { key::unknown(path) };
            return findings.refuse_at(path, origin, reason);
        };
        if known.standing == Standing::Later {
            return findings.refuse_at(path, origin, key::not_built_yet(path));
        }
        match value::read(known.kind, given) {
            Ok(value) => self.keys.push((known.path, value, origin)),
            Err(reason) => findings.refuse_at(path, origin, reason),
        }
    }

    /// The names of the issuers that it lists.
    pub(super) fn listed_issuers(&self) -> impl Iterator<Item = &str> {
        let lists =
            self.keys.iter().filter(|(path, ..)| *path == issuers::LIST).filter_map(|(_, list, _)| list.as_array());
        lists.flatten().filter_map(|entry| entry.as_dict()?.get("name")?.as_str())
    }

    /// Where its keys came from.
    pub(super) fn origins(&self) -> impl Iterator<Item = (String, Origin)> {
        let keys = self.keys.iter().map(|(path, _, origin)| ((*path).to_owned(), origin.clone()));
        keys.chain(self.issuers.iter().map(issuers::Setting::origin))
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("config")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        let mut root = Dict::new();
        for (path, value, _) in &self.keys {
            insert(&mut root, path, value.clone());
        }
        Ok(Map::from([(Profile::Default, root)]))
    }
}

fn insert(dict: &mut Dict, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            dict.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let entry = dict.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = entry {
                insert(inner, rest, value);
            }
        }
    }
}

/// Whether others on this machine would see a secret: the key's, the password of a URL, or one of an issuer's in the list.
fn holds_secret(key: &str, text: &str) -> bool {
    match key::kind_of(key) {
        Some(Kind::Secret) => true,
        Some(Kind::Url) => url::Url::parse(text).is_ok_and(|url| url.password().is_some()),
        Some(Kind::Tables) => issuers::names_secret(text),
        _ => false,
    }
}

/// Reads the keys that the command line sets.
pub(super) fn read_arguments(arguments: &[Argument], findings: &mut Findings) -> Layer {
    let mut layer = Layer::default();
    for Argument { key, text, option } in arguments {
        let origin = Origin::Argument(option.clone());
        if holds_secret(key, text) {
            findings.refuse_at(key, origin, "a secret on the command line shows in the machine's list of processes");
        } else {
            layer.set(key, Given::Text(text.clone()), origin, findings);
        }
    }
    layer
}
