//! A connection to one device, or a port that devices connect to: which lines are samples of which points.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use weir_connect::dial::Lookups;
use weir_connect::{
    Circumstances, Clock, Collected, DeviceSpec, DriverError, ErrorKind, RawWrite, Reading, Session,
};
use weir_model::{DataType, Quality, Timestamp, Value};

use crate::address::{Format, command_text};
use crate::extract::{Line, extract};
use crate::intake::{Event, Intake, Tally, connect, listen, queue};
use crate::{Mode, PointAddress, Settings};

/// Readings after which a batch leaves, and lines that are looked at for one.
const READINGS_MAX: usize = 1000;
const LINES_MAX: usize = 256;

/// Lines that a test reads ahead at most.
const PEEKED_LINES_MAX: usize = 256;

/// A clock that goes back by less than this is a clock that is being corrected: times still rise. Beyond, it
/// was set, and its times count.
const CORRECTION_NANOS_MAX: i64 = 1_000_000_000;

pub(crate) struct LineSession {
    spec: Arc<DeviceSpec>,
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    addresses: Vec<PointAddress>,
    events: mpsc::Receiver<Event>,
    /// What was taken from the queue and not yet given out.
    pending: VecDeque<Event>,
    /// Whether it was said that the connection stands.
    has_reported: bool,
    /// The time of the line before.
    last: Timestamp,
    /// Lines that no point took.
    unclaimed: u64,
    writer: Option<OwnedWriteHalf>,
    tally: Arc<Tally>,
    /// Reads the connection, or accepts and reads others. It ends with the session.
    task: JoinHandle<()>,
}

impl Drop for LineSession {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LineSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
        settings: Settings,
        addresses: Vec<PointAddress>,
        lookups: &Lookups,
    ) -> Result<Self, DriverError> {
        let failed = |kind, cause| DriverError::new(kind, spec.label(), settings.place(), cause);
        let settings = Arc::new(settings.clone());
        let (sender, events) = queue();
        let clock = circumstances.clock;
        let intake =
            Intake { settings: Arc::clone(&settings), clock: Arc::clone(&clock), events: sender };
        let tally = Arc::new(Tally::default());
        let (task, writer) = match &settings.mode {
            Mode::Connect { host } => {
                let stream = connect(host, &settings, lookups)
                    .await
                    .map_err(|(kind, cause)| failed(kind, cause))?;
                let source = stream
                    .peer_addr()
                    .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
                let (reader, writer) = stream.into_split();
                (tokio::spawn(intake.read(reader, source)), Some(writer))
            }
            Mode::Listen { address, allow, connections_max } => {
                let listener = listen(*address, settings.port)
                    .await
                    .map_err(|cause| failed(ErrorKind::Unreachable, cause))?;
                let accepting =
                    intake.accept(listener, allow.clone(), *connections_max, Arc::clone(&tally));
                (tokio::spawn(accepting), None)
            }
        };
        Ok(Self {
            spec,
            settings,
            clock,
            addresses,
            events,
            pending: VecDeque::new(),
            has_reported: false,
            last: Timestamp::MIN,
            unclaimed: 0,
            writer,
            tally,
            task,
        })
    }

    fn error(&self, kind: ErrorKind, cause: impl Into<String>) -> DriverError {
        DriverError::new(kind, self.spec.label(), self.settings.place(), cause)
    }

    /// Takes the next event out of the queue, and waits for it.
    async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // The task says why it ends, unless it was a mistake of ours.
            None => Event::Ended(ErrorKind::Disconnected, "reading has stopped".to_owned()),
        }
    }

    /// A time for a line: when it arrived, but never that of the line before, so that both are kept.
    fn time_of(&mut self, arrived: Timestamp) -> Timestamp {
        self.last = rising(self.last, arrived);
        self.last
    }

    /// Readings of all points that take a line.
    fn readings(&self, source: IpAddr, bytes: &[u8], time: Timestamp) -> Vec<Reading> {
        let text = self.settings.encoding.decode(bytes);
        let line = Line::new(&text, source);
        let points = self.addresses.iter().zip(&self.spec.points).enumerate();
        let reading =
            |(index, (address, point)): (usize, (&PointAddress, &weir_connect::Point))| {
                Some(match extract(&line, address, point.data_type)? {
                    Ok(value) => Reading::good(index, time, value),
                    Err(cause) => {
                        let cause = format!("{}: from {source}: {cause}", self.settings.place());
                        Reading::fault(index, time, Quality::OUT_OF_RANGE, cause)
                    }
                })
            };
        points.filter_map(reading).collect()
    }

    /// A line that is too long concerns the points that take lines from where it came.
    fn too_long(&self, source: IpAddr, time: Timestamp) -> Vec<Reading> {
        let max = self.settings.line_bytes_max;
        let cause = format!(
            "{}: from {source}: a line of more than {max} bytes came without a delimiter; check the delimiter and line_bytes_max",
            self.settings.place()
        );
        let concerns = |address: &PointAddress| {
            !address.is_command() && address.source.is_none_or(|own| own == source)
        };
        let points = self.addresses.iter().enumerate().filter(|(_, address)| concerns(address));
        points
            .map(|(index, _)| {
                Reading::fault(index, time, Quality::COMMUNICATION_ERROR, cause.clone())
            })
            .collect()
    }

    fn note_unclaimed(&mut self, source: IpAddr, bytes: &[u8]) {
        self.unclaimed = self.unclaimed.saturating_add(1);
        // Told more and more seldom, or a device that nobody has set up could fill the log. What the line says
        // does not belong there: it may name a person.
        if self.unclaimed.is_power_of_two() {
            let (device, bytes, lines) = (self.spec.label(), bytes.len(), self.unclaimed);
            tracing::warn!(device, %source, bytes, lines, "a line is dropped: no point takes it");
        }
    }

    /// Lines that have arrived, as readings; an error that came before them waits for its turn.
    fn drain(&mut self) -> Result<Collected, DriverError> {
        let mut collected = Collected::default();
        for _ in 0..LINES_MAX {
            if collected.readings.len() >= READINGS_MAX {
                break;
            }
            let next = self.pending.pop_front().or_else(|| self.events.try_recv().ok());
            match next {
                None => break,
                Some(Event::Line { source, bytes, time }) => {
                    let time = self.time_of(time);
                    let readings = self.readings(source, &bytes, time);
                    if readings.is_empty() {
                        self.note_unclaimed(source, &bytes);
                    }
                    collected.readings.extend(readings);
                }
                Some(Event::TooLong { source, time }) => {
                    let time = self.time_of(time);
                    collected.readings.extend(self.too_long(source, time));
                }
                Some(Event::Ended(kind, cause)) if collected.readings.is_empty() => {
                    return Err(self.error(kind, cause));
                }
                Some(ended) => {
                    self.pending.push_front(ended);
                    break;
                }
            }
        }
        collected.more = !self.pending.is_empty() || !self.events.is_empty();
        Ok(collected)
    }

    /// Whether there is a point that lines bring values of, and none has come.
    fn is_awaited(&self, points: &[usize], found: &[Option<Reading>]) -> bool {
        let is_received =
            |point: &usize| self.addresses.get(*point).is_some_and(|a| !a.is_command());
        let is_missing = |point: &usize| found.get(*point).is_some_and(Option::is_none);
        points.iter().any(|point| is_received(point) && is_missing(point))
    }

    /// The line that a write sends, or why there is none.
    fn line_of(&self, template: &str, raw: &Value) -> Result<Vec<u8>, (ErrorKind, String)> {
        let refuse = |cause: &str| Err((ErrorKind::OutOfLimits, cause.to_owned()));
        let text = match raw {
            Value::Text(text) => text.to_string(),
            Value::Bool(truth) => u8::from(*truth).to_string(),
            Value::F64(x) if !x.is_finite() => return refuse("only finite numbers can be sent"),
            Value::F64(x) => x.to_string(),
            Value::I64(x) | Value::Enumeration(x) => x.to_string(),
            Value::U64(x) => x.to_string(),
            _ => return refuse("only texts, numbers and truth values can be sent"),
        };
        let line = command_text(template, &text);
        let Some(bytes) = self.settings.encoding.encode(&line) else {
            return refuse("the line has characters that the device's encoding does not have");
        };
        if bytes.len() > self.settings.line_bytes_max {
            let max = self.settings.line_bytes_max;
            return refuse(&format!("the line has {} bytes; at most {max} are sent", bytes.len()));
        }
        match self.settings.delimiter.wrap(&bytes) {
            Some(wrapped) => Ok(wrapped),
            None => refuse("the line has a line end or delimiter inside, and would be two"),
        }
    }

    async fn send(&mut self, line: &[u8]) -> Result<(), (ErrorKind, String)> {
        let Some(writer) = &mut self.writer else {
            let cause = "lines are sent only where Weir connects to the device".to_owned();
            return Err((ErrorKind::NotWritable, cause));
        };
        let unknown = "whether the device has the line is not known";
        match timeout(self.settings.timeout, writer.write_all(line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err((
                ErrorKind::Disconnected,
                format!("the connection was lost ({error}); {unknown}"),
            )),
            Err(_) => {
                let ms = self.settings.timeout.as_millis();
                Err((
                    ErrorKind::Timeout,
                    format!("the device takes nothing for {ms} ms; {unknown}"),
                ))
            }
        }
    }
}

/// The time for a line that arrived after another: later by a nanosecond at least, unless the clock was set.
fn rising(last: Timestamp, arrived: Timestamp) -> Timestamp {
    let back = last.nanos().saturating_sub(arrived.nanos());
    if (0..CORRECTION_NANOS_MAX).contains(&back) { last.saturating_add(1) } else { arrived }
}

#[async_trait]
impl Session for LineSession {
    fn peer(&self) -> String {
        let place = self.settings.place();
        match self.settings.mode {
            Mode::Connect { .. } => place,
            Mode::Listen { .. } => {
                let connected = self.tally.connected.load(Relaxed);
                let refused = self.tally.refused.load(Relaxed);
                format!("{place}, {connected} connected, {refused} refused")
            }
        }
    }

    async fn due(&mut self) {
        // Nothing may come for hours, and the device is there all the same.
        if self.has_reported && self.pending.is_empty() {
            let event = self.next().await;
            self.pending.push_back(event);
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        self.has_reported = true;
        self.drain()
    }

    /// What lines said that have come, or come within the time-out. They are events all the same: they stay
    /// for [`Session::collect`].
    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let deadline = Instant::now() + self.settings.timeout;
        let mut found: Vec<Option<Reading>> = vec![None; self.addresses.len()];
        let mut seen = 0;
        while seen < PEEKED_LINES_MAX && self.is_awaited(points, &found) {
            if seen == self.pending.len() {
                match timeout_at(deadline, self.next()).await {
                    Ok(event) => self.pending.push_back(event),
                    Err(_) => break,
                }
            }
            let readings = match self.pending.get(seen) {
                Some(Event::Line { source, bytes, time }) => self.readings(*source, bytes, *time),
                Some(Event::TooLong { source, time }) => self.too_long(*source, *time),
                Some(Event::Ended(kind, cause)) => return Err(self.error(*kind, cause.clone())),
                None => break,
            };
            seen += 1;
            for reading in readings {
                if let Some(place) = found.get_mut(reading.point) {
                    *place = Some(reading);
                }
            }
        }
        let now = self.clock.now();
        let ms = self.settings.timeout.as_millis();
        let missing = |point: usize| {
            let is_command = self.addresses.get(point).is_some_and(PointAddress::is_command);
            let cause = match is_command {
                true => {
                    "this point is sent when it is written, and has no value to read".to_owned()
                }
                false => format!(
                    "within {ms} ms no line came that this point takes; trigger the device, and look at format, prefix and pattern"
                ),
            };
            Reading::fault(point, now, Quality::WAITING, cause)
        };
        let reading = |point: &usize| {
            found.get_mut(*point).and_then(Option::take).unwrap_or_else(|| missing(*point))
        };
        Ok(points.iter().map(reading).collect())
    }

    /// Sends a line. Nothing comes back that would confirm it, so it is never said to be verified.
    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        let template = match self.addresses.get(point).map(|address| &address.format) {
            Some(Format::Command { template }) => template.clone(),
            Some(_) => {
                let cause = "only points with the format command are sent";
                return Err(self.error(ErrorKind::NotWritable, cause));
            }
            None => return Err(self.error(ErrorKind::Unknown, "there is no such point")),
        };
        let refuse = |this: &Self, (kind, cause)| this.error(kind, cause);
        let line = self.line_of(&template, raw).map_err(|refusal| refuse(self, refusal))?;
        match self.send(&line).await {
            Ok(()) => Ok(RawWrite {
                before: None,
                after: None,
                read_back: false,
                verified: false,
                requests: 1,
            }),
            Err(refusal) => Err(refuse(self, refusal)),
        }
    }
}

/// Whether a tag of a type can have values that lines bring.
pub(crate) fn mismatch(data_type: DataType) -> Option<&'static str> {
    match data_type {
        DataType::Array => Some("a line brings a text, a number or a truth value"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lines_have_the_same_time() {
        let at = Timestamp::from_nanos;
        let second = CORRECTION_NANOS_MAX;
        assert_eq!(rising(Timestamp::MIN, at(5)), at(5));
        assert_eq!(rising(at(5), at(5)), at(6));
        assert_eq!(rising(at(6), at(5)), at(7));
        assert_eq!(rising(at(7), at(100)), at(100));
        // A clock that was set by an hour is believed.
        assert_eq!(rising(at(3600 * second), at(5)), at(5));
        assert_eq!(rising(Timestamp::MAX, Timestamp::MIN), Timestamp::MIN);
    }
}
