//! Reads JUEL: `${…}`, alone or with text around.

use super::ast::{Branches, Method, Node, Operator, Step};
use super::cursor::Cursor;
use super::lexer::{self, Kind};
use super::{Dialect, SyntaxError};

/// Reads a source that contains `${`.
pub(super) fn parse(chars: &[char]) -> Result<Node, SyntaxError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut at = 0;
    while let Some(next) = chars.get(at) {
        let follows = |ahead: usize, expected: char| chars.get(at.saturating_add(ahead)) == Some(&expected);
        if *next == '\\' && follows(1, '$') && follows(2, '{') {
            text.push_str("${");
            at = at.saturating_add(3);
        } else if *next == '$' && follows(1, '{') {
            if !text.is_empty() {
                parts.push(Node::Text(std::mem::take(&mut text)));
            }
            let (node, end) = embedded(chars, at.saturating_add(2))?;
            parts.push(node);
            at = end.saturating_add(1);
        } else {
            text.push(*next);
            at = at.saturating_add(1);
        }
    }
    if !text.is_empty() {
        parts.push(Node::Text(text));
    }
    // `${x}` alone keeps the type of `x`; with anything around it the whole is text.
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            parts.extend(last);
            Ok(Node::Composite(parts))
        }
    }
}

/// One expression and the place of its closing brace.
fn embedded(chars: &[char], start: usize) -> Result<(Node, usize), SyntaxError> {
    let mut parser = Parser { cursor: Cursor::new(lexer::tokens(chars, start, Dialect::Juel)?) };
    let node = parser.expression()?;
    parser.cursor.expect_end()?;
    Ok((node, parser.cursor.offset()))
}

struct Parser {
    cursor: Cursor,
}

impl Parser {
    /// A whole expression: a choice or what binds tighter.
    fn expression(&mut self) -> Result<Node, SyntaxError> {
        self.cursor.enter()?;
        let condition = self.binary(Operator::Or.level())?;
        let node = if self.cursor.eat("?") { self.choice(condition)? } else { condition };
        self.cursor.leave();
        Ok(node)
    }

    fn choice(&mut self, condition: Node) -> Result<Node, SyntaxError> {
        let then = self.expression()?;
        self.cursor.expect(":")?;
        let otherwise = self.expression()?;
        Ok(Node::If(Box::new(Branches { condition, then, otherwise })))
    }

    /// Operators that bind at least as tightly as `level`.
    fn binary(&mut self, level: u8) -> Result<Node, SyntaxError> {
        self.cursor.enter()?;
        let mut left = self.unary()?;
        while let Some(operator) = operator(self.cursor.peek(0)).filter(|operator| operator.level() >= level) {
            self.cursor.skip(1);
            let right = self.binary(operator.level().saturating_add(1))?;
            left = operator.join(left, right);
        }
        self.cursor.leave();
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, SyntaxError> {
        let wrap = match self.cursor.peek(0) {
            Kind::Symbol("-") => Node::Negate,
            Kind::Symbol("!") => Node::Not,
            Kind::Name(word) if word == "not" => Node::Not,
            Kind::Name(word) if word == "empty" => Node::Empty,
            _ => return self.postfix(),
        };
        self.cursor.skip(1);
        self.cursor.enter()?;
        let operand = self.unary()?;
        self.cursor.leave();
        Ok(wrap(Box::new(operand)))
    }

    fn postfix(&mut self) -> Result<Node, SyntaxError> {
        let base = self.primary()?;
        let mut steps = Vec::new();
        loop {
            if self.cursor.eat(".") {
                let step = self.member()?;
                steps.push(step);
            } else if self.cursor.eat("[") {
                let index = self.expression()?;
                self.cursor.expect("]")?;
                steps.push(Step::Bracket(index));
            } else if self.cursor.is("(") {
                return Err(self.cursor.error("functions are not supported here"));
            } else if steps.is_empty() {
                return Ok(base);
            } else {
                return Ok(Node::Path(Box::new(base), steps));
            }
        }
    }

    fn member(&mut self) -> Result<Step, SyntaxError> {
        let place = self.cursor.offset();
        let name = self.cursor.expect_name()?;
        if !self.cursor.eat("(") {
            return Ok(Step::Member(name));
        }
        let method = match name.as_str() {
            "prop" => Method::Prop,
            "numberValue" => Method::NumberValue,
            "stringValue" => Method::StringValue,
            "boolValue" => Method::BoolValue,
            "value" => Method::Value,
            _ => return Err(SyntaxError { offset: place, message: format!("unknown method `{name}`") }),
        };
        let argument = if method == Method::Prop { Some(self.expression()?) } else { None };
        self.cursor.expect(")")?;
        Ok(Step::Method(method, argument))
    }

    fn primary(&mut self) -> Result<Node, SyntaxError> {
        if operator(self.cursor.peek(0)).is_some() {
            return Err(self.cursor.unexpected("a value"));
        }
        match self.cursor.peek(0) {
            Kind::Number(_) | Kind::Text(_) | Kind::Name(_) => Ok(match self.cursor.take() {
                Kind::Number(number) => Node::Number(number),
                Kind::Text(text) => Node::Text(text),
                Kind::Name(name) => named(name),
                _ => Node::Null,
            }),
            Kind::Symbol("(") => {
                self.cursor.skip(1);
                let inner = self.expression()?;
                self.cursor.expect(")")?;
                Ok(inner)
            }
            _ => Err(self.cursor.unexpected("a value")),
        }
    }
}

fn named(name: String) -> Node {
    match name.as_str() {
        "true" => Node::Bool(true),
        "false" => Node::Bool(false),
        "null" => Node::Null,
        _ => Node::Name(name),
    }
}

fn operator(token: &Kind) -> Option<Operator> {
    let text = match token {
        Kind::Symbol(symbol) => symbol,
        Kind::Name(name) => name.as_str(),
        _ => return None,
    };
    Some(match text {
        "||" | "or" => Operator::Or,
        "&&" | "and" => Operator::And,
        "==" | "eq" => Operator::Equal,
        "!=" | "ne" => Operator::NotEqual,
        "<" | "lt" => Operator::Less,
        "<=" | "le" => Operator::LessEqual,
        ">" | "gt" => Operator::Greater,
        ">=" | "ge" => Operator::GreaterEqual,
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" | "div" => Operator::Divide,
        "%" | "mod" => Operator::Remainder,
        _ => return None,
    })
}
