//! The agent's documents (MTConnect parts 1 to 3, version 1.7).

use std::fmt::Write as _;

use weir_model::Timestamp;

use super::buffer::{OBSERVATIONS_MAX, Observation};
use super::items::{COMPONENTS, Category, Component, ITEMS, Item, NAME, Told, UUID};

/// The numbers of a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    /// Another number for every run of the agent.
    pub(crate) instance: u64,
    pub(crate) created: Timestamp,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) next: u64,
}

fn begin(out: &mut String, document: &str, header: Header, numbers: &str) {
    let Header { instance, created, .. } = header;
    // Writing into a text cannot fail.
    let _ = write!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <MTConnect{document} xmlns=\"urn:mtconnect.org:MTConnect{document}:1.7\">\n\
         <Header creationTime=\"{created}\" sender=\"weir-plant\" instanceId=\"{instance}\" \
         version=\"1.7.0\" bufferSize=\"{OBSERVATIONS_MAX}\"{numbers}/>\n"
    );
}

/// The answer to `probe`.
pub(crate) fn probe(header: Header) -> String {
    let mut out = String::with_capacity(4096);
    begin(&mut out, "Devices", header, " assetBufferSize=\"0\" assetCount=\"0\"");
    out.push_str("<Devices>\n");
    for component in COMPONENTS.iter().filter(|component| component.within.is_none()) {
        describe(&mut out, component);
    }
    out.push_str("</Devices>\n</MTConnectDevices>\n");
    out
}

fn describe(out: &mut String, component: &Component) {
    let Component { id, kind, name, within } = component;
    let uuid = if within.is_none() { format!(" uuid=\"{UUID}\"") } else { String::new() };
    let _ = writeln!(out, "<{kind} id=\"{id}\" name=\"{name}\"{uuid}>");
    if within.is_none() {
        let about = "A milling machine of the AI4I 2020 data set: synthetic, one row a part";
        let _ = writeln!(out, "<Description>{about}</Description>");
    }
    let items = || ITEMS.iter().filter(|item| item.component == *id);
    if items().next().is_some() {
        out.push_str("<DataItems>\n");
        for Item { id, category, kind, sub_kind, units, .. } in items() {
            let category = match category {
                Category::Sample => "SAMPLE",
                Category::Event => "EVENT",
                Category::Condition => "CONDITION",
            };
            let _ = write!(out, "<DataItem id=\"{id}\" category=\"{category}\" type=\"{kind}\"");
            for (attribute, text) in [("subType", sub_kind), ("units", units)] {
                if !text.is_empty() {
                    let _ = write!(out, " {attribute}=\"{text}\"");
                }
            }
            out.push_str("/>\n");
        }
        out.push_str("</DataItems>\n");
    }
    let parts = || COMPONENTS.iter().filter(|part| part.within == Some(id));
    if parts().next().is_some() {
        out.push_str("<Components>\n");
        parts().for_each(|part| describe(out, part));
        out.push_str("</Components>\n");
    }
    let _ = writeln!(out, "</{kind}>");
}

/// The answer to `current` or `sample`.
pub(crate) fn streams(header: Header, observations: &[Observation]) -> String {
    let mut out = String::with_capacity(512 + observations.len() * 128);
    let Header { first, last, next, .. } = header;
    let numbers =
        format!(" firstSequence=\"{first}\" lastSequence=\"{last}\" nextSequence=\"{next}\"");
    begin(&mut out, "Streams", header, &numbers);
    let _ = writeln!(out, "<Streams>\n<DeviceStream name=\"{NAME}\" uuid=\"{UUID}\">");
    for component in COMPONENTS {
        let own = |o: &&Observation| ITEMS[o.item].component == component.id;
        let own: Vec<&Observation> = observations.iter().filter(own).collect();
        if !own.is_empty() {
            let Component { id, kind, name, .. } = component;
            let _ = writeln!(
                out,
                "<ComponentStream component=\"{kind}\" name=\"{name}\" componentId=\"{id}\">"
            );
            for (category, list) in [
                (Category::Sample, "Samples"),
                (Category::Event, "Events"),
                (Category::Condition, "Condition"),
            ] {
                of_category(&mut out, &own, category, list);
            }
            out.push_str("</ComponentStream>\n");
        }
    }
    out.push_str("</DeviceStream>\n</Streams>\n</MTConnectStreams>\n");
    out
}

fn of_category(out: &mut String, own: &[&Observation], category: Category, list: &str) {
    let listed = || own.iter().filter(|o| ITEMS[o.item].category == category);
    if listed().next().is_none() {
        return;
    }
    let _ = writeln!(out, "<{list}>");
    for Observation { sequence, time, item, told } in listed().copied() {
        let item = &ITEMS[*item];
        let at = format!("dataItemId=\"{}\" timestamp=\"{time}\" sequence=\"{sequence}\"", item.id);
        let kind = item.kind;
        // Every text is the agent's own or a number: nothing in it has to be escaped.
        let _ = match told {
            Told::Text(text) => {
                let element = item.element();
                let sub_kind = match item.sub_kind {
                    "" => String::new(),
                    sub_kind => format!(" subType=\"{sub_kind}\""),
                };
                writeln!(out, "<{element} {at}{sub_kind}>{text}</{element}>")
            }
            Told::Normal => writeln!(out, "<Normal {at} type=\"{kind}\"/>"),
            Told::Fault(code, text) => {
                writeln!(out, "<Fault {at} type=\"{kind}\" nativeCode=\"{code}\">{text}</Fault>")
            }
        };
    }
    let _ = writeln!(out, "</{list}>");
}

/// A refusal, such as `OUT_OF_RANGE`. The text is the agent's own.
pub(crate) fn error(header: Header, code: &str, text: &str) -> String {
    let mut out = String::with_capacity(512);
    begin(&mut out, "Error", header, "");
    let _ = write!(
        out,
        "<Errors>\n<Error errorCode=\"{code}\">{text}</Error>\n</Errors>\n</MTConnectError>\n"
    );
    out
}
