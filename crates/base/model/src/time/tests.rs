use proptest::prelude::*;

use super::*;

#[test]
fn zones_and_decimals_are_read_exactly() {
    let utc = Timestamp::parse("2026-11-23T00:00:00.000000001Z").unwrap();
    assert_eq!(utc, Timestamp::parse("2026-11-23T08:00:00.000000001+08:00").unwrap());
    assert_eq!(utc.to_string(), "2026-11-23T00:00:00.000000001Z");
    assert_eq!(Timestamp::parse("1970-01-01T00:00:00Z").unwrap().nanos(), 0);
}

#[test]
fn what_is_not_rfc_3339_is_refused() {
    for text in [
        "",
        "2026-11-23",
        "2026-11-23T08:00:00",
        "2026-11-23 08:00:00Z",
        "2026-11-23T08:00Z",
        "2026-11-23T08:00:00.Z",
        "2026-11-23T08:00:00.1234567890Z",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-11-23T08:00:00Z[Asia/Shanghai]",
        "2026-11-23T08:00:00+0800",
        "二零二六",
    ] {
        assert_eq!(Timestamp::parse(text), Err(TimestampError), "{text:?}");
    }
}

#[test]
fn days_round_down() {
    assert_eq!(Timestamp::from_nanos(-1).day(), -1);
    assert_eq!(Timestamp::from_nanos(0).day(), 0);
    assert_eq!(Timestamp::start_of_day(-1).nanos(), -86_400_000_000_000);
}

proptest! {
    #[test]
    fn every_instant_survives_its_text(nanos: i64) {
        let time = Timestamp::from_nanos(nanos);
        prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}") {
        let _ = Timestamp::parse(&text);
    }
}
