//! The operation table: everything that the gate answers, and who may ask for it. It is matched before anything else of a
//! request is read, and what it finds is what runs: there is no second router that could see another path.

use crate::domain::scope::Scope;

/// The methods that operations have. `HEAD` is served by `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// The method's name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a request's method is this one.
    pub(super) fn answers(self, method: &str) -> bool {
        self.as_str() == method || (self == Self::Get && method == "HEAD")
    }
}

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody; credentials are not looked at.
    Open,
    /// Everybody whom authentication lets in.
    Identity,
    /// Who has all of these scopes somewhere; use cases then ask for them in the workspace at hand.
    Scopes(&'static [Scope]),
    /// Who has all of these scopes in all workspaces, those to come included.
    Everywhere(&'static [Scope]),
    /// Users; others need these scopes in all workspaces.
    UserOr(&'static [Scope]),
    /// Who sees to the members of the workspace by their role there; others need these scopes in it.
    RoleOr(&'static [Scope]),
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) verb: Verb,
    /// The path template, as the document has it.
    pub(super) path: &'static str,
    /// The operation id: what SDKs call their methods.
    pub(super) id: &'static str,
    pub(super) access: Access,
    /// Whether a token may come in the query (authentication.md section 7).
    pub(super) query_token: bool,
    /// Whether it is a WebSocket's: a refused upgrade is accepted and closed.
    pub(super) socket: bool,
}

const fn op(verb: Verb, path: &'static str, id: &'static str, access: Access) -> Operation {
    Operation { verb, path, id, access, query_token: false, socket: false }
}

const fn stream(path: &'static str, id: &'static str, access: Access) -> Operation {
    Operation { verb: Verb::Get, path, id, access, query_token: true, socket: false }
}

const fn socket(path: &'static str, id: &'static str, access: Access) -> Operation {
    Operation { verb: Verb::Get, path, id, access, query_token: true, socket: true }
}

const READ: Access = Access::Scopes(&[Scope::WorkflowsRead]);
const WRITE: Access = Access::Scopes(&[Scope::WorkflowsWrite]);
const EXECUTE: Access = Access::Scopes(&[Scope::WorkflowsExecute]);
const WORK: Access = Access::Scopes(&[Scope::JobsWork]);
const TOKENS_READ: Access = Access::Scopes(&[Scope::AdminTokensRead]);
const TOKENS_WRITE: Access = Access::Scopes(&[Scope::AdminTokensWrite]);
const AUDIT_READ: Access = Access::Scopes(&[Scope::AdminAuditRead]);
const REVOCATIONS_READ: Access = Access::Everywhere(&[Scope::AdminTokensRead]);
const REVOCATIONS_WRITE: Access = Access::Everywhere(&[Scope::AdminTokensWrite]);
const MAKE_SESSIONS: Access = Access::Scopes(&[Scope::ChatkitSession]);
const MAKE_WORKSPACES: Access = Access::UserOr(&[Scope::AdminWorkspacesWrite]);
const MEMBERS: Access = Access::RoleOr(&[Scope::AdminWorkspacesWrite]);

use Access::{Identity, Open};
use Verb::{Delete, Get, Patch, Post, Put};

/// All of them.
pub(super) const OPERATIONS: &[Operation] = &[
    op(Get, "/health/live", "live", Open),
    op(Get, "/health/ready", "ready", Open),
    op(Get, "/openapi.json", "openapi_json", Open),
    op(Get, "/openapi.yaml", "openapi_yaml", Open),
    op(Get, "/docs", "docs", Open),
    op(Get, "/problems/{code}", "get_problem", Open),
    op(Get, "/api/whoami", "whoami", Identity),
    op(Post, "/api/chatkit/session", "create_chatkit_session", MAKE_SESSIONS),
    op(Post, "/api/admin/service-tokens", "create_service_token", TOKENS_WRITE),
    op(Get, "/api/admin/service-tokens", "list_service_tokens", TOKENS_READ),
    op(Get, "/api/admin/service-tokens/{identifier}", "get_service_token", TOKENS_READ),
    op(Delete, "/api/admin/service-tokens/{identifier}", "revoke_service_token", TOKENS_WRITE),
    op(Post, "/api/admin/service-tokens/{identifier}/rotate", "rotate_service_token", TOKENS_WRITE),
    op(Get, "/api/admin/revocations", "list_revocations", REVOCATIONS_READ),
    op(Post, "/api/admin/revocations", "create_revocation", REVOCATIONS_WRITE),
    op(Delete, "/api/admin/revocations/{id}", "lift_revocation", REVOCATIONS_WRITE),
    op(Post, "/auth/workos/events", "receive_workos_event", Open),
    op(Get, "/api/admin/audit-events", "list_audit_events", AUDIT_READ),
    op(Get, "/api/workspaces", "list_workspaces", Identity),
    op(Post, "/api/workspaces", "create_workspace", MAKE_WORKSPACES),
    op(Get, "/api/workspaces/{id}", "get_workspace", Identity),
    op(Get, "/api/workspaces/{id}/members", "list_members", MEMBERS),
    op(Put, "/api/workspaces/{id}/members/{user_id}", "put_member", MEMBERS),
    op(Delete, "/api/workspaces/{id}/members/{user_id}", "remove_member", MEMBERS),
    op(Get, "/api/workflows", "list_workflows", READ),
    op(Post, "/api/workflows", "create_workflow", WRITE),
    op(Get, "/api/workflows/{id}", "get_workflow", READ),
    op(Patch, "/api/workflows/{id}", "update_workflow", WRITE),
    op(Delete, "/api/workflows/{id}", "delete_workflow", WRITE),
    op(Post, "/api/workflows/{id}/executions", "start_execution", EXECUTE),
    op(Get, "/api/workflows/{id}/executions", "list_executions", READ),
    op(Get, "/api/executions/{id}", "get_execution", READ),
    op(Post, "/api/executions/{id}/cancel", "cancel_execution", EXECUTE),
    stream("/api/workflows/{id}/events", "read_events", READ),
    socket("/ws/workflow/{id}", "open_workflow_socket", READ),
    op(Post, "/api/deployments", "create_deployment", WRITE),
    op(Get, "/api/deployments", "list_deployments", READ),
    op(Get, "/api/deployments/{id}", "get_deployment", READ),
    op(Post, "/api/process/{processDefinitionKey}/async", "start_process", EXECUTE),
    op(Post, "/api/process/{messageName}/message", "start_process_by_message", EXECUTE),
    op(Get, "/api/process/{processInstanceId}", "get_process", READ),
    op(Get, "/api/process/{processInstanceId}/variables", "get_process_variables", READ),
    op(Get, "/api/process/{processInstanceId}/incidents", "list_incidents", READ),
    op(Post, "/api/process/{processInstanceId}/incidents/{id}/retry", "retry_incident", EXECUTE),
    op(Get, "/api/process/{processInstanceId}/userTask/{taskDefinitionKey}/variables", "get_user_task_variables", READ),
    op(Get, "/api/userTask", "list_user_tasks", READ),
    op(Post, "/api/userTask/{id}/complete", "complete_user_task", EXECUTE),
    op(Post, "/api/userTask/{id}/assign", "assign_user_task", EXECUTE),
    op(Post, "/api/message/{name}", "correlate_message", EXECUTE),
    op(Post, "/api/signal/{name}", "broadcast_signal", EXECUTE),
    op(Post, "/api/jobs/activate", "activate_jobs", WORK),
    op(Post, "/api/jobs/{id}/complete", "complete_job", WORK),
    op(Post, "/api/jobs/{id}/fail", "fail_job", WORK),
    op(Post, "/api/jobs/{id}/error", "throw_job_error", WORK),
    op(Post, "/api/jobs/{id}/extend", "extend_job_lock", WORK),
    op(Get, "/api/engines", "list_engines", READ),
];

impl Operation {
    /// The scopes that it needs.
    pub(super) fn scopes(&self) -> &'static [Scope] {
        match self.access {
            Access::Open | Access::Identity => &[],
            Access::Scopes(scopes) | Access::Everywhere(scopes) | Access::UserOr(scopes) | Access::RoleOr(scopes) => {
                scopes
            }
        }
    }
}
