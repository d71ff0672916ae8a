//! Observations as values. Conditions and data sets are told by their changes, so what they are is
//! kept and folded.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json};
use weir_connect::Fault;
use weir_model::{ARRAY_LENGTH_MAX, DataType, Quality, Value};

use crate::Part;
use crate::devices::{Category, DataItem, Representation};
use crate::streams::{Cells, ENTRIES_MAX, Observation};

/// Most states of one condition that are active together; further ones replace none and are left out.
const ACTIVE_MAX: usize = 256;

/// Longest text of a value that is shown to people in an error.
const SHOWN_CHARS_MAX: usize = 40;

/// What a data item of a point is right now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fold {
    /// Each observation is all there is to know.
    Plain {
        is_array: bool,
    },
    Condition(BTreeMap<String, Active>),
    Set(BTreeMap<String, Json>),
}

/// An active warning or fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Active {
    level: Level,
    code: String,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Normal,
    Warning,
    Fault,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Warning => "WARNING",
            Self::Fault => "FAULT",
        }
    }
}

impl Fold {
    pub(crate) fn new(item: &DataItem) -> Self {
        match (item.category, item.representation) {
            (Category::Condition, _) => Self::Condition(BTreeMap::new()),
            (_, Representation::DataSet) => Self::Set(BTreeMap::new()),
            _ => Self::Plain { is_array: item.is_array() },
        }
    }

    /// Forgets what is known, before an answer that tells all.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Plain { .. } => {}
            Self::Condition(active) => active.clear(),
            Self::Set(entries) => entries.clear(),
        }
    }

    /// Whether it needs to know what was before.
    pub(crate) fn is_cumulative(&self) -> bool {
        !matches!(self, Self::Plain { .. })
    }

    /// Takes an observation; the value that it makes of the data item.
    pub(crate) fn take(
        &mut self,
        observation: &Observation,
        data_type: DataType,
        part: Part,
    ) -> Result<Value, Fault> {
        let is_unavailable = match self {
            Self::Condition(_) => observation.element == "Unavailable",
            _ => observation.text == "UNAVAILABLE",
        };
        if is_unavailable {
            self.clear();
            return Err(Fault {
                quality: Quality::NO_COMMUNICATION,
                cause: "UNAVAILABLE: the agent has no data of it; look at the machine's adapter"
                    .into(),
            });
        }
        match self {
            Self::Plain { is_array } => plain(&observation.text, data_type, *is_array),
            Self::Condition(active) => {
                condition(active, observation);
                state(active, data_type, part)
            }
            Self::Set(entries) => {
                set(entries, observation);
                let object: Map<_, _> =
                    entries.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                text(&Json::Object(object).to_string())
            }
        }
    }
}

fn condition(active: &mut BTreeMap<String, Active>, observation: &Observation) {
    let level = match observation.element.as_str() {
        "Fault" => Level::Fault,
        "Warning" => Level::Warning,
        // Normal with a code ends that one; without one, all.
        _ if observation.condition.is_empty() => return active.clear(),
        _ => {
            active.remove(&observation.condition);
            return;
        }
    };
    if active.len() < ACTIVE_MAX || active.contains_key(&observation.condition) {
        let code = observation.native_code.clone();
        let message = observation.text.clone();
        active.insert(observation.condition.clone(), Active { level, code, message });
    }
}

fn state(
    active: &BTreeMap<String, Active>,
    data_type: DataType,
    part: Part,
) -> Result<Value, Fault> {
    let mut worst_first: Vec<&Active> = active.values().collect();
    worst_first.sort_by_key(|state| std::cmp::Reverse(state.level));
    let worst = worst_first.first();
    let level = worst.map_or(Level::Normal, |state| state.level);
    Ok(match data_type {
        DataType::Text => match part {
            Part::State => return text(level.as_str()),
            Part::Code => return text(worst.map_or("", |state| &state.code)),
            Part::Message => return text(worst.map_or("", |state| &state.message)),
            Part::All if worst_first.is_empty() => return text(level.as_str()),
            Part::All => {
                let told: Vec<_> = worst_first.into_iter().map(Active::told).collect();
                return text(&told.join("; "));
            }
        },
        DataType::Bool => Value::Bool(level != Level::Normal),
        DataType::Enumeration => Value::Enumeration(level as i64),
        DataType::U64 => Value::U64(level as u64),
        DataType::F64 => Value::F64(f64::from(level as u8)),
        DataType::I64 => Value::I64(level as i64),
        _ => return Err(misfit("a condition", data_type)),
    })
}

impl Active {
    fn told(&self) -> String {
        let mut told = self.level.as_str().to_owned();
        if !self.code.is_empty() {
            told.push(' ');
            told.push_str(&self.code);
        }
        if !self.message.is_empty() {
            told.push_str(": ");
            told.push_str(&self.message);
        }
        told
    }
}

fn set(entries: &mut BTreeMap<String, Json>, observation: &Observation) {
    if observation.is_reset {
        entries.clear();
    }
    for (key, cells) in &observation.entries {
        match cells {
            None => {
                entries.remove(key);
            }
            Some(cells) if entries.len() < ENTRIES_MAX || entries.contains_key(key) => {
                let value = match cells {
                    Cells::Text(text) => scalar(text),
                    Cells::Row(row) => {
                        Json::Object(row.iter().map(|(k, v)| (k.clone(), scalar(v))).collect())
                    }
                };
                entries.insert(key.clone(), value);
            }
            Some(_) => {}
        }
    }
}

/// A number where it is written as JSON writes numbers, else a text.
fn scalar(text: &str) -> Json {
    let number: Option<Number> = serde_json::from_str(text).ok();
    number.map_or_else(|| text.into(), Json::Number)
}

fn text(text: &str) -> Result<Value, Fault> {
    Value::text(text)
        .map_err(|error| Fault { quality: Quality::OUT_OF_RANGE, cause: error.to_string() })
}

fn plain(words: &str, data_type: DataType, is_array: bool) -> Result<Value, Fault> {
    match data_type {
        DataType::Text => text(words),
        DataType::Array => array(words),
        _ if is_array => Err(misfit("a row of numbers", data_type)),
        DataType::Bool => truth(words).map(Value::Bool).ok_or_else(|| unread(words, data_type)),
        // Samples are floats (part 2, clause 7.2.2.1); what looks whole in a counter stays whole.
        DataType::F64 => number(words).map(Value::F64).ok_or_else(|| unread(words, data_type)),
        _ => whole(words)
            .or_else(|| number(words).map(Value::F64))
            .ok_or_else(|| unread(words, data_type)),
    }
}

fn array(words: &str) -> Result<Value, Fault> {
    let numbers: Option<Vec<Value>> = words
        .split_ascii_whitespace()
        .take(ARRAY_LENGTH_MAX + 1)
        .map(|word| number(word).map(Value::F64))
        .collect();
    let numbers = numbers.ok_or_else(|| unread(words, DataType::Array))?;
    Value::array(numbers)
        .map_err(|error| Fault { quality: Quality::OUT_OF_RANGE, cause: error.to_string() })
}

fn number(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

fn whole(word: &str) -> Option<Value> {
    word.parse().map(Value::I64).or_else(|_| word.parse().map(Value::U64)).ok()
}

/// What the standard's vocabularies say of things that are or are not so.
fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_uppercase().as_str() {
        "TRUE" | "1" | "ON" | "YES" | "ACTIVE" | "AVAILABLE" | "ARMED" | "CLOSED" | "LATCHED" => {
            Some(true)
        }
        "FALSE" | "0" | "OFF" | "NO" | "INACTIVE" | "TRIGGERED" | "OPEN" | "UNLATCHED" => {
            Some(false)
        }
        _ => None,
    }
}

fn unread(words: &str, data_type: DataType) -> Fault {
    let shown: String = words.chars().take(SHOWN_CHARS_MAX).collect();
    let cause = format!(
        "the agent says \"{shown}\", which is not of type {data_type}; make the tag a text"
    );
    Fault { quality: Quality::CONFIGURATION_ERROR, cause }
}

fn misfit(what: &str, data_type: DataType) -> Fault {
    let fitting = if what.starts_with("a row") {
        "an array or a text"
    } else {
        "a text, number or truth value"
    };
    let cause =
        format!("the data item is {what} and the tag of type {data_type}; make the tag {fitting}");
    Fault { quality: Quality::CONFIGURATION_ERROR, cause }
}

#[cfg(test)]
mod tests;
