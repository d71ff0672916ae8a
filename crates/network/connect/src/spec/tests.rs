use super::*;

fn point(data_type: DataType, scaling: Vec<Scaling>) -> Point {
    Point {
        tag: TagId(1),
        id: "88.100/t".parse().unwrap(),
        name: "t".to_owned(),
        address: Json::Null,
        data_type,
        scaling,
        write: None,
        poll_ms: None,
    }
}

fn scaling(effective: &str, factor: f64, offset: f64) -> Scaling {
    Scaling { effective: Timestamp::parse(effective).unwrap(), factor, offset, unit: None }
}

#[test]
fn the_scaling_in_force_at_the_time_of_the_sample_counts() {
    let scalings =
        vec![scaling("2026-03-01T00:00:00Z", 0.2, 0.0), scaling("2026-01-01T00:00:00Z", 0.1, 5.0)];
    let point = point(DataType::F64, scalings);
    let at = |time: &str| {
        let value = point.engineering(&Value::U64(100), Timestamp::parse(time).unwrap());
        value.unwrap().as_f64().unwrap()
    };
    assert_eq!(at("2025-12-31T23:59:59.999999999Z"), 100.0);
    assert_eq!(at("2026-01-01T00:00:00Z"), 15.0);
    assert_eq!(at("2026-02-28T23:59:59Z"), 15.0);
    assert_eq!(at("2026-03-01T00:00:00Z"), 20.0);
}

#[test]
fn integers_stay_integers_when_unscaled() {
    let time = Timestamp::from_nanos(0);
    let big = u64::MAX - 1;
    let as_is = point(DataType::U64, vec![scaling("1970-01-01T00:00:00Z", 1.0, 0.0)]);
    assert!(matches!(as_is.engineering(&Value::U64(big), time), Ok(Value::U64(x)) if x == big));
    assert_eq!(
        point(DataType::I64, vec![]).engineering(&Value::U64(big), time).unwrap_err(),
        Quality::OUT_OF_RANGE
    );
    let rounded = point(DataType::I64, vec![scaling("1970-01-01T00:00:00Z", 0.5, 0.0)]);
    assert!(matches!(rounded.engineering(&Value::I64(-7), time), Ok(Value::I64(-4))));
    let named = point(DataType::Enumeration, vec![]).engineering(&Value::U64(3), time);
    assert!(matches!(named, Ok(Value::Enumeration(3))));
    let on = point(DataType::Bool, vec![]).engineering(&Value::U64(2), time);
    assert!(matches!(on, Ok(Value::Bool(true))));
    let number = point(DataType::F64, vec![]).engineering(&Value::Bool(true), time);
    assert!(matches!(number, Ok(Value::F64(1.0))));
}

#[test]
fn what_is_no_number_is_never_stored_as_one() {
    let time = Timestamp::from_nanos(0);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let plain = point(DataType::F64, vec![]).engineering(&Value::F64(bad), time);
        assert_eq!(plain.unwrap_err(), Quality::OUT_OF_RANGE);
    }
    let huge = point(DataType::U64, vec![]);
    assert!(huge.engineering(&Value::F64(1.9e19), time).is_err());
    assert!(huge.engineering(&Value::F64(-1.0), time).is_err());
    assert!(huge.engineering(&Value::F64(18_446_744_073_709_551_615.0), time).is_err());
    let text = point(DataType::Text, vec![]).engineering(&Value::U64(1), time);
    assert_eq!(text.unwrap_err(), Quality::CONFIGURATION_ERROR);
}

#[test]
fn writes_go_the_way_back_and_stay_within_limits() {
    let time = Timestamp::from_nanos(0);
    let scaled = point(DataType::F64, vec![scaling("1970-01-01T00:00:00Z", 0.1, -40.0)]);
    let raw = scaled.raw(&Value::F64(25.0), time).unwrap();
    assert_eq!(raw.as_f64(), Some(650.0));
    assert!(scaled.raw(&Value::F64(f64::NAN), time).is_err());
    let plain = point(DataType::U64, vec![]).raw(&Value::U64(u64::MAX), time);
    assert!(matches!(plain, Ok(Value::U64(u64::MAX))));

    let limits = WriteLimits { min: Some(0.0), max: Some(10.0), confirm: false };
    let allowed = |value| scaled.within_limits(&limits, &value).is_ok();
    assert!(allowed(Value::F64(0.0)) && allowed(Value::U64(10)) && allowed(Value::Bool(true)));
    assert!(!allowed(Value::F64(-0.1)) && !allowed(Value::I64(11)));
    assert!(!allowed(Value::F64(f64::NAN)) && !allowed(Value::Text("5".into())));
}

#[test]
fn tenths_stay_tenths() {
    let scaling = |factor| Scaling { effective: Timestamp::MIN, factor, offset: 0.0, unit: None };
    assert_eq!(scaling(0.1).apply(27052.0), 2705.2);
    assert_eq!(scaling(0.001).apply(26996.0), 26.996);
    assert_eq!(scaling(-0.01).apply(5.0), -0.05);
    assert_eq!(scaling(0.3).apply(10.0), 3.0);
    assert_eq!(scaling(2.5).apply(4.0), 10.0);
}
