//! Tag `events`: what happens, as it happens. History as JSON, history and live tail as server-sent events.

use std::sync::Arc;

use poem::{
    IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse, OpenApi,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, Registry},
    types::Type,
};
use tokio_util::sync::CancellationToken;

use super::{
    answers::Ok200,
    conditions::{Accept, Who},
    event_stream,
    fields::{FromText, TextError},
    json::{IntoJson, List, response, to_text},
    judged::{Follower, Judged},
    paging::Limit,
    params::{Header, Path, Query},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{App, events::Position},
    domain::{
        event::Event,
        ids::{ExecutionId, WorkflowId},
        json::JsonObject,
        page::DEFAULT_LIMIT,
    },
    ports::repository::EventPage,
};

/// Tag `events`.
pub(super) struct EventsApi {
    pub(super) app: Arc<App>,
    pub(super) stopping: CancellationToken,
}

response! {
    /// An event (`CloudEvents` 1.0) with its number in the channel.
    pub(super) struct EventBody {
        /// `1.0`
        required specversion ("specversion"): &'static str,
        /// Its id.
        required id ("id"): String,
        /// The workflow: `/workflows/{id}`.
        required source ("source"): String,
        /// What happened.
        required kind ("type"): &'static str,
        /// The execution's or deployment's id.
        required subject ("subject"): String,
        /// When.
        required time ("time"): jiff::Timestamp,
        /// `application/json`
        required datacontenttype ("datacontenttype"): &'static str,
        /// Its number in the channel, from 1, without gaps.
        required sequence ("sequence"): u64,
        /// What the type calls for.
        required data ("data"): JsonObject,
    }
}

impl From<Event> for EventBody {
    fn from(Event { event, sequence }: Event) -> Self {
        Self {
            specversion: "1.0",
            id: event.id.to_string(),
            source: format!("/workflows/{}", event.workflow),
            kind: event.kind.as_str(),
            subject: event.subject,
            time: event.time,
            datacontenttype: "application/json",
            sequence,
            data: event.data,
        }
    }
}

/// A number of a channel. One beyond what a number can be is beyond every head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence(pub(super) u64);

impl FromText for Sequence {
    fn text_schema() -> MetaSchema {
        MetaSchema { minimum: Some(0.0), ..MetaSchema::new_with_format("integer", "int64") }
    }

    fn read_text(text: &str) -> Result<Self, TextError> {
        if text.is_empty() || !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(TextError::Form("must be the number of an event".to_owned()));
        }
        Ok(Self(text.parse().unwrap_or(u64::MAX)))
    }
}

/// The answer: JSON or a stream.
pub(super) enum Told {
    History(Ok200<List<EventBody>>),
    Stream(poem::Body),
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        match self {
            Self::History(history) => history.into_response(),
            Self::Stream(body) => {
                let mut response = Response::builder().content_type("text/event-stream").body(body);
                // Proxies must neither keep nor hold back what is live.
                response
                    .headers_mut()
                    .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
                response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
                response
            }
        }
    }
}

impl ApiResponse for Told {
    fn meta() -> MetaResponses {
        let content = vec![
            MetaMediaType { content_type: "application/json", schema: List::<EventBody>::schema() },
            MetaMediaType { content_type: "text/event-stream", schema: String::schema_ref() },
        ];
        let response = MetaResponse {
            description: "The events.",
            status: Some(200),
            status_range: None,
            content,
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        List::<EventBody>::register(registry);
    }
}

#[OpenApi(tag = "Tag::Events")]
impl EventsApi {
    /// Read a workflow's events
    ///
    /// Oldest first. With `Accept: text/event-stream` a stream of server-sent events: the history after `Last-Event-ID` (or
    /// `after`), then what comes; without a position from now on. It has no end of its own, and comment lines as a heartbeat.
    #[oai(path = "/api/workflows/:id/events", method = "get", operation_id = "read_events")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn read(
        &self,
        who: Who,
        follower: Follower,
        /// The workflow.
        id: Path<WorkflowId>,
        /// Events after this number; if absent, a history begins at the oldest event that is kept, a stream now.
        after: Query<Sequence>,
        /// How many items are wanted; a stream has no limit.
        limit: Query<Limit>,
        /// Only of this execution.
        execution_id: Query<ExecutionId>,
        /// Where a stream broke off; it beats `after`.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Sequence>,
        /// `text/event-stream` for a stream.
        #[oai(name = "Accept")]
        accept: Accept,
    ) -> Result<Told, Problem> {
        if accept.prefers("text/event-stream") {
            let from = last_event_id.0.or(after.0).map_or(Position::Now, |Sequence(number)| Position::After(number));
            let tail = self.app.events.follow(&who.0, id.0, execution_id.0, from).await?;
            let judged = Judged::new(Arc::clone(&self.app), who.0, follower, id.0);
            return Ok(Told::Stream(event_stream::body(tail, judged, self.stopping.clone())));
        }
        let limit = limit.0.map_or(DEFAULT_LIMIT, Limit::as_u32);
        let after = after.0.map(|Sequence(number)| number);
        let EventPage { events, more } = self.app.events.history(&who.0, id.0, execution_id.0, after, limit).await?;
        let next_cursor = events.last().filter(|_| more).map(|last| last.sequence.to_string());
        let items = events.into_iter().map(EventBody::from).collect();
        Ok(Told::History(Ok200::new(List { items, next_cursor })))
    }
}

/// An event as a stream has it.
pub(super) fn frame(event: Event) -> String {
    let (sequence, kind) = (event.sequence, event.event.kind.as_str());
    let body = to_text(EventBody::from(event));
    format!("id: {sequence}\nevent: {kind}\ndata: {body}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_plain_numbers() {
        assert!(Sequence::read_text("17").is_ok_and(|Sequence(number)| number == 17));
        assert!(Sequence::read_text("99999999999999999999999").is_ok_and(|Sequence(number)| number == u64::MAX));
        for bad in ["", "-1", "+1", "1.0", "x", " 1"] {
            assert!(Sequence::read_text(bad).is_err(), "{bad:?}");
        }
    }
}
