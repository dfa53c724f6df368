//! Tag `engines`: the engines behind the gate.

use std::sync::Arc;

use poem_openapi::OpenApi;

use super::{
    answers::Ok200,
    conditions::Who,
    json::{List, response},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{App, access, engines::EngineStatus},
    domain::scope::Scope,
    ports::engine::Capabilities,
};

/// Tag `engines`.
pub(super) struct EnginesApi {
    pub(super) app: Arc<App>,
}

response! {
    /// An engine behind the gate.
    pub(super) struct EngineBody {
        /// Its configured name.
        required name ("name"): String,
        /// Whether starts go there when nothing else is said.
        required default ("default"): bool,
        /// `C7`, `Op`, `C8` or `Embedded`.
        required kind ("kind"): &'static str,
        /// `ok`, or `unavailable`.
        required health ("health"): &'static str,
        /// The product's version, where it answers.
        nullable version ("version"): String,
        /// What it can do that not all can.
        required capabilities ("capabilities"): CapabilitiesBody,
    }
}

response! {
    /// What an engine can do that not all can.
    pub(super) struct CapabilitiesBody {
        /// A completion after the lock ran out is refused.
        required refuses_late_completion ("refuses_late_completion"): bool,
        /// A message may wait for its receiver.
        required buffers_messages ("buffers_messages"): bool,
        /// Variables of a running instance can be set from outside.
        required sets_variables ("sets_variables"): bool,
    }
}

impl From<Capabilities> for CapabilitiesBody {
    fn from(capabilities: Capabilities) -> Self {
        let Capabilities { refuses_late_completion, buffers_messages, sets_variables } = capabilities;
        Self { refuses_late_completion, buffers_messages, sets_variables }
    }
}

impl From<EngineStatus> for EngineBody {
    fn from(engine: EngineStatus) -> Self {
        let health = match &engine.health {
            Ok(_) => "ok",
            Err(error) => {
                tracing::warn!(engine = %engine.name, error = %error, "an engine does not answer");
                "unavailable"
            }
        };
        Self {
            name: engine.name.to_string(),
            default: engine.default,
            kind: engine.kind.as_str(),
            health,
            version: engine.health.ok().map(|health| health.version),
            capabilities: engine.capabilities.into(),
        }
    }
}

#[OpenApi(tag = "Tag::Engines")]
impl EnginesApi {
    /// List engines
    ///
    /// Their kinds, versions, health and capabilities.
    #[oai(path = "/api/engines", method = "get", operation_id = "list_engines")]
    async fn list(&self, who: Who) -> Result<Ok200<List<EngineBody>>, Problem> {
        access::in_some_workspace(&who.0, Scope::WorkflowsRead)?;
        let statuses = self.app.core.engines.statuses().await;
        Ok(Ok200::new(List { items: statuses.into_iter().map(Into::into).collect(), next_cursor: None }))
    }
}
