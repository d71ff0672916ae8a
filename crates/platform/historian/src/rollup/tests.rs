//! Sums of parts are sums of the whole, and groups come back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{Kind, TenantId, Value};

use super::group::{GROUP_ROWS, Groups, unpack};
use super::*;
use crate::block::read::OpenBlocks;
use crate::block::write::BlockWriter;
use crate::block::{self, Block, BlockEntry};
use crate::disk::{Disk, LocalDisk};
use crate::row::Row;
use crate::span::Span;

type Sample = (i64, u32, State);

/// Samples of a tag, some of them bad, uncertain or no numbers.
fn samples(most: usize) -> impl Strategy<Value = Vec<Sample>> {
    let gap = prop_oneof![1i64..2000, Just(20_000_000), Just(1_000_000_000), Just(500_000_000_000)];
    let value = prop_oneof![
        6 => (-1000i32..1000).prop_map(|n| Value::F64(f64::from(n) / 10.0)),
        // Beyond that, a sum may leave the range of doubles.
        1 => any::<f64>().prop_map(|x| Value::F64(if x.is_finite() { x % 1e200 } else { x })),
        1 => any::<bool>().prop_map(Value::Bool),
    ];
    let quality = prop_oneof![8 => Just(0u32), 1 => Just(0x4090_0000), 1 => Just(0x8000_0000)];
    let start =
        prop_oneof![Just(0i64), -9_000_000_000..9_000_000_000i64, Just(1_795_420_800_000_000_000)];
    (start, vec((gap, quality, value), 1..most)).prop_map(|(mut time, rows)| {
        let sample = |(gap, quality, value): (i64, u32, Value)| {
            time += gap;
            let (kind, word) = value.word();
            (time, quality, State::of(quality, kind, word))
        };
        rows.into_iter().map(sample).collect()
    })
}

fn whole(samples: &[Sample]) -> Partial {
    let (time, quality, state) = samples[0];
    let mut partial = Partial::new(time, quality, state);
    samples[1..].iter().for_each(|(time, quality, state)| partial.push(*time, *quality, *state));
    partial
}

/// All but sums are the same bit for bit.
fn without_sums(partial: Partial) -> Partial {
    Partial { sum: Default::default(), area: Default::default(), ..partial }
}

fn near(a: f64, b: f64, magnitude: f64) -> bool {
    a == b || (a - b).abs() <= magnitude * 2f64.powi(-50) || a.is_nan() && b.is_nan()
}

fn magnitudes(samples: &[Sample]) -> (f64, f64) {
    let number = |(_, _, state): &Sample| state.number.unwrap_or(0.0).abs();
    let held = samples.windows(2).map(|pair| number(&pair[0]) * (pair[1].0 - pair[0].0) as f64);
    (samples.iter().map(number).sum(), held.sum())
}

fn built(samples: &[(u32, Sample)], builder: Builder) -> [Vec<Stored>; 3] {
    let mut levels: [Vec<Stored>; 3] = Default::default();
    let mut give = |level: RollupLevel, stored| levels[level as usize].push(stored);
    let mut builder = builder;
    samples.iter().for_each(|(tag, sample)| builder.push(*tag, *sample, &mut give));
    builder.finish(&mut give);
    levels
}

/// What a file has of a rollup.
fn as_stored(stored: Stored) -> Stored {
    let Partial { samples, first, last, .. } = stored.partial;
    let partial = match stored.is_whole {
        true => stored.partial.rounded(),
        false => Partial::stub(samples, first.0, last.0),
    };
    Stored { partial, ..stored }
}

proptest! {
    #[test]
    fn parts_make_the_whole(samples in samples(60), cuts in vec(any::<prop::sample::Index>(), 0..5)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(samples.len())).collect();
        cuts.extend([0, samples.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).filter(|pair| pair[0] < pair[1]);
        let parts = parts.map(|pair| whole(&samples[pair[0]..pair[1]]));
        let joined = parts.reduce(|mut first, next| {
            first.then(&next);
            first
        });
        let (joined, whole) = (joined.unwrap(), whole(&samples));
        prop_assert_eq!(without_sums(joined), without_sums(whole));
        let (sum, area) = magnitudes(&samples);
        prop_assert!(near(joined.sum.value(), whole.sum.value(), sum));
        prop_assert!(near(joined.area.value(), whole.area.value(), area));
    }

    #[test]
    fn every_hour_and_day_is_the_sum_of_its_samples(
        tags in vec(samples(700), 1..3),
    ) {
        let rows = tags.iter().enumerate().flat_map(|(tag, samples)| {
            samples.iter().map(move |sample| (tag as u32, *sample))
        });
        let rows: Vec<_> = rows.collect();
        let complete = built(&rows, Builder::complete());
        let stored = built(&rows, Builder::stored());
        for level in [RollupLevel::Hour, RollupLevel::Day] {
            let key = |(tag, (time, ..)): &(u32, Sample)| (*tag, level.index(*time));
            let cells: Vec<Vec<Sample>> = rows.chunk_by(|a, b| key(a) == key(b))
                .map(|cell| cell.iter().map(|(_, sample)| *sample).collect()).collect();
            let found = &complete[level as usize];
            prop_assert_eq!(found.len(), cells.len());
            for (stored, samples) in found.iter().zip(&cells) {
                prop_assert!(stored.is_whole);
                prop_assert_eq!(without_sums(stored.partial), without_sums(whole(samples)));
            }
            let worth = |stored: &&Stored| {
                stored.partial.samples >= build::SAMPLES_MIN && !stored.partial.is_mixed()
            };
            let expected: Vec<_> = found.iter().filter(worth).copied().collect();
            let kept: Vec<_> = stored[level as usize].iter().filter(|s| s.is_whole).copied().collect();
            prop_assert_eq!(kept, expected);
        }
        prop_assert_eq!(stored[2].len(), complete[2].len());
    }

    #[test]
    fn groups_come_back(tags in vec(samples(600), 1..4)) {
        let rows = tags.iter().enumerate().flat_map(|(tag, samples)| {
            samples.iter().map(move |sample| (tag as u32 * 7, *sample))
        });
        let levels = built(&rows.collect::<Vec<_>>(), Builder::stored());
        let mut groups = Groups::default();
        for level in RollupLevel::ALL {
            groups.add(level, &levels[level as usize]).unwrap();
        }
        let mut bytes = vec![0; 9];
        let directory = groups.write(9, |more| {
            bytes.extend_from_slice(more);
            Ok(())
        });
        let directory = Directory::parse(&directory.unwrap()).unwrap();
        for level in RollupLevel::ALL {
            let mut found = Vec::new();
            for (_, place) in directory.groups_from(level, (0, i64::MIN)) {
                let from = place.offset as usize;
                found.extend(unpack(level, &bytes[from..from + place.bytes as usize]).unwrap());
            }
            let expected = &levels[level as usize];
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                prop_assert_eq!(*found, as_stored(*expected));
            }
        }
    }

    #[test]
    fn any_bytes_as_a_group_are_no_panic(
        bytes in vec(any::<u8>(), 0..300),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for level in RollupLevel::ALL {
            let _ = unpack(level, &bytes);
            let _ = group::decode(level, &bytes);
            let rows: Vec<_> = (0..600).map(|n| {
                (1, (n * 10_000_000_000, 0, State::of(0, Kind::F64, (n as f64).to_bits())))
            }).collect();
            let mut whole = group::encode(level, &built(&rows, Builder::complete())[1]);
            for (place, byte) in &changes {
                let place = place.index(whole.len());
                whole[place] = *byte;
            }
            let _ = group::decode(level, &whole);
        }
    }

    #[test]
    fn any_text_as_a_directory_is_no_panic(text: String) {
        prop_assert!(Directory::parse(&text).is_none());
    }
}

#[test]
fn a_block_of_tags_with_few_samples_has_no_rollups() {
    let mut writer = RollupWriter::new();
    let good = State::of(0, Kind::Bool, 1);
    for tag in 0..1000 {
        (0..100).for_each(|time| writer.push(tag, time, 0, good));
    }
    assert!(writer.finish().unwrap().is_none());
    let mut writer = RollupWriter::new();
    for tag in 0..(3 * GROUP_ROWS) as u32 {
        (0..if tag % 2 == 0 { 300 } else { 200 }).for_each(|time| writer.push(tag, time, 0, good));
    }
    assert!(writer.finish().unwrap().is_some());
}

#[test]
fn what_a_sample_is() {
    let of = |quality, value: Value| {
        let (kind, word) = value.word();
        State::of(quality, kind, word)
    };
    let good = |number| State { class: partial::Class::Good, number };
    assert_eq!(of(0, Value::Bool(true)), good(Some(1.0)));
    assert_eq!(of(0, Value::Enumeration(-3)), good(Some(-3.0)));
    assert_eq!(of(0, Value::U64(7)), good(Some(7.0)));
    assert_eq!(of(0, Value::text("on").unwrap()), good(None));
    let bad = State { class: partial::Class::Bad, number: None };
    assert_eq!(of(0, Value::F64(f64::NAN)), bad);
    assert_eq!(of(0, Value::F64(f64::INFINITY)), bad);
    assert_eq!(of(0x800A_0000, Value::F64(1.0)), bad);
    assert_eq!(State::of(0, Kind::None, 0), bad);
    assert_eq!(of(0x4000_0000, Value::I64(1)).class, partial::Class::Uncertain);
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rollups-1")
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(LocalDisk)
}

/// Tags of every kind: with rollups of minutes, of hours, of days only, and without numbers.
fn fixture_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let start = 1_795_420_800_000_000_000;
    for (tag, gap, count) in [
        (1, 100_000_000, 700),
        (2, 1_000_000_000, 400),
        (3, 7_000_000, 300),
        (4, 60_000_000_123, 300),
        (9, 5_000_000_000, 10),
    ] {
        for n in 0..count {
            let value = match tag {
                1 => Value::F64(((n as f64 / 30.0).sin() * 1000.0).round() / 10.0),
                2 => Value::Bool(n / 50 % 2 == 0),
                3 => Value::Text(format!("order {}", n / 100).into()),
                4 => Value::F64((n as f64).sqrt()),
                _ => Value::I64(n - 5),
            };
            let quality = match n % 97 {
                13 => 0x800A_0000,
                14 if tag == 4 => 0x4090_0000,
                _ => 0,
            };
            let value = Some(value).filter(|_| quality != 0x800A_0000 || tag == 1);
            rows.push(Row { time: start + n * gap, position: 5, tag, quality, value });
        }
    }
    rows
}

/// Set to write the fixture of the current version anew.
const WRITE: &str = "WEIR_ROLLUPS_WRITE_FIXTURE";

/// Not a test by itself: writes the fixture when it is asked to.
#[test]
fn write_the_rollup_fixture() {
    if std::env::var_os(WRITE).is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let span = Span::day(RollupLevel::Day.index(fixture_rows()[0].time) as i32);
    let writer = BlockWriter::create(&disk(), dir.path(), 1, TenantId(1), span);
    let mut writer = writer.unwrap();
    fixture_rows().iter().for_each(|row| writer.push(row).unwrap());
    let entry = writer.finish(dir.path()).unwrap();
    std::fs::create_dir_all(fixture()).unwrap();
    let block = block::path(dir.path(), &entry);
    std::fs::copy(block, fixture().join("block.parquet")).unwrap();
    std::fs::write(fixture().join("entry.json"), serde_json::to_vec(&entry).unwrap()).unwrap();
}

#[test]
fn rollups_of_version_1_are_read() {
    let entry = std::fs::read(fixture().join("entry.json")).unwrap();
    let entry: BlockEntry = serde_json::from_slice(&entry).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = block::path(dir.path(), &entry);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::copy(fixture().join("block.parquet"), file).unwrap();
    let block = Block::new(dir.path(), &disk(), entry);
    let open = OpenBlocks::default().open(&block).unwrap();
    let directory = open.rollups().unwrap();
    let rows: Vec<_> = fixture_rows()
        .iter()
        .map(|row| (row.tag, (row.time, row.quality, State::of_row(row))))
        .collect();
    let expected = built(&rows, Builder::stored());
    for level in RollupLevel::ALL {
        let mut found = Vec::new();
        for (_, place) in directory.groups_from(level, (0, i64::MIN)) {
            let packed = open.read_part(place.offset, place.bytes as usize).unwrap();
            found.extend(unpack(level, &packed).unwrap());
        }
        let expected: Vec<_> = expected[level as usize].iter().copied().map(as_stored).collect();
        assert!(!expected.is_empty());
        assert_eq!(found, expected);
    }
}
