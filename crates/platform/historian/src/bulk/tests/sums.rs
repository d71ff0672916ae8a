//! Sums in the place of samples say what the samples would.

use std::collections::BTreeMap;

use weir_model::{Buckets, SampleSum, SumsWanted};

use super::*;

const SECOND: i64 = 1_000_000_000;

/// What a tag is given: what its numbers are like, and how many of its samples have none.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Steady,
    Wandering,
    Integers,
    Extreme,
    Texts,
    Mixed,
}

fn sort() -> impl Strategy<Value = Sort> {
    prop_oneof![
        Just(Sort::Steady),
        Just(Sort::Wandering),
        Just(Sort::Integers),
        Just(Sort::Extreme),
        Just(Sort::Texts),
        Just(Sort::Mixed)
    ]
}

fn sample_of(sort: Sort, serial: i64, time: i64) -> Sample {
    let value = match sort {
        Sort::Steady => Value::F64(-0.5 + (serial % 3) as f64),
        Sort::Wandering => Value::F64((serial as f64 / 300.0).sin() * 40.0),
        Sort::Integers if serial % 2 == 0 => Value::I64(i64::MAX - serial),
        Sort::Integers => Value::U64(u64::MAX - serial as u64),
        Sort::Extreme => Value::F64(match serial % 1777 {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => f64::MAX,
            n if n % 2 == 0 => -0.0,
            _ => 0.0,
        }),
        Sort::Texts => Value::text(&format!("text {}", serial % 5)).unwrap(),
        Sort::Mixed => return sample(serial, time),
    };
    let (value, quality) = match serial % 997 {
        0 => (None, Quality::TIMEOUT),
        1 if serial % 3 == 0 => (Some(value), Quality::BAD),
        2 if serial % 5 == 0 => (None, Quality::GOOD),
        _ => (Some(value), Quality::GOOD),
    };
    Sample { time: at(time), value, quality }
}

/// What is known of a group.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    samples: u64,
    severities: [u64; 3],
    count: u64,
    sum: f64,
    /// Of the magnitudes.
    magnitude: f64,
    range: Option<NumberRange>,
    ends: Option<(Option<f64>, Option<f64>)>,
    times: Option<(i64, i64)>,
}

impl Known {
    fn add(&mut self, sum: &SampleSum) {
        self.samples += u64::from(sum.samples);
        (0..3).for_each(|at| self.severities[at] += u64::from(sum.severities[at]));
        self.count += u64::from(sum.count);
        self.sum += sum.sum;
        self.range = Some(self.range.unwrap_or(NumberRange::NONE).or(sum.range));
        self.ends = Some((self.ends.map_or(sum.first, |ends| ends.0), sum.last));
        self.times = Some((self.times.map_or(sum.from, |times| times.0), sum.to));
    }
}

/// A row as the sum of itself.
fn alone((tag, time, quality, number, _): &BulkRow) -> SampleSum {
    let mut severities = [0; 3];
    severities[quality.severity() as usize] = 1;
    SampleSum {
        tag: *tag,
        from: *time,
        to: *time,
        samples: 1,
        severities,
        count: u32::from(number.is_some()),
        sum: number.unwrap_or_default(),
        squares: 0.0,
        range: number.map_or(NumberRange::NONE, |x| NumberRange::NONE.with(x)),
        first: *number,
        last: *number,
    }
}

/// The groups of a reading, and how many samples came as sums.
async fn groups(
    historian: &Historian,
    wanted: SamplesWanted,
    buckets: Option<Buckets>,
) -> (BTreeMap<(TagId, i128), Known>, u64) {
    let mut reading = historian.bulk(TENANT, wanted);
    let (mut groups, mut summed) = (BTreeMap::<(TagId, i128), Known>::new(), 0);
    let mut last = (TagId(0), i64::MIN);
    while let Some(page) = reading.next().await.unwrap() {
        assert!(page.sums.is_empty() || page.tags.is_empty());
        summed += page.sums.iter().map(|sum| u64::from(sum.samples)).sum::<u64>();
        let rows = rows_of(&page);
        for (one, number) in page
            .sums
            .iter()
            .map(|sum| (*sum, None))
            .chain(rows.iter().map(|row| (alone(row), row.3)))
        {
            // In order, whichever they are.
            assert!(last < (one.tag, one.from), "{last:?} {one:?}");
            last = (one.tag, one.to);
            let bucket = |time| buckets.map_or(0, |buckets| buckets.around(time).0);
            assert_eq!(bucket(one.from), bucket(one.to));
            let group = groups.entry((one.tag, bucket(one.from))).or_default();
            group.add(&one);
            group.magnitude += number.unwrap_or_default().abs();
        }
    }
    (groups, summed)
}

fn assert_same(
    found: &BTreeMap<(TagId, i128), Known>,
    expected: &BTreeMap<(TagId, i128), Known>,
    sums: SumsWanted,
) {
    assert!(found.keys().eq(expected.keys()), "{found:?} {expected:?}");
    for (key, one) in found {
        let other = &expected[key];
        let bits = |end: Option<f64>| end.map(f64::to_bits);
        let ends = |known: &Known| known.ends.map(|(first, last)| (bits(first), bits(last)));
        assert_eq!((one.samples, one.count, one.range), (other.samples, other.count, other.range));
        if sums.severities {
            assert_eq!(one.severities, other.severities, "{key:?}");
        }
        if sums.ends {
            assert_eq!((ends(one), one.times), (ends(other), other.times), "{key:?}");
        }
        // Both are off by so much at most; what has no sum is read sample by sample.
        let off = 2.0 * other.count as f64 * f64::EPSILON * other.magnitude;
        let same = one.sum.to_bits() == other.sum.to_bits() || (one.sum - other.sum).abs() <= off;
        assert!(same || !other.sum.is_finite() && !one.sum.is_finite(), "{one:?} {other:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn sums_say_what_samples_say(
        tags in vec((sort(), 900..9000i64), 1..5),
        late in vec((0..5usize, 0..9000i64, 1..60i64), 0..4),
        deleted in vec((0..5usize, 0..9000i64, 1..900i64), 0..3),
        rhythm in prop_oneof![Just(SECOND), Just(SECOND / 4), Just(20 * SECOND)],
        days in 1..3i64,
        merged in any::<bool>(),
        from in 0..6000i64,
        length in 1..20_000i64,
        cut in any::<bool>(),
        range in prop_oneof![
            2 => Just(None),
            1 => (-50.0..50f64).prop_map(|x| Some(NumberRange::from(x))),
            1 => (-50.0..50f64).prop_map(|x| Some(NumberRange::below(x))),
            1 => Just(Some(NumberRange::ALL)),
            1 => Just(Some(NumberRange::from(0.0))),
        ],
        severities in any::<[bool; 3]>(),
        all_severities in any::<bool>(),
        width in prop_oneof![Just(None), Just(Some(3600)), Just(Some(1800)), Just(Some(86_400))],
        ends in any::<bool>(),
        told in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let historian = Historian::open(dir.path(), options()).unwrap();
            let mut serial = 0;
            for day in 0..days {
                let mut samples = Vec::new();
                for (tag, (sort, count)) in tags.iter().enumerate() {
                    for at in 0..*count {
                        serial += 1;
                        let time = at * rhythm + day * count * rhythm;
                        samples.push((TagId(tag as u32), sample_of(*sort, serial, time)));
                    }
                }
                historian.append(batch(samples)).await.unwrap();
                historian.flush().await.unwrap();
            }
            for (part, (tag, at, count)) in late.iter().enumerate() {
                let tag = tag % tags.len();
                let some = (*at..at + count).map(|at| {
                    serial += 1;
                    (TagId(tag as u32), sample_of(tags[tag].0, serial, at * rhythm))
                });
                historian.append(batch(some.collect())).await.unwrap();
                if part % 2 == 0 {
                    historian.flush().await.unwrap();
                }
            }
            for (tag, from, length) in &deleted {
                let tag = TagId((tag % tags.len()) as u32);
                let span = (at(from * rhythm), at((from + length) * rhythm));
                historian.delete(TENANT, tag, span, at(0)).await.unwrap();
            }
            if merged {
                historian.compact().await.unwrap();
            }
            let by_severity = [Severity::Good, Severity::Uncertain, Severity::Bad];
            let some = by_severity.into_iter().zip(severities).filter(|(_, wanted)| *wanted);
            let some = some.fold(Severities::NONE, |some, (one, _)| some.with(one));
            let buckets = width.map(|width| Buckets { width: width * SECOND, origin: 0 });
            let sums = SumsWanted { buckets, ends, severities: told };
            let mut asked = SamplesWanted {
                numbers: range,
                severities: if all_severities { Severities::ALL } else { some },
                ..wanted(0..tags.len() as u32)
            };
            if cut {
                (asked.from, asked.to) = (at(from * rhythm), at((from + length) * rhythm));
            }
            let (expected, none) = groups(&historian, asked.clone(), buckets).await;
            assert_eq!(none, 0);
            asked.sums = Some(sums);
            let (found, _) = groups(&historian, asked, buckets).await;
            assert_same(&found, &expected, sums);
        });
    }
}

#[tokio::test]
async fn what_nothing_else_has_rows_of_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let historian = Historian::open(dir.path(), options()).unwrap();
    let samples = (0..3u32).flat_map(|tag| {
        (0..10_000).map(move |i| (TagId(tag), sample_of(Sort::Steady, i, i * SECOND)))
    });
    historian.append(batch(samples.collect())).await.unwrap();
    historian.flush().await.unwrap();
    let asked = SamplesWanted { sums: Some(SumsWanted::default()), ..wanted(0..3) };
    let summed = async || groups(&historian, asked.clone(), None).await.1;
    assert_eq!(summed().await, 30_000);
    let hour = Some(Buckets { width: 3600 * SECOND, origin: 0 });
    let by_hour = SumsWanted { buckets: hour, ..SumsWanted::default() };
    let by_hour = SamplesWanted { sums: Some(by_hour), ..asked.clone() };
    assert_eq!(groups(&historian, by_hour, hour).await.1, 30_000);
    // What memory has is of one of the hours, and of which tag is not looked up.
    let hour_rows = 3600;
    historian.append(batch(vec![(TagId(1), sample(1, 4_000 * SECOND))])).await.unwrap();
    assert_eq!(summed().await, 30_000 - 3 * hour_rows);
    historian.flush().await.unwrap();
    // And the block that has it, of one tag.
    assert_eq!(summed().await, 30_000 - hour_rows);
    let span = (at(5 * SECOND), at(6 * SECOND));
    historian.delete(TENANT, TagId(2), span, at(0)).await.unwrap();
    assert_eq!(summed().await, 30_000 - 2 * hour_rows);
    historian.compact().await.unwrap();
    assert_eq!(summed().await, 29_999);
}
