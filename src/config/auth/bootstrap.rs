//! The bootstrap token of `[auth]`: a credential that lives in the config (authentication.md sections 1 and 4).

use super::super::problem::Findings;
use crate::domain::{bearer::BearerToken, service_token};

pub(super) const KEY: &str = "auth.bootstrap_service_token";

const LEAST: usize = 16;
const GOOD: usize = 32;

/// Takes a token that no other judge would recognise and nobody guesses (authentication.md section 1). No message shows it.
pub(super) fn judge(text: &str, findings: &mut Findings) -> Option<BearerToken> {
    let length = text.chars().count();
    let refused = if length < LEAST {
        Some("must have at least 16 characters; `openssl rand -base64 32` makes a good one")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("must be visible ASCII without blanks: nothing else fits into a header")
    } else if text.starts_with(service_token::PREFIX) {
        Some("must not begin with tgs_: it would be judged as a service token")
    } else if text.split('.').count() == 3 {
        Some("must not consist of three segments with dots between: it would be judged as a JWT")
    } else {
        None
    };
    if let Some(reason) = refused {
        findings.refuse(KEY, reason);
        return None;
    }
    if length < GOOD {
        findings.warn(KEY, "has under 32 characters; `openssl rand -base64 32` makes a good one");
    }
    Some(BearerToken::new(text))
}
