//! Whatever arrives is answered, and is nobody's end.

use std::sync::Arc;

use arrow_flight::FlightData;
use arrow_flight::sql::{
    Any, CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt,
};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use prost::Message;
use weir_model::SqlParameter;

use super::Stub;
use crate::parameters;
use crate::server::{SERVICE, Server};
use crate::statement::{Held, Statement};

const CALLS: [&str; 11] = [
    "Handshake",
    "ListFlights",
    "GetFlightInfo",
    "PollFlightInfo",
    "GetSchema",
    "DoGet",
    "DoPut",
    "DoExchange",
    "DoAction",
    "ListActions",
    "Nothing",
];

/// Sends one call and gives the status of its answer, whose rows are read.
async fn status(call: &str, body: Bytes) -> i32 {
    let request = http::Request::post(format!("/{SERVICE}/{call}"))
        .header("content-type", "application/grpc")
        .body(Full::new(body))
        .unwrap();
    let answer = Server::new().answer(request, Arc::new(Stub::new("li"))).await;
    let of = |headers: &http::HeaderMap| -> Option<i32> {
        headers.get("grpc-status")?.to_str().ok()?.parse().ok()
    };
    let (parts, body) = answer.into_parts();
    assert_eq!(parts.status, 200);
    let read = body.collect().await.unwrap();
    of(&parts.headers).or_else(|| of(read.trailers()?)).unwrap()
}

/// A message as gRPC frames it.
fn framed(message: &[u8]) -> Bytes {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Bytes that are a command of some kind with anything inside.
fn commands() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec![
        "CommandStatementQuery",
        "CommandPreparedStatementQuery",
        "TicketStatementQuery",
        "CommandGetTables",
        "CommandGetDbSchemas",
        "CommandGetPrimaryKeys",
        "CommandGetSqlInfo",
        "CommandGetXdbcTypeInfo",
        "CommandStatementUpdate",
        "CommandStatementIngest",
        "CommandGetCrossReference",
        "ActionCreatePreparedStatementRequest",
        "Nothing",
    ]);
    (names, prop::collection::vec(any::<u8>(), 0..64)).prop_map(|(name, value)| {
        let type_url = format!("type.googleapis.com/arrow.flight.protocol.sql.{name}");
        Any { type_url, value: value.into() }.encode_to_vec()
    })
}

proptest! {
    #[test]
    fn any_bytes_have_a_status(call in 0..CALLS.len(), body in prop::collection::vec(any::<u8>(), 0..256)) {
        let status = runtime().block_on(status(CALLS[call], body.into()));
        prop_assert!((0..=16).contains(&status));
    }

    #[test]
    fn any_command_has_a_status(command in commands(), field in 1..4_u8, call in 0..CALLS.len()) {
        // The command as the first, second or third field of the call's message.
        let mut message = vec![field << 3 | 2];
        prost::encoding::encode_varint(command.len() as u64, &mut message);
        message.extend_from_slice(&command);
        let status = runtime().block_on(status(CALLS[call], framed(&message)));
        prop_assert!((0..=16).contains(&status));
    }

    #[test]
    fn damaged_parameters_are_refused(
        header in prop::collection::vec(any::<u8>(), 0..128),
        body in prop::collection::vec(any::<u8>(), 0..128),
        at in any::<prop::sample::Index>(),
        bits in any::<u8>(),
    ) {
        let read = |messages: Vec<FlightData>| {
            runtime().block_on(parameters::read(stream::iter(messages.into_iter().map(Ok))))
        };
        let message = FlightData::new().with_data_header(header).with_data_body(body);
        prop_assert!(read(vec![message]).is_err());
        // A good one with one byte of its headers changed.
        let mut good = good_parameters();
        let which = at.index(good.len());
        let mut damaged = good[which].data_header.to_vec();
        let place = at.index(damaged.len());
        damaged[place] ^= bits;
        good[which].data_header = damaged.into();
        let _ = read(good);
    }

    #[test]
    fn what_a_ticket_holds_comes_back(
        sql in ".{0,80}",
        values in prop::collection::vec(parameter(), 0..8),
    ) {
        let statement = Statement { sql, parameters: values };
        let held = Held::to_run(statement.clone());
        prop_assert_eq!(held.name.len(), 16);
        let read = Held::read(&held.bytes()).unwrap();
        prop_assert_eq!(&read.name, &held.name);
        prop_assert_eq!(read.statement(), statement);
    }

    #[test]
    fn any_bytes_are_a_statement_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
        let _ = Held::read(&bytes).map(Held::statement);
    }
}

fn parameter() -> impl Strategy<Value = SqlParameter> {
    prop_oneof![
        Just(SqlParameter::Null),
        any::<bool>().prop_map(SqlParameter::Bool),
        any::<i64>().prop_map(SqlParameter::I64),
        any::<u64>().prop_map(SqlParameter::U64),
        (-1e300..1e300).prop_map(SqlParameter::F64),
        ".{0,20}".prop_map(SqlParameter::Text),
        any::<i64>().prop_map(SqlParameter::Time),
    ]
}

/// The messages that bind a number and a text.
fn good_parameters() -> Vec<FlightData> {
    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    let columns: [(&str, ArrayRef); 2] = [
        ("a", Arc::new(Float64Array::from(vec![0.5]))),
        ("b", Arc::new(StringArray::from(vec!["text"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    arrow_flight::utils::batches_to_flight_data(&batch.schema(), vec![batch.clone()]).unwrap()
}

#[test]
fn good_parameters_are_read() {
    let read = parameters::read(stream::iter(good_parameters().into_iter().map(Ok)));
    let read = runtime().block_on(read).unwrap();
    assert_eq!(read, [SqlParameter::F64(0.5), SqlParameter::Text("text".to_owned())]);
}

#[tokio::test]
async fn large_messages_and_foreign_handles_are_refused() {
    let command = CommandStatementQuery { query: " ".repeat(2 << 20), transaction_id: None };
    let command = command.as_any().encode_to_vec();
    let descriptor = arrow_flight::FlightDescriptor::new_cmd(command).encode_to_vec();
    assert_ne!(status("GetFlightInfo", framed(&descriptor)).await, 0);
    let handle = CommandPreparedStatementQuery { prepared_statement_handle: vec![255; 9].into() };
    let handle = handle.as_any().encode_to_vec();
    let descriptor = arrow_flight::FlightDescriptor::new_cmd(handle).encode_to_vec();
    assert_eq!(status("GetFlightInfo", framed(&descriptor)).await, 3);
}
