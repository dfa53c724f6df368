//! The tree of a file, in the words of BPMN: its elements, and those of the vendors.

use roxmltree::{Document, Node, ParsingOptions};

/// An element of the file.
pub(super) type Xml<'x> = Node<'x, 'x>;

const BPMN: &str = "http://www.omg.org/spec/BPMN/20100524/MODEL";
const ZEEBE: &str = "http://camunda.org/schema/zeebe/1.0";
/// Camunda 7 and Operaton write the same words under two names.
const CAMUNDA: [&str; 2] = ["http://camunda.org/schema/1.0/bpmn", "http://operaton.org/schema/1.0/bpmn"];

/// Elements, comments, instructions and the space between them.
const MAX_NODES: u32 = 150_000;

/// Builds the tree; on failure the line and column, and what is wrong.
pub(super) fn parse(xml: &str) -> Result<Document<'_>, ((u32, u32), String)> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(xml, options).map_err(|error| {
        let at = error.pos();
        let message = match error {
            roxmltree::Error::NodesLimitReached => {
                format!("the file has more than {MAX_NODES} elements, texts and comments")
            }
            error => format!("the file is no well-formed XML: {error}"),
        };
        ((at.row, at.col), message)
    })
}

/// The name of a BPMN element; nothing for those of others.
pub(super) fn bpmn(xml: Xml<'_>) -> Option<&str> {
    (xml.is_element() && xml.tag_name().namespace() == Some(BPMN)).then(|| xml.tag_name().name())
}

/// The name of an element in the words of Camunda 7 and Operaton.
pub(super) fn camunda(xml: Xml<'_>) -> Option<&str> {
    let namespace = xml.tag_name().namespace()?;
    CAMUNDA.contains(&namespace).then(|| xml.tag_name().name())
}

/// The name of an element in the words of Zeebe.
pub(super) fn zeebe(xml: Xml<'_>) -> Option<&str> {
    (xml.tag_name().namespace() == Some(ZEEBE)).then(|| xml.tag_name().name())
}

/// Whether an element is what people know by its id: a flow node, a flow, a process, a message; not a part of one.
pub(super) fn is_drawn(xml: Xml<'_>) -> bool {
    let around = xml.parent_element().map(bpmn);
    match around {
        None | Some(Some("definitions" | "process" | "subProcess" | "transaction" | "adHocSubProcess")) => true,
        Some(_) => false,
    }
}

/// An attribute of BPMN's own; empty ones count as left out.
pub(super) fn attribute<'x>(xml: Xml<'x>, name: &str) -> Option<&'x str> {
    xml.attribute(name).map(str::trim).filter(|value| !value.is_empty())
}

/// An attribute of Camunda 7 or Operaton; empty ones count as left out.
pub(super) fn camunda_attribute<'x>(xml: Xml<'x>, name: &str) -> Option<&'x str> {
    CAMUNDA
        .iter()
        .find_map(|namespace| xml.attribute((*namespace, name)))
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// Whether an attribute says yes; `default` where it is left out.
pub(super) fn flag(xml: Xml<'_>, name: &str, default: bool) -> bool {
    attribute(xml, name).map_or(default, |value| matches!(value, "true" | "1"))
}

/// The children that are BPMN elements, with their names.
pub(super) fn children(xml: Xml<'_>) -> impl Iterator<Item = (Xml<'_>, &str)> {
    xml.children().filter_map(|child| Some((child, bpmn(child)?)))
}

/// The first BPMN child of a name.
pub(super) fn child<'x>(xml: Xml<'x>, name: &str) -> Option<Xml<'x>> {
    children(xml).find(|(_, found)| *found == name).map(|(child, _)| child)
}

/// The text inside an element, CDATA and all, without the space around it.
pub(super) fn text(xml: Xml<'_>) -> String {
    let text: String = xml.children().filter_map(|child| child.is_text().then(|| child.text()).flatten()).collect();
    text.trim().to_owned()
}

/// A reference to another element. BPMN writes qualified names, and tools leave the prefix out.
pub(super) fn reference(value: &str) -> &str {
    value.rsplit_once(':').map_or(value, |(_, local)| local)
}
