//! The page and its plots.

mod tables;

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::answers::AVERAGES;
use super::peers::Peer;
use super::plot::{Plot, short};
use super::questions::QUESTIONS;
use super::ratios::{bytes_per_point, points_per_cpu_s};
use tables::{Table, cell, number};

/// Systems as columns and bars: key, name, and where its answers' times are.
const SYSTEMS: [(&str, &str, &str); 7] = [
    ("weir", "Weir, calls in process", "calls"),
    ("weir", "Weir, SQL in process", "queries"),
    ("weir_http", "Weir, SQL over HTTP", "queries"),
    ("duckdb", "DuckDB, in process", "queries"),
    ("clickhouse", "ClickHouse, in process", "queries"),
    ("victoriametrics", "VictoriaMetrics, HTTP", "queries"),
    ("influxdb", "InfluxDB, HTTP", "queries"),
];

/// The page, its plots and all numbers, each with its name below `docs/benchmarks`.
pub(super) fn files(results: &Json) -> Vec<(String, String)> {
    let set = &results["set"];
    let mut files = vec![
        ("historian.md".to_owned(), page(results)),
        ("historian-ingest.svg".to_owned(), ingest_plot(set).svg()),
        ("historian-bytes.svg".to_owned(), bytes_plot(set).svg()),
        ("historian-queries.svg".to_owned(), queries_plot(set).svg()),
    ];
    if let Some(plot) = growth_plot(&results["growth"]) {
        files.push(("historian-growth.svg".to_owned(), plot.svg()));
    }
    files
}

/// The page.
pub(super) fn page(results: &Json) -> String {
    let (machine, set) = (&results["machine"], &results["set"]);
    let mut out = String::from(
        "# The historian beside its peers\n\nWritten by `cargo xtask bench historian --write`; a change here is \
         lost with the next run.\n\n",
    );
    // Writing into a string does not fail.
    let _ = writeln!(
        out,
        "{}, commit {}, profile {}, {}. {} cores of {}, {} GiB, {}; writing 4 KiB durably takes {} ms.\n",
        text(&machine["date"]),
        text(&machine["commit"]),
        text(&results["profile"]),
        text(&machine["rustc"]),
        cell(&machine["cores"]),
        text(&machine["processor"]),
        cell(&machine["memory_gib"]),
        text(&machine["system"]),
        cell(&machine["fdatasync_ms"]),
    );
    let _ = writeln!(out, "Command: `{}`.\n", text(&results["command"]));
    let missing = results["missing"].as_array().into_iter().flatten().filter_map(Json::as_str);
    for line in missing {
        let _ = writeln!(out, "Not measured: {line}.\n");
    }
    out.push_str(&same_points(set));
    out.push_str(&tracks(&results["tracks"]));
    out.push_str(&recordings(&results["recordings"]));
    out.push_str(&growth(&results["growth"]));
    out.push_str(&own(&results["own"]));
    out.push_str(&method());
    out
}

fn same_points(set: &Json) -> String {
    let systems = &set["systems"];
    let mut out = format!(
        "## The same points\n\n{} tags of a factory's mix, each read {} times a second apart, in batches of 10,000 \
         in the order in which they arrive, one in a hundred late: {} points.\n\n",
        cell(&set["tags"]),
        cell(&set["moments"]),
        short(systems["weir"]["ingest"]["points"].as_f64().unwrap_or(0.0)),
    );
    let mut table = Table::new(&[
        "System",
        "Points a CPU second",
        "Answer, median",
        "99 %",
        "CPU s to settle",
        "Bytes a point",
        "Peak MB",
    ]);
    for (key, name) in stores(systems) {
        let system = &systems[key];
        table.row(vec![
            text_or(&system["version"], name),
            number(points_per_cpu_s(system)),
            tables::ms(&system["ingest"]["p50_ms"]),
            tables::ms(&system["ingest"]["p99_ms"]),
            cell(&system["settle_cpu_s"]),
            number(bytes_per_point(system)),
            cell(&system["peak_rss_mb"]),
        ]);
    }
    out.push_str(&table.text());
    out.push_str("\n![Points a CPU second](historian-ingest.svg)\n\n![Bytes a point](historian-bytes.svg)\n\n");
    out.push_str(
        "Questions: milliseconds of CPU, and behind the stroke of wall time (median).\n\n",
    );
    let columns: Vec<_> = asked(systems);
    let mut heads = vec!["Question"];
    heads.extend(columns.iter().map(|(_, name, _)| *name));
    let mut table = Table::new(&heads);
    for question in QUESTIONS {
        let mut row = vec![question.label.to_owned()];
        row.extend(columns.iter().map(|(key, _, part)| {
            let taken = &systems[*key][*part][question.name];
            if taken.is_null() {
                return "–".to_owned();
            }
            format!("{} / {}", cell(&taken["cpu_ms"]), cell(&taken["wall_ms"]))
        }));
        table.row(row);
    }
    out.push_str(&table.text());
    out.push_str("\n![Questions](historian-queries.svg)\n\n");
    out.push_str(&equality(systems));
    out
}

/// How the answers were compared, and how far they were off.
fn equality(systems: &Json) -> String {
    let mut out = format!(
        "Every answer was compared, row by row, with a plain walk over the points: tags, times and numbers are the \
         same bit for bit, averages within {AVERAGES:e} of themselves, since sums are added in another order"
    );
    for peer in Peer::ALL {
        let tolerance = peer.tolerance();
        if systems[peer.key()].is_null() || tolerance.numbers == 0.0 {
            continue;
        }
        let off = QUESTIONS
            .iter()
            .filter_map(|question| systems[peer.key()]["queries"][question.name]["off"].as_f64())
            .fold(0.0, f64::max);
        let _ = write!(
            out,
            "; {} keeps times to {} ms and rounds numbers: within {:e}, the worst here {off:.1e}",
            peer.label(),
            tolerance.micros / 1000,
            tolerance.numbers,
        );
    }
    out + ".\n\n"
}

fn tracks(tracks: &Json) -> String {
    let Some(rows) = tracks.as_array().filter(|rows| !rows.is_empty()) else {
        return String::new();
    };
    let mut out = String::from(
        "## By number of tags\n\nPoints a CPU second, until the last was answered, and peak memory in MB. The \
         servers' series were there before; ours in process and the engines know no series.\n\n",
    );
    let systems = &rows[0]["systems"];
    let columns = stores(systems);
    let mut heads = vec!["Tags"];
    heads.extend(columns.iter().map(|(_, name)| *name));
    let mut table = Table::new(&heads);
    for row in rows {
        let mut cells = vec![cell(&row["tags"])];
        cells.extend(columns.iter().map(|(key, _)| {
            let system = &row["systems"][*key];
            let rate = number(points_per_cpu_s(system));
            format!("{rate}; {} MB", cell(&system["peak_rss_mb"]))
        }));
        table.row(cells);
    }
    out.push_str(&table.text());
    out + "\n"
}

fn recordings(recordings: &Json) -> String {
    let Some(rows) = recordings.as_array().filter(|rows| !rows.is_empty()) else {
        return String::new();
    };
    let mut out = String::from(
        "## Recorded sets\n\nBytes a value, merged. These sets are small: what a system needs for itself weighs.\n\n",
    );
    let columns: Vec<_> =
        stores(&rows[0]["systems"]).into_iter().filter(|(key, _)| *key != "weir_http").collect();
    let mut heads = vec!["Set", "Values"];
    heads.extend(columns.iter().map(|(_, name)| *name));
    let mut table = Table::new(&heads);
    for row in rows {
        let values = row["systems"]["weir"]["ingest"]["points"].as_f64();
        let mut cells = vec![text(&row["name"]).to_uppercase(), number(values)];
        cells.extend(columns.iter().map(|(key, _)| number(bytes_per_point(&row["systems"][*key]))));
        table.row(cells);
    }
    out.push_str(&table.text());
    out + "\n"
}

fn growth(growth: &Json) -> String {
    let Some(rows) = growth.as_array().filter(|rows| !rows.is_empty()) else {
        return String::new();
    };
    let mut out = String::from(
        "## As history grows\n\nA raw hour (3,600 samples) of one of 2,000 tags. First: in a historian that was just \
         opened, tags that nobody asked for before, the median of 50.\n\n",
    );
    let mut table = Table::new(&["Points", "CPU", "Wall", "First", "Bytes a point", "Peak MB"]);
    for row in rows {
        let points = row["points"].as_f64().unwrap_or(0.0);
        table.row(vec![
            short(points),
            tables::ms(&row["warm"]["cpu_ms"]),
            tables::ms(&row["warm"]["wall_ms"]),
            tables::ms(&row["cold_ms"]),
            number(row["bytes"].as_f64().map(|bytes| bytes / points)),
            cell(&row["peak_rss_mb"]),
        ]);
    }
    out.push_str(&table.text());
    out + "\n![A raw hour](historian-growth.svg)\n\n"
}

/// What ours measured alone: longer runs, other questions.
fn own(own: &Json) -> String {
    let mut out = String::from("## Ours alone\n\nDurable batches of 10,000 in process:\n\n");
    let mut table = Table::new(&[
        "Tags",
        "Points a CPU second",
        "with writing blocks",
        "Answer, median",
        "99 %",
        "All last values",
    ]);
    for row in own["ingest"].as_array().into_iter().flatten() {
        table.row(vec![
            cell(&row["tags"]),
            cell(&row["durable_points_per_cpu_s"]),
            cell(&row["durable_points_per_cpu_s_with_blocks"]),
            tables::ms(&row["ack_p50_ms"]),
            tables::ms(&row["ack_p99_ms"]),
            tables::ms(&row["last_all_ms"]),
        ]);
    }
    out.push_str(&table.text());
    out.push_str("\nLine protocol over HTTP, 10,000 lines a request, types as they are:\n\n");
    let mut table = Table::new(&[
        "Tags",
        "Points a CPU second",
        "without writing blocks",
        "Answer, median",
        "99 %",
        "Memory MB",
    ]);
    for row in own["line_protocol"].as_array().into_iter().flatten() {
        table.row(vec![
            cell(&row["tags"]),
            cell(&row["line_protocol_points_per_cpu_s"]),
            cell(&row["line_protocol_points_per_cpu_s_without_blocks"]),
            tables::ms(&row["p50_ms"]),
            tables::ms(&row["p99_ms"]),
            cell(&row["memory_mb"]),
        ]);
    }
    out.push_str(&table.text());
    let storage = &own["storage"];
    let _ = writeln!(
        out,
        "\nBytes a point of the mix: {} after the flush, {} merged. Last value of one tag: {} us.\n",
        cell(&storage["bytes_per_point"]),
        cell(&storage["bytes_per_point_merged"]),
        cell(&own["reads"]["last_one_us"]),
    );
    out
}

fn method() -> String {
    "## How it is measured\n\n\
     - CPU is user and system time of the process that stores and answers: of servers from `/proc`, of engines in \
     process their own, less what reading the points took. Each question is asked again for two seconds over one \
     connection; the processor time is that of all rounds by their number.\n\
     - Points in process are batches of columns: Arrow for DuckDB and ClickHouse. Servers take line protocol over HTTP, \
     the same bytes, 10,000 lines a request, one request at a time, from one client; their answers are JSON.\n\
     - Durable before the answer: Weir syncs its log, DuckDB its log, ClickHouse a part (`fsync_after_insert`), InfluxDB \
     its log. VictoriaMetrics does not: it keeps some seconds in memory.\n\
     - Weir keeps of each point its type, quality and time to the nanosecond. DuckDB and ClickHouse keep double, text, \
     quality and microseconds; InfluxDB double, text and nanoseconds, and no points without a value (one in a thousand); \
     VictoriaMetrics doubles and milliseconds, no texts (three tags in a hundred), no points without a value.\n\
     - To settle is what a careful user does once: Weir merges, DuckDB writes a table in order of tag and time, \
     ClickHouse (`MergeTree` in that order, `DoubleDelta` for times, ZSTD 3) merges into one part, VictoriaMetrics merges, \
     InfluxDB compacts as soon as nothing comes. Bytes are those of files then; our server is not waited for.\n\
     - Peak memory is the process's own, with Python and its Arrow for DuckDB and ClickHouse, with the making of points for \
     Weir in process.\n"
        .to_owned()
}

/// Systems that stored the points, with their names.
fn stores(systems: &Json) -> Vec<(&'static str, &'static str)> {
    let names = [
        ("weir", "Weir, in process"),
        ("duckdb", "DuckDB"),
        ("clickhouse", "ClickHouse"),
        ("weir_http", "Weir, HTTP"),
        ("victoriametrics", "VictoriaMetrics"),
        ("influxdb", "InfluxDB"),
    ];
    names.into_iter().filter(|(key, _)| !systems[*key].is_null()).collect()
}

/// Systems that were asked.
fn asked(systems: &Json) -> Vec<(&'static str, &'static str, &'static str)> {
    SYSTEMS.into_iter().filter(|(key, _, part)| !systems[*key][*part].is_null()).collect()
}

fn ingest_plot(set: &Json) -> Plot<'static> {
    bars(set, "Ingest of the same points", "points a CPU second", "points", points_per_cpu_s)
}

fn bytes_plot(set: &Json) -> Plot<'static> {
    bars(set, "Size of the same points, merged", "bytes a point", "bytes", bytes_per_point)
}

/// One row, a bar for each system that has the number.
fn bars(
    set: &Json,
    title: &'static str,
    unit: &'static str,
    label: &str,
    number: impl Fn(&Json) -> Option<f64>,
) -> Plot<'static> {
    let systems = &set["systems"];
    let found = stores(systems).into_iter().filter_map(|(key, name)| {
        let bar = number(&systems[key])?;
        Some((name.to_owned(), Some(bar)))
    });
    let (systems, bars) = found.unzip();
    Plot { title, unit, systems, rows: vec![(label.to_owned(), bars)] }
}

fn queries_plot(set: &Json) -> Plot<'static> {
    let systems = &set["systems"];
    let columns = asked(systems);
    let row = |question: &super::questions::Question| {
        let bar = |(key, _, part): &(&str, &str, &str)| {
            systems[*key][*part][question.name]["cpu_ms"].as_f64()
        };
        (question.label.to_owned(), columns.iter().map(bar).collect())
    };
    Plot {
        title: "Questions to the same points",
        unit: "milliseconds of CPU",
        systems: columns.iter().map(|(_, name, _)| (*name).to_owned()).collect(),
        rows: QUESTIONS.iter().map(row).collect(),
    }
}

fn growth_plot(growth: &Json) -> Option<Plot<'static>> {
    let rows = growth.as_array().filter(|rows| !rows.is_empty())?;
    let row = |row: &Json| {
        let points = short(row["points"].as_f64().unwrap_or(0.0));
        (format!("{points} points"), vec![row["warm"]["wall_ms"].as_f64(), row["cold_ms"].as_f64()])
    };
    Some(Plot {
        title: "A raw hour as history grows",
        unit: "milliseconds",
        systems: vec!["asked again".into(), "asked first".into()],
        rows: rows.iter().map(row).collect(),
    })
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or("unknown").to_owned()
}

fn text_or(value: &Json, or: &str) -> String {
    let version = value.as_str().unwrap_or_default();
    // Ours is there twice, under one version.
    if version.is_empty() || version.starts_with("Weir") { or } else { version }.to_owned()
}

#[cfg(test)]
mod tests;
