//! Points as an Arrow stream, for engines in process.

use std::io::BufWriter;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use datafusion::arrow::ipc::writer::StreamWriter;
use weir_model::{Sample, TagId, Value};

use super::{Outcome, Points};

/// Writes tag, time (microseconds, which is all that the points have), value (numbers as doubles, 1 and 0
/// for truth), text and quality of each sample to standard output.
pub(super) fn write(points: Points) -> Outcome<()> {
    let out = BufWriter::new(std::io::stdout().lock());
    let mut points = points;
    let Some(first) = points.next() else { return Ok(()) };
    let first = columns(&first)?;
    let mut stream = StreamWriter::try_new(out, &first.schema())?;
    stream.write(&first)?;
    for batch in points {
        stream.write(&columns(&batch)?)?;
    }
    Ok(stream.finish()?)
}

fn columns(batch: &[(TagId, Sample)]) -> Outcome<RecordBatch> {
    let samples = || batch.iter().map(|(_, sample)| sample);
    let text = |sample: &Sample| match &sample.value {
        Some(Value::Text(text)) => Some(text.to_string()),
        _ => None,
    };
    let tags = UInt32Array::from_iter_values(batch.iter().map(|(tag, _)| tag.0));
    let times = samples().map(|sample| sample.time.nanos() / 1000);
    let values = samples().map(|sample| sample.value.as_ref().and_then(Value::as_f64));
    let columns: [(&str, ArrayRef, bool); 5] = [
        ("tag", Arc::new(tags), false),
        ("time", Arc::new(TimestampMicrosecondArray::from_iter_values(times)), false),
        ("value", Arc::new(values.collect::<Float64Array>()), true),
        ("text", Arc::new(samples().map(text).collect::<StringArray>()), true),
        (
            "quality",
            Arc::new(UInt32Array::from_iter_values(samples().map(|s| s.quality.code()))),
            false,
        ),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
