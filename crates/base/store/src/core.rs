//! What readers, the writer and the chores share: the open data folder.

use std::any::TypeId;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use heed::{Env, RwTxn, WithoutTls};
use tokio::sync::{Notify, watch};

use crate::collection::Collection;
use crate::environment::{self, Tables};
use crate::error::StoreError;
use crate::lock::FolderLock;
use crate::meta;
use crate::options::Options;
use crate::reindex;
use crate::schema::{Schema, Shape};
use crate::snapshot::Snapshot;
use crate::stats::Tally;
use crate::vault::Vault;

pub(crate) struct Core {
    pub(crate) env: Env<WithoutTls>,
    pub(crate) tables: Tables,
    pub(crate) vault: Vault,
    pub(crate) options: Options,
    pub(crate) head: watch::Sender<u64>,
    pub(crate) tally: Tally,
    /// Told whenever the writer takes commits from the queue.
    pub(crate) room: Notify,
    dir: PathBuf,
    entries: Vec<Entry>,
    by_name: HashMap<&'static str, usize>,
    /// Held until all of the above is closed; fields are dropped in their order.
    _lock: FolderLock,
}

/// A collection and the number it has in keys.
pub(crate) struct Entry {
    pub(crate) shape: Shape,
    pub(crate) id: u16,
}

impl Core {
    pub(crate) fn open(dir: &Path, schema: Schema, options: Options) -> Result<Self, StoreError> {
        let shapes = schema.checked()?;
        create_private_dir(dir)?;
        let lock = FolderLock::take(dir)?;
        let env = environment::open(dir, &lock, options.map_bytes)?;
        let mut txn = env.write_txn().map_err(StoreError::storage("open"))?;
        let tables = Tables::open(&env, &mut txn)?;
        let vault = open_vault(dir, tables, &mut txn)?;
        let (entries, outdated) = number(shapes, tables, &mut txn)?;
        let head = meta::get_u64(tables.meta, &txn, meta::HEAD)?.unwrap_or(0);
        let by_name =
            entries.iter().enumerate().map(|(at, entry)| (entry.shape.name, at)).collect();
        for at in outdated {
            reindex::run(&entries[at], tables, &vault, &mut txn)?;
        }
        txn.commit().map_err(StoreError::storage("write"))?;
        Ok(Self {
            env,
            tables,
            vault,
            options,
            head: watch::Sender::new(head),
            tally: Tally::default(),
            room: Notify::new(),
            dir: dir.into(),
            entries,
            by_name,
            _lock: lock,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The collection of a name.
    pub(crate) fn named(&self, name: &str) -> Result<&Entry, StoreError> {
        let at = self.by_name.get(name);
        at.map(|at| &self.entries[*at])
            .ok_or_else(|| StoreError::UnknownCollection { name: name.into() })
    }

    /// The collection of a type.
    pub(crate) fn entry<C: Collection>(&self) -> Result<&Entry, StoreError> {
        // There are few, and comparing numbers is quicker than taking the hash of a name.
        let entry = self.entries.iter().find(|entry| entry.shape.kind == TypeId::of::<C>());
        entry.ok_or_else(|| StoreError::UnknownCollection { name: C::NAME.into() })
    }

    /// The collection of a number in a key; none where this program does not serve it.
    pub(crate) fn numbered(&self, id: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Reads one consistent image.
    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let txn = self.env.read_txn().map_err(StoreError::storage("read"))?;
        read(&Snapshot::new(self, &txn))
    }
}

impl Entry {
    pub(crate) fn index_number(&self, name: &str) -> Result<u8, StoreError> {
        let number = self.shape.indexes.iter().position(|index| index.name == name);
        number.map(|number| number as u8).ok_or_else(|| StoreError::UnknownIndex {
            collection: self.shape.name,
            index: name.into(),
        })
    }
}

pub(crate) fn create_private_dir(dir: &Path) -> Result<(), StoreError> {
    let missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
    let made: Vec<&Path> = dir.ancestors().take_while(missing).collect();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(StoreError::io("create", dir))?;
    // What is acknowledged in a folder must not vanish with its name.
    for parent in made.iter().filter_map(|dir| dir.parent()) {
        crate::vault::sync_dir(if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        })?;
    }
    Ok(())
}

fn open_vault(dir: &Path, tables: Tables, txn: &mut RwTxn<'_>) -> Result<Vault, StoreError> {
    let known = meta::get(tables.meta, txn, meta::SEAL)?.map(<[u8]>::to_vec);
    let vault = Vault::open(dir, known.is_none())?;
    if known.is_some_and(|known| known != vault.fingerprint()) {
        return Err(StoreError::SecretKeyWrong { path: dir.join(crate::vault::KEY_FILE) });
    }
    meta::put(tables.meta, txn, meta::SEAL, &vault.fingerprint())?;
    Ok(vault)
}

/// Gives every collection its number, once and for ever, and tells which ones have index entries
/// that were made by another declaration.
fn number(
    shapes: Vec<Shape>,
    tables: Tables,
    txn: &mut RwTxn<'_>,
) -> Result<(Vec<Entry>, Vec<usize>), StoreError> {
    let mut next = next_number(tables, txn)?;
    let mut entries = Vec::with_capacity(shapes.len());
    let mut outdated = Vec::new();
    for shape in shapes {
        let name = meta::collection(shape.name);
        let fingerprint = shape.indexes_fingerprint();
        let stored = meta::get(tables.meta, txn, &name)?
            .and_then(|value| value.split_first_chunk::<2>())
            .map(|(id, text)| (u16::from_be_bytes(*id), text == fingerprint.as_bytes()));
        let (id, current) = match stored {
            Some(stored) => stored,
            None => {
                let id = next;
                next = next.checked_add(1).ok_or(StoreError::Schema {
                    name: shape.name,
                    reason: "65536 collections were stored here already",
                })?;
                (id, true)
            }
        };
        if !current {
            outdated.push(entries.len());
        }
        let value = [&id.to_be_bytes(), fingerprint.as_bytes()].concat();
        meta::put(tables.meta, txn, &name, &value)?;
        entries.push(Entry { shape, id });
    }
    Ok((entries, outdated))
}

fn next_number(tables: Tables, txn: &RwTxn<'_>) -> Result<u16, StoreError> {
    let prefix = meta::collection("");
    let mut next = 1;
    let found =
        tables.meta.prefix_iter(txn, prefix.as_bytes()).map_err(StoreError::storage("read"))?;
    for entry in found {
        let (key, bytes) = entry.map_err(StoreError::storage("read"))?;
        let id = crate::frame::guarded(key, bytes).and_then(|value| value.first_chunk::<2>());
        let id = id.ok_or_else(|| StoreError::Corrupt {
            what: format!("{} of the store itself", String::from_utf8_lossy(key)),
            reason: "checksum",
        })?;
        next = next.max(u16::from_be_bytes(*id).saturating_add(1));
    }
    Ok(next)
}

/// Counts up and tells the new value; the order of counts among threads does not matter.
pub(crate) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
