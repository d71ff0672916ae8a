use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_array::{DictionaryArray, StringViewArray, types::Int32Type};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use futures::{StreamExt, TryStreamExt, stream};
use proptest::prelude::*;
use weir_model::SqlParameter;

use super::*;
use crate::parameters::{TEXT_BYTES_MAX, read};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The messages that bring a row, as a driver sends them.
fn messages(columns: &[ArrayRef], compression: Option<CompressionType>) -> Vec<FlightData> {
    let named = columns.iter().map(|column| ("p", Arc::clone(column), true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let encoder = FlightDataEncoderBuilder::new()
        .with_options(options)
        .with_max_flight_data_size(usize::MAX)
        .build(stream::iter([Ok(batch)]));
    runtime().block_on(encoder.try_collect()).unwrap()
}

fn bind(messages: Vec<FlightData>) -> Result<Vec<SqlParameter>, Status> {
    runtime().block_on(read(stream::iter(messages).map(Ok)))
}

fn refused(messages: Vec<FlightData>) -> String {
    let status = bind(messages).unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    status.message().to_owned()
}

fn text(length: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec!["x".repeat(length)]))
}

/// A message with the length that each compressed buffer says to become.
fn swollen(message: &mut FlightData, length: i64) {
    let header = message.data_header.clone();
    let header = arrow_ipc::root_as_message(&header).unwrap();
    let Some(batch) = header.header_as_record_batch() else { return };
    let mut body = message.data_body.to_vec();
    for buffer in batch.buffers().unwrap().iter().filter(|buffer| buffer.length() >= 8) {
        let at = buffer.offset() as usize;
        body[at..at + 8].copy_from_slice(&length.to_le_bytes());
    }
    message.data_body = body.into();
}

#[test]
fn compressed_columns_are_refused_before_they_are_decoded() {
    for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let mut sent = messages(&[text(4096)], Some(compression));
        assert!(refused(sent.clone()).contains("compressed"));
        // The library would allocate this much and take the process with it.
        sent.iter_mut().for_each(|message| swollen(message, 1 << 50));
        assert!(refused(sent).contains("compressed"));
    }
}

#[test]
fn texts_and_messages_have_an_end() {
    let fits = bind(messages(&[text(TEXT_BYTES_MAX)], None)).unwrap();
    assert_eq!(fits, [SqlParameter::Text("x".repeat(TEXT_BYTES_MAX))]);
    assert!(refused(messages(&[text(TEXT_BYTES_MAX + 1)], None)).contains("longer than"));
    let many: Vec<_> = (0..17).map(|_| text(TEXT_BYTES_MAX)).collect();
    assert!(refused(messages(&many, None)).contains("at most 1048576 bytes"));
    // The same of many messages that have no row.
    let padding = messages(&[text(1)], None).remove(0).with_data_body(vec![0; BYTES_MAX / 8]);
    let mut check = Check::new();
    let passed = (0..9).take_while(|_| check.look(&padding).is_ok()).count();
    assert_eq!(passed, 7);
}

#[test]
fn only_plain_columns_are_decoded() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let fields = vec![arrow_schema::Field::new("a", arrow_schema::DataType::Int64, true)];
    let nested: ArrayRef = Arc::new(StructArray::new(fields.into(), vec![numbers.clone()], None));
    assert!(
        refused(messages(&[numbers, nested], None)).contains("parameter 2 has the type Struct")
    );
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a text that is no inline one"]));
    let read = bind(messages(&[Arc::clone(&views)], None)).unwrap();
    assert_eq!(read, [SqlParameter::Text("a text that is no inline one".to_owned())]);
    let mut columns = Check::new();
    let words: DictionaryArray<Int32Type> = ["on"].into_iter().collect();
    for message in messages(&[Arc::new(words)], None) {
        columns.look(&message).unwrap();
    }
}

#[test]
fn buffers_that_share_bytes_are_refused() {
    let column: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
    let columns: Vec<ArrayRef> = vec![column; 8];
    let mut sent = messages(&columns, None);
    assert_eq!(bind(sent.clone()).unwrap().len(), 8);
    // Of eight columns of 64 bytes, what is left of the body is too small.
    let short = sent[1].data_body.slice(..sent[1].data_body.len() / 2);
    sent[1].data_body = short;
    assert!(refused(sent).contains("not within its message"));
}

proptest! {
    /// Whatever bytes of the headers are changed, and to what: nothing that passes has a number
    /// beyond what came, and it is read or refused.
    #[test]
    fn no_number_of_the_senders_is_allocated(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        numbers in prop::collection::vec((any::<prop::sample::Index>(), any::<i64>()), 0..3),
        compression in prop::sample::select(vec![
            None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD),
        ]),
        which in 0..2_usize,
    ) {
        let words: ArrayRef = Arc::new(["on"].into_iter().collect::<DictionaryArray<Int32Type>>());
        let number: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let sets = [vec![text(200), number], vec![words]];
        let mut sent = messages(&sets[which], compression);
        for (at, byte) in changes {
            let message = at.index(sent.len());
            let mut header = sent[message].data_header.to_vec();
            let place = at.index(header.len());
            header[place] ^= byte;
            sent[message].data_header = header.into();
        }
        for (at, number) in numbers {
            let message = at.index(sent.len());
            let mut header = sent[message].data_header.to_vec();
            let place = at.index(header.len() / 8) * 8;
            header[place..place + 8].copy_from_slice(&number.to_le_bytes());
            sent[message].data_header = header.into();
        }
        sent.iter_mut().for_each(|message| {
            if compression.is_some() && arrow_ipc::root_as_message(&message.data_header).is_ok() {
                let is_whole = Check::new().look(message).is_ok();
                let header = arrow_ipc::root_as_message(&message.data_header).unwrap();
                let is_compressed =
                    header.header_as_record_batch().is_some_and(|batch| batch.compression().is_some());
                assert!(!(is_whole && is_compressed));
            }
        });
        let bound = bind(sent);
        if let Ok(bound) = bound {
            prop_assert!(bound.len() <= PARAMETERS_MAX);
        }
    }
}
