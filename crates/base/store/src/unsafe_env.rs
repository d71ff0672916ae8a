//! UNSAFE: the one place of this crate that calls `unsafe` code, to open the memory map of LMDB.
#![expect(unsafe_code, reason = "mapping a file into memory cannot be proven safe by the compiler")]

use std::path::Path;

use heed::{Env, EnvOpenOptions, WithoutTls};

use crate::lock::FolderLock;

/// Threads that read at one moment: more than tokio's 512 blocking threads and its workers, twice
/// over, because a read may be nested in another. A slot takes 64 bytes of a mapped file.
const READERS_MAX: u32 = 2048;

/// Opens the environment in `dir`, whose lock the caller holds for as long as the environment
/// lives.
pub(crate) fn open(
    dir: &Path,
    _held: &FolderLock,
    map_bytes: usize,
    tables_max: u32,
) -> Result<Env<WithoutTls>, heed::Error> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes).max_dbs(tables_max).max_readers(READERS_MAX);
    // SAFETY: opening is unsafe because references into the map dangle or change when the file is
    // changed by anyone who does not go through LMDB's own locks. That does not happen:
    // - `_held` proves that this process has the folder's lock, so no other Weir has it open; that
    //   an operator does not write into `data.mdb` by other means is a rule of operation, as it is
    //   for every memory-mapped store.
    // - heed refuses to open one path twice in one process.
    // - No flag is set: NO_LOCK, NO_SYNC, NO_META_SYNC and WRITE_MAP, which would weaken LMDB's
    //   own guarantees, are not.
    // - That the folder lies on a local file system, where locks and maps work, is another such rule.
    // - A process that dies within a transaction leaves its reader slot behind, which the next
    //   opening clears, and no half a write, because LMDB writes pages anew and switches roots.
    unsafe { options.open(dir) }
}
