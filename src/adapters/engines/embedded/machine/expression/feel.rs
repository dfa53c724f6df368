//! Reads FEEL: everything after the leading `=`.

use super::ast::{Bounds, Branches, Loop, LoopKind, Node, Operator, RangeNode, Source, Step, Test};
use super::cursor::Cursor;
use super::functions::{self, Function};
use super::lexer::{self, Kind};
use super::{Dialect, SyntaxError};

/// The level of `between` and `in`, and the lowest one that an operand of a comparison may have.
const COMPARISON: u8 = 3;
const OPERAND: u8 = 5;

const KEYWORDS: [&str; 14] = [
    "and",
    "or",
    "if",
    "then",
    "else",
    "for",
    "in",
    "return",
    "some",
    "every",
    "satisfies",
    "between",
    "instance",
    "function",
];

/// Reads a source that starts with `=`.
pub(super) fn parse(chars: &[char]) -> Result<Node, SyntaxError> {
    let mut parser = Parser { cursor: Cursor::new(lexer::tokens(chars, 1, Dialect::Feel)?) };
    let node = parser.expression(0)?;
    parser.cursor.expect_end()?;
    Ok(node)
}

struct Parser {
    cursor: Cursor,
}

impl Parser {
    /// An expression of operators that bind at least as tightly as `level`.
    fn expression(&mut self, level: u8) -> Result<Node, SyntaxError> {
        self.cursor.enter()?;
        let mut left = self.unary()?;
        let mut compared = false;
        loop {
            let between = self.cursor.is_word(0, "between");
            let within = self.cursor.is_word(0, "in");
            let operator = operator(self.cursor.peek(0));
            let next_level = if between || within { COMPARISON } else { operator.map_or(0, Operator::level) };
            if next_level == 0 || next_level < level {
                break;
            }
            let comparison = (COMPARISON..OPERAND).contains(&next_level);
            if comparison && compared {
                return Err(self.cursor.error("comparisons cannot be chained; join them with `and`"));
            }
            compared = comparison;
            self.cursor.skip(1);
            left = match operator {
                Some(operator) if comparison => operator.join(left, self.expression(OPERAND)?),
                Some(operator) => operator.join(left, self.expression(next_level.saturating_add(1))?),
                None if between => self.between(left)?,
                None => Node::In(Box::new(left), self.tests()?),
            };
        }
        self.cursor.leave();
        Ok(left)
    }

    fn between(&mut self, value: Node) -> Result<Node, SyntaxError> {
        let low = self.expression(OPERAND)?;
        self.cursor.expect_word("and")?;
        let high = self.expression(OPERAND)?;
        Ok(Node::Between(Box::new(Bounds { value, low, high })))
    }

    /// What follows `in`: one test, or several in parentheses.
    fn tests(&mut self) -> Result<Vec<Test>, SyntaxError> {
        if !self.cursor.eat("(") {
            return Ok(vec![self.test()?]);
        }
        let first = self.test()?;
        if let Test::Within(low) = first {
            if self.cursor.eat("..") {
                return Ok(vec![Test::Within(self.range(low, false)?)]);
            }
            return self.more_tests(Test::Within(low));
        }
        self.more_tests(first)
    }

    fn more_tests(&mut self, first: Test) -> Result<Vec<Test>, SyntaxError> {
        let mut tests = vec![first];
        while self.cursor.eat(",") {
            tests.push(self.test()?);
        }
        self.cursor.expect(")")?;
        Ok(tests)
    }

    fn test(&mut self) -> Result<Test, SyntaxError> {
        match operator(self.cursor.peek(0)) {
            Some(operator) if (COMPARISON..OPERAND).contains(&operator.level()) => {
                self.cursor.skip(1);
                Ok(Test::Compare(operator, self.expression(OPERAND)?))
            }
            _ => Ok(Test::Within(self.expression(OPERAND)?)),
        }
    }

    fn unary(&mut self) -> Result<Node, SyntaxError> {
        if !self.cursor.eat("-") {
            return self.postfix();
        }
        self.cursor.enter()?;
        let operand = self.unary()?;
        self.cursor.leave();
        Ok(Node::Negate(Box::new(operand)))
    }

    fn postfix(&mut self) -> Result<Node, SyntaxError> {
        let base = self.primary()?;
        let mut steps = Vec::new();
        loop {
            if self.cursor.eat(".") {
                let mut name = self.cursor.expect_name()?;
                // The only member with a space in its name.
                if name == "time" && self.cursor.eat_word("offset") {
                    name.push_str(" offset");
                }
                steps.push(Step::Member(name));
            } else if self.cursor.is("[") && !self.closes_range() {
                self.cursor.skip(1);
                let filter = self.expression(0)?;
                self.cursor.expect("]")?;
                steps.push(Step::Bracket(filter));
            } else if self.cursor.is("(") {
                return Err(self.cursor.error("only built-in functions can be called"));
            } else if steps.is_empty() {
                return Ok(base);
            } else {
                return Ok(Node::Path(Box::new(base), steps));
            }
        }
    }

    /// Whether the next `[` ends a range, as in `[1..5[`: then no value follows that could be a filter.
    fn closes_range(&self) -> bool {
        match self.cursor.peek(1) {
            Kind::Symbol(symbol) => matches!(*symbol, ")" | "]" | "," | "}"),
            Kind::Name(word) => matches!(word.as_str(), "and" | "or" | "then" | "else" | "return" | "satisfies"),
            Kind::End => true,
            _ => false,
        }
    }

    fn primary(&mut self) -> Result<Node, SyntaxError> {
        let Kind::Symbol(symbol) = *self.cursor.peek(0) else { return self.word_or_literal() };
        if symbol == "@" {
            return self.at_literal();
        }
        if !matches!(symbol, "(" | "[" | "]" | "{") {
            return Err(self.cursor.unexpected("a value"));
        }
        self.cursor.skip(1);
        match symbol {
            "(" => self.parentheses(),
            "[" => self.brackets(),
            "]" => self.open_range(),
            _ => self.context(),
        }
    }

    fn open_range(&mut self) -> Result<Node, SyntaxError> {
        let low = self.expression(0)?;
        self.cursor.expect("..")?;
        self.range(low, false)
    }

    fn at_literal(&mut self) -> Result<Node, SyntaxError> {
        self.cursor.skip(1);
        match self.cursor.peek(0).clone() {
            Kind::Text(text) => {
                self.cursor.skip(1);
                Ok(Node::Call(Function::At, vec![Node::Text(text)]))
            }
            _ => Err(self.cursor.unexpected("a text after `@`")),
        }
    }

    fn parentheses(&mut self) -> Result<Node, SyntaxError> {
        let inner = self.expression(0)?;
        if self.cursor.eat("..") {
            return self.range(inner, false);
        }
        self.cursor.expect(")")?;
        Ok(inner)
    }

    fn brackets(&mut self) -> Result<Node, SyntaxError> {
        if self.cursor.eat("]") {
            return Ok(Node::List(Vec::new()));
        }
        let first = self.expression(0)?;
        if self.cursor.eat("..") {
            return self.range(first, true);
        }
        let mut items = vec![first];
        while self.cursor.eat(",") {
            items.push(self.expression(0)?);
        }
        self.cursor.expect("]")?;
        Ok(Node::List(items))
    }

    /// The rest of a range after its `..`.
    fn range(&mut self, low: Node, low_included: bool) -> Result<Node, SyntaxError> {
        let high = self.expression(OPERAND)?;
        let high_included = self.cursor.eat("]");
        if !high_included && !self.cursor.eat(")") && !self.cursor.eat("[") {
            return Err(self.cursor.unexpected("the end of the range"));
        }
        Ok(Node::Range(Box::new(RangeNode { low, low_included, high, high_included })))
    }

    fn context(&mut self) -> Result<Node, SyntaxError> {
        let mut members = Vec::new();
        if self.cursor.eat("}") {
            return Ok(Node::Context(members));
        }
        loop {
            let name = match self.cursor.peek(0).clone() {
                Kind::Text(name) => {
                    self.cursor.skip(1);
                    name
                }
                _ => self.cursor.expect_name()?,
            };
            self.cursor.expect(":")?;
            members.push((name, self.expression(0)?));
            if !self.cursor.eat(",") {
                break;
            }
        }
        self.cursor.expect("}")?;
        Ok(Node::Context(members))
    }

    /// Whatever starts with a word: a keyword, a function, a variable; or a literal.
    fn word_or_literal(&mut self) -> Result<Node, SyntaxError> {
        // What recurses comes first and in small functions: the frames of this one add up when expressions nest.
        if let Some(function) = self.function_name() {
            return self.call(function);
        }
        if self.cursor.eat_word("if") {
            return self.choice();
        }
        if let Some(kind) = self.loop_kind() {
            return self.looped(kind);
        }
        self.atom()
    }

    /// Takes the name of a built-in function before its parenthesis.
    fn function_name(&mut self) -> Option<Function> {
        let (function, words) = functions::named(|ahead, word| self.cursor.is_word(ahead, word))?;
        let called = matches!(self.cursor.peek(words), Kind::Symbol("("));
        self.cursor.skip(if called { words } else { 0 });
        called.then_some(function)
    }

    fn loop_kind(&mut self) -> Option<LoopKind> {
        [("for", LoopKind::For), ("some", LoopKind::Some), ("every", LoopKind::Every)]
            .into_iter()
            .find_map(|(word, kind)| self.cursor.eat_word(word).then_some(kind))
    }

    fn atom(&mut self) -> Result<Node, SyntaxError> {
        if self.keyword() || *self.cursor.peek(0) == Kind::End {
            return Err(self.cursor.unexpected("a value"));
        }
        let named = matches!(self.cursor.peek(0), Kind::Name(_) | Kind::Quoted(_));
        if named && matches!(self.cursor.peek(1), Kind::Symbol("(")) {
            return Err(self.cursor.error("unknown function"));
        }
        Ok(match self.cursor.take() {
            Kind::Number(number) => Node::Number(number),
            Kind::Text(text) => Node::Text(text),
            Kind::Quoted(name) => Node::Name(name),
            Kind::Name(name) => match name.as_str() {
                "true" => Node::Bool(true),
                "false" => Node::Bool(false),
                "null" => Node::Null,
                _ => Node::Name(name),
            },
            Kind::Symbol(_) | Kind::End => Node::Null,
        })
    }

    fn keyword(&self) -> bool {
        KEYWORDS.iter().any(|word| self.cursor.is_word(0, word))
    }

    fn call(&mut self, function: Function) -> Result<Node, SyntaxError> {
        let place = self.cursor.offset();
        self.cursor.expect("(")?;
        let mut arguments = Vec::new();
        while !self.cursor.is(")") {
            arguments.push(self.expression(0)?);
            if !self.cursor.eat(",") {
                break;
            }
        }
        self.cursor.expect(")")?;
        if function.accepts(arguments.len()) {
            return Ok(Node::Call(function, arguments));
        }
        let message = format!("`{}` cannot take {} arguments", function.name(), arguments.len());
        Err(SyntaxError { offset: place, message })
    }

    fn choice(&mut self) -> Result<Node, SyntaxError> {
        let condition = self.expression(0)?;
        self.cursor.expect_word("then")?;
        let then = self.expression(0)?;
        self.cursor.expect_word("else")?;
        let otherwise = self.expression(0)?;
        Ok(Node::If(Box::new(Branches { condition, then, otherwise })))
    }

    fn looped(&mut self, kind: LoopKind) -> Result<Node, SyntaxError> {
        let mut variables = Vec::new();
        loop {
            let name = self.cursor.expect_name()?;
            self.cursor.expect_word("in")?;
            let first = self.expression(0)?;
            let source = if self.cursor.eat("..") {
                Source::Span(first, self.expression(OPERAND)?)
            } else {
                Source::Items(first)
            };
            variables.push((name, source));
            if !self.cursor.eat(",") {
                break;
            }
        }
        self.cursor.expect_word(if kind == LoopKind::For { "return" } else { "satisfies" })?;
        let body = self.expression(0)?;
        Ok(Node::Loop(Box::new(Loop { kind, variables, body })))
    }
}

fn operator(token: &Kind) -> Option<Operator> {
    let text = match token {
        Kind::Symbol(symbol) => symbol,
        Kind::Name(name) if name == "and" || name == "or" => name.as_str(),
        _ => return None,
    };
    Some(match text {
        "or" => Operator::Or,
        "and" => Operator::And,
        "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterEqual,
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        "**" => Operator::Power,
        _ => return None,
    })
}
