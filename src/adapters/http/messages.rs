//! Tag `messages`: messages and signals to waiting processes.

use std::sync::Arc;

use jiff::SignedDuration;
use poem_openapi::OpenApi;

use super::{
    answers::{NoContent, Ok200},
    body::OptionalBody,
    conditions::{Repeatable, Who},
    fields::{FreeText, Within},
    json::response,
    params::{self, Path, Query, Raw},
    problem::Problem,
    processes::{engine_type, handle, workspace},
    tags::Tag,
};
use crate::{
    app::{
        App,
        messages::{Delivered, NewMessage},
    },
    domain::{engine::NativeId, json::JsonObject, text::Key, workspace::WorkspaceId},
    ports::engine::Correlated,
};

/// Tag `messages`.
pub(super) struct MessagesApi {
    pub(super) app: Arc<App>,
}

/// How long a message may wait for its receiver: at most a year.
type TimeToLive = Within<0, 31_622_400>;

response! {
    /// What became of a message.
    pub(super) struct DeliveredBody {
        /// `Execution` (a waiting instance took it), `ProcessInstance` (it started one) or `Buffered` (it waits).
        required result_type ("resultType"): &'static str,
        /// The id of that.
        required id ("id"): String,
        /// The instance.
        optional process_instance_id ("processInstanceId"): String,
        /// `C7`, `Op`, `C8` or `Embedded`.
        required engine_type ("engineType"): &'static str,
        /// The engine's configured name.
        required engine ("engine"): String,
    }
}

#[OpenApi(tag = "Tag::Messages")]
impl MessagesApi {
    /// Correlate a message
    ///
    /// With exactly one receiver. The body is the variables that it brings, or nothing.
    #[oai(path = "/api/message/:name", method = "post", operation_id = "correlate_message")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn correlate(
        &self,
        who: Who,
        /// The message's name.
        name: Path<Raw>,
        /// Matched with an instance's business key.
        #[oai(name = "businessKey")]
        business_key: Query<Key>,
        /// Matched with a subscription's correlation key; `businessKey` if absent.
        #[oai(name = "correlationKey")]
        correlation_key: Query<Key>,
        /// Another name of `workspaceId`.
        #[oai(name = "tenantId")]
        tenant: Query<WorkspaceId>,
        /// Only this instance.
        #[oai(name = "processInstanceId")]
        instance: Query<FreeText>,
        /// Only in this workspace.
        #[oai(name = "workspaceId")]
        workspace_id: Query<WorkspaceId>,
        /// How long it may wait for its receiver, in seconds.
        #[oai(name = "timeToLiveInSec")]
        time_to_live: Query<TimeToLive>,
        /// Makes a repeat within 24 hours give the same answer.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: OptionalBody<JsonObject>,
    ) -> Result<Ok200<DeliveredBody>, Problem> {
        let message = NewMessage {
            name: params::read("name", &name.0.0)?,
            business_key: business_key.0,
            correlation_key: correlation_key.0,
            instance: instance.0.map(|FreeText(id)| id),
            workspace: workspace(workspace_id, tenant)?,
            variables: body.value.unwrap_or_default(),
            time_to_live: time_to_live.0.map(TimeToLive::seconds).filter(SignedDuration::is_positive),
        };
        let answer = self.app.messages.correlate(&who.0, message, repeatable.with(&body.raw)).await?;
        let engine_type = engine_type(&self.app, &answer.value.engine)?;
        Ok(Ok200::answer(answer, |delivered| shown(delivered, engine_type)))
    }

    /// Broadcast a signal
    ///
    /// To all who wait for it. The body is the variables that it brings, or nothing.
    #[oai(path = "/api/signal/:name", method = "post", operation_id = "broadcast_signal")]
    async fn broadcast(
        &self,
        who: Who,
        /// The signal's name.
        name: Path<Raw>,
        /// Only in this workspace.
        #[oai(name = "tenantId")]
        tenant: Query<WorkspaceId>,
        /// Another name of `tenantId`.
        #[oai(name = "workspaceId")]
        workspace_id: Query<WorkspaceId>,
        body: OptionalBody<JsonObject>,
    ) -> Result<NoContent, Problem> {
        let name = params::read("name", &name.0.0)?;
        let within = workspace(workspace_id, tenant)?;
        let variables = body.value.unwrap_or_default();
        self.app.messages.broadcast(&who.0, name, within.as_ref(), variables).await?;
        Ok(NoContent)
    }
}

fn shown(delivered: Delivered, engine_type: &'static str) -> DeliveredBody {
    let Delivered { engine, correlated } = delivered;
    let (result_type, id, instance) = match correlated {
        Correlated::Execution { instance } => ("Execution", instance.clone(), Some(instance)),
        Correlated::ProcessInstance { instance } => ("ProcessInstance", instance.clone(), Some(instance)),
        Correlated::Buffered { id } => ("Buffered", NativeId::new(id), None),
    };
    DeliveredBody {
        result_type,
        id: handle(&engine, id),
        process_instance_id: instance.map(|instance| handle(&engine, instance)),
        engine_type,
        engine: engine.to_string(),
    }
}
