//! Writing one point: what was there, the write, and what is there now.

use std::time::Duration;

use weir_connect::{DriverError, ErrorKind, RawWrite};
use weir_model::Value;

use super::S7Session;
use crate::client::CallError;
use crate::codec::variables::{Content, WriteItem, write_bytes_max};
use crate::plan::{Block, Slot};
use crate::values::{capacity, encode, truth, value, write_offset};
use crate::{PointAddress, RawType, item_error_text};

/// How often a device is asked whether it holds what was written: some take a cycle.
const READ_BACK_ATTEMPTS_MAX: u32 = 3;

/// Between these attempts: the cycle of a slow program.
const READ_BACK_PAUSE: Duration = Duration::from_millis(100);

/// What a raw value may be off a whole number by calculating with doubles alone, as a share of it.
const SCALING_NOISE_MAX: f64 = 1e-9;

/// How far a write has come when the connection is lost.
#[derive(Debug, Clone, Copy)]
enum Stage {
    NotSent,
    Sent,
    Confirmed,
}

/// What the device should hold.
enum Wanted {
    Bit(bool),
    Bytes { offset: u16, bytes: Vec<u8> },
}

/// Why a write was not done.
enum Refusal {
    /// The session goes on.
    Told(ErrorKind, String),
    Call(CallError),
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl S7Session {
    pub(super) async fn write_point(
        &mut self,
        point: usize,
        raw: &Value,
    ) -> Result<RawWrite, DriverError> {
        let Some(slot) = self.slots.get(point).copied() else {
            let cause = "there is no such point";
            return Err(DriverError::new(ErrorKind::Unknown, self.spec.label(), "", cause));
        };
        let requests_before = self.client.requests;
        let mut stage = Stage::NotSent;
        match self.write_slot(&slot, raw, &mut stage).await {
            Ok(mut done) => {
                done.requests = self.client.requests.wrapping_sub(requests_before);
                Ok(done)
            }
            Err(Refusal::Told(kind, cause)) => {
                let place = self.place(&slot.address.to_string());
                Err(DriverError::new(kind, self.spec.label(), place, cause))
            }
            Err(Refusal::Call(error)) => {
                let error = match error {
                    CallError::Failed(kind, cause) => {
                        CallError::Failed(kind, format!("{cause}; {}", stage.told()))
                    }
                    refused => refused,
                };
                Err(self.lost(&slot.address.to_string(), error))
            }
        }
    }

    async fn write_slot(
        &mut self,
        slot: &Slot,
        raw: &Value,
        stage: &mut Stage,
    ) -> Result<RawWrite, Refusal> {
        let address = slot.address;
        if !address.area.is_writable() {
            let cause = "this area can only be read".to_owned();
            return Err(Refusal::Told(ErrorKind::NotWritable, cause));
        }
        // What cannot be written is refused before anything is sent.
        self.wanted(&address, raw)?;
        self.check_rounded(slot, raw)
            .map_err(|cause| Refusal::Told(ErrorKind::OutOfLimits, cause))?;
        let before = self.look(slot).await?;
        let room = room(&address, before.as_deref())?;
        let wanted = self.wanted(&PointAddress { length: room, ..address }, raw)?;
        *stage = Stage::Sent;
        self.client.write(&wanted.item(&address)).await?.map_err(|code| {
            Refusal::Told(ErrorKind::Rejected, item_error_text(code, address.area))
        })?;
        *stage = Stage::Confirmed;
        let mut after = self.look(slot).await?;
        for _ in 1..READ_BACK_ATTEMPTS_MAX {
            if after.is_none() || wanted.is_in(after.as_deref(), &address) {
                break;
            }
            tokio::time::sleep(READ_BACK_PAUSE).await;
            after = self.look(slot).await?;
        }
        let told = |bytes: Option<&[u8]>| value(bytes?, &address, self.settings.encoding).ok();
        Ok(RawWrite {
            before: told(before.as_deref()),
            read_back: after.is_some(),
            verified: wanted.is_in(after.as_deref(), &address),
            after: told(after.as_deref()),
            requests: 0,
        })
    }

    fn wanted(&self, address: &PointAddress, raw: &Value) -> Result<Wanted, Refusal> {
        let refuse = |cause| Refusal::Told(ErrorKind::OutOfLimits, cause);
        if address.raw_type == RawType::Bool {
            return truth(raw).map(Wanted::Bit).map_err(|error| refuse(error.to_string()));
        }
        let encoding = self.settings.encoding;
        let bytes = encode(raw, address, encoding).map_err(|error| refuse(error.to_string()))?;
        let max = write_bytes_max(self.client.pdu_bytes);
        if bytes.len() > max {
            let length = bytes.len();
            return Err(refuse(format!(
                "the value takes {length} bytes, and this device's messages of {} bytes carry {max}; nothing is written in pieces, because the program could see a half",
                self.client.pdu_bytes
            )));
        }
        Ok(Wanted::Bytes { offset: write_offset(address.raw_type), bytes })
    }

    /// What the point holds; none where the device does not let it be read.
    async fn look(&mut self, slot: &Slot) -> Result<Option<Vec<u8>>, CallError> {
        match self.fetch(&[Block::single(*slot)]).await {
            Ok(mut answers) => Ok(answers.pop().and_then(Result::ok)),
            Err(CallError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the limits also allow the value that the device will hold, where it holds whole numbers and
    /// the value is rounded to one: 9.6 within 9.7 becomes 10.
    fn check_rounded(&self, slot: &Slot, raw: &Value) -> Result<(), String> {
        let Some(point) = self.spec.points.get(slot.point) else { return Ok(()) };
        let (Some(limits), Value::F64(exact)) = (&point.write, raw) else { return Ok(()) };
        let is_whole = !matches!(slot.address.raw_type, RawType::Real | RawType::Lreal);
        let whole = exact.round();
        let is_noise = (whole - exact).abs() <= SCALING_NOISE_MAX * exact.abs().max(1.0);
        if !is_whole || is_noise {
            return Ok(());
        }
        match point.engineering(&Value::F64(whole), self.clock.now()) {
            Ok(rounded) => point
                .within_limits(limits, &rounded)
                .map_err(|cause| format!("it would be rounded, and {cause}")),
            Err(_) => Ok(()),
        }
    }
}

/// How many characters there is room for: the device's own capacity where the address allows more, because
/// what lies behind a text is something else's.
fn room(address: &PointAddress, before: Option<&[u8]>) -> Result<u16, Refusal> {
    if address.raw_type.length_max().is_none() {
        return Ok(address.length);
    }
    match before.and_then(|bytes| capacity(bytes, address.raw_type)) {
        Some(capacity) => Ok(address.length.min(capacity)),
        None => {
            let cause = "the text cannot be read, so nobody knows how many characters it has room for; nothing was written".to_owned();
            Err(Refusal::Told(ErrorKind::Rejected, cause))
        }
    }
}

impl Stage {
    fn told(self) -> &'static str {
        match self {
            Self::NotSent => "the write was not sent",
            Self::Sent => "whether the write was carried out is not known",
            Self::Confirmed => "the device had confirmed the write, but it could not be read back",
        }
    }
}

impl Wanted {
    fn item(&self, address: &PointAddress) -> WriteItem<'_> {
        let PointAddress { area, db, start, bit, .. } = *address;
        match self {
            Self::Bit(on) => WriteItem { area, db, start, content: Content::Bit { bit, on: *on } },
            Self::Bytes { offset, bytes } => {
                let start = start + u32::from(*offset);
                WriteItem { area, db, start, content: Content::Bytes(bytes) }
            }
        }
    }

    fn is_in(&self, found: Option<&[u8]>, address: &PointAddress) -> bool {
        let Some(found) = found else { return false };
        match self {
            Self::Bit(on) => {
                found.first().is_some_and(|byte| (byte >> (address.bit & 7) & 1 == 1) == *on)
            }
            Self::Bytes { offset, bytes } => {
                found.get(usize::from(*offset)..).is_some_and(|found| found.starts_with(bytes))
            }
        }
    }
}
