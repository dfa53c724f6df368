//! Walks over tokens and keeps the nesting bounded, for both parsers.

use super::SyntaxError;
use super::lexer::{Kind, Token};

/// How deeply an expression may nest. Parsing and evaluating recurse this far at most, which fits a stack of 512 KiB.
const MAX_DEPTH: usize = 60;

const END: &Kind = &Kind::End;

/// A place among the tokens of an expression.
#[derive(Debug)]
pub(super) struct Cursor {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Cursor {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        Self { tokens, at: 0, depth: 0 }
    }

    /// The token `ahead` of the next one.
    pub(super) fn peek(&self, ahead: usize) -> &Kind {
        self.tokens.get(self.at.saturating_add(ahead)).map_or(END, |token| &token.kind)
    }

    /// The place of the next token in the source.
    pub(super) fn offset(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |token| token.offset)
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.tokens.len().saturating_sub(1));
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Kind {
        let kind = self.peek(0).clone();
        self.skip(1);
        kind
    }

    pub(super) fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(0), Kind::Symbol(next) if *next == symbol)
    }

    pub(super) fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek(ahead), Kind::Name(next) if next == word)
    }

    /// Takes the next token if it is this symbol.
    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.skip(usize::from(found));
        found
    }

    /// Takes the next token if it is this word.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.skip(usize::from(found));
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    pub(super) fn expect_end(&self) -> Result<(), SyntaxError> {
        if *self.peek(0) == Kind::End { Ok(()) } else { Err(self.unexpected("the end of the expression")) }
    }

    pub(super) fn expect_name(&mut self) -> Result<String, SyntaxError> {
        match self.peek(0).clone() {
            Kind::Name(name) | Kind::Quoted(name) => {
                self.skip(1);
                Ok(name)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    /// Goes one level deeper; [`leave`](Self::leave) comes back.
    pub(super) fn enter(&mut self) -> Result<(), SyntaxError> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH { Err(self.error("the expression is nested too deeply")) } else { Ok(()) }
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { offset: self.offset(), message: message.into() }
    }

    /// The error for a token that cannot stand here.
    pub(super) fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek(0) {
            Kind::Number(number) => format!("the number {number}"),
            Kind::Text(_) => "a text".to_owned(),
            Kind::Name(name) | Kind::Quoted(name) => format!("`{name}`"),
            Kind::Symbol(symbol) => format!("`{symbol}`"),
            Kind::End => "the end".to_owned(),
        };
        self.error(format!("expected {wanted}, found {found}"))
    }
}
