//! What is judged of claims that a signature vouches for (authentication.md section 1.4): `aud`, then `exp`, `nbf`, `iat`,
//! `sub`, on our clock. josekit's own checks leave gaps, and are not used.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    domain::{json::JsonObject, numeric_date::numeric_date, rejection::RejectionReason},
    ports::token_validator::{AuthError, Rejection},
};

/// The most that clocks may differ by.
pub const MOST_LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// How much they may unless something else is configured.
pub const USUAL_LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// Whom an issuer's tokens must be meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// It does not matter.
    NotJudged,
    /// One of these; a token that names nobody is refused.
    OneOf(Vec<String>),
    /// One of these, or nobody in particular: `WorkOS` names nobody unless a template of its does.
    IfPresent(Vec<String>),
}

impl Audience {
    /// What `audiences` says: `["*"]` means all.
    pub fn of(audiences: Vec<String>) -> Self {
        if audiences.iter().any(|audience| audience == "*") { Self::NotJudged } else { Self::OneOf(audiences) }
    }

    /// Judges the claim `aud`.
    ///
    /// # Errors
    /// [`AuthError::InvalidAudience`], also for a claim that is neither a text nor a list of texts.
    pub fn judge(&self, claim: Option<&Value>) -> Result<(), AuthError> {
        let accepted = match (self, claim) {
            (Self::NotJudged, _) | (Self::IfPresent(_), None) => return Ok(()),
            (Self::OneOf(_), None) => return Err(AuthError::InvalidAudience),
            (Self::OneOf(accepted) | Self::IfPresent(accepted), Some(_)) => accepted,
        };
        let ours = |value: &Value| value.as_str().is_some_and(|text| accepted.iter().any(|one| one == text));
        let meant = match claim {
            Some(Value::Array(list)) => list.iter().all(Value::is_string) && list.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        };
        if meant { Ok(()) } else { Err(AuthError::InvalidAudience) }
    }
}

/// How the times of a token are judged.
#[derive(Debug, Clone, Copy)]
pub(in crate::adapters::auth) struct Times {
    /// By how much clocks may differ, both ways.
    pub(in crate::adapters::auth) leeway: SignedDuration,
    /// By how much `iat` may lie ahead: whoever signs rounds it by a clock of its own.
    pub(in crate::adapters::auth) ahead: SignedDuration,
    /// From `iat` to `exp` at most; without `iat`, from now on.
    pub(in crate::adapters::auth) most_life: SignedDuration,
}

impl Times {
    /// Judges `exp`, `nbf`, `iat`; gives the end.
    ///
    /// # Errors
    /// [`AuthError::TokenExpired`]; [`AuthError::InvalidToken`] for all else.
    pub(in crate::adapters::auth) fn judge(&self, claims: &JsonObject, now: Timestamp) -> Result<Timestamp, Rejection> {
        let time =
            |name: &str| claims.get(name).map(numeric_date).transpose().map_err(|_| RejectionReason::MalformedTime);
        let later = |by| now.checked_add(by).unwrap_or(Timestamp::MAX);
        let expires_at = time("exp")?.ok_or(RejectionReason::MissingExpiry)?;
        if now >= expires_at.checked_add(self.leeway).unwrap_or(Timestamp::MAX) {
            return Err(AuthError::TokenExpired.into());
        }
        let not_before = time("nbf")?;
        let issued_at = time("iat")?;
        if not_before.is_some_and(|time| time > later(self.leeway)) {
            return Err(RejectionReason::NotYetValid.into());
        }
        if issued_at.is_some_and(|time| time > later(self.ahead)) {
            return Err(RejectionReason::IssuedAhead.into());
        }
        if issued_at.unwrap_or_else(|| later(self.leeway)).duration_until(expires_at) > self.most_life {
            return Err(RejectionReason::LifeTooLong.into());
        }
        Ok(expires_at)
    }
}

/// The claim `sub`: a text that is not empty.
///
/// # Errors
/// [`RejectionReason::Subject`].
pub(super) fn judge_subject(claims: &JsonObject) -> Result<(), RejectionReason> {
    match claims.get("sub") {
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        _ => Err(RejectionReason::Subject),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> JsonObject {
        value.as_object().unwrap().clone()
    }

    fn judged(value: &Value) -> Result<Timestamp, Rejection> {
        let leeway = SignedDuration::from_secs(30);
        let times = Times { leeway, ahead: leeway, most_life: SignedDuration::from_hours(24) };
        times.judge(&claims(value), Timestamp::from_second(1_000_000).unwrap())
    }

    #[test]
    fn leeway_goes_both_ways_and_no_further() {
        assert!(judged(&json!({"exp": 999_971})).is_ok());
        assert_eq!(judged(&json!({"exp": 999_970})), Err(AuthError::TokenExpired.into()));
        assert!(judged(&json!({"exp": 999_970.5})).is_ok());
        assert!(judged(&json!({"exp": 1_000_100, "nbf": 1_000_030, "iat": 1_000_030})).is_ok());
        assert_eq!(judged(&json!({"exp": 1_000_100, "nbf": 1_000_031})), Err(RejectionReason::NotYetValid.into()));
        assert_eq!(judged(&json!({"exp": 1_000_100, "iat": 1_000_030.1})), Err(RejectionReason::IssuedAhead.into()));
    }

    #[test]
    fn a_token_lives_no_longer_than_its_issuer_lets_it() {
        assert!(judged(&json!({"exp": 1_086_400, "iat": 1_000_000})).is_ok());
        assert_eq!(judged(&json!({"exp": 1_086_401, "iat": 1_000_000})), Err(RejectionReason::LifeTooLong.into()));
        assert_eq!(judged(&json!({"exp": 1_000_010, "iat": 900_000})), Err(RejectionReason::LifeTooLong.into()));
        assert!(judged(&json!({"exp": 1_086_430})).is_ok());
        assert_eq!(judged(&json!({"exp": 1_086_431})), Err(RejectionReason::LifeTooLong.into()));
        assert_eq!(judged(&json!({"exp": 253_402_300_799_i64})), Err(RejectionReason::LifeTooLong.into()));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in
            [json!("1000100"), json!(-1), json!(true), json!(null), json!([1_000_100]), json!(253_402_300_800_i64)]
        {
            assert_eq!(judged(&json!({"exp": bad})), Err(RejectionReason::MalformedTime.into()), "{bad}");
            assert_eq!(
                judged(&json!({"exp": 1_000_100, "nbf": bad})),
                Err(RejectionReason::MalformedTime.into()),
                "{bad}"
            );
            assert_eq!(
                judged(&json!({"exp": 1_000_100, "iat": bad})),
                Err(RejectionReason::MalformedTime.into()),
                "{bad}"
            );
        }
        assert_eq!(judged(&json!({})), Err(RejectionReason::MissingExpiry.into()));
    }

    #[test]
    fn an_audience_is_a_text_or_a_list_of_texts() {
        let one = Audience::of(vec!["gate".to_owned(), "door".to_owned()]);
        for good in [json!("gate"), json!(["x", "door"])] {
            assert_eq!(one.judge(Some(&good)), Ok(()), "{good}");
        }
        for bad in [
            json!("Gate"),
            json!("gate door"),
            json!([]),
            json!(["x"]),
            json!(["gate", 1]),
            json!(null),
            json!({"gate": 1}),
        ] {
            assert_eq!(one.judge(Some(&bad)), Err(AuthError::InvalidAudience), "{bad}");
        }
        assert_eq!(one.judge(None), Err(AuthError::InvalidAudience));
        assert_eq!(Audience::of(vec!["*".to_owned()]), Audience::NotJudged);
        let ours = Audience::IfPresent(vec!["client_1".to_owned()]);
        assert_eq!(ours.judge(None), Ok(()));
        assert_eq!(ours.judge(Some(&json!("client_2"))), Err(AuthError::InvalidAudience));
        assert_eq!(ours.judge(Some(&json!([]))), Err(AuthError::InvalidAudience));
    }
}
