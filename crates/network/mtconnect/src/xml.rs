//! A bounded reader of XML documents: names, attributes and text, nothing else.
//!
//! Document types are refused, and with them all entities but the five that XML itself has, so no
//! document can grow while it is read.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Deepest nesting. Agents use about ten levels; components may nest somewhat deeper.
const DEPTH_MAX: usize = 64;

/// Most attributes of one element; the standard's own have fewer than thirty.
const ATTRIBUTES_MAX: usize = 128;

/// Longest attribute value in bytes.
const ATTRIBUTE_BYTES_MAX: usize = 64 * 1024;

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("not UTF-8")]
    Encoding,
    #[error("not well-formed XML: {0}")]
    Syntax(String),
    #[error("a document type or an entity of its own, which is refused")]
    Entity,
    #[error("nested deeper than {DEPTH_MAX} levels")]
    Depth,
    #[error(
        "more than {ATTRIBUTES_MAX} attributes, or one of more than {ATTRIBUTE_BYTES_MAX} bytes"
    )]
    Attributes,
    #[error("the document ends before its root element does")]
    Unfinished,
    /// Well-formed, but not what was asked for.
    #[error("{0}")]
    Content(String),
}

/// The start of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name, without a namespace prefix.
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// The value of an attribute, by its name without a namespace prefix; none where it is missing
    /// or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.attributes.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.trim().parse().ok()
    }
}

/// What comes next in a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Open(Element),
    Text(Cow<'a, str>),
    Close,
    End,
}

pub(crate) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    rooted: bool,
}

impl<'a> Xml<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { reader, depth: 0, rooted: false })
    }

    pub(crate) fn next(&mut self) -> Result<Item<'a>, XmlError> {
        loop {
            match self.reader.read_event().map_err(|e| XmlError::Syntax(e.to_string()))? {
                Event::Start(start) => {
                    if self.depth >= DEPTH_MAX {
                        return Err(XmlError::Depth);
                    }
                    if self.depth == 0 && self.rooted {
                        return Err(XmlError::Syntax("a second root element".into()));
                    }
                    self.depth += 1;
                    self.rooted = true;
                    return Ok(Item::Open(element(&start)?));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Item::Close);
                }
                Event::Text(text) if self.depth > 0 => {
                    return Ok(Item::Text(match text.into_inner() {
                        Cow::Borrowed(text) => Cow::Borrowed(text),
                        Cow::Owned(text) => Cow::Owned(text),
                    }));
                }
                Event::CData(text) => return Ok(Item::Text(text.into_inner())),
                Event::GeneralRef(reference) => {
                    return Ok(Item::Text(resolve(&reference)?.to_string().into()));
                }
                Event::DocType(_) => return Err(XmlError::Entity),
                Event::Eof if self.depth > 0 || !self.rooted => return Err(XmlError::Unfinished),
                Event::Eof => return Ok(Item::End),
                Event::Text(_) | Event::Empty(_) | Event::Comment(_) => {}
                Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, XmlError> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Ok(character),
        Ok(None) => match reference.as_ref() {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(XmlError::Entity),
        },
        Err(error) => Err(XmlError::Syntax(error.to_string())),
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let local = |name: &str| name.rsplit_once(':').map_or(name, |(_, local)| local).to_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|e| XmlError::Syntax(e.to_string()))?;
        let key: &str = attribute.key.as_ref();
        // Declarations of namespaces: elements are known by their local names.
        if key == "xmlns" || key.starts_with("xmlns:") {
            continue;
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|e| XmlError::Syntax(e.to_string()))?;
        if attributes.len() >= ATTRIBUTES_MAX || value.len() > ATTRIBUTE_BYTES_MAX {
            return Err(XmlError::Attributes);
        }
        attributes.push((local(key), value.into_owned()));
    }
    let name = start.name();
    let name: &str = name.as_ref();
    Ok(Element { name: local(name), attributes })
}

#[cfg(test)]
mod tests;
