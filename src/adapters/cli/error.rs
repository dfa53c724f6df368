//! What can go wrong, in words for whoever sits at the terminal, and as a number for scripts.

use std::{fmt, io};

use serde_json::Value;

/// Exit codes: what a script can tell apart.
pub mod exit {
    /// It failed.
    pub const FAILED: u8 = 1;
    /// The command line, an input or the config cannot be used.
    pub const USAGE: u8 = 2;
    /// The gate cannot be reached, or could not answer now.
    pub const UNAVAILABLE: u8 = 3;
    /// Not authenticated, or not allowed.
    pub const DENIED: u8 = 4;
    /// Not found.
    pub const NOT_FOUND: u8 = 5;
    /// In conflict with what is.
    pub const CONFLICT: u8 = 6;
}

/// A command that was not done.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line or an input cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Nobody answered.
    #[error("cannot reach the gate at {url}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The gate said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The thing itself is not there, as far as the caller may see.
    #[error("{0}")]
    NotFound(String),
    /// It was done, and failed.
    #[error("{0}")]
    Failed(String),
    /// The answer could not be printed.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// The gate's refusal, as its problem body tells it.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) details: Vec<String>,
    pub(super) request_id: Option<String>,
}

impl Refusal {
    /// Reads a problem body; whatever else came is told by its status.
    pub(super) fn read(status: u16, request_id: Option<&str>, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let details = body.get("errors").and_then(Value::as_array).into_iter().flatten().map(detail).collect();
        Self {
            status,
            code: text("code").unwrap_or_else(|| format!("http.{status}")),
            message: text("message").unwrap_or_else(|| format!("the gate answered with status {status}")),
            details,
            request_id: text("request_id").or_else(|| request_id.map(ToOwned::to_owned)),
        }
    }
}

/// One of `errors`: a place in a request or in a resource, and what is wrong there.
fn detail(error: &Value) -> String {
    let text = |name: &str| error.get(name).map(super::output::cell).filter(|text| !text.is_empty());
    let mut place = text("pointer").or_else(|| text("resource")).unwrap_or_default();
    for name in ["line", "column"] {
        if let Some(number) = text(name) {
            place = format!("{place}:{number}");
        }
    }
    if let Some(id) = text("element_id") {
        place = format!("{place} ({id})");
    }
    let message = text("message").unwrap_or_default();
    if place.is_empty() { message } else { format!("{place}: {message}") }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = super::output::printable;
        write!(f, "{} [{}]", printable(&self.message), printable(&self.code))?;
        for detail in &self.details {
            write!(f, "\n  {detail}")?;
        }
        self.request_id.as_ref().map_or(Ok(()), |id| write!(f, "\n  request id: {}", super::output::printable(id)))
    }
}

impl CliError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            // Whoever closed the pipe (`| head`) has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Usage(_) => exit::USAGE,
            Self::Unreachable { .. } => exit::UNAVAILABLE,
            Self::NotFound(_) => exit::NOT_FOUND,
            Self::Refused(refusal) => match refusal.status {
                400 | 413 | 415 | 422 => exit::USAGE,
                401 | 403 => exit::DENIED,
                404 => exit::NOT_FOUND,
                409 | 412 => exit::CONFLICT,
                502..=504 => exit::UNAVAILABLE,
                _ => exit::FAILED,
            },
            Self::Failed(_) | Self::Output(_) => exit::FAILED,
        }
    }

    /// What whoever sits there can do about it.
    fn advice(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("start one with `tidegate serve`, or say where it is with --url or TIDEGATE_URL".to_owned())
            }
            Self::Refused(refusal) => refusal.advice(),
            _ => None,
        }
    }

    /// Prints the error and what to do about it, for people, on standard error.
    pub fn report(&self) {
        if self.exit_code() == 0 {
            return;
        }
        eprintln!("error: {self}");
        if let Some(advice) = self.advice() {
            eprintln!("  try: {advice}");
        }
    }
}

impl Refusal {
    /// Whether a credential was missing or bad.
    pub(super) const fn is_unauthenticated(&self) -> bool {
        self.status == 401
    }

    fn advice(&self) -> Option<String> {
        let advice = match self.code.as_str() {
            "auth.missing_token" => {
                "set TIDEGATE_TOKEN, or put service_token into a profile; the gate's first start shows its first token"
            }
            "auth.invalid_token" => "look whether TIDEGATE_TOKEN or the profile's service_token belongs to this gate",
            "auth.token_expired" | "auth.token_revoked" => {
                "get another token: `tidegate token create`, with a token that may"
            }
            "auth.missing_scope" => {
                "`tidegate whoami` shows what this token may do; `tidegate token rotate ID --add-scope …`, with a token that may, widens it"
            }
            "auth.workspace_forbidden" => "`tidegate workspace list` shows the workspaces of this token",
            "auth.unsupported_algorithm" | "auth.invalid_issuer" | "auth.invalid_audience" => {
                "look whether the token was made for this gate; on the gate, `tidegate config check --online` shows its issuers"
            }
            "auth.key_unavailable" => {
                "on the gate, `tidegate config check --online` says why its issuer's keys cannot be had"
            }
            "auth.rate_limited.ip" | "auth.rate_limited.identity" => {
                "too many bad tokens came from here, or of this token: look whose it is (`tidegate auth status`), and wait a minute"
            }
            "auth.not_provisioned" => "somebody has to let you in first: `tidegate workspace member put`",
            "service_token.already_rotating" => "wait for the end of the older secret, or end it now with --overlap 0",
            "idempotency.not_replayable" => "it was made already; its secret is shown once only",
            "job.not_locked" => "activate the job again: its lock ran out or another worker has it",
            _ if self.status == 503 => "try again in a moment",
            _ if self.status >= 500 => "look into the gate's log for the request id",
            _ => return None,
        };
        Some(advice.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> CliError {
        CliError::Refused(Box::new(Refusal::read(status, Some("r-1"), body.as_bytes())))
    }

    #[test]
    fn a_refusal_tells_message_code_places_and_request_id() {
        let body = r#"{"code":"deployment.rejected","message":"cannot be run","request_id":"r-9",
            "errors":[{"resource":"a.bpmn","line":3,"column":7,"element_id":"t","message":"no"},{"pointer":"/name","message":"too long"}]}"#;
        let text = refused(422, body).to_string();
        assert_eq!(
            text,
            "cannot be run [deployment.rejected]\n  a.bpmn:3:7 (t): no\n  /name: too long\n  request id: r-9"
        );
        assert_eq!(
            refused(502, "<html>").to_string(),
            "the gate answered with status 502 [http.502]\n  request id: r-1"
        );
    }

    #[test]
    fn scripts_can_tell_errors_apart() {
        let codes = [400, 401, 403, 404, 409, 412, 422, 429, 500, 503].map(|status| refused(status, "{}").exit_code());
        assert_eq!(codes, [2, 4, 4, 5, 6, 6, 2, 1, 1, 3]);
        assert_eq!(CliError::Usage(String::new()).exit_code(), 2);
        assert_eq!(CliError::Output(io::ErrorKind::BrokenPipe.into()).exit_code(), 0);
    }
}
