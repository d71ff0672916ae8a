//! Space on the disk, asked for before a merge begins.
//!
//! A merge writes its blocks beside those that it reads, and these are removed when it is over. On a
//! disk that is nearly full it would take what the log and the next flush need. So it begins only
//! where all that it reads fits once more, and beyond that as much as log and memory may grow to.
//! A merge that waits is asked about again with every look of the keeper, which never waits for it:
//! tables are written and other merges made meanwhile.

use super::Keeper;
use super::merge::Job;
use crate::{MergeWait, Options};

/// What a merge leaves free: a full log, and a table as it lies in blocks at most.
fn margin(options: &Options) -> u64 {
    options.log_bytes_max.saturating_add(options.memory_bytes_max as u64)
}

impl Keeper {
    /// Whether there is space for a merge. Where there is not, the largest of its blocks is left
    /// alone until the keeper looks again, so that what is left of the merge may have room.
    pub(super) fn has_room(&mut self, job: &Job) -> bool {
        let bytes: u64 = job.inputs.iter().map(|input| input.entry().bytes).sum();
        let needed_bytes = bytes.saturating_add(margin(&self.shared.options));
        // A disk that cannot be asked will tell when it is written to.
        let free_bytes = self.shared.disk.free_bytes(&self.shared.dir).unwrap_or(u64::MAX);
        if free_bytes >= needed_bytes {
            return true;
        }
        if let Some(largest) = job.inputs.iter().max_by_key(|input| input.entry().bytes) {
            self.held.wait(largest.entry().id, MergeWait { needed_bytes, free_bytes });
        }
        false
    }
}
