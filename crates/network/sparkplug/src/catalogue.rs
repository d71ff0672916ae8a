//! What a birth says that there is: metrics by name and alias.

use std::collections::HashMap;
use std::sync::Arc;

use crate::proto::{self, MetricValue, PropertyKind, PropertySet};
use crate::value::Type;

/// Metrics of an edge node or of a device.
pub(crate) const METRICS_MAX: usize = 50_000;

/// Longest name of a metric.
const NAME_BYTES_MAX: usize = 4096;

/// Levels of structures in structures.
pub(crate) const DEPTH_MAX: usize = 8;

/// Longest unit and description that are kept.
const WORDS_BYTES_MAX: usize = 1024;

/// Names of the property that tells the unit.
const UNIT_KEYS: [&str; 4] = ["engUnit", "engUnits", "EngUnit", "Engineering Units"];

/// What a birth says of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The type of its values.
    pub data_type: Type,
    /// The number that stands for its name in data and commands.
    pub alias: Option<u64>,
    /// The unit in the edge node's own words.
    pub unit: Option<String>,
    /// What the edge node says of it.
    pub description: Option<String>,
    /// Whether the edge node says that it cannot be written.
    pub read_only: bool,
    /// Whether it is a member of a structure or a column of a table, which cannot be written alone.
    pub is_part: bool,
}

/// The metrics of an edge node or of a device.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    metrics: HashMap<Arc<str>, Metric>,
    aliases: HashMap<u64, Arc<str>>,
}

impl Catalogue {
    /// Reads the metrics of a birth. What is beyond the bounds, or has no name or no type, is left out.
    pub(crate) fn of_birth(metrics: &[proto::Metric]) -> Self {
        let mut catalogue = Self::default();
        for metric in metrics {
            catalogue.add("", metric, 0);
        }
        catalogue
    }

    fn add(&mut self, above: &str, metric: &proto::Metric, depth: usize) {
        let Some(name) = metric.name.as_deref().filter(|name| !name.is_empty()) else { return };
        let name = if depth == 0 { name.to_owned() } else { format!("{above}/{name}") };
        if name.len() > NAME_BYTES_MAX || self.metrics.len() >= METRICS_MAX || depth > DEPTH_MAX {
            return;
        }
        let Some(data_type) = metric.datatype.and_then(Type::from_code) else { return };
        match &metric.value {
            Some(MetricValue::Template(template)) if template.is_definition != Some(true) => {
                for member in &template.metrics {
                    self.add(&name, member, depth + 1);
                }
            }
            Some(MetricValue::DataSet(table)) => {
                for column in &table.columns {
                    let column = format!("{name}/{column}");
                    self.insert(column, known(metric, Type::DataSet, true));
                }
            }
            _ => {}
        }
        let name: Arc<str> = name.into();
        if let Some(alias) = metric.alias.filter(|_| depth == 0) {
            self.aliases.insert(alias, Arc::clone(&name));
        }
        self.metrics.insert(name, known(metric, data_type, depth > 0));
    }

    fn insert(&mut self, name: String, metric: Metric) {
        if name.len() <= NAME_BYTES_MAX && self.metrics.len() < METRICS_MAX {
            self.metrics.insert(name.into(), metric);
        }
    }

    /// A metric by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&Metric> {
        self.metrics.get(name)
    }

    /// The name and type of a metric of a data message, which says either name or alias.
    pub(crate) fn resolve(&self, metric: &proto::Metric) -> Option<(Arc<str>, Type)> {
        let name = match metric.name.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => self.metrics.get_key_value(name)?.0,
            None => self.aliases.get(&metric.alias?)?,
        };
        let known = self.metrics.get(name)?;
        Some((Arc::clone(name), known.data_type))
    }

    /// All metrics, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Metric)> {
        self.metrics.iter()
    }
}

fn known(metric: &proto::Metric, data_type: Type, is_part: bool) -> Metric {
    let short = |text: &str| (text.len() <= WORDS_BYTES_MAX).then(|| text.to_owned());
    let properties = metric.properties.as_ref();
    let text = |names: &[&str]| match properties.and_then(|p| property(p, names)) {
        Some(PropertyKind::String(text)) => short(text),
        _ => None,
    };
    let described = metric.metadata.as_ref().and_then(|m| m.description.as_deref()).and_then(short);
    let read_only = match properties.and_then(|p| property(p, &["readOnly", "ReadOnly"])) {
        Some(PropertyKind::Boolean(truth)) => *truth,
        _ => false,
    };
    Metric {
        data_type,
        alias: metric.alias.filter(|_| !is_part),
        unit: text(&UNIT_KEYS),
        description: described.or_else(|| text(&["documentation", "Documentation", "description"])),
        read_only,
        is_part,
    }
}

/// A property by the first of its names that is there.
pub(crate) fn property<'a>(set: &'a PropertySet, names: &[&str]) -> Option<&'a PropertyKind> {
    let mut pairs = set.keys.iter().zip(&set.values);
    let (_, value) = pairs.find(|(key, _)| names.contains(&key.as_str()))?;
    value.value.as_ref().filter(|_| value.is_null != Some(true))
}

/// What the property `Quality` says, where it is there.
pub(crate) fn quality_code(metric: &proto::Metric) -> Option<u64> {
    match property(metric.properties.as_ref()?, &["Quality", "quality"])? {
        PropertyKind::Int(code) => Some((*code).into()),
        PropertyKind::Long(code) => Some(*code),
        _ => None,
    }
}
