//! Cuts both dialects into tokens; which of them may stand where is the parsers' business.

use super::number::Number;
use super::{Dialect, SyntaxError};

/// Longer symbols first, so that `<=` is not read as `<` and `=`.
const SYMBOLS: [&str; 31] = [
    "**", "..", "<=", ">=", "!=", "==", "&&", "||", "<", ">", "=", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}", "@", "&", "|", ";",
];

/// One token and its place in the source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) offset: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Number(Number),
    Text(String),
    Name(String),
    /// A name in backticks, never a keyword.
    Quoted(String),
    Symbol(&'static str),
    End,
}

/// Reads tokens from `start` on: in FEEL to the end of the source, in JUEL to the closing brace. The last token is
/// always [`Kind::End`], at the place where reading stopped.
pub(super) fn tokens(chars: &[char], start: usize, dialect: Dialect) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer { chars, at: start, dialect };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let offset = lexer.at;
        let kind = lexer.token()?;
        // JUEL knows no braces inside an expression: the first one closes it.
        let closing = dialect == Dialect::Juel && kind == Kind::Symbol("}");
        if closing || kind == Kind::End {
            if dialect == Dialect::Juel && !closing {
                return Err(lexer.error(start, "the closing `}` is missing"));
            }
            tokens.push(Token { kind: Kind::End, offset });
            return Ok(tokens);
        }
        tokens.push(Token { kind, offset });
    }
}

struct Lexer<'c> {
    chars: &'c [char],
    at: usize,
    dialect: Dialect,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at.saturating_add(ahead)).copied()
    }

    fn advance(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at = self.at.saturating_add(1);
        Some(next)
    }

    fn error(&self, offset: usize, message: impl Into<String>) -> SyntaxError {
        SyntaxError { offset: offset.min(self.chars.len()), message: message.into() }
    }

    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(blank), _) if blank.is_whitespace() => self.at = self.at.saturating_add(1),
                (Some('/'), Some('/')) if self.dialect == Dialect::Feel => {
                    while self.advance().is_some_and(|next| next != '\n') {}
                }
                (Some('/'), Some('*')) if self.dialect == Dialect::Feel => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at = self.at.saturating_add(2);
        while let Some(next) = self.advance() {
            if next == '*' && self.peek(0) == Some('/') {
                self.at = self.at.saturating_add(1);
                return Ok(());
            }
        }
        Err(self.error(start, "the comment is not closed"))
    }

    fn token(&mut self) -> Result<Kind, SyntaxError> {
        let Some(first) = self.peek(0) else { return Ok(Kind::End) };
        let fraction = first == '.' && self.peek(1).is_some_and(|next| next.is_ascii_digit());
        match first {
            _ if first.is_ascii_digit() || fraction => self.number(),
            '"' => self.text('"'),
            '\'' if self.dialect == Dialect::Juel => self.text('\''),
            '`' if self.dialect == Dialect::Feel => self.quoted_name(),
            _ if self.starts_name(first) => Ok(Kind::Name(self.name())),
            _ => self.symbol(),
        }
    }

    fn starts_name(&self, first: char) -> bool {
        first.is_alphabetic() || first == '_' || (first == '$' && self.dialect == Dialect::Juel)
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self.peek(0).filter(|next| self.starts_name(*next) || next.is_alphanumeric()) {
            name.push(next);
            self.at = self.at.saturating_add(1);
        }
        name
    }

    fn quoted_name(&mut self) -> Result<Kind, SyntaxError> {
        let start = self.at;
        self.at = self.at.saturating_add(1);
        let mut name = String::new();
        while let Some(next) = self.advance() {
            if next == '`' && !name.is_empty() {
                return Ok(Kind::Quoted(name));
            }
            name.push(next);
        }
        Err(self.error(start, "the name in backticks is not closed"))
    }

    fn symbol(&mut self) -> Result<Kind, SyntaxError> {
        for symbol in SYMBOLS {
            if symbol.chars().enumerate().all(|(ahead, expected)| self.peek(ahead) == Some(expected)) {
                self.at = self.at.saturating_add(symbol.len());
                return Ok(Kind::Symbol(symbol));
            }
        }
        let unexpected = self.peek(0).unwrap_or_default();
        Err(self.error(self.at, format!("unexpected character `{unexpected}`")))
    }

    fn digits(&mut self, into: &mut String) {
        while let Some(digit) = self.peek(0).filter(char::is_ascii_digit) {
            into.push(digit);
            self.at = self.at.saturating_add(1);
        }
    }

    fn number(&mut self) -> Result<Kind, SyntaxError> {
        let start = self.at;
        let mut text = String::new();
        self.digits(&mut text);
        // `1..3` is a range, not the fraction `1.` and then `.3`.
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|next| next.is_ascii_digit()) {
            self.at = self.at.saturating_add(1);
            text.push('.');
            self.digits(&mut text);
        }
        let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
        let exponent = self.peek(sign.saturating_add(1)).is_some_and(|next| next.is_ascii_digit());
        if matches!(self.peek(0), Some('e' | 'E')) && exponent {
            text.push('e');
            self.at = self.at.saturating_add(1);
            if sign == 1 {
                text.extend(self.advance());
            }
            self.digits(&mut text);
        }
        if self.peek(0).is_some_and(|next| self.starts_name(next)) {
            return Err(self.error(self.at, "a name cannot start with a digit"));
        }
        Number::parse(&text)
            .map(Kind::Number)
            .ok_or_else(|| self.error(start, format!("`{text}` is too large a number")))
    }

    fn text(&mut self, quote: char) -> Result<Kind, SyntaxError> {
        let start = self.at;
        self.at = self.at.saturating_add(1);
        let mut text = String::new();
        while let Some(next) = self.advance() {
            match next {
                _ if next == quote => return Ok(Kind::Text(text)),
                '\\' if self.dialect == Dialect::Feel => self.feel_escape(&mut text)?,
                '\\' => text.extend(self.juel_escape()),
                _ => text.push(next),
            }
        }
        Err(self.error(start, "the text is not closed"))
    }

    /// JUEL escapes backslash and quotes; before anything else the backslash is kept.
    fn juel_escape(&mut self) -> Option<char> {
        match self.peek(0) {
            Some('\\' | '"' | '\'') => self.advance(),
            _ => Some('\\'),
        }
    }

    /// FEEL escapes as JSON does. An unknown escape keeps its backslash, so that `"\s"` reaches a regular expression.
    fn feel_escape(&mut self, text: &mut String) -> Result<(), SyntaxError> {
        let place = self.at;
        match self.advance() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some(same @ ('"' | '\'' | '\\')) => text.push(same),
            Some('u') => text.push(self.code_unit(4, place)?),
            Some('U') => text.push(self.code_unit(6, place)?),
            Some(other) => text.extend(['\\', other]),
            None => return Err(self.error(place, "the text is not closed")),
        }
        Ok(())
    }

    fn hex(&mut self, digits: usize, place: usize) -> Result<u32, SyntaxError> {
        let mut code: u32 = 0;
        for _ in 0..digits {
            let digit = self.advance().and_then(|next| next.to_digit(16));
            let digit =
                digit.ok_or_else(|| self.error(place, format!("an escape needs {digits} hexadecimal digits")))?;
            code = code.saturating_mul(16).saturating_add(digit);
        }
        Ok(code)
    }

    fn code_unit(&mut self, digits: usize, place: usize) -> Result<char, SyntaxError> {
        let mut code = self.hex(digits, place)?;
        // Characters beyond the first plane come as two units, as in JSON.
        if (0xD800..0xDC00).contains(&code) && self.peek(0) == Some('\\') && self.peek(1) == Some('u') {
            self.at = self.at.saturating_add(2);
            let low = self.hex(4, place)?;
            let high = code.saturating_sub(0xD800).saturating_mul(0x400);
            code = high.saturating_add(low.saturating_sub(0xDC00)).saturating_add(0x1_0000);
        }
        char::from_u32(code).ok_or_else(|| self.error(place, "the escape names no character"))
    }
}
