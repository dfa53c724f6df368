//! What the fuzz targets (`fuzz/`) drive and nobody else calls.

use poem::{
    Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

use super::{
    credentials,
    socket::handshake::{Handshake, offered_tokens},
};
use crate::app::authenticate::Credential;

/// The headers that a handshake is read from.
const HEADERS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_VERSION,
];

/// The credential of a request with these `Authorization` headers and these tokens in its query.
pub fn credential(headers: &[&[u8]], tokens: &[&str]) -> Credential {
    let values = headers.iter().filter_map(|value| HeaderValue::from_bytes(value).ok());
    let headers: HeaderMap = values.map(|value| (header::AUTHORIZATION, value)).collect();
    credentials::with_more(credentials::of_headers(&headers), tokens.iter().copied())
}

/// Reads an opening handshake, each header by its place in `HEADERS`; gives the credential in it. Nothing is behind it, so
/// it is never accepted.
pub fn handshake(headers: &[(usize, &[u8])]) -> Credential {
    let mut request = Request::builder().uri_str("http://gate/ws/workflow/x");
    for (which, value) in headers {
        let name = HEADERS.get(which % HEADERS.len());
        if let (Some(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            request = request.header(name, value);
        }
    }
    let request = request.finish();
    drop(Handshake::take(&request, 1024));
    let headers = request.headers();
    credentials::with_more(credentials::of_headers(headers), offered_tokens(headers))
}
