//! I-JSON (RFC 7493): reads a body's text into a value in one pass, and refuses what clients and engines would read in
//! different ways.

use std::io::ErrorKind;

use serde_json::{Map, Number, Value};
use struson::reader::{
    JsonReader, JsonReaderPosition, JsonStreamReader, ReaderError, ReaderSettings, SyntaxErrorKind, ValueType,
};

use super::fields::{FieldProblems, Pointer};

/// How deep arrays and objects may be nested.
const MOST_DEPTH: u32 = 100;
/// How many values, names included, a body may have: each costs some hundred bytes of memory, however short it is.
const MAX_VALUES: usize = 100_000;
/// The digits that a decimal may have.
const MOST_DIGITS: usize = 34;
/// The largest decimal exponent (IEEE 754 decimal128); its negative is the smallest.
const MOST_EXPONENT: i64 = 6_144;

/// The text is no I-JSON; the sentence says where and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) String);

type Reader<'a> = JsonStreamReader<&'a [u8]>;

/// Reads one value. Values that can be read but are outside what the gate keeps exactly (numbers, U+0000) are noted among
/// the problems, and the rest is read on.
///
/// # Errors
/// [`Unreadable`] for broken JSON or UTF-8, duplicate names, too deep a nesting, and for what comes after the value.
pub(super) fn read(text: &[u8], problems: &mut FieldProblems) -> Result<Value, Unreadable> {
    let settings = ReaderSettings {
        max_nesting_depth: Some(MOST_DEPTH),
        restrict_number_values: false,
        track_path: false,
        ..ReaderSettings::default()
    };
    let mut values = Values { reader: Reader::new_custom(text, settings), left: MAX_VALUES };
    let value = values.read(&Pointer::Root, problems)?;
    values.reader.consume_trailing_whitespace()?;
    Ok(value)
}

/// Reads values, as many as there may be.
struct Values<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl Values<'_> {
    fn read(&mut self, at: &Pointer<'_>, problems: &mut FieldProblems) -> Result<Value, Unreadable> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Unreadable(format!("more than {MAX_VALUES} values")));
        };
        self.left = left;
        let reader = &mut self.reader;
        Ok(match reader.peek()? {
            ValueType::Null => {
                reader.next_null()?;
                Value::Null
            }
            ValueType::Boolean => Value::Bool(reader.next_bool()?),
            ValueType::Number => read_number(reader.next_number_as_str()?, at, problems),
            ValueType::String => Value::String(checked(reader.next_string()?, at, problems)),
            ValueType::Array => self.read_array(at, problems)?,
            ValueType::Object => self.read_object(at, problems)?,
        })
    }

    fn read_array(&mut self, at: &Pointer<'_>, problems: &mut FieldProblems) -> Result<Value, Unreadable> {
        self.reader.begin_array()?;
        let mut items = Vec::new();
        while self.reader.has_next()? {
            let item = self.read(&Pointer::Item(at, items.len()), problems)?;
            items.push(item);
        }
        self.reader.end_array()?;
        Ok(Value::Array(items))
    }

    fn read_object(&mut self, at: &Pointer<'_>, problems: &mut FieldProblems) -> Result<Value, Unreadable> {
        self.reader.begin_object()?;
        let mut members = Map::new();
        while self.reader.has_next()? {
            let name = self.reader.next_name_owned()?;
            let here = Pointer::Member(at, &name);
            if members.contains_key(&name) {
                return Err(Unreadable(format!("the name at {here} comes twice in its object")));
            }
            if name.contains('\0') {
                problems.out_of_range(at, "a name must not contain U+0000");
            }
            let value = self.read(&here, problems)?;
            members.insert(name, value);
        }
        self.reader.end_object()?;
        Ok(Value::Object(members))
    }
}

fn checked(text: String, at: &Pointer<'_>, problems: &mut FieldProblems) -> String {
    if text.contains('\0') {
        problems.out_of_range(at, "must not contain U+0000");
    }
    text
}

fn read_number(text: &str, at: &Pointer<'_>, problems: &mut FieldProblems) -> Value {
    if let Err(limit) = keepable(text) {
        problems.out_of_range(at, limit);
        return Value::Null;
    }
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

/// Whether a number is kept exactly: up to 34 significant digits, which is what FEEL computes with, so that what the engine
/// hands out it takes back.
fn keepable(text: &str) -> Result<(), &'static str> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
    let leading = digits().take_while(|digit| *digit == b'0').count();
    if digits().count().saturating_sub(leading) > MOST_DIGITS || fraction.len() > 6_200 {
        return Err("must have at most 34 digits");
    }
    match exponent.parse::<i64>() {
        Ok(exponent) if (-MOST_EXPONENT..=MOST_EXPONENT).contains(&exponent) => Ok(()),
        _ => Err("must have an exponent between -6144 and 6144"),
    }
}

impl From<ReaderError> for Unreadable {
    fn from(error: ReaderError) -> Self {
        let place = |location: &JsonReaderPosition| match location.line_pos {
            Some(position) => format!("line {}, column {}", position.line + 1, position.column + 1),
            None => "an unknown place".to_owned(),
        };
        Self(match &error {
            ReaderError::SyntaxError(error) => format!("not JSON: {} at {}", words(error.kind), place(&error.location)),
            ReaderError::MaxNestingDepthExceeded { location, .. } => {
                format!("nested deeper than {MOST_DEPTH} at {}", place(location))
            }
            ReaderError::IoError { error, location } if error.kind() == ErrorKind::InvalidData => {
                format!("not UTF-8 near {}", place(location))
            }
            other => format!("not JSON: {other}"),
        })
    }
}

/// The reader's name of a mistake, `IncompleteDocument` say, in words.
fn words(kind: SyntaxErrorKind) -> String {
    let name = format!("{kind:?}");
    let letters = name.chars().enumerate();
    letters.fold(String::with_capacity(name.len() + 4), |mut words, (index, letter)| {
        if index > 0 && letter.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, Unreadable> {
        let mut problems = FieldProblems::default();
        let value = read(text.as_bytes(), &mut problems)?;
        match problems.into_problem() {
            None => Ok(value),
            Some(problem) => Err(Unreadable(problem.to_string())),
        }
    }

    #[test]
    fn numbers_are_kept_as_they_were_written() {
        for text in [
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "8100000000000000000000000000000000",
            "0.1234567890123456789012345678901234",
            "1234567890.123456789012345678901234",
            "1.0",
            "1e+400",
            "-0.0",
        ] {
            assert_eq!(value(text).map(|value| value.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "12345678901234567890123456789012345",
            "0.12345678901234567890123456789012345",
            "1e6145",
            "1e99999999999999999999",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_named_in_words() {
        let said = Unreadable("not JSON: incomplete document at line 1, column 2".to_owned());
        assert_eq!(value("{"), Err(said));
    }

    #[test]
    fn what_is_read_in_two_ways_is_not_read() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{} {}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "// x\n1",
            "01",
            "NaN",
            "'a'",
            "\"\\ud800\"",
            "\"\u{1}\"",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
        assert!(read(b"\"\xff\"", &mut FieldProblems::default()).is_err());
        assert!(read(b"\xef\xbb\xbf{}", &mut FieldProblems::default()).is_err(), "a byte order mark");
    }

    #[test]
    fn a_hundred_thousand_values_and_no_more() {
        let array = |values: usize| format!("[{}]", vec!["1"; values].join(","));
        assert!(value(&array(MAX_VALUES - 1)).is_ok());
        assert_eq!(value(&array(MAX_VALUES)), Err(Unreadable("more than 100000 values".to_owned())));
        let objects = format!("[{}]", vec!["{}"; MAX_VALUES].join(","));
        assert!(value(&objects).is_err());
    }

    #[test]
    fn a_hundred_levels_and_no_more() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(value(&nested(100)).is_ok());
        assert!(value(&nested(101)).is_err());
        assert!(value(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn u0000_is_named_where_it_is() {
        let error = value(r#"{"a/b":["x","\u0000"]}"#).unwrap_err();
        assert!(error.0.contains("U+0000"), "{error:?}");
    }
}
