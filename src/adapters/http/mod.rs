//! The HTTP API: poem-openapi operations behind one gate.
//!
//! A request passes, in this order: its id, the operation table (which finds the operation and says who may), credentials,
//! the [`AuthContext`](crate::app::context::AuthContext), its parameters and its body, the use case; and on its way back
//! the headers of every answer and one line in the log. Statuses are known to `problem.rs` and `codes.rs` alone.

mod answers;
mod body;
mod call;
mod codes;
mod conditions;
mod credentials;
mod document;
mod errors;
mod fields;
mod gate;
mod headers;
mod identity;
mod ijson;
mod json;
mod matcher;
mod operations;
mod operations_api;
mod pages;
mod paging;
mod params;
mod percent;
mod problem;
mod refusals;
mod server;
mod tags;
mod text;
mod yaml;

use std::{collections::HashMap, sync::Arc, time::Duration};

use poem::{Endpoint, Response, endpoint::BoxEndpoint, http::Method};
use poem_openapi::OpenApi;
use tokio_util::sync::CancellationToken;

pub use self::{document::Document, server::serve};
use self::{
    gate::{Gate, Route},
    headers::Cors,
    identity::IdentityApi,
    matcher::Matcher,
    operations::{OPERATIONS, Operation},
    operations_api::OperationsApi,
};
use crate::app::App;

/// How the HTTP API behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most bytes that a body may have.
    pub body_limit: usize,
    /// How long an answer may take, besides the wait that a request asks for.
    pub request_timeout: Duration,
    /// Origins whose pages may call the API: `*`, or as browsers send them.
    pub cors_allow_origins: Vec<String>,
    /// The host of the public URL: with authentication switched off, a `Host` that is answered.
    pub public_host: Option<String>,
    /// Whether event streams take a token in the query.
    pub query_tokens: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 4 << 20,
            request_timeout: Duration::from_secs(30),
            cors_allow_origins: Vec::new(),
            public_host: None,
            query_tokens: true,
        }
    }
}

/// All operations.
type Apis = (OperationsApi, IdentityApi);

/// The API over these use cases. Open streams end when `stopping` says so.
pub fn routes(
    app: Arc<App>,
    settings: Settings,
    stopping: &CancellationToken,
) -> impl Endpoint<Output = Response> + use<> {
    let document = Arc::new(Document::generate());
    let apis: Apis = (OperationsApi { app: Arc::clone(&app), document }, IdentityApi);
    let _ = stopping;
    let mut endpoints = HashMap::new();
    apis.add_routes(&mut endpoints);
    let queries = document::known_queries().into_iter();
    let routes = OPERATIONS
        .iter()
        .zip(queries)
        .map(|(operation, query)| Route { endpoint: take(&mut endpoints, operation), query })
        .collect();
    Gate {
        cors: Cors::of(&settings.cors_allow_origins),
        matcher: Matcher::of(OPERATIONS),
        routes,
        tasks: app.core.commands.tasks().clone(),
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
