//! SQL over a source of a few tags.

mod asof;
mod functions;
mod hostile;
mod rows;
mod series;
mod stream;
mod sums;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream as streams};
use serde_json::Value as Json;
use weir_model::{
    AssetRow, DataType, Grade, Quality, RollupNumbers, RollupRow, RollupsWanted, Sample,
    SampleColumns, SamplePage, SamplesWanted, TagId, TagRow, Timestamp, Value, push_run,
};

use crate::{Engine, Format, Limits, Pages, QueryError, RollupPages, Source, SourceError, Wanted};

/// The first sample of every tag: 2026-11-23T08:00:00Z.
const START: i64 = 1_795_420_800_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// Tags with a sample a second, and what was read of them.
#[derive(Default)]
struct Plant {
    tags: Vec<(TagRow, Vec<Sample>)>,
    samples_read: Arc<AtomicUsize>,
    tags_read: Arc<AtomicUsize>,
    broken: bool,
    endless: bool,
}

impl Plant {
    fn with(mut self, id: &str, unit: &str, values: Vec<Option<Value>>) -> Self {
        let samples = values.into_iter().enumerate().map(|(second, value)| {
            let time = Timestamp::from_nanos(START + second as i64 * SECOND);
            let quality = if value.is_some() { Quality::GOOD } else { Quality::TIMEOUT };
            Sample { time, value, quality }
        });
        let row = TagRow {
            id: id.to_owned(),
            name: format!("name of {id}"),
            description: String::new(),
            unit: Some(unit.to_owned()),
            data_type: DataType::F64,
            asset: Some("88.100/reactor".to_owned()),
            device: None,
            protocol: "http".to_owned(),
            grade: Grade::General,
        };
        self.tags.push((row, samples.collect()));
        self
    }

    /// `p` 0, 1, 2 …; `t` 20.5 with a gap; `state` texts; `big` integers.
    fn small() -> Self {
        let numbers = |n: usize| (0..n).map(|i| Some(Value::F64(i as f64))).collect::<Vec<_>>();
        let gap = vec![Some(Value::F64(20.0)), None, None, Some(Value::F64(26.0)), None];
        let texts = ["off", "on, loud", ""].map(|text| Some(Value::Text(text.into())));
        let big = vec![Some(Value::I64((1 << 53) + 1)), Some(Value::I64(-7))];
        Self::default()
            .with("88.100/t", "Cel", gap)
            .with("88.100/p", "kPa", numbers(10))
            .with("88.100/state", "", texts.into())
            .with("88.100/big", "", big)
    }

    /// So many tags of so many samples each.
    fn large(tags: usize, samples: usize) -> Self {
        (0..tags).fold(Self::default(), |plant, tag| {
            let values = (0..samples).map(|i| Some(Value::F64(i as f64))).collect();
            plant.with(&format!("88.100/tag-{tag:05}"), "Cel", values)
        })
    }

    fn rows(&self, wanted: Wanted<'_>) -> Vec<(usize, &TagRow)> {
        let rows = self.tags.iter().map(|(row, _)| row).enumerate();
        rows.filter(|(_, row)| wanted.is_none_or(|ids| ids.contains(&row.id))).collect()
    }
}

impl Source for Plant {
    fn numbers(&self, wanted: Wanted<'_>) -> Result<Vec<(TagId, String)>, SourceError> {
        let rows = self.rows(wanted);
        Ok(rows.into_iter().map(|(place, row)| (TagId(place as u32), row.id.clone())).collect())
    }

    fn tags(&self, wanted: Wanted<'_>) -> Result<Vec<TagRow>, SourceError> {
        Ok(self.rows(wanted).into_iter().map(|(_, row)| row.clone()).collect())
    }

    fn assets(&self) -> Result<Vec<AssetRow>, SourceError> {
        Ok(vec![AssetRow {
            id: "88.100/reactor".to_owned(),
            name: "Reactor".to_owned(),
            description: String::new(),
            level: "unit".to_owned(),
            parent: None,
            grade: Grade::General,
        }])
    }

    fn last(
        &self,
        tags: &[TagId],
        (from, to): (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> Result<SamplePage, SourceError> {
        let last = |tag: &TagId| Some((*tag, self.tags[tag.0 as usize].1.last()?));
        let mut page = SamplePage::default();
        let found = tags.iter().filter_map(last);
        for (row, (tag, sample)) in
            found.filter(|(_, sample)| from <= sample.time && sample.time < to).enumerate()
        {
            page.tags.push((tag, 1));
            page.times.push(sample.time.nanos());
            push_run(&mut page.qualities, sample.quality, 1);
            let number = sample.value.as_ref().and_then(Value::as_f64);
            page.numbers.push(number.unwrap_or_default());
            page.present.push(number.is_some());
            if let Some(text) = sample.value.as_ref().and_then(Value::as_text) {
                page.texts.push(row, &text);
            }
        }
        page.restrict(columns);
        Ok(page)
    }

    /// Of each stretch the count, sum and ends; nothing of qualities and times.
    fn rollups(&self, wanted: RollupsWanted) -> RollupPages {
        let step = wanted.step.nanos();
        let mut rows: Vec<RollupRow> = Vec::new();
        for tag in wanted.tags.iter() {
            for sample in &self.tags[tag.0 as usize].1 {
                let time = Timestamp::from_nanos(sample.time.nanos().div_euclid(step) * step);
                if time < wanted.from || time >= wanted.to {
                    continue;
                }
                if rows.last().is_none_or(|row| (row.tag, row.time) != (*tag, time)) {
                    let (samples, count, numbers) = (0, 0, None);
                    let (good_ns, uncertain_ns, bad_ns) = (59_000_000_000, 0, 1_000_000_000);
                    let time_average = None;
                    let row = RollupRow {
                        tag: *tag,
                        time,
                        samples,
                        count,
                        numbers,
                        time_average,
                        good_ns,
                        uncertain_ns,
                        bad_ns,
                    };
                    rows.push(row);
                }
                let row = rows.last_mut().unwrap();
                row.samples += 1;
                if let Some(x) = sample.value.as_ref().and_then(Value::as_f64) {
                    let mut numbers = row.numbers.unwrap_or(RollupNumbers {
                        count: 0,
                        sum: 0.0,
                        min: x,
                        max: x,
                        first: x,
                        last: x,
                    });
                    (numbers.count, numbers.sum, numbers.last) =
                        (numbers.count + 1, numbers.sum + x, x);
                    (numbers.min, numbers.max) = (numbers.min.min(x), numbers.max.max(x));
                    row.numbers = Some(numbers);
                    row.count += 1;
                }
            }
        }
        let pages: Vec<_> = rows.chunks(3).map(|rows| Ok(rows.to_vec())).collect();
        streams::iter(pages).boxed()
    }

    fn samples(&self, wanted: SamplesWanted) -> Pages {
        self.tags_read.fetch_add(wanted.tags.len(), Ordering::Relaxed);
        let mut samples = Vec::new();
        for tag in wanted.tags.iter() {
            let of_tag = &self.tags[tag.0 as usize].1;
            let within = of_tag.iter().filter(|s| s.time >= wanted.from && s.time < wanted.to);
            samples.extend(within.map(|sample| (*tag, sample.clone())));
        }
        let pages: Vec<SamplePage> = samples
            .chunks(100)
            .map(|some| page(some, &wanted))
            .filter(|page| !page.is_empty())
            .collect();
        let read = Arc::clone(&self.samples_read);
        let broken = self.broken.then(|| Err("the disk is gone".into()));
        let pages = streams::iter(pages).map(move |page| {
            read.fetch_add(page.rows(), Ordering::Relaxed);
            Ok(page)
        });
        let pages = pages.chain(streams::iter(broken));
        if self.endless { pages.chain(streams::pending()).boxed() } else { pages.boxed() }
    }
}

/// Samples as a source gives them: what is wanted of them and nothing else.
fn page(samples: &[(TagId, Sample)], wanted: &SamplesWanted) -> SamplePage {
    let mut page = SamplePage::default();
    for (row, (tag, sample)) in samples.iter().enumerate() {
        push_run(&mut page.tags, *tag, 1);
        push_run(&mut page.qualities, sample.quality, 1);
        page.times.push(sample.time.nanos());
        let number = sample.value.as_ref().and_then(Value::as_f64);
        page.numbers.push(number.unwrap_or(f64::NAN));
        page.present.push(number.is_some());
        if let Some(text) = sample.value.as_ref().and_then(Value::as_text) {
            page.texts.push(row, &text);
        }
    }
    if let Some(passed) = page.passed(wanted.numbers, wanted.severities) {
        page.retain(&passed);
    }
    page.restrict(wanted.columns);
    page
}

fn limits() -> Limits {
    Limits { time: Duration::from_secs(120), memory_bytes_max: 32 << 20, ..Limits::default() }
}

fn ask_with(
    limits: Limits,
    plant: Plant,
    sql: &str,
    format: Format,
) -> Result<Vec<u8>, QueryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let engine = Engine::new(limits).unwrap();
    let answer = runtime.block_on(engine.run(sql.to_owned(), format, Arc::new(plant)));
    Ok(answer?.bytes.to_vec())
}

fn json(plant: Plant, sql: &str) -> Json {
    let bytes = ask_with(limits(), plant, sql, Format::Json);
    serde_json::from_slice(&bytes.unwrap_or_else(|error| panic!("{sql}: {error}"))).unwrap()
}

/// The rows of an answer.
fn rows(sql: &str) -> Json {
    json(Plant::small(), sql)["rows"].take()
}

fn refused(sql: &str) -> QueryError {
    match ask_with(limits(), Plant::small(), sql, Format::Json) {
        Ok(bytes) => panic!("{sql}: {}", String::from_utf8_lossy(&bytes)),
        Err(error) => error,
    }
}
