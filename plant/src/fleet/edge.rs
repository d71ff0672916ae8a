//! A Sparkplug edge node: births, data, its will, and the host's request for new births
//! (Sparkplug 3.0.0, chapters 5 and 6).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prost::Message as _;
use rumqttc::{AsyncClient, ClientError, Event, EventLoop, LastWill, MqttOptions, Packet, QoS};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::sparkplug::{Metric, Number, Payload, REBIRTH, asks_for_rebirth};
use super::{Cycle, Fleet, GROUP, METRICS, engine_id, engines_of, station_id};
use crate::devices::decimal;
use crate::replay::{Position, Replay};

/// How often an edge node looks whether its engines have flown another cycle.
const TICK: Duration = Duration::from_millis(50);

/// Cycles that are told in one tick, the newest: a faster replay loses the others.
const CYCLES_A_TICK_MAX: u64 = 16;

/// Messages that wait for the connection: births, and the data of a tick, several times over.
const MESSAGES_MAX: usize = 512;

/// Largest message that is taken and sent. A birth has 3 kB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Between two attempts to connect: first and longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The alias of an engine's cycle number; those of its metrics follow, and those of the next engine
/// behind them.
const ALIASES_AN_ENGINE: usize = METRICS.len() + 1;

/// Runs the edge node of a station until `stop`, whatever happens to its broker. The token is its
/// password.
pub(crate) async fn run(
    station: usize,
    (fleet, replay): (Arc<Fleet>, Arc<Replay>),
    (broker, token): (SocketAddr, Arc<str>),
    stop: CancellationToken,
) {
    let mut pause = PAUSE_MIN;
    let mut bd_seq = 0;
    let serve = async {
        loop {
            let mut node = EdgeNode::new(station, &fleet, &replay, bd_seq);
            let (client, events) = AsyncClient::new(node.options(broker, &token), MESSAGES_MAX);
            let born = node.serve(&client, events).await;
            pause = if born { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            bd_seq = bd_seq.wrapping_add(1);
            sleep(pause).await;
        }
    };
    stop.run_until_cancelled(serve).await;
}

/// One session of an edge node.
struct EdgeNode<'a> {
    station: usize,
    fleet: &'a Fleet,
    replay: &'a Replay,
    /// The number of the session, by which its death is told from that of others.
    bd_seq: u8,
    /// The number of the next message.
    seq: u8,
    /// What was told last; none before the births.
    told: Option<Position>,
}

impl<'a> EdgeNode<'a> {
    fn new(station: usize, fleet: &'a Fleet, replay: &'a Replay, bd_seq: u8) -> Self {
        Self { station, fleet, replay, bd_seq, seq: 0, told: None }
    }

    fn topic(&self, kind: &str, engine: Option<usize>) -> String {
        let device = engine.map(|engine| format!("/{}", engine_id(engine))).unwrap_or_default();
        format!("spBv1.0/{GROUP}/{kind}/{}{device}", station_id(self.station))
    }

    fn options(&self, broker: SocketAddr, token: &str) -> MqttOptions {
        let id = station_id(self.station);
        // The library writes host and port behind one another, so an IPv6 address needs its brackets.
        let host = match broker {
            SocketAddr::V4(broker) => broker.ip().to_string(),
            SocketAddr::V6(broker) => format!("[{}]", broker.ip()),
        };
        let mut options = MqttOptions::new(&id, host, broker.port());
        options.set_credentials(&id, token);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_session(true);
        options.set_max_packet_size(MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX);
        let death = Payload {
            timestamp: Some(now_ms()),
            metrics: vec![self.session_number(now_ms())],
            seq: None,
        };
        let topic = self.topic("NDEATH", None);
        options.set_last_will(LastWill::new(topic, death.encode_to_vec(), QoS::AtLeastOnce, false));
        options
    }

    /// Serves until the connection ends; whether births were told.
    async fn serve(&mut self, client: &AsyncClient, mut events: EventLoop) -> bool {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let outcome = tokio::select! {
                event = events.poll() => match event {
                    Ok(event) => self.take(client, event),
                    Err(error) => {
                        tracing::debug!(%error, station = self.station, "the edge node is cut off");
                        return self.told.is_some();
                    }
                },
                _ = ticks.tick() => self.tick(client),
            };
            // More messages wait than the connection takes: it is as good as gone.
            if outcome.is_err() {
                return self.told.is_some();
            }
        }
    }

    fn take(&mut self, client: &AsyncClient, event: Event) -> Result<(), ClientError> {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                client.try_subscribe(self.topic("NCMD", None), QoS::AtLeastOnce)
            }
            // A host that asks before the births were told gets them with those.
            Event::Incoming(Packet::SubAck(_)) => self.births(client),
            Event::Incoming(Packet::Publish(command))
                if self.told.is_some() && asks_for_rebirth(&command.payload) =>
            {
                self.births(client)
            }
            _ => Ok(()),
        }
    }

    fn tick(&mut self, client: &AsyncClient) -> Result<(), ClientError> {
        let Some(told) = self.told else { return Ok(()) };
        let now = self.replay.flight(Instant::now());
        if now == told {
            return Ok(());
        }
        let mut before = told;
        let first = if now.chosen == told.chosen {
            (told.rows + 1).max(now.rows.saturating_sub(CYCLES_A_TICK_MAX - 1))
        } else {
            now.rows
        };
        for rows in first..=now.rows {
            let at = Position { rows, ..now };
            for engine in engines_of(self.station) {
                self.data(client, engine, before, at)?;
            }
            before = at;
        }
        self.told = Some(now);
        Ok(())
    }

    fn births(&mut self, client: &AsyncClient) -> Result<(), ClientError> {
        let (at, time) = (self.replay.flight(Instant::now()), now_ms());
        self.seq = 0;
        let own = vec![
            self.session_number(time),
            Metric::born(REBIRTH, None, time, Number::Boolean(false)),
        ];
        self.publish(client, "NBIRTH", None, own, time)?;
        for engine in engines_of(self.station) {
            let numbers = numbers(self.fleet.cycle(engine, at));
            let names = std::iter::once("cycle").chain(METRICS);
            let metrics = names.zip(numbers).zip(self.aliases(engine));
            let born = metrics
                .map(|((name, number), alias)| Metric::born(name, Some(alias), time, number))
                .collect();
            self.publish(client, "DBIRTH", Some(engine), born, time)?;
        }
        self.told = Some(at);
        Ok(())
    }

    /// Tells what has changed of an engine.
    fn data(
        &mut self,
        client: &AsyncClient,
        engine: usize,
        before: Position,
        at: Position,
    ) -> Result<(), ClientError> {
        let time = now_ms();
        let known = numbers(self.fleet.cycle(engine, before));
        let numbers = numbers(self.fleet.cycle(engine, at));
        let changed: Vec<Metric> = known
            .zip(numbers)
            .zip(self.aliases(engine))
            .filter(|((known, number), _)| known != number)
            .map(|((_, number), alias)| Metric::data(alias, time, number))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.publish(client, "DDATA", Some(engine), changed, time)
    }

    fn publish(
        &mut self,
        client: &AsyncClient,
        kind: &str,
        engine: Option<usize>,
        metrics: Vec<Metric>,
        time: u64,
    ) -> Result<(), ClientError> {
        let payload = Payload { timestamp: Some(time), metrics, seq: Some(u64::from(self.seq)) };
        self.seq = self.seq.wrapping_add(1);
        let topic = self.topic(kind, engine);
        client.try_publish(topic, QoS::AtMostOnce, false, payload.encode_to_vec())
    }

    fn session_number(&self, time: u64) -> Metric {
        Metric::born("bdSeq", None, time, Number::Long(u64::from(self.bd_seq)))
    }

    fn aliases(&self, engine: usize) -> std::ops::RangeFrom<u64> {
        let within = engine - engines_of(self.station).start;
        (within * ALIASES_AN_ENGINE) as u64..
    }
}

/// The number of a cycle and what is measured in it.
fn numbers((number, cycle): (u32, &Cycle)) -> impl Iterator<Item = Number> {
    let measured = cycle.iter().map(|value| Number::Double(decimal(*value)));
    std::iter::once(Number::Int(number)).chain(measured)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
