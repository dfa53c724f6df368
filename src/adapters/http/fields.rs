//! How values of the domain are read from JSON and from text: each type reads itself at the edge, says how it looks in the
//! document, and is valid ever after.

use std::{collections::BTreeSet, fmt, str::FromStr};

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use serde_json::{Value, json};

use super::problem::Problem;
use crate::app::revocations::Target;
use crate::domain::{
    audit::AuditOutcome,
    engine::EngineName,
    execution::ExecutionStatus,
    ids::{ExecutionId, WorkflowId},
    json::JsonObject,
    scope::Scope,
    service_token::ServiceTokenId,
    text::{Key, Name, Remark},
    user::Role,
    workspace::WorkspaceId,
};

/// A place in a body: a JSON pointer (RFC 6901) that is only put together when somebody reads it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pointer<'a> {
    Root,
    Member(&'a Pointer<'a>, &'a str),
    Item(&'a Pointer<'a>, usize),
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(parent, name) => {
                write!(f, "{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Self::Item(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// How many entries `errors` has at most.
const MOST_ENTRIES: usize = 20;

/// What is wrong with the fields of one body.
#[derive(Debug, Default)]
pub(super) struct FieldProblems {
    entries: Vec<Value>,
    unreadable: bool,
}

impl FieldProblems {
    /// Notes something that cannot be read.
    pub(super) fn unreadable(&mut self, at: &Pointer<'_>, message: impl fmt::Display) {
        self.unreadable = true;
        self.note(at, message);
    }

    /// Notes something that can be read, but breaks a limit.
    pub(super) fn out_of_range(&mut self, at: &Pointer<'_>, message: impl fmt::Display) {
        self.note(at, message);
    }

    fn note(&mut self, at: &Pointer<'_>, message: impl fmt::Display) {
        if self.entries.len() < MOST_ENTRIES {
            self.entries.push(json!({ "pointer": at.to_string(), "message": message.to_string() }));
        }
    }

    /// The problem that they are together, if there are any.
    pub(super) fn into_problem(self) -> Option<Problem> {
        let first = self.entries.first()?;
        let text = |key: &str| first.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (pointer, message) = (text("pointer"), text("message"));
        let place = if pointer.is_empty() { "the body".to_owned() } else { pointer };
        let detail = format!("{place}: {message}");
        let problem = if self.unreadable { Problem::unreadable(detail) } else { Problem::out_of_range(detail) };
        Some(problem.with_errors(self.entries))
    }
}

/// A type that is read from a JSON value.
pub(super) trait FromJson: Sized {
    /// How it looks in the document.
    fn schema() -> MetaSchemaRef;
    /// Puts the schemas that it refers to into the document.
    fn register(_registry: &mut Registry) {}
    /// Reads it; what is wrong is noted, and `None` is given.
    fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self>;
}

/// What keeps a text from being a value.
#[derive(Debug)]
pub(super) enum TextError {
    /// It does not have the form: 400.
    Form(String),
    /// It breaks a limit: 422.
    Range(String),
}

/// A type that is read from a text: a query parameter, a header, a JSON string.
pub(super) trait FromText: Sized + Send {
    /// How it looks in the document.
    fn text_schema() -> MetaSchema;
    /// Reads it.
    fn read_text(text: &str) -> Result<Self, TextError>;
}

fn range(error: impl fmt::Display) -> TextError {
    TextError::Range(error.to_string())
}

fn text_schema(least: usize, most: usize) -> MetaSchema {
    MetaSchema { min_length: Some(least), max_length: Some(most), ..MetaSchema::new("string") }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

/// The word for a value's JSON type.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Texts of JSON that hold U+0000 were noted by the reader already.
fn read_string<T: FromText>(value: &Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<T> {
    let Value::String(text) = value else {
        problems.unreadable(at, format_args!("must be a text, not {}", kind(value)));
        return None;
    };
    match T::read_text(text) {
        Ok(read) => Some(read),
        Err(_) if text.contains('\0') => None,
        // A text is a text: what is wrong with it is its range.
        Err(TextError::Form(message) | TextError::Range(message)) => {
            problems.out_of_range(at, message);
            None
        }
    }
}

macro_rules! texts {
    ($($type:ty: $schema:expr, $read:expr;)+) => {$(
        impl FromText for $type {
            fn text_schema() -> MetaSchema {
                $schema
            }

            fn read_text(text: &str) -> Result<Self, TextError> {
                let read: fn(&str) -> Result<Self, TextError> = $read;
                read(text)
            }
        }

        impl FromJson for $type {
            fn schema() -> MetaSchemaRef {
                inline(Self::text_schema())
            }

            fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self> {
                read_string(&value, at, problems)
            }
        }
    )+};
}

fn slug() -> MetaSchema {
    MetaSchema { pattern: Some("^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$".to_owned()), ..MetaSchema::new("string") }
}

fn uuid() -> MetaSchema {
    MetaSchema::new_with_format("string", "uuid")
}

fn names(all: impl Iterator<Item = &'static str>) -> MetaSchema {
    MetaSchema { enum_items: all.map(|name| json!(name)).collect(), ..MetaSchema::new("string") }
}

texts! {
    WorkspaceId: slug(), |text| Self::parse(text).map_err(range);
    EngineName: slug(), |text| Self::parse(text).map_err(range);
    ServiceTokenId:
        MetaSchema { pattern: Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$".to_owned()), ..MetaSchema::new("string") },
        |text| Self::parse(text).map_err(range);
    Name: text_schema(1, 200), |text| Self::parse(text).map_err(range);
    Remark: text_schema(0, 2_000), |text| Self::parse(text).map_err(range);
    Key: text_schema(1, 255), |text| Self::parse(text).map_err(range);
    WorkflowId: uuid(), |text| Self::from_str(text).map_err(|_| TextError::Form("is no id of a workflow".to_owned()));
    ExecutionId: uuid(), |text| Self::from_str(text).map_err(|_| TextError::Form("is no id of an execution".to_owned()));
    Scope: names(Scope::ALL.iter().map(|scope| scope.as_str())), |text| Self::from_str(text).map_err(range);
    AuditOutcome: names([Self::Allowed, Self::Refused].into_iter().map(Self::as_str)), |text| {
        Self::parse(text).ok_or_else(|| TextError::Range("must be allowed or refused".to_owned()))
    };
    ExecutionStatus: names(Self::ALL.into_iter().map(Self::as_str)), |text| {
        Self::parse(text).ok_or_else(|| TextError::Range("must be running, completed, failed or cancelled".to_owned()))
    };
    Role: names(Self::ALL.into_iter().map(Self::as_str)), |text| {
        Self::parse(text).ok_or_else(|| TextError::Range("must be owner, admin, member or viewer".to_owned()))
    };
    jiff::Timestamp: MetaSchema::new_with_format("string", "date-time"), |text| {
        text.parse().map_err(|_| TextError::Form("must be a time as in RFC 3339".to_owned()))
    };
    Target: names(["user", "session", "token"].into_iter()), |text| match text {
        "user" => Ok(Self::User),
        "session" => Ok(Self::Session),
        "token" => Ok(Self::Token),
        _ => Err(TextError::Range("must be user, session or token".to_owned())),
    };
    FreeText: MetaSchema::new("string"), |text| Ok(Self(text.to_owned()));
}

/// A text without limits of its own (the body has one).
#[derive(Debug, Clone)]
pub(super) struct FreeText(pub(super) String);

impl FromText for bool {
    fn text_schema() -> MetaSchema {
        MetaSchema::new("boolean")
    }

    fn read_text(text: &str) -> Result<Self, TextError> {
        text.parse().map_err(|_| TextError::Form("must be true or false".to_owned()))
    }
}

impl FromJson for bool {
    fn schema() -> MetaSchemaRef {
        inline(Self::text_schema())
    }

    fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self> {
        let read = value.as_bool();
        if read.is_none() {
            problems.unreadable(at, format_args!("must be true or false, not {}", kind(&value)));
        }
        read
    }
}

/// An integer from `LEAST` to `MOST`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Within<LEAST, MOST> {
    /// The number, where the range lies within 32 bits without a sign.
    pub(super) fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(0)
    }

    /// The number of seconds, as a length of time.
    pub(super) fn seconds(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(self.0)
    }

    fn checked(number: i64) -> Result<Self, TextError> {
        if (LEAST..=MOST).contains(&number) {
            Ok(Self(number))
        } else if MOST == i64::MAX {
            Err(TextError::Range(format!("must be at least {LEAST}")))
        } else {
            Err(TextError::Range(format!("must be between {LEAST} and {MOST}")))
        }
    }
}

impl<const LEAST: i64, const MOST: i64> FromText for Within<LEAST, MOST> {
    fn text_schema() -> MetaSchema {
        let bound = |limit: i64| i32::try_from(limit).ok().map(f64::from);
        MetaSchema { minimum: bound(LEAST), maximum: bound(MOST), ..MetaSchema::new_with_format("integer", "int64") }
    }

    fn read_text(text: &str) -> Result<Self, TextError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(TextError::Form("must be an integer".to_owned()));
        }
        Self::checked(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
    }
}

impl<const LEAST: i64, const MOST: i64> FromJson for Within<LEAST, MOST> {
    fn schema() -> MetaSchemaRef {
        inline(Self::text_schema())
    }

    fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self> {
        let Value::Number(number) = &value else {
            problems.unreadable(at, format_args!("must be an integer, not {}", kind(&value)));
            return None;
        };
        match Self::read_text(&number.to_string()) {
            Ok(read) => return Some(read),
            Err(TextError::Form(message)) => problems.unreadable(at, message),
            Err(TextError::Range(message)) => problems.out_of_range(at, message),
        }
        None
    }
}

impl FromJson for JsonObject {
    fn schema() -> MetaSchemaRef {
        let any = MetaSchemaRef::Inline(Box::new(MetaSchema::ANY));
        inline(MetaSchema { additional_properties: Some(Box::new(any)), ..MetaSchema::new("object") })
    }

    fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self> {
        match value {
            Value::Object(members) => Some(members),
            other => {
                problems.unreadable(at, format_args!("must be an object, not {}", kind(&other)));
                None
            }
        }
    }
}

/// A list of `LEAST` to `MOST` items.
#[derive(Debug)]
pub(super) struct Several<T, const LEAST: usize, const MOST: usize>(pub(super) Vec<T>);

impl<T: FromJson, const LEAST: usize, const MOST: usize> FromJson for Several<T, LEAST, MOST> {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            items: Some(Box::new(T::schema())),
            min_items: Some(LEAST),
            max_items: Some(MOST),
            ..MetaSchema::new("array")
        })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self> {
        let items = match value {
            Value::Array(items) => items,
            other => {
                problems.unreadable(at, format_args!("must be a list, not {}", kind(&other)));
                return None;
            }
        };
        if !(LEAST..=MOST).contains(&items.len()) {
            problems.out_of_range(at, format_args!("must have {LEAST} to {MOST} items, not {}", items.len()));
            return None;
        }
        let read: Vec<_> = items
            .into_iter()
            .enumerate()
            .map(|(index, item)| T::read(item, &Pointer::Item(at, index), problems))
            .collect();
        read.into_iter().collect::<Option<Vec<T>>>().map(Self)
    }
}

/// A list of at most `MOST` different items.
#[derive(Debug)]
pub(super) struct Distinct<T, const MOST: usize>(pub(super) BTreeSet<T>);

impl<T: FromJson + Ord, const MOST: usize> FromJson for Distinct<T, MOST> {
    fn schema() -> MetaSchemaRef {
        let items = Some(Box::new(T::schema()));
        inline(MetaSchema { items, max_items: Some(MOST), unique_items: Some(true), ..MetaSchema::new("array") })
    }

    fn read(value: Value, at: &Pointer<'_>, problems: &mut FieldProblems) -> Option<Self> {
        let Several::<T, 0, MOST>(items) = Several::read(value, at, problems)?;
        let mut distinct = BTreeSet::new();
        for (index, item) in items.into_iter().enumerate() {
            if !distinct.insert(item) {
                problems.out_of_range(&Pointer::Item(at, index), "comes twice");
                return None;
            }
        }
        Some(Self(distinct))
    }
}

/// The members of an object while they are read.
pub(super) struct Members<'a, 'p> {
    left: JsonObject,
    at: &'a Pointer<'a>,
    problems: &'p mut FieldProblems,
}

impl<'a, 'p> Members<'a, 'p> {
    /// Begins with an object; a value of another type is noted.
    pub(super) fn of(value: Value, at: &'a Pointer<'a>, problems: &'p mut FieldProblems) -> Option<Self> {
        let members = JsonObject::read(value, at, problems)?;
        Some(Self { left: members, at, problems })
    }

    /// A member that must be there.
    pub(super) fn required<T: FromJson>(&mut self, name: &str) -> Option<T> {
        let at = Pointer::Member(self.at, name);
        let Some(value) = self.left.remove(name) else {
            self.problems.unreadable(&at, "is missing");
            return None;
        };
        T::read(value, &at, self.problems)
    }

    /// A member that may be absent or null. The outer `None` says that something was wrong with it.
    #[expect(clippy::option_option, reason = "read or not, and if read, there or not")]
    pub(super) fn optional<T: FromJson>(&mut self, name: &str) -> Option<Option<T>> {
        match self.left.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => T::read(value, &Pointer::Member(self.at, name), self.problems).map(Some),
        }
    }

    /// A member that may be absent, and where null is a value: absent is `None`, null `Some(None)`.
    #[expect(clippy::option_option, reason = "read or not, there or not, null or not")]
    pub(super) fn clearable<T: FromJson>(&mut self, name: &str) -> Option<Option<Option<T>>> {
        if self.left.contains_key(name) { self.optional(name).map(Some) } else { Some(None) }
    }

    /// A member that must be there and may be null.
    #[expect(clippy::option_option, reason = "read or not, and if read, there or not")]
    pub(super) fn nullable<T: FromJson>(&mut self, name: &str) -> Option<Option<T>> {
        if !self.left.contains_key(name) {
            self.problems.unreadable(&Pointer::Member(self.at, name), "is missing");
            return None;
        }
        self.optional(name)
    }

    /// Refuses by name what nobody asked for.
    pub(super) fn end(self) {
        for name in self.left.keys() {
            self.problems.unreadable(&Pointer::Member(self.at, name), "is not known here");
        }
    }
}

/// Declares a request body: the struct that a handler gets, how it is read, and its schema. Members are `required`,
/// `optional` (absent or null is `None`), `nullable` (there, perhaps null) or `clearable` (absent, null, or there).
macro_rules! request {
    ($(#[doc = $doc:literal])+ $vis:vis struct $name:ident {
        $($(#[doc = $field_doc:literal])+ $presence:ident $field:ident ($wire:literal): $type:ty),* $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        $vis struct $name {
            $($(#[doc = $field_doc])+ $vis $field: $crate::adapters::http::fields::request!(@type $presence $type)),*
        }

        impl $crate::adapters::http::fields::FromJson for $name {
            fn schema() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Reference(stringify!($name).to_owned())
            }

            fn register(registry: &mut poem_openapi::registry::Registry) {
                use $crate::adapters::http::fields::{self, FromJson, described, object_schema};
                $(<$type as FromJson>::register(registry);)*
                let properties = vec![$((
                    $wire,
                    described(
                        <$type as FromJson>::schema(),
                        concat!($($field_doc),+),
                        fields::request!(@nullable $presence),
                    ),
                )),*];
                let required = [$(fields::request!(@required $presence $wire)),*];
                registry.schemas.insert(
                    stringify!($name).to_owned(),
                    object_schema(concat!($($doc),+), properties, required.into_iter().flatten().collect()),
                );
            }

            fn read(
                value: serde_json::Value,
                at: &$crate::adapters::http::fields::Pointer<'_>,
                problems: &mut $crate::adapters::http::fields::FieldProblems,
            ) -> Option<Self> {
                let mut members = $crate::adapters::http::fields::Members::of(value, at, problems)?;
                $(let $field = members.$presence::<$type>($wire);)*
                members.end();
                Some(Self { $($field: $field?),* })
            }
        }
    };
    (@type required $type:ty) => { $type };
    (@type clearable $type:ty) => { Option<Option<$type>> };
    (@type $presence:ident $type:ty) => { Option<$type> };
    (@nullable required) => { false };
    (@nullable $presence:ident) => { true };
    (@required optional $wire:literal) => { None };
    (@required clearable $wire:literal) => { None };
    (@required $presence:ident $wire:literal) => { Some($wire) };
}
pub(super) use request;

/// A schema with a description, perhaps nullable. (A reference carries neither: siblings of `$ref` do not count.)
pub(super) fn described(schema: MetaSchemaRef, description: &'static str, nullable: bool) -> MetaSchemaRef {
    match schema {
        MetaSchemaRef::Inline(mut schema) => {
            schema.description = Some(description.trim());
            schema.nullable = nullable;
            MetaSchemaRef::Inline(schema)
        }
        reference @ MetaSchemaRef::Reference(_) => reference,
    }
}

/// The schema of a request's object.
pub(super) fn object_schema(
    description: &'static str,
    properties: Vec<(&'static str, MetaSchemaRef)>,
    required: Vec<&'static str>,
) -> MetaSchema {
    MetaSchema { description: Some(description.trim()), properties, required, ..MetaSchema::new("object") }
}

#[cfg(test)]
mod tests {
    use super::*;

    request! {
        /// A thing.
        struct Thing {
            /// Its id.
            required id ("id"): WorkspaceId,
            /// How many.
            optional max ("maxThings"): Within<1, 200>,
            /// Whose.
            nullable owner ("owner"): Key,
            /// Marks.
            optional marks ("marks"): Distinct<Scope, 2>,
        }
    }

    fn read(value: Value) -> Result<Thing, Value> {
        let mut problems = FieldProblems::default();
        let thing = Thing::read(value, &Pointer::Root, &mut problems);
        match problems.into_problem() {
            Some(problem) => Err(problem.body(None, None)),
            None => Ok(thing.expect("a thing without problems")),
        }
    }

    #[test]
    fn a_body_becomes_values_of_the_domain() {
        let thing = read(json!({"id": "Demo", "maxThings": 3, "owner": null, "marks": ["jobs:work"]})).unwrap();
        assert_eq!(thing.id.as_str(), "demo");
        assert_eq!(thing.max.map(Within::as_u32), Some(3));
        assert!(thing.owner.is_none() && thing.marks.is_some_and(|marks| marks.0.contains(&Scope::JobsWork)));
    }

    #[test]
    fn all_problems_are_listed_with_their_pointers() {
        let problem = read(json!({"id": 7, "max/": 1, "marks": ["x", "jobs:work"]})).unwrap_err();
        assert_eq!(problem["status"], 400);
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
        assert_eq!(pointers, ["/id", "/owner", "/marks/0", "/max~1"]);
    }

    #[test]
    fn what_can_be_read_but_breaks_a_limit_is_422() {
        for value in [
            json!({"id": "a b", "owner": null}),
            json!({"id": "a", "owner": null, "maxThings": 201}),
            json!({"id": "a", "owner": ""}),
            json!({"id": "a", "owner": null, "marks": ["jobs:work", "jobs:work"]}),
        ] {
            assert_eq!(read(value.clone()).unwrap_err()["status"], 422, "{value}");
        }
        for value in
            [json!([]), json!({"id": "a", "owner": null, "maxThings": 1.5}), json!({"id": null, "owner": null})]
        {
            assert_eq!(read(value.clone()).unwrap_err()["status"], 400, "{value}");
        }
    }
}
