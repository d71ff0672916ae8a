//! Samples as JSON, read as a stream so that no row is held twice.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::assembly::Assembly;
use super::{Envelope, Raw, Row, Time};
use crate::body;
use crate::failure::Failure;

/// Reads a body.
pub(super) fn read(body: &[u8], assembly: &mut Assembly<'_>) -> Result<Envelope, Failure> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let broken = |_| Failure::new(weir_model::ProblemCode::InvalidRequest, "not a batch");
    let head = Document { assembly }.deserialize(&mut json).map_err(broken)?;
    json.end().map_err(broken)?;
    head.envelope()
}

/// Reads a body and says where it is wrong.
pub(super) fn read_with_path(
    body: &[u8],
    assembly: &mut Assembly<'_>,
) -> Result<Envelope, Failure> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    match (Document { assembly }).deserialize(tracked) {
        Ok(head) => {
            json.end().map_err(|error| body::invalid(&track.path(), &error))?;
            head.envelope()
        }
        Err(error) => Err(body::invalid(&track.path(), &error)),
    }
}

#[derive(Default)]
struct Head {
    producer: Option<String>,
    sequence: Option<u64>,
    backfill: bool,
}

impl Head {
    fn envelope(self) -> Result<Envelope, Failure> {
        let producer = super::producer(self.producer.as_deref(), self.sequence, "/")?;
        Ok(Envelope { producer, backfill: self.backfill })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Producer,
    Sequence,
    Backfill,
    Samples,
}

/// A number that programs may have to write as a string.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Sequence {
    Number(u64),
    Text(String),
}

struct Document<'a, 'l> {
    assembly: &'a mut Assembly<'l>,
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = Head;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Head, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with samples")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Head, M::Error> {
        let mut head = Head::default();
        let mut seen = false;
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::Producer => head.producer = map.next_value()?,
                Field::Sequence => {
                    head.sequence = match map.next_value::<Option<Sequence>>()? {
                        None => None,
                        Some(Sequence::Number(number)) => Some(number),
                        Some(Sequence::Text(text)) => Some(text.parse().map_err(Error::custom)?),
                    }
                }
                Field::Backfill => head.backfill = map.next_value()?,
                Field::Samples if seen => return Err(Error::duplicate_field("samples")),
                Field::Samples => {
                    seen = true;
                    map.next_value_seed(Samples { assembly: &mut *self.assembly })?;
                }
            }
        }
        if seen { Ok(head) } else { Err(Error::missing_field("samples")) }
    }
}

struct Samples<'a, 'l> {
    assembly: &'a mut Assembly<'l>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonSample<'a> {
    #[serde(borrow)]
    tag: Cow<'a, str>,
    #[serde(default, borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    value: Option<&'a RawValue>,
    #[serde(default, borrow)]
    quality: Option<Cow<'a, str>>,
}

/// What is an object in JSON. On its own, a derived struct is read from a list of its fields too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de> DeserializeSeed<'de> for Samples<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Samples<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of samples")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<(), S::Error> {
        while let Some(sample) = rows.next_element::<Object<JsonSample<'_>>>()? {
            let Object(sample) = sample;
            let row = Row {
                tag: sample.tag.as_ref(),
                time: sample.time.as_deref().map_or(Time::Arrival, Time::Text),
                value: sample.value.map_or(Raw::None, |json| Raw::Json(json.get())),
                quality: sample.quality.as_deref(),
            };
            if let ControlFlow::Break(()) = self.assembly.row(row) {
                // The rest still has to be JSON, which keeps the answer about the rows found wrong.
                while rows.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(())
    }
}
