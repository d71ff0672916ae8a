//! Discovery: edge nodes that are heard at a broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};
use weir_connect::{Discovered, DriverError, ErrorKind, SystemClock};
use weir_mqtt::{Inside, LinkError, Opening, Qos};

use crate::settings::Settings;
use crate::topic::{NAMESPACE, Topic, check_id};

/// Edge nodes that are told.
const NODES_MAX: usize = 1000;

/// Devices of one edge node that are remembered: those that are told.
const DEVICES_MAX: usize = 10;

/// How long the first message is waited for where nothing is heard: half of what a person is let wait.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Messages that are taken at once.
const MESSAGES_MAX: usize = 1000;

/// Listens for a while, and tells which edge nodes said something, with the settings for each.
pub(crate) async fn edge_nodes(
    known: &Settings,
    settings: &Json,
    inside: Option<&Inside>,
) -> Result<Vec<Discovered>, DriverError> {
    let heard = listen(known, inside).await;
    let heard = heard.map_err(|error| error.at("sparkplug", known.link.endpoint()))?;
    let told = |((group, edge_node), devices): ((String, String), BTreeSet<String>)| {
        let mut settings = settings.clone();
        settings["group"] = group.as_str().into();
        settings["edge_node"] = edge_node.as_str().into();
        let devices: Vec<_> = devices.into_iter().collect();
        let detail = if devices.is_empty() {
            String::new()
        } else {
            format!("devices: {}", devices.join(", "))
        };
        Discovered { name: format!("{group} / {edge_node}"), detail, settings, certificate: None }
    };
    Ok(heard.into_iter().map(told).collect())
}

type Heard = BTreeMap<(String, String), BTreeSet<String>>;

async fn listen(known: &Settings, inside: Option<&Inside>) -> Result<Heard, LinkError> {
    let mut link = known.link.open(Opening::probe(Arc::new(SystemClock)), inside).await?;
    let answers = link.subscribe(&[format!("{NAMESPACE}/#")], Qos::AtMostOnce).await?;
    if let Some(reason) = answers.into_iter().find_map(Result::err) {
        return Err(LinkError::new(ErrorKind::Rejected, reason));
    }
    let start = Instant::now();
    let mut heard = Heard::new();
    loop {
        // Edge nodes that speak seldom are waited for.
        let time = if heard.is_empty() { known.listen.max(SILENCE_MAX) } else { known.listen };
        let deadline = start + time;
        if Instant::now() >= deadline || timeout_at(deadline, link.ready()).await.is_err() {
            break;
        }
        for message in link.take(MESSAGES_MAX)? {
            let Some(topic) = Topic::parse(&message.topic) else { continue };
            // What no settings can name is of no use, and might be 64 kB long.
            let names = [Some(topic.group), Some(topic.edge_node), topic.device];
            if names.into_iter().flatten().any(|name| check_id(name).is_err()) {
                continue;
            }
            let key = (topic.group.to_owned(), topic.edge_node.to_owned());
            if heard.len() >= NODES_MAX && !heard.contains_key(&key) {
                continue;
            }
            let devices = heard.entry(key).or_default();
            if let Some(device) = topic.device.filter(|_| devices.len() < DEVICES_MAX) {
                devices.insert(device.to_owned());
            }
        }
    }
    Ok(heard)
}
