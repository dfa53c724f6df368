//! `POST /auth/workos/events`: what WorkOS says has happened to its sessions and people
//! (<https://workos.com/docs/events/data-syncing/webhooks>). The signature is the credential.

use std::{fmt, sync::Arc};

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, OpenApi,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::{
    answers::Ok200, body::read_bounded, call::Call, codes, fields::FreeText, json::response, params::Header,
    problem::Problem, tags::Tag,
};
use crate::{
    app::{
        App,
        revocations::{Happened, IssuerEvent},
    },
    domain::user::IssuerName,
};

/// The most bytes of an event.
const MOST_BYTES: usize = 1 << 20;
/// How far a stamp may be from now.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(180);
/// A smaller stamp is in seconds.
const LEAST_MILLIS: i64 = 100_000_000_000;

/// Whose events are heard, and what they are signed with.
#[derive(Clone)]
pub struct WorkosWebhook {
    /// The issuer's configured name.
    pub issuer: IssuerName,
    /// The secret of the endpoint at WorkOS.
    pub secret: SecretString,
    /// Whether stamps in seconds are taken. WorkOS sends milliseconds, its emulator seconds: for tests alone.
    pub stamps_in_seconds: bool,
}

impl fmt::Debug for WorkosWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkosWebhook").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Hears WorkOS.
pub(super) struct WorkosEventsApi {
    pub(super) app: Arc<App>,
    pub(super) webhooks: Vec<WorkosWebhook>,
}

response! {
    /// What became of an event.
    pub(super) struct EventHeard {
        /// `applied`, also where it was before; or `ignored`: the gate has no use for events of this type.
        required outcome ("outcome"): &'static str,
    }
}

/// A body that nobody has read.
pub(super) struct Unread(poem::Body);

impl<'a> ApiExtractor<'a> for Unread {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let any = MetaSchemaRef::Inline(Box::new(MetaSchema::ANY));
        let event = MetaSchema { additional_properties: Some(Box::new(any)), ..MetaSchema::new("object") };
        let schema = MetaSchemaRef::Inline(Box::new(event));
        let content = vec![MetaMediaType { content_type: "application/json", schema }];
        Some(MetaRequest { description: Some("The event, as WorkOS signed it."), content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let _ = request;
        Ok(Self(body.take().unwrap_or_else(|_| poem::Body::empty())))
    }
}

#[OpenApi(tag = "Tag::Revocations")]
impl WorkosEventsApi {
    /// Hear an event of WorkOS
    ///
    /// `session.revoked` ends a session's tokens, `user.deleted` bans a person and ends their memberships,
    /// `organization_membership.updated` and `.deleted` refuse a person's tokens issued before. Each event counts once, in
    /// whatever order they come. 404 where no issuer has a `webhook_secret`.
    #[oai(path = "/auth/workos/events", method = "post", operation_id = "receive_workos_event")]
    async fn receive(
        &self,
        request: &Request,
        /// `t=<milliseconds>, v1=<HMAC-SHA256 over "{t}.{body}" in hexadecimal>`
        #[oai(name = "WorkOS-Signature")]
        signature: Header<FreeText>,
        body: Unread,
    ) -> Result<Ok200<EventHeard>, Problem> {
        if self.webhooks.is_empty() {
            return Err(Problem::plain(codes::REQUEST_NOT_FOUND));
        }
        let raw = read_bounded(Call::of(request)?, request, body.0, MOST_BYTES).await?;
        let header = signature.0.map(|FreeText(text)| text).unwrap_or_default();
        let now = self.app.core.commands.now();
        // Two applications of one environment of WorkOS's have the same people, and may have the same endpoint.
        let meant: Vec<_> = self.webhooks.iter().filter(|webhook| verifies(webhook, &header, &raw, now)).collect();
        if meant.is_empty() {
            return Err(Problem::plain(codes::WEBHOOK_SIGNATURE_INVALID));
        }
        let mut outcome = "ignored";
        for webhook in meant {
            if let Some(event) = read(&webhook.issuer, &raw, now)? {
                self.app.revocations.heard(event).await?;
                outcome = "applied";
            }
        }
        Ok(Ok200::new(EventHeard { outcome }))
    }
}

/// Whether a body is signed with this secret, about now.
fn verifies(webhook: &WorkosWebhook, header: &str, body: &[u8], now: Timestamp) -> bool {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let Some((_, stamp)) = parts().find(|(name, _)| *name == "t") else { return false };
    let Some(at) = time_of(stamp, webhook.stamps_in_seconds) else { return false };
    if now.duration_since(at).abs() > TOLERANCE {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(webhook.secret.expose_secret().as_bytes()) else { return false };
    mac.update(stamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut signatures = parts().filter(|(name, _)| *name == "v1");
    signatures.any(|(_, hex)| {
        let signature = HEXLOWER_PERMISSIVE.decode(hex.as_bytes());
        signature.is_ok_and(|signature| mac.clone().verify_slice(&signature).is_ok())
    })
}

fn time_of(stamp: &str, seconds_too: bool) -> Option<Timestamp> {
    let number: i64 = stamp.parse().ok()?;
    match number {
        LEAST_MILLIS.. => Timestamp::from_millisecond(number).ok(),
        0.. if seconds_too => Timestamp::from_second(number).ok(),
        _ => None,
    }
}

/// Reads an event that was signed; `None` where the gate has no use for its type. Of one that does not say when it happened
/// (all do), it is now.
fn read(issuer: &IssuerName, body: &[u8], now: Timestamp) -> Result<Option<IssuerEvent>, Problem> {
    let event: Value = serde_json::from_slice(body).map_err(|_| Problem::unreadable("the event is not JSON"))?;
    let text = |pointer: &str| match event.pointer(pointer).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Problem::unreadable(format!("the event lacks {pointer}"))),
    };
    let what = match text("/event")?.as_str() {
        "session.revoked" => Happened::SessionEnded(text("/data/id")?),
        "user.deleted" => Happened::UserDeleted(text("/data/id")?),
        "organization_membership.deleted" | "organization_membership.updated" => {
            Happened::RightsChanged(text("/data/user_id")?)
        }
        _ => return Ok(None),
    };
    let at = event.get("created_at").and_then(Value::as_str).and_then(|at| at.parse().ok()).unwrap_or(now);
    Ok(Some(IssuerEvent { issuer: issuer.clone(), id: text("/id")?, at, what }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"event_1","event":"session.revoked","data":{"id":"session_1"}}"#;

    fn webhook(stamps_in_seconds: bool) -> WorkosWebhook {
        let issuer = IssuerName::parse("workos").unwrap();
        WorkosWebhook { issuer, secret: SecretString::from("secret"), stamps_in_seconds }
    }

    fn signed(stamp: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(format!("{stamp}.").as_bytes());
        mac.update(body);
        HEXLOWER_PERMISSIVE.encode(&mac.finalize().into_bytes())
    }

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_signature_is_of_this_secret_this_body_and_about_now() {
        let stamp = now().as_millisecond();
        let good = signed(stamp, BODY);
        let takes = |header: &str, body: &[u8]| verifies(&webhook(false), header, body, now());
        for header in [
            format!("t={stamp}, v1={good}"),
            format!("t={stamp},v1={}", good.to_uppercase()),
            format!("v1=00, t={stamp} ,v1={good},v0=x"),
        ] {
            assert!(takes(&header, BODY), "{header}");
        }
        assert!(!takes(&format!("t={stamp}, v1={good}"), b"{}"), "another body");
        let other = webhook(false);
        let other = WorkosWebhook { secret: SecretString::from("other"), ..other };
        assert!(!verifies(&other, &format!("t={stamp}, v1={good}"), BODY, now()), "another secret");
        for header in [
            "",
            "t=",
            "v1=",
            &format!("v1={good}"),
            &format!("t={stamp}"),
            &format!("t={stamp}, v1="),
            &format!("t={stamp}, v1={}", &good[..62]),
            &format!("t={}, v1={good}", stamp + 1),
            &format!("t=+{stamp}, v1=zz"),
        ] {
            assert!(!takes(header, BODY), "{header}");
        }
    }

    #[test]
    fn a_stamp_is_within_three_minutes_either_way() {
        let millis = now().as_millisecond();
        for (apart, taken) in [(-180_001, false), (-180_000, true), (180_000, true), (180_001, false)] {
            let stamp = millis + apart;
            let header = format!("t={stamp}, v1={}", signed(stamp, BODY));
            assert_eq!(verifies(&webhook(false), &header, BODY, now()), taken, "{apart}");
        }
        let seconds = now().as_second();
        let header = format!("t={seconds},v1={}", signed(seconds, BODY));
        assert!(!verifies(&webhook(false), &header, BODY, now()), "seconds are an emulator's");
        assert!(verifies(&webhook(true), &header, BODY, now()));
    }

    #[test]
    fn what_is_of_no_use_is_left_alone() {
        let issuer = webhook(false).issuer;
        let of = |text: &str| read(&issuer, text.as_bytes(), now());
        assert!(of(r#"{"id":"event_1","event":"user.created","data":{}}"#).is_ok_and(|event| event.is_none()));
        let event = of(r#"{"id":"e","event":"organization_membership.updated","data":{"id":"om_1","user_id":"user_1"},
            "created_at":"2026-11-22T11:00:00.123Z"}"#);
        let event = event.unwrap().unwrap();
        assert_eq!(
            (event.what, event.at.to_string()),
            (Happened::RightsChanged("user_1".to_owned()), "2026-11-22T11:00:00.123Z".to_owned())
        );
        for bad in
            ["", "[]", r#"{"event":"session.revoked","data":{"id":"s"}}"#, r#"{"id":"e","event":"user.deleted"}"#]
        {
            assert_eq!(of(bad).unwrap_err().http_status().as_u16(), 400, "{bad}");
        }
    }
}
