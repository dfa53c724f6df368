//! A first look at a file, before a tree is built of it: what is too deep, too large or dangerous is refused in one pass
//! over the bytes, so that no file can exhaust stack, memory or time.

/// Larger files are refused, in bytes.
const MAX_SIZE: usize = 4 * 1024 * 1024;
const MAX_DEPTH: usize = 200;
const MAX_ELEMENTS: usize = 50_000;
/// Comments, instructions and character data.
const MAX_OTHERS: usize = 20_000;
const MAX_ATTRIBUTES: usize = 200_000;
/// On one element: the tree compares them in pairs.
const MAX_ATTRIBUTES_OF_ONE: usize = 100;
const MAX_ATTRIBUTE_LENGTH: usize = 256 * 1024;
/// In the whole file: each element looks its prefix up among those in scope.
const MAX_NAMESPACES: usize = 250;

/// Why a file is refused, and where, in bytes from its start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) offset: usize,
    pub(super) message: String,
}

/// Refuses hostile files. What it lets pass need not be well-formed.
pub(super) fn check(xml: &str) -> Result<(), Refusal> {
    if xml.len() > MAX_SIZE {
        return Err(Refusal { offset: 0, message: format!("the file is larger than {MAX_SIZE} bytes") });
    }
    let mut scan = Scan { xml, at: 0, depth: 0, elements: 0, others: 0, attributes: 0, namespaces: 0 };
    while let Some(skipped) = scan.rest().find('<') {
        scan.at = scan.at.saturating_add(skipped);
        scan.markup()?;
    }
    Ok(())
}

struct Scan<'a> {
    xml: &'a str,
    at: usize,
    depth: usize,
    elements: usize,
    others: usize,
    attributes: usize,
    namespaces: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.xml.get(self.at..).unwrap_or_default()
    }

    /// Whatever begins with `<`.
    fn markup(&mut self) -> Result<(), Refusal> {
        let rest = self.rest();
        if rest.starts_with("<!--") {
            self.other("-->", 4)
        } else if rest.starts_with("<![CDATA[") {
            self.other("]]>", 9)
        } else if rest.starts_with("<?") {
            self.other("?>", 2)
        } else if rest.starts_with("<!") {
            Err(self.refuse("a document type definition (<!DOCTYPE …>) is not accepted: remove it"))
        } else if rest.starts_with("</") {
            self.depth = self.depth.saturating_sub(1);
            self.skip_past(">", 2);
            Ok(())
        } else {
            self.start_tag(rest)
        }
    }

    fn other(&mut self, end: &str, from: usize) -> Result<(), Refusal> {
        self.others = self.others.saturating_add(1);
        if self.others > MAX_OTHERS {
            let what = "comments, processing instructions and CDATA sections";
            return Err(self.refuse(&format!("the file has more than {MAX_OTHERS} {what}")));
        }
        self.skip_past(end, from);
        Ok(())
    }

    fn start_tag(&mut self, rest: &str) -> Result<(), Refusal> {
        self.elements = self.elements.saturating_add(1);
        if self.elements > MAX_ELEMENTS {
            return Err(self.refuse(&format!("the file has more than {MAX_ELEMENTS} elements")));
        }
        let tag = self.attributes(rest)?;
        if !tag.ends_with("/>") {
            self.depth = self.depth.saturating_add(1);
            if self.depth > MAX_DEPTH {
                return Err(self.refuse(&format!("elements are nested more than {MAX_DEPTH} deep")));
            }
        }
        self.at = self.at.saturating_add(tag.len());
        Ok(())
    }

    /// Counts and measures the attributes of a tag, and gives the whole tag.
    fn attributes<'t>(&mut self, rest: &'t str) -> Result<&'t str, Refusal> {
        let bytes = rest.as_bytes();
        let mut own = 0_usize;
        let mut end = 1;
        loop {
            match bytes.get(end) {
                None => return Ok(rest),
                Some(b'>') => {
                    self.attributes = self.attributes.saturating_add(own);
                    if self.attributes > MAX_ATTRIBUTES {
                        return Err(self.refuse(&format!("the file has more than {MAX_ATTRIBUTES} attributes")));
                    }
                    return Ok(rest.get(..=end).unwrap_or(rest));
                }
                Some(quote @ (b'"' | b'\'')) => {
                    let value = bytes.get(end.saturating_add(1)..).unwrap_or_default();
                    let length = value.iter().position(|byte| byte == quote).unwrap_or(value.len());
                    own = own.saturating_add(1);
                    if length > MAX_ATTRIBUTE_LENGTH {
                        return Err(self.refuse(&format!("an attribute is longer than {MAX_ATTRIBUTE_LENGTH} bytes")));
                    }
                    end = end.saturating_add(length).saturating_add(2);
                }
                Some(b'x') if rest.get(end..).is_some_and(|rest| rest.starts_with("xmlns")) => {
                    self.namespaces = self.namespaces.saturating_add(1);
                    end = end.saturating_add(5);
                }
                Some(_) => end = end.saturating_add(1),
            }
            self.count(own)?;
        }
    }

    fn count(&mut self, own: usize) -> Result<(), Refusal> {
        if own > MAX_ATTRIBUTES_OF_ONE {
            return Err(self.refuse(&format!("an element has more than {MAX_ATTRIBUTES_OF_ONE} attributes")));
        }
        if self.namespaces > MAX_NAMESPACES {
            return Err(self.refuse(&format!("the file declares more than {MAX_NAMESPACES} namespaces")));
        }
        Ok(())
    }

    fn skip_past(&mut self, end: &str, from: usize) {
        let start = self.at.saturating_add(from);
        let found = self.xml.get(start..).and_then(|rest| rest.find(end));
        self.at = found.map_or(self.xml.len(), |found| start.saturating_add(found).saturating_add(end.len()));
    }

    fn refuse(&self, message: &str) -> Refusal {
        Refusal { offset: self.at, message: message.to_owned() }
    }
}
