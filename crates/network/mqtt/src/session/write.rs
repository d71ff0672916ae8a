//! Writing: one message, and what comes back on the point's own topic.

use tokio::time::{Instant, timeout_at};
use weir_connect::{DriverError, ErrorKind, RawWrite};
use weir_model::Value;

use super::{MESSAGES_MAX, MqttSession, Stage, shown};
use crate::link::{Message, Qos};
use crate::payload::{Payload, encode};

/// Messages that may wait while a write is read back; then it is not verified.
const WAITING_MAX: usize = 10_000;

impl MqttSession {
    pub(super) async fn write_point(
        &mut self,
        point: usize,
        raw: &Value,
    ) -> Result<RawWrite, DriverError> {
        let refusal = |kind, cause: String| {
            DriverError::new(kind, self.spec.label(), self.settings.link.endpoint(), cause)
        };
        let Some(write) = self.addresses.get(point).and_then(|address| address.write.clone())
        else {
            return Err(refusal(
                ErrorKind::NotWritable,
                "its address has no topic to write to".to_owned(),
            ));
        };
        if self.stage != Stage::Subscribed {
            let cause = "the subscriptions do not stand yet; try again in a moment";
            return Err(refusal(ErrorKind::Rejected, cause.to_owned()));
        }
        let place = format!("{}, topic {}", self.settings.link.endpoint(), shown(&write.topic));
        let payload = self
            .addresses
            .get(point)
            .map(|address| encode(address, write.template.as_deref(), raw, self.clock.now()));
        let payload = match payload {
            Some(Ok(payload)) => payload,
            Some(Err(cause)) => {
                return Err(DriverError::new(
                    ErrorKind::OutOfLimits,
                    self.spec.label(),
                    place,
                    cause,
                ));
            }
            None => return Err(refusal(ErrorKind::Unknown, "there is no such point".to_owned())),
        };
        let before = self.last.get(point).cloned().flatten();
        let published =
            self.link.publish(&write.topic, payload, Qos::AtLeastOnce, write.retain).await;
        published.map_err(|error| error.at(self.spec.label(), place))?;
        let (after, verified) = self.read_back(point, raw).await;
        let read_back = after.is_some();
        Ok(RawWrite { before, after, read_back, verified, requests: 1 })
    }

    /// Waits for a message on the point's own topic that says what was written, within the time-out. A broken
    /// connection is told by the next collect: the message was acknowledged.
    async fn read_back(&mut self, point: usize, raw: &Value) -> (Option<Value>, bool) {
        let deadline = Instant::now() + self.settings.link.timeout;
        let mut after = None;
        while self.waiting.len() < WAITING_MAX {
            if timeout_at(deadline, self.link.ready()).await.is_err() {
                break;
            }
            let Ok(messages) = self.link.take(MESSAGES_MAX) else { break };
            for message in messages {
                let value = self.said(point, &message);
                self.waiting.push_back(message);
                after = value.or(after);
            }
            if after.as_ref().is_some_and(|after| same(after, raw)) {
                return (after, true);
            }
        }
        (after, false)
    }

    /// What a message says of a point, unless it was kept from before.
    fn said(&self, point: usize, message: &Message) -> Option<Value> {
        let address = self.addresses.get(point).filter(|a| a.topic == *message.topic)?;
        let data_type = self.spec.points.get(point)?.data_type;
        let decoded = Payload::new(&message.payload, message.arrived).decode(address, data_type);
        decoded.ok().flatten().map(|decoded| decoded.value).filter(|_| !message.retained)
    }
}

/// Whether two raw values are the same, however their numbers are written: in JSON, 12 may come back as 12.0.
fn same(a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        _ => match (a.as_f64(), b.as_f64()) {
            // Whole numbers beyond 2^53 are equal only where they are equal.
            (Some(a), Some(b)) => a == b && a.abs() <= 9_007_199_254_740_992.0,
            _ => false,
        },
    }
}
