//! Writes: read what was there, write once in the node's own type, read back.

use std::time::Duration;

use opcua::types::{
    AttributeId, DataValue, NumericRange, StatusCode, TimestampsToReturn, Variant, WriteValue,
};
use weir_connect::{DriverError, ErrorKind, RawWrite};
use weir_model::Value;

use super::OpcUaSession;
use crate::encode::to_variant;
use crate::kinds::Kind;
use crate::status::{Failure, plain, told};

/// Attempts to read back what was written: controllers take a cycle to show it.
const READ_BACK_ATTEMPTS_MAX: u32 = 3;

/// Between attempts to read back.
const READ_BACK_PAUSE: Duration = Duration::from_millis(50);

/// A scaled value that misses a whole number by less than this, relatively, is that number.
const SCALING_NOISE_MAX: f64 = 1e-9;

impl OpcUaSession {
    pub(super) async fn write_point(
        &mut self,
        index: usize,
        raw: &Value,
    ) -> Result<RawWrite, DriverError> {
        let label = self.spec.label();
        if self.points.get(index).is_none() {
            return Err(DriverError::new(ErrorKind::Unknown, label, "", "there is no such point"));
        }
        let place = self.place(index);
        let refuse = |kind, cause: String| {
            Err(DriverError::new(kind, label.as_str(), place.as_str(), cause))
        };
        let is_writable = self.points.get(index).is_some_and(|point| point.address.is_writable());
        if !is_writable {
            return refuse(
                ErrorKind::NotWritable,
                "a field or an attribute can only be read".to_owned(),
            );
        }
        if let Some(Err(cause)) = self.points.get(index).map(|point| point.node.clone()) {
            return refuse(ErrorKind::Misconfigured, cause);
        }
        let before = match self.look(index).await {
            Ok(before) => before,
            Err(failure) => return Err(self.lost(failure.with("the write was not sent"))),
        };
        if self.ignores_index(index, &before) {
            let cause = "the server ignores index ranges, and would replace the whole array; write the whole array instead";
            return refuse(ErrorKind::Unsupported, cause.to_owned());
        }
        let wanted = match self.wanted(index, raw, before.value.as_ref()) {
            Ok(wanted) => wanted,
            Err(cause) => return refuse(ErrorKind::OutOfLimits, cause),
        };
        if let Err(cause) = self.check_rounded(index, raw, &wanted) {
            return refuse(ErrorKind::OutOfLimits, cause);
        }
        let sent = self.link.session.write(&[self.write_value(index, wanted.clone())]).await;
        let status = match sent {
            Ok(statuses) => statuses.first().copied().unwrap_or(StatusCode::BadUnknownResponse),
            Err(error) => {
                let failure = Failure::of("writing failed", &error);
                let failure = match failure.kind.ends_session() {
                    true => failure.with("whether the write was carried out is not known"),
                    false => failure,
                };
                return Err(self.lost(failure));
            }
        };
        if status.is_bad() {
            return refuse(refusal(status), told(status));
        }
        let after = self.read_back(index, &wanted).await.map_err(|failure| {
            self.lost(
                failure.with("the server had confirmed the write, but it could not be read back"),
            )
        })?;
        let verified =
            after.value.as_ref().is_some_and(|after| self.is_same(after, &wanted, index));
        Ok(RawWrite {
            before: self.usable(index, &before),
            after: self.usable(index, &after),
            read_back: !is_unreadable(&after),
            verified,
            requests: 3,
        })
    }

    /// What the point holds.
    async fn look(&mut self, index: usize) -> Result<DataValue, Failure> {
        self.describe(&[index]).await?;
        let wanted = self.points.get(index).and_then(|point| point.read_id());
        let wanted = wanted.into_iter().collect::<Vec<_>>();
        let values = self.link.read(&wanted, TimestampsToReturn::Neither).await?;
        Ok(values.into_iter().next().unwrap_or_default())
    }

    /// Whether the server gave more than the elements that were asked for.
    fn ignores_index(&self, index: usize, held: &DataValue) -> bool {
        let asked = self.points.get(index).and_then(|point| point.address.index.as_ref());
        let (Some(asked), Some(Variant::Array(array))) = (asked, &held.value) else { return false };
        asked.length_max().is_some_and(|length_max| array.values.len() > length_max)
    }

    async fn read_back(&mut self, index: usize, wanted: &Variant) -> Result<DataValue, Failure> {
        let mut after = self.look(index).await?;
        for _ in 1..READ_BACK_ATTEMPTS_MAX {
            let is_there =
                after.value.as_ref().is_none_or(|after| self.is_same(after, wanted, index));
            if is_there {
                break;
            }
            tokio::time::sleep(READ_BACK_PAUSE).await;
            after = self.look(index).await?;
        }
        Ok(after)
    }

    /// The value in the node's own type: the one that it is declared to have, else that of what it holds.
    fn wanted(
        &self,
        index: usize,
        raw: &Value,
        before: Option<&Variant>,
    ) -> Result<Variant, String> {
        let Some(point) = self.points.get(index) else {
            return Err("there is no such point".to_owned());
        };
        let held = || {
            before.and_then(|before| match before {
                Variant::Array(array) => Some(array.value_type),
                other => other.scalar_type_id(),
            })
        };
        let kind = match point.kind {
            Kind::Any => held().map_or(Kind::Any, Kind::Scalar),
            kind => kind,
        };
        let is_element = point.address.index.as_ref().is_some_and(|index| index.is_element);
        if is_element && !matches!(raw, Value::Array(_)) {
            // An element is written as an array of one.
            let one = Value::array(vec![raw.clone()]).map_err(|e| e.to_string())?;
            return to_variant(&one, kind, &self.link.namespaces);
        }
        to_variant(raw, kind, &self.link.namespaces)
    }

    /// Whether the limits also allow the whole number to which a scaled value is rounded.
    fn check_rounded(&self, index: usize, raw: &Value, wanted: &Variant) -> Result<(), String> {
        let Some(point) = self.spec.points.get(index) else { return Ok(()) };
        let (Some(limits), Value::F64(exact)) = (&point.write, raw) else { return Ok(()) };
        let sample = match wanted {
            Variant::Array(array) => array.values.first(),
            other => Some(other),
        };
        let is_whole = !matches!(sample, Some(Variant::Float(_) | Variant::Double(_)) | None);
        let whole = exact.round();
        if !is_whole || (whole - exact).abs() <= SCALING_NOISE_MAX * exact.abs().max(1.0) {
            return Ok(());
        }
        match point.engineering(&Value::F64(whole), self.clock.now()) {
            Ok(rounded) => point
                .within_limits(limits, &rounded)
                .map_err(|cause| format!("it would be rounded, and {cause}")),
            Err(_) => Ok(()),
        }
    }

    fn write_value(&self, index: usize, wanted: Variant) -> WriteValue {
        let point = self.points.get(index);
        let node = point.and_then(|point| point.node.as_ref().ok()).cloned();
        WriteValue {
            node_id: node.unwrap_or_default(),
            attribute_id: AttributeId::Value as u32,
            index_range: point.map_or(NumericRange::None, |point| point.range()),
            // Times and status are the server's business; many refuse a write that gives them.
            value: DataValue { value: Some(wanted), ..DataValue::null() },
        }
    }

    /// Whether the point holds what was written. A server may add a language to a text.
    fn is_same(&self, after: &Variant, wanted: &Variant, index: usize) -> bool {
        if after == wanted {
            return true;
        }
        let value = |variant: &Variant| {
            let held = DataValue { value: Some(variant.clone()), ..DataValue::null() };
            self.value_of(index, &held).ok()
        };
        value(after).is_some_and(|after| Some(after) == value(wanted))
    }

    fn usable(&self, index: usize, value: &DataValue) -> Option<Value> {
        let is_bad = value.status.is_some_and(|status| status.is_bad());
        if is_bad { None } else { self.value_of(index, value).ok() }
    }
}

/// Whether the server lets nobody look at what it holds.
fn is_unreadable(value: &DataValue) -> bool {
    let status = value.status.map(plain);
    matches!(status, Some(StatusCode::BadNotReadable | StatusCode::BadUserAccessDenied))
}

fn refusal(status: StatusCode) -> ErrorKind {
    match plain(status) {
        StatusCode::BadNotWritable | StatusCode::BadUserAccessDenied => ErrorKind::NotWritable,
        StatusCode::BadOutOfRange | StatusCode::BadTypeMismatch => ErrorKind::OutOfLimits,
        _ => ErrorKind::Rejected,
    }
}
