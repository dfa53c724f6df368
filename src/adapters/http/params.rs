//! Parameters of paths, queries and headers as handlers take them: read into values of the domain, documented by their
//! types.

use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
};
use serde_json::json;

use super::{
    call::Call,
    codes::{self, Code},
    fields::{FromText, TextError},
    problem::Problem,
};
use crate::domain::{
    ids::{DeploymentId, ExecutionId, RevocationId, WorkflowId},
    service_token::ServiceTokenId,
    text::Key,
    user::UserId,
};

/// What is wrong with a parameter, as a problem.
fn refused(name: &str, error: TextError) -> Problem {
    let (problem, message) = match error {
        TextError::Form(message) => (Problem::unreadable(format!("{name}: {message}")), message),
        TextError::Range(message) => (Problem::out_of_range(format!("{name}: {message}")), message),
    };
    problem.with_errors(vec![json!({ "parameter": name, "message": message })])
}

/// A text read as one of a request's parameters.
pub(super) fn read<T: FromText>(name: &str, text: &str) -> Result<T, Problem> {
    if text.contains('\0') {
        return Err(refused(name, TextError::Range("must not contain U+0000".to_owned())));
    }
    T::read_text(text).map_err(|error| refused(name, error))
}

/// A query parameter; all of them may be absent.
pub(super) struct Query<T>(pub(super) Option<T>);

impl<'a, T: FromText> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(T::text_schema())))
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, options: ExtractParamOptions<()>) -> Result<Self> {
        let Some(text) = Call::of(request)?.query(options.name) else { return Ok(Self(None)) };
        Ok(Self(Some(read(options.name, text)?)))
    }
}

/// A header that may be absent.
pub(super) struct Header<T>(pub(super) Option<T>);

impl<'a, T: FromText> ApiExtractor<'a> for Header<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(T::text_schema())))
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, options: ExtractParamOptions<()>) -> Result<Self> {
        let mut values = request.headers().get_all(options.name).into_iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        if values.next().is_some() {
            return Err(refused(options.name, TextError::Form("comes more than once".to_owned())).into());
        }
        let text = value.to_str().map_err(|_| refused(options.name, TextError::Form("is not ASCII".to_owned())))?;
        Ok(Self(Some(read(options.name, text)?)))
    }
}

/// A type that names a thing in a path. A text that is no such name names nothing: 404 of its noun.
pub(super) trait FromPath: Sized + Send {
    /// What there is none of.
    const NOT_FOUND: &'static Code;
    /// How it looks in the document.
    fn path_schema() -> MetaSchema;
    /// Reads it.
    fn read_path(text: &str) -> Option<Self>;
}

/// A parameter of the path. (poem-openapi's macro tells path parameters by this very name, and hands over their order.)
pub(super) struct Path<T>(pub(super) T);

impl<'a, T: FromPath> ApiExtractor<'a> for Path<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(T::path_schema())))
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, options: ExtractParamOptions<()>) -> Result<Self> {
        let place = usize::from(options.name != "param0");
        let text = Call::of(request)?.parameters.get(place).and_then(Option::as_deref);
        let read = text.filter(|text| !text.contains('\0')).and_then(T::read_path);
        Ok(Self(read.ok_or_else(|| Problem::plain(T::NOT_FOUND))?))
    }
}

macro_rules! path_ids {
    ($($type:ty: $code:ident;)+) => {$(
        impl FromPath for $type {
            const NOT_FOUND: &'static Code = codes::$code;

            fn path_schema() -> MetaSchema {
                MetaSchema::new_with_format("string", "uuid")
            }

            fn read_path(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

path_ids! {
    WorkflowId: WORKFLOW_NOT_FOUND;
    ExecutionId: EXECUTION_NOT_FOUND;
    DeploymentId: DEPLOYMENT_NOT_FOUND;
    RevocationId: REVOCATION_NOT_FOUND;
}

impl FromPath for ServiceTokenId {
    const NOT_FOUND: &'static Code = codes::SERVICE_TOKEN_NOT_FOUND;

    fn path_schema() -> MetaSchema {
        Self::text_schema()
    }

    fn read_path(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl FromPath for UserId {
    const NOT_FOUND: &'static Code = codes::MEMBERSHIP_NOT_FOUND;

    fn path_schema() -> MetaSchema {
        MetaSchema { pattern: Some("^[a-z0-9][a-z0-9_-]{0,62}:".to_owned()), ..MetaSchema::new("string") }
    }

    fn read_path(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

/// A text of a path that its handler reads on.
#[derive(Debug)]
pub(super) struct Raw(pub(super) String);

impl FromPath for Raw {
    const NOT_FOUND: &'static Code = codes::REQUEST_NOT_FOUND;

    fn path_schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn read_path(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
}

macro_rules! opaque_ids {
    ($($(#[doc = $doc:literal])+ $name:ident: $code:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(super) struct $name(pub(super) String);

        impl FromPath for $name {
            const NOT_FOUND: &'static Code = codes::$code;

            fn path_schema() -> MetaSchema {
                MetaSchema::new("string")
            }

            fn read_path(text: &str) -> Option<Self> {
                (text.len() <= 512).then(|| Self(text.to_owned()))
            }
        }
    )+};
}

opaque_ids! {
    /// A process instance: `<engine>~<native id>`, or a bare native id.
    InstanceId: PROCESS_NOT_FOUND;
    /// An incident.
    IncidentId: INCIDENT_NOT_FOUND;
    /// A user task.
    TaskId: USER_TASK_NOT_FOUND;
    /// The BPMN element of a user task.
    TaskKey: USER_TASK_NOT_FOUND;
    /// A job.
    JobId: JOB_NOT_FOUND;
}

macro_rules! path_keys {
    ($($(#[doc = $doc:literal])+ $name:ident: $code:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(super) struct $name(pub(super) Key);

        impl FromPath for $name {
            const NOT_FOUND: &'static Code = codes::$code;

            fn path_schema() -> MetaSchema {
                Key::text_schema()
            }

            fn read_path(text: &str) -> Option<Self> {
                Key::parse(text).ok().map(Self)
            }
        }
    )+};
}

path_keys! {
    /// The key of a process, or the name of a message that starts one.
    ProcessName: PROCESS_NOT_FOUND;
}
