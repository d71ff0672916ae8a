//! What is written to a block is what is read from it, bit for bit, whatever it is.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;
use weir_model::{Quality, Sample, Samples, TagId, Timestamp, Value};

use super::checksum::CHUNK_BYTES;
use super::read::{BlockCursor, OpenBlocks, Wanted};
use super::write::BlockWriter;
use super::*;
use crate::disk::LocalDisk;
use crate::row::Row;

fn disk() -> Arc<dyn Disk> {
    Arc::new(LocalDisk)
}

fn writer(dir: &TempDir) -> BlockWriter {
    BlockWriter::create(&disk(), dir.path(), 1, TenantId(1), Span::day(0)).unwrap()
}

fn write(dir: &TempDir, rows: &[Row], merged: bool) -> BlockEntry {
    let mut writer = writer(dir);
    if merged {
        writer = writer.merged().unwrap();
    }
    rows.iter().for_each(|row| writer.push(row).unwrap());
    writer.finish(dir.path()).unwrap()
}

fn read(dir: &TempDir, entry: BlockEntry, wanted: Option<Wanted>) -> Result<Vec<Row>, String> {
    let block = Block::new(dir.path(), &disk(), entry);
    let text = |error: crate::HistorianError| error.to_string();
    let mut cursor = BlockCursor::new(&OpenBlocks::default(), &block, wanted).map_err(text)?;
    let (mut rows, mut all) = (VecDeque::new(), Vec::new());
    loop {
        cursor.read(&mut rows).map_err(text)?;
        if rows.is_empty() {
            return Ok(all);
        }
        all.extend(rows.drain(..));
    }
}

/// Rows of tags in order of time, from each tag's values.
fn rows(tags: Vec<(Vec<Option<Value>>, Vec<i64>)>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (tag, (values, steps)) in tags.into_iter().enumerate() {
        let mut time = 1_795_420_800_000_000_000;
        for (index, value) in values.into_iter().enumerate() {
            time += steps[index % steps.len()];
            let quality = if value.is_none() { 0x800A_0000 } else { index as u32 / 7 % 2 };
            rows.push(Row { time, position: index as u64 / 9, tag: tag as u32, quality, value });
        }
    }
    rows
}

fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<f32>().prop_map(f64::from),
        (any::<i32>(), 0i32..12).prop_map(|(n, e)| f64::from(n) / 10f64.powi(e)),
        (any::<i16>(), 0i32..5).prop_map(|(n, e)| f64::from(f32::from(n) / 10f32.powi(e))),
        Just(-0.0),
        Just(f64::NAN),
        Just(5e-324),
        Just(f64::MAX),
    ]
}

fn any_value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        4 => any_double().prop_map(|x| Some(Value::F64(x))),
        1 => any::<i64>().prop_map(|x| Some(Value::I64(x))),
        1 => any::<i8>().prop_map(|x| Some(Value::I64(x.into()))),
        1 => any::<u64>().prop_map(|x| Some(Value::U64(x))),
        1 => any::<bool>().prop_map(|x| Some(Value::Bool(x))),
        1 => any::<i64>().prop_map(|x| Some(Value::Enumeration(x))),
        1 => "[a-z运]{0,9}".prop_map(|x| Some(Value::Text(x.into()))),
        1 => vec(any_double().prop_map(Value::F64), 0..4).prop_map(|x| Some(Value::Array(x.into()))),
        1 => Just(None),
    ]
}

/// Values of one tag as tags have them, too: of one kind and near each other.
fn any_values() -> impl Strategy<Value = Vec<Option<Value>>> {
    let walk = (vec(-9i64..9, 1..400), 0i32..6, 1i64..1000, any::<i32>());
    let walk = walk.prop_map(|(moves, places, grain, start)| {
        let mut n = i64::from(start);
        let value = |step: i64| {
            n += step * grain;
            n as f64 / 10f64.powi(places)
        };
        moves.into_iter().map(value).map(|x| Some(Value::F64(x))).collect::<Vec<_>>()
    });
    let noise = vec(any::<u8>(), 1..400).prop_map(|bytes| {
        bytes.into_iter().map(|n| Some(Value::I64(n.into()))).collect::<Vec<_>>()
    });
    let mixed_in = (walk.clone(), vec((any::<prop::sample::Index>(), any_value()), 0..4));
    let mixed_in = mixed_in.prop_map(|(mut values, others)| {
        for (place, value) in others {
            let place = place.index(values.len());
            values[place] = value;
        }
        values
    });
    prop_oneof![
        vec(any_value(), 1..200),
        vec(any_double().prop_map(|x| Some(Value::F64(x))), 1..200),
        walk,
        noise,
        mixed_in
    ]
}

fn any_steps() -> impl Strategy<Value = Vec<i64>> {
    let rhythm = (0i64..1000, 1i64..10).prop_map(|(late, beats)| {
        vec![beats * 1_000_000_000 + late * 1000, beats * 1_000_000_000 - late * 1000]
    });
    prop_oneof![vec(1i64..3_000_000_000, 1..9), vec(1i64..99, 1..9), rhythm]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_rows_come_back(
        tags in vec((any_values(), any_steps()), 1..8),
        merged: bool,
        wanted in (0u32..8, any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let rows = rows(tags);
        let dir = tempfile::tempdir().unwrap();
        let entry = write(&dir, &rows, merged);
        prop_assert_eq!(entry.rows, rows.len() as u64);
        prop_assert_eq!(&read(&dir, entry.clone(), None).unwrap(), &rows);
        let (tag, from, to) = wanted;
        let (from, to) = (rows[from.index(rows.len())].time, rows[to.index(rows.len())].time);
        let wanted = Wanted { tag, from, to };
        let within = |row: &&Row| row.tag == tag && row.time >= from && row.time < to;
        let expected: Vec<Row> = rows.iter().filter(within).cloned().collect();
        prop_assert_eq!(read(&dir, entry, Some(wanted)).unwrap(), expected);
    }

    #[test]
    fn samples_of_a_tag_are_written_like_their_rows(values in any_values(), steps in any_steps()) {
        let rows = rows(vec![(values, steps)]);
        let rows: Vec<Row> = rows.into_iter().map(|row| Row { position: 3, ..row }).collect();
        let mut samples = Samples::default();
        for row in &rows {
            let quality = Quality::from_code(row.quality);
            let time = Timestamp::from_nanos(row.time);
            samples.push(TagId(row.tag), Sample { time, value: row.value.clone(), quality });
        }
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(&dir);
        writer.push_run(&samples, 0..rows.len(), 3).unwrap();
        let entry = writer.finish(dir.path()).unwrap();
        prop_assert_eq!(read(&dir, entry, None).unwrap(), rows);
    }
}

/// Rows of every kind and encoding.
fn mixed_rows(per_tag: i64) -> Vec<Row> {
    let mut tags = Vec::new();
    for tag in 0..12i64 {
        let mut noise = 1u64;
        let values = (0..per_tag).map(|index| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let special = [f64::NAN, -0.0, f64::INFINITY, f64::MIN_POSITIVE, 1e300, 0.1 + 0.2];
            Some(match tag {
                0 => Value::F64((noise >> 60) as f64 / 10.0),
                1 => Value::F64(f64::from_bits(noise >> 2)),
                2 => Value::U64(u64::MAX - index as u64 * 3),
                3 => Value::Text(format!("batch {} 运行", index / 100).into()),
                4 => Value::Bool(index / 50 % 2 == 0),
                5 => Value::Array([Value::F64(index as f64)].into()),
                6 => Value::F64(f64::from((index as f32 * 0.37).sin())),
                7 => Value::F64(((index as f64 / 50.0).sin() * 1e4).round() / 100.0),
                8 => Value::F64(f64::from((noise >> 57) as f32 / 10.0)),
                9 if index % 20 == 7 => Value::F64(special[index as usize / 20 % 6]),
                9 => Value::F64((noise >> 58) as f64 / 1000.0 - 0.03),
                10 => Value::I64(noise as i64),
                _ if index % 3 == 0 => return None,
                _ => Value::Enumeration(index / 40 - 2),
            })
        });
        let jitter = [1_000_000_000, 1_003_000_000, 997_000_000, 1_000_000_000];
        tags.push((values.collect(), if tag % 2 == 0 { jitter.to_vec() } else { vec![1_234_567] }));
    }
    rows(tags)
}

/// A block of pages of every encoding, and its file.
fn mixed_block() -> (TempDir, BlockEntry, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let entry = write(&dir, &mixed_rows(700), false);
    let bytes = std::fs::read(path(dir.path(), &entry)).unwrap();
    (dir, entry, bytes)
}

/// Makes checksums right again, so that nothing but the reader itself stands against the bytes.
fn seal(dir: &TempDir, entry: &BlockEntry, before: &[u8], mut bytes: Vec<u8>) -> BlockEntry {
    let tail = (entry.tail_offset as usize).min(bytes.len());
    let list = |bytes: &[u8]| {
        let chunks = bytes[..tail].chunks(CHUNK_BYTES);
        chunks.map(|chunk| format!("{:08x}", crc32c::crc32c(chunk))).collect::<String>()
    };
    let (old, new) = (list(before), list(&bytes));
    if let Some(at) = bytes.windows(old.len()).position(|text| text == old.as_bytes()) {
        bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
    let tail_crc32c = crc32c::crc32c(&bytes[tail..]);
    std::fs::write(path(dir.path(), entry), &bytes).unwrap();
    BlockEntry { bytes: bytes.len() as u64, tail_crc32c, ..entry.clone() }
}

#[test]
fn changed_bytes_with_right_checksums_are_no_panic() {
    let (dir, entry, whole) = mixed_block();
    let mut random = 7u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % below
    };
    for round in 0..3000 {
        let mut bytes = whole.clone();
        // The pages, and then the footer as well.
        let within = if round < 2000 { entry.tail_offset as usize } else { bytes.len() };
        for _ in 0..1 + next(3) {
            let place = next(within);
            bytes[place] = next(256) as u8;
        }
        let changed = seal(&dir, &entry, &whole, bytes);
        let _ = read(&dir, changed, None);
    }
}

#[test]
fn any_bytes_as_a_footer_are_no_panic() {
    let (dir, entry, whole) = mixed_block();
    let tail = entry.tail_offset as usize;
    for length in (0..whole.len() - tail - 8).step_by(7) {
        let mut bytes = whole[..tail + length].to_vec();
        bytes.extend_from_slice(&whole[whole.len() - 8..]);
        let changed = seal(&dir, &entry, &whole, bytes);
        assert!(read(&dir, changed, None).is_err(), "{length}");
    }
}

#[test]
fn a_long_run_is_read_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let values = (0..70_000).map(|n| Some(Value::F64(f64::from(n % 1000) / 10.0))).collect();
    let rows = rows(vec![(values, vec![1_000_000_000])]);
    let entry = write(&dir, &rows, false);
    assert!(entry.bytes < 10_000, "{}", entry.bytes);
    assert_eq!(read(&dir, entry, None).unwrap(), rows);
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/block-2")
}

/// What other engines are compared with: tag, nanoseconds, kind, quality and the value, a double by
/// its bits in hexadecimal.
fn as_text(row: &Row) -> String {
    let value = match &row.value {
        None => String::new(),
        Some(Value::F64(x)) => format!("{:016x}", x.to_bits()),
        Some(Value::Bool(x)) => i64::from(*x).to_string(),
        Some(Value::Text(text)) => text.to_string(),
        Some(value) => value.to_json().to_string().replace('"', ""),
    };
    let kind = row.value.as_ref().map_or("none", |value| value.data_type().as_str());
    format!("{}\t{}\t{kind}\t{}\t{value}\n", row.tag, row.time, row.quality)
}

/// Set to write the fixture of the current format anew.
const WRITE: &str = "WEIR_BLOCK_WRITE_FIXTURE";

/// Not a test by itself: writes the fixture when it is asked to. With `WEIR_BLOCK_ROWS`, so many
/// rows a tag go to the folder that `WEIR_BLOCK_DIR` names, for other engines to read.
#[test]
fn write_the_block_fixture() {
    if std::env::var_os(WRITE).is_none() {
        return;
    }
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse().ok());
    let rows = mixed_rows(number("WEIR_BLOCK_ROWS").unwrap_or(100));
    let target = std::env::var_os("WEIR_BLOCK_DIR").map_or_else(fixture, PathBuf::from);
    let dir = tempfile::tempdir().unwrap();
    let entry = write(&dir, &rows, false);
    std::fs::create_dir_all(&target).unwrap();
    std::fs::copy(path(dir.path(), &entry), target.join("block.parquet")).unwrap();
    std::fs::write(target.join("entry.json"), serde_json::to_vec(&entry).unwrap()).unwrap();
    std::fs::write(target.join("rows.tsv"), rows.iter().map(as_text).collect::<String>()).unwrap();
}

#[test]
fn a_block_of_format_2_is_read() {
    let entry = std::fs::read(fixture().join("entry.json")).unwrap();
    let entry: BlockEntry = serde_json::from_slice(&entry).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = path(dir.path(), &entry);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::copy(fixture().join("block.parquet"), file).unwrap();
    assert_eq!(read(&dir, entry, None).unwrap(), mixed_rows(100));
}

/// Rows of two tags that are long enough for sums.
fn long_rows() -> Vec<Row> {
    let sensor = |n: i32| match n % 500 {
        0 => None,
        _ => Some(Value::F64(f64::from(n % 70) / 10.0)),
    };
    let tags = [(0..5000).map(sensor).collect(), (0..1100).map(|n| Some(Value::I64(n))).collect()];
    rows(tags.into_iter().map(|values| (values, vec![1_000_000_000])).collect())
}

fn sums_fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sums-1")
}

/// Not a test by itself: writes a block with sums when it is asked to.
#[test]
fn write_the_fixture_of_sums() {
    if std::env::var_os(WRITE).is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let entry = write(&dir, &long_rows(), true);
    std::fs::create_dir_all(sums_fixture()).unwrap();
    let target = sums_fixture().join("block.parquet");
    std::fs::copy(path(dir.path(), &entry), target).unwrap();
    let entry = serde_json::to_vec(&entry).unwrap();
    std::fs::write(sums_fixture().join("entry.json"), entry).unwrap();
}

#[test]
fn sums_of_version_1_are_read() {
    let entry = std::fs::read(sums_fixture().join("entry.json")).unwrap();
    let entry: BlockEntry = serde_json::from_slice(&entry).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = path(dir.path(), &entry);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::copy(sums_fixture().join("block.parquet"), &file).unwrap();
    assert_eq!(read(&dir, entry.clone(), None).unwrap(), long_rows());
    let sums = |entry| {
        let block = Block::new(dir.path(), &disk(), entry);
        OpenBlocks::default().open(&block).unwrap().sums().to_vec()
    };
    let found = sums(entry);
    assert_eq!(found.iter().map(|sum| sum.tag).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(found, sums(write(&dir, &long_rows(), true)));
}

/// Spark's vectorized reader takes a dictionary for all rows of a batch, those before its page too.
#[test]
fn no_page_with_a_dictionary_follows_one_without() {
    use parquet::basic::Encoding;
    use parquet::column::page::Page;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    let few = |n: u64| (0..9_000).map(move |i| Some(Value::U64(i / 500 + n))).collect::<Vec<_>>();
    let many: Vec<_> =
        (0..9_000u64).map(|i| Some(Value::U64(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)))).collect();
    let text = |n: u64, i: u64| Some(Value::Text(format!("alarm {} of {n}", i).into()));
    let texts = (0..9_000).map(|i| text(9, i)).chain((0..9_000).map(|i| text(9, i % 3)));
    let tags = [few(0), many, few(70_000), texts.collect(), few(3)];
    let dir = tempfile::tempdir().unwrap();
    let steps = || vec![1_000_000_000, 7, 1_000_000_000];
    let entry = write(&dir, &rows(tags.into_iter().map(|tag| (tag, steps())).collect()), true);
    let file = std::fs::File::open(Block::new(dir.path(), &disk(), entry).path()).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let (mut with, mut without) = (0, 0);
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).unwrap();
        for column in 0..group.num_columns() {
            let mut none = false;
            for page in group.get_column_page_reader(column).unwrap() {
                match page.unwrap() {
                    Page::DataPage { encoding: Encoding::RLE_DICTIONARY, .. } => {
                        assert!(!none, "column {column}");
                        with += 1;
                    }
                    // A page of rows without a value says nothing of a dictionary.
                    Page::DataPage { buf, num_values, .. } if buf.len() > 16 || num_values < 2 => {
                        none = true;
                        without += 1;
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(with > 10 && without > 10, "{with} {without}");
}
