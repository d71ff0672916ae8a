//! What a CPU says of itself: system status lists.

use crate::client::{CallError, Client};
use crate::codec::services::{Service, records};

/// Module identification: order numbers and versions.
const MODULE_IDENTIFICATION: u16 = 0x0011;
/// Component identification: names and serial numbers.
const COMPONENT_IDENTIFICATION: u16 = 0x001C;
/// Mode transition: whether the program runs.
const MODE: u16 = 0x0424;

/// What a CPU says of itself; empty where it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) order_number: String,
    pub(crate) firmware: String,
    pub(crate) system: String,
    pub(crate) module: String,
    pub(crate) module_type: String,
    pub(crate) serial_number: String,
    pub(crate) state: String,
}

impl Identity {
    /// Asks. What the CPU refuses stays empty, and a lost connection ends the asking.
    pub(crate) async fn of(client: &mut Client) -> Self {
        let mut identity = Self::default();
        for list in [MODULE_IDENTIFICATION, COMPONENT_IDENTIFICATION, MODE] {
            match client.serve(Service::SystemStatus { list, index: 0 }).await {
                Ok(content) => identity.take(list, &content),
                Err(CallError::Refused(_)) => {}
                Err(CallError::Failed(..)) => break,
            }
        }
        identity
    }

    /// Takes what a list says. A list that is cut says less.
    pub(crate) fn take(&mut self, list: u16, content: &[u8]) {
        for record in records(content).unwrap_or_default() {
            let index = record.first_chunk().map_or(0, |n| u16::from_be_bytes(*n));
            match (list, index) {
                (MODULE_IDENTIFICATION, 1) => self.order_number = text(record, 20),
                (MODULE_IDENTIFICATION, 7) => self.firmware = firmware(record),
                (COMPONENT_IDENTIFICATION, 1) => self.system = text(record, 24),
                (COMPONENT_IDENTIFICATION, 2) => self.module = text(record, 24),
                (COMPONENT_IDENTIFICATION, 5) => self.serial_number = text(record, 24),
                (COMPONENT_IDENTIFICATION, 7) => self.module_type = text(record, 32),
                (MODE, _) => self.state = state(record),
                _ => {}
            }
        }
    }

    /// In a few words, for people.
    pub(crate) fn name(&self) -> String {
        let name = if self.module_type.is_empty() { &self.module } else { &self.module_type };
        let parts = [name.as_str(), self.order_number.as_str(), self.firmware.as_str()];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }

    /// The rest, for people.
    pub(crate) fn detail(&self) -> String {
        let said = |what: &str, value: &str| (!value.is_empty()).then(|| format!("{what} {value}"));
        let parts = [
            said("system", &self.system),
            said("module", &self.module),
            said("serial number", &self.serial_number),
            said("state", &self.state),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// A text behind a record's index, as far as its first zero.
fn text(record: &[u8], length: usize) -> String {
    let bytes = record.get(2..).unwrap_or_default();
    let bytes = bytes.get(..length).unwrap_or(bytes);
    let used = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let printable = used.iter().map(|byte| char::from(*byte)).filter(|c| !c.is_control());
    printable.collect::<String>().trim().to_owned()
}

/// `V3.2.6`: a letter and three numbers at a record's end.
fn firmware(record: &[u8]) -> String {
    match record.last_chunk() {
        Some([b'V', major, minor, patch]) => format!("V{major}.{minor}.{patch}"),
        _ => String::new(),
    }
}

fn state(record: &[u8]) -> String {
    match record.get(3).map(|byte| byte & 0x0F) {
        Some(0x08) => "RUN".to_owned(),
        Some(0x04) => "STOP".to_owned(),
        _ => String::new(),
    }
}
