//! Digital twins, first version: organisations, the ISA-95 asset tree, tags, and how long samples
//! are kept.
//!
//! What it is: the documents, the rules that every change of them obeys ([`Draft`]), and a small
//! directory of them in memory ([`Directory`]) for the paths that cannot wait for a document: ingest,
//! live streams, lists.
//!
//! What it is not: it stores no samples (the historian does, by [`weir_model::TagId`] only), speaks
//! to no device, decides no permission, and mints no identifier. Nothing here knows about HTTP.
//!
//! ```
//! use weir_model::{Grade, Level};
//! use weir_twin::{Asset, check_name};
//!
//! assert!(check_name("反应器").is_ok());
//! assert!(Level::WorkUnit.fits_under(Level::Area));
//! let asset: Asset = serde_json::from_str(
//!     r#"{"id":"88.100/reactor","name":"Reactor","level":"work_unit","grade":"general"}"#,
//! )?;
//! assert_eq!(asset.grade, Some(Grade::General));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asset;
mod counter;
mod directory;
mod draft;
mod error;
mod organisation;
mod retention;
mod rules;
mod tag;

pub use asset::{ASSET_DEPTH_MAX, Asset, Assets};
pub use counter::{Counter, Counters};
pub use directory::{AssetEntry, Directory, TagEntry, TenantView};
pub use draft::Draft;
pub use error::TwinError;
pub use organisation::{Organisation, Organisations, RESERVED_PREFIX};
pub use retention::{Retentions, SampleRetention};
pub use rules::{
    DESCRIPTION_BYTES_MAX, LANGUAGES_MAX, NAME_BYTES_MAX, Names, check_description, check_name,
    check_names,
};
pub use tag::{
    ADDRESS_BYTES_MAX, LABELS_MAX, POLL_MS_RANGE, SCALINGS_MAX, Source, Tag, Tags, ValueRange,
};

use weir_store::Schema;

/// Adds this crate's collections.
pub fn schema(schema: Schema) -> Schema {
    schema
        .with::<Organisations>()
        .with::<Assets>()
        .with::<Tags>()
        .with::<Counters>()
        .with::<Retentions>()
}
