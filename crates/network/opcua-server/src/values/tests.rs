use proptest::prelude::*;

use super::*;

#[test]
fn times_keep_their_nanoseconds() {
    let time = Timestamp::parse("2026-11-26T08:00:00.123456789Z").unwrap();
    let (ticks, rest) = date_time(time);
    assert_eq!(ticks.ticks(), 134_401_536_001_234_567);
    assert_eq!(rest, Some(8900));
}

#[test]
fn a_sample_is_told_with_its_quality_and_times() {
    let time = Timestamp::parse("2026-11-26T08:00:00.5Z").unwrap();
    let sample = Sample { time, value: Some(Value::F64(2.5)), quality: Quality::LAST_USABLE };
    let told = data_value(&sample, time, TimestampsToReturn::Source);
    assert_eq!(told.status, Some(StatusCode::UncertainLastUsableValue));
    assert_eq!(told.value, Some(Variant::Double(2.5)));
    assert!(told.source_timestamp.is_some() && told.server_timestamp.is_none());
}

#[test]
fn only_the_tags_own_type_is_written() {
    assert_eq!(value(&Variant::Double(1.5), DataType::F64), Ok(Value::F64(1.5)));
    for wrong in [Variant::Int32(1), Variant::Float(1.0), Variant::Empty, Variant::from("1")] {
        assert_eq!(value(&wrong, DataType::F64), Err(StatusCode::BadTypeMismatch), "{wrong:?}");
    }
    assert_eq!(value(&Variant::Int64(2), DataType::Enumeration), Ok(Value::Enumeration(2)));
}

#[test]
fn arrays_have_one_type_where_they_can() {
    let mixed = Value::array(vec![Value::F64(1.5), Value::I64(2)]).unwrap();
    assert_eq!(variant(&mixed), Variant::from(vec![1.5_f64, 2.0]));
    let flags = Value::array(vec![Value::Bool(true), Value::Bool(false)]).unwrap();
    assert_eq!(variant(&flags), Variant::from(vec![true, false]));
    let texts = Value::array(vec![Value::text("a").unwrap(), Value::Bool(false)]).unwrap();
    assert!(matches!(variant(&texts), Variant::Array(_)));
}

#[test]
fn a_part_of_an_array_can_be_asked_for() {
    let range = NumericRange::Range(1, 2);
    let part = ranged(plain(vec![1.0_f64, 2.0, 3.0]), &range);
    assert_eq!(part.value, Some(Variant::from(vec![2.0_f64, 3.0])));
    assert!(ranged(plain(1.0_f64), &NumericRange::Index(7)).status.is_some());
}

#[test]
fn a_part_of_a_text_is_cut_between_characters_or_not_at_all() {
    let part = |text: &str, range| ranged(plain(text), &range);
    let whole = NumericRange::Range(0, 99);
    assert_eq!(part("温度", whole.clone()).value, Some(Variant::from("温度")));
    assert_eq!(part("温度", NumericRange::Range(3, 5)).value, Some(Variant::from("度")));
    assert_eq!(part("abc", NumericRange::Index(1)).value, Some(Variant::from("b")));
    for (text, range) in [
        ("温度", NumericRange::Index(0)),
        ("温度", NumericRange::Range(1, 5)),
        ("abc", NumericRange::Index(3)),
        ("", whole),
        ("abc", NumericRange::MultipleRanges(vec![NumericRange::Index(0); 2])),
    ] {
        let none = part(text, range.clone());
        assert_eq!(none, bad(StatusCode::BadIndexRangeNoData), "{text} {range:?}");
    }
}

proptest! {
    #[test]
    fn no_range_panics(text in ".{0,12}", a in 0_u32..20, b in 0_u32..20) {
        for range in [NumericRange::Index(a), NumericRange::Range(a, b)] {
            let _ = ranged(plain(text.as_str()), &range);
            let _ = ranged(plain(vec![1.0_f64; 9]), &range);
            let _ = ranged(plain(opcua::types::ByteString::from(text.as_bytes())), &range);
        }
    }

    #[test]
    fn times_come_back(nanos in any::<i64>()) {
        let time = Timestamp::from_nanos(nanos);
        let (ticks, rest) = date_time(time);
        let back = timestamp(&ticks).nanos() + i64::from(rest.unwrap_or(0)) / 100;
        prop_assert_eq!(back, nanos);
    }

    #[test]
    fn any_ticks_are_a_time(ticks in any::<i64>()) {
        let _ = timestamp(&DateTime::from(ticks));
    }

    #[test]
    fn scalars_come_back(x in any::<f64>(), i in any::<i64>(), u in any::<u64>(), t in ".{0,40}") {
        let values = [
            Value::F64(x), Value::I64(i), Value::U64(u), Value::Bool(i > 0),
            Value::Enumeration(i), Value::text(&t).unwrap(),
        ];
        for original in values {
            prop_assert_eq!(value(&variant(&original), original.data_type()), Ok(original));
        }
    }
}
