//! Writes a JSON value as YAML (1.2, of which JSON is a part): blocks for what has parts, JSON's own texts for the rest.

use serde_json::{Map, Value};

/// What readers expect first; the rest follows by name.
const FIRST: &[&str] = &[
    "openapi",
    "info",
    "title",
    "summary",
    "description",
    "version",
    "license",
    "servers",
    "tags",
    "operationId",
    "x-required-scopes",
    "x-query-token",
    "security",
    "paths",
    "name",
    "in",
    "required",
    "schema",
    "parameters",
    "requestBody",
    "responses",
    "type",
    "format",
];

/// The whole document.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, 0, &mut text);
    text
}

fn write_value(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => write_members(members, depth, text),
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push('\n');
                indent(depth, text);
                text.push('-');
                write_value(item, depth + 1, text);
            }
        }
        other => {
            text.push(' ');
            text.push_str(&other.to_string());
        }
    }
}

fn write_members(members: &Map<String, Value>, depth: usize, text: &mut String) {
    let mut names: Vec<_> = members.keys().collect();
    names.sort_by_key(|name| (FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()), *name));
    for name in names {
        if !text.is_empty() {
            text.push('\n');
            indent(depth, text);
        }
        write_name(name, text);
        text.push(':');
        write_value(members.get(name).unwrap_or(&Value::Null), depth + 1, text);
    }
    if depth == 0 {
        text.push('\n');
    }
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn write_name(name: &str, text: &mut String) {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'))
        && !matches!(name, "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n");
    if plain { text.push_str(name) } else { text.push_str(&Value::from(name).to_string()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_parts_is_a_block() {
        let value =
            json!({"openapi": "3", "200": [], "tags": [{"name": "a: b", "x": {}}, ["c"]], "deep": {"on": true}});
        let expected = "openapi: \"3\"\ntags:\n  -\n    name: \"a: b\"\n    x: {}\n  -\n    - \"c\"\n\"200\": []\n\
                        deep:\n  \"on\": true\n";
        assert_eq!(write(&value), expected);
    }
}
