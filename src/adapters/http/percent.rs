//! Percent-encoding (RFC 3986), read strictly: a `%` without two hexadecimal digits, or octets that are no UTF-8, are
//! nothing that anybody meant.

use std::borrow::Cow;

/// Decodes a path segment.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('%') { decode_octets(text, false).map(Cow::Owned) } else { Some(Cow::Borrowed(text)) }
}

/// Decodes a name or a value of a query, in which `+` is a blank.
pub(super) fn decode_form(text: &str) -> Option<String> {
    decode_octets(text, true)
}

fn decode_octets(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            b'+' if plus_is_blank => b' ',
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Encodes a text as one path segment.
pub(super) fn encode_segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(octet));
        } else {
            encoded.push('%');
            for digit in [octet >> 4, octet & 15] {
                encoded.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_text_is_decoded() {
        assert_eq!(decode("a%20b%C3%A4").as_deref(), Some("a bä"));
        assert_eq!(decode("a+b").as_deref(), Some("a+b"));
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
        assert_eq!(encode_segment("a b/ä~"), "a%20b%2F%C3%A4~");
        for bad in ["%", "%2", "%zz", "%ff", "a%"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
