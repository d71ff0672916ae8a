//! SQL over a source of a few tags.

mod functions;
mod hostile;
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value as Json;
use weir_model::{
    AssetRow, DataType, Grade, Quality, Sample, Samples, TagId, TagRow, Timestamp, Value,
};

use crate::{Engine, Format, Limits, Pages, QueryError, Source, SourceError, Wanted};

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

    fn samples(&self, tags: Vec<TagId>, from: Timestamp, to: Timestamp) -> Pages {
        self.tags_read.fetch_add(tags.len(), Ordering::Relaxed);
        let mut samples = Samples::default();
        for tag in tags {
            let of_tag = &self.tags[tag.0 as usize].1;
            let within = of_tag.iter().filter(|s| s.time >= from && s.time < to);
            samples.extend(within.map(|sample| (tag, sample.clone())));
        }
        let pages: Vec<Samples> = (0..samples.len())
            .step_by(100)
            .map(|from| {
                let mut page = Samples::default();
                page.append_range(&samples, from..samples.len().min(from + 100));
                page
            })
            .collect();
        let read = Arc::clone(&self.samples_read);
        let broken = self.broken.then(|| Err("the disk is gone".into()));
        let pages = stream::iter(pages).map(move |page| {
            read.fetch_add(page.len(), Ordering::Relaxed);
            Ok(page)
        });
        let pages = pages.chain(stream::iter(broken));
        if self.endless { pages.chain(stream::pending()).boxed() } else { pages.boxed() }
    }
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
