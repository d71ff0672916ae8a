//! The MQTT broker inside the process: MQTT 3.1.1 and 5, one topic tree a tenant.
//!
//! It is a broker for machines that bring data into Weir and for programs that talk to them: quality
//! of service 0 to 2, retained messages, wills, sessions that survive a crash, shared subscriptions,
//! over TCP, TLS and WebSocket. A PUBLISH of QoS above 0 is acknowledged when queues of kept sessions
//! and the retained message are on disk ([group commit](BrokerOptions)) and every local subscriber
//! that asked for receipts has settled it ([`LocalReceipt`]); the connection reads on meanwhile.
//!
//! It is not a cluster, does not bridge, and knows nothing of what a payload means. Who may connect
//! and what a principal may do is the node's answer, through [`Gate`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use futures::future::{BoxFuture, FutureExt, ready};
//! use weir_broker::{Act, Broker, BrokerOptions, Denied, Gate, Login, Principal, Qos, Settled};
//! use weir_model::TenantId;
//!
//! struct Everybody;
//!
//! impl Gate for Everybody {
//!     fn authenticate<'a>(&'a self, login: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
//!         ready(Ok(Principal::new(TenantId(1), login.user.unwrap_or("anonymous")))).boxed()
//!     }
//!
//!     fn may(&self, _: &Principal, _: Act, _: &str) -> bool {
//!         true
//!     }
//! }
//!
//! # let dir = tempfile::tempdir()?;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let broker = Broker::open(BrokerOptions::new(dir.path()), Arc::new(Everybody))?;
//! let mut driver = broker.local(TenantId(1), "driver");
//! driver.subscribe("line/+/temperature", Qos::AtLeastOnce, true)?;
//! let machine = broker.local(TenantId(1), "machine");
//! machine.try_publish("line/3/temperature", Bytes::from_static(b"21.5"), Qos::AtMostOnce, false)?;
//! let mut batch = Vec::new();
//! driver.next_batch(&mut batch, 100).await;
//! assert_eq!(&*batch[0].topic, "line/3/temperature");
//! for message in batch {
//!     if let Some(receipt) = message.receipt {
//!         receipt.settle(Settled::Stored); // when it is on disk
//!     }
//! }
//! broker.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acks;
mod broker;
mod connection;
mod counters;
mod error;
mod gate;
mod journal;
mod listen;
mod local;
mod message;
mod options;
mod retained;
mod router;
mod session;
mod share;
mod signal;
mod status;
mod tenant;
mod timers;
mod topic;
mod websocket;
mod wire;

pub use broker::Broker;
pub use counters::BrokerStatus;
pub use error::{BrokerError, PublishError, SubscribeError};
pub use gate::{Act, Denied, Gate, Login, Principal};
pub use listen::Peer;
pub use local::{Incoming, Local, LocalReceipt, Settled};
pub use message::Qos;
pub use options::{BrokerOptions, Limits};
pub use status::{ClientConnection, ClientStatus};
pub use topic::TopicError;
