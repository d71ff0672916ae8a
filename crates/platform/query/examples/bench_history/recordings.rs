//! Recorded sets, whose files lie beside the project where somebody laid them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use weir_model::{Sample, TagId, Timestamp, Value};

use super::plant::{SECOND, START};
use super::set::BATCH;
use super::{Outcome, Points};

/// Bytes that a recording may unpack to.
const BYTES_MAX: u64 = 64 << 20;

/// Seconds between two rows of the Tennessee Eastman process.
const PROCESS_STEP: i64 = 180;

/// The points of a set by name: `skab`, `nab`, `tep` or `cmapss`.
pub(super) fn points(name: &str, data: &Path) -> Outcome<Points> {
    let mut samples = match name {
        "skab" => valves(data)?,
        "nab" => servers(data)?,
        "tep" => process(data)?,
        "cmapss" => engines(data)?,
        other => return Err(format!("no recording is called {other}").into()),
    };
    // As they came in: by time, and of one time by tag. Two of one tag and time are one.
    samples.sort_by_key(|(tag, sample)| (sample.time, *tag));
    samples.dedup_by_key(|(tag, sample)| (sample.time, *tag));
    let batches: Vec<_> = samples.chunks(BATCH).map(<[_]>::to_vec).collect();
    Ok(Box::new(batches.into_iter()))
}

type Samples = Vec<(TagId, Sample)>;

/// SKAB, valve 1: eight sensors each second; the last two columns are labels.
fn valves(data: &Path) -> Outcome<Samples> {
    let mut samples = Vec::new();
    for file in files(&data.join("anomaly/skab-gpl3-test-only/valve1"), ".csv.gz")? {
        for line in unpacked(&file)?.lines().skip(1) {
            let cells: Vec<&str> = line.split(';').collect();
            let Some((time, sensors)) = cells.split_first() else { continue };
            let time = moment(time)?;
            for (tag, cell) in sensors.iter().take(8).enumerate() {
                samples.push(sample(tag, time, cell)?);
            }
        }
    }
    Ok(samples)
}

/// NAB: one series a file, a value every five minutes.
fn servers(data: &Path) -> Outcome<Samples> {
    let mut samples = Vec::new();
    let files = files(&data.join("anomaly/nab/realAWSCloudwatch"), ".csv.gz")?;
    for (tag, file) in files.iter().enumerate() {
        for line in unpacked(file)?.lines().skip(1) {
            let (time, cell) = line.split_once(',').ok_or("a line without a comma")?;
            samples.push(sample(tag, moment(time)?, cell)?);
        }
    }
    Ok(samples)
}

/// The Tennessee Eastman process: 52 variables, the runs one after another. The first file is
/// turned: a line for each variable.
fn process(data: &Path) -> Outcome<Samples> {
    let mut samples = Vec::new();
    let mut row = 0;
    for file in files(&data.join("plant/tep"), ".dat.gz")? {
        let text = unpacked(&file)?;
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        let turned = file.ends_with("d00.dat.gz");
        let rows = if turned { lines.first().map_or(0, Vec::len) } else { lines.len() };
        for index in 0..rows {
            let time = Timestamp::from_nanos(START + row * PROCESS_STEP * SECOND);
            row += 1;
            let cells: Vec<&str> = if turned {
                lines.iter().filter_map(|line| line.get(index).copied()).collect()
            } else {
                lines[index].clone()
            };
            for (tag, cell) in cells.iter().enumerate() {
                samples.push(sample(tag, time, cell)?);
            }
        }
    }
    Ok(samples)
}

/// C-MAPSS, FD001: of each engine three settings and 21 sensors, once a flight, which is an hour.
fn engines(data: &Path) -> Outcome<Samples> {
    let mut samples = Vec::new();
    let files = files(&data.join("plant/cmapss"), "_FD001.txt.gz")?;
    for (part, file) in files.iter().enumerate() {
        for line in unpacked(file)?.lines() {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let [engine, cycle, values @ ..] = cells.as_slice() else { continue };
            let (engine, cycle): (usize, i64) = (engine.parse()?, cycle.parse()?);
            let time = Timestamp::from_nanos(START + cycle * 3600 * SECOND);
            for (column, cell) in values.iter().enumerate() {
                samples.push(sample((part * 100 + engine) * 24 + column, time, cell)?);
            }
        }
    }
    Ok(samples)
}

fn sample(tag: usize, time: Timestamp, cell: &str) -> Outcome<(TagId, Sample)> {
    Ok((TagId(tag as u32), Sample::good(time, Value::F64(cell.trim().parse()?))))
}

/// `2020-03-09 10:14:33`, in UTC.
fn moment(text: &str) -> Outcome<Timestamp> {
    Ok(Timestamp::parse(&(text.replace(' ', "T") + "Z"))?)
}

/// The files of a folder whose names end so, in order.
fn files(folder: &Path, ending: &str) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(ending));
    files.sort();
    Ok(files)
}

fn unpacked(file: &Path) -> Outcome<String> {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(file)?).take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}
