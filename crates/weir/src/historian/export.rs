//! `weir historian export`

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use weir_historian::ParquetExport;
use weir_model::{DataType, Quality, Sample, Timestamp, Value};

use super::progress::{Progress, count, interrupted};
use crate::args::{ExportArgs, ExportFormat, Global};
use crate::client::{Client, encode};
use crate::output;

/// Tags that are asked for at once: a request's address stays short.
const TAGS_AT_ONCE: usize = 50;

/// Rows after which it is looked whether to go on.
const ROWS_BETWEEN_LOOKS: u64 = 4096;

/// A tag that is exported.
pub(super) struct Tag {
    pub(super) id: String,
    pub(super) data_type: DataType,
}

/// Writes the samples of tags to a file or to standard output.
pub(super) fn run(args: &ExportArgs, client: &Client, global: &Global) -> anyhow::Result<()> {
    if args.tags.is_empty() && !args.all {
        bail!("name tags or patterns such as 'plant/*', or take --all");
    }
    let format = args.format.unwrap_or_else(|| format_of(args.out.as_deref()));
    if format == ExportFormat::Parquet && args.out.is_none() {
        bail!("a Parquet file cannot go to standard output: name it with --out");
    }
    let tags = chosen(tags(client)?, &args.tags)?;
    let ended = interrupted()?;
    let mut draft = args.out.as_deref().map(Draft::create).transpose()?;
    let to: Box<dyn Write + Send> = match &draft {
        Some(draft) => Box::new(BufWriter::new(draft.open()?)),
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let mut out = Out::new(format, to)?;
    let mut progress = Progress::new(global);
    let mut rows = 0;
    for (at, some) in tags.chunks(TAGS_AT_ONCE).enumerate() {
        let path = path(some, args);
        let before = (at * TAGS_AT_ONCE) as u64;
        let mut seen = Seen { out: &mut out, tags: some, current: 0, rows: &mut rows };
        seen.read(client, &path, &ended, &mut |current, rows| {
            progress.show(before + current, tags.len() as u64, |seconds| {
                format!(
                    "tag {} of {}, {} samples, {}/s",
                    before + current + 1,
                    tags.len(),
                    count(rows),
                    count((rows as f64 / seconds) as u64)
                )
            });
        })?;
    }
    out.finish()?;
    progress.clear();
    if let Some(draft) = &mut draft {
        draft.keep()?;
        if !global.quiet {
            let (file, seconds) = (draft.to.display(), progress.seconds());
            let rate = count((rows as f64 / seconds) as u64);
            let tags = tags.len();
            output::line(&format!("{} samples of {tags} tags in {file}, {rate}/s", count(rows)))?;
        }
    }
    Ok(())
}

fn format_of(out: Option<&Path>) -> ExportFormat {
    let is_parquet = |path: &Path| path.extension().is_some_and(|end| end == "parquet");
    if out.is_some_and(is_parquet) { ExportFormat::Parquet } else { ExportFormat::Csv }
}

fn path(tags: &[Tag], args: &ExportArgs) -> String {
    // A comma between two is one that is not encoded.
    let ids: Vec<String> = tags.iter().map(|tag| encode(&tag.id)).collect();
    let mut path = format!("/samples?tags={}", ids.join(","));
    for (name, time) in [("from", &args.from), ("to", &args.to)] {
        if let Some(time) = time {
            path.push_str(&format!("&{name}={}", encode(time)));
        }
    }
    path
}

/// Every tag that the caller sees.
pub(super) fn tags(client: &Client) -> anyhow::Result<Vec<Tag>> {
    let tag = |item: &Json| -> anyhow::Result<Tag> {
        let data_type = serde_json::from_value(item["data_type"].clone())?;
        Ok(Tag { id: item["id"].as_str().unwrap_or_default().to_owned(), data_type })
    };
    client.list("/tags", usize::MAX)?.iter().map(tag).collect()
}

/// Those that the patterns name, in their own order; all where there is none.
fn chosen(tags: Vec<Tag>, patterns: &[String]) -> anyhow::Result<Vec<Tag>> {
    let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_lowercase()).collect();
    let mut used = vec![false; patterns.len()];
    let mut chosen = Vec::new();
    for tag in tags {
        let id = tag.id.to_lowercase();
        let mut wanted = patterns.is_empty();
        for (pattern, used) in patterns.iter().zip(&mut used) {
            if matches(pattern, &id) {
                (wanted, *used) = (true, true);
            }
        }
        if wanted {
            chosen.push(tag);
        }
    }
    if let Some(unused) = used.iter().position(|used| !used) {
        bail!("no tag has the identifier {}", patterns[unused]);
    }
    Ok(chosen)
}

/// Whether a text is what a pattern says, where `*` stands for any text and `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                // The star takes one character more.
                Some((at, taken)) => {
                    (p, t) = (at + 1, taken + 1);
                    star = Some((at, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Where samples go.
enum Out {
    Csv(Box<csv::Writer<Box<dyn Write + Send>>>),
    Parquet(Box<ParquetExport<Box<dyn Write + Send>>>),
}

impl Out {
    fn new(format: ExportFormat, to: Box<dyn Write + Send>) -> anyhow::Result<Self> {
        match format {
            ExportFormat::Csv => {
                let mut writer = csv::Writer::from_writer(to);
                writer.write_record(["tag", "time", "value", "quality"])?;
                Ok(Self::Csv(Box::new(writer)))
            }
            ExportFormat::Parquet => Ok(Self::Parquet(Box::new(ParquetExport::new(to)?))),
        }
    }

    fn write(&mut self, record: &csv::StringRecord, data_type: DataType) -> anyhow::Result<()> {
        match self {
            Self::Csv(writer) => Ok(writer.write_record(record)?),
            Self::Parquet(file) => {
                let cell = |at| record.get(at).unwrap_or_default();
                let quality: Quality = cell(3).parse()?;
                let value = match cell(2) {
                    "" if data_type != DataType::Text || quality.is_bad() => None,
                    text => Some(Value::from_text(text, data_type)?),
                };
                let time = Timestamp::parse(cell(1))?;
                Ok(file.push(cell(0), &Sample { time, value, quality })?)
            }
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Csv(mut writer) => Ok(writer.flush()?),
            Self::Parquet(file) => Ok(file.finish()?.flush()?),
        }
    }
}

/// The answer for some tags.
struct Seen<'a> {
    out: &'a mut Out,
    tags: &'a [Tag],
    current: u64,
    rows: &'a mut u64,
}

impl Seen<'_> {
    fn read(
        &mut self,
        client: &Client,
        path: &str,
        ended: &AtomicBool,
        show: &mut dyn FnMut(u64, u64),
    ) -> anyhow::Result<()> {
        let places: HashMap<&str, usize> =
            self.tags.iter().enumerate().map(|(place, tag)| (tag.id.as_str(), place)).collect();
        let mut records = csv::Reader::from_reader(client.open(path, "text/csv")?);
        let mut record = csv::StringRecord::new();
        while records
            .read_record(&mut record)
            .context("the answer was cut; nothing was kept of it")?
        {
            let place = record.get(0).and_then(|id| places.get(id)).copied();
            let place = place.context("the node answered with another tag")?;
            self.out.write(&record, self.tags[place].data_type)?;
            self.current = place as u64;
            *self.rows += 1;
            if self.rows.is_multiple_of(ROWS_BETWEEN_LOOKS) {
                show(self.current, *self.rows);
                if ended.load(Ordering::Relaxed) {
                    bail!("interrupted; nothing was kept");
                }
            }
        }
        show(self.tags.len() as u64 - 1, *self.rows);
        Ok(())
    }
}

/// A file that has its name only once it is whole.
struct Draft {
    to: PathBuf,
    part: PathBuf,
    kept: bool,
}

impl Draft {
    fn create(to: &Path) -> anyhow::Result<Self> {
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        Ok(Self { to: to.to_owned(), part: part.into(), kept: false })
    }

    fn open(&self) -> anyhow::Result<File> {
        File::create(&self.part).with_context(|| format!("could not write {}", self.part.display()))
    }

    fn keep(&mut self) -> anyhow::Result<()> {
        let failed = || format!("could not write {}", self.to.display());
        File::open(&self.part).and_then(|file| file.sync_all()).with_context(failed)?;
        fs::rename(&self.part, &self.to).with_context(failed)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // A part of a file would be taken for the whole.
            let _ = fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/b.c", true),
            ("*", "", true),
            ("a/?1", "a/t1", true),
            ("a/?1", "a/t12", false),
            ("*.t*1", "a/x.t.t21", true),
            ("*.t*1", "a/x.t.t22", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_draft_that_is_given_up_leaves_nothing() {
        let dir = std::env::temp_dir().join(format!("weir-export-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("a.csv");
        {
            let draft = Draft::create(&file).unwrap();
            draft.open().unwrap().write_all(b"x").unwrap();
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        let mut draft = Draft::create(&file).unwrap();
        draft.open().unwrap().write_all(b"x").unwrap();
        draft.keep().unwrap();
        drop(draft);
        assert_eq!(fs::read(&file).unwrap(), b"x");
        fs::remove_dir_all(dir).unwrap();
    }
}
