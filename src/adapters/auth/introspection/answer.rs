//! What an introspection endpoint answers (RFC 7662 section 2.2).

use serde_json::Value;

use super::super::jwt::object;
use crate::domain::json::JsonObject;

/// What is said of a token.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// It is good, and these are its claims.
    Active {
        /// Without `active` itself.
        claims: JsonObject,
        /// How much was read, in bytes.
        length: usize,
    },
    /// It is not, and the RFC says that nobody is told why.
    Inactive,
}

/// The body says neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no JSON object in which `active` is true or false, and no name comes twice")]
pub(super) struct Unreadable;

impl Answer {
    pub(super) fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let mut claims = object::read(body).map_err(|_| Unreadable)?;
        match claims.remove("active") {
            Some(Value::Bool(true)) => Ok(Self::Active { claims, length: body.len() }),
            Some(Value::Bool(false)) => Ok(Self::Inactive),
            _ => Err(Unreadable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_yes_or_no_or_none() {
        assert_eq!(Answer::read(b"{\"active\":false,\"sub\":\"ada\"}"), Ok(Answer::Inactive));
        assert!(
            matches!(Answer::read(b"{\"active\":true,\"sub\":\"ada\"}"), Ok(Answer::Active { claims, .. }) if claims.len() == 1)
        );
        for body in [
            "",
            "{}",
            "[]",
            "true",
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":true,"active":false}"#,
            "<html>",
        ] {
            assert_eq!(Answer::read(body.as_bytes()), Err(Unreadable), "{body}");
        }
    }
}
