//! Answers: bodies with their headers, and the parts that many bodies share.

use poem::{
    IntoResponse, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::json::{IntoJson, to_text};
use crate::app::commands::Answer;

static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
static USER_TASK_ID: HeaderName = HeaderName::from_static("usertaskid");

/// A JSON body with a status and headers.
pub(super) struct Reply<T, const STATUS: u16> {
    body: T,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// 200 with a body.
pub(super) type Ok200<T> = Reply<T, 200>;
/// 201 with what was made.
pub(super) type Created<T> = Reply<T, 201>;

impl<T, const STATUS: u16> Reply<T, STATUS> {
    /// With this body.
    pub(super) fn new(body: T) -> Self {
        Self { body, headers: Vec::new() }
    }

    /// The answer of a command that may be a repeat.
    pub(super) fn answer<U>(answer: Answer<U>, body: impl FnOnce(U) -> T) -> Self {
        let reply = Self::new(body(answer.value));
        if answer.replayed { reply.with(IDEMPOTENCY_REPLAYED.clone(), "true") } else { reply }
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).map(|value| (name, value)));
        self
    }

    /// Where the thing is.
    pub(super) fn located(self, path: &str) -> Self {
        self.with(header::LOCATION, path)
    }

    /// The thing's version.
    pub(super) fn tagged(self, revision: u64) -> Self {
        self.with(header::ETAG, &format!("\"{revision}\""))
    }

    /// The user task that the body's variables belong to.
    pub(super) fn of_user_task(self, id: &str) -> Self {
        self.with(USER_TASK_ID.clone(), id)
    }
}

impl<T: IntoJson, const STATUS: u16> IntoResponse for Reply<T, STATUS> {
    fn into_response(self) -> Response {
        let mut response = Response::builder()
            .status(StatusCode::from_u16(STATUS).unwrap_or_default())
            .content_type("application/json")
            .body(to_text(self.body));
        response.headers_mut().extend(self.headers);
        response
    }
}

fn documented(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        schema: String::schema_ref(),
    }
}

impl<T: IntoJson, const STATUS: u16> ApiResponse for Reply<T, STATUS> {
    fn meta() -> MetaResponses {
        let mut headers = vec![
            documented("ETag", "The version of the thing, where it can be changed."),
            documented("Idempotency-Replayed", "`true` where the `Idempotency-Key` was seen before."),
        ];
        if STATUS == 201 {
            headers.push(documented("Location", "Where the thing is."));
        }
        MetaResponses {
            responses: vec![MetaResponse {
                description: if STATUS == 201 { "It was made." } else { "Done." },
                status: Some(STATUS),
                status_range: None,
                content: vec![MetaMediaType { content_type: "application/json", schema: T::schema() }],
                headers,
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 204.
pub(super) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        Response::builder().status(StatusCode::NO_CONTENT).finish()
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done.",
                status: Some(204),
                status_range: None,
                content: vec![],
                headers: vec![],
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}
