//! The time of a sample.

use opcua::types::DataValue;
use weir_model::Timestamp;

use crate::link::watch::{CLOCK_OFF_MAX_NS, nanos};

/// The source's time, else the server's, less what its clock is ahead; when the answer arrived where there is
/// neither, or where it would lie in the future. The historian refuses a whole batch for one such time.
pub(super) fn time_of(value: &DataValue, arrival: Timestamp, correction_ns: i64) -> Timestamp {
    let latest = arrival.saturating_add(CLOCK_OFF_MAX_NS);
    let source = value.source_timestamp.and_then(nanos);
    // In units of 10 ps; what is finer than a nanosecond is left out.
    let finer = i64::from(value.source_picoseconds.unwrap_or(0).min(9999)) / 100;
    let source = source.map(|nanos| nanos.saturating_add(finer));
    let server = value.server_timestamp.and_then(nanos);
    [source, server]
        .into_iter()
        .flatten()
        .map(|nanos| Timestamp::from_nanos(nanos.saturating_sub(correction_ns)))
        .find(|time| *time <= latest)
        .unwrap_or(arrival)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opcua::types::DateTime;

    const ARRIVAL: Timestamp = Timestamp::from_nanos(1_790_000_000_000_000_000);

    fn at(source_ns: Option<i64>, server_ns: Option<i64>) -> DataValue {
        let time =
            |ns: Option<i64>| ns.map(|ns| crate::encode::date_time(Timestamp::from_nanos(ns)));
        DataValue {
            source_timestamp: time(source_ns),
            server_timestamp: time(server_ns),
            ..DataValue::null()
        }
    }

    #[test]
    fn takes_the_sources_time_unless_it_lies_in_the_future() {
        let now = ARRIVAL.nanos();
        let hour = 3_600_000_000_000;
        assert_eq!(time_of(&at(Some(now - 100), Some(now)), ARRIVAL, 0).nanos(), now - 100);
        assert_eq!(
            time_of(&at(Some(now + hour), Some(now - 5000)), ARRIVAL, 0).nanos(),
            now - 5000
        );
        assert_eq!(time_of(&at(Some(now + hour), None), ARRIVAL, 0), ARRIVAL);
        assert_eq!(time_of(&at(None, None), ARRIVAL, 0), ARRIVAL);
        assert_eq!(time_of(&at(Some(now + hour - 100), None), ARRIVAL, hour).nanos(), now - 100);
        assert_eq!(time_of(&at(Some(now - hour - 100), None), ARRIVAL, -hour).nanos(), now - 100);
        let null = DataValue { source_timestamp: Some(DateTime::null()), ..DataValue::null() };
        assert_eq!(time_of(&null, ARRIVAL, 0), ARRIVAL);
        let fine = DataValue { source_picoseconds: Some(4200), ..at(Some(now - 100), None) };
        assert_eq!(time_of(&fine, ARRIVAL, 0).nanos(), now - 100 + 42);
    }
}
