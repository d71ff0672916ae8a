//! What an agent offers: its devices, and below them components and data items.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use weir_connect::{BrowseItem, BrowsePage, Discovered, DriverError, ErrorKind};
use weir_model::{DataType, Value};

use crate::Part;
use crate::agent::Agent;
use crate::devices::{Category, DataItem, Model, Node, Representation};
use crate::streams::Observation;
use crate::units::ucum;
use crate::value::Fold;

/// Things of one page.
const PAGE: usize = 500;

/// Most devices that are found.
const DEVICES_MAX: usize = 1000;

/// Between a component's id and how many things to skip; no XML id has it.
const SKIP: char = '@';

/// Events whose results are numbers, though they have no unit (part 2, clause 7.3).
const COUNTS: &[&str] = &[
    "PART_COUNT",
    "LINE",
    "LINE_NUMBER",
    "BLOCK_COUNT",
    "TOOL_NUMBER",
    "TOOL_GROUP",
    "TOOL_OFFSET",
    "HARDNESS",
    "LOAD_COUNT",
    "UNLOAD_COUNT",
    "TRANSFER_COUNT",
    "ACTIVATION_COUNT",
    "DEACTIVATION_COUNT",
    "CYCLE_COUNT",
];

pub(crate) async fn discover(
    mut agent: Agent,
    settings: &Json,
) -> Result<Vec<Discovered>, DriverError> {
    let model = probe(&mut agent).await?;
    let mut items: HashMap<usize, usize> = HashMap::new();
    for item in &model.items {
        let node = model.nodes.get(item.node).map_or(item.node, |node| node.device);
        *items.entry(node).or_default() += 1;
    }
    let found = |(at, device): (usize, &Node)| {
        let mut settings = settings.clone();
        settings["device"] = device.name.clone().into();
        let mut detail = vec![format!("MTConnect {}", model.version)];
        let texts = [&device.uuid, &device.description];
        detail.extend(texts.into_iter().filter(|text| !text.is_empty()).cloned());
        detail.push(format!("{} data items", items.get(&at).copied().unwrap_or(0)));
        Discovered {
            name: device.name.clone(),
            detail: detail.join(", "),
            settings,
            certificate: None,
        }
    };
    Ok(model.devices().take(DEVICES_MAX).map(found).collect())
}

pub(crate) async fn browse(mut agent: Agent, at: Option<&str>) -> Result<BrowsePage, DriverError> {
    let model = probe(&mut agent).await?;
    let (place, skip) = match at.map(|at| at.rsplit_once(SKIP).unwrap_or((at, "0"))) {
        None => (None, 0),
        Some((place, skip)) => (Some(place), skip.parse().unwrap_or(0)),
    };
    let parent = match place {
        None | Some("") => None,
        Some(id) => match model.nodes.iter().position(|node| node.id == id) {
            Some(parent) => Some(parent),
            None => {
                let cause = format!("the agent has no component \"{id}\"; browse from the top");
                let place = agent.settings.endpoint();
                return Err(DriverError::new(ErrorKind::Misconfigured, "mtconnect", place, cause));
            }
        },
    };
    let nodes = model.nodes.iter().filter(|node| node.parent == parent);
    let items: Vec<&DataItem> =
        model.items.iter().filter(|item| Some(item.node) == parent).collect();
    let values =
        if items.is_empty() { HashMap::new() } else { present(&mut agent, &items).await? };
    let with_device = agent.settings.device.is_none() && model.devices().count() > 1;
    let mut all = nodes
        .map(|node| folder(&model, node))
        .chain(items.into_iter().map(|item| value(&model, item, with_device, &values)))
        .skip(skip);
    let page: Vec<_> = all.by_ref().take(PAGE).collect();
    let next = all.next().map(|_| format!("{}{SKIP}{}", place.unwrap_or(""), skip + PAGE));
    Ok(BrowsePage { items: page, next })
}

async fn probe(agent: &mut Agent) -> Result<Model, DriverError> {
    let answer = agent.probe().await;
    answer.map_err(|failure| failure.error("mtconnect", agent.place("probe")))
}

fn folder(model: &Model, node: &Node) -> BrowseItem {
    let has_items = model
        .items
        .iter()
        .any(|item| model.nodes.get(item.node).is_some_and(|found| std::ptr::eq(found, node)));
    let has_nodes = model.nodes.iter().any(|child| {
        child.parent.and_then(|p| model.nodes.get(p)).is_some_and(|found| std::ptr::eq(found, node))
    });
    let name = if node.name == node.kind {
        node.name.clone()
    } else {
        format!("{} {}", node.kind, node.name)
    };
    BrowseItem {
        at: node.id.clone(),
        name,
        description: node.description.clone(),
        expandable: has_items || has_nodes,
        ..BrowseItem::default()
    }
}

/// What a data item's values are.
pub(crate) fn data_type(item: &DataItem) -> DataType {
    match (item.category, item.representation) {
        (Category::Condition, _) | (_, Representation::DataSet) => DataType::Text,
        _ if item.is_array() => DataType::Array,
        (Category::Sample, _) => DataType::F64,
        (Category::Event, _) if !item.units.is_empty() => DataType::F64,
        (Category::Event, _) if COUNTS.contains(&item.kind.as_str()) => DataType::I64,
        (Category::Event, _) => DataType::Text,
    }
}

fn value(
    model: &Model,
    item: &DataItem,
    with_device: bool,
    values: &HashMap<String, Value>,
) -> BrowseItem {
    let mut address = json!({"data_item": item.id});
    if let Some(device) = model.device_of(item).filter(|_| with_device) {
        address["device"] = device.name.clone().into();
    }
    let unit =
        ucum(&item.units).or_else(|| Some(item.units.clone()).filter(|unit| !unit.is_empty()));
    BrowseItem {
        at: item.id.clone(),
        name: item.title(),
        description: item.about(),
        address: Some(address),
        data_type: Some(data_type(item)),
        unit,
        writable: Some(false),
        value: values.get(&item.id).cloned(),
        ..BrowseItem::default()
    }
}

/// What the data items are now; those that are not available are left out.
async fn present(
    agent: &mut Agent,
    items: &[&DataItem],
) -> Result<HashMap<String, Value>, DriverError> {
    let answer = agent.current(None, None).await;
    let (_, mut found) = match answer {
        Ok(answer) => answer,
        // What is offered is worth showing without its values.
        Err(failure) if failure.is_refusal() => return Ok(HashMap::new()),
        Err(failure) => return Err(failure.error("mtconnect", agent.place("current"))),
    };
    found.sort_by_key(|observation: &Observation| observation.sequence);
    let mut folds: HashMap<&str, (Fold, DataType)> =
        items.iter().map(|item| (item.id.as_str(), (Fold::new(item), data_type(item)))).collect();
    let mut values = HashMap::new();
    for observation in &found {
        let Some((fold, data_type)) = folds.get_mut(observation.item.as_str()) else { continue };
        match fold.take(observation, *data_type, Part::All) {
            Ok(value) => values.insert(observation.item.clone(), value),
            Err(_) => values.remove(&observation.item),
        };
    }
    Ok(values)
}
