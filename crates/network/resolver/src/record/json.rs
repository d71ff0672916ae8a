//! The JSON view of a record: for exports, for the API, and for the first records that were stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weir_handle::{List, Permissions, Reference, Ttl, Value};
use weir_model::Identifier;
use weir_store::BoxError;

use super::{Kind, Owned, Record, Values, ttl};

/// One value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number within the record, from 1.
    pub index: i32,
    /// What it is: `KIND`, `NAME`, `URL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its data.
    pub data: Data,
    /// How long it may be kept: in seconds, or until an instant.
    #[serde(default)]
    pub ttl: Life,
    /// Admin read, admin write, public read, public write: a 1 or a 0 for each.
    #[serde(default = "usual_permissions")]
    pub permissions: String,
    /// When it was last changed, in seconds since 1970.
    #[serde(default)]
    pub timestamp: i32,
    /// Values of other records that go with it, as `index:prefix/suffix`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
}

/// The data of a value: a text, or bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Data {
    /// UTF-8.
    Text(String),
    /// What is no text.
    Bytes {
        /// The bytes.
        base64: String,
    },
}

/// How long a value may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Life {
    /// For so many seconds.
    Seconds(i32),
    /// Until this second since 1970.
    Until {
        /// The second.
        until: i32,
    },
}

impl Default for Life {
    fn default() -> Self {
        Self::Seconds(super::TTL_SECONDS as i32)
    }
}

fn usual_permissions() -> String {
    Permissions::USUAL.to_string()
}

impl Data {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(char::is_control) => Self::Text(text.to_owned()),
            _ => Self::Bytes { base64: BASE64.encode(bytes) },
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, BoxError> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Bytes { base64 } => Ok(BASE64.decode(base64)?),
        }
    }
}

impl Entry {
    /// A value in words.
    pub fn of(value: &Value<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let reference = |r: Reference<'_>| format!("{}:{}", r.index, text(r.handle));
        Self {
            index: value.index,
            kind: text(value.kind),
            data: Data::of(value.data),
            ttl: match value.ttl {
                Ttl::Absolute(until) => Life::Until { until },
                Ttl::Relative(seconds) | Ttl::Other(_, seconds) => Life::Seconds(seconds),
            },
            permissions: value.permissions.to_string(),
            timestamp: value.timestamp,
            references: value.references.iter().map(reference).collect(),
        }
    }

    /// Whether all may read it, once its record is published.
    pub fn is_public(&self) -> bool {
        let bits = u8::from_str_radix(&self.permissions, 2).unwrap_or(0);
        Permissions(bits).has(Permissions::PUBLIC_READ)
    }

    fn owned(&self) -> Result<Owned, BoxError> {
        let data = self.data.bytes()?;
        let references: Vec<_> = self.references.iter().map(|r| Reference::parse(r)).collect();
        let mut buffer = Vec::new();
        let digits = Some(self.permissions.as_str()).filter(|digits| digits.len() == 4);
        let permissions = digits.and_then(|digits| u8::from_str_radix(digits, 2).ok());
        let permissions = permissions.ok_or("permissions are four digits of 0 and 1")?;
        Ok(Owned::of(&Value {
            index: self.index,
            timestamp: self.timestamp,
            ttl: match self.ttl {
                Life::Seconds(seconds) => Ttl::Relative(seconds),
                Life::Until { until } => Ttl::Absolute(until),
            },
            permissions: Permissions(permissions),
            kind: self.kind.as_bytes(),
            data: &data,
            references: List::build(&references, &mut buffer),
        }))
    }
}

impl Values {
    /// The values in words.
    pub fn entries(&self) -> Vec<Entry> {
        self.list().iter().map(|value| Entry::of(&value)).collect()
    }

    /// The values that are told in words.
    ///
    /// # Errors
    /// What is wrong with one of them, in words.
    pub fn of_entries(entries: &[Entry]) -> Result<Self, BoxError> {
        let values = entries.iter().map(Entry::owned).collect::<Result<Vec<_>, _>>()?;
        Ok(values.iter().collect())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct View {
    id: Identifier,
    kind: Kind,
    #[serde(default)]
    name: String,
    values: Vec<Entry>,
    #[serde(default)]
    published: bool,
    #[serde(default)]
    withdrawn: bool,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { id, kind, name, values, published, withdrawn } = self.clone();
        View { id, kind, name, values: values.entries(), published, withdrawn }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let View { id, kind, name, values, published, withdrawn } =
            View::deserialize(deserializer)?;
        let values = Values::of_entries(&values).map_err(serde::de::Error::custom)?;
        Ok(Self { id, kind, name, values, published, withdrawn })
    }
}

/// A record as the first version stored it.
#[derive(Deserialize)]
struct First {
    id: Identifier,
    kind: Kind,
    name: String,
    values: Vec<FirstEntry>,
    #[serde(default)]
    withdrawn: bool,
}

#[derive(Deserialize)]
struct FirstEntry {
    index: i32,
    #[serde(rename = "type")]
    kind: String,
    data: String,
    ttl: u32,
    read: ReadBy,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum ReadBy {
    Public,
    Private,
}

pub(super) fn first(bytes: &[u8]) -> Result<Record, BoxError> {
    let First { id, kind, name, values, withdrawn } = serde_json::from_slice(bytes)?;
    let value = |entry: &FirstEntry| {
        let (kind, data) = (entry.kind.as_bytes(), entry.data.as_bytes());
        let private = Permissions(Permissions::ADMIN_READ.0 | Permissions::ADMIN_WRITE.0);
        let public = entry.read == ReadBy::Public;
        let permissions = if public { Permissions::USUAL } else { private };
        let ttl = ttl(entry.ttl);
        Owned::of(&Value { permissions, ttl, ..Value::new(entry.index, kind, data, 0) })
    };
    let values: Vec<_> = values.iter().map(value).collect();
    let values = values.iter().collect();
    Ok(Record { id, kind, name, values, published: false, withdrawn })
}
