//! What a request's head must be so that every proxy and server on the way reads it in the same way (RFC 9112 sections 3.2
//! and 6.1, RFC 9113 section 8.3.1): where two readers could differ, requests are smuggled.

use poem::{
    Request,
    http::{HeaderMap, Version, header, uri::Authority},
};

use super::problem::Problem;

/// Checks `Host` and `Transfer-Encoding`.
///
/// # Errors
/// 400 `request.unreadable`.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    check_host(request)?;
    check_transfer_encoding(request.headers())
}

fn check_host(request: &Request) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(header::HOST).into_iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Problem::unreadable("there must be one Host header, not several"));
    }
    let target = request.uri().authority();
    let Some(host) = host else {
        // HTTP/1.0 has none; HTTP/2 has `:authority`.
        let none_needed = request.version() < Version::HTTP_11 || target.is_some();
        return if none_needed { Ok(()) } else { Err(Problem::unreadable("the Host header is missing")) };
    };
    let host = host
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Authority>().ok())
        .filter(|host| !host.as_str().contains(['@', ',']));
    let host = host.ok_or_else(|| Problem::unreadable("the Host header is not a host with an optional port"))?;
    match target {
        Some(target) if !target.as_str().eq_ignore_ascii_case(host.as_str()) => {
            Err(Problem::unreadable("the Host header names another host than the request target"))
        }
        _ => Ok(()),
    }
}

fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let is_chunked = match (codings.next(), codings.next()) {
        (None, _) => return Ok(()),
        (Some(only), None) => only.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    if !is_chunked {
        return Err(Problem::unreadable("Transfer-Encoding must be chunked, once and alone"));
    }
    if headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Problem::unreadable("there must not be both Transfer-Encoding and Content-Length"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderName, HeaderValue};

    use super::*;

    fn is_good(version: Version, uri: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut request = Request::builder().version(version).uri(uri.parse().unwrap()).finish();
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        check(&request).is_ok()
    }

    #[test]
    fn there_is_one_host_and_it_is_the_targets() {
        let one = |uri: &str, hosts: &[&str]| {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            is_good(Version::HTTP_11, uri, &headers)
        };
        for host in ["a", "a.example:8080", "127.0.0.1", "[::1]:80", "A.Example"] {
            assert!(one("/x", &[host]), "{host}");
        }
        assert!(one("http://a.example/x", &["A.example"]));
        for hosts in [&[][..], &["a", "a"], &["a", "b"], &[""], &["user@a"], &["a b"], &["a/b"], &["a,b"]] {
            assert!(!one("/x", hosts), "{hosts:?}");
        }
        assert!(!one("http://a.example/x", &["b.example"]) && !one("http://a.example:80/x", &["a.example:81"]));
        assert!(is_good(Version::HTTP_10, "/x", &[]));
        assert!(is_good(Version::HTTP_2, "http://a/x", &[]) && !is_good(Version::HTTP_2, "/x", &[]));
        assert!(!is_good(Version::HTTP_2, "http://a/x", &[("host", "b")]));
    }

    #[test]
    fn a_transfer_encoding_is_chunked_once() {
        let encoded = |values: &[&str]| {
            let mut headers = vec![("host", "a")];
            headers.extend(values.iter().map(|value| ("transfer-encoding", *value)));
            is_good(Version::HTTP_11, "/", &headers)
        };
        assert!(encoded(&[]) && encoded(&["chunked"]) && encoded(&["Chunked"]));
        for bad in
            [&["gzip, chunked"][..], &["chunked, chunked"], &["chunked", "chunked"], &["identity"], &["gzip"], &[""]]
        {
            assert!(!encoded(bad), "{bad:?}");
        }
        assert!(!is_good(
            Version::HTTP_11,
            "/",
            &[("host", "a"), ("transfer-encoding", "chunked"), ("content-length", "3")]
        ));
    }
}
