//! One source's keys, ready to be laid over another's.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::{
    key::{self, Kind, Standing},
    origin::Origin,
    problem::Findings,
    sources::Argument,
    value::{self, Given},
};

/// The keys that one source sets, each read by its kind.
#[derive(Debug, Default)]
pub(super) struct Layer(Vec<(&'static str, Value, Origin)>);

impl Layer {
    /// Takes a value for a path, or notes why it cannot.
    pub(super) fn set(&mut self, path: &str, given: Given, origin: Origin, findings: &mut Findings) {
        if let Some(section) = key::later_section(path) {
            return findings.refuse_at(path, origin, key::not_built_yet(section));
        }
        let Some(known) = key::find(path) else {
            let reason = if key::is_section(path) { "must be a table of keys".to_owned() } else { key::unknown(path) };
            return findings.refuse_at(path, origin, reason);
        };
        if known.standing == Standing::Later {
            return findings.refuse_at(path, origin, key::not_built_yet(path));
        }
        match value::read(known.kind, given) {
            Ok(value) => self.0.push((known.path, value, origin)),
            Err(reason) => findings.refuse_at(path, origin, reason),
        }
    }

    /// Where its keys came from.
    pub(super) fn origins(&self) -> impl Iterator<Item = (String, Origin)> {
        self.0.iter().map(|(path, _, origin)| ((*path).to_owned(), origin.clone()))
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("config")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        let mut root = Dict::new();
        for (path, value, _) in &self.0 {
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

/// Reads the keys that the command line sets.
pub(super) fn read_arguments(arguments: &[Argument], findings: &mut Findings) -> Layer {
    let mut layer = Layer::default();
    for Argument { key, text, option } in arguments {
        let origin = Origin::Argument(option.clone());
        if key::find(key).is_some_and(|known| known.kind == Kind::Secret) {
            findings.refuse_at(key, origin, "a secret on the command line shows in the machine's list of processes");
        } else {
            layer.set(key, Given::Text(text.clone()), origin, findings);
        }
    }
    layer
}
