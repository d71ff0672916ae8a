//! Weir as an OPC UA server: SCADA packages browse the plant, read and watch its values, and fetch
//! its history.
//!
//! What it is: the services of OPC 10000-4 that such clients use (discovery, sessions, browse, read,
//! write, subscriptions, raw history), over UA TCP with UA Secure Conversation. What stands in the
//! plant, who may see it and what it measures is asked of a [`Plant`] for each request; nothing of it
//! is copied.
//!
//! What it is not: it knows no store, no historian and no users, has no methods, events, queries or
//! views, and lets nobody change the address space. Types, encodings, cryptography and the standard's
//! own nodes come from the async-opcua library; its server is not used, because it tells values of
//! sampled items with times that they did not have and keeps deleted items for ever.
//!
//! Below `Objects/Weir` stand assets (folders) and tags (variables). A NodeId is `ns=2;s=` and the
//! Weir identifier, so that a rename changes none; namespace 2 is [`NAMESPACE`].
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use weir_opcua_server::{Error, Limits, Listen, OpcUaServer, Options, Plant, Policy};
//! # async fn start(plant: Arc<dyn Plant>) -> Result<(), Error> {
//! let stop = tokio_util::sync::CancellationToken::new();
//! let options = Options {
//!     listen: vec![Listen::Address("[::]:4840".parse().expect("an address"))],
//!     pki_dir: "weir-data/opcua".into(),
//!     host_names: vec!["plant-7.example".to_owned()],
//!     application_uri: "urn:weir:plant-7:opcua".to_owned(),
//!     application_name: "Weir plant 7".to_owned(),
//!     policies: Policy::ALL.to_vec(),
//!     allow_none: false,
//!     allow_anonymous: false,
//!     allow_user_certificates: false,
//!     limits: Limits::default(),
//! };
//! let running = OpcUaServer::start(options, plant, stop.clone()).await?;
//! for stranger in running.handle.rejected().await? {
//!     println!("{} knocked: {}", stranger.subject, stranger.thumbprint);
//! }
//! stop.cancel();
//! running.stopped().await;
//! # Ok(())
//! # }
//! ```

mod connection;
mod endpoints;
mod error;
mod forgeries;
mod identity;
mod options;
mod pki;
mod plant;
mod publisher;
mod server;
mod services;
mod session;
mod shared;
mod space;
mod subscription;
mod values;
mod wire;

pub use error::Error;
pub use forgeries::{FORGERIES_FREE, FORGERS_MAX, FORGERY_WAIT_MAX};
pub use options::{Limits, Listen, Options, Policy};
pub use pki::{Certificate, REJECTED_MAX, TRUSTED_MAX};
pub use plant::{
    Asset, Client, Credentials, Live, LiveEvent, Node, Plant, PlantError, Principal, Span, Tag,
    WriteError,
};
pub use server::{Handle, OpcUaServer, Running, SessionInfo, Statistics, machine_name};
pub use space::{NAMESPACE, PROPERTY_NAMESPACE};

/// Users whose credentials are checked at a time: checking a password takes much memory by intent.
pub const AUTHENTICATIONS_MAX: usize = 4;

/// What this program is, among all that speak OPC UA.
const PRODUCT_URI: &str = "urn:weir";
