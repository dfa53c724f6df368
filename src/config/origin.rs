//! Where values come from.

use std::{collections::BTreeMap, fmt, path::PathBuf};

/// The place that gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file, counted from 1.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// An environment variable that names the file which holds the value.
    VariableFile(String),
    /// An environment variable of another product, taken as this key.
    Alias(String),
    /// An option of the command line.
    Argument(String),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::VariableFile(name) => write!(f, "the file that ${name} names"),
            Self::Alias(name) => write!(f, "${name} (alias)"),
            Self::Argument(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The origins of all keys that somebody set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Where the value of a key came from; what lies inside a list came with the list.
    pub fn of(&self, key: &str) -> Origin {
        match (self.0.get(key), key.rsplit_once('.')) {
            (Some(origin), _) => origin.clone(),
            (None, Some((parent, _))) => self.of(parent),
            (None, None) => Origin::Default,
        }
    }
}

impl Origins {
    /// Who set this very key.
    pub(super) fn exactly(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)
    }

    /// Notes who set a key, whoever else did.
    pub(super) fn note(&mut self, key: String, origin: Origin) {
        self.0.insert(key, origin);
    }

    pub(super) fn sets(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

impl FromIterator<(String, Origin)> for Origins {
    /// Later ones win, as later layers do.
    fn from_iter<I: IntoIterator<Item = (String, Origin)>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}
