//! The collections a store serves.

use std::any::TypeId;
use std::collections::HashMap;

use serde_json::Value;

use crate::collection::{BoxError, Collection, History, Index};
use crate::commit::Body;
use crate::error::StoreError;

/// Longest name of a collection or an index in bytes: names are parts of keys and of every change.
const NAME_BYTES_MAX: usize = 64;

/// Most indexes of a collection: their numbers are one byte, and the highest one marks an end.
const INDEXES_MAX: usize = 254;

/// The collections a store serves. Every domain adds its own.
#[derive(Clone, Default)]
pub struct Schema {
    shapes: Vec<Shape>,
}

/// A collection without its type: what the writer, exports and imports need of it.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) kind: TypeId,
    pub(crate) history: History,
    pub(crate) secret: bool,
    pub(crate) indexes: &'static [Index],
    pub(crate) indexes_revision: u32,
    /// Stored bytes to the JSON view.
    pub(crate) to_json: fn(&[u8]) -> Result<Value, BoxError>,
    /// JSON view to stored bytes with their index values.
    pub(crate) from_json: fn(Value) -> Result<Body, BoxError>,
    /// Stored bytes with the index values they have today.
    pub(crate) reindex: fn(&[u8]) -> Result<Body, BoxError>,
}

impl Schema {
    /// No collections.
    pub fn new() -> Self {
        Self::default()
    }

    /// These collections and one more. Adding one twice is harmless.
    #[must_use]
    pub fn with<C: Collection>(mut self) -> Self {
        if self.shapes.iter().all(|shape| shape.kind != TypeId::of::<C>()) {
            self.shapes.push(Shape::of::<C>());
        }
        self
    }

    /// Checks what the types cannot: names, and that no two collections share one.
    pub(crate) fn checked(self) -> Result<Vec<Shape>, StoreError> {
        let mut names = HashMap::new();
        for shape in &self.shapes {
            let fits = |name: &str| (1..=NAME_BYTES_MAX).contains(&name.len());
            if !fits(shape.name) || !shape.indexes.iter().all(|index| fits(index.name)) {
                return Err(StoreError::Schema {
                    name: shape.name,
                    reason: "a name is empty or too long",
                });
            }
            if shape.indexes.len() > INDEXES_MAX {
                return Err(StoreError::Schema {
                    name: shape.name,
                    reason: "it has more than 254 indexes",
                });
            }
            if names.insert(shape.name, ()).is_some() {
                return Err(StoreError::Schema {
                    name: shape.name,
                    reason: "two collections have this name",
                });
            }
        }
        Ok(self.shapes)
    }
}

impl Shape {
    fn of<C: Collection>() -> Self {
        Self {
            name: C::NAME,
            kind: TypeId::of::<C>(),
            history: C::HISTORY,
            secret: C::SECRET,
            indexes: C::INDEXES,
            indexes_revision: C::INDEXES_REVISION,
            to_json: |bytes| C::to_json(&C::decode(bytes)?),
            from_json: |value| Body::of::<C>(&C::from_json(value)?),
            reindex: |bytes| {
                let body = Body::of::<C>(&C::decode(bytes)?)?;
                Ok(Body { bytes: bytes.to_vec(), ..body })
            },
        }
    }

    /// What the stored index entries were made by; another text means they must be made anew.
    pub(crate) fn indexes_fingerprint(&self) -> String {
        let names: Vec<String> = self
            .indexes
            .iter()
            .map(|index| format!("{}{}", if index.unique { "!" } else { "" }, index.name))
            .collect();
        format!("{}:{}", self.indexes_revision, names.join(","))
    }
}
