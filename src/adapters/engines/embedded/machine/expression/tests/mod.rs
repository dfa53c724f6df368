//! Tables of expressions and what they come to. The FEEL outcomes were compared with npm `feelin`; where the two differ
//! on purpose, the table says so.

mod feel;
mod hostile;
mod juel;

use serde_json::{Map, Value, json};

use super::{Budget, Dialect, Expression};

fn now() -> jiff::Timestamp {
    "2026-03-04T05:06:07Z".parse().unwrap()
}

fn variables() -> Map<String, Value> {
    let variables = json!({
        "x": 5, "s": "foobar", "t": true, "f": false, "nothing": null, "price": "12.5", "empty_text": "", "no": "no",
        "l": [1, 2, 3], "none": [], "names": ["a", "b"],
        "o": {"a": {"b": 7}, "list": [{"p": 1, "n": "a"}, {"p": 5, "n": "b"}], "a key": 1, "nothing": null},
        "customer": {"age": 42, "name": "Ada", "vip": true}
    });
    variables.as_object().unwrap().clone()
}

fn evaluate(source: &str) -> Result<Value, String> {
    let expression = Expression::parse(source).map_err(|error| format!("syntax: {error}"))?;
    expression.evaluate(&variables(), now(), &Budget::default()).map_err(|error| error.message)
}

fn condition(source: &str) -> Result<bool, String> {
    Expression::parse(source).unwrap().condition(&variables(), now(), &Budget::default()).map_err(|error| error.message)
}

/// Checks that each expression gives the JSON beside it.
fn check(prefix: &str, suffix: &str, table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (source, expected) in table {
        let source = format!("{prefix}{source}{suffix}");
        let expected: Value = serde_json::from_str(expected).unwrap();
        match evaluate(&source) {
            Ok(value) if value == expected => {}
            other => wrong.push(format!("{source}\n    wanted {expected}\n    got    {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

/// Checks that each expression fails with a message that contains the text beside it.
fn check_errors(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (source, expected) in table {
        match evaluate(source) {
            Err(message) if message.contains(expected) => {}
            other => wrong.push(format!("{source}\n    wanted {expected}\n    got    {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn dialect_of(source: &str) -> Option<Dialect> {
    Expression::parse(source).ok().map(|parsed| parsed.dialect())
}

#[test]
fn the_text_decides_the_dialect() {
    for (source, dialect) in [
        ("= x", Dialect::Feel),
        ("${x}", Dialect::Juel),
        ("id-${x}", Dialect::Juel),
        ("= \"${x}\"", Dialect::Feel),
        ("PT10S", Dialect::Literal),
        ("", Dialect::Literal),
        ("$x {}", Dialect::Literal),
    ] {
        assert_eq!(dialect_of(source), Some(dialect), "{source}");
    }
}

#[test]
fn expressions_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Expression>();
}

#[test]
fn a_literal_stands_for_itself() {
    let literal = Expression::parse("PT10S").unwrap();
    assert!(literal.is_literal());
    assert_eq!(literal.source(), "PT10S");
    assert_eq!(literal.evaluate(&variables(), now(), &Budget::default()).unwrap(), json!("PT10S"));
    assert_eq!(condition("true"), Ok(true));
    assert_eq!(condition("yes"), Ok(false));
}

#[test]
fn a_long_literal_is_no_expression_to_be_bounded() {
    assert!(Expression::parse(&"a".repeat(5_000)).is_ok());
}

#[test]
fn errors_name_the_expression_and_what_failed() {
    let error =
        Expression::parse("${nosuch > 1}").unwrap().evaluate(&variables(), now(), &Budget::default()).unwrap_err();
    assert_eq!(error.to_string(), "the expression `${nosuch > 1}` cannot be evaluated: unknown identifier `nosuch`");
    let error =
        Expression::parse("= nosuch > 1").unwrap().condition(&variables(), now(), &Budget::default()).unwrap_err();
    assert!(error.message.contains("there is no variable `nosuch`"), "{error}");
    let error = Expression::parse("= x + * 2").unwrap_err();
    assert_eq!((error.offset, error.message.as_str()), (6, "expected a value, found `*`"));
    assert_eq!(error.to_string(), "expected a value, found `*` (at character 7)");
}
