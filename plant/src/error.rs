//! What can go wrong with the plant.

use std::io;
use std::net::IpAddr;

use crate::{FAULT_MAX, SPEED_MAX};

/// Why the plant did not start or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlantError {
    /// No port could be opened for a group of devices.
    #[error("cannot open a port on {host} for the plant's {devices}")]
    Bind {
        /// The address asked for.
        host: IpAddr,
        /// The devices that share the port.
        devices: String,
        /// The cause.
        source: io::Error,
    },
    /// The OPC UA server of the control system did not start.
    #[error("cannot start the OPC UA server of the plant's control system")]
    OpcUa(#[source] Box<weir_opcua_server::Error>),
    /// The OPC UA server of the control system was started before.
    #[error("the plant's control system was started before")]
    Started,
    /// A name of the plant is no identifier: the program was built from damaged files.
    #[error("a name of the plant's control system is no identifier")]
    Names,
    /// There is no recording of that fault.
    #[error("fault {0} is not recorded; there are 0 (normal) to {FAULT_MAX}")]
    UnknownFault(u16),
    /// Not a finite number from 0 to [`SPEED_MAX`].
    #[error("a replay speed is a number from 0 (held) to {SPEED_MAX} times real time, not {0}")]
    Speed(f64),
    /// An embedded recording cannot be read: the program was built from damaged files.
    #[error("the recording {name} is damaged: {reason}")]
    Recording {
        /// Which recording.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}
