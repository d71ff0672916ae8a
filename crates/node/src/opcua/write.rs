//! Values written to devices.

use weir_access::Action;
use weir_api::request_id;
use weir_audit::{Entry, Event};
use weir_connect::{DriverError, ErrorKind, Order, OrderError, WriteReport};
use weir_model::{Identifier, ProblemCode, Value};
use weir_opcua_server::WriteError;
use weir_twin::Tags;

use super::entry::Entered;
use super::sight::Sight;
use super::tree::{self, Writing};
use super::{Rooms, now};

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
    match tree::writing(&tag) {
        Writing::Never => return Err(WriteError::NotWritable),
        Writing::Confirmed => {
            tracing::info!(
                tag = %tag.id,
                "a write over OPC UA was refused: the tag takes a person's confirmation; write it in \
                 the console, or take \"confirm\" off its limits"
            );
            return Err(WriteError::Unconfirmed);
        }
        Writing::Free => {}
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
    let carried_out = rooms.supervisor.carry_out(&rooms.store, order, now).await;
    let told = outcome(carried_out);
    if let Err(error) = &told {
        tracing::info!(tag = %entry.id, %error, "a write over OPC UA was not carried out, or may not be");
    }
    told
}

/// What a client is told. Nothing that may have reached the device is told as if it had not.
pub(super) fn outcome(carried_out: Result<WriteReport, OrderError>) -> Result<(), WriteError> {
    match carried_out {
        Ok(report) => confirmed(&report),
        Err(OrderError::Device(error)) => Err(refused(error)),
        Err(error @ OrderError::Record(_)) => Err(failed(error)),
        Err(OrderError::Unrecorded { outcome, .. }) => match *outcome {
            Ok(report) => confirmed(&report).and_then(|()| {
                let cause = "the device holds the value, and that could not be written down";
                Err(WriteError::Unsure(cause.to_owned()))
            }),
            Err(error) => Err(refused(error)),
        },
        Err(error @ OrderError::Interrupted) => Err(WriteError::Unsure(error.to_string())),
    }
}

/// Good says that the device holds the value, or took it and lets nobody look.
fn confirmed(report: &WriteReport) -> Result<(), WriteError> {
    match &report.after {
        _ if report.verified => Ok(()),
        Some(after) => {
            let after = after.to_json();
            Err(WriteError::Device(format!("it took the value and holds {after} now")))
        }
        None if report.read_back => {
            let cause =
                "the device took the value, and what it holds now is none of the tag's type";
            Err(WriteError::Unsure(cause.to_owned()))
        }
        None => Ok(()),
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

/// The device was not asked.
fn failed(error: impl std::fmt::Display) -> WriteError {
    WriteError::Unavailable(error.to_string())
}

fn refused(error: DriverError) -> WriteError {
    match error.kind {
        ErrorKind::NotWritable => WriteError::NotWritable,
        ErrorKind::Unconfirmed => WriteError::Unconfirmed,
        ErrorKind::OutOfLimits => WriteError::OutOfRange,
        ErrorKind::Unreachable | ErrorKind::Untrusted | ErrorKind::NotConnected => {
            WriteError::NoCommunication
        }
        ErrorKind::Busy | ErrorKind::Unknown | ErrorKind::Misconfigured => failed(error),
        ErrorKind::Timeout | ErrorKind::Disconnected => WriteError::Timeout,
        ErrorKind::Stopped => WriteError::Stopped,
        // What came was no answer to the write.
        ErrorKind::Protocol => WriteError::Unsure(error.to_string()),
        _ => WriteError::Device(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
