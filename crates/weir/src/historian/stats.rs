//! `weir historian stats`

use anyhow::Context;
use serde_json::{Value as Json, json};
use weir_historian::HistorianError;

use super::progress::{bytes, count};
use crate::args::{Global, HistorianSort};
use crate::client::Client;
use crate::output;

/// Says what the historian holds: from the files of a node that is stopped, else from the running one.
pub(super) fn run(
    sort: &HistorianSort,
    client: impl Fn() -> anyhow::Result<Client>,
    global: &Global,
) -> anyhow::Result<()> {
    let contents = match super::folder(global)?.map(|dir| weir_historian::contents(&dir)) {
        Some(Ok(contents)) => json!(contents),
        None | Some(Err(HistorianError::AlreadyOpen { .. })) => client()?.get("/historian")?,
        Some(Err(error)) => return Err(error).context("the samples could not be looked at"),
    };
    let mut spans = contents["spans"].as_array().cloned().unwrap_or_default();
    let number = |span: &Json, name: &str| span[name].as_u64().unwrap_or(0);
    let a_point = |span: &Json| number(span, "bytes") as f64 / number(span, "rows").max(1) as f64;
    let descending = |a: f64, b: f64| b.total_cmp(&a);
    match sort {
        HistorianSort::Date => {}
        HistorianSort::Rows => {
            spans.sort_by(|a, b| descending(number(a, "rows") as f64, number(b, "rows") as f64));
        }
        HistorianSort::Bytes => {
            spans.sort_by(|a, b| descending(number(a, "bytes") as f64, number(b, "bytes") as f64));
        }
        HistorianSort::BytesAPoint => spans.sort_by(|a, b| descending(a_point(a), a_point(b))),
        HistorianSort::Blocks => {
            spans
                .sort_by(|a, b| descending(number(a, "blocks") as f64, number(b, "blocks") as f64));
        }
    }
    if global.json {
        let mut contents = contents;
        contents["spans"] = spans.into();
        return output::json(&contents);
    }
    let total = |name: &str| spans.iter().map(|span| number(span, name)).sum::<u64>();
    let (rows, size) = (total("rows"), total("bytes"));
    for span in &mut spans {
        let seen = span.clone();
        let kind = if number(&seen, "days") == 1 { "day" } else { "month" };
        span["kind"] = kind.into();
        span["a_point"] = format!("{:.3}", a_point(&seen)).into();
        span["rows"] = count(number(&seen, "rows")).into();
        span["bytes"] = bytes(number(&seen, "bytes")).into();
    }
    if !global.quiet {
        let of = |name: &str| contents[name].as_u64().unwrap_or(0);
        output::line(&format!(
            "{} samples in files, {}, {:.3} bytes a sample; {} stored in all, in {} batches\nlog {}, \
             memory {}, {} deletions not carried out in files yet, {} in quarantine\n",
            count(rows),
            bytes(size),
            size as f64 / rows.max(1) as f64,
            count(of("samples")),
            count(of("position")),
            bytes(of("log_bytes")),
            bytes(of("memory_bytes")),
            count(of("deletions")),
            bytes(of("quarantine_bytes")),
        ))?;
        let wait = |name: &str| contents["merge_wait"][name].as_u64().unwrap_or(0);
        if contents["merge_wait"].is_object() {
            output::line(&format!(
                "Files wait to be merged until there is space: {} of {} are free\n",
                bytes(wait("free_bytes")),
                bytes(wait("needed_bytes")),
            ))?;
        }
    }
    let columns = [
        ("TENANT", "/tenant"),
        ("DATE", "/date"),
        ("OF", "/kind"),
        ("SAMPLES", "/rows"),
        ("BYTES", "/bytes"),
        ("BYTES/SAMPLE", "/a_point"),
        ("FILES", "/blocks"),
        ("FROM", "/from"),
        ("TO", "/to"),
    ];
    output::table(&spans, false, &columns)
}
