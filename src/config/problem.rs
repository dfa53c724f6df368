//! What is wrong with a config, and what should be known about it.

use std::fmt;

use super::origin::{Origin, Origins};

/// One thing that stops the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, or the variable or file where there is none.
    pub key: String,
    /// Where its value came from.
    pub origin: Origin,
    /// Why it cannot stand. Never shows a secret.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Default => write!(f, "{}: {}", self.key, self.reason),
            Origin::Variable(name) | Origin::Alias(name) if *name == self.key => write!(f, "${name}: {}", self.reason),
            origin => write!(f, "{} ({origin}): {}", self.key, self.reason),
        }
    }
}

/// One thing that is allowed but should be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The key or variable that it is about.
    pub key: String,
    /// What should be known. Never shows a secret.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// The config cannot stand; everything that is wrong is listed at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
    /// What should be known besides.
    pub warnings: Vec<Warning>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the config cannot stand:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Gathers problems and warnings while sources are read and sections judged.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// `None`: the origin is that of the key's winning value.
    problems: Vec<(String, Option<Origin>, String)>,
    warnings: Vec<Warning>,
}

impl Findings {
    /// Refuses the value that a key has in the end.
    pub(super) fn refuse(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.problems.push((key.into(), None, reason.into()));
    }

    /// Refuses a value where it stands, whether or not it would win.
    pub(super) fn refuse_at(&mut self, key: impl Into<String>, origin: Origin, reason: impl Into<String>) {
        self.problems.push((key.into(), Some(origin), reason.into()));
    }

    /// Notes what should be known.
    pub(super) fn warn(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning { key: key.into(), message: message.into() });
    }

    /// Takes a judged value, or refuses the key and gives nothing.
    pub(super) fn take<T>(&mut self, key: &str, judged: Result<T, impl fmt::Display>) -> Option<T> {
        judged.map_err(|reason| self.refuse(key, reason.to_string())).ok()
    }

    pub(super) fn into_parts(self, origins: &Origins) -> (Vec<Problem>, Vec<Warning>) {
        let problems = self.problems.into_iter().map(|(key, origin, reason)| {
            let origin = origin.unwrap_or_else(|| origins.of(&key));
            Problem { key, origin, reason }
        });
        (problems.collect(), self.warnings)
    }
}
