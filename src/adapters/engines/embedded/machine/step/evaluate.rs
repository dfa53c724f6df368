//! Expressions of the model, evaluated where a token is; whatever fails names the element and the expression.

use jiff::Timestamp;
use serde_json::Value;

use super::super::Map;
use super::super::expression::{Expression, Scope};
use super::super::model::Element;
use super::super::timer::date_or_duration;
use super::incidents::Failure;
use super::run::Run;

/// How long a name, topic, assignee or correlation key may be, in characters.
pub(in super::super) const MAX_TEXT: usize = 255;

/// Variables by name, inner scopes first.
pub(super) struct Names<'a>(pub(super) Vec<&'a Map>);

impl Scope for Names<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find_map(|scope| scope.get(name))
    }
}

impl Run<'_> {
    pub(super) fn names(&self, key: u64) -> Names<'_> {
        Names(self.state.scopes(key))
    }

    pub(super) fn value(&self, key: u64, element: &Element, expression: &Expression) -> Result<Value, Failure> {
        self.evaluate(element, expression, &self.names(key))
    }

    /// Evaluates over scopes that are not (yet) those of an active element.
    pub(super) fn evaluate(
        &self,
        element: &Element,
        expression: &Expression,
        names: &Names<'_>,
    ) -> Result<Value, Failure> {
        expression.evaluate(names, self.now, &self.budget).map_err(|error| Failure::evaluation(&element.id, &error))
    }

    pub(super) fn condition(&self, key: u64, element: &Element, condition: &Expression) -> Result<bool, Failure> {
        condition
            .condition(&self.names(key), self.now, &self.budget)
            .map_err(|error| Failure::evaluation(&element.id, &error))
    }

    /// A short text; nothing where the value is null or empty.
    pub(super) fn text(&self, key: u64, element: &Element, expression: &Expression) -> Result<Option<String>, Failure> {
        let value = self.value(key, element, expression)?;
        let text = match scalar(value) {
            Ok(text) => text,
            Err(other) => return Err(Failure::useless(&element.id, expression, no_text(&other))),
        };
        match &text {
            Some(text) if too_long(text) => Err(long_text(element, expression)),
            _ => Ok(text),
        }
    }

    /// A short text that must be there.
    pub(super) fn name(&self, key: u64, element: &Element, expression: &Expression) -> Result<String, Failure> {
        self.text(key, element, expression)?
            .ok_or_else(|| Failure::useless(&element.id, expression, "gives nothing, but a text is needed"))
    }

    pub(super) fn optional_text(
        &self,
        key: u64,
        element: &Element,
        expression: Option<&Expression>,
    ) -> Result<Option<String>, Failure> {
        expression.map_or(Ok(None), |expression| self.text(key, element, expression))
    }

    /// A list of texts, or one text with commas.
    pub(super) fn list(
        &self,
        key: u64,
        element: &Element,
        expression: Option<&Expression>,
    ) -> Result<Vec<String>, Failure> {
        let Some(expression) = expression else { return Ok(Vec::new()) };
        let refuse = |other: Value| Failure::useless(&element.id, expression, no_text(&other));
        let texts: Vec<String> = match self.value(key, element, expression)? {
            Value::Array(items) => {
                let texts: Result<Vec<_>, _> = items.into_iter().map(scalar).collect();
                texts.map_err(refuse)?.into_iter().flatten().collect()
            }
            value => {
                let text = scalar(value).map_err(refuse)?.unwrap_or_default();
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            }
        };
        if texts.iter().any(|text| too_long(text)) { Err(long_text(element, expression)) } else { Ok(texts) }
    }

    /// A date, or a duration from now on.
    pub(super) fn date(
        &self,
        key: u64,
        element: &Element,
        expression: Option<&Expression>,
    ) -> Result<Option<Timestamp>, Failure> {
        let Some(expression) = expression else { return Ok(None) };
        let Some(text) = self.text(key, element, expression)? else { return Ok(None) };
        date_or_duration(&text, self.now).map(Some).map_err(|error| Failure::useless(&element.id, expression, &error))
    }

    /// A whole number, as a number or as a text.
    pub(super) fn integer(
        &self,
        key: u64,
        element: &Element,
        expression: Option<&Expression>,
    ) -> Result<Option<i64>, Failure> {
        let Some(expression) = expression else { return Ok(None) };
        let Some(text) = self.text(key, element, expression)? else { return Ok(None) };
        let reason = format!("gives '{text}', but a whole number is needed");
        text.trim().parse().map(Some).map_err(|_| Failure::useless(&element.id, expression, &reason))
    }
}

/// A scalar as text; null and the empty text are nothing. Gives back what is a list or an object.
pub(super) fn scalar(value: Value) -> Result<Option<String>, Value> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Value::Bool(truth) => Ok(Some(truth.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(other),
    }
}

fn too_long(text: &str) -> bool {
    text.chars().nth(MAX_TEXT).is_some()
}

fn long_text(element: &Element, expression: &Expression) -> Failure {
    let reason = format!("gives a text of more than {MAX_TEXT} characters");
    Failure::useless(&element.id, expression, &reason)
}

/// Says what was found in place of a text, not the value itself, which may be long.
fn no_text(found: &Value) -> &'static str {
    if found.is_array() { "gives a list, but a text is needed" } else { "gives an object, but a text is needed" }
}
