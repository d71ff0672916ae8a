use proptest::prelude::*;

use super::*;
use crate::Area;
use crate::address::TYPES;

fn at(raw_type: RawType, length: u16) -> PointAddress {
    let length = raw_type.room((length > 0).then_some(length));
    PointAddress { area: Area::Db, db: 1, start: 0, bit: 3, raw_type, length }
}

fn decoded(raw_type: RawType, bytes: &[u8]) -> Result<Value, String> {
    decode(bytes, &at(raw_type, 10), TextEncoding::Latin1)
}

fn encoded(raw_type: RawType, value: &Value) -> Result<Vec<u8>, EncodeError> {
    encode(value, &at(raw_type, 10), TextEncoding::Latin1)
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn values_are_bytes_and_back() {
    use RawType::*;
    for (raw_type, bytes, value) in [
        (Byte, vec![0xFE], Value::U64(254)),
        (Sint, vec![0xFE], Value::I64(-2)),
        (Word, vec![0xAB, 0xCD], Value::U64(0xABCD)),
        (Int, vec![0xFF, 0xFE], Value::I64(-2)),
        (Dword, vec![1, 2, 3, 4], Value::U64(0x0102_0304)),
        (Dint, vec![0x80, 0, 0, 0], Value::I64(i32::MIN.into())),
        (Lword, vec![0xFF; 8], Value::U64(u64::MAX)),
        (Lint, vec![0xFF; 8], Value::I64(-1)),
        (Real, vec![0xBF, 0xC0, 0, 0], Value::F64(-1.5)),
        (Lreal, vec![0x3F, 0xF0, 0, 0, 0, 0, 0, 0], Value::F64(1.0)),
        (Char, vec![0xE4], text("ä")),
        (Time, vec![0xFF, 0xFF, 0xFF, 0xFF], Value::I64(-1)),
        (Date, vec![0x34, 0xA6], text("2026-11-26")),
        (TimeOfDay, vec![0x01, 0x65, 0x0E, 0xBB], text("06:30:00.123")),
        (S5time, vec![0x21, 0x23], Value::U64(123_000)),
        (S5time, vec![0x00, 0x01], Value::U64(10)),
        (Bcd, vec![0x09, 0x99], Value::U64(999)),
        (
            DateAndTime,
            vec![0x26, 0x11, 0x26, 0x06, 0x30, 0x59, 0x98, 0x75],
            text("2026-11-26T06:30:59.987"),
        ),
        (
            Dtl,
            vec![0x07, 0xEA, 11, 26, 5, 6, 30, 59, 0x3A, 0xDE, 0x68, 0xB1],
            text("2026-11-26T06:30:59.987654321"),
        ),
    ] {
        assert_eq!(decoded(raw_type, &bytes), Ok(value.clone()), "{raw_type:?}");
        assert_eq!(encoded(raw_type, &value), Ok(bytes), "{raw_type:?}");
    }
    assert_eq!(decoded(Bool, &[0x08]), Ok(Value::Bool(true)));
    assert_eq!(decoded(Bool, &[0xF7]), Ok(Value::Bool(false)));
}

#[test]
fn texts_keep_their_capacity_and_are_not_cut() {
    use RawType::*;
    let string = [10, 3, b'a', b'b', 0xE4, b'x', 0, 0, 0, 0, 0, 0];
    assert_eq!(decoded(String, &string), Ok(text("abä")));
    assert_eq!(encoded(String, &text("abä")), Ok(vec![3, b'a', b'b', 0xE4]));
    let wide = [0, 10, 0, 2, 0x6E, 0x29, 0x5E, 0xA6, 0, 0];
    assert_eq!(decoded(Wstring, &wide), Ok(text("温度")));
    assert_eq!(encoded(Wstring, &text("温度")), Ok(wide[2..8].to_vec()));
    let gbk = [10, 4, 0xCE, 0xC2, 0xB6, 0xC8];
    assert_eq!(decode(&gbk, &at(String, 10), TextEncoding::Gbk), Ok(text("温度")));
    assert_eq!(encode(&text("温度"), &at(String, 10), TextEncoding::Gbk), Ok(gbk[1..].to_vec()));

    assert!(decoded(String, &[10, 11]).unwrap_err().contains("11 of 10 characters"));
    assert!(decoded(String, &[20, 11]).unwrap_err().contains("has room for 10"));
    assert_eq!(decoded(String, &[10, 3, b'a']), Err(DecodeError::Short.to_string()));
    let long = EncodeError::Longer { length: 11, room: 10 };
    assert_eq!(encoded(String, &text("12345678901")), Err(long.clone()));
    assert_eq!(encoded(Wstring, &text("12345678901")), Err(long));
    assert_eq!(encoded(String, &text("温")), Err(EncodeError::Characters));
    assert!(encoded(Char, &text("ab")).is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    use RawType::*;
    for (raw_type, value) in [
        (Byte, Value::I64(256)),
        (Sint, Value::I64(-129)),
        (Int, Value::F64(32767.6)),
        (Dint, Value::F64(f64::NAN)),
        (Real, Value::F64(1e39)),
        (Bcd, Value::U64(1000)),
        (S5time, Value::U64(10_000_000)),
        (S5time, Value::U64(9_990_010)),
        (Bool, Value::U64(2)),
        (Date, text("2300-01-01")),
        (DateAndTime, text("1989-12-31T00:00:00")),
        (Real, text("1.5")),
        (String, Value::F64(1.5)),
        (Dtl, text("yesterday")),
    ] {
        assert!(encoded(raw_type, &value).is_err(), "{raw_type:?} {value:?}");
    }
    assert!(decoded(Bcd, &[0x0A, 0]).unwrap_err().contains("the bytes are 0A 00"));
    assert!(decoded(DateAndTime, &[0; 8]).unwrap_err().contains("not a date_and_time"));
    assert!(decoded(TimeOfDay, &[0xFF; 4]).is_err());
    assert!(decoded(Dtl, &[0; 12]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        which in 0..TYPES.len(),
        bit in any::<u8>(),
        gbk in any::<bool>(),
    ) {
        let (_, raw_type) = TYPES[which];
        let address = PointAddress { bit, ..at(raw_type, 10) };
        let encoding = if gbk { TextEncoding::Gbk } else { TextEncoding::Utf8 };
        if let Ok(value) = decode(&bytes, &address, encoding) {
            // What was read can be written, and is the same then; texts may have been repaired.
            let exact = !raw_type.is_text() && !matches!(value, Value::F64(x) if !x.is_finite());
            if exact && raw_type != RawType::Bool {
                let written = encode(&value, &address, encoding).unwrap();
                let again = decode(&written, &address, encoding);
                prop_assert_eq!(again, Ok(value));
            }
        }
    }
}
