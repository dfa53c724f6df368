//! Regular expressions with a bounded price.
//!
//! The crate `regex` never backtracks, but its time still grows with pattern times text, and finding all matches can be
//! quadratic. Patterns are therefore small, compiled once per evaluation, and they pay for every character they may
//! look at.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

use super::fuel::{Failure, Fuel};

/// Steps that compiling a pattern costs.
const COMPILE_STEPS: usize = 1_000;
/// Steps for each class on top where case is ignored and classes may span most of Unicode: all of it is looked at.
const FOLDED_STEPS: usize = 12_000;
/// Steps for each `\p{…}` on top: such classes have hundreds of ranges.
const PROPERTY_STEPS: usize = 4_000;
/// Steps for each other class on top.
const CLASS_STEPS: usize = 200;
/// Sizes of compiled patterns in bytes, and what one byte of text costs at that size, in quarters of a step. The prices
/// are measured with patterns and texts that defeat every shortcut of the crate: 0.1 to 5 microseconds per byte.
const PRICES: [(usize, usize); 5] = [(1 << 10, 1), (2 << 10, 6), (8 << 10, 10), (16 << 10, 16), (LARGEST, 40)];
/// The size of the largest pattern.
const LARGEST: usize = 64 << 10;
/// The size of the cache that makes matching fast.
const CACHE: usize = 256 << 10;
/// The longest text of a pattern. Classes of Unicode grow when compiled, so the size limits alone come late.
const MAX_PATTERN: usize = 1_000;

/// A compiled pattern and what it costs per byte of text.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    price: usize,
}

impl Pattern {
    /// Pays for looking at `bytes` of text once.
    pub(super) fn pay(&self, bytes: usize, fuel: &mut Fuel) -> Result<(), Failure> {
        fuel.burn(bytes.saturating_mul(self.price).div_ceil(4))
    }
}

/// The patterns of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    compiled: HashMap<(String, String), Option<Pattern>>,
}

impl Patterns {
    /// The pattern with the flags of `XPath` (`s`, `m`, `i`, `x`); `None` where it cannot be read or grows too large.
    pub(super) fn get(&mut self, pattern: &str, flags: &str, fuel: &mut Fuel) -> Result<Option<Pattern>, Failure> {
        if pattern.len() > MAX_PATTERN {
            return Ok(None);
        }
        fuel.read(pattern.len())?;
        let key = (pattern.to_owned(), flags.to_owned());
        if let Some(known) = self.compiled.get(&key) {
            return Ok(known.clone());
        }
        let pattern = ascii_classes(pattern);
        let (steps, smallest) = compile_price(&pattern, flags);
        fuel.burn(steps)?;
        let compiled = PRICES
            .into_iter()
            .filter(|(size, _)| *size >= smallest)
            .find_map(|(size, price)| compile(&pattern, flags, size).map(|regex| Pattern { regex, price }));
        self.compiled.insert(key, compiled.clone());
        Ok(compiled)
    }
}

/// What compiling costs, and the smallest size worth trying.
fn compile_price(pattern: &str, flags: &str) -> (usize, usize) {
    let properties = pattern.matches("\\p").count().saturating_add(pattern.matches("\\P").count());
    let classes = pattern.matches('[').count();
    let wide = properties > 0
        || !pattern.is_ascii()
        || ["[^", "\\x", "\\u", "\\U"].into_iter().any(|mark| pattern.contains(mark));
    let folded = wide && ignores_case(pattern, flags);
    let each = if folded { FOLDED_STEPS } else { CLASS_STEPS };
    let steps = properties.saturating_mul(each.max(PROPERTY_STEPS)).saturating_add(classes.saturating_mul(each));
    // Such classes are large when compiled, and trying each size would read them anew.
    (COMPILE_STEPS.saturating_add(steps), if folded || properties > 0 { LARGEST } else { 0 })
}

/// Whether case is ignored, by a flag or by something like `(?i)`; rather once too often than too seldom.
fn ignores_case(pattern: &str, flags: &str) -> bool {
    flags.contains('i') || pattern.split("(?").skip(1).any(|group| !group.starts_with(':'))
}

fn compile(pattern: &str, flags: &str, size: usize) -> Option<Regex> {
    if flags.chars().any(|flag| !"smix".contains(flag)) {
        return None;
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(size).dfa_size_limit(CACHE).nest_limit(50);
    builder.dot_matches_new_line(flags.contains('s')).multi_line(flags.contains('m'));
    builder.case_insensitive(flags.contains('i')).ignore_whitespace(flags.contains('x'));
    builder.build().ok()
}

/// `\d`, `\w` and `\s` mean ASCII, as they do in the Java of Camunda's FEEL. It also keeps patterns small: the Unicode
/// classes alone would pass the size limit.
fn ascii_classes(pattern: &str) -> String {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(next) = chars.next() {
        if next != '\\' {
            text.push(next);
            continue;
        }
        match chars.next() {
            Some('d') => text.push_str("[0-9]"),
            Some('D') => text.push_str("[^0-9]"),
            Some('w') => text.push_str("[0-9A-Za-z_]"),
            Some('W') => text.push_str("[^0-9A-Za-z_]"),
            Some('s') => text.push_str(r"[\t\n\x0B\f\r\x20]"),
            Some('S') => text.push_str(r"[^\t\n\x0B\f\r\x20]"),
            Some('b') => text.push_str(r"(?-u:\b)"),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}
