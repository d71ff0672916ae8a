//! Records: what an identifier resolves to, in the manner of RFC 3651, section 3.

use serde::{Deserialize, Serialize};
use weir_model::{Identifier, TenantId};
use weir_store::{Collection, History};

/// How long another node may keep an answer, in seconds: a day, as the Handle System's default.
pub const TTL_SECONDS: u32 = 86_400;

/// What kind of thing an identifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// An organisation.
    Organisation,
    /// An asset.
    Asset,
    /// A device.
    Device,
    /// A tag.
    Tag,
    /// A person or a program.
    User,
}

impl Kind {
    /// The kind's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Asset => "asset",
            Self::Device => "device",
            Self::Tag => "tag",
            Self::User => "user",
        }
    }
}

/// Who may read a value of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBy {
    /// Everyone, once the record itself is published.
    Public,
    /// Those who may read identifiers in the owner's tenant.
    Private,
}

/// One value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number within the record, from 1.
    pub index: u32,
    /// What it is: `KIND`, `NAME`, `URL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its data.
    pub data: String,
    /// How long it may be kept, in seconds.
    pub ttl: u32,
    /// Who may read it.
    pub read: ReadBy,
}

/// What an identifier resolves to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The identifier.
    pub id: Identifier,
    /// What it names.
    pub kind: Kind,
    /// Whose it is.
    pub tenant: TenantId,
    /// The thing's name.
    pub name: String,
    /// The values.
    pub values: Vec<Entry>,
    /// Whether the thing is gone. The record stays, so that the identifier is never given to
    /// something of another kind and its history can be read.
    #[serde(default)]
    pub withdrawn: bool,
}

impl Record {
    /// The record of a thing that was just named.
    pub fn new(id: Identifier, kind: Kind, tenant: TenantId, name: &str) -> Self {
        let entry = |index, kind: &str, data: &str, read| Entry {
            index,
            kind: kind.to_owned(),
            data: data.to_owned(),
            ttl: TTL_SECONDS,
            read,
        };
        let values = vec![
            entry(1, "KIND", kind.as_str(), ReadBy::Public),
            entry(2, Self::NAME, name, ReadBy::Private),
        ];
        Self { id, kind, tenant, name: name.to_owned(), values, withdrawn: false }
    }

    const NAME: &'static str = "NAME";

    pub(crate) fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        for entry in self.values.iter_mut().filter(|entry| entry.kind == Self::NAME) {
            name.clone_into(&mut entry.data);
        }
    }
}

/// Records by folded identifier.
pub struct Identifiers;

impl Collection for Identifiers {
    const NAME: &'static str = "identifiers";
    type Record = Record;
    const HISTORY: History = History::All;
}
