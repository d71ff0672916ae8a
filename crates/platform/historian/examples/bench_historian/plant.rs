//! A plant to measure with: the same samples in every run.
//!
//! A hundred tags are 50 sensors of one to three decimals (a fifth of them singles, as controllers
//! send them), 10 setpoints, 10 counters, 8 integers, 8 states, 8 switches, 3 computed doubles with
//! all their digits, and 3 texts. Every tag is read each second: half of them on the spot, four in
//! ten up to 4 ms late, one in ten up to 100 us late. One sample in a hundred arrives up to 100 s
//! after its turn, one in a thousand has no value.

use std::collections::VecDeque;

use weir_model::{Quality, Sample, TagId, Timestamp, Value};

/// Nanoseconds.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// 2026-11-23T00:00:00Z.
pub(crate) const START: i64 = 1_795_392_000 * SECOND;

/// Classes of tags, and of how many in a hundred.
pub(crate) const CLASSES: [(Class, u32); 8] = [
    (Class::Sensor, 50),
    (Class::Setpoint, 10),
    (Class::Counter, 10),
    (Class::Integer, 8),
    (Class::State, 8),
    (Class::Switch, 8),
    (Class::Double, 3),
    (Class::Text, 3),
];

/// What a tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Sensor,
    Setpoint,
    Counter,
    Integer,
    State,
    Switch,
    Double,
    Text,
}

/// The classes of so many tags, in the proportions of a factory.
pub(crate) fn mix(tags: u32) -> Vec<Class> {
    (0..tags).map(|tag| class(tag % 100 * 37 % 100)).collect()
}

fn class(percent: u32) -> Class {
    let mut below = 0;
    let found = CLASSES.iter().find(|(_, share)| {
        below += share;
        percent < below
    });
    found.map_or(Class::Text, |(class, _)| *class)
}

/// All tags, as they are read moment by moment.
pub(crate) struct Plant {
    tags: Vec<Tag>,
    random: Random,
    /// Samples that arrive after their turn, by the moment they do.
    late: VecDeque<Vec<(TagId, Sample)>>,
}

struct Tag {
    class: Class,
    /// Where in the second its device is read, in nanoseconds.
    phase: i64,
    jitter: Jitter,
    level: f64,
    held: i64,
}

#[derive(Clone, Copy)]
enum Jitter {
    None,
    Milliseconds,
    Microseconds,
}

/// Seconds by which a sample may be late.
const LATE_MAX: u64 = 100;

impl Plant {
    /// Tags of these classes, numbered from 0.
    pub(crate) fn new(classes: &[Class]) -> Self {
        let mut random = Random(7);
        let tags = classes.iter().enumerate().map(|(index, class)| Tag {
            class: *class,
            phase: (random.next() % 900) as i64 * 1_000_000,
            jitter: match index % 10 {
                0..=4 => Jitter::None,
                5..=8 => Jitter::Milliseconds,
                _ => Jitter::Microseconds,
            },
            level: random.unit() * 100.0,
            held: (random.next() % 1000) as i64,
        });
        let tags = tags.collect();
        Self { tags, random, late: (0..=LATE_MAX).map(|_| Vec::new()).collect() }
    }

    /// A good sample of every tag, a moment before the first.
    pub(crate) fn first(&mut self) -> Vec<(TagId, Sample)> {
        let random = &mut self.random;
        let tags = self.tags.iter_mut().enumerate();
        let time = Timestamp::from_nanos(START - SECOND);
        let sample = |(index, tag): (usize, &mut Tag)| {
            (TagId(index as u32), Sample::good(time, tag.value(index, 0, random)))
        };
        tags.map(sample).collect()
    }

    /// Appends what arrives at a moment.
    pub(crate) fn read(&mut self, moment: i64, samples: &mut Vec<(TagId, Sample)>) {
        samples.extend(self.late.pop_front().unwrap_or_default());
        self.late.push_back(Vec::new());
        for (index, tag) in self.tags.iter_mut().enumerate() {
            let random = &mut self.random;
            let jitter = match tag.jitter {
                Jitter::None => 0,
                Jitter::Milliseconds => (random.next() % 5) as i64 * 1_000_000,
                Jitter::Microseconds => (random.next() % 100) as i64 * 1000,
            };
            let time = Timestamp::from_nanos(START + moment * SECOND + tag.phase + jitter);
            let value = tag.value(index, moment, random);
            let sample = match random.next() % 1000 {
                0 => Sample::without_value(time, Quality::TIMEOUT),
                _ => Sample::good(time, value),
            };
            let sample = (TagId(index as u32), sample);
            match random.next() % 100 {
                0 => self.late[(random.next() % LATE_MAX) as usize].push(sample),
                _ => samples.push(sample),
            }
        }
    }
}

impl Tag {
    fn value(&mut self, index: usize, moment: i64, random: &mut Random) -> Value {
        match self.class {
            Class::Sensor => {
                // Decimals, how far it wanders in a second, and its noise: in last digits.
                let (decimals, wander, noise) = match index % 5 {
                    0 | 1 => (10.0, 0.3, 0.5),
                    2 | 3 => (100.0, 1.0, 2.0),
                    _ => (1000.0, 3.0, 5.0),
                };
                // It wanders around a level that it comes back to.
                let back = (50.0 - self.level) * 1e-4;
                self.level += random.normal() * wander / decimals + back;
                let read = self.level + random.normal() * noise / decimals;
                let value = (read * decimals).round() / decimals;
                let single = (index / 5).is_multiple_of(5);
                Value::F64(if single { f64::from(value as f32) } else { value })
            }
            Class::Setpoint => {
                if random.next().is_multiple_of(1500) {
                    self.level = (random.unit() * 400.0).round() / 2.0;
                }
                Value::F64(self.level.round())
            }
            Class::Counter => {
                self.held += (random.next() % 4) as i64;
                Value::U64(self.held as u64)
            }
            Class::Integer => Value::I64(1480 + (random.normal() * 3.0).round() as i64),
            Class::State => {
                if random.next().is_multiple_of(200) {
                    self.held = (random.next() % 6) as i64;
                }
                Value::Enumeration(self.held % 6)
            }
            Class::Switch => Value::Bool((moment + self.held) / (60 + self.held % 300) % 2 == 0),
            Class::Double => {
                self.level += random.normal() * 0.05;
                Value::F64(self.level)
            }
            Class::Text => {
                let order = (moment + self.held) / 700;
                Value::Text(format!("order {} of line {}", 48_000 + order, index % 7).into())
            }
        }
    }
}

/// Marsaglia's xorshift64: the same samples in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// About normally distributed, of variance 1: the sum of twelve.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
