//! The words of engines: names, keys and handles.

use std::fmt;

use super::text::{InvalidText, Key};

/// An engine's configured name: a slug, as for workspaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineName(String);

impl EngineName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidText`] when the text is no slug.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        super::workspace::WorkspaceId::parse(text).map(|slug| Self(slug.to_string()))
    }

    /// What the embedded engine is called where no config names it.
    pub fn embedded() -> Self {
        Self("embedded".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A process definition's key: the `id` of the BPMN `process`.
pub type ProcessKey = Key;

/// An engine's own id of an instance, a task, a job or an incident: opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NativeId(String);

impl NativeId {
    /// Wraps an engine's id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NativeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public id of an instance, a task or a job: `<engine>~<native id>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The engine's configured name.
    pub engine: EngineName,
    /// The engine's own id.
    pub native: NativeId,
}

impl Handle {
    /// Names a thing of an engine.
    pub const fn new(engine: EngineName, native: NativeId) -> Self {
        Self { engine, native }
    }

    /// Reads `<engine>~<native id>`; `None` when the text has no engine: then it may be a bare native id, which the
    /// ownership table resolves.
    pub fn parse(text: &str) -> Option<Self> {
        let (engine, native) = text.split_once('~')?;
        if native.is_empty() {
            return None;
        }
        Some(Self { engine: EngineName::parse(engine).ok()?, native: NativeId::new(native) })
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.engine, self.native)
    }
}
