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
    /// There is no recording of that fault.
    #[error("fault {0} is not recorded; there are 0 (normal) to {FAULT_MAX}")]
    UnknownFault(u16),
    /// Not a finite number from 0 to [`SPEED_MAX`].
    #[error("a replay speed is a number from 0 (held) to {SPEED_MAX} times real time, not {0}")]
    Speed(f64),
    /// An embedded recording cannot be read: the program was built from damaged files.
    #[error("the recording of fault {fault} is damaged: {reason}")]
    Recording {
        /// The fault, 0 for the normal run.
        fault: u16,
        /// What is wrong with it.
        reason: String,
    },
}
