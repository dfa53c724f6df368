//! The groups of the document.

use poem_openapi::Tags;

/// The groups of the document, one file each.
#[derive(Tags)]
pub(super) enum Tag {
    /// Who is calling.
    #[oai(rename = "identity")]
    Identity,
    /// Long-lived credentials for programs.
    #[oai(rename = "service tokens")]
    ServiceTokens,
    /// What ends the tokens of identity providers before their time.
    #[oai(rename = "revocations")]
    Revocations,
    /// Who did what.
    #[oai(rename = "audit")]
    Audit,
    /// The tenancy units.
    #[oai(rename = "workspaces")]
    Workspaces,
    /// Named things to run.
    #[oai(rename = "workflows")]
    Workflows,
    /// Runs of workflows.
    #[oai(rename = "executions")]
    Executions,
    /// What happens, as it happens.
    #[oai(rename = "events")]
    Events,
    /// Resources put on an engine.
    #[oai(rename = "deployments")]
    Deployments,
    /// Process instances, in the engines' own words.
    #[oai(rename = "processes")]
    Processes,
    /// What waits for people.
    #[oai(rename = "user tasks")]
    UserTasks,
    /// Messages and signals to waiting processes.
    #[oai(rename = "messages")]
    Messages,
    /// What waits for workers.
    #[oai(rename = "jobs")]
    Jobs,
    /// The engines behind the gate.
    #[oai(rename = "engines")]
    Engines,
    /// Health and documentation.
    #[oai(rename = "operations")]
    Operations,
}
