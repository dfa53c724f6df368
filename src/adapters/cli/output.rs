//! Tables for people, JSON for scripts.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde_json::Value;

use super::CliError;

/// A column or a field: what it is called and where in the JSON it stands (RFC 6901).
pub(super) type Field = (&'static str, &'static str);

/// Fields that may be broken over lines.
const PROSE: &[&str] = &["/scopes", "/workspaces_shown", "/name", "/description", "/variables", "/candidateGroups"];

/// Where answers go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// Shows a list.
    pub(super) fn list(self, items: Vec<Value>, columns: &[Field], if_empty: &str) -> Result<(), CliError> {
        if self.json {
            return print_json(&Value::Array(items));
        }
        if items.is_empty() {
            return print(if_empty);
        }
        let mut table = plain_table();
        table.set_header(columns.iter().map(|(name, _)| *name));
        for item in &items {
            table.add_row(columns.iter().map(|(_, pointer)| field(item, pointer)));
        }
        // An id that is broken over lines cannot be copied: only prose is.
        for (column, (_, pointer)) in table.column_iter_mut().zip(columns) {
            if !PROSE.contains(pointer) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        print(&trimmed(&table))
    }

    /// Shows one thing; fields that it does not have are left out.
    pub(super) fn record(self, value: &Value, fields: &[Field]) -> Result<(), CliError> {
        if self.json {
            return print_json(value);
        }
        let mut table = plain_table();
        for (name, pointer) in fields {
            let text = field(value, pointer);
            if !text.is_empty() {
                table.add_row([name.to_lowercase(), text]);
            }
        }
        print(&trimmed(&table))
    }

    /// Shows one of many things as they come: a line of JSON each for scripts.
    pub(super) fn line(self, value: &Value, for_people: impl FnOnce(&Value) -> String) -> Result<(), CliError> {
        if self.json { print(&escaped(&value.to_string())) } else { print(&for_people(value)) }
    }

    /// Says that something was done that has no answer; scripts see the exit code.
    pub(super) fn done(self, text: &str) -> Result<(), CliError> {
        if self.json { Ok(()) } else { print(text) }
    }
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// The table without the blanks that the preset leaves at both ends of a line.
fn trimmed(table: &Table) -> String {
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Prints JSON as it is, for people and scripts alike.
pub(super) fn print_json(value: &Value) -> Result<(), CliError> {
    print(&escaped(&format!("{value:#}")))
}

/// Prints lines. Unlike `println!` it survives a reader that has seen enough.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(CliError::Output)
}

/// A field as people read it: times to the second.
fn field(value: &Value, pointer: &str) -> String {
    let Some(value) = value.pointer(pointer) else { return String::new() };
    let time =
        if ["_at", "At", "Until", "/since"].iter().any(|end| pointer.ends_with(end)) { value.as_str() } else { None };
    match time.and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        None => cell(value),
    }
}

/// A value as a cell shows it.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            items.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Text of others, without what a terminal would obey, or show in another order than it is.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// Controls, C1 among them; line and paragraph separators; marks that turn the direction of a text.
fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// JSON with escapes in the place of what a terminal would obey: to whoever reads it the same value.
fn escaped(json: &str) -> String {
    let escape = |c: char| {
        if c != '\n' && is_obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
    };
    if json.chars().any(|c| c != '\n' && is_obeyed(c)) { json.chars().map(escape).collect() } else { json.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_told_to_the_second() {
        let value = json!({"created_at": "2026-11-22T03:26:41.220762Z", "key": "2026-11-22T03:26:41.220762Z", "ended_at": null});
        assert_eq!(field(&value, "/created_at"), "2026-11-22 03:26:41Z");
        assert_eq!(field(&value, "/key"), "2026-11-22T03:26:41.220762Z");
        assert_eq!(field(&value, "/ended_at"), "");
    }

    #[test]
    fn cells_show_values_and_obey_nobody() {
        assert_eq!(cell(&json!(null)), "");
        assert_eq!(cell(&json!(["a", 1])), "a, 1");
        assert_eq!(cell(&json!({"a": 1})), r#"{"a":1}"#);
        assert_eq!(cell(&json!("a\u{1b}[2Jb\n")), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(cell(&json!("a\u{9b}2J\u{202e}b\u{2066}\u{200f}")), "a\u{fffd}2J\u{fffd}b\u{fffd}\u{fffd}");
    }

    #[test]
    fn json_on_a_terminal_is_the_same_value() {
        let value = json!({"\u{9b}31m": ["\u{202e}", "\n", "\u{1b}", "ü"]});
        let text = escaped(&format!("{value:#}"));
        assert!(!text.chars().any(|c| c != '\n' && is_obeyed(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
