//! What is wrong with a file, and where.

use std::borrow::Cow;
use std::fmt;

use super::super::expression::Expression;
use super::xml::{self, Xml};

/// More than this many are not listed.
const MAX_ERRORS: usize = 500;

/// Longer messages are cut, in characters: they quote what the file says.
const MAX_MESSAGE: usize = 500;

/// One reason why a file cannot be deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ModelError {
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
    /// The flow node, flow, process or definition that it is about.
    pub element_id: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if let Some(id) = &self.element_id {
            write!(f, "'{id}': ")?;
        }
        f.write_str(&self.message)
    }
}

/// Collects what is wrong.
pub(super) struct Problems<'a> {
    xml: &'a str,
    /// Empty lines above it.
    above: usize,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    /// With the offset each, to sort by.
    errors: Vec<(usize, ModelError)>,
    left_out: usize,
}

impl<'a> Problems<'a> {
    /// `above` empty lines come before the text.
    pub(super) fn new(xml: &'a str, above: usize) -> Self {
        Self { xml, above, lines: Vec::new(), errors: Vec::new(), left_out: 0 }
    }

    /// Something is wrong with an element.
    pub(super) fn at(&mut self, xml: Xml<'_>, message: impl Into<String>) {
        if self.errors.len() >= MAX_ERRORS {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let id =
            xml.ancestors().filter(|element| xml::is_drawn(*element)).find_map(|element| xml::attribute(element, "id"));
        self.add(xml.range().start, id.map(str::to_owned), message.into());
    }

    /// The file is not well-formed.
    pub(super) fn unreadable(&self, (line, column): (u32, u32), message: String) -> ModelError {
        let above = u32::try_from(self.above).unwrap_or(u32::MAX);
        ModelError { line: line.saturating_add(above), column, element_id: None, message }
    }

    /// Something is wrong with the file as such.
    pub(super) fn refuse(&mut self, offset: usize, message: &str) {
        self.add(offset, None, message.to_owned());
    }

    /// Reads an expression of an element, or says why it cannot be read.
    pub(super) fn expression(&mut self, xml: Xml<'_>, what: &str, text: &str) -> Option<Expression> {
        let text = text.trim();
        // Camunda 7 evaluates #{…} at the same time as ${…}.
        let juel = if text.starts_with('=') { Cow::Borrowed(text) } else { Cow::Owned(text.replace("#{", "${")) };
        match Expression::parse(&juel) {
            Ok(expression) => Some(expression),
            Err(error) => {
                let text: String = text.chars().take(200).collect();
                self.at(xml, format!("{what} '{text}' cannot be read: {error}"));
                None
            }
        }
    }

    /// In the order of the file.
    pub(super) fn into_errors(mut self) -> Vec<ModelError> {
        self.errors.sort_by_key(|(offset, _)| *offset);
        let mut errors: Vec<_> = self.errors.into_iter().map(|(_, error)| error).collect();
        if self.left_out > 0 {
            let message = format!("{} more errors are not listed", self.left_out);
            errors.push(ModelError { line: 1, column: 1, element_id: None, message });
        }
        errors
    }

    fn add(&mut self, offset: usize, element_id: Option<String>, message: String) {
        let (line, column) = self.position(offset);
        let cut = |text: String| text.chars().take(MAX_MESSAGE).collect();
        self.errors.push((offset, ModelError { line, column, element_id: element_id.map(cut), message: cut(message) }));
    }

    fn position(&mut self, offset: usize) -> (u32, u32) {
        if self.lines.is_empty() {
            let breaks = self.xml.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            self.lines = std::iter::once(0).chain(breaks.map(|(at, _)| at.saturating_add(1))).collect();
        }
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.xml.get(start..offset).map_or(0, |text| text.chars().count()).saturating_add(1);
        let line = line.saturating_add(self.above);
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}
