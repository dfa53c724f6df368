//! From a request to its bearer token (authentication.md sections 1 and 7).

use poem::http::{HeaderMap, HeaderValue, header};

use crate::{app::authenticate::Credential, domain::bearer::BearerToken};

/// What is not even read.
const MOST_BYTES: usize = 16 * 1024;

/// The credential of a request's headers: one `Authorization` of one scheme, one or more spaces (RFC 9110 section 11.4), and
/// one token. This is how the gate
/// reads it; routes of your own should not read it otherwise.
pub fn of_headers(headers: &HeaderMap) -> Credential {
    let mut values = headers.get_all(header::AUTHORIZATION).into_iter();
    match (values.next(), values.next()) {
        (None, _) => Credential::Missing,
        (Some(value), None) => of_value(value),
        (Some(_), Some(_)) => Credential::Malformed,
    }
}

fn of_value(value: &HeaderValue) -> Credential {
    let bytes = value.as_bytes();
    if bytes.len() > MOST_BYTES {
        return Credential::Malformed;
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let (scheme, rest) = match bytes.iter().position(is_blank) {
        Some(blank) => bytes.split_at(blank),
        None => (bytes, &[][..]),
    };
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Credential::Missing;
    }
    if rest.iter().all(is_blank) {
        return Credential::Missing;
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = rest.get(spaces..).filter(|_| spaces > 0).unwrap_or_default();
    match std::str::from_utf8(token) {
        Ok(token) if is_token(token) => Credential::Bearer(BearerToken::new(token)),
        _ => Credential::Malformed,
    }
}

/// Whether the text is one token: visible ASCII without blanks. (RFC 6750's `b64token` is narrower; what else a token
/// may consist of is its validator's to say.)
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MOST_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Adds tokens of a query or of subprotocols to the credential of the headers: more than one in all is none.
pub(super) fn with_more<'a>(credential: Credential, tokens: impl Iterator<Item = &'a str>) -> Credential {
    tokens.fold(credential, |credential, token| match credential {
        Credential::Missing if is_token(token) => Credential::Bearer(BearerToken::new(token)),
        _ => Credential::Malformed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        match of_headers(&headers) {
            Credential::Missing => "none".to_owned(),
            Credential::Bearer(token) => format!("token {}", token.expose()),
            Credential::Malformed => "malformed".to_owned(),
        }
    }

    #[test]
    fn one_scheme_spaces_one_token() {
        assert_eq!(of(&["Bearer abc"]), "token abc");
        assert_eq!(of(&["Bearer  abc"]), "token abc");
        assert_eq!(of(&["Bearer     abc"]), "token abc");
        assert_eq!(of(&["bEaReR abc"]), "token abc");
        for nothing in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearerabc", "Token abc"] {
            assert_eq!(of(&[nothing]), "none", "{nothing:?}");
        }
        for malformed in
            ["Bearer a b", "Bearer abc,def ghi", "Bearer a\tb", "Bearer\tabc", "Bearer \tabc", "Bearer  a  b"]
        {
            assert_eq!(of(&[malformed]), "malformed", "{malformed:?}");
        }
        assert_eq!(of(&["Bearer abc", "Bearer abc"]), "malformed");
        assert_eq!(of(&["Bearer abc", "Basic YTpi"]), "malformed");
        assert_eq!(of(&[]), "none");
    }

    #[test]
    fn more_than_16_kib_stay_unread() {
        assert_eq!(of(&[&format!("Bearer {}", "a".repeat(16 * 1024))]), "malformed");
        assert_eq!(of(&[&format!("Basic {}", "a".repeat(17 * 1024))]), "malformed");
        assert!(of(&[&format!("Bearer {}", "a".repeat(16 * 1024 - 7))]).starts_with("token"));
    }

    #[test]
    fn a_query_and_a_header_are_one_too_many() {
        let none = || Credential::Missing;
        assert!(matches!(with_more(none(), ["abc"].into_iter()), Credential::Bearer(_)));
        assert!(matches!(with_more(none(), ["abc", "abc"].into_iter()), Credential::Malformed));
        assert!(matches!(with_more(none(), [""].into_iter()), Credential::Malformed));
        let header = Credential::Bearer(BearerToken::new("abc"));
        assert!(matches!(with_more(header, ["abc"].into_iter()), Credential::Malformed));
    }
}
