use proptest::prelude::*;

use super::*;
use crate::proto::{Metric as Wire, PropertyKind, PropertySet, PropertyValue, Template};
use crate::value::Type;

const TIMING: Timing = Timing { reorder: Duration::from_secs(2), birth: Duration::from_secs(5) };
const NOW_MS: u64 = 1_790_000_000_000;

fn arrived() -> Timestamp {
    Timestamp::from_millis(NOW_MS as i64).unwrap()
}

fn metric(name: &str, alias: u64, data_type: Type, value: MetricValue) -> Wire {
    Wire {
        name: Some(name.to_owned()),
        alias: Some(alias),
        datatype: Some(data_type.code()),
        timestamp: Some(NOW_MS),
        value: Some(value),
        ..Wire::default()
    }
}

/// Data by alias alone.
fn data(alias: u64, value: u32) -> Wire {
    Wire {
        alias: Some(alias),
        timestamp: Some(NOW_MS),
        value: Some(MetricValue::Int(value)),
        ..Wire::default()
    }
}

fn bd(number: u64) -> Wire {
    metric("bdSeq", 0, Type::Int64, MetricValue::Long(number))
}

fn payload(seq: Option<u64>, metrics: Vec<Wire>) -> Vec<u8> {
    Payload { timestamp: Some(NOW_MS), seq, metrics, ..Payload::default() }.encode_to_vec()
}

struct Host {
    node: EdgeNode,
    now: Instant,
}

impl Host {
    fn new() -> Self {
        Self { node: EdgeNode::new(TIMING), now: Instant::now() }
    }

    fn take(&mut self, kind: MessageKind, device: Option<&str>, bytes: &[u8]) -> Vec<Event> {
        self.node.take(kind, device, bytes, arrived(), self.now)
    }

    fn birth(&mut self, seq: u64, bd_seq: u64) -> Vec<Event> {
        let metrics = vec![bd(bd_seq), metric("speed", 1, Type::UInt32, MetricValue::Int(7))];
        self.take(MessageKind::NodeBirth, None, &payload(Some(seq), metrics))
    }

    fn device_birth(&mut self, seq: u64) -> Vec<Event> {
        let metrics = vec![metric("线/t", 2, Type::UInt8, MetricValue::Int(3))];
        self.take(MessageKind::DeviceBirth, Some("d"), &payload(Some(seq), metrics))
    }

    fn node_data(&mut self, seq: u64, value: u32) -> Vec<Event> {
        self.take(MessageKind::NodeData, None, &payload(Some(seq), vec![data(1, value)]))
    }

    fn death(&mut self, bd_seq: u64) -> Vec<Event> {
        self.take(MessageKind::NodeDeath, None, &payload(None, vec![bd(bd_seq)]))
    }

    fn pass(&mut self, time: Duration) -> Vec<Event> {
        self.now += time;
        self.node.tick(self.now)
    }
}

/// Samples as metric and number, what else was said as a letter.
fn told(events: &[Event]) -> Vec<String> {
    let one = |event: &Event| match event {
        Event::Sample(sample) => {
            let value =
                sample.outcome.as_ref().map(|v| v.to_json().to_string()).unwrap_or("-".to_owned());
            format!("{}={value}", sample.metric)
        }
        Event::Born { device } => format!("born {}", device.as_deref().unwrap_or("")),
        Event::Lost { device, .. } => format!("lost {}", device.as_deref().unwrap_or("")),
        Event::Rebirth { .. } => "rebirth".to_owned(),
        Event::Odd { .. } => "odd".to_owned(),
    };
    events.iter().map(one).collect()
}

#[test]
fn a_life() {
    let mut host = Host::new();
    assert_eq!(told(&host.node.ask(host.now)), ["rebirth"]);
    assert_eq!(told(&host.birth(0, 4)), ["born ", "bdSeq=4", "speed=7"]);
    assert_eq!(told(&host.device_birth(1)), ["born d", "线/t=3"]);
    assert_eq!(told(&host.node_data(2, 8)), ["speed=8"]);
    let device_data = payload(Some(3), vec![data(2, 9)]);
    assert_eq!(told(&host.take(MessageKind::DeviceData, Some("d"), &device_data)), ["线/t=9"]);
    assert_eq!(
        told(&host.take(MessageKind::DeviceDeath, Some("d"), &payload(Some(4), vec![]))),
        ["lost d"]
    );
    assert!(host.node.metric(Some("d"), "线/t").is_none());
    assert_eq!(told(&host.node_data(5, 10)), ["speed=10"]);
    assert_eq!(told(&host.death(4)), ["lost "]);
    assert!(!host.node.is_online());
}

#[test]
fn a_will_of_a_former_session_is_stale() {
    let mut host = Host::new();
    host.birth(0, 5);
    assert!(host.death(4).is_empty());
    assert!(host.node.is_online());
    // One of a later session: its birth was missed. Nobody answers, so it is gone.
    assert_eq!(told(&host.death(6)), ["rebirth"]);
    assert!(host.node.is_online());
    assert_eq!(told(&host.pass(TIMING.birth)), ["lost "]);
    // The will of session 255 comes after the birth of session 0.
    host.now += Duration::from_secs(10);
    host.birth(0, 0);
    assert!(host.death(255).is_empty());
}

#[test]
fn missing_messages_are_waited_for_and_then_births_asked_for() {
    let mut host = Host::new();
    host.birth(255, 0);
    assert!(host.node_data(1, 2).is_empty());
    assert_eq!(told(&host.node_data(0, 1)), ["speed=1", "speed=2"]);
    assert_eq!(host.node.deadline(), None);
    assert!(host.node_data(4, 4).is_empty());
    assert!(host.pass(TIMING.reorder / 2).is_empty());
    // What waited is told all the same; it is true, only not complete.
    assert_eq!(told(&host.pass(TIMING.reorder / 2)), ["speed=4", "rebirth"]);
    assert_eq!(told(&host.node_data(5, 5)), ["speed=5"]);
    // Not asked again before the interval is over.
    assert!(host.node_data(200, 6).is_empty());
    assert_eq!(told(&host.pass(REBIRTH_INTERVAL)), ["rebirth"]);
}

#[test]
fn what_comes_before_its_birth_waits_for_it() {
    let mut host = Host::new();
    assert_eq!(told(&host.device_birth(1)), ["rebirth"]);
    assert!(host.node_data(2, 8).is_empty());
    assert_eq!(
        told(&host.birth(0, 0)),
        ["born ", "bdSeq=0", "speed=7", "born d", "线/t=3", "speed=8"]
    );
}

#[test]
fn a_rebirth_does_not_take_values_away_unless_a_device_is_gone() {
    let mut host = Host::new();
    host.birth(0, 0);
    host.device_birth(1);
    assert_eq!(told(&host.birth(0, 0)), ["born ", "bdSeq=0", "speed=7"]);
    assert!(host.node.metric(Some("d"), "线/t").is_some());
    assert_eq!(told(&host.pass(TIMING.birth)), ["lost d"]);
    assert_eq!(told(&host.device_birth(1)), ["born d", "线/t=3"]);
}

#[test]
fn a_birth_behind_its_own_death_does_not_count() {
    let mut host = Host::new();
    host.birth(0, 3);
    host.death(3);
    assert!(host.birth(0, 3).is_empty());
    assert!(!host.node.is_online());
    assert_eq!(told(&host.pass(OVERTAKEN_ASK)), ["rebirth"]);
    assert_eq!(told(&host.birth(0, 3)).len(), 3);
}

#[test]
fn however_it_comes_births_are_not_asked_for_more_often() {
    let mut host = Host::new();
    assert_eq!(told(&host.node.ask(host.now)), ["rebirth"]);
    host.death(3);
    assert!(host.birth(0, 3).is_empty());
    assert!(host.pass(OVERTAKEN_ASK).is_empty());
    assert_eq!(told(&host.pass(REBIRTH_INTERVAL - OVERTAKEN_ASK)), ["rebirth"]);
}

#[test]
fn unknown_names_ask_for_births() {
    let mut host = Host::new();
    host.birth(0, 0);
    let unknown = payload(Some(1), vec![data(99, 1), data(1, 5)]);
    assert_eq!(told(&host.take(MessageKind::NodeData, None, &unknown)), ["speed=5", "rebirth"]);
}

#[test]
fn values_say_quality_history_and_nothing() {
    let mut host = Host::new();
    host.birth(0, 0);
    let stale = PropertySet {
        keys: vec!["Quality".to_owned()],
        values: vec![PropertyValue {
            datatype: Some(3),
            is_null: None,
            value: Some(PropertyKind::Int(500)),
        }],
    };
    let metrics = vec![
        Wire { properties: Some(stale), ..data(1, 1) },
        Wire { is_null: Some(true), value: None, ..data(1, 2) },
        Wire { is_historical: Some(true), timestamp: Some(NOW_MS - 3_600_000), ..data(1, 3) },
    ];
    let events = host.take(MessageKind::NodeData, None, &payload(Some(1), metrics));
    let samples: Vec<_> = events
        .into_iter()
        .map(|e| if let Event::Sample(s) = e { s } else { panic!("{e:?}") })
        .collect();
    assert_eq!(samples[0].quality, Quality::LAST_USABLE);
    assert!(samples[1].outcome.as_ref().unwrap_err().0.is_bad());
    assert!(samples[2].historical && !samples[0].historical);
    assert_eq!(samples[2].time.nanos(), arrived().nanos() - 3_600_000_000_000);
}

#[test]
fn clocks_that_are_off_are_corrected_by_the_birth() {
    for off_ms in [3_600_000_i64, -600_000] {
        let mut host = Host::new();
        let theirs = NOW_MS.saturating_add_signed(off_ms);
        let at = |seq, metrics: Vec<Wire>| {
            let metrics =
                metrics.into_iter().map(|m| Wire { timestamp: Some(theirs), ..m }).collect();
            Payload { timestamp: Some(theirs), seq: Some(seq), metrics, ..Payload::default() }
                .encode_to_vec()
        };
        let birth = at(0, vec![bd(0), metric("speed", 1, Type::UInt32, MetricValue::Int(7))]);
        host.take(MessageKind::NodeBirth, None, &birth);
        let events = host.take(MessageKind::NodeData, None, &at(1, vec![data(1, 8)]));
        let Event::Sample(sample) = &events[0] else { panic!("{events:?}") };
        assert_eq!(sample.time, arrived());
    }
}

#[test]
fn templates_become_paths() {
    let mut host = Host::new();
    let member = |value: u32| metric("rpm", 9, Type::Int16, MetricValue::Int(value));
    let template = |members, is_definition| {
        MetricValue::Template(Template {
            metrics: members,
            is_definition: Some(is_definition),
            template_ref: Some("Motor".to_owned()),
            version: None,
        })
    };
    let inner = metric("inner", 8, Type::Template, template(vec![member(0xFFFF)], false));
    let metrics = vec![
        metric("_types_/Motor", 3, Type::Template, template(vec![member(0)], true)),
        metric("m1", 4, Type::Template, template(vec![member(5), inner], false)),
    ];
    let events = host.take(MessageKind::NodeBirth, None, &payload(Some(0), metrics));
    assert_eq!(told(&events), ["born ", "m1/rpm=5", "m1/inner/rpm=-1"]);
    assert!(host.node.metric(None, "m1/rpm").unwrap().is_part);
    let partial = Wire { value: Some(template(vec![member(6)], false)), ..data(4, 0) };
    let events = host.take(MessageKind::NodeData, None, &payload(Some(1), vec![partial]));
    assert_eq!(told(&events), ["m1/rpm=6"]);
}

fn kind() -> impl Strategy<Value = (MessageKind, Option<&'static str>)> {
    prop::sample::select(vec![
        (MessageKind::NodeBirth, None),
        (MessageKind::NodeDeath, None),
        (MessageKind::NodeData, None),
        (MessageKind::DeviceBirth, Some("a")),
        (MessageKind::DeviceData, Some("a")),
        (MessageKind::DeviceDeath, Some("b")),
    ])
}

proptest! {
    /// No bytes panic, in no state.
    #[test]
    fn no_bytes_panic(messages in prop::collection::vec((kind(), prop::collection::vec(any::<u8>(), 0..60)), 0..20)) {
        let mut host = Host::new();
        host.birth(0, 0);
        host.device_birth(1);
        for ((kind, device), bytes) in messages {
            let _ = host.take(kind, device, &bytes);
            let _ = host.pass(Duration::from_millis(700));
        }
    }

    /// Well-formed messages in any order and with any numbers: there are never more rebirths than the interval
    /// allows, nothing comes from a node that is not online, and what waits has a deadline.
    #[test]
    fn any_course_is_borne(messages in prop::collection::vec((kind(), any::<u8>(), 0..4_u64, 0..900_u64), 0..120)) {
        let mut host = Host::new();
        let mut rebirths = 0_u32;
        let mut passed = Duration::ZERO;
        for ((kind, device), seq, number, pause) in messages {
            let metrics = vec![bd(number), metric("m", 1, Type::UInt32, MetricValue::Int(1)), data(number, 1)];
            let was_online = host.node.is_online();
            let bytes = payload(Some(seq.into()), metrics);
            let mut events = host.take(kind, device, &bytes);
            if !was_online && !host.node.is_online() {
                prop_assert!(!events.iter().any(|e| matches!(e, Event::Sample(_))));
            }
            let pause = Duration::from_millis(pause);
            passed += pause;
            events.extend(host.pass(pause));
            rebirths += events.iter().filter(|e| matches!(e, Event::Rebirth { .. })).count() as u32;
        }
        prop_assert!(rebirths <= 1 + passed.as_secs() as u32 / REBIRTH_INTERVAL.as_secs() as u32);
    }

    /// Data that arrives shuffled within the window is told completely and in order.
    #[test]
    fn shuffled_data_is_complete(order in Just((0..30_u64).collect::<Vec<_>>()).prop_shuffle(), first in any::<u8>()) {
        let mut host = Host::new();
        host.birth(first.into(), 0);
        let mut events = Vec::new();
        for n in &order {
            let seq = u64::from(first.wrapping_add(1).wrapping_add(*n as u8));
            events.extend(host.node_data(seq, *n as u32));
        }
        let expected: Vec<_> = (0..30).map(|n| format!("speed={n}")).collect();
        prop_assert_eq!(told(&events), expected);
    }
}
