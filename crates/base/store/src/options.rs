//! What can be set about a store.

/// What can be set about a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// How large the data file may grow, in bytes. It is a reservation of addresses, not of
    /// memory or disk, so the default is far more than documents ever need: 64 GiB where
    /// addresses have 64 bits, 1 GiB elsewhere. Rounded up to 1 MiB.
    pub map_bytes: usize,
    /// How many entries of the change feed are kept. Whoever follows the feed and falls further
    /// behind must start anew; at some 300 bytes an entry the default takes 60 MB of disk.
    pub feed_entries_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        let map_bytes = if cfg!(target_pointer_width = "64") { 1 << 36 } else { 1 << 30 };
        Self { map_bytes, feed_entries_max: 200_000 }
    }
}
