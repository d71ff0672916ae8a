//! Browsing: the edge node is asked for its births; devices and metrics are shown as a tree of names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout_at};
use weir_connect::{BrowseItem, BrowsePage, Clock, DriverError, ErrorKind, SystemClock};
use weir_model::Value;
use weir_mqtt::{Inside, LinkError, Opening, Qos};

use crate::Metric;
use crate::node::{EdgeNode, Event};
use crate::session::rebirth;
use crate::settings::Settings;
use crate::topic::{Topic, filters};

/// Messages that are taken at once.
const MESSAGES_MAX: usize = 100;

/// Things of one page.
const ITEMS_MAX: usize = 200;

/// After the edge node's birth, those of its devices follow at once; this long a pause ends them.
const PAUSE: Duration = Duration::from_millis(300);

/// Where a page begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// The names above, with a slash behind each.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    folder: String,
    /// The key of the last thing on the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Place {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What births have said.
struct Births {
    node: EdgeNode,
    values: HashMap<(Option<Arc<str>>, Arc<str>), Value>,
}

pub(crate) async fn page(
    settings: &Settings,
    inside: Option<&Inside>,
    at: Option<&str>,
) -> Result<BrowsePage, DriverError> {
    let place: Place = match at {
        None => Place::default(),
        Some(at) => serde_json::from_str(at).map_err(|_| {
            let cause = "there is no such place; begin at the root";
            DriverError::new(ErrorKind::Misconfigured, settings.place(), "", cause)
        })?,
    };
    let births = births(settings, inside).await.map_err(|error| error.at(settings.place(), ""))?;
    Ok(arrange(&place, &births))
}

async fn births(settings: &Settings, inside: Option<&Inside>) -> Result<Births, LinkError> {
    let clock = Arc::new(SystemClock);
    let mut link =
        settings.link.open(Opening::probe(Arc::clone(&clock) as Arc<dyn Clock>), inside).await?;
    let answers =
        link.subscribe(&filters(&settings.group, &settings.edge_node), Qos::AtMostOnce).await?;
    if let Some(reason) = answers.into_iter().find_map(Result::err) {
        return Err(LinkError::new(ErrorKind::Rejected, reason));
    }
    let mut births = Births { node: EdgeNode::new(settings.timing), values: HashMap::new() };
    let mut asked = births.node.ask(Instant::now());
    let last = Instant::now() + settings.timing.birth;
    let mut deadline = last;
    loop {
        for event in asked.drain(..) {
            match event {
                Event::Rebirth { .. } => {
                    let (topic, payload, qos, retain) = rebirth(settings, clock.now());
                    link.publish(&topic, payload, qos, retain).await?;
                }
                Event::Sample(sample) => {
                    if let Ok(value) = sample.outcome {
                        births.values.insert((sample.device, sample.metric), value);
                    }
                }
                _ => {}
            }
        }
        let due = births.node.deadline();
        tokio::select! {
            ready = timeout_at(deadline, link.ready()) => if ready.is_err() { break },
            () = sleep_until(due.unwrap_or(deadline)), if due.is_some() => {}
        }
        for message in link.take(MESSAGES_MAX)? {
            if let Some(topic) = Topic::parse(&message.topic) {
                let now = Instant::now();
                asked.extend(births.node.take(
                    topic.kind,
                    topic.device,
                    &message.payload,
                    message.arrived,
                    now,
                ));
            }
        }
        asked.extend(births.node.tick(Instant::now()));
        if births.node.is_online() {
            deadline = last.min(Instant::now() + PAUSE);
        }
    }
    if births.node.is_online() {
        return Ok(births);
    }
    let cause = format!(
        "the edge node is not there: it did not answer a request for a rebirth within {} ms",
        settings.timing.birth.as_millis()
    );
    Err(LinkError::new(ErrorKind::Timeout, cause))
}

/// What a level of the tree shows, in the order of its keys, a page at a time.
fn arrange(place: &Place, births: &Births) -> BrowsePage {
    let mut items: BTreeMap<String, BrowseItem> = BTreeMap::new();
    if place.device.is_none() && place.folder.is_empty() {
        for device in births.node.devices() {
            let at = Place { device: Some(device.to_string()), ..Place::default() }.text();
            let name = device.to_string();
            items.insert(
                format!("0{device}"),
                BrowseItem { at, name, expandable: true, ..BrowseItem::default() },
            );
        }
    }
    let scope: Option<Arc<str>> = place.device.as_deref().map(Arc::from);
    for (name, metric) in births.node.metrics(place.device.as_deref()) {
        let Some(rest) = name.strip_prefix(&place.folder) else { continue };
        let (level, deeper) =
            rest.split_once('/').map_or((rest, false), |(level, _)| (level, true));
        let item = items.entry(format!("1{level}")).or_insert_with(|| {
            let folder = format!("{}{level}/", place.folder);
            let at = Place { device: place.device.clone(), folder, after: None }.text();
            BrowseItem { at, name: level.to_owned(), ..BrowseItem::default() }
        });
        if deeper {
            item.expandable = true;
        } else {
            let value = births.values.get(&(scope.clone(), Arc::clone(name)));
            describe(item, place, name, metric, value);
        }
    }
    let after = place.after.as_deref();
    let mut rest =
        items.into_iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
    let shown: Vec<_> = rest.by_ref().take(ITEMS_MAX).collect();
    let next = rest.next().and_then(|_| {
        let after = shown.last().map(|(key, _)| key.clone());
        Some(Place { after: Some(after?), ..place.clone() }.text())
    });
    BrowsePage { items: shown.into_iter().map(|(_, item)| item).collect(), next }
}

fn describe(
    item: &mut BrowseItem,
    place: &Place,
    name: &str,
    metric: &Metric,
    value: Option<&Value>,
) {
    item.address = Some(json!({"device": place.device, "metric": name}));
    item.data_type = Some(metric.data_type.data_type());
    item.unit = metric.unit.clone();
    item.writable = if metric.is_part || metric.read_only { Some(false) } else { None };
    item.value = value.cloned();
    let described = metric.description.as_deref().unwrap_or_default();
    let separator = if described.is_empty() { "" } else { "; " };
    item.description = format!("{described}{separator}{:?}", metric.data_type);
}
