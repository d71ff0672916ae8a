use super::*;

fn item(category: Category, representation: Representation, units: &str) -> DataItem {
    DataItem { category, representation, units: units.into(), ..DataItem::default() }
}

fn said(text: &str) -> Observation {
    Observation { text: text.into(), ..Observation::default() }
}

fn take(fold: &mut Fold, observation: &Observation, data_type: DataType) -> Json {
    match fold.take(observation, data_type, Part::All) {
        Ok(value) => value.to_json(),
        Err(fault) => format!("{}: {}", fault.quality, fault.cause).into(),
    }
}

#[test]
fn plain_values_of_each_type() {
    let mut fold = Fold::new(&item(Category::Sample, Representation::Value, "MILLIMETER"));
    let mut is = |text: &str, data_type| take(&mut fold, &said(text), data_type);
    assert_eq!(is("12.5", DataType::F64), 12.5);
    assert_eq!(is("-7", DataType::I64), -7);
    assert_eq!(is("18446744073709551615", DataType::U64), "18446744073709551615");
    assert_eq!(is("7.0", DataType::I64), 7.0, "the supervisor rounds");
    assert_eq!(is("ACTIVE", DataType::Bool), true);
    assert_eq!(is("OPEN", DataType::Bool), false);
    assert_eq!(is("MANUAL_DATA_INPUT", DataType::Text), "MANUAL_DATA_INPUT");
    assert_eq!(is("", DataType::Text), "");
    for (text, data_type) in [("READY", DataType::F64), ("NaN", DataType::F64), ("", DataType::I64)]
    {
        let told = is(text, data_type);
        assert!(told.as_str().unwrap().contains("make the tag a text"), "{told}");
    }
    let told = is("UNAVAILABLE", DataType::F64);
    assert!(told.as_str().unwrap().starts_with("bad:0x80310000: UNAVAILABLE"), "{told}");
}

#[test]
fn rows_of_numbers() {
    let mut series = Fold::new(&item(Category::Sample, Representation::TimeSeries, "VOLT"));
    assert_eq!(
        take(&mut series, &said("1 2.5\n -3"), DataType::Array),
        serde_json::json!([1.0, 2.5, -3.0])
    );
    assert_eq!(take(&mut series, &said(""), DataType::Array), serde_json::json!([]));
    let told = take(&mut series, &said("1 2"), DataType::F64);
    assert!(told.as_str().unwrap().contains("make the tag an array"), "{told}");
    let mut place = Fold::new(&item(Category::Sample, Representation::Value, "MILLIMETER_3D"));
    assert_eq!(take(&mut place, &said("1 2 3"), DataType::Text), "1 2 3");
    let long = "1 ".repeat(ARRAY_LENGTH_MAX + 1);
    let told = take(&mut series, &said(&long), DataType::Array);
    assert!(told.as_str().unwrap().contains("at most"), "{told}");
    let told = take(&mut series, &said("1 x"), DataType::Array);
    assert!(told.as_str().unwrap().contains("not of type array"), "{told}");
}

fn told(element: &str, code: &str, text: &str) -> Observation {
    Observation {
        element: element.into(),
        is_condition: true,
        condition: code.into(),
        native_code: code.into(),
        text: text.into(),
        ..Observation::default()
    }
}

#[test]
fn conditions_keep_what_is_active() {
    let mut fold = Fold::new(&item(Category::Condition, Representation::Value, ""));
    let mut is = |element: &str, code: &str, text: &str| {
        take(&mut fold, &told(element, code, text), DataType::Text)
    };
    assert_eq!(is("Normal", "", ""), "NORMAL");
    assert_eq!(is("Warning", "210", "lubrication"), "WARNING 210: lubrication");
    assert_eq!(is("Fault", "4101", ""), "FAULT 4101; WARNING 210: lubrication");
    assert_eq!(is("Warning", "4101", "x"), "WARNING 210: lubrication; WARNING 4101: x");
    assert_eq!(is("Normal", "210", ""), "WARNING 4101: x");
    assert_eq!(is("Fault", "", "no code"), "FAULT: no code; WARNING 4101: x");
    assert_eq!(is("Normal", "", ""), "NORMAL");
    assert!(is("Unavailable", "", "").as_str().unwrap().contains("UNAVAILABLE"));

    let mut fold = Fold::new(&item(Category::Condition, Representation::Value, ""));
    let fault = told("Fault", "7", "stop");
    let values = [
        (DataType::Bool, Value::Bool(true)),
        (DataType::Enumeration, Value::Enumeration(2)),
        (DataType::I64, Value::I64(2)),
        (DataType::F64, Value::F64(2.0)),
        (DataType::U64, Value::U64(2)),
    ];
    for (data_type, value) in values {
        assert_eq!(fold.take(&fault, data_type, Part::All), Ok(value));
    }
    for (part, text) in [(Part::State, "FAULT"), (Part::Code, "7"), (Part::Message, "stop")] {
        assert_eq!(fold.take(&fault, DataType::Text, part), Ok(Value::text(text).unwrap()));
    }
    assert!(fold.take(&fault, DataType::Array, Part::All).is_err());
    for n in 0..2 * ACTIVE_MAX {
        let _ = fold.take(&told("Fault", &format!("c{n}"), ""), DataType::Bool, Part::All);
    }
    assert!(matches!(fold, Fold::Condition(active) if active.len() == ACTIVE_MAX));
}

#[test]
fn data_sets_are_told_by_their_changes() {
    let mut fold = Fold::new(&item(Category::Event, Representation::DataSet, ""));
    let change = |entries: &[(&str, Option<&str>)], is_reset| Observation {
        entries: entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.map(|v| Cells::Text(v.to_owned()))))
            .collect(),
        is_reset,
        ..Observation::default()
    };
    let mut is = |entries: &[(&str, Option<&str>)], is_reset| {
        take(&mut fold, &change(entries, is_reset), DataType::Text)
    };
    assert_eq!(is(&[("a", Some("1.5")), ("b", Some("on"))], false), r#"{"a":1.5,"b":"on"}"#);
    assert_eq!(is(&[("a", None), ("c", Some("007"))], false), r#"{"b":"on","c":"007"}"#);
    assert_eq!(is(&[("d", Some(""))], true), r#"{"d":""}"#);
    let row = Cells::Row(vec![("X".into(), "1".into()), ("Y".into(), "left".into())]);
    let table = Observation {
        entries: vec![("G54".into(), Some(row))],
        is_reset: true,
        ..Observation::default()
    };
    assert_eq!(take(&mut fold, &table, DataType::Text), r#"{"G54":{"X":1,"Y":"left"}}"#);
    assert!(
        take(&mut fold, &said("UNAVAILABLE"), DataType::Text).as_str().unwrap().contains("bad")
    );
    assert_eq!(fold, Fold::Set(BTreeMap::new()));
}
