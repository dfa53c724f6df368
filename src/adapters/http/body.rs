//! Request bodies: the one payload type of all operations.

use std::time::Duration;

use futures_util::StreamExt;
use poem::{Body as RawBody, Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::task::TaskTracker;

use super::{
    call::Call,
    codes,
    fields::{FieldProblems, FromJson, Pointer},
    ijson,
    problem::Problem,
};
use crate::app::context;

/// Whose body was longer in coming is judged again when it is there: rights that were lost are lost within a second.
const COMES_WITHIN: Duration = Duration::from_millis(500);
/// How much of a refused body is read on, so that simple clients, which write all of it before they read, see the answer.
const DRAINED_BYTES: usize = 16 * 1024 * 1024;
/// For how long.
const DRAINED_FOR: Duration = Duration::from_secs(2);

/// A larger body is parsed apart.
const LARGE_BYTES: usize = 256 * 1024;
/// How many of them are parsed at once.
static LARGE_BODIES: Semaphore = Semaphore::const_new(4);

/// A JSON body, and its text for fingerprints.
pub(super) struct Body<T> {
    pub(super) value: T,
    pub(super) raw: Vec<u8>,
}

/// A JSON body that may be absent.
pub(super) struct OptionalBody<T> {
    pub(super) value: Option<T>,
    pub(super) raw: Vec<u8>,
}

fn meta<T: FromJson>(required: bool) -> MetaRequest {
    let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema() }];
    MetaRequest { description: None, content, required }
}

impl<'a, T: FromJson + Send + 'static> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta::<T>(true))
    }

    async fn from_request(request: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        let raw = text(request, body).await?;
        let (value, raw) = parse_apart(raw).await?;
        match value {
            Some(value) => Ok(Self { value, raw }),
            None => Err(Problem::unreadable("the body is missing; it must be a JSON object").into()),
        }
    }
}

impl<'a, T: FromJson + Send + 'static> ApiExtractor<'a> for OptionalBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta::<T>(false))
    }

    async fn from_request(request: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        let raw = text(request, body).await?;
        let (value, raw) = parse_apart(raw).await?;
        Ok(Self { value, raw })
    }
}

/// Parses a large body apart from the runtime's threads, and few at a time: it takes milliseconds, and memory by the tens of
/// megabytes.
async fn parse_apart<T: FromJson + Send + 'static>(raw: Vec<u8>) -> Result<(Option<T>, Vec<u8>), Problem> {
    if raw.len() < LARGE_BYTES {
        return Ok((parse(&raw)?, raw));
    }
    let _turn = LARGE_BODIES.acquire().await.map_err(|closed| Problem::internal(&closed))?;
    let parsing = tokio::task::spawn_blocking(move || parse(&raw).map(|value| (value, raw)));
    parsing.await.map_err(|died| Problem::internal(&died))?
}

fn parse<T: FromJson>(raw: &[u8]) -> Result<Option<T>, Problem> {
    if raw.is_empty() {
        return Ok(None);
    }
    let mut problems = FieldProblems::default();
    let value = ijson::read(raw, &mut problems).map_err(|ijson::Unreadable(why)| Problem::unreadable(why))?;
    let read = T::read(value, &Pointer::Root, &mut problems);
    match (problems.into_problem(), read) {
        (Some(problem), _) => Err(problem),
        (None, Some(read)) => Ok(Some(read)),
        (None, None) => Err(Problem::unreadable("the body cannot be read")),
    }
}

/// The bytes of a body: its type is right and its size within the limit.
async fn text(request: &Request, body: &mut RequestBody) -> Result<Vec<u8>, Problem> {
    let call = Call::of(request)?;
    let Ok(body) = body.take() else { return Ok(Vec::new()) };
    if body.is_empty() {
        return Ok(Vec::new());
    }
    if let Err(problem) = check_type(request) {
        drain(&call.tasks, body);
        return Err(problem);
    }
    read_bounded(call, request, body, call.body_limit).await
}

/// `application/json`, perhaps with parameters, but no charset other than UTF-8 (RFC 8259 section 8.1), or no type at all.
fn check_type(request: &Request) -> Result<(), Problem> {
    let refused = |detail| Err(Problem::new(codes::REQUEST_UNSUPPORTED_MEDIA_TYPE, detail));
    let mut codings = request.headers().get_all(header::CONTENT_ENCODING).into_iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refused("the body must come without a content coding");
    }
    let mut types = request.headers().get_all(header::CONTENT_TYPE).into_iter();
    let Some(first) = types.next() else { return Ok(()) };
    let mut parts = first.to_str().unwrap_or_default().split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    if parts.filter_map(charset).any(|charset| !["utf-8", "utf8", "us-ascii"].contains(&&*charset)) {
        return refused("the body must be UTF-8");
    }
    if media_type.eq_ignore_ascii_case("application/json") && types.next().is_none() {
        return Ok(());
    }
    refused("the body must be application/json")
}

/// The value of a media type's parameter, if that is `charset`.
fn charset(parameter: &str) -> Option<String> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read_bounded(
    call: &Call,
    request: &Request,
    body: RawBody,
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let announced = length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        drain(&call.tasks, body);
        return Err(too_large(limit));
    }
    let begun = Instant::now();
    let mut raw = Vec::with_capacity(announced.unwrap_or(0));
    let mut chunks = body.into_bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::unreadable("the body ended before it was complete"))?;
        if raw.len().saturating_add(chunk.len()) > limit {
            drain_stream(&call.tasks, chunks);
            return Err(too_large(limit));
        }
        raw.extend_from_slice(&chunk);
    }
    if begun.elapsed() > COMES_WITHIN {
        call.still_admitted().await?;
    }
    Ok(raw)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(codes::REQUEST_BODY_TOO_LARGE, format!("the body is over the limit of {limit} bytes"))
}

/// Reads on what nobody wants, within bounds, while the answer is on its way.
pub(super) fn drain(tasks: &TaskTracker, body: RawBody) {
    if !body.is_empty() {
        drain_stream(tasks, body.into_bytes_stream());
    }
}

fn drain_stream<B, E>(
    tasks: &TaskTracker,
    chunks: impl futures_util::Stream<Item = std::result::Result<B, E>> + Send + 'static,
) where
    B: AsRef<[u8]> + Send,
    E: Send,
{
    drop(context::spawn(tasks, async move {
        let read = async {
            let mut chunks = std::pin::pin!(chunks);
            let mut drained = 0;
            while let Some(Ok(chunk)) = chunks.next().await {
                drained += chunk.as_ref().len();
                if drained > DRAINED_BYTES {
                    break;
                }
            }
        };
        // Whatever is left when the time is over stays unread.
        tokio::time::timeout(DRAINED_FOR, read).await.unwrap_or_default();
    }));
}
