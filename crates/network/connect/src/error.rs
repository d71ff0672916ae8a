//! What can go wrong.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use weir_model::Quality;

use crate::PeerCertificate;
use crate::shown::{TEXT_CHARS_MAX, line};

/// A failure of a driver or a refused request to one device.
///
/// Its text names the device, the place (host, port, address) and the cause with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DriverError {
    /// What kind of failure; programs decide by it.
    pub kind: ErrorKind,
    /// The device's identifier or, before it has one, its name.
    pub device: String,
    /// Where in the device, as people of the protocol say it; may be empty.
    pub place: String,
    /// What happened and what to do.
    pub cause: String,
    /// What the peer presented, where its certificate is not trusted.
    pub certificate: Option<Box<PeerCertificate>>,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.device)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.cause)
    }
}

/// Kinds of [`DriverError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Settings or an address are not valid.
    Misconfigured,
    /// The network or the device did not let us connect.
    Unreachable,
    /// The peer's certificate is not among those that the settings trust, or not valid. Review it.
    Untrusted,
    /// No answer in time. After a write, whether it was carried out is not known.
    Timeout,
    /// The connection ended.
    Disconnected,
    /// What came was not the protocol, or not the answer to what was asked.
    Protocol,
    /// The device answered that it will not do it.
    Rejected,
    /// The device is not connected at the moment.
    NotConnected,
    /// No such device, or no such point of it.
    Unknown,
    /// The point may not be written.
    NotWritable,
    /// The write needs a confirmation and has none.
    Unconfirmed,
    /// The value is outside the point's limits or does not fit its type.
    OutOfLimits,
    /// The protocol has no such thing.
    Unsupported,
    /// Too many requests wait already.
    Busy,
    /// The supervisor has stopped.
    Stopped,
}

impl ErrorKind {
    /// The quality that points get when a session ends with this failure.
    pub const fn quality(self) -> Quality {
        match self {
            Self::Timeout => Quality::TIMEOUT,
            Self::Protocol => Quality::COMMUNICATION_ERROR,
            Self::Misconfigured => Quality::CONFIGURATION_ERROR,
            _ => Quality::NO_COMMUNICATION,
        }
    }

    /// Whether a session that returned it from a write is no longer usable. Refusals of one value
    /// or one address leave the connection as it was.
    pub const fn ends_session(self) -> bool {
        !matches!(
            self,
            Self::Misconfigured
                | Self::Rejected
                | Self::NotWritable
                | Self::OutOfLimits
                | Self::Unsupported
        )
    }
}

impl DriverError {
    /// A failure at a place of a device.
    pub fn new(
        kind: ErrorKind,
        device: impl Into<String>,
        place: impl Into<String>,
        cause: impl Into<String>,
    ) -> Self {
        // Both may repeat what a peer said.
        let said = |text: String| line(text.into(), TEXT_CHARS_MAX);
        Self {
            kind,
            device: device.into(),
            place: said(place.into()),
            cause: said(cause.into()),
            certificate: None,
        }
    }

    /// A peer whose certificate is to be reviewed.
    pub fn untrusted(
        device: impl Into<String>,
        place: impl Into<String>,
        cause: impl Into<String>,
        certificate: PeerCertificate,
    ) -> Self {
        let error = Self::new(ErrorKind::Untrusted, device, place, cause);
        Self { certificate: Some(Box::new(certificate)), ..error }
    }

    /// What happened without the device's name, for pages that show it already.
    pub fn reason(&self) -> String {
        if self.place.is_empty() {
            self.cause.clone()
        } else {
            format!("{}: {}", self.place, self.cause)
        }
    }
}

/// A failure of the supervisor itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The spool's folder or a file of it cannot be used.
    #[error("use the spool at {path}")]
    Spool {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// More devices than one node supervises.
    #[error("supervise another device: there are {max} already")]
    TooManyDevices {
        /// The limit.
        max: usize,
    },
    /// The supervisor is shutting down.
    #[error("supervise a device: the supervisor has stopped")]
    Stopped,
}
