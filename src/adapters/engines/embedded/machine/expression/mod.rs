//! The expressions of a process model: JUEL (`${total > 100}`), FEEL (`= total > 100`) and plain text.
//!
//! Two small parsers build one tree, and one evaluator walks it. Whoever deploys a model writes its expressions, so
//! nothing here may abort the gateway or hold it up: length and depth are bounded at parse time; steps, text and list
//! sizes at run time; regular expressions run in linear time; the only clock is the `now` that is passed in.
//!
//! Numbers are decimals of 34 digits as FEEL wants them (IEEE 754 decimal128), in JUEL too: `7 / 2` is `3.5` and
//! `0.1 + 0.2` is `0.3` in both.

mod ast;
mod cursor;
mod evaluate;
mod feel;
mod feel_rules;
mod fuel;
mod functions;
mod juel;
mod juel_rules;
mod lexer;
mod loops;
mod number;
mod output;
mod pattern;
mod temporal;
mod value;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};

use self::ast::Node;
use self::evaluate::Evaluator;
pub use self::fuel::Budget;

/// The longest expression that is read, in characters.
const MAX_LENGTH: usize = 2_000;

/// A parsed expression.
///
/// Text that starts with `=` is FEEL, text that contains `${` is JUEL (with text around `${}` if need be), everything
/// else is a literal string. [`parse`](Self::parse) is the only way to get one, so whoever holds an expression holds a
/// valid one.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    source: String,
    dialect: Dialect,
    root: Node,
}

/// The language an expression is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Plain text that stands for itself.
    Literal,
    /// The Java unified expression language of Camunda 7 and Operaton.
    Juel,
    /// The language of DMN and Camunda 8.
    Feel,
}

/// Looks up the variables that an expression names.
pub trait Scope {
    /// The variable's value, or `None` where the name is not known.
    fn get(&self, name: &str) -> Option<&Value>;
}

impl Scope for Map<String, Value> {
    fn get(&self, name: &str) -> Option<&Value> {
        Map::get(self, name)
    }
}

/// A text that is not an expression, and where it stops being one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The place in the source, counted in characters from 0.
    pub offset: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {})", self.message, self.offset.saturating_add(1))
    }
}

impl Error for SyntaxError {}

/// An expression that could not be evaluated over the variables at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationError {
    /// The source of the expression.
    pub expression: String,
    /// What failed: the unknown name, say.
    pub message: String,
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the expression `{}` cannot be evaluated: {}", self.expression, self.message)
    }
}

impl Error for EvaluationError {}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`SyntaxError`] for text that does not follow the dialect's grammar, names an unknown function or method, is
    /// longer than 2,000 characters or nested too deeply.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let (dialect, root) = if text.starts_with('=') {
            (Dialect::Feel, feel::parse(&bounded(text)?)?)
        } else if text.contains("${") {
            (Dialect::Juel, juel::parse(&bounded(text)?)?)
        } else {
            (Dialect::Literal, Node::Text(text.to_owned()))
        };
        Ok(Self { source: text.to_owned(), dialect, root })
    }

    /// The text the expression was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the expression is plain text.
    pub fn is_literal(&self) -> bool {
        self.dialect == Dialect::Literal
    }

    /// The language of the expression.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Evaluates to plain JSON; dates, times and durations become ISO 8601 text.
    ///
    /// # Errors
    /// [`EvaluationError`] where the dialect asks for one (an unknown name in JUEL; FEEL answers `null`), or when the
    /// evaluation takes more steps than one may, or than the budget has left, or when its result gets too large.
    pub fn evaluate(&self, scope: &dyn Scope, now: jiff::Timestamp, budget: &Budget) -> Result<Value, EvaluationError> {
        if let Node::Text(text) = &self.root {
            return Ok(Value::String(text.clone()));
        }
        let mut evaluator = Evaluator::new(self.dialect, scope, now, budget.fuel());
        let value = evaluator.run(&self.root).and_then(|value| output::to_json(&value));
        budget.charge(&evaluator.fuel);
        value.map_err(|failure| self.error(failure.0))
    }

    /// Evaluates a condition.
    ///
    /// JUEL and plain text are coerced as JUEL does it: `null` and empty text are false, other text is true when it
    /// reads "true" in any case.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); further, when a FEEL result is `null` or no boolean, or a JUEL result cannot be
    /// coerced to one.
    pub fn condition(&self, scope: &dyn Scope, now: jiff::Timestamp, budget: &Budget) -> Result<bool, EvaluationError> {
        let mut evaluator = Evaluator::new(self.dialect, scope, now, budget.fuel());
        let value = evaluator.run(&self.root);
        budget.charge(&evaluator.fuel);
        match (self.dialect, value.map_err(|failure| self.error(failure.0))?) {
            (Dialect::Feel, value::Value::Bool(truth)) => Ok(truth),
            (Dialect::Feel, value) => {
                let cause = evaluator.note().map_or_else(String::new, |note| format!(": {note}"));
                Err(self.error(format!("a condition must be true or false, but this is {}{cause}", value.kind())))
            }
            (Dialect::Juel | Dialect::Literal, value) => {
                juel_rules::truth(&value).map_err(|failure| self.error(failure.0))
            }
        }
    }

    fn error(&self, message: String) -> EvaluationError {
        EvaluationError { expression: self.source.clone(), message }
    }
}

/// The characters of an expression that is not too long.
fn bounded(text: &str) -> Result<Vec<char>, SyntaxError> {
    let chars: Vec<char> = text.chars().take(MAX_LENGTH.saturating_add(1)).collect();
    if chars.len() > MAX_LENGTH {
        return Err(SyntaxError {
            offset: MAX_LENGTH,
            message: format!("an expression has at most {MAX_LENGTH} characters"),
        });
    }
    Ok(chars)
}
