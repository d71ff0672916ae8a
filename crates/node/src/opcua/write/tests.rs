use weir_store::CommitError;

use super::*;

fn report(after: Option<Value>, read_back: bool, verified: bool) -> WriteReport {
    WriteReport {
        before: None,
        requested: Value::F64(1.0),
        after,
        read_back,
        verified,
        time: now(),
    }
}

fn device(kind: ErrorKind) -> OrderError {
    OrderError::Device(DriverError::new(kind, "plc", "DB1", "it said so"))
}

fn unrecorded(outcome: Result<WriteReport, DriverError>) -> OrderError {
    OrderError::Unrecorded { source: CommitError::DiskFull, outcome: Box::new(outcome) }
}

fn is_unsure(told: &Result<(), WriteError>) -> bool {
    matches!(told, Err(WriteError::Unsure(_)))
}

#[test]
fn good_is_what_the_device_holds_or_lets_nobody_look_at() {
    let (one, two) = (Some(Value::F64(1.0)), Some(Value::F64(2.0)));
    assert_eq!(outcome(Ok(report(one.clone(), true, true))), Ok(()));
    assert_eq!(outcome(Ok(report(None, false, false))), Ok(()));
    // Bit for bit what was written, whatever the tag's type makes of it.
    assert_eq!(outcome(Ok(report(None, true, true))), Ok(()));
    assert!(matches!(outcome(Ok(report(two, true, false))), Err(WriteError::Device(_))));
    // Rounded by the device, say: the value is the same and the bits are not.
    assert!(matches!(outcome(Ok(report(one, true, false))), Err(WriteError::Device(_))));
    assert!(is_unsure(&outcome(Ok(report(None, true, false)))));
}

#[test]
fn what_may_have_reached_the_device_is_not_told_as_if_it_had_not() {
    for (kind, wanted) in [
        (ErrorKind::Timeout, WriteError::Timeout),
        (ErrorKind::Disconnected, WriteError::Timeout),
        (ErrorKind::Stopped, WriteError::Stopped),
    ] {
        assert_eq!(outcome(Err(device(kind))), Err(wanted.clone()), "{kind:?}");
        // Written down or not.
        let OrderError::Device(error) = device(kind) else { unreachable!() };
        assert_eq!(outcome(Err(unrecorded(Err(error)))), Err(wanted), "{kind:?}");
    }
    assert!(is_unsure(&outcome(Err(device(ErrorKind::Protocol)))));
    assert!(is_unsure(&outcome(Err(OrderError::Interrupted))));
    assert!(is_unsure(&outcome(Err(unrecorded(Ok(report(Some(Value::F64(1.0)), true, true)))))));
    let other = outcome(Err(unrecorded(Ok(report(Some(Value::F64(9.0)), true, false)))));
    assert!(matches!(other, Err(WriteError::Device(_))), "{other:?}");
}

#[test]
fn what_was_not_sent_is_told_so() {
    let kinds = [ErrorKind::Unreachable, ErrorKind::NotConnected, ErrorKind::Untrusted];
    for kind in kinds {
        assert_eq!(outcome(Err(device(kind))), Err(WriteError::NoCommunication), "{kind:?}");
    }
    for kind in [ErrorKind::Busy, ErrorKind::Unknown, ErrorKind::Misconfigured] {
        let told = outcome(Err(device(kind)));
        assert!(matches!(told, Err(WriteError::Unavailable(_))), "{kind:?}: {told:?}");
    }
    let told = outcome(Err(OrderError::Record(CommitError::DiskFull)));
    assert!(matches!(told, Err(WriteError::Unavailable(_))), "{told:?}");
    assert_eq!(outcome(Err(device(ErrorKind::NotWritable))), Err(WriteError::NotWritable));
    assert_eq!(outcome(Err(device(ErrorKind::Unconfirmed))), Err(WriteError::Unconfirmed));
    assert_eq!(outcome(Err(device(ErrorKind::OutOfLimits))), Err(WriteError::OutOfRange));
    let told = outcome(Err(device(ErrorKind::Rejected)));
    assert!(matches!(told, Err(WriteError::Device(_))), "{told:?}");
}
