//! The audit: an append-only Merkle log of every change and every refusal.
//!
//! What it is: entries in length-and-checksum framed files, a hash tree over them by the rules of
//! RFC 6962 (section 2.1) kept in tiles 256 hashes wide (C2SP tlog-tiles), and checkpoints signed
//! with the node's own Ed25519 key (C2SP signed-note and tlog-checkpoint). One thread writes; many
//! waiting entries share one fsync. In memory stands the right edge of the tree and nothing else.
//!
//! What it is not: it decides nothing (that is `weir-access`), it does not know the store (whoever
//! follows the change feed hands its entries over), and it does not protect against somebody who
//! holds the signing key and the disk; for that, keep checkpoints elsewhere and hand them to
//! [`Audit::verify_with`].
//!
//! ```
//! use weir_audit::{Audit, Entry, Event, Filter, Options};
//! use weir_model::{Author, RequestId, TenantId, Timestamp};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let dir = tempfile::tempdir()?;
//! let audit = Audit::open(dir.path(), Options::default())?;
//! let author = Author {
//!     tenant: TenantId(1),
//!     principal: "88.100/user.ada".parse()?,
//!     cause: "device.restart".to_owned(),
//!     request: RequestId(7),
//! };
//! let entry = Entry::new(Timestamp::from_nanos(0), author, Event::Note { text: "by hand".into() });
//! audit.append(entry).await?; // on disk when it returns
//! let page = audit.page(None, 10, Filter::of(TenantId(1))).await?;
//! assert_eq!(page.items.len(), 1);
//! audit.close().await;
//! assert_eq!(Audit::verify(dir.path())?.entries, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod checkpoint;
mod entry;
mod error;
mod flood;
mod frame;
mod hash;
mod key;
mod lock;
mod page;
mod proof;
mod recover;
mod segment;
mod tile;
mod tree;
mod verify;
mod writer;

pub use audit::{Audit, Leaf, Options, QUEUE_BYTES_MAX, Refused};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use entry::{Change, ENTRY_BYTES_MAX, Entry, Event, Operation};
pub use error::AuditError;
pub use flood::{FLOOD_COPIES, FLOOD_COPIES_A_MINUTE_MAX, FLOOD_KEYS_MAX, FLOOD_WINDOW_SECONDS};
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use key::{PublicKey, PublicKeyError};
pub use page::{Filter, Item, PAGE_BYTES_MAX, PAGE_ITEMS_MAX, PAGE_SCAN_MAX, Page};
pub use proof::{ConsistencyProof, InclusionProof, ProofError};
pub use verify::{Divergence, Report, VerifyOptions};
