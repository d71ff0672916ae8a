//! Prefixes whose identifiers this node answers for.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use weir_model::{PREFIX_BYTES_MAX, Prefix, TenantId};
use weir_store::{Collection, History, Snapshot, StoreError};

/// The prefix of identifiers that stand for prefixes, folded.
pub(crate) const OF_PREFIXES: &str = "0.na";

/// A prefix that is homed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomedPrefix {
    /// The prefix.
    pub prefix: Prefix,
    /// Whose it is.
    pub tenant: TenantId,
    /// Whether its identifiers are not answered for the time being.
    #[serde(default)]
    pub suspended: bool,
}

impl HomedPrefix {
    /// A prefix of a tenant.
    pub const fn new(prefix: Prefix, tenant: TenantId) -> Self {
        Self { prefix, tenant, suspended: false }
    }
}

/// Homed prefixes by folded prefix, in [`TenantId::NODE`].
pub struct Prefixes;

impl Collection for Prefixes {
    const NAME: &'static str = "prefixes";
    type Record = HomedPrefix;
    const HISTORY: History = History::All;
}

/// Where the records of a prefix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) tenant: TenantId,
    pub(crate) suspended: bool,
}

/// All homed prefixes, in memory: every request asks for one.
#[derive(Debug, Default)]
pub(crate) struct Homes {
    by_prefix: HashMap<Box<[u8]>, Home>,
}

impl Homes {
    pub(crate) fn read(snap: &Snapshot<'_>) -> Result<Self, StoreError> {
        let mut homes = Self::default();
        snap.each::<Prefixes>(TenantId::NODE, "", |found| {
            homes.set(&found.key, Some(&found.record));
            Ok(())
        })?;
        Ok(homes)
    }

    /// Takes in a prefix that was homed or changed, or takes out one that no longer is.
    pub(crate) fn set(&mut self, key: &str, homed: Option<&HomedPrefix>) {
        match homed {
            Some(HomedPrefix { tenant, suspended, .. }) => {
                let home = Home { tenant: *tenant, suspended: *suspended };
                self.by_prefix.insert(key.as_bytes().into(), home);
            }
            None => {
                self.by_prefix.remove(key.as_bytes());
            }
        }
    }

    /// The home of a prefix, whatever its case.
    pub(crate) fn of(&self, prefix: &[u8]) -> Option<Home> {
        let mut folded = [0; PREFIX_BYTES_MAX];
        let folded = folded.get_mut(..prefix.len())?;
        folded.copy_from_slice(prefix);
        folded.make_ascii_lowercase();
        self.by_prefix.get(&*folded).copied()
    }

    /// The home of a handle. One that stands for a prefix is where that prefix is, or else where
    /// the nearest prefix is that it is derived from.
    pub(crate) fn of_handle(&self, handle: &[u8]) -> Option<Home> {
        let Some((prefix, suffix)) = weir_handle::name::split(handle) else {
            return self.of_prefix_handle(handle);
        };
        match prefix.eq_ignore_ascii_case(OF_PREFIXES.as_bytes()) {
            true => self.of_prefix_handle(suffix),
            false => self.of(prefix),
        }
    }

    fn of_prefix_handle(&self, prefix: &[u8]) -> Option<Home> {
        let mut wanted = Some(prefix);
        while let Some(prefix) = wanted {
            if let Some(home) = self.of(prefix) {
                return Some(home);
            }
            wanted = weir_handle::name::parent(prefix);
        }
        self.of(OF_PREFIXES.as_bytes())
    }

    /// Every prefix, folded, in the order of its bytes.
    pub(crate) fn all(&self) -> Vec<String> {
        let text = |prefix: &[u8]| String::from_utf8_lossy(prefix).into_owned();
        let mut all: Vec<String> = self.by_prefix.keys().map(|prefix| text(prefix)).collect();
        all.sort_unstable();
        all
    }
}
