//! A change that is wanted: records to put and delete, and the versions they are expected to have.

use serde::{Deserialize, Serialize};
use weir_model::{Author, CAUSE_BYTES_MAX, TenantId, Timestamp};

use crate::collection::{BoxError, Collection, Index};
use crate::error::{CommitError, StoreError};
use crate::keys::KEY_BYTES_MAX;

/// Most operations of one commit: it bounds the size of a feed entry, and the time for which
/// other commits wait behind one.
pub const COMMIT_OPERATIONS_MAX: usize = 10_000;

/// Most bytes of keys, records and index values of one commit: the whole of it is in memory, and
/// LMDB holds the pages it changes in memory too.
pub const COMMIT_BYTES_MAX: usize = 16 << 20;

/// Most bytes of a commit that is written in parts ([`crate::Store::commit_in_parts`]): the import of a large plant. It
/// leaves some of what may wait in memory to others.
pub const LARGE_COMMIT_BYTES_MAX: usize = 56 << 20;

/// Most operations of a commit that is written in parts: others wait behind it for a second or two.
pub const LARGE_COMMIT_OPERATIONS_MAX: usize = 200_000;

/// Largest record in stored bytes. Larger things are files, not documents.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Most index values of one record: every one is an entry to write and to remove again.
pub const INDEX_VALUES_MAX: usize = 256;

/// Longest index value in bytes; twice the longest identifier.
pub(crate) const INDEX_VALUE_BYTES_MAX: usize = 2048;

/// What a record must look like for an operation to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Whatever it is. Deleting a record that does not exist then changes nothing.
    Any,
    /// It does not exist.
    Absent,
    /// It exists in this version.
    Version(u64),
}

/// A change that is wanted, all of it or nothing.
///
/// Operations apply in order: a second one on the same key sees the version that the first made.
#[derive(Debug)]
pub struct Commit {
    pub(crate) author: Author,
    pub(crate) time: Timestamp,
    pub(crate) operations: Vec<Operation>,
    /// The first thing that went wrong while it was built; it is reported when it is committed.
    pub(crate) flaw: Option<CommitError>,
}

/// What an accepted commit became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its place on the change feed.
    pub position: u64,
    /// The versions its operations made, in their order.
    pub versions: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) tenant: TenantId,
    pub(crate) collection: &'static str,
    pub(crate) key: String,
    pub(crate) expect: Expect,
    /// The record to put; none to delete it.
    pub(crate) body: Option<Body>,
    /// Only of imports: the version and the time a record had before.
    pub(crate) restored: Option<Restored>,
}

/// A record in stored bytes and the values under which it is found.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) indexed: Vec<Indexed>,
}

/// One value of one index. The number is the place of the index in its collection's list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Indexed {
    pub(crate) number: u8,
    pub(crate) name: &'static str,
    pub(crate) unique: bool,
    pub(crate) value: String,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Restored {
    pub(crate) version: u64,
    pub(crate) time: Timestamp,
}

impl Commit {
    /// An empty commit by an author at a time.
    pub fn new(author: Author, time: Timestamp) -> Self {
        let flaw = (author.cause.len() > CAUSE_BYTES_MAX).then(|| CommitError::TooLarge {
            what: "the cause",
            bytes_or_count: author.cause.len(),
            max: CAUSE_BYTES_MAX,
        });
        Self { author, time, operations: Vec::new(), flaw }
    }

    /// Puts a record of the author's tenant.
    pub fn put<C: Collection>(
        &mut self,
        key: impl Into<String>,
        record: &C::Record,
        expect: Expect,
    ) -> &mut Self {
        self.put_in::<C>(self.author.tenant, key, record, expect)
    }

    /// Puts a record of a tenant; node-level records belong to [`TenantId::NODE`].
    pub fn put_in<C: Collection>(
        &mut self,
        tenant: TenantId,
        key: impl Into<String>,
        record: &C::Record,
        expect: Expect,
    ) -> &mut Self {
        let key = key.into();
        match Body::of::<C>(record) {
            Ok(body) => self.add(tenant, C::NAME, key, expect, Some(body)),
            Err(source) => {
                let source = source.into();
                let flaw = StoreError::Encode { collection: C::NAME, key, source };
                self.flaw.get_or_insert(flaw.into());
            }
        }
        self
    }

    /// Deletes a record of the author's tenant.
    pub fn delete<C: Collection>(&mut self, key: impl Into<String>, expect: Expect) -> &mut Self {
        self.delete_in::<C>(self.author.tenant, key, expect)
    }

    /// Deletes a record of a tenant.
    pub fn delete_in<C: Collection>(
        &mut self,
        tenant: TenantId,
        key: impl Into<String>,
        expect: Expect,
    ) -> &mut Self {
        self.add(tenant, C::NAME, key.into(), expect, None);
        self
    }

    /// Who commits it.
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// When it is committed.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is nothing to do; such a commit is refused.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    fn add(
        &mut self,
        tenant: TenantId,
        collection: &'static str,
        key: String,
        expect: Expect,
        body: Option<Body>,
    ) {
        self.operations.push(Operation { tenant, collection, key, expect, body, restored: None });
    }

    /// Bytes it brings, as [`COMMIT_BYTES_MAX`] counts them.
    pub(crate) fn bytes(&self) -> usize {
        self.operations.iter().map(Operation::bytes).sum()
    }

    /// Whether every bound is kept.
    pub(crate) fn check(&mut self) -> Result<(), CommitError> {
        self.check_within(COMMIT_OPERATIONS_MAX, COMMIT_BYTES_MAX)
    }

    /// Whether every bound of a commit that is written in parts is kept.
    pub(crate) fn check_large(&mut self) -> Result<(), CommitError> {
        self.check_within(LARGE_COMMIT_OPERATIONS_MAX, LARGE_COMMIT_BYTES_MAX)
    }

    /// Whether it is only to be written in parts.
    pub(crate) fn is_large(&self) -> bool {
        self.operations.len() > COMMIT_OPERATIONS_MAX || self.bytes() > COMMIT_BYTES_MAX
    }

    /// The commit in parts that keep the bounds of one each, in order.
    pub(crate) fn into_parts(self) -> Vec<Self> {
        let Self { author, time, operations, flaw: _ } = self;
        let empty = || Self { author: author.clone(), time, operations: Vec::new(), flaw: None };
        let mut parts = vec![empty()];
        let mut bytes = 0;
        for operation in operations {
            let size = operation.bytes();
            let last = parts.last_mut().filter(|part| {
                part.operations.len() < COMMIT_OPERATIONS_MAX && bytes + size <= COMMIT_BYTES_MAX
            });
            match last {
                Some(last) => {
                    bytes += size;
                    last.operations.push(operation);
                }
                None => {
                    bytes = size;
                    parts.push(Self { operations: vec![operation], ..empty() });
                }
            }
        }
        parts
    }

    fn check_within(&mut self, operations_max: usize, bytes_max: usize) -> Result<(), CommitError> {
        if let Some(flaw) = self.flaw.take() {
            return Err(flaw);
        }
        if self.operations.is_empty() {
            return Err(CommitError::Empty);
        }
        let within = |what: &'static str, bytes_or_count: usize, max: usize| {
            if bytes_or_count > max {
                return Err(CommitError::TooLarge { what, bytes_or_count, max });
            }
            Ok(())
        };
        within("the number of operations", self.operations.len(), operations_max)?;
        within("the commit", self.bytes(), bytes_max)?;
        for operation in &self.operations {
            if operation.key.is_empty() {
                return Err(StoreError::EmptyKey { collection: operation.collection }.into());
            }
            within("a key", operation.key.len(), KEY_BYTES_MAX)?;
            if let Some(body) = &operation.body {
                within("a record", body.bytes.len(), RECORD_BYTES_MAX)?;
                within("the number of index values", body.indexed.len(), INDEX_VALUES_MAX)?;
                for indexed in &body.indexed {
                    within("an index value", indexed.value.len(), INDEX_VALUE_BYTES_MAX)?;
                }
            }
        }
        Ok(())
    }
}

impl Operation {
    fn bytes(&self) -> usize {
        self.key.len() + self.body.as_ref().map_or(0, Body::size)
    }
}

impl Body {
    pub(crate) fn of<C: Collection>(record: &C::Record) -> Result<Self, BoxError> {
        let mut indexed = Vec::new();
        let mut unknown = None;
        C::index(record, &mut |name, value| match C::INDEXES
            .iter()
            .position(|index| index.name == name)
        {
            Some(number) => {
                let Index { name, unique } = C::INDEXES[number];
                let value = value.to_owned();
                indexed.push(Indexed { number: number as u8, name, unique, value });
            }
            None => unknown = Some(name),
        });
        if let Some(name) = unknown {
            return Err(format!("the collection {} declares no index {name}", C::NAME).into());
        }
        indexed.sort_unstable();
        indexed.dedup();
        Ok(Self { bytes: C::encode(record)?, indexed })
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.indexed.iter().map(|indexed| indexed.value.len()).sum::<usize>()
    }
}
