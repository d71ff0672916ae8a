//! Points as line protocol, for servers.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};

use weir_model::{Sample, TagId, Value};

use super::{Outcome, Points};

/// Writes each batch: a line with its points and its bytes, then its lines. Numbers are doubles, since
/// InfluxDB asks of a field to have one type in all series; samples without a value are left out, since
/// the protocol has none.
pub(super) fn write(points: Points) -> Outcome<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut body = String::new();
    for batch in points {
        body.clear();
        let count = batch.iter().filter(|(tag, sample)| line(*tag, sample, &mut body)).count();
        writeln!(out, "{count} {}", body.len())?;
        out.write_all(body.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn line(tag: TagId, sample: &Sample, out: &mut String) -> bool {
    let Some(value) = &sample.value else { return false };
    let (id, nanos) = (tag.0, sample.time.nanos());
    // Writing into a string does not fail.
    let _ = match (value.as_f64(), value) {
        (Some(number), _) => writeln!(out, "plant,id={id} value={number} {nanos}"),
        (None, Value::Text(text)) => writeln!(out, "plant,id={id} text=\"{text}\" {nanos}"),
        _ => return false,
    };
    true
}
