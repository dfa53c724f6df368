//! Answers that are the same for everybody for as long as the process runs: kept once, shared by all who ask, and not sent to
//! who has them already.

use std::marker::PhantomData;

use hyper::body::Bytes;
use poem::{
    IntoResponse, Request, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaResponse, MetaResponses, Registry},
};
use sha2::{Digest, Sha256};

use super::{
    server::SharedBody,
    text::{Media, Text},
};

/// A text with its entity tag.
#[derive(Debug, Clone)]
pub(super) struct StaticText {
    media_type: &'static str,
    bytes: Bytes,
    etag: String,
    policy: Option<&'static str>,
}

impl StaticText {
    /// A text of this type.
    pub(super) fn new(media_type: &'static str, text: String) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let etag = format!("\"{}\"", data_encoding::HEXLOWER.encode(digest.get(..16).unwrap_or_default()));
        Self { media_type, bytes: Bytes::from(text), etag, policy: None }
    }

    /// The same under a content security policy of its own.
    pub(super) fn under(mut self, policy: &'static str) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let known = is_known(headers, &self.etag);
        let mut response = if known {
            Response::builder().status(StatusCode::NOT_MODIFIED).finish()
        } else {
            Response::builder().content_type(self.media_type).body(self.bytes.clone())
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        if let Some(policy) = self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        response.extensions_mut().insert(SharedBody);
        response
    }
}

/// RFC 9110 section 13.1.2: the weak comparison.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A static text as the answer to a request.
pub(super) struct Static<M> {
    response: Response,
    media: PhantomData<fn() -> M>,
}

impl<M: Media> Static<M> {
    /// The text, or 304 to who has it.
    pub(super) fn new(text: &StaticText, request: &Request) -> Self {
        Self { response: text.answer(request.headers()), media: PhantomData }
    }
}

impl<M> IntoResponse for Static<M> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<M: Media> ApiResponse for Static<M> {
    fn meta() -> MetaResponses {
        let mut meta = Text::<M>::meta();
        meta.responses.push(MetaResponse {
            description: "The caller has it: `If-None-Match` holds its `ETag`.",
            status: Some(304),
            status_range: None,
            content: vec![],
            headers: vec![],
        });
        meta
    }

    fn register(registry: &mut Registry) {
        Text::<M>::register(registry);
    }
}
