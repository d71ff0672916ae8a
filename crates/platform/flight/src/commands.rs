//! What GetFlightInfo and DoGet are asked for: statements, and what a driver wants to know.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Any, Command, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{
    FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, Ticket,
};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use tonic::{Code, Status};

use crate::host::{Failure, Host, Rows};
use crate::running::{Entry, Running};
use crate::service::no_transaction;
use crate::statement::{Held, Statement};
use crate::{catalog, facts};

/// Reads a command of Flight SQL.
pub(crate) fn command(bytes: &[u8]) -> Result<Command, Status> {
    let any = Any::decode(bytes).ok();
    let command = any.and_then(|any| Command::try_from(any).ok());
    command.ok_or_else(|| Status::invalid_argument("this is no command of Arrow Flight SQL"))
}

/// A schema as messages hold it.
pub(crate) fn ipc(schema: &Schema) -> Result<Bytes, Status> {
    let message = IpcMessage::try_from(SchemaAsIpc::new(schema, &Default::default()));
    message.map(|message| message.0).map_err(unwritten)
}

fn unwritten(error: ArrowError) -> Status {
    Status::internal(format!("rows cannot be written: {error}"))
}

/// What a command asks for.
enum Asked {
    Statement(Statement),
    /// A statement that has a name already.
    Named(Held),
    /// What is answered from what is known.
    Known(Command),
}

fn asked(command: Command) -> Result<Asked, Status> {
    Ok(match command {
        Command::CommandStatementQuery(query) => {
            no_transaction(query.transaction_id.as_ref())?;
            Asked::Statement(Statement { sql: query.query, parameters: Vec::new() })
        }
        Command::CommandPreparedStatementQuery(query) => {
            Asked::Statement(Held::read(&query.prepared_statement_handle)?.statement())
        }
        Command::TicketStatementQuery(ticket) => {
            Asked::Named(Held::read(&ticket.statement_handle)?)
        }
        known => Asked::Known(known),
    })
}

/// Where the rows of a command are to be had.
pub(crate) async fn info(
    host: &dyn Host,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    let asked = asked(command(&descriptor.cmd)?)?;
    let (schema, ticket) = match asked {
        Asked::Statement(statement) => {
            let columns = host.describe(statement.clone()).await?.columns;
            let ticket = TicketStatementQuery { statement_handle: Held::to_run(statement).bytes() };
            (columns, Bytes::from(ticket.as_any().encode_to_vec()))
        }
        Asked::Named(_) => return Err(Status::invalid_argument("a ticket is shown to DoGet")),
        Asked::Known(command) => (known(host, command).await?.schema(), descriptor.cmd.clone()),
    };
    let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket });
    let info = FlightInfo::new().try_with_schema(&schema).map_err(unwritten)?;
    Ok(info.with_endpoint(endpoint).with_descriptor(descriptor).with_ordered(true))
}

/// The columns that a command's rows will have.
pub(crate) async fn columns(host: &dyn Host, command: Command) -> Result<SchemaRef, Status> {
    match asked(command)? {
        Asked::Statement(statement) => Ok(host.describe(statement).await?.columns),
        Asked::Named(held) => Ok(host.describe(held.statement()).await?.columns),
        Asked::Known(command) => Ok(known(host, command).await?.schema()),
    }
}

/// The rows of a command.
pub(crate) async fn rows(
    host: Arc<dyn Host>,
    running: &Running,
    command: Command,
) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
    let held = match asked(command)? {
        Asked::Statement(statement) => Held::to_run(statement),
        Asked::Named(held) => held,
        Asked::Known(command) => {
            let batch = known(&*host, command).await?;
            let (columns, rows) = (batch.schema(), stream::iter([Ok(batch)]));
            return Ok(written(columns, rows.boxed()));
        }
    };
    let entry = running.enter(host.caller(), held.name.clone());
    let rows = tokio::select! {
        () = entry.cancelled.cancelled() => return Err(cancelled().into()),
        rows = host.run(held.statement()) => rows?,
    };
    let Rows { columns, batches } = rows;
    Ok(written(columns, until_ended(&*host, entry, batches)))
}

fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the statement was cancelled")
}

/// The batches as messages.
fn written(
    columns: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, Failure>>,
) -> BoxStream<'static, Result<FlightData, Status>> {
    let batches = batches.map_err(|failure| FlightError::from(Status::from(failure)));
    let messages = FlightDataEncoderBuilder::new().with_schema(columns).build(batches);
    messages.map_err(Status::from).boxed()
}

/// The batches until the statement is cancelled or the rights of its caller end.
fn until_ended(
    host: &dyn Host,
    entry: Entry,
    batches: BoxStream<'static, Result<RecordBatch, Failure>>,
) -> BoxStream<'static, Result<RecordBatch, Failure>> {
    let reading = Some((batches, host.ended(), entry));
    let batches = stream::unfold(reading, |reading| async move {
        let (mut batches, mut ended, entry) = reading?;
        let batch = tokio::select! {
            biased;
            failure = &mut ended => Some(Err(failure)),
            () = entry.cancelled.cancelled() => Some(Err(cancelled())),
            batch = batches.next() => batch,
        };
        match batch? {
            Ok(batch) => Some((Ok(batch), Some((batches, ended, entry)))),
            Err(failure) => Some((Err(failure), None)),
        }
    });
    batches.boxed()
}

/// What is known without running a statement.
async fn known(host: &dyn Host, command: Command) -> Result<RecordBatch, Status> {
    use Command as C;
    let is_of_tables = matches!(
        command,
        C::CommandGetCatalogs(_)
            | C::CommandGetDbSchemas(_)
            | C::CommandGetTables(_)
            | C::CommandGetPrimaryKeys(_)
    );
    let tables = if is_of_tables { host.tables().await? } else { Vec::new() };
    let batch = match command {
        C::CommandGetCatalogs(query) => catalog::catalogs(query, &tables),
        C::CommandGetDbSchemas(query) => catalog::schemas(query, &tables),
        C::CommandGetTables(query) => catalog::tables(query, &tables),
        C::CommandGetTableTypes(query) => catalog::table_types(query),
        C::CommandGetPrimaryKeys(query) => catalog::primary_keys(query, &tables),
        C::CommandGetExportedKeys(_)
        | C::CommandGetImportedKeys(_)
        | C::CommandGetCrossReference(_) => Ok(catalog::no_foreign_keys()),
        C::CommandGetSqlInfo(query) => facts::of_server(query),
        C::CommandGetXdbcTypeInfo(query) => facts::of_types(query),
        C::CommandStatementSubstraitPlan(_) => {
            return Err(Status::unimplemented("plans of Substrait are not read here; send SQL"));
        }
        _ => return Err(Status::invalid_argument("this command gives no rows")),
    };
    batch.map_err(|error| match error {
        FlightError::Tonic(status) => *status,
        other => Status::invalid_argument(other.to_string()),
    })
}
