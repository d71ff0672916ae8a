//! What can fail, as callers see it.

use std::io;
use std::path::PathBuf;

use crate::topic::TopicError;

/// The broker could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A file of the journal could not be read or written.
    #[error("open the broker's journal at {path}")]
    Journal {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("the broker's folder {0} is in use by another process")]
    InUse(PathBuf),
    /// A segment was written by a newer release.
    #[error("the broker's journal {0} has a format that this release does not know")]
    Format(PathBuf),
    /// A limit that makes no sense.
    #[error("open the broker: {0}")]
    Options(&'static str),
}

/// A local subscription was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// Not a topic filter.
    #[error("subscribe: {0}")]
    Filter(#[from] TopicError),
    /// Too many subscriptions at one subscriber.
    #[error("subscribe: more than {0} subscriptions")]
    Many(usize),
}

/// A local message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Not a topic name.
    #[error("publish: {0}")]
    Topic(#[from] TopicError),
    /// Larger than the largest packet.
    #[error("publish: the message is larger than {0} bytes")]
    Large(usize),
    /// A local subscriber's queue is full; later there is room.
    #[error("publish: a subscriber's queue is full")]
    Full,
    /// The journal or the tenant's retained messages are at their bound.
    #[error("publish: the broker's store is full")]
    Quota,
    /// The broker has shut down.
    #[error("publish: the broker has shut down")]
    Closed,
}
