//! What drivers do.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BooleanArray, Float32Array, Int16Array, NullArray, RecordBatch};
use arrow_array::{StringArray, TimestampMillisecondArray, UInt8Array};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo, SqlInfo,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, Empty, FlightDescriptor,
    FlightInfo,
};
use arrow_schema::Schema;
use futures::TryStreamExt;
use hyper_util::rt::TokioIo;
use prost::Message;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::{ROWS, Stub};
use crate::{Host, Server};

type Client = FlightSqlServiceClient<Channel>;

/// A connection to a server, each of whose calls has this host.
async fn connected(server: &Server, host: &Stub) -> (Client, FlightServiceClient<Channel>) {
    let (server, host) = (server.clone(), host.clone());
    let connect = service_fn(move |_: http::Uri| {
        let (server, host) = (server.clone(), host.clone());
        async move {
            let (near, far) = tokio::io::duplex(1 << 16);
            let answer = hyper::service::service_fn(move |call| {
                let (server, host): (_, Arc<dyn Host>) = (server.clone(), Arc::new(host.clone()));
                async move { Ok::<_, std::convert::Infallible>(server.answer(call, host).await) }
            });
            let executor = hyper_util::rt::TokioExecutor::new();
            let serving = hyper::server::conn::http2::Builder::new(executor)
                .serve_connection(TokioIo::new(far), answer);
            tokio::spawn(serving);
            Ok::<_, std::io::Error>(TokioIo::new(near))
        }
    });
    let channel = Endpoint::from_static("http://weir").connect_with_connector(connect).await;
    let channel = channel.unwrap();
    (FlightSqlServiceClient::new(channel.clone()), FlightServiceClient::new(channel))
}

async fn client(host: &Stub) -> Client {
    connected(&Server::new(), host).await.0
}

async fn rows(client: &mut Client, info: FlightInfo) -> Result<Vec<RecordBatch>, FlightError> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let stream = client.do_get(ticket).await?;
    stream.try_collect().await
}

fn count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// The code and text of an error of the client.
fn status(error: &FlightError) -> (Code, String) {
    let FlightError::Tonic(status) = error else { panic!("{error:?}") };
    (status.code(), status.message().to_owned())
}

fn text(error: FlightError) -> String {
    let (code, text) = status(&error);
    format!("{code:?} {text}")
}

#[tokio::test]
async fn statements_are_planned_and_run() {
    let stub = Stub::new("li");
    let mut client = client(&stub).await;
    let info = client.execute("count 12".to_owned(), None).await.unwrap();
    assert_eq!(stub.open(), 0, "planning ran it");
    let schema = info.clone().try_decode_schema().unwrap();
    let batches = rows(&mut client, info.clone()).await.unwrap();
    assert_eq!((count(&batches), &*batches[0].schema()), (12 * ROWS, &schema));
    // A ticket is good for another time.
    assert_eq!(count(&rows(&mut client, info).await.unwrap()), 12 * ROWS);
    let empty = client.execute("count 0".to_owned(), None).await.unwrap();
    assert_eq!(count(&rows(&mut client, empty).await.unwrap()), 0);

    let wrong = client.execute("drop".to_owned(), None).await.unwrap_err();
    assert_eq!(status(&wrong), (Code::InvalidArgument, "what is drop?".to_owned()));
    let broken = client.execute("break".to_owned(), None).await.unwrap();
    let broken = rows(&mut client, broken).await.unwrap_err();
    assert_eq!(text(broken), "ResourceExhausted too many rows");
    assert_eq!(stub.open(), 0);
}

#[tokio::test]
async fn name_and_password_become_a_token() {
    let stub = Stub::new("li");
    let mut wrong = client(&stub).await;
    let wrong = wrong.handshake("li", "guess").await.unwrap_err();
    assert!(wrong.to_string().contains("wrong"), "{wrong}");
    let mut client = client(&stub).await;
    let payload = client.handshake("li", "a:secret 密").await.unwrap();
    assert_eq!(payload, "token-of-li");
    assert_eq!(client.token().map(String::as_str), Some("token-of-li"));
}

#[tokio::test]
async fn prepared_statements_take_one_row_of_parameters() {
    let mut client = client(&Stub::new("li")).await;
    let mut prepared = client.prepare("echo".to_owned(), None).await.unwrap();
    assert_eq!(prepared.dataset_schema().unwrap().field(0).name(), "text");
    assert_eq!(prepared.parameter_schema().unwrap().fields().len(), 1);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", Arc::new(BooleanArray::from(vec![true]))),
        ("b", Arc::new(Int16Array::from(vec![-3]))),
        ("c", Arc::new(UInt8Array::from(vec![7]))),
        ("d", Arc::new(Float32Array::from(vec![0.5]))),
        ("e", Arc::new(StringArray::from(vec!["水"]))),
        ("f", Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("Asia/Shanghai"))),
        ("g", Arc::new(NullArray::new(1))),
        ("h", Arc::new(StringArray::from(vec![None::<&str>]))),
    ];
    prepared
        .set_parameters(
            RecordBatch::try_from_iter_with_nullable(
                columns.into_iter().map(|(name, column)| (name, column, true)),
            )
            .unwrap(),
        )
        .unwrap();
    let info = prepared.execute().await.unwrap();
    let batches = rows(&mut client, info).await.unwrap();
    let told: Vec<_> = batches[0].column(0).as_string::<i32>().iter().collect();
    let expected = ["Bool(true)", "I64(-3)", "U64(7)", "F64(0.5)", "Text(\"水\")", "Time(1000000)"];
    assert_eq!(told[..6], expected.map(Some));
    assert_eq!(told[6..], [None, None]);

    let two = StringArray::from(vec!["a", "b"]);
    let two = RecordBatch::try_from_iter([("a", Arc::new(two) as ArrayRef)]).unwrap();
    prepared.set_parameters(two).unwrap();
    let refused = prepared.execute().await.unwrap_err();
    assert!(refused.to_string().contains("one row of parameters at a time"), "{refused}");
    prepared.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_and_there_are_no_transactions() {
    let mut client = client(&Stub::new("li")).await;
    let refused = client.execute_update("DELETE".to_owned(), None).await.unwrap_err();
    let (code, text) = status(&refused);
    assert!(code == Code::Unimplemented && text.contains("never change anything"), "{text}");
    let refused = client.begin_transaction().await.unwrap_err();
    assert_eq!(status(&refused).0, Code::Unimplemented);
    let refused = client.execute("count 1".to_owned(), Some("t".into())).await.unwrap_err();
    assert_eq!(status(&refused).0, Code::Unimplemented);
}

#[tokio::test]
async fn drivers_find_what_they_ask_for_first() {
    let (mut client, mut plain) = connected(&Server::new(), &Stub::new("li")).await;
    let texts = |batches: &[RecordBatch], column: usize| -> Vec<String> {
        let columns = batches.iter().map(|batch| batch.column(column).as_string::<i32>());
        columns.flat_map(|column| column.iter().flatten().map(str::to_owned)).collect()
    };
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(texts(&rows(&mut client, info).await.unwrap(), 0), ["weir"]);
    let query =
        CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: Some("pub%".into()) };
    let info = client.get_db_schemas(query).await.unwrap();
    assert_eq!(texts(&rows(&mut client, info).await.unwrap(), 1), ["public"]);
    let info = client.get_table_types().await.unwrap();
    assert_eq!(texts(&rows(&mut client, info).await.unwrap(), 0), ["TABLE"]);
    let query = CommandGetTables {
        table_name_filter_pattern: Some("s_mples".into()),
        include_schema: true,
        ..Default::default()
    };
    let info = client.get_tables(query).await.unwrap();
    let tables = rows(&mut client, info).await.unwrap();
    assert_eq!(
        (texts(&tables, 2), texts(&tables, 3)),
        (vec!["samples".into()], vec!["TABLE".into()])
    );
    let schema = tables[0].column(4).as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(arrow_flight::IpcMessage(schema.into())).unwrap();
    assert_eq!(schema.field(0).name(), "tag");

    let query = CommandGetPrimaryKeys { catalog: None, db_schema: None, table: "samples".into() };
    let info = client.get_primary_keys(query).await.unwrap();
    let keys = rows(&mut client, info).await.unwrap();
    assert_eq!(texts(&keys, 3), ["tag", "time"]);
    assert_eq!(keys[0].column(5).as_primitive::<Int32Type>().values(), &[1, 2]);
    let info = client.get_imported_keys(Default::default()).await.unwrap();
    let keys = rows(&mut client, info).await.unwrap();
    assert_eq!(count(&keys), 0);

    let asked = vec![SqlInfo::FlightSqlServerName, SqlInfo::FlightSqlServerReadOnly];
    let info = client.get_sql_info(asked).await.unwrap();
    assert_eq!(count(&rows(&mut client, info).await.unwrap()), 2);
    let info = client.get_sql_info(vec![]).await.unwrap();
    assert!(count(&rows(&mut client, info).await.unwrap()) > 30);
    let query = CommandGetXdbcTypeInfo { data_type: None };
    let info = client.get_xdbc_type_info(query).await.unwrap();
    assert_eq!(count(&rows(&mut client, info).await.unwrap()), 8);

    let actions = plain.list_actions(Empty {}).await.unwrap().into_inner();
    let actions: Vec<_> = actions.try_collect().await.unwrap();
    assert_eq!(actions.len(), 4);
    let command = client.execute("count 1".to_owned(), None).await.unwrap().flight_descriptor;
    let schema = plain.get_schema(command.unwrap()).await.unwrap().into_inner();
    assert_eq!(Schema::try_from(&schema).unwrap().field(0).name(), "n");
    let path = plain.get_schema(FlightDescriptor::new_path(vec!["x".into()])).await.unwrap_err();
    assert_eq!(path.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_statement_ends_with_its_reader_its_rights_or_by_its_name() {
    let server = Server::new();
    let (stub, other) = (Stub::new("li"), Stub::new("eve"));
    let (mut client, mut plain) = connected(&server, &stub).await;
    let (_, mut stranger) = connected(&server, &other).await;
    let gone = async |stub: &Stub| {
        while stub.open() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let info = client.execute("endless".to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut stream = client.do_get(ticket.clone()).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    assert_eq!(stub.open(), 1);
    drop(stream);
    gone(&stub).await;

    let request = CancelFlightInfoRequest { info: Some(info) };
    let cancel =
        || Action { r#type: "CancelFlightInfo".into(), body: request.encode_to_vec().into() };
    let none = plain.do_action(cancel()).await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
    let mut stream = client.do_get(ticket).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    let foreign = stranger.do_action(cancel()).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    let done = plain.do_action(cancel()).await.unwrap().into_inner().try_next().await.unwrap();
    let done = CancelFlightInfoResult::decode(done.unwrap().body).unwrap();
    assert_eq!(done.status(), CancelStatus::Cancelled);
    let ended = loop {
        match stream.try_next().await {
            Ok(batch) => assert!(batch.is_some(), "it ended without a word"),
            Err(error) => break text(error),
        }
    };
    assert_eq!(ended, "Cancelled the statement was cancelled");
    gone(&stub).await;

    // One that gives no row is cancelled too, while the call waits.
    let info = client.execute("stuck".to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let request = CancelFlightInfoRequest { info: Some(info) };
    let action = Action { r#type: "CancelFlightInfo".into(), body: request.encode_to_vec().into() };
    let waiting = client.do_get(ticket);
    let cancelling = async {
        while plain.do_action(action.clone()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let (waited, ()) = tokio::join!(waiting, cancelling);
    assert_eq!(status(&waited.err().unwrap()).0, Code::Cancelled);
    gone(&stub).await;

    let info = client.execute("endless".to_owned(), None).await.unwrap();
    let mut stream = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    stub.revoked.send_replace(true);
    let ended = loop {
        match stream.try_next().await {
            Ok(batch) => assert!(batch.is_some(), "it ended without a word"),
            Err(error) => break text(error),
        }
    };
    assert_eq!(ended, "Unauthenticated your rights have changed");
    gone(&stub).await;
}
