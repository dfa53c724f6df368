//! Answers that are texts: pages and documents.

use std::marker::PhantomData;

use poem::{
    IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

/// The media types that an answer may have.
pub(super) trait Media {
    /// As the document lists them.
    const TYPES: &'static [&'static str];
}

macro_rules! media {
    ($($(#[doc = $doc:literal])+ $name:ident: $($type:literal),+;)+) => {$(
        $(#[doc = $doc])+
        pub(super) enum $name {}

        impl Media for $name {
            const TYPES: &'static [&'static str] = &[$($type),+];
        }
    )+};
}

media! {
    /// JSON.
    JsonText: "application/json";
    /// YAML.
    YamlText: "application/yaml";
    /// A page.
    HtmlText: "text/html";
    /// A page, or JSON for who asks for it.
    PageOrJson: "text/html", "application/json";
}

/// A text of some media type.
pub(super) struct Text<M> {
    media_type: &'static str,
    body: String,
    policy: Option<&'static str>,
    media: PhantomData<fn() -> M>,
}

impl<M: Media> Text<M> {
    /// A text of this type.
    pub(super) fn new(media_type: &'static str, body: impl Into<String>) -> Self {
        Self { media_type, body: body.into(), policy: None, media: PhantomData }
    }

    /// The same under a content security policy of its own.
    pub(super) fn under(mut self, policy: &'static str) -> Self {
        self.policy = Some(policy);
        self
    }
}

impl<M> IntoResponse for Text<M> {
    fn into_response(self) -> Response {
        let mut response = Response::builder().content_type(self.media_type).body(self.body);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(policy) = self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        response
    }
}

impl<M: Media> ApiResponse for Text<M> {
    fn meta() -> MetaResponses {
        let types = M::TYPES.iter();
        let content = types.map(|content_type| MetaMediaType { content_type, schema: String::schema_ref() }).collect();
        let response =
            MetaResponse { description: "The text.", status: Some(200), status_range: None, content, headers: vec![] };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
