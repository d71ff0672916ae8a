//! The answer to `probe`: devices, their components and data items (MTConnect part 2).

use std::collections::HashMap;

use crate::PointAddress;
use crate::streams::{AgentError, errors};
use crate::xml::{Element, Item, Xml, XmlError};

/// Most devices and components of one agent.
const NODES_MAX: usize = 50_000;

/// Most data items of one agent.
const ITEMS_MAX: usize = 200_000;

/// Longest description that is kept.
const DESCRIPTION_BYTES_MAX: usize = 500;

/// How a data item's observations are shown in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Category {
    #[default]
    Sample,
    Event,
    Condition,
}

/// What one observation of a data item holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Representation {
    #[default]
    Value,
    TimeSeries,
    /// A data set or, of rows with cells, a table.
    DataSet,
}

/// A device or a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// The index of the node above; none for a device.
    pub(crate) parent: Option<usize>,
    /// The index of the device that it belongs to or is.
    pub(crate) device: usize,
    /// The element's name: `Device`, `Linear`, `Controller`.
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) description: String,
}

/// A data item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DataItem {
    /// The index of the node that it is of.
    pub(crate) node: usize,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: Category,
    pub(crate) representation: Representation,
    /// The type, such as `POSITION`.
    pub(crate) kind: String,
    pub(crate) sub_kind: String,
    pub(crate) units: String,
    pub(crate) statistic: String,
}

/// All that an agent tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) version: String,
    pub(crate) instance: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) items: Vec<DataItem>,
    /// Where each data item stands; of several with one id, the first.
    by_id: HashMap<String, usize>,
}

/// What an agent answered to `probe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probed {
    Model(Box<Model>),
    Errors(Vec<AgentError>),
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Probed, XmlError> {
    let mut xml = Xml::new(bytes)?;
    let Item::Open(root) = xml.next()? else { return Err(XmlError::Unfinished) };
    match root.name.as_str() {
        "MTConnectDevices" => model(&mut xml).map(|model| Probed::Model(Box::new(model))),
        "MTConnectError" => errors(&mut xml).map(Probed::Errors),
        other => {
            let other: String = other.chars().take(60).collect();
            Err(XmlError::Content(format!("a document of devices is expected, not {other}")))
        }
    }
}

/// What an open element is to the walk.
enum Open {
    /// `Devices`, `Components`, `DataItems`: a container whose children matter.
    Container,
    Node,
    Description,
    /// Anything else, with everything in it.
    Other,
}

fn model(xml: &mut Xml<'_>) -> Result<Model, XmlError> {
    let mut model = Model::default();
    let mut open: Vec<Open> = Vec::new();
    // The nodes whose elements are open.
    let mut path: Vec<usize> = Vec::new();
    loop {
        match xml.next()? {
            Item::Open(element) => {
                let inside = matches!(open.last(), Some(Open::Other | Open::Description));
                let kind = match element.name.as_str() {
                    _ if inside => Open::Other,
                    "Header" => {
                        model.version = element.owned("version").unwrap_or_default();
                        model.instance = element.number("instanceId").unwrap_or(0);
                        Open::Other
                    }
                    "Devices" | "Components" | "DataItems" => Open::Container,
                    "Description" => Open::Description,
                    "DataItem" => {
                        if let Some(node) = path.last() {
                            model.add_item(&element, *node)?;
                        }
                        Open::Other
                    }
                    // Devices and components are known by where they stand: in a container.
                    _ if matches!(open.last(), Some(Open::Container)) => {
                        path.push(model.add_node(&element, path.last().copied())?);
                        Open::Node
                    }
                    _ => Open::Other,
                };
                open.push(kind);
            }
            Item::Text(text) if matches!(open.last(), Some(Open::Description)) => {
                if let Some(node) = path.last().and_then(|at| model.nodes.get_mut(*at)) {
                    let room = DESCRIPTION_BYTES_MAX.saturating_sub(node.description.len());
                    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    node.description.push_str(&words[..words.floor_char_boundary(room)]);
                }
            }
            Item::Text(_) => {}
            Item::Close => match open.pop() {
                Some(Open::Node) => {
                    path.pop();
                }
                Some(_) => {}
                None => break,
            },
            Item::End => break,
        }
    }
    Ok(model)
}

impl Model {
    fn add_node(&mut self, element: &Element, parent: Option<usize>) -> Result<usize, XmlError> {
        let at = self.nodes.len();
        if at >= NODES_MAX {
            return Err(XmlError::Content(format!("more than {NODES_MAX} components")));
        }
        let id = element.owned("id").unwrap_or_default();
        let device = parent.and_then(|p| self.nodes.get(p)).map_or(at, |node| node.device);
        self.nodes.push(Node {
            parent,
            device,
            kind: element.name.clone(),
            name: element.owned("name").unwrap_or_else(|| id.clone()),
            id,
            uuid: element.owned("uuid").unwrap_or_default(),
            description: String::new(),
        });
        Ok(at)
    }

    fn add_item(&mut self, element: &Element, node: usize) -> Result<(), XmlError> {
        let Some(id) = element.owned("id") else { return Ok(()) };
        if self.items.len() >= ITEMS_MAX {
            return Err(XmlError::Content(format!("more than {ITEMS_MAX} data items")));
        }
        let category = match element.get("category") {
            Some("CONDITION") => Category::Condition,
            Some("EVENT") => Category::Event,
            _ => Category::Sample,
        };
        let representation = match element.get("representation") {
            Some("TIME_SERIES") => Representation::TimeSeries,
            Some("DATA_SET" | "TABLE") => Representation::DataSet,
            _ => Representation::Value,
        };
        let owned = |name: &str| element.owned(name).unwrap_or_default();
        self.by_id.entry(id.clone()).or_insert(self.items.len());
        self.items.push(DataItem {
            node,
            id,
            name: owned("name"),
            category,
            representation,
            kind: owned("type"),
            sub_kind: owned("subType"),
            units: owned("units"),
            statistic: owned("statistic"),
        });
        Ok(())
    }

    /// The devices, in the agent's order.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.parent.is_none())
    }

    /// The device that a data item is of.
    pub(crate) fn device_of(&self, item: &DataItem) -> Option<&Node> {
        self.nodes.get(self.nodes.get(item.node)?.device)
    }

    /// The data item of an address: by its id or, where none has such an id, by its name.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) fn find(&self, address: &PointAddress) -> Result<&DataItem, String> {
        let wanted = &address.data_item;
        let fits = |item: &&DataItem| {
            let Some(name) = &address.device else { return true };
            let device = self.device_of(item);
            device.is_some_and(|d| d.name == *name || d.uuid == *name || d.id == *name)
        };
        if let Some(item) = self.by_id.get(wanted).and_then(|at| self.items.get(*at)).filter(fits) {
            return Ok(item);
        }
        let mut named = self.items.iter().filter(|item| item.name == *wanted).filter(fits);
        match (named.next(), named.next()) {
            (Some(item), None) => Ok(item),
            (None, _) => {
                let place = address.device.as_ref();
                let place = place.map_or(String::new(), |device| format!(" of device {device}"));
                Err(format!(
                    "the agent has no data item \"{wanted}\"{place}; browse it for those it has"
                ))
            }
            (Some(_), Some(_)) => Err(format!(
                "the agent has several data items named \"{wanted}\"; use the id, or name the device"
            )),
        }
    }
}

impl DataItem {
    /// What to show: the name or, where it has none, type and subtype.
    pub(crate) fn title(&self) -> String {
        let kind = [&self.kind, &self.sub_kind, &self.statistic];
        let kind = kind.iter().filter(|k| !k.is_empty()).map(|k| k.as_str()).collect::<Vec<_>>();
        if self.name.is_empty() { kind.join(" ") } else { self.name.clone() }
    }

    /// What it is, in the standard's words.
    pub(crate) fn about(&self) -> String {
        let category = match self.category {
            Category::Sample => "SAMPLE",
            Category::Event => "EVENT",
            Category::Condition => "CONDITION",
        };
        let representation = match self.representation {
            Representation::Value => "",
            Representation::TimeSeries => "TIME_SERIES",
            Representation::DataSet => "DATA_SET",
        };
        let words = [category, &self.kind, &self.sub_kind, &self.statistic, representation];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether an observation is several numbers: a series, or a place in space.
    pub(crate) fn is_array(&self) -> bool {
        self.representation == Representation::TimeSeries || self.units.ends_with("_3D")
    }
}

#[cfg(test)]
mod tests;
