//! Reads BPMN 2.0 files: everything that can run becomes a [`Process`], everything else is told, all at once, with its
//! place in the file and what to do about it.

mod check;
mod definitions;
mod element;
mod events;
mod extensions;
mod guard;
mod problems;
mod process;
mod tasks;
mod xml;

pub use problems::ModelError;

use super::model::Process;
use definitions::Definitions;
use problems::Problems;

/// Reads a BPMN 2.0 file: every executable process in it.
///
/// The file may come from anybody: document types and entities are refused, size, depth and number of elements are
/// bounded before a tree is built. An encoding that it declares means nothing, since it is text already.
///
/// # Errors
/// Everything that keeps the file from running, in the order of the file.
pub fn read(xml: &str) -> Result<Vec<Process>, Vec<ModelError>> {
    let trimmed = xml.trim_start_matches('\u{feff}').trim_start();
    let above = xml.strip_suffix(trimmed).map_or(0, |above| above.matches('\n').count());
    let xml = trimmed;
    let mut problems = Problems::new(xml, above);
    if let Err(refusal) = guard::check(xml) {
        problems.refuse(refusal.offset, &refusal.message);
        return Err(problems.into_errors());
    }
    let document = match xml::parse(xml) {
        Ok(document) => document,
        Err((position, message)) => return Err(vec![problems.unreadable(position, message)]),
    };
    let processes = match Definitions::read(document.root_element(), &mut problems) {
        Some(definitions) => process::read_all(&definitions, &mut problems),
        None => Vec::new(),
    };
    let errors = problems.into_errors();
    if errors.is_empty() { Ok(processes) } else { Err(errors) }
}
