//! Assets: the role-based equipment hierarchy of ISA-95 (IEC 62264-1, clause 5.3).

use serde::{Deserialize, Serialize};
use weir_model::{FieldError, Grade, Identifier, Level};
use weir_store::{Collection, History, Index};

use crate::rules::{Faults, Names, check_description, check_name, check_names};

/// Deepest asset tree: seven levels, of which the last two may nest.
pub const ASSET_DEPTH_MAX: usize = 32;

/// One asset: an enterprise, a site, a line, a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Its identifier, which a rename or a move keeps.
    pub id: Identifier,
    /// Its name.
    pub name: String,
    /// Its name in other languages.
    #[serde(default)]
    pub names: Names,
    /// Where it stands in the hierarchy.
    pub level: Level,
    /// What it is part of; none at the top.
    #[serde(default)]
    pub parent: Option<Identifier>,
    /// The grade of it and of what hangs below and carries none of its own.
    #[serde(default)]
    pub grade: Option<Grade>,
    /// What it is, for people.
    #[serde(default)]
    pub description: String,
}

/// Assets by folded identifier.
pub struct Assets;

impl Assets {
    /// The index of assets by the folded identifier of their parent; empty at the top.
    pub const PARENT: &'static str = "parent";
}

impl Collection for Assets {
    const NAME: &'static str = "assets";
    type Record = Asset;
    const HISTORY: History = History::All;
    const INDEXES: &'static [Index] = &[Index::shared(Self::PARENT)];

    fn index(record: &Asset, add: &mut dyn FnMut(&'static str, &str)) {
        add(Self::PARENT, &record.parent.as_ref().map(Identifier::folded).unwrap_or_default());
    }
}

impl Asset {
    pub(crate) fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut faults = Faults::default();
        faults.check("/name", check_name(&self.name));
        faults.check("/names", check_names(&self.names));
        faults.check("/description", check_description(&self.description));
        if self.parent.as_ref() == Some(&self.id) {
            faults.add("/parent", "an asset is not part of itself");
        }
        faults.into_result()
    }
}
