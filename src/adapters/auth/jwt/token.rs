//! A JWT in compact form (RFC 7515 section 7.1), taken apart and not believed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{object, object::Unreadable};
use crate::domain::json::JsonObject;

/// Longer tokens are refused unread, in bytes.
pub const LONGEST: usize = 16 * 1024;
/// A key's id is no longer, in bytes: what is must not be asked for.
const LONGEST_KID: usize = 1_024;
/// Header parameters that change what is signed, or what it means: no token of ours has them (RFC 7516, RFC 7797).
const FOREIGN: [&str; 3] = ["zip", "b64", "enc"];

/// The text is no token that the gate takes. Nothing more is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl From<Unreadable> for Malformed {
    fn from(_: Unreadable) -> Self {
        Self
    }
}

impl From<base64::DecodeError> for Malformed {
    fn from(_: base64::DecodeError) -> Self {
        Self
    }
}

/// Whether the text has a JWT's shape: three segments, the last perhaps empty.
pub fn has_shape(text: &str) -> bool {
    segments(text).is_some()
}

fn segments(text: &str) -> Option<(&str, &str, &str)> {
    let (header, rest) = text.split_once('.')?;
    let (claims, signature) = rest.split_once('.')?;
    (!header.is_empty() && !claims.is_empty() && !signature.contains('.')).then_some((header, claims, signature))
}

/// A token of which nothing is believed yet.
pub struct Unverified<'a> {
    signed: &'a [u8],
    algorithm: String,
    header: JsonObject,
    claims: JsonObject,
    signature: Vec<u8>,
}

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unverified([redacted])")
    }
}

impl<'a> Unverified<'a> {
    /// Takes a token apart: size, segments, canonical base64url without padding, and objects in which no name comes twice.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(text: &'a str) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed);
        }
        let (header, claims, signature) = segments(text).ok_or(Malformed)?;
        let signed = text.get(..header.len() + 1 + claims.len()).ok_or(Malformed)?.as_bytes();
        let mut header = object::read(&URL_SAFE_NO_PAD.decode(header)?)?;
        let Some(Value::String(algorithm)) = header.remove("alg") else { return Err(Malformed) };
        let claims = object::read(&URL_SAFE_NO_PAD.decode(claims)?)?;
        Ok(Self { signed, algorithm, header, claims, signature: URL_SAFE_NO_PAD.decode(signature)? })
    }

    /// The header's `alg`, as it is spelled.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The claim `iss`: `None` if there is none.
    ///
    /// # Errors
    /// [`Malformed`] if it is no text.
    pub fn issuer(&self) -> Result<Option<&str>, Malformed> {
        match self.claims.get("iss") {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed),
        }
    }

    /// The header's `kid`.
    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// Judges the rest of the header. `jwk`, `jku`, `x5u` and `x5c` are not looked at: keys come from the issuer alone.
    ///
    /// # Errors
    /// [`Malformed`]: `crit` (the gate knows no extension), a `typ` that is no JWT's, a `kid` that cannot be one, and what
    /// marks nested, encrypted and unencoded tokens.
    pub fn judge_header(&self) -> Result<(), Malformed> {
        let header = &self.header;
        let is_jwt = match header.get("typ") {
            None => true,
            Some(Value::String(text)) => matches!(media_type(text).as_str(), "jwt" | "at+jwt"),
            Some(_) => false,
        };
        let nested = match header.get("cty") {
            None => false,
            Some(Value::String(text)) => media_type(text) == "jwt",
            Some(_) => true,
        };
        let names_key = match header.get("kid") {
            None => true,
            Some(Value::String(text)) => text.len() <= LONGEST_KID,
            Some(_) => false,
        };
        let foreign = FOREIGN.iter().any(|name| header.contains_key(*name)) || header.contains_key("crit");
        if is_jwt && names_key && !nested && !foreign { Ok(()) } else { Err(Malformed) }
    }

    /// Takes the claims out, once a signature held: `verify` is given what was signed and the signature.
    pub fn believed_if(&mut self, verify: impl FnOnce(&[u8], &[u8]) -> bool) -> Option<JsonObject> {
        verify(self.signed, &self.signature).then(|| std::mem::take(&mut self.claims))
    }
}

/// RFC 7515 section 4.1.9: case does not count, and `application/` may be left out.
fn media_type(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    text.strip_prefix("application/").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    fn judged(header: &str) -> Result<(), Malformed> {
        Unverified::read(&token(header, "{}", "AA"))?.judge_header()
    }

    #[test]
    fn a_token_has_three_segments() {
        assert!(has_shape("a.b.c") && has_shape("a.b."));
        for text in ["", "a", "a.b", ".b.c", "a..c", "a.b.c.d", "a.b.c.d.e", "a.b..", "tgs_abc"] {
            assert!(!has_shape(text), "{text}");
        }
    }

    #[test]
    fn only_one_spelling_is_read() {
        let good = token(r#"{"alg":"RS256"}"#, "{}", "AA");
        assert!(Unverified::read(&good).is_ok());
        for signature in ["AA==", "AB", "A", "A+", "A/", "AA\n", " AA", "AA="] {
            assert!(Unverified::read(&token(r#"{"alg":"RS256"}"#, "{}", signature)).is_err(), "{signature:?}");
        }
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":"RS256","alg":"RS256"}"#, "[]", ""] {
            assert!(Unverified::read(&token(header, "{}", "AA")).is_err(), "{header}");
        }
        for claims in ["", "null", "[]", "\"x\"", r#"{"sub":"a","sub":"b"}"#] {
            assert!(Unverified::read(&token(r#"{"alg":"RS256"}"#, claims, "AA")).is_err(), "{claims}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST));
        assert!(Unverified::read(&token(r#"{"alg":"RS256"}"#, &long, "AA")).is_err());
    }

    #[test]
    fn a_header_says_nothing_that_changes_what_is_signed() {
        for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"] {
            assert!(judged(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#)).is_ok(), "{typ}");
        }
        for more in [
            r#""typ":"JOSE""#,
            r#""typ":"logout+jwt""#,
            r#""typ":null"#,
            r#""typ":"""#,
            r#""cty":"JWT""#,
            r#""cty":"application/jwt""#,
            r#""cty":1"#,
            r#""crit":[]"#,
            r#""crit":["exp"]"#,
            r#""crit":["b64"],"b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""enc":"A256GCM""#,
            r#""kid":1"#,
            r#""kid":null"#,
        ] {
            assert!(judged(&format!(r#"{{"alg":"RS256",{more}}}"#)).is_err(), "{more}");
        }
        assert!(judged(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(1_024))).is_ok());
        assert!(judged(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(1_025))).is_err());
        assert!(judged(r#"{"alg":"RS256","jwk":{},"jku":"https://x","x5u":"https://x","x5c":[],"x":1}"#).is_ok());
    }
}
