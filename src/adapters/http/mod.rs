//! The HTTP API: poem-openapi operations behind one gate.
//!
//! A request passes, in this order: its id, the operation table (which finds the operation and says who may), credentials,
//! the [`AuthContext`](crate::app::context::AuthContext), its parameters and its body, the use case; and on its way back
//! the headers of every answer and one line in the log. Statuses are known to `problem.rs` and `codes.rs` alone.

mod answers;
mod audit;
mod body;
mod call;
mod chatkit;
mod client_address;
mod codes;
mod conditions;
mod credentials;
mod deployments;
mod document;
mod engines;
mod errors;
mod event_stream;
mod events;
mod executions;
mod explain;
mod failed_engines;
mod fields;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod headers;
mod identity;
mod ijson;
mod jobs;
mod json;
mod judged;
mod matcher;
mod members;
mod messages;
mod operations;
mod operations_api;
mod pages;
mod paging;
mod params;
mod percent;
mod problem;
mod processes;
mod protocol;
mod refusals;
mod revocations;
mod server;
mod service_tokens;
mod socket;
mod static_text;
mod tags;
mod text;
mod user_tasks;
mod workflows;
mod workos_events;
mod workspaces;
mod yaml;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use poem::{Endpoint, Response, endpoint::BoxEndpoint, http::Method};
use poem_openapi::OpenApi;
use tokio_util::sync::CancellationToken;

use self::{
    audit::AuditApi,
    chatkit::ChatkitApi,
    client_address::ClientAddress,
    deployments::DeploymentsApi,
    engines::EnginesApi,
    events::EventsApi,
    executions::ExecutionsApi,
    gate::{Gate, Route},
    headers::Cors,
    identity::IdentityApi,
    jobs::JobsApi,
    matcher::Matcher,
    members::MembersApi,
    messages::MessagesApi,
    operations::{OPERATIONS, Operation},
    operations_api::OperationsApi,
    processes::ProcessesApi,
    revocations::RevocationsApi,
    service_tokens::ServiceTokensApi,
    socket::SocketApi,
    user_tasks::UserTasksApi,
    workflows::WorkflowsApi,
    workos_events::WorkosEventsApi,
    workspaces::WorkspacesApi,
};
pub use self::{
    client_address::TrustedProxies,
    credentials::of_headers as credential,
    document::Document,
    explain::{Asked, Explanation, explain, explain_refusal},
    server::{Limits, serve},
    workos_events::WorkosWebhook,
};
use crate::{
    app::App,
    domain::{identity::Identity, scope::Scopes, workspace::WorkspaceAccess},
};

/// How the HTTP API behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most bytes that a body may have.
    pub body_limit: usize,
    /// How long an answer may take, besides the wait that a request asks for.
    pub request_timeout: Duration,
    /// Origins whose pages may call the API: `*`, or as browsers send them.
    pub cors_allow_origins: Vec<String>,
    /// The host of the public URL: with authentication switched off, a `Host` that is answered.
    pub public_host: Option<String>,
    /// Whether a stream of events, by SSE or WebSocket, takes a token in the query.
    pub query_tokens: bool,
    /// The proxies that say from where a request comes.
    pub trusted_proxies: TrustedProxies,
    /// How often a WebSocket is pinged. Whoever is silent, or takes nothing, for three times as long is gone.
    pub heartbeat: Duration,
    /// Whose events are heard at `/auth/workos/events`.
    pub workos: Vec<WorkosWebhook>,
    /// What is spent on connections at most.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 4 << 20,
            request_timeout: Duration::from_secs(30),
            cors_allow_origins: Vec::new(),
            public_host: None,
            query_tokens: true,
            trusted_proxies: TrustedProxies::default(),
            heartbeat: Duration::from_secs(15),
            workos: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// All operations.
type Apis = (Admission, Work);
/// Who comes in. (In two halves, since a tuple of poem-openapi has room for 16.)
type Admission = (
    OperationsApi,
    IdentityApi,
    ChatkitApi,
    ServiceTokensApi,
    RevocationsApi,
    WorkosEventsApi,
    AuditApi,
    WorkspacesApi,
    MembersApi,
);
/// What they do.
type Work = (
    WorkflowsApi,
    ExecutionsApi,
    EventsApi,
    SocketApi,
    DeploymentsApi,
    ProcessesApi,
    UserTasksApi,
    MessagesApi,
    JobsApi,
    EnginesApi,
);

/// The API over these use cases. Open streams end when `stopping` says so.
pub fn routes(
    app: Arc<App>,
    settings: Settings,
    stopping: &CancellationToken,
) -> impl Endpoint<Output = Response> + use<> {
    let app_of = || Arc::clone(&app);
    let cors = Cors::of(&settings.cors_allow_origins);
    let admission: Admission = (
        OperationsApi { app: app_of(), document: OnceLock::new() },
        IdentityApi { app: app_of() },
        ChatkitApi { app: app_of() },
        ServiceTokensApi { app: app_of() },
        RevocationsApi { app: app_of() },
        WorkosEventsApi { app: app_of(), webhooks: settings.workos.clone() },
        AuditApi { app: app_of() },
        WorkspacesApi { app: app_of() },
        MembersApi { app: app_of() },
    );
    let work: Work = (
        WorkflowsApi { app: app_of() },
        ExecutionsApi { app: app_of() },
        EventsApi { app: app_of(), stopping: stopping.clone() },
        SocketApi {
            app: app_of(),
            cors: cors.clone(),
            request_timeout: settings.request_timeout,
            heartbeat: settings.heartbeat,
            stopping: stopping.clone(),
        },
        DeploymentsApi { app: app_of() },
        ProcessesApi { app: app_of() },
        UserTasksApi { app: app_of() },
        MessagesApi { app: app_of() },
        JobsApi { app: app_of() },
        EnginesApi { app: app_of() },
    );
    let mut endpoints = HashMap::new();
    (admission, work).add_routes(&mut endpoints);
    let queries = document::known_queries().into_iter();
    let routes = OPERATIONS
        .iter()
        .zip(queries)
        .map(|(operation, query)| Route { endpoint: take(&mut endpoints, operation), query })
        .collect();
    Gate {
        cors,
        addresses: ClientAddress::behind(settings.trusted_proxies.clone()),
        matcher: Matcher::of(OPERATIONS),
        routes,
        tasks: app.core.commands.tasks().clone(),
        nobody: Arc::new(Identity::anonymous(Scopes::new(), WorkspaceAccess::none())),
        app,
        settings,
    }
}

type Endpoints = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// What poem-openapi made for an operation. It numbers the parameters of its paths.
fn take(endpoints: &mut Endpoints, operation: &Operation) -> Option<BoxEndpoint<'static>> {
    let mut number = 0;
    let segments = operation.path.split('/').map(|segment| {
        if !segment.starts_with('{') {
            return segment.to_owned();
        }
        number += 1;
        format!(":param{}", number - 1)
    });
    let path = segments.collect::<Vec<_>>().join("/");
    endpoints.get_mut(&path)?.remove(&Method::from_bytes(operation.verb.as_str().as_bytes()).ok()?)
}
