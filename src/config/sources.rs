//! What a config is read from.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::PathBuf};

/// Everything that [`load`](super::load) looks at: nothing else of the process is read, so that tests need no process.
#[derive(Clone, Default)]
pub struct Sources {
    /// The environment. A value that is not Unicode stays as it is until somebody asks for it.
    pub environment: BTreeMap<String, OsString>,
    /// The file that `--config` names.
    pub config: Option<PathBuf>,
    /// Where `config.toml` is looked for when nobody names a file; the working directory if `None`.
    pub directory: Option<PathBuf>,
    /// Keys that the command line sets: the key, its text, and the option that gave it.
    pub arguments: Vec<Argument>,
}

/// A key that the command line sets.
#[derive(Clone)]
pub struct Argument {
    /// The key's path, such as `server.bind`.
    pub key: String,
    /// Its value, read as in the environment.
    pub text: String,
    /// The option as it is to be shown, such as `--bind`.
    pub option: String,
}

/// Which value is a secret is known only when all are read: none is shown.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("environment", &self.environment.keys())
            .field("config", &self.config)
            .field("directory", &self.directory)
            .field("arguments", &self.arguments)
            .finish()
    }
}

impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Argument").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Sources {
    /// This process's environment and working directory.
    pub fn of_process() -> Self {
        let environment =
            std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().map(|name| (name, value))).collect();
        Self { environment, ..Self::default() }
    }

    /// Sources with an environment and nothing else: no file is looked for in the working directory.
    pub fn of_environment<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let environment = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Self { environment, directory: Some(PathBuf::from("/nonexistent")), ..Self::default() }
    }

    /// A variable that is set to something, as text.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }
}
