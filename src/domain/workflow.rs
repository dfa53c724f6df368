//! A named, workspace-owned thing to run.

use jiff::Timestamp;

use super::{
    engine::{EngineName, ProcessKey},
    ids::{DeploymentId, WorkflowId},
    text::{Name, Remark},
    workspace::WorkspaceId,
};

/// A workflow, bound to an engine and a process definition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// Its id, and its event channel's.
    pub id: WorkflowId,
    /// Who owns it.
    pub workspace: WorkspaceId,
    /// Its name, unique in the workspace.
    pub name: Name,
    /// What it is for.
    pub description: Option<Remark>,
    /// Where it runs.
    pub engine: EngineName,
    /// What runs; unique with engine and workspace.
    pub process_key: ProcessKey,
    /// What was last deployed for it.
    pub latest_deployment: Option<LatestDeployment>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, from 1: the `ETag`.
    pub revision: u64,
}

/// What was last deployed for a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatestDeployment {
    /// The deployment.
    pub id: DeploymentId,
    /// The process definition's version in it, from 1.
    pub version: u32,
    /// When.
    pub created_at: Timestamp,
}
