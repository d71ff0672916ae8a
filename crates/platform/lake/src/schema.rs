//! What the table's columns are, for Delta: those of a block ([docs/specs/block.md]), which are
//! unsigned there and which Delta knows signed only.
//!
//! Each type holds every value of the file's: u8 and u32 fit the next larger signed one, and
//! `position` is a decimal, because Spark reads a u64 as nothing else. Measured with delta-rs,
//! ClickHouse and Spark: `tests/interop/lake`.

use serde_json::{Value as Json, json};
use weir_model::Timestamp;

/// The columns that files are told apart by, which are in their paths and not in the files.
pub(crate) const PARTITIONS: [&str; 2] = ["tenant", "month"];

/// Columns with their types and whether a row may have none.
const COLUMNS: [(&str, &str, bool); 15] = [
    ("tenant", "integer", false),
    ("month", "string", false),
    ("tag", "long", false),
    ("time", "timestamp", false),
    ("nanos", "long", false),
    ("kind", "integer", false),
    ("k", "long", false),
    ("o", "long", false),
    ("g", "long", false),
    ("p", "double", false),
    ("f64", "double", true),
    ("text", "string", true),
    ("bytes", "binary", true),
    ("quality", "long", false),
    ("position", "decimal(20,0)", false),
];

/// The schema as a table's metadata has it. No column is declared never to be null: writers of
/// others would have to check it, and it tells readers nothing.
pub(crate) fn schema_string() -> String {
    let field = |(name, kind, _): &(&str, &str, bool)| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
    let fields: Vec<Json> = COLUMNS.iter().map(field).collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

/// What readers skip files by. `time` in a file is up to 4.3 s before the sample's time, so that
/// the lower bound says so.
pub(crate) fn stats(rows: u64, tags: (u32, u32), times: (i64, i64)) -> String {
    let nulls: serde_json::Map<String, Json> = COLUMNS
        .iter()
        .filter(|(name, _, may_be_null)| !may_be_null && !PARTITIONS.contains(name))
        .map(|(name, ..)| ((*name).to_owned(), 0.into()))
        .collect();
    let stats = json!({
        "numRecords": rows,
        "minValues": { "tag": tags.0, "time": milliseconds(times.0, u32::MAX, false) },
        "maxValues": { "tag": tags.1, "time": milliseconds(times.1, 0, true) },
        "nullCount": nulls,
    });
    stats.to_string()
}

/// A time less some nanoseconds as Delta writes times in statistics: milliseconds, UTC. A lower
/// bound is rounded down, an upper one up.
fn milliseconds(nanos: i64, less: u32, up: bool) -> String {
    const MILLI: i64 = 1_000_000;
    let nanos = nanos.saturating_sub(less.into());
    let down = nanos.div_euclid(MILLI).saturating_mul(MILLI);
    let nanos = if up && down < nanos { down.saturating_add(MILLI) } else { down };
    let text = Timestamp::from_nanos(nanos).to_string();
    let text = text.trim_end_matches('Z');
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{seconds}.{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_reach_what_a_file_can_have() {
        let text =
            stats(3, (1, 4_294_967_295), (1_795_420_800_000_000_001, 1_795_420_800_000_000_001));
        let stats: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(stats["minValues"]["time"], "2026-11-23T07:59:55.705Z");
        assert_eq!(stats["maxValues"]["time"], "2026-11-23T08:00:00.001Z");
        assert_eq!(stats["maxValues"]["tag"], 4_294_967_295_u32);
        assert_eq!(stats["nullCount"]["quality"], 0);
        assert_eq!(stats["nullCount"]["text"], Json::Null);
        // The ends of time.
        milliseconds(i64::MIN, u32::MAX, false);
        milliseconds(i64::MAX, 0, true);
    }
}
