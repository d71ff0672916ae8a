//! `weir historian import`

mod batches;
mod send;
mod source;

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use anyhow::bail;
use serde_json::json;
use weir_model::{DataType, Quality, Timestamp, Value};

use self::batches::{Batch, Batches};
use self::send::{Sender, Sent};
use super::export;
use super::progress::{Progress, bytes, count, interrupted};
use crate::args::{Global, ImportArgs};
use crate::client::Client;
use crate::output;

/// Wrong lines that are printed in all.
const WRONG_LINES_MAX: u64 = 1000;

/// A line that cannot be stored, and why.
pub(super) struct Wrong {
    /// The line of the file, or its row where it has no lines, from 1.
    pub(super) line: u64,
    pub(super) detail: String,
}

/// Reads samples from a file and sends them to a node.
pub(super) fn run(args: &ImportArgs, client: &Client, global: &Global) -> anyhow::Result<()> {
    let input = source::Input::open(args)?;
    let ended = interrupted()?;
    let mut progress = Progress::new(global);
    let (size, read) = (input.size, input.read.clone());
    let producer = input.producer.clone();
    let mut batches = Batches::of(input, args)?;
    let mut sender = Sender::new(client, producer, args);
    let mut judge = if args.dry_run { Some(Judge::new(client)?) } else { None };
    let mut sums = Sums::default();
    while let Some(batch) = batches.next()? {
        if ended.load(Ordering::Relaxed) {
            progress.clear();
            bail!("interrupted after {} samples; run it again to go on", count(sums.stored));
        }
        let sent = match &mut judge {
            Some(judge) => judge.judge(&batch)?,
            None => sender.send(batch)?,
        };
        sums.add(&sent);
        if !sent.wrong.is_empty() {
            progress.clear();
            sums.tell(&sent.wrong, global)?;
            if !args.skip_wrong && judge.is_none() {
                bail!(
                    "lines {} to {} were not stored, the {} samples before them are: correct the file or \
                     create the tags (--create-tags) and run it again, or leave wrong lines out \
                     (--skip-wrong)",
                    sent.lines.0,
                    sent.lines.1,
                    count(sums.stored)
                );
            }
        }
        let done = read.load(Ordering::Relaxed);
        progress.show(done, size.unwrap_or(0), |seconds| {
            let rate = count((sums.stored as f64 / seconds) as u64);
            format!("{} read, {} samples, {rate}/s", bytes(done), count(sums.stored))
        });
    }
    progress.clear();
    sums.finish(args, global, progress.seconds())
}

/// What came of it.
#[derive(Default)]
struct Sums {
    stored: u64,
    known: u64,
    wrong: u64,
    created: u64,
}

impl Sums {
    fn add(&mut self, sent: &Sent) {
        self.stored += sent.stored;
        self.known += sent.known;
        self.created += sent.created;
    }

    fn tell(&mut self, wrong: &[Wrong], global: &Global) -> anyhow::Result<()> {
        for Wrong { line, detail } in wrong {
            self.wrong += 1;
            if self.wrong > WRONG_LINES_MAX {
                continue;
            }
            if global.json {
                output::line(&json!({ "line": line, "detail": detail }))?;
            } else {
                eprintln!("line {line}: {detail}");
            }
        }
        Ok(())
    }

    fn finish(&self, args: &ImportArgs, global: &Global, seconds: f64) -> anyhow::Result<()> {
        let Self { stored, known, wrong, created } = *self;
        if global.json {
            let sums =
                json!({ "stored": stored, "known": known, "wrong": wrong, "created": created });
            output::line(&sums)?;
        } else if !global.quiet {
            let verb = if args.dry_run { "could be stored" } else { "stored" };
            let rate = count((stored as f64 / seconds) as u64);
            let mut text = format!("{} samples {verb}, {rate}/s", count(stored));
            if known > 0 {
                text.push_str(&format!("; {} were there from an earlier run", count(known)));
            }
            if created > 0 {
                text.push_str(&format!("; {} tags were created", count(created)));
            }
            output::line(&text)?;
        }
        match wrong {
            0 => Ok(()),
            wrong => bail!("{} lines are wrong", count(wrong)),
        }
    }
}

/// Says what would be wrong, without sending anything.
struct Judge(HashMap<String, DataType>);

impl Judge {
    fn new(client: &Client) -> anyhow::Result<Self> {
        let tags = export::tags(client)?.into_iter();
        Ok(Self(tags.map(|tag| (tag.id.to_ascii_lowercase(), tag.data_type)).collect()))
    }

    fn judge(&self, batch: &Batch) -> anyhow::Result<Sent> {
        let Batch::Rows(rows) = batch else {
            bail!("--dry-run reads CSV and Parquet; line protocol is judged by the node alone");
        };
        let mut sent = Sent::of(batch);
        for row in rows {
            match self.wrong_with(row) {
                None => sent.stored += 1,
                Some(detail) => sent.wrong.push(Wrong { line: row.line, detail }),
            }
        }
        Ok(sent)
    }

    fn wrong_with(&self, row: &source::Row) -> Option<String> {
        let Some(data_type) = self.0.get(&row.tag.to_ascii_lowercase()) else {
            return Some(format!("there is no tag {}", row.tag));
        };
        if !row.time.is_empty()
            && let Err(error) = Timestamp::parse(&row.time)
        {
            return Some(error.to_string());
        }
        let quality = match row.quality.as_deref().filter(|text| !text.is_empty()) {
            None => Quality::GOOD,
            Some(text) => match text.parse() {
                Ok(quality) => quality,
                Err(error) => return Some(format!("{error}")),
            },
        };
        match row.value.as_deref() {
            None if !quality.is_bad() => {
                Some("a sample without a value has bad quality".to_owned())
            }
            None => None,
            Some(text) => Value::from_text(text, *data_type).err().map(|error| error.to_string()),
        }
    }
}
