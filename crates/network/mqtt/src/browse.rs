//! Browsing: what is published is shown as a tree, with the last message and the address of each value in it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout_at};
use weir_connect::{BrowseItem, BrowsePage, DriverError, ErrorKind, SystemClock};
use weir_model::{DataType, Value};

use crate::address::POINTER_BYTES_MAX;
use crate::link::{Inside, LinkError, Opening, Qos};
use crate::payload::excerpt;
use crate::settings::Settings;

/// Topics that one browse remembers.
const TOPICS_MAX: usize = 10_000;

/// Bytes of their names and messages: a topic alone may have 64 kB.
const BYTES_MAX: usize = 32 << 20;

/// Messages that are taken at once.
const MESSAGES_MAX: usize = 1000;

/// How long the first message is waited for where nothing is heard: half of what a person is let wait.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How long others are waited for after a first message that came late.
const COMPANY: Duration = Duration::from_millis(500);

/// Things of one page.
const ITEMS_MAX: usize = 200;

/// Longest name that is shown, in characters.
const NAME_CHARS_MAX: usize = 256;

/// Values of one message that are shown.
const LEAVES_MAX: usize = 1000;

/// Levels of a message that are shown.
const DEPTH_MAX: usize = 16;

/// Where a page begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    /// The levels above; none for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    /// The key of the last thing on the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Place {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

type Messages = BTreeMap<String, Bytes>;

pub(crate) async fn page(
    settings: &Settings,
    inside: Option<&Inside>,
    at: Option<&str>,
) -> Result<BrowsePage, DriverError> {
    let failed = |error: LinkError| error.at(settings.link.endpoint(), "");
    let place: Place = match at {
        None => Place::default(),
        Some(at) => serde_json::from_str(at).map_err(|_| {
            failed(LinkError::new(
                ErrorKind::Misconfigured,
                "there is no such place; begin at the root",
            ))
        })?,
    };
    let filter = match &place.topic {
        None => "#".to_owned(),
        Some(topic) => format!("{topic}/#"),
    };
    crate::topic::check_filter(&filter)
        .map_err(|reason| failed(LinkError::new(ErrorKind::Misconfigured, reason)))?;
    let messages = listen(settings, inside, filter).await.map_err(failed)?;
    Ok(arrange(&place, &messages))
}

/// Subscribes, and remembers the last message of each topic that is heard.
async fn listen(
    settings: &Settings,
    inside: Option<&Inside>,
    filter: String,
) -> Result<Messages, LinkError> {
    let opening = Opening::probe(std::sync::Arc::new(SystemClock));
    let mut link = settings.link.open(opening, inside).await?;
    let answers = link.subscribe(std::slice::from_ref(&filter), Qos::AtMostOnce).await?;
    if let Some(Err(reason)) = answers.into_iter().next() {
        return Err(LinkError::new(ErrorKind::Rejected, format!("{filter}: {reason}")));
    }
    let start = Instant::now();
    let mut deadline = start + settings.listen;
    let mut heard = Messages::new();
    let mut bytes = 0_usize;
    loop {
        // Whoever speaks seldom is waited for, and then those who speak at the same time.
        let silent = heard.is_empty();
        let until = if silent { deadline.max(start + SILENCE_MAX) } else { deadline };
        if timeout_at(until, link.ready()).await.is_err() {
            break;
        }
        for message in link.take(MESSAGES_MAX)? {
            let known = heard.contains_key(&*message.topic);
            if !known && (heard.len() >= TOPICS_MAX || bytes >= BYTES_MAX) {
                continue;
            }
            bytes += message.payload.len() + if known { 0 } else { message.topic.len() };
            let before = heard.insert(message.topic.to_string(), message.payload);
            bytes -= before.map_or(0, |before| before.len());
        }
        if silent && !heard.is_empty() {
            deadline = deadline.max(Instant::now() + COMPANY);
        }
        if Instant::now() >= deadline.max(until) {
            break;
        }
    }
    Ok(heard)
}

/// What a level of the tree shows, in the order of its keys, a page at a time.
fn arrange(place: &Place, messages: &Messages) -> BrowsePage {
    let mut items: BTreeMap<String, BrowseItem> = BTreeMap::new();
    if let Some(topic) = &place.topic
        && let Some(payload) = messages.get(topic)
    {
        for (pointer, item) in values(topic, payload) {
            items.insert(format!("0{pointer}"), item);
        }
    }
    let prefix = place.topic.as_ref().map(|topic| format!("{topic}/")).unwrap_or_default();
    for (topic, payload) in messages.range(prefix.clone()..) {
        let Some(rest) = topic.strip_prefix(&prefix) else { break };
        let (level, deeper) =
            rest.split_once('/').map_or((rest, None), |(level, rest)| (level, Some(rest)));
        let below = format!("{prefix}{level}");
        let item = items.entry(format!("1{level}")).or_insert_with(|| branch(&below, level));
        match deeper {
            Some(_) => item.expandable = true,
            None => describe(item, topic, payload),
        }
    }
    let after = place.after.as_deref();
    let mut rest =
        items.into_iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
    let shown: Vec<_> = rest.by_ref().take(ITEMS_MAX).collect();
    let next = rest.next().and_then(|_| {
        let after = shown.last().map(|(key, _)| key.clone());
        Some(Place { topic: place.topic.clone(), after: Some(after?) }.text())
    });
    BrowsePage { items: shown.into_iter().map(|(_, item)| item).collect(), next }
}

fn branch(topic: &str, level: &str) -> BrowseItem {
    let at = Place { topic: Some(topic.to_owned()), after: None }.text();
    let name = if level.is_empty() { "(empty)" } else { level };
    let name = shortened(name);
    BrowseItem { at, name, ..BrowseItem::default() }
}

/// A level of a topic as it is shown: it may have 64 kB.
fn shortened(level: &str) -> String {
    match level.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", level.get(..end).unwrap_or_default()),
        None => level.to_owned(),
    }
}

/// Adds to a level what its own message says: a single value at once, several on expanding.
fn describe(item: &mut BrowseItem, topic: &str, payload: &Bytes) {
    item.description = excerpt(payload);
    let mut found = values(topic, payload);
    if found.len() == 1
        && let Some((pointer, only)) = found.pop()
        && pointer.is_empty()
    {
        item.address = only.address;
        item.data_type = only.data_type;
        item.value = only.value;
    } else {
        item.expandable = true;
    }
}

/// The values of a message by their JSON pointers, with what they could be points by.
fn values(topic: &str, payload: &Bytes) -> Vec<(String, BrowseItem)> {
    let item = |pointer: &str, address: Option<Json>, kind: Option<(DataType, Value)>| {
        let at = json!({"topic": topic, "value": pointer}).to_string();
        let (data_type, value) = kind.unzip();
        let name = if pointer.is_empty() { "$" } else { pointer };
        BrowseItem { at, name: name.to_owned(), address, data_type, value, ..BrowseItem::default() }
    };
    if let Ok(json) = serde_json::from_slice::<Json>(payload) {
        let mut leaves = Vec::new();
        flatten(&json, String::new(), 0, &mut leaves);
        let shown = |(pointer, kind): (String, Option<(DataType, Value)>)| {
            let mut address = json!({"topic": topic, "format": "json"});
            if !pointer.is_empty() {
                address["path"] = pointer.as_str().into();
            }
            let item = item(&pointer, Some(address), kind);
            (pointer, item)
        };
        return leaves.into_iter().map(shown).collect();
    }
    let only = match std::str::from_utf8(payload) {
        Ok(text) => {
            let is_switch =
                ["on", "off", "true", "false"].contains(&text.trim().to_ascii_lowercase().as_str());
            let kind = if is_switch {
                let on = text.trim().eq_ignore_ascii_case("on")
                    || text.trim().eq_ignore_ascii_case("true");
                Some((DataType::Bool, Value::Bool(on)))
            } else {
                Value::text(text).ok().map(|value| (DataType::Text, value))
            };
            item("", Some(json!({"topic": topic, "format": "text"})), kind)
        }
        Err(_) => {
            let raw_type = match payload.len() {
                1 => Some("u8"),
                2 => Some("u16"),
                4 => Some("f32"),
                8 => Some("f64"),
                _ => None,
            };
            let address = raw_type.map(|t| json!({"topic": topic, "format": "raw", "type": t}));
            item("", address, None)
        }
    };
    vec![(String::new(), only)]
}

/// Numbers, texts, truth values and rows of them, by their pointers.
fn flatten(
    json: &Json,
    pointer: String,
    depth: usize,
    leaves: &mut Vec<(String, Option<(DataType, Value)>)>,
) {
    if leaves.len() >= LEAVES_MAX {
        return;
    }
    let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match json {
        Json::Object(fields) if depth < DEPTH_MAX => {
            for (name, json) in fields {
                let place = below(name);
                // A longer one could not be the address of a point.
                if place.len() <= POINTER_BYTES_MAX {
                    flatten(json, place, depth + 1, leaves);
                }
            }
        }
        Json::Array(items)
            if items.iter().any(|item| item.is_object() || item.is_array())
                && depth < DEPTH_MAX =>
        {
            for (index, json) in items.iter().enumerate() {
                flatten(json, below(&index.to_string()), depth + 1, leaves);
            }
        }
        _ => leaves.push((pointer, kind(json))),
    }
}

/// A number may be whole by chance, so every number is proposed as a double.
fn kind(json: &Json) -> Option<(DataType, Value)> {
    let data_type = match json {
        Json::Null | Json::Object(_) => return None,
        Json::Bool(_) => DataType::Bool,
        Json::Number(_) => DataType::F64,
        Json::String(_) => DataType::Text,
        Json::Array(_) => DataType::Array,
    };
    Value::from_json(json, data_type).ok().map(|value| (data_type, value))
}

#[cfg(test)]
mod tests;
