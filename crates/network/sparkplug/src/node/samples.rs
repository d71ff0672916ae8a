//! Messages to samples: names, types, times, structures.

use std::sync::Arc;

use tokio::time::Instant;
use weir_model::{Quality, Timestamp, Value};

use super::{EdgeNode, Event, Sample};
use crate::catalogue::{Catalogue, DEPTH_MAX, METRICS_MAX, quality_code};
use crate::proto::{Metric, MetricValue, Payload};
use crate::value::{self, Misfit, Type};

/// Clocks that are further apart than this are corrected; less is the network.
const CLOCK_OFF_MAX_NS: i64 = 2_000_000_000;

/// What is still this far ahead after correction is told with its arrival: the historian refuses a whole batch
/// for one time that lies ten minutes ahead.
const AHEAD_MAX_NS: i64 = 60_000_000_000;

impl EdgeNode {
    /// A birth is sent when it is made, so it tells how far the clocks are apart.
    pub(super) fn correct(&mut self, birth: &Payload, arrived: Timestamp) {
        let sent = birth.timestamp.and_then(at);
        let off = sent.map_or(0, |sent| arrived.nanos().saturating_sub(sent.nanos()));
        self.correction_ns = if off.saturating_abs() > CLOCK_OFF_MAX_NS { off } else { 0 };
    }

    /// The samples of a message.
    pub(super) fn say(
        &mut self,
        device: Option<&Arc<str>>,
        payload: &Payload,
        arrived: Timestamp,
        of_birth: bool,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let empty = Catalogue::default();
        let catalogue = match device {
            None => &self.own,
            Some(name) => self.devices.get(name).map_or(&empty, |device| &device.metrics),
        };
        let (mut unknown, mut narrow) = (None, None);
        let quality = Quality::GOOD;
        let mut said = Said { device, catalogue, arrived, of_birth, quality, events: &mut *events };
        for metric in payload.metrics.iter().take(METRICS_MAX) {
            let Some((name, data_type)) = catalogue.resolve(metric) else {
                let is_definition = matches!(&metric.value, Some(MetricValue::Template(t)) if t.is_definition == Some(true));
                if !of_birth && !is_definition {
                    unknown.get_or_insert_with(|| told(metric));
                }
                continue;
            };
            narrow = metric.value.as_ref().and_then(|v| value::is_narrow(v, data_type)).or(narrow);
            let historical = metric.is_historical == Some(true);
            // A birth says what holds now, however long ago it came to be.
            let own = metric.timestamp.filter(|_| historical || !of_birth);
            let time = own.or(payload.timestamp).and_then(at);
            let time = time.map(|time| time.saturating_add(self.correction_ns));
            let latest = arrived.saturating_add(AHEAD_MAX_NS);
            let time = time.filter(|time| *time <= latest).unwrap_or(arrived);
            said.quality = quality_code(metric).map_or(Quality::GOOD, value::quality);
            said.metric(&name, metric, data_type, time, historical, 0);
        }
        self.narrow = narrow.unwrap_or(self.narrow);
        if let Some(unknown) = unknown {
            self.want_rebirth(
                now,
                &format!("{unknown} is not among the metrics of the birth"),
                events,
            );
        }
    }
}

/// What does not change within a message.
struct Said<'a> {
    device: Option<&'a Arc<str>>,
    catalogue: &'a Catalogue,
    arrived: Timestamp,
    of_birth: bool,
    quality: Quality,
    events: &'a mut Vec<Event>,
}

impl Said<'_> {
    fn metric(
        &mut self,
        name: &Arc<str>,
        metric: &Metric,
        data_type: Type,
        time: Timestamp,
        historical: bool,
        depth: usize,
    ) {
        if metric.is_null == Some(true) || metric.value.is_none() {
            let quality = if self.quality.is_bad() { self.quality } else { Quality::BAD };
            self.sample(
                name,
                time,
                historical,
                Err((quality, "the edge node says that it has no value".to_owned())),
            );
            return;
        }
        match &metric.value {
            Some(MetricValue::Template(template)) => {
                if template.is_definition == Some(true) || depth >= DEPTH_MAX {
                    return;
                }
                for member in template.metrics.iter().take(METRICS_MAX) {
                    let Some(own) = member.name.as_deref() else { continue };
                    let full = format!("{name}/{own}");
                    let known = self.catalogue.get(&full).map(|known| known.data_type);
                    let data_type = member.datatype.and_then(Type::from_code).or(known);
                    let Some(data_type) = data_type else { continue };
                    self.metric(&full.into(), member, data_type, time, historical, depth + 1);
                }
            }
            Some(MetricValue::DataSet(table)) => {
                for (column, value) in value::columns(table) {
                    let full: Arc<str> = format!("{name}/{column}").into();
                    self.decoded(&full, time, historical, value);
                }
            }
            Some(value) => self.decoded(name, time, historical, value::decode(value, data_type)),
            None => {}
        }
    }

    fn decoded(
        &mut self,
        name: &Arc<str>,
        time: Timestamp,
        historical: bool,
        value: Result<Value, Misfit>,
    ) {
        let outcome = value.map_err(|Misfit(cause)| (Quality::CONFIGURATION_ERROR, cause));
        self.sample(name, time, historical, outcome);
    }

    fn sample(
        &mut self,
        name: &Arc<str>,
        time: Timestamp,
        historical: bool,
        outcome: Result<Value, (Quality, String)>,
    ) {
        // What has no time of its own came now.
        let time = if historical { time.min(self.arrived) } else { time };
        self.events.push(Event::Sample(Sample {
            device: self.device.cloned(),
            metric: Arc::clone(name),
            time,
            outcome,
            quality: self.quality,
            historical,
            of_birth: self.of_birth,
        }));
    }
}

/// A time in milliseconds since 1970; none where it is beyond all times.
fn at(millis: u64) -> Option<Timestamp> {
    i64::try_from(millis).ok().and_then(Timestamp::from_millis)
}

fn told(metric: &Metric) -> String {
    match (&metric.name, metric.alias) {
        (Some(name), _) => format!("\"{name:.200}\""),
        (None, Some(alias)) => format!("alias {alias}"),
        (None, None) => "a metric without a name".to_owned(),
    }
}
