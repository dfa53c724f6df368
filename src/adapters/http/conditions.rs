//! What a request asks for beside its body: `Idempotency-Key`, `If-Match`, `Prefer`, and who it comes from.

use std::{sync::Arc, time::Duration};

use poem::{
    FromRequest, Request, RequestBody, Result,
    http::{HeaderMap, HeaderValue, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
};

use super::{
    call::{Call, Deadline},
    codes,
    fields::{FromText, TextError, Within},
    params,
    problem::Problem,
};
use crate::domain::{
    idempotency::{Fingerprint, Idempotency, IdempotencyKey},
    identity::Identity,
};

/// The longest wait that a request may ask for.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Who asks.
pub(super) struct Who(pub(super) Arc<Identity>);

impl<'a> FromRequest<'a> for Who {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let call = Call::of(request)?;
        match &call.identity {
            Some(identity) => Ok(Self(Arc::clone(identity))),
            None => Err(Problem::plain(codes::INTERNAL).into()),
        }
    }
}

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters.
struct KeyText(String);

impl FromText for KeyText {
    fn text_schema() -> MetaSchema {
        MetaSchema { min_length: Some(1), max_length: Some(255), ..MetaSchema::new("string") }
    }

    fn read_text(text: &str) -> Result<Self, TextError> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError::Range("must be 1 to 255 visible ASCII characters".to_owned()))
        }
    }
}

/// The `Idempotency-Key` of a request, if it has one, and what else a repeat must match.
pub(super) struct Repeatable {
    key: Option<IdempotencyKey>,
    query: String,
}

impl Repeatable {
    /// What the command is known by, given the text of its body.
    pub(super) fn with(&self, body: &[u8]) -> Option<Idempotency> {
        self.key.map(|key| Idempotency { key, fingerprint: Fingerprint::new(&self.query, body) })
    }
}

impl<'a> ApiExtractor<'a> for Repeatable {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(KeyText::text_schema())))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let params::Header(key) = params::Header::<KeyText>::from_request(request, body, options).await?;
        let Who(who) = <Who as FromRequest>::from_request(request, body).await?;
        let (method, uri) = (request.method().as_str(), request.uri());
        let key = key.map(|KeyText(key)| IdempotencyKey::new(&who.key(), method, uri.path(), &key));
        Ok(Self { key, query: uri.query().unwrap_or_default().to_owned() })
    }
}

/// The versions that a change may meet: `None` in it stands for one that is not ours and so never matches.
pub(super) struct IfMatch(Vec<Option<u64>>);

impl IfMatch {
    /// The revisions to try, one after the other, until one is not stale: `None` means any.
    pub(super) fn revisions(condition: params::Header<Self>) -> Vec<Option<u64>> {
        match condition.0 {
            None => vec![None],
            // Revisions begin at 1.
            Some(Self(tags)) => tags.into_iter().map(|tag| Some(tag.unwrap_or(0))).collect(),
        }
    }
}

impl FromText for IfMatch {
    fn text_schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    /// RFC 9110 section 13.1.1: `*` or a list of entity tags. Weak ones never match.
    fn read_text(text: &str) -> Result<Self, TextError> {
        let malformed = || TextError::Form("must be * or entity tags in quotes".to_owned());
        let mut tags = Vec::new();
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let (weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
            let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(malformed)?;
            tags.push(opaque.parse().ok().filter(|revision| !weak && *revision > 0));
        }
        if tags.is_empty() { Err(malformed()) } else { Ok(Self(tags)) }
    }
}

/// `If-Match`, where `*` is the same as none: whatever there is.
pub(super) struct Condition(pub(super) Vec<Option<u64>>);

impl<'a> ApiExtractor<'a> for Condition {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(IfMatch::text_schema())))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        if request.headers().get(options.name).is_some_and(|value| value.as_bytes() == b"*") {
            return Ok(Self(vec![None]));
        }
        let condition = params::Header::<IfMatch>::from_request(request, body, options).await?;
        Ok(Self(IfMatch::revisions(condition)))
    }
}

/// The wait that `Prefer: wait=N` (RFC 7240) asks for, at most 60 s. Other preferences are not ours to honour.
pub(super) struct Prefer(pub(super) Option<Duration>);

impl<'a> ApiExtractor<'a> for Prefer {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))))
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        let preferences = request.headers().get_all("prefer").into_iter().map(HeaderValue::to_str);
        let preferences = preferences.filter_map(Result::ok).flat_map(|value| value.split(','));
        let mut waits = preferences.filter_map(|preference| preference.trim().split_once('='));
        let Some((_, wait)) = waits.find(|(name, _)| name.trim().eq_ignore_ascii_case("wait")) else {
            return Ok(Self(None));
        };
        let seconds = wait.split(';').next().unwrap_or_default().trim().trim_matches('"');
        let seconds = seconds.parse::<u64>().map_err(|_| Problem::unreadable("Prefer: wait is a number of seconds"))?;
        let wait = Duration::from_secs(seconds).min(LONGEST_WAIT);
        Call::of(request)?.deadline.extend(wait);
        Ok(Self(Some(wait)))
    }
}

/// The means by which a handler asks for more time.
pub(super) struct Patience(Deadline);

impl Patience {
    /// Puts a wait that the request asks for on top of its time; gives it back as a duration.
    pub(super) fn wait(&self, seconds: Option<Within<0, 60>>) -> Duration {
        let wait = Duration::from_secs(seconds.map_or(0, Within::as_u32).into());
        self.0.extend(wait);
        wait
    }
}

impl<'a> FromRequest<'a> for Patience {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Self(Call::of(request)?.deadline.clone()))
    }
}

/// What the caller would like to get: all of its `Accept`, in lower case.
pub(super) struct Accept(String);

impl Accept {
    /// What the headers say.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        Self(values.collect::<Vec<_>>().join(",").to_ascii_lowercase())
    }

    /// Whether this media type is named, and rather wanted than JSON.
    pub(super) fn prefers(&self, media_type: &str) -> bool {
        let wanted = self.quality(media_type).unwrap_or(0.0);
        wanted > 0.0 && wanted >= self.quality("application/json").unwrap_or(0.0)
    }

    /// How much a media type is wanted that is named (RFC 9110 section 12.4.2); what cannot be read counts in full.
    fn quality(&self, media_type: &str) -> Option<f32> {
        let mut ranges = self.0.split(',').map(|range| range.split(';').map(str::trim));
        let mut parameters = ranges.find_map(|mut range| (range.next() == Some(media_type)).then_some(range))?;
        let quality = parameters.find_map(|parameter| parameter.strip_prefix("q="));
        Some(quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0))
    }
}

impl<'a> ApiExtractor<'a> for Accept {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))))
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        Ok(Self::of(request.headers()))
    }
}
