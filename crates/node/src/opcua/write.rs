//! Values written to devices.

use weir_access::Action;
use weir_api::request_id;
use weir_audit::{Entry, Event};
use weir_connect::{ErrorKind, Order, OrderError, WriteReport};
use weir_model::{Identifier, ProblemCode, Value};
use weir_opcua_server::WriteError;
use weir_twin::Tags;

use super::entry::Entered;
use super::sight::Sight;
use super::{Rooms, now, tree};

/// What the audit names a write that is not permitted.
const CAUSE: &str = "opcua.write";

/// Writes a value, as the HTTP interface does: permitted, within the tag's limits, read back, and in
/// the audit before and after.
pub(super) async fn write(
    rooms: &Rooms,
    entered: &Entered,
    id: &Identifier,
    value: Value,
) -> Result<(), WriteError> {
    let caller = &entered.caller;
    let sight = Sight::of(rooms, caller);
    let key = id.folded();
    let entry = rooms
        .directory
        .with(caller.tenant, |view| view.tag(&key).filter(|tag| sight.tag(view, tag)).cloned());
    let entry = entry.map_err(failed)?.flatten().ok_or(WriteError::Unknown)?;
    if !rooms.may(caller, Action::DeviceControl) {
        refuse(rooms, entered, ProblemCode::Forbidden).await;
        return Err(WriteError::Denied);
    }
    let found = rooms.store.get::<Tags>(caller.tenant, &key).map_err(failed)?;
    let tag = found.map(|found| found.record).ok_or(WriteError::Unknown)?;
    if !tree::is_writable(&tag) {
        return Err(WriteError::NotWritable);
    }
    let Some(source) = tag.source else { return Err(WriteError::NotWritable) };
    let order = Order {
        author: caller.author(CAUSE, request_id()),
        time: now(),
        device: source.device,
        tag: tag.id,
        number: entry.tag,
        value,
        confirmed: false,
    };
    let report = rooms.supervisor.carry_out(&rooms.store, order, now).await;
    report.map_err(refused).and_then(|report| confirmed(&report))
}

/// Good says that the device holds the value, or took it and lets nobody look.
fn confirmed(report: &WriteReport) -> Result<(), WriteError> {
    match &report.after {
        Some(after) if !report.verified => {
            let after = after.to_json();
            Err(WriteError::Device(format!("it took the value and holds {after} now")))
        }
        _ => Ok(()),
    }
}

async fn refuse(rooms: &Rooms, entered: &Entered, code: ProblemCode) {
    let author = entered.caller.author(CAUSE, request_id());
    let (action, reason) = (Action::DeviceControl.to_string(), code.as_str().to_owned());
    let event = Event::Refusal { action, reason, status: code.status() };
    let entry = Entry::new(now(), author, event).from_remote(Some(entered.remote));
    if let Err(error) = rooms.audit.refuse(entry).await {
        tracing::error!(%error, "could not write a refusal to the audit");
    }
}

fn failed(error: impl std::fmt::Display) -> WriteError {
    WriteError::Device(error.to_string())
}

fn refused(error: OrderError) -> WriteError {
    let error = match error {
        OrderError::Device(error) => error,
        other => return failed(other),
    };
    tracing::info!(%error, "a write over OPC UA was not carried out");
    match error.kind {
        ErrorKind::NotWritable => WriteError::NotWritable,
        ErrorKind::Unconfirmed => WriteError::Denied,
        ErrorKind::OutOfLimits => WriteError::OutOfRange,
        ErrorKind::Unreachable
        | ErrorKind::Untrusted
        | ErrorKind::NotConnected
        | ErrorKind::Stopped
        | ErrorKind::Busy => WriteError::NoCommunication,
        ErrorKind::Timeout | ErrorKind::Disconnected => WriteError::Timeout,
        _ => WriteError::Device(error.to_string()),
    }
}
