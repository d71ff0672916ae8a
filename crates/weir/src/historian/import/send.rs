//! Sending batches: each stored once, however often it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;
use weir_model::{Identifier, Problem, ProblemCode};

use super::Wrong;
use super::batches::Batch;
use super::source::Row;
use crate::args::ImportArgs;
use crate::client::{Client, Refused, encode};

/// How often a node that has no room is asked again, and how long is waited in between.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// How often a batch is sent without its wrong lines: an answer names 20 of them at most.
const ROUNDS: usize = 1000;

/// What came of a batch.
pub(super) struct Sent {
    pub(super) lines: (u64, u64),
    pub(super) stored: u64,
    /// Rows of a batch that an earlier run had stored.
    pub(super) known: u64,
    pub(super) created: u64,
    pub(super) wrong: Vec<Wrong>,
}

impl Sent {
    pub(super) fn of(batch: &Batch) -> Self {
        Self { lines: batch.lines(), stored: 0, known: 0, created: 0, wrong: Vec::new() }
    }
}

/// Sends batches one after the other: so the node knows of every one before the newest that it is
/// stored.
pub(super) struct Sender<'a> {
    client: &'a Client,
    producer: String,
    sequence: u64,
    args: &'a ImportArgs,
    /// Tags whose creation was tried.
    tried: BTreeSet<String>,
}

impl<'a> Sender<'a> {
    pub(super) fn new(client: &'a Client, producer: String, args: &'a ImportArgs) -> Self {
        Self { client, producer, sequence: 0, args, tried: BTreeSet::new() }
    }

    pub(super) fn send(&mut self, mut batch: Batch) -> anyhow::Result<Sent> {
        let mut sent = Sent::of(&batch);
        let sequence = self.sequence;
        self.sequence += 1;
        for _ in 0..ROUNDS {
            if batch.is_empty() {
                return Ok(sent);
            }
            let problem = match self.post(&batch, sequence)? {
                Ok(accepted) => {
                    sent.stored = accepted;
                    return Ok(sent);
                }
                Err(problem) => problem,
            };
            let is_known = problem.errors.iter().any(|error| error.field.ends_with("/sequence"));
            if problem.code == ProblemCode::Conflict && is_known {
                sent.known = rows_of(&batch);
                return Ok(sent);
            }
            let created = self.create(&batch, &problem)?;
            sent.created += created;
            if created > 0 {
                continue;
            }
            let wrong = wrong_lines(&batch, &problem);
            if wrong.is_empty() {
                return Err(Refused(problem).into());
            }
            batch = without(batch, &wrong);
            sent.wrong.extend(wrong);
            if !self.args.skip_wrong {
                return Ok(sent);
            }
        }
        bail!("lines {} to {} have too many that are wrong", sent.lines.0, sent.lines.1)
    }

    /// Sends a batch; gives how many samples were stored, or what is wrong with it.
    fn post(&self, batch: &Batch, sequence: u64) -> anyhow::Result<Result<u64, Problem>> {
        let mut path = format!("/samples?producer={}&sequence={sequence}", encode(&self.producer));
        if !self.args.live {
            path.push_str("&backfill=true");
        }
        let (kind, body) = match batch {
            Batch::Rows(rows) => ("text/csv", csv_of(rows)),
            Batch::Lines(lines) => {
                path.push_str(&format!("&precision={}", self.args.precision.as_str()));
                if self.args.create_tags {
                    path.push_str("&create=true");
                }
                let lines: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
                ("text/plain", lines.join("\n").into_bytes())
            }
        };
        for tries in 1.. {
            let answer = self.client.post_text(&path, kind, body.clone());
            match answer {
                Ok(answer) => return Ok(Ok(answer["accepted"].as_u64().unwrap_or(0))),
                Err(error) => match error.downcast::<Refused>() {
                    Ok(Refused(problem)) => match problem.code {
                        ProblemCode::Unavailable | ProblemCode::TooManyRequests
                            if tries < TRIES =>
                        {
                            std::thread::sleep(PAUSE);
                        }
                        _ => return Ok(Err(problem)),
                    },
                    Err(error) => {
                        return Err(error).context(
                            "not everything was sent; run it again, nothing is stored twice",
                        );
                    }
                },
            }
        }
        bail!("the node has no room")
    }

    /// Creates the tags of rows that have none, once each; gives how many.
    fn create(&mut self, batch: &Batch, problem: &Problem) -> anyhow::Result<u64> {
        let Batch::Rows(rows) = batch else { return Ok(0) };
        if !self.args.create_tags || problem.code != ProblemCode::UnknownTag {
            return Ok(0);
        }
        let mut unknown: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for index in problem.errors.iter().filter_map(|error| index_of(&error.field)) {
            if let Some(row) = rows.get(index) {
                let values = rows.iter().filter(|other| other.tag == row.tag);
                unknown.entry(row.tag.as_str()).or_insert_with(|| values.collect());
            }
        }
        let mut created = 0;
        for (tag, rows) in unknown {
            let Ok(id) = Identifier::parse(tag) else { continue };
            if !self.tried.insert(tag.to_owned()) {
                continue;
            }
            let values = rows.iter().filter_map(|row| row.value.as_deref());
            let tag = json!({ "id": tag, "name": id.suffix(), "data_type": type_of(values) });
            self.client.post("/tags", &tag).with_context(|| format!("could not create {id}"))?;
            created += 1;
        }
        Ok(created)
    }
}

fn rows_of(batch: &Batch) -> u64 {
    match batch {
        Batch::Rows(rows) => rows.len() as u64,
        Batch::Lines(lines) => lines.iter().map(|(_, line)| fields(line) as u64).sum(),
    }
}

/// The type that values look like: numbers, truth values, else text.
fn type_of<'v>(values: impl Iterator<Item = &'v str> + Clone) -> &'static str {
    let all = |is: fn(&str) -> bool| values.clone().all(is);
    if all(|text| text.parse::<f64>().is_ok()) {
        "f64"
    } else if all(|text| matches!(text, "true" | "false")) {
        "bool"
    } else {
        "text"
    }
}

fn csv_of(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 64);
    out.extend_from_slice(b"tag,time,value,quality\n");
    let mut cell = |text: &str, quoted: bool, end: u8| {
        if quoted || text.contains([',', '"', '\n', '\r']) {
            out.push(b'"');
            out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
        out.push(end);
    };
    for Row { tag, time, value, quality, .. } in rows {
        cell(tag, false, b',');
        cell(time, false, b',');
        // Quotes tell a text of no characters from no value.
        cell(value.as_deref().unwrap_or_default(), value.as_deref() == Some(""), b',');
        cell(quality.as_deref().unwrap_or_default(), false, b'\n');
    }
    out
}

/// The lines that a problem names.
fn wrong_lines(batch: &Batch, problem: &Problem) -> Vec<Wrong> {
    let mut wrong: Vec<Wrong> = Vec::new();
    let mut add = |line: Option<u64>, detail: &str| {
        if let Some(line) = line.filter(|line| wrong.iter().all(|other| other.line != *line)) {
            wrong.push(Wrong { line, detail: detail.to_owned() });
        }
    };
    for error in &problem.errors {
        let index = index_of(&error.field);
        let line = index.and_then(|index| match batch {
            Batch::Rows(rows) => rows.get(index).map(|row| row.line),
            Batch::Lines(lines) => line_of_sample(lines, index),
        });
        add(line, &error.detail);
    }
    // What is no line protocol at all is named by its line.
    if let Batch::Lines(lines) = batch
        && let Some(rest) = problem.detail.strip_prefix("Line ")
        && let Some((number, detail)) = rest.split_once(' ')
        && let Ok(number) = number.trim_end_matches(':').parse::<usize>()
    {
        add(number.checked_sub(1).and_then(|at| lines.get(at)).map(|line| line.0), detail);
    }
    wrong
}

/// The index in `/samples/7/value`.
fn index_of(field: &str) -> Option<usize> {
    field.strip_prefix("/samples/")?.split('/').next()?.parse().ok()
}

fn line_of_sample(lines: &[(u64, String)], index: usize) -> Option<u64> {
    let mut first = 0;
    for (number, line) in lines {
        first += fields(line);
        if index < first {
            return Some(*number);
        }
    }
    None
}

/// How many fields a line has: commas outside quotes in its second part, and one.
fn fields(line: &str) -> usize {
    let (mut quoted, mut escaped, mut parts, mut fields) = (false, false, 1, 1);
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if parts == 2 => quoted = !quoted,
            ' ' if !quoted => parts += 1,
            ',' if !quoted && parts == 2 => fields += 1,
            _ => {}
        }
    }
    fields
}

fn without(batch: Batch, wrong: &[Wrong]) -> Batch {
    let is_wrong = |line: u64| wrong.iter().any(|wrong| wrong.line == line);
    match batch {
        Batch::Rows(rows) => {
            Batch::Rows(rows.into_iter().filter(|row| !is_wrong(row.line)).collect())
        }
        Batch::Lines(lines) => {
            Batch::Lines(lines.into_iter().filter(|(line, _)| !is_wrong(*line)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_lines() {
        for (line, expected) in [
            ("m value=1 1", 1),
            ("m,a=b,c=d x=1,y=2,z=3", 3),
            (r#"m x="a, b",y=2 7"#, 2),
            (r"m\ n\,o x=1", 1),
            (r#"m x="a\",b" 1"#, 1),
        ] {
            assert_eq!(fields(line), expected, "{line}");
        }
        let lines: Vec<(u64, String)> =
            vec![(3, "m x=1,y=2".into()), (9, "m x=1".into()), (10, "m x=1,y=1".into())];
        let found = [0, 1, 2, 3, 4, 5].map(|index| line_of_sample(&lines, index));
        assert_eq!(found, [Some(3), Some(3), Some(9), Some(10), Some(10), None]);
    }

    #[test]
    fn types_of_values() {
        assert_eq!(type_of(["1", "-2.5e3"].into_iter()), "f64");
        assert_eq!(type_of(["true", "false"].into_iter()), "bool");
        assert_eq!(type_of(["1", "x"].into_iter()), "text");
    }
}
