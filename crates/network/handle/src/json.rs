//! Values in JSON, as `/api/handles` of the reference server has them.

mod site;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

pub use site::{Attribute, Interface, Key, Server, Site};

use crate::wire::{Element as _, List};
use crate::{AdminPermissions, Error, Jwk, Permissions, Ttl, ValueData};

/// A value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Unique in its handle; 0 if the request does not say.
    #[serde(default)]
    pub index: i32,
    /// Type.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Data; a text by itself is read too.
    #[serde(deserialize_with = "data")]
    pub data: Data,
    /// Four digits: administrators read and write, all read and write. Left out if they are
    /// [`Permissions::USUAL`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// How long it may be cached; a day if it is not said.
    #[serde(default)]
    pub ttl: TimeToLive,
    /// When it was changed, in UTC (`2024-01-02T03:04:05Z`); left out if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Values that go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
}

/// A time to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TimeToLive {
    /// Seconds.
    Seconds(i32),
    /// Until a time, in UTC.
    Until(String),
}

impl Default for TimeToLive {
    fn default() -> Self {
        Self::Seconds(86_400)
    }
}

/// A value of another handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The handle.
    pub handle: String,
    /// The index; 0 stands for all.
    #[serde(default)]
    pub index: i32,
}

/// HS_ADMIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// Who.
    pub handle: String,
    /// Which of the handle's keys.
    #[serde(default)]
    pub index: i32,
    /// Twelve digits, [`AdminPermissions::LIST_HANDLES`] first.
    pub permissions: String,
    /// The obsolete form, with two zeros more.
    #[serde(rename = "legacyByteLength", default, skip_serializing_if = "std::ops::Not::not")]
    pub legacy_byte_length: bool,
}

/// Data of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", content = "value", rename_all = "lowercase")]
pub enum Data {
    /// Text.
    String(String),
    /// Bytes that are no text.
    Base64(String),
    /// The same in hexadecimal digits, in requests.
    Hex(String),
    /// HS_ADMIN.
    Admin(Admin),
    /// HS_VLIST.
    Vlist(Vec<Reference>),
    /// HS_SITE and its kin.
    Site(Site),
    /// HS_PUBKEY.
    Key(Jwk),
}

fn data<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Formatted(Data),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => Data::String(text),
        Either::Formatted(data) => data,
    })
}

/// The answer to a request, as far as it is about one handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`crate::ResponseCode`] as a number.
    #[serde(rename = "responseCode")]
    pub response_code: u32,
    /// Words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The handle as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

impl Value {
    /// The JSON form of a value. Data that is not as its type says is given as text or Base64; a
    /// type that is not UTF-8 with marks for what cannot be read.
    #[must_use]
    pub fn of(value: &crate::Value<'_>) -> Self {
        Self {
            index: value.index,
            kind: text(value.kind),
            data: Data::of(value),
            permissions: (value.permissions != Permissions::USUAL)
                .then(|| value.permissions.to_string()),
            ttl: match value.ttl {
                Ttl::Absolute(second) => TimeToLive::Until(time(second)),
                Ttl::Relative(seconds) | Ttl::Other(_, seconds) => TimeToLive::Seconds(seconds),
            },
            timestamp: (value.timestamp != 0).then(|| time(value.timestamp)),
            references: value.references.iter().map(|each| Reference::of(&each)).collect(),
        }
    }

    /// Appends the value in its wire form; its timestamp is 0 if none is said.
    ///
    /// # Errors
    /// [`Error::Json`] if a part of it means nothing.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut data = Vec::new();
        self.data.encode(&mut data)?;
        let permissions = match self.permissions.as_deref() {
            None => Permissions::USUAL,
            Some(digits) => Permissions(bits(digits, 4)? as u8),
        };
        let ttl = match &self.ttl {
            TimeToLive::Seconds(seconds) => Ttl::Relative(*seconds),
            TimeToLive::Until(until) => Ttl::Absolute(second(until)?),
        };
        let timestamp = self.timestamp.as_deref().map_or(Ok(0), second)?;
        let references: Vec<_> = self.references.iter().map(Reference::borrowed).collect();
        let mut buffer = Vec::new();
        let value = crate::Value {
            index: self.index,
            timestamp,
            ttl,
            permissions,
            kind: self.kind.as_bytes(),
            data: &data,
            references: List::build(&references, &mut buffer),
        };
        value.write(out);
        Ok(())
    }
}

impl Reference {
    fn of(reference: &crate::Reference<'_>) -> Self {
        Self { handle: text(reference.handle), index: reference.index }
    }

    fn borrowed(&self) -> crate::Reference<'_> {
        crate::Reference::new(self.handle.as_bytes(), self.index)
    }
}

impl Data {
    fn of(value: &crate::Value<'_>) -> Self {
        let formatted = match ValueData::of(value) {
            Ok(ValueData::Admin(admin)) => Admin::of(&admin, value.data).map(Self::Admin),
            Ok(ValueData::ValueList(list)) => {
                Some(Self::Vlist(list.iter().map(|each| Reference::of(&each)).collect()))
            }
            Ok(ValueData::Site(site)) => Site::of(&site).map(Self::Site),
            Ok(ValueData::PublicKey(key)) => Jwk::of(&key).map(Self::Key),
            _ => None,
        };
        formatted.unwrap_or_else(|| match std::str::from_utf8(value.data) {
            Ok(text) => Self::String(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(value.data)),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::String(text) => out.extend_from_slice(text.as_bytes()),
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text);
                out.extend(bytes.map_err(|_| Error::Json { why: "data is not Base64" })?);
            }
            Self::Hex(digits) => unhex(digits, out)?,
            Self::Admin(admin) => admin.encode(out)?,
            Self::Vlist(list) => {
                let list: Vec<_> = list.iter().map(Reference::borrowed).collect();
                List::build(&list, &mut Vec::new()).write(out);
            }
            Self::Site(site) => site.encode(out)?,
            Self::Key(key) => key.encode(out)?,
        }
        Ok(())
    }
}

impl Admin {
    fn of(admin: &crate::Admin<'_>, data: &[u8]) -> Option<Self> {
        let usual = 2 + 4 + admin.user.handle.len() + 4;
        Some(Self {
            handle: std::str::from_utf8(admin.user.handle).ok()?.to_owned(),
            index: admin.user.index,
            permissions: format!("{:012b}", admin.permissions.0),
            legacy_byte_length: data.len() == usual + 2,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let permissions = AdminPermissions(bits(&self.permissions, 16)?);
        let user = crate::Reference::new(self.handle.as_bytes(), self.index);
        crate::Admin { permissions, user }.encode(out);
        if self.legacy_byte_length {
            out.extend_from_slice(&[0; 2]);
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn time(second: i32) -> String {
    jiff::Timestamp::from_second(second.into()).map(|time| time.to_string()).unwrap_or_default()
}

fn second(time: &str) -> Result<i32, Error> {
    let time: Result<jiff::Timestamp, _> = time.parse();
    time.ok()
        .and_then(|time| i32::try_from(time.as_second()).ok())
        .ok_or(Error::Json { why: "a time is not of the form 2024-01-02T03:04:05Z" })
}

fn bits(digits: &str, most: usize) -> Result<u16, Error> {
    let binary = digits.bytes().all(|digit| matches!(digit, b'0' | b'1'));
    if !binary || digits.len() > most {
        return Err(Error::Json { why: "permissions are not binary digits" });
    }
    u16::from_str_radix(digits, 2).map_err(|_| Error::Json { why: "permissions are empty" })
}

fn unhex(digits: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let wrong = Error::Json { why: "data is not in hexadecimal digits" };
    let digit = |byte: &u8| (*byte as char).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    for pair in pairs {
        let [high, low] = pair else { return Err(wrong) };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(wrong) };
        out.push((high << 4 | low) as u8);
    }
    Ok(())
}
