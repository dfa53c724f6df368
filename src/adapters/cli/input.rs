//! JSON of the command line: as it is, from `@file`, or from standard input as `-`.

use std::{fs, io::Read};

use serde_json::{Map, Value};

use super::CliError;

/// More than any gate takes.
const MOST: u64 = 64 << 20;

/// Reads an object.
pub(super) fn object(option: &str, text: &str) -> Result<Value, CliError> {
    let unusable = |reason: String| CliError::Usage(format!("{option}: {reason}"));
    let text = match text.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(|error| unusable(format!("{path} cannot be read: {error}")))?,
        None if text == "-" => from_stdin().map_err(unusable)?,
        None => text.to_owned(),
    };
    let object: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| unusable(format!("must be a JSON object: {error}")))?;
    Ok(Value::Object(object))
}

/// Reads an object, or gives an empty one.
pub(super) fn object_or_empty(option: &str, text: Option<&str>) -> Result<Value, CliError> {
    text.map_or_else(|| Ok(Value::Object(Map::new())), |text| object(option, text))
}

fn from_stdin() -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin()
        .take(MOST)
        .read_to_string(&mut text)
        .map_err(|error| format!("standard input cannot be read: {error}"))?;
    Ok(text)
}

/// Seconds as a number or as text such as `30s`, `12h`, `30d`.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    let refused = || "must be seconds or a text such as 30s, 12h, 30d".to_owned();
    if let Ok(seconds) = text.parse::<i64>() {
        return if seconds < 0 { Err(refused()) } else { Ok(seconds) };
    }
    let span: jiff::Span = text.parse().map_err(|_| refused())?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| refused())?;
    if duration.is_negative() { Err(refused()) } else { Ok(duration.as_secs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_from_text_or_a_file_and_keep_their_numbers() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = r#"{"a":12345678901234567890.12345}"#;
        fs::write(file.path(), text).unwrap();
        let from_file = object("--input", &format!("@{}", file.path().display())).unwrap();
        assert_eq!(from_file, object("--input", text).unwrap());
        assert_eq!(from_file.to_string(), text);
        for bad in ["", "[1]", "{", "@/nonexistent"] {
            assert!(object("--input", bad).unwrap_err().to_string().starts_with("--input: "), "{bad}");
        }
    }

    #[test]
    fn durations_may_have_units() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        assert!(seconds("-1").is_err() && seconds("soon").is_err());
    }
}
