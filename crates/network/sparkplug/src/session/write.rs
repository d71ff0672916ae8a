//! Writing: a command with the metric's name or alias and type, and the data that comes back.

use bytes::Bytes;
use prost::Message as _;
use tokio::time::{Instant, timeout_at};
use weir_connect::{DriverError, ErrorKind, RawWrite};
use weir_model::Value;
use weir_mqtt::Qos;

use super::{SparkplugSession, Stage, WAITING_MAX};
use crate::proto::{self, Payload};
use crate::topic::{MessageKind, Topic};
use crate::value;

impl SparkplugSession {
    pub(super) async fn write_point(
        &mut self,
        point: usize,
        raw: &Value,
    ) -> Result<RawWrite, DriverError> {
        let Some(address) = self.addresses.get(point).cloned() else {
            return Err(self.refusal(ErrorKind::Unknown, "", "there is no such point"));
        };
        let place = address.told();
        if self.stage != Stage::Subscribed {
            let cause = "the edge node is not subscribed to yet; try again in a moment";
            return Err(self.refusal(ErrorKind::Rejected, &place, cause));
        }
        let Some(metric) = self.node.metric(address.device.as_deref(), &address.metric).cloned()
        else {
            let cause = "the metric is not there at the moment: its edge node or device is offline, or has no such metric";
            return Err(self.refusal(ErrorKind::Rejected, &place, cause));
        };
        if metric.is_part || metric.read_only {
            let cause = if metric.is_part {
                "a member of a template or a column of a data set cannot be written alone"
            } else {
                "the edge node says that it is read-only"
            };
            return Err(self.refusal(ErrorKind::NotWritable, &place, cause));
        }
        let encoded = value::encode(raw, metric.data_type, self.node.is_narrow());
        let encoded =
            encoded.map_err(|cause| self.refusal(ErrorKind::OutOfLimits, &place, &cause))?;
        let timestamp = u64::try_from(self.clock.now().nanos() / 1_000_000).ok();
        // Where a birth gave an alias, it alone is used (6.4.11).
        let command = proto::Metric {
            name: metric.alias.is_none().then(|| address.metric.clone()),
            alias: metric.alias,
            timestamp,
            datatype: Some(metric.data_type.code()),
            value: Some(encoded),
            ..proto::Metric::default()
        };
        let payload = Payload { timestamp, metrics: vec![command], ..Payload::default() };
        let kind = match &address.device {
            None => MessageKind::NodeCommand,
            Some(_) => MessageKind::DeviceCommand,
        };
        let topic = Topic {
            group: &self.settings.group,
            kind,
            edge_node: &self.settings.edge_node,
            device: address.device.as_deref(),
        };
        let before = self.last.get(point).cloned().flatten();
        let said = self.said.len();
        let payload = Bytes::from(payload.encode_to_vec());
        let published =
            self.link.publish(&topic.to_string(), payload, Qos::AtMostOnce, false).await;
        published.map_err(|error| {
            error.at(self.spec.label(), format!("{}, {place}", self.settings.place()))
        })?;
        let (after, verified) = self.read_back(point, raw, said).await;
        let read_back = after.is_some();
        Ok(RawWrite { before, after, read_back, verified, requests: 1 })
    }

    fn refusal(&self, kind: ErrorKind, place: &str, cause: &str) -> DriverError {
        let place = format!("{}, {place}", self.settings.place());
        DriverError::new(kind, self.spec.label(), place, cause)
    }

    /// Waits for data that says what was written, within the time-out. A broken connection is told by the next
    /// collect: whether the command arrived is not known, and so it is not verified.
    async fn read_back(
        &mut self,
        point: usize,
        raw: &Value,
        mut seen: usize,
    ) -> (Option<Value>, bool) {
        let deadline = Instant::now() + self.settings.link.timeout;
        let mut after = None;
        while self.waiting() < WAITING_MAX {
            if timeout_at(deadline, self.something()).await.is_err()
                || self.advance().await.is_err()
            {
                break;
            }
            let new = self.said.iter().skip(seen).filter(|reading| reading.point == point);
            after = new.filter_map(|reading| reading.outcome.clone().ok()).next_back().or(after);
            seen = self.said.len();
            if after.as_ref().is_some_and(|after| same(after, raw)) {
                return (after, true);
            }
        }
        (after, false)
    }
}

/// Whether two raw values are the same, however their numbers are written; a float comes back with fewer digits.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b || a as f32 == b as f32 && a == f64::from(a as f32),
        _ => a == b,
    }
}
