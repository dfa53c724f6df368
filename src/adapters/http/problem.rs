//! What goes wrong, as clients see it: RFC 9457 problem bodies with `code`, `message` and `request_id`. With
//! [`codes`](super::codes) the only place that knows HTTP statuses.

use std::{borrow::Cow, fmt};

use poem::{
    IntoResponse, Response,
    error::ResponseError,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde_json::{Map, Value, json};

use super::codes::{self, Code};
use crate::domain::scope::Scopes;

/// The media type of problem bodies.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// A refusal or a failure on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: &'static Code,
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Vec<Value>,
    member: Option<(&'static str, Value)>,
    scopes: Option<Scopes>,
    retry_after: Option<u64>,
    allow: Option<String>,
}

impl Problem {
    /// A problem with the code's usual status.
    pub(super) fn new(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            member: None,
            scopes: None,
            retry_after: None,
            allow: None,
        }))
    }

    /// A problem that says what its code means, and no more.
    pub(super) fn plain(code: &'static Code) -> Self {
        Self::new(code, code.meaning)
    }

    /// A request that cannot be read: 400.
    pub(super) fn unreadable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(codes::REQUEST_INVALID, detail)
    }

    /// A request with a value outside its range: 422.
    pub(super) fn out_of_range(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(codes::REQUEST_INVALID, detail).with_status(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// A mistake of the gate's own. The cause goes to the log, here, once; the client learns the request id.
    pub(super) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(cause), "a request failed");
        Self::plain(codes::INTERNAL)
    }

    /// Something that does not answer: 503 with `Retry-After`. The cause goes to the log.
    pub(super) fn unavailable(code: &'static Code, cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(code = code.name, error = %Chain(cause), "a request could not be done now");
        Self::plain(code).retry_after(1)
    }

    /// The same with another of the code's statuses.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The same with entries for `errors`.
    pub(super) fn with_errors(mut self, errors: Vec<Value>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The same with an extension member of its own (RFC 9457 section 3.2).
    pub(super) fn with_member(mut self, name: &'static str, value: Value) -> Self {
        self.0.member = Some((name, value));
        self
    }

    /// Whether it says more than the reason of a WebSocket's close can.
    pub(super) fn has_member(&self) -> bool {
        self.0.member.is_some()
    }

    /// The same, naming the scopes that are missing.
    pub(super) fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.0.scopes = Some(scopes);
        self
    }

    /// The same with `Retry-After`, in seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The same with `Allow`.
    pub(super) fn allow(mut self, methods: String) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// Its code.
    pub(super) fn code(&self) -> &'static Code {
        self.0.code
    }

    /// What went wrong this time.
    pub(super) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Its status.
    pub(super) fn http_status(&self) -> StatusCode {
        self.0.status
    }

    /// The code with which it closes a WebSocket: 4000 and the status where the client can do something about it (4400 for
    /// whatever is wrong with a request), else as RFC 6455 and its registry have it.
    pub(super) fn close_code(&self) -> u16 {
        match self.0.status {
            status @ (StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::TOO_MANY_REQUESTS) => 4000 + status.as_u16(),
            StatusCode::SERVICE_UNAVAILABLE => 1013,
            status if status.is_client_error() => 4400,
            _ => 1011,
        }
    }

    /// The reason with which it closes a WebSocket: its code, and when to come back.
    pub(super) fn close_reason(&self) -> String {
        match self.0.retry_after {
            Some(seconds) => format!("{}; retry after {seconds} s", self.0.code.name),
            None => self.0.code.name.to_owned(),
        }
    }

    /// The body, as shapes.md has it. `None` where the place that answers does not know the request.
    pub(super) fn body(&self, instance: Option<&str>, request_id: Option<&str>) -> Value {
        let inner = &self.0;
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("/problems/{}", inner.code.name)));
        body.insert("title".to_owned(), json!(inner.status.canonical_reason().unwrap_or("Error")));
        body.insert("status".to_owned(), json!(inner.status.as_u16()));
        body.insert("detail".to_owned(), json!(inner.detail));
        body.insert("code".to_owned(), json!(inner.code.name));
        body.insert("message".to_owned(), json!(inner.detail));
        if let Some(instance) = instance {
            body.insert("instance".to_owned(), json!(instance));
        }
        if let Some(request_id) = request_id {
            body.insert("request_id".to_owned(), json!(request_id));
        }
        if let Some((name, value)) = &inner.member {
            body.insert((*name).to_owned(), value.clone());
        }
        if !inner.errors.is_empty() {
            body.insert("errors".to_owned(), Value::Array(inner.errors.clone()));
        }
        Value::Object(body)
    }

    /// The whole answer.
    pub(super) fn respond(&self, instance: Option<&str>, request_id: Option<&str>) -> Response {
        let inner = &self.0;
        let mut response = Response::builder()
            .status(inner.status)
            .content_type(MEDIA_TYPE)
            .body(self.body(instance, request_id).to_string());
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = inner.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if inner.status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if let Some(allow) = inner.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        response
    }

    /// `WWW-Authenticate` (RFC 6750 section 3): a request without a credential gets no error code in it.
    fn challenge(&self) -> Option<HeaderValue> {
        let inner = &self.0;
        let error = match inner.status {
            StatusCode::UNAUTHORIZED if inner.code.name == codes::AUTH_MISSING_TOKEN.name => None,
            StatusCode::UNAUTHORIZED => Some("invalid_token"),
            StatusCode::FORBIDDEN => Some("insufficient_scope"),
            _ => return None,
        };
        let mut challenge = "Bearer realm=\"tidegate\"".to_owned();
        if let Some(error) = error {
            challenge.push_str(", error=\"");
            challenge.push_str(error);
            challenge.push_str("\", error_description=\"");
            challenge.extend(inner.detail.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')));
            challenge.push('"');
        }
        if let Some(scopes) = &inner.scopes {
            let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            challenge.push_str(", scope=\"");
            challenge.push_str(&names.join(" "));
            challenge.push('"');
        }
        HeaderValue::try_from(challenge).ok()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name, self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.0.status
    }

    fn as_response(&self) -> Response {
        self.respond(None, None)
    }
}

/// Turns whatever an endpoint answers with into a problem: ours as it is, the framework's by its status.
pub(super) fn from_framework(error: poem::Error) -> Problem {
    match error.downcast::<Problem>() {
        Ok(problem) => problem,
        Err(error) => match error.status() {
            StatusCode::NOT_FOUND => Problem::plain(codes::REQUEST_NOT_FOUND),
            StatusCode::METHOD_NOT_ALLOWED => Problem::plain(codes::REQUEST_METHOD_NOT_ALLOWED),
            StatusCode::PAYLOAD_TOO_LARGE => Problem::plain(codes::REQUEST_BODY_TOO_LARGE),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::plain(codes::REQUEST_UNSUPPORTED_MEDIA_TYPE),
            status if status.is_client_error() => Problem::unreadable(error.to_string()),
            _ => {
                tracing::error!(error = %error, "the framework failed");
                Problem::plain(codes::INTERNAL)
            }
        },
    }
}

/// An error with its causes, in one line.
pub(super) struct Chain<'a>(pub(super) &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "What went wrong (RFC 9457): `code` tells which, and `type` is a page about it.",
                status: None,
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: MEDIA_TYPE,
                    schema: MetaSchemaRef::Reference("Problem".to_owned()),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        registry.schemas.entry("Problem".to_owned()).or_insert_with(schema);
    }
}

fn described(mut schema: MetaSchema, description: &'static str) -> MetaSchemaRef {
    schema.description = Some(description);
    MetaSchemaRef::Inline(Box::new(schema))
}

fn schema() -> MetaSchema {
    let text = || MetaSchema::new("string");
    let mut entries = MetaSchema::new("array");
    let mut entry = MetaSchema::new("object");
    entry.properties = vec![
        ("pointer", described(text(), "A JSON pointer into the body.")),
        ("parameter", described(text(), "A query parameter or header.")),
        ("message", described(text(), "What is wrong there.")),
    ];
    entry.required = vec!["message"];
    entries.items = Some(Box::new(MetaSchemaRef::Inline(Box::new(entry))));
    MetaSchema {
        description: Some("What went wrong."),
        required: vec!["type", "title", "status", "detail", "code", "message", "instance", "request_id"],
        properties: vec![
            ("type", described(text(), "A page about the code, served by the gate itself.")),
            ("title", described(text(), "The status in words.")),
            ("status", i32_schema()),
            ("detail", described(text(), "What went wrong this time.")),
            ("code", described(text(), "What went wrong, for programs.")),
            ("message", described(text(), "The same as `detail`.")),
            ("instance", described(text(), "The path of the request.")),
            ("request_id", described(text(), "Names the request in the gate's log.")),
            (
                "oldest",
                described(
                    MetaSchema::new_with_format("integer", "int64"),
                    "With `events.position_expired`: the number of the first event from which on all are kept.",
                ),
            ),
            ("errors", described(entries, "What is wrong where, if it is more than one thing or in one place.")),
        ],
        ..MetaSchema::new("object")
    }
}

fn i32_schema() -> MetaSchemaRef {
    i32::schema_ref()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::Scope;

    #[test]
    fn challenges_follow_rfc_6750() {
        let missing = Problem::new(codes::AUTH_MISSING_TOKEN, "Missing bearer token");
        assert_eq!(missing.challenge().unwrap(), "Bearer realm=\"tidegate\"");
        let scope = Problem::new(codes::AUTH_MISSING_SCOPE, "Missing required scopes: workflows:write")
            .with_scopes(Scopes::from([Scope::WorkflowsWrite]));
        assert_eq!(
            scope.challenge().unwrap(),
            "Bearer realm=\"tidegate\", error=\"insufficient_scope\", \
             error_description=\"Missing required scopes: workflows:write\", scope=\"workflows:write\""
        );
        assert!(Problem::plain(codes::INTERNAL).challenge().is_none());
    }
}
