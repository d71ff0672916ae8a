//! Writing one point: what was there, the write, and what is there now.

use std::time::Duration;

use weir_connect::{DriverError, ErrorKind, RawWrite};
use weir_model::Value;

use super::ModbusSession;
use crate::client::{CallError, Data, Order};
use crate::plan::Slot;
use crate::words::{decode_words, encode_words, truth};
use crate::{PointAddress, RawType, Table};

/// The exception by which another function is tried (illegal function).
const ILLEGAL_FUNCTION: u8 = 0x01;

/// How often a device is asked whether it holds what was written: some take a scan cycle.
const READ_BACK_ATTEMPTS_MAX: u32 = 3;

/// What a raw value may be off a whole number by calculating with doubles alone, as a share of it.
const SCALING_NOISE_MAX: f64 = 1e-9;

/// Between these attempts: the scan cycle of a slow controller.
const READ_BACK_PAUSE: Duration = Duration::from_millis(100);

impl ModbusSession {
    pub(super) async fn write_point(
        &mut self,
        point: usize,
        raw: &Value,
    ) -> Result<RawWrite, DriverError> {
        let Some(slot) = self.slots.get(point).copied() else {
            let cause = "there is no such point";
            return Err(DriverError::new(ErrorKind::Unknown, self.spec.label(), "", cause));
        };
        let place = self.place_of_slot(&slot);
        let refuse = |kind, cause: String| {
            Err(DriverError::new(kind, self.spec.label(), place.as_str(), cause))
        };
        if !slot.address.table.is_writable() {
            return refuse(ErrorKind::NotWritable, "this table can only be read".to_owned());
        }
        let wanted = match Wanted::of(&slot, raw) {
            Ok(wanted) => wanted,
            Err(cause) => return refuse(ErrorKind::OutOfLimits, cause),
        };
        if let Err(cause) = self.check_rounded(&slot, raw) {
            return refuse(ErrorKind::OutOfLimits, cause);
        }
        let requests_before = self.client.requests;
        let mut stage = Stage::NotSent;
        match self.write_wanted(&slot, wanted, &mut stage).await {
            Ok(mut done) => {
                done.requests = self.client.requests.wrapping_sub(requests_before);
                Ok(done)
            }
            Err(CallError::Failed(kind, cause)) => {
                let cause = format!("{cause}; {}", stage.told());
                Err(self.lost(&place, CallError::Failed(kind, cause)))
            }
            Err(error) => Err(self.lost(&place, error)),
        }
    }

    /// Whether the limits also allow the value that the registers will hold, where they hold whole
    /// numbers and it is rounded to one: 9.6 within 9.7 becomes 10.
    fn check_rounded(&self, slot: &Slot, raw: &Value) -> Result<(), String> {
        let Some(point) = self.spec.points.get(slot.point) else { return Ok(()) };
        let (Some(limits), Value::F64(exact)) = (&point.write, raw) else { return Ok(()) };
        let is_whole = !matches!(slot.address.raw_type, RawType::F32 | RawType::F64);
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

    async fn write_wanted(
        &mut self,
        slot: &Slot,
        wanted: Wanted,
        stage: &mut Stage,
    ) -> Result<RawWrite, CallError> {
        let before = self.look(slot).await?;
        *stage = Stage::Sent;
        self.carry_out(slot, &wanted, before.as_ref()).await?;
        *stage = Stage::Confirmed;
        let mut after = self.look(slot).await?;
        for _ in 1..READ_BACK_ATTEMPTS_MAX {
            if after.is_none() || wanted.is_in(after.as_ref()) {
                break;
            }
            tokio::time::sleep(READ_BACK_PAUSE).await;
            after = self.look(slot).await?;
        }
        Ok(RawWrite {
            before: before.and_then(|data| value_of(slot, &data)),
            read_back: after.is_some(),
            verified: wanted.is_in(after.as_ref()),
            after: after.and_then(|data| value_of(slot, &data)),
            requests: 0,
        })
    }

    /// What the point holds; none where the device does not let it be read.
    async fn look(&mut self, slot: &Slot) -> Result<Option<Data>, CallError> {
        let PointAddress { unit, table, address, raw_type, .. } = slot.address;
        match self.client.read(unit, table, address, raw_type.width()).await {
            Ok(data) => Ok(Some(data)),
            Err(CallError::Exception(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes with the plainest function, and with the other one where the device does not know it.
    async fn carry_out(
        &mut self,
        slot: &Slot,
        wanted: &Wanted,
        before: Option<&Data>,
    ) -> Result<(), CallError> {
        let PointAddress { unit, address, .. } = slot.address;
        let (plain, other) = match wanted {
            Wanted::Coil(on) => (Order::Coil(*on), Order::Coils(std::slice::from_ref(on))),
            Wanted::Bit { mask, on } => {
                let or = if *on { *mask } else { 0 };
                let masked = self.client.write(unit, address, Order::Mask { and: !mask, or }).await;
                let Err(CallError::Exception(ILLEGAL_FUNCTION)) = masked else { return masked };
                // Without the mask function the whole register is written with the bit changed.
                // A bit that the device changes in between is set back: it has no better way.
                let Some(Data::Words(words)) = before else { return masked };
                let old = words.first().copied().unwrap_or_default();
                let word = (old & !mask) | or;
                return self.client.write(unit, address, Order::Register(word)).await;
            }
            Wanted::Words(words) => match words.as_slice() {
                [word] => (Order::Register(*word), Order::Registers(words)),
                words => return self.client.write(unit, address, Order::Registers(words)).await,
            },
        };
        match self.client.write(unit, address, plain).await {
            Err(CallError::Exception(ILLEGAL_FUNCTION)) => {
                self.client.write(unit, address, other).await
            }
            result => result,
        }
    }
}

/// How far a write has come when the connection is lost.
#[derive(Debug, Clone, Copy)]
enum Stage {
    NotSent,
    Sent,
    Confirmed,
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

/// What the device should hold.
enum Wanted {
    Coil(bool),
    Bit { mask: u16, on: bool },
    Words(Vec<u16>),
}

impl Wanted {
    fn of(slot: &Slot, raw: &Value) -> Result<Self, String> {
        let PointAddress { table, raw_type, bit, word_order, .. } = slot.address;
        if table == Table::Coil {
            return truth(raw).map(Self::Coil).map_err(|e| e.to_string());
        }
        if slot.is_bit_of_register() {
            let mask = 1 << (bit.unwrap_or_default() & 15);
            return truth(raw).map(|on| Self::Bit { mask, on }).map_err(|e| e.to_string());
        }
        encode_words(raw, raw_type, word_order).map(Self::Words).map_err(|e| e.to_string())
    }

    fn is_in(&self, data: Option<&Data>) -> bool {
        match (self, data) {
            (Self::Coil(on), Some(Data::Bits(bits))) => bits.first() == Some(on),
            (Self::Bit { mask, on }, Some(Data::Words(words))) => {
                words.first().is_some_and(|word| (word & mask != 0) == *on)
            }
            (Self::Words(wanted), Some(Data::Words(words))) => wanted == words,
            _ => false,
        }
    }
}

fn value_of(slot: &Slot, data: &Data) -> Option<Value> {
    let PointAddress { raw_type, word_order, bit, .. } = slot.address;
    match data {
        Data::Bits(bits) => bits.first().map(|bit| Value::Bool(*bit)),
        Data::Words(words) => decode_words(words, raw_type, word_order, bit),
    }
}
