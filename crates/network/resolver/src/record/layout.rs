//! How a record is stored: its values are in the form in which the protocol sends them, so that an
//! answer is a copy.
//!
//! | bytes | content |
//! |-------|---------|
//! | 1     | layout, always 1 (the first records were JSON, which begins with `{`) |
//! | 1     | flags: 1 withdrawn, 2 published |
//! | 1     | kind, its place in `Kind::ALL` |
//! | 2 + n | the identifier in the case it was given in |
//! | 2 + n | the name |
//! | rest  | the number of values (4), and the values |
//!
//! Numbers are big-endian, as in the protocol.

use weir_handle::{List, Reader, Value};
use weir_model::Identifier;
use weir_store::BoxError;

use super::{Kind, Record, Values};

const LAYOUT: u8 = 1;
const WITHDRAWN: u8 = 1;
const PUBLISHED: u8 = 2;

/// A record where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) values: List<'a, Value<'a>>,
    pub(crate) published: bool,
    pub(crate) withdrawn: bool,
}

impl<'a> Stored<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let Record { id, kind, name, values, published, withdrawn } = record;
        let (published, withdrawn) = (*published, *withdrawn);
        Self { id: id.as_str(), kind: *kind, name, values: values.list(), published, withdrawn }
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, BoxError> {
        let mut reader = Reader::new(bytes);
        if reader.u8("a layout")? != LAYOUT {
            return Err("an unknown layout of a record".into());
        }
        let flags = reader.u8("flags")?;
        let kind = usize::from(reader.u8("a kind")?);
        let kind = *Kind::ALL.get(kind).ok_or("an unknown kind of thing")?;
        let mut text = |field| -> Result<&'a str, BoxError> {
            let length = usize::from(reader.u16(field)?);
            Ok(std::str::from_utf8(reader.take(length, field)?)?)
        };
        let (id, name) = (text("an identifier")?, text("a name")?);
        let values = reader.list()?;
        let (published, withdrawn) = (flags & PUBLISHED != 0, flags & WITHDRAWN != 0);
        Ok(Self { id, kind, name, values, published, withdrawn })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let Self { id, kind, name, values, published, withdrawn } = self;
        let mut out = Vec::with_capacity(11 + id.len() + name.len() + values.wire().len());
        let kind = Kind::ALL.iter().position(|known| known == kind).unwrap_or_default();
        let flags = if *withdrawn { WITHDRAWN } else { 0 } | if *published { PUBLISHED } else { 0 };
        out.extend_from_slice(&[LAYOUT, flags, kind as u8]);
        // A name that is longer than its length could say is cut at a character.
        let name = &name[..name.floor_char_boundary(usize::from(u16::MAX))];
        for text in [id, name] {
            out.extend_from_slice(&(text.len() as u16).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        values.write(&mut out);
        out
    }

    pub(crate) fn record(&self) -> Result<Record, BoxError> {
        Ok(Record {
            id: Identifier::parse(self.id)?,
            kind: self.kind,
            name: self.name.to_owned(),
            values: Values::of_list(&self.values),
            published: self.published,
            withdrawn: self.withdrawn,
        })
    }
}
