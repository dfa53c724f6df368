//! Resources put on an engine in one step.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    engine::{EngineName, ProcessKey},
    ids::{DeploymentId, WorkflowId},
    text::Name,
    workspace::WorkspaceId,
};

/// A file of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its file name.
    pub name: Name,
    /// Its text.
    pub content: String,
}

/// A process that a deployment brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedProcess {
    /// Its key.
    pub process_key: ProcessKey,
    /// Its version, from 1.
    pub version: u32,
    /// The workflow that runs it.
    pub workflow: WorkflowId,
    /// The name of the file it stands in.
    pub resource: Name,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Who owns it.
    pub workspace: WorkspaceId,
    /// Where it was put.
    pub engine: EngineName,
    /// The [`digest`] of its resources.
    pub digest: [u8; 32],
    /// What it brought.
    pub processes: Vec<DeployedProcess>,
    /// Who did it: a subject.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// The SHA-256 of names and contents, length-prefixed and in the order of names: equal exactly when the same files came.
pub fn digest(resources: &[Resource]) -> [u8; 32] {
    let mut sorted: Vec<_> = resources.iter().map(|r| (r.name.as_str(), r.content.as_str())).collect();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    for text in sorted.into_iter().flat_map(|(name, content)| [name, content]) {
        hash.update(text.len().to_string());
        hash.update(b":");
        hash.update(text);
    }
    hash.finalize().into()
}
