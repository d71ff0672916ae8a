//! Documents of observations and of errors (MTConnect part 1, clauses 6 and 7; part 3).

use weir_model::Timestamp;

use crate::xml::{Element, Item, Xml, XmlError};

/// Most observations of one document that are kept. An agent is asked for a thousand at a time, but
/// `current` has one for each data item of all its machines.
const OBSERVATIONS_MAX: usize = 200_000;

/// Longest text of one observation: a time series of 2^16 numbers, or a large data set.
const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Most entries of one data set.
pub(crate) const ENTRIES_MAX: usize = 4096;

/// Most cells of one row of a table.
const CELLS_MAX: usize = 256;

/// Most errors of one document that are told.
const ERRORS_MAX: usize = 8;

/// Longest text of an error that is told.
const ERROR_BYTES_MAX: usize = 500;

/// What an agent answered to `current` or `sample`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    Streams(Header, Vec<Observation>),
    Errors(Vec<AgentError>),
}

/// The numbers by which observations are followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// Another number means that the agent was restarted and counts anew.
    pub(crate) instance: u64,
    /// The oldest observation in the agent's buffer.
    pub(crate) first: u64,
    /// The newest.
    pub(crate) last: u64,
    /// Where the next request goes on.
    pub(crate) next: u64,
    /// How many observations the buffer holds.
    pub(crate) buffer: u64,
    /// The agent's clock when it answered.
    pub(crate) created: Option<Timestamp>,
    /// When the agent's devices or data items were changed last, as it writes it; since version 1.7.
    pub(crate) model: Option<String>,
}

/// An error of an agent, such as `OUT_OF_RANGE`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AgentError {
    pub(crate) code: String,
    pub(crate) text: String,
}

/// One observation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Observation {
    /// The `id` of its data item.
    pub(crate) item: String,
    pub(crate) sequence: u64,
    pub(crate) time: Option<Timestamp>,
    /// The element's name: the type, or the state of a condition.
    pub(crate) element: String,
    pub(crate) is_condition: bool,
    pub(crate) text: String,
    /// Of a data set or table, each with what it is now; none where it was removed.
    pub(crate) entries: Vec<(String, Option<Cells>)>,
    /// Whether a data set begins anew with this observation.
    pub(crate) is_reset: bool,
    /// By what several active states of a condition are told apart.
    pub(crate) condition: String,
    pub(crate) native_code: String,
}

/// What an entry of a data set is: a text, or the cells of a row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cells {
    Text(String),
    Row(Vec<(String, String)>),
}

/// Reads a document, with those observations whose data items are wanted.
pub(crate) fn parse(bytes: &[u8], wanted: &dyn Fn(&str) -> bool) -> Result<Document, XmlError> {
    let mut xml = Xml::new(bytes)?;
    let Item::Open(root) = xml.next()? else { return Err(XmlError::Unfinished) };
    match root.name.as_str() {
        "MTConnectStreams" => streams(&mut xml, wanted),
        "MTConnectError" => errors(&mut xml).map(Document::Errors),
        other => {
            let other: String = other.chars().take(60).collect();
            let what = format!("a document of observations is expected, not {other}");
            Err(XmlError::Content(what))
        }
    }
}

/// The errors of a document whose root is open.
pub(crate) fn errors(xml: &mut Xml<'_>) -> Result<Vec<AgentError>, XmlError> {
    let mut found: Vec<AgentError> = Vec::new();
    let mut depth = 1;
    // Whether the element that is open is, or is inside of, the last error found.
    let mut inside_from = usize::MAX;
    while depth > 0 {
        match xml.next()? {
            Item::Open(element) => {
                depth += 1;
                if let Some(code) = element.owned("errorCode").filter(|_| found.len() < ERRORS_MAX)
                {
                    found.push(AgentError { code, text: String::new() });
                    inside_from = depth;
                }
            }
            Item::Text(text) if depth >= inside_from => {
                if let Some(error) = found.last_mut() {
                    let room = ERROR_BYTES_MAX.saturating_sub(error.text.len());
                    error.text.push_str(&text[..text.floor_char_boundary(room)]);
                }
            }
            Item::Text(_) => {}
            Item::Close => {
                depth -= 1;
                if depth < inside_from {
                    inside_from = usize::MAX;
                }
            }
            Item::End => break,
        }
    }
    for error in &mut found {
        error.text = error.text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    Ok(found)
}

fn header(element: &Element) -> Result<Header, XmlError> {
    let number = |name: &str| {
        let missing = || XmlError::Content(format!("the header has no {name}"));
        element.number(name).ok_or_else(missing)
    };
    Ok(Header {
        instance: number("instanceId")?,
        first: number("firstSequence")?,
        last: number("lastSequence")?,
        next: number("nextSequence")?,
        buffer: element.number("bufferSize").unwrap_or(0),
        created: element.get("creationTime").and_then(time),
        model: element.owned("deviceModelChangeTime"),
    })
}

/// A time as agents write it: RFC 3339, in old versions without the zone, which then is UTC.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    Timestamp::parse(text).or_else(|_| Timestamp::parse(&format!("{text}Z"))).ok()
}

fn streams(xml: &mut Xml<'_>, wanted: &dyn Fn(&str) -> bool) -> Result<Document, XmlError> {
    let mut found = None;
    let mut observations = Vec::new();
    let mut depth = 1;
    let mut is_condition = false;
    while depth > 0 {
        match xml.next()? {
            Item::Open(element) => match element.name.as_str() {
                "Header" if depth == 1 => {
                    found = Some(header(&element)?);
                    depth += 1;
                }
                "Samples" | "Events" => {
                    is_condition = false;
                    depth += 1;
                }
                // Every other element in here with a data item is an observation, whatever its name:
                // vendors extend the types.
                name => match element.get("dataItemId") {
                    Some(id) if wanted(id) => {
                        if observations.len() >= OBSERVATIONS_MAX {
                            let what = format!("more than {OBSERVATIONS_MAX} observations");
                            return Err(XmlError::Content(what));
                        }
                        observations.push(observation(xml, &element, id, is_condition)?);
                    }
                    Some(_) => skip(xml)?,
                    None => {
                        is_condition = name == "Condition";
                        depth += 1;
                    }
                },
            },
            Item::Text(_) => {}
            Item::Close => depth -= 1,
            Item::End => break,
        }
    }
    let header = found.ok_or_else(|| XmlError::Content("the document has no header".into()))?;
    Ok(Document::Streams(header, observations))
}

fn skip(xml: &mut Xml<'_>) -> Result<(), XmlError> {
    let mut depth = 1;
    while depth > 0 {
        match xml.next()? {
            Item::Open(_) => depth += 1,
            Item::Close => depth -= 1,
            Item::Text(_) => {}
            Item::End => break,
        }
    }
    Ok(())
}

fn observation(
    xml: &mut Xml<'_>,
    element: &Element,
    id: &str,
    is_condition: bool,
) -> Result<Observation, XmlError> {
    let native_code = element.owned("nativeCode").unwrap_or_default();
    let mut observation = Observation {
        item: id.to_owned(),
        sequence: element.number("sequence").unwrap_or(0),
        time: element.get("timestamp").and_then(time),
        element: element.name.clone(),
        is_condition,
        is_reset: element.get("resetTriggered").is_some_and(|reset| reset != "NOT_RESET"),
        condition: element.owned("conditionId").unwrap_or_else(|| native_code.clone()),
        native_code,
        ..Observation::default()
    };
    loop {
        match xml.next()? {
            Item::Open(child) if child.name == "Entry" => {
                let key = child.owned("key").unwrap_or_default();
                let is_removed = child.get("removed") == Some("true");
                let cells = entry(xml)?;
                if observation.entries.len() >= ENTRIES_MAX {
                    let what = format!("a data set of more than {ENTRIES_MAX} entries");
                    return Err(XmlError::Content(what));
                }
                observation.entries.push((key, (!is_removed).then_some(cells)));
            }
            Item::Open(_) => skip(xml)?,
            Item::Text(text) => append(&mut observation.text, &text)?,
            Item::Close | Item::End => break,
        }
    }
    let trimmed = observation.text.trim();
    if trimmed.len() != observation.text.len() {
        observation.text = trimmed.to_owned();
    }
    Ok(observation)
}

/// An entry whose start was read: its text, or its cells.
fn entry(xml: &mut Xml<'_>) -> Result<Cells, XmlError> {
    let mut text = String::new();
    let mut row = Vec::new();
    loop {
        match xml.next()? {
            Item::Open(child) if child.name == "Cell" => {
                let key = child.owned("key").unwrap_or_default();
                let value = plain(xml)?;
                if row.len() >= CELLS_MAX {
                    let what = format!("a row of more than {CELLS_MAX} cells");
                    return Err(XmlError::Content(what));
                }
                row.push((key, value));
            }
            Item::Open(_) => skip(xml)?,
            Item::Text(more) => append(&mut text, &more)?,
            Item::Close | Item::End => break,
        }
    }
    Ok(if row.is_empty() { Cells::Text(text.trim().to_owned()) } else { Cells::Row(row) })
}

fn plain(xml: &mut Xml<'_>) -> Result<String, XmlError> {
    let mut text = String::new();
    loop {
        match xml.next()? {
            Item::Open(_) => skip(xml)?,
            Item::Text(more) => append(&mut text, &more)?,
            Item::Close | Item::End => return Ok(text.trim().to_owned()),
        }
    }
}

fn append(text: &mut String, more: &str) -> Result<(), XmlError> {
    if text.len() + more.len() > TEXT_BYTES_MAX {
        let what = format!("an observation of more than {TEXT_BYTES_MAX} bytes");
        return Err(XmlError::Content(what));
    }
    text.push_str(more);
    Ok(())
}

#[cfg(test)]
mod tests;
