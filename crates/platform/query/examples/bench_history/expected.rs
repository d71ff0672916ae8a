//! What the answers have to be, from a plain walk over the points.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use weir_model::Value;

use super::Outcome;
use super::measure::{Row, write_answer};
use super::plant::SECOND;
use super::set::Set;

const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 3600 * SECOND;

/// What numbers sum up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Sums {
    fn add(&mut self, x: f64) {
        let first = self.count == 0;
        self.min = if first || x < self.min { x } else { self.min };
        self.max = if first || x > self.max { x } else { self.max };
        self.count += 1;
        self.sum += x;
    }

    /// Average, least and greatest; none where there are no numbers.
    fn row(&self) -> Option<Vec<Option<f64>>> {
        let mean = self.sum / self.count as f64;
        (self.count > 0).then(|| vec![Some(mean), Some(self.min), Some(self.max)])
    }
}

/// By tag and the beginning of a stretch of time.
type Buckets = BTreeMap<(u32, i64), Sums>;

/// Writes a file for each question, and `set.json`, which says what is asked.
pub(super) fn write(set: Set, folder: &Path) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    let (from, to) = set.span();
    let hour = set.hour();
    let micros = |nanos: i64| nanos / 1000;
    let about = json!({
        "tags": set.tags,
        "moments": set.moments,
        "from_us": micros(from),
        "to_us": micros(to),
        "hour_us": [micros(hour.0), micros(hour.1)],
        "one": set.one().0,
        "ten": set.ten().map(|tag| tag.0),
        "few_above": set.few_above(),
        "half_above": Set::HALF_ABOVE,
    });
    std::fs::write(folder.join("set.json"), about.to_string())?;
    let (one, ten) = (set.one(), set.ten());
    let mut last: Vec<(i64, Option<f64>)> = vec![(i64::MIN, None); set.tags as usize];
    let mut per_tag = vec![Sums::default(); set.tags as usize];
    let (mut minutes_one, mut minutes_ten, mut hours) =
        (Buckets::new(), Buckets::new(), Buckets::new());
    let (mut raw, mut few, mut half) = (Vec::new(), Vec::new(), 0u64);
    for (tag, sample) in set.batches().flatten() {
        let number = sample.value.as_ref().and_then(Value::as_f64);
        let (nanos, index) = (sample.time.nanos(), tag.0 as usize);
        if nanos > last[index].0 {
            last[index] = (nanos, number);
        }
        let Some(x) = number else { continue };
        let row = || (tag.0, micros(nanos), vec![Some(x)]);
        if tag == one && (hour.0..hour.1).contains(&nanos) {
            raw.push(row());
        }
        if tag == one {
            minutes_one.entry((tag.0, nanos - nanos.rem_euclid(MINUTE))).or_default().add(x);
        }
        if ten.contains(&tag) {
            minutes_ten.entry((tag.0, nanos - nanos.rem_euclid(MINUTE))).or_default().add(x);
        }
        hours.entry((tag.0, nanos - nanos.rem_euclid(HOUR))).or_default().add(x);
        per_tag[index].add(x);
        if x > set.few_above() {
            few.push(row());
        }
        half += u64::from(x > Set::HALF_ABOVE);
    }
    let buckets = |of: &Buckets| -> Vec<Row> {
        of.iter().filter_map(|((tag, t), sums)| Some((*tag, micros(*t), sums.row()?))).collect()
    };
    let last_of = |(tag, (nanos, number)): (usize, &(i64, Option<f64>))| {
        (tag as u32, micros(*nanos), vec![*number])
    };
    let last: Vec<Row> = last.iter().enumerate().map(last_of).collect();
    let per_tag = per_tag.iter().enumerate().filter_map(|(tag, sums)| {
        let mut row = vec![Some(sums.count as f64)];
        row.extend(sums.row()?);
        Some((tag as u32, 0, row))
    });
    let save = |name: &str, rows: &[Row]| write_answer(&folder.join(format!("{name}.csv")), rows);
    save("last_one", &last[one.0 as usize..=one.0 as usize])?;
    save("last_all", &last)?;
    save("raw_hour", &raw)?;
    save("down_one", &buckets(&minutes_one))?;
    save("down_ten", &buckets(&minutes_ten))?;
    save("down_all", &buckets(&hours))?;
    save("filter_rows", &few)?;
    save("filter_count", &[(0, 0, vec![Some(half as f64)])])?;
    save("per_tag", &per_tag.collect::<Vec<Row>>())
}
