use super::*;

use proptest::prelude::*;

fn read(format: &str, zoned: &str, text: &str) -> Result<String, String> {
    let moments = Moments { format: Format::parse(format)?, zone: zone(zoned)? };
    moments.read(text).map(|time| time.to_string())
}

#[track_caller]
fn is(format: &str, zoned: &str, text: &str, expected: &str) {
    assert_eq!(read(format, zoned, text).as_deref(), Ok(expected), "{format} {zoned} {text}");
}

#[test]
fn reads_times_of_each_format() {
    is("iso", "UTC", "2026-11-26T06:30:00.5Z", "2026-11-26T06:30:00.5Z");
    is("iso", "Asia/Shanghai", " 2026-11-26 06:30:00 ", "2026-11-25T22:30:00Z");
    is("iso", "+08:00", "2026-11-26 06:30:00+01:00", "2026-11-26T05:30:00Z");
    is("iso", "UTC", "2026-11-26 06:27:00.123456+00", "2026-11-26T06:27:00.123456Z");
    is("iso", "-05:30", "2026-11-26", "2026-11-26T05:30:00Z");
    is("epoch_s", "UTC", "1795675020.25", "2026-11-26T06:37:00.25Z");
    is("epoch_s", "UTC", "1795675020", "2026-11-26T06:37:00Z");
    is("epoch_ms", "UTC", "1795675020250,5", "2026-11-26T06:37:00.2505Z");
    is("epoch_s", "UTC", "-1.5", "1969-12-31T23:59:58.5Z");
    is("%d.%m.%Y %H:%M:%S", "Europe/Berlin", "26.11.2026 07:30:00", "2026-11-26T06:30:00Z");
    is(
        "%Y/%m/%d %H:%M:%S%.f",
        "Asia/Shanghai",
        "2026/11/26 14:30:00.125",
        "2026-11-26T06:30:00.125Z",
    );
    is("%Y%m%d%H%M%S", "UTC", "20261126063000", "2026-11-26T06:30:00Z");
    is("%Y-%m-%d %H:%M:%S %z", "UTC", "2026-11-26 14:30:00 +0800", "2026-11-26T06:30:00Z");
    is("iso", "CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01 12:00:00", "2026-07-01T10:00:00Z");
}

#[test]
fn summer_time_begins_and_ends() {
    is("iso", "Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z");
    is("iso", "Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00Z");
}

#[test]
fn says_what_is_wrong() {
    let error = read("epoch_s", "UTC", "yesterday").unwrap_err();
    assert_eq!(error, "\"yesterday\" is not seconds since 1970");
    assert!(read("iso", "UTC", "26.11.2026").is_err());
    assert!(read("iso", "UTC", "").is_err());
    assert!(read("epoch_s", "UTC", "99999999999999").is_err());
    for format in ["", "rfc", "YYYY-MM-DD", "%Q", "%", "%H:%M"] {
        assert!(Format::parse(format).is_err(), "{format}");
    }
    for name in ["", "Mars/Olympus", "+25:00", "+8:99", "CST", "上海"] {
        assert!(zone(name).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_ends_without_a_panic(text in "\\PC{0,60}", pattern in "[%A-Za-z0-9 :./-]{0,20}") {
        for format in ["iso", "epoch_s", "epoch_ms", "%d.%m.%Y %H:%M:%S%.f"] {
            let _ = read(format, "Asia/Shanghai", &text);
        }
        let _ = read(&pattern, "UTC", &text);
        let _ = zone(&text);
    }

    #[test]
    fn epochs_are_exact(nanos in 0..4_000_000_000_000_000_000i64) {
        let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let moments = Moments { format: Format::Seconds, zone: TimeZone::UTC };
        prop_assert_eq!(moments.read(&text), Ok(Timestamp::from_nanos(nanos)));
    }
}
