//! The headers that every answer gets, and cross-origin requests.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
};

/// The header that names a request, in and out.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Sets what protects whoever shows an answer. What a handler has set stays.
pub(super) fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert_with(|| HeaderValue::from_static(value));
    }
}

/// Whose pages may call the API from a browser.
#[derive(Debug, Clone)]
pub(super) struct Cors {
    any: bool,
    origins: Vec<HeaderValue>,
}

impl Cors {
    /// `*`, or origins as browsers send them.
    pub(super) fn of(allowed: &[String]) -> Self {
        Self {
            any: allowed.iter().any(|origin| origin == "*"),
            origins: allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect(),
        }
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.any {
            Some(HeaderValue::from_static("*"))
        } else {
            self.origins.iter().find(|known| *known == origin).cloned()
        }
    }

    /// Whether a page asks that is neither of the gate's own origin nor of one that may call the API.
    pub(super) fn is_foreign(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::ORIGIN)
            .is_some_and(|origin| self.allowed(origin).is_none() && !is_own_origin(origin, headers))
    }

    /// The answer to a preflight request, if it is one. It needs no credential: browsers send none with it.
    pub(super) fn preflight(&self, request: &Request) -> Option<Response> {
        if request.method() != Method::OPTIONS {
            return None;
        }
        let origin = request.headers().get(header::ORIGIN)?;
        request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        if self.allowed(origin).is_some() {
            let headers = response.headers_mut();
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE"),
                (
                    header::ACCESS_CONTROL_ALLOW_HEADERS,
                    "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Prefer, X-Request-Id, \
                     traceparent",
                ),
                (header::ACCESS_CONTROL_MAX_AGE, "600"),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        Some(response)
    }

    /// Lets a page of an allowed origin read the answer.
    pub(super) fn open(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !self.any && !self.origins.is_empty() {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allowed) = origin.and_then(|origin| self.allowed(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(
                    "ETag, Idempotency-Replayed, Location, Retry-After, userTaskId, WWW-Authenticate, X-Request-Id",
                ),
            );
        }
    }
}

/// Whether a page's origin is the host that it calls. (The scheme is left aside: TLS may end before the gate.)
fn is_own_origin(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => origin.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// Whether a `Host` is one that only this machine, or whoever runs it, can mean: an address, `localhost`, or the public
/// URL's. Any other name may be a foreign page's way in (DNS rebinding).
pub(super) fn is_own_host(request: &Request, public_host: Option<&str>) -> bool {
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => match request.headers().get(header::HOST).map(HeaderValue::to_str) {
            Some(Ok(host)) => host,
            // Browsers always send one.
            None => return true,
            Some(Err(_)) => return false,
        },
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok()
        || public_host.is_some_and(|own| own.eq_ignore_ascii_case(name))
}
