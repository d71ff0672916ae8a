//! Values of all types, and browsing to them.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use weir_connect::{BrowseItem, Driver, State};
use weir_model::{DataType, Quality, Value};

use crate::plant::{Plant, node, part};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn all_types_arrays_and_structures_agree() {
    use DataType::{Array, Bool, Enumeration, F64, I64, Text, U64};
    let plant = Plant::new(&[]);
    let bench = plant.bench();
    let machine = json!({"Id": "1152921504606846976", "Axis": {"Position": 12.5, "Name": "X轴", "Limits": [1, 2, 3]}});
    let cases: Vec<(Json, DataType, Json)> = vec![
        (node("SByte"), I64, json!(-128)),
        (node("Byte"), U64, json!(255)),
        (node("UInt32"), U64, json!(4294967295_u64)),
        (node("Int64Min"), I64, json!("-9223372036854775808")),
        (node("UInt64Max"), U64, json!("18446744073709551615")),
        (node("Float"), F64, json!(-2.25)),
        (node("Boolean"), Bool, json!(true)),
        (node("Boolean"), I64, json!(1)),
        (node("DateTime"), Text, json!("2026-11-26T08:00:00.123456Z")),
        (node("DateTime"), I64, json!("1795680000123456000")),
        (node("Guid"), Text, json!("09087e75-8e5e-499b-954f-f2a9603db28a")),
        (node("ByteString"), Text, json!("AP8=")),
        (node("XmlElement"), Text, json!("<a/>")),
        (node("NodeId"), Text, json!("ns=2;s=x")),
        (node("QualifiedName"), Text, json!("2:q")),
        (node("LocalizedText"), Text, json!("Kühler")),
        (node("StatusCode"), U64, json!(0x800A_0000_u32)),
        (node("State"), Enumeration, json!(1)),
        (node("State"), I64, json!(1)),
        (node("Array"), Array, json!([1, 2, 3, 4])),
        (node("Array"), Text, json!("[1,2,3,4]")),
        (part("Array", json!({"index": 2})), I64, json!(3)),
        (part("Array", json!({"index": "1:2"})), Array, json!([2, 3])),
        (node("Doubles"), Array, json!([0.5, 1.5, 2.5])),
        (node("Texts"), Array, json!(["a", "温"])),
        (node("Empty"), Array, json!([])),
        (node("Matrix"), Array, json!([1, 2, 3, 4, 5, 6])),
        (
            part("Huge", json!({"index": "69990:69999"})),
            Array,
            json!((69990..70000).collect::<Vec<_>>()),
        ),
        (part("Machine", json!({"field": "Axis.Position"})), F64, json!(12.5)),
        (part("Machine", json!({"field": "Axis.Name"})), Text, json!("X轴")),
        (part("Machine", json!({"field": "Axis.Limits.1"})), I64, json!(2)),
        (part("Machine", json!({"field": "Axis.Limits"})), Array, json!([1, 2, 3])),
        (part("Machine", json!({"field": "Id"})), U64, json!("1152921504606846976")),
        (part("Either", json!({"field": "Text"})), Text, json!("second")),
        (part("AnalogRange", json!({"field": "High"})), F64, json!(100)),
        (json!({"node": "i=2256", "field": "State"}), I64, json!(0)),
        (
            json!({"node": "i=2256", "field": "BuildInfo.ProductUri"}),
            Text,
            json!("urn:freeopcua.github.io:python:server"),
        ),
        (part("Analog", json!({"attribute": "DisplayName"})), Text, json!("Analog")),
        (json!({"node": "i=2259"}), Enumeration, json!(0)),
    ];
    let points = cases.iter().map(|(address, data_type, _)| (address.clone(), *data_type));
    let mut points: Vec<_> = points.collect();
    points.push((node("Machine"), Text));
    let device = plant.device(1, points);
    let report = bench.supervisor.test(&device).await.unwrap();
    for ((address, _, expected), read) in cases.iter().zip(&report.values) {
        let got = read.value.as_ref().map(Value::to_json).unwrap_or_default();
        let same = got == *expected || got.as_f64().is_some_and(|x| Some(x) == expected.as_f64());
        assert!(same, "{address}: {got} instead of {expected}: {:?}", read.error);
    }
    let Some(Value::Text(whole)) = report.values.last().unwrap().value.clone() else {
        panic!("a text")
    };
    assert_eq!(serde_json::from_str::<Json>(&whole).unwrap(), machine);
    // And the same by subscription.
    bench.apply(device).await;
    bench.until("all values", |b| (0..=cases.len()).all(|i| b.value(1, i).is_some())).await;
    assert_eq!(bench.status(1).state, State::Online, "{}", bench.reason(1));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn what_is_wrong_with_one_point_is_told_by_that_point() {
    use DataType::{Array, F64, I64, Text};
    let mut plant = Plant::new(&[]);
    let cases = vec![
        (
            node("Missing"),
            F64,
            Quality::ADDRESS_UNKNOWN,
            "BadNodeIdUnknown (0x80340000): the server has no such node",
        ),
        (
            json!({"node": "nsu=urn:gone;s=x"}),
            F64,
            Quality::ADDRESS_UNKNOWN,
            "no namespace \"urn:gone\"",
        ),
        (
            part("Array", json!({"index": 9})),
            I64,
            Quality::from_code(0x8037_0000),
            "BadIndexRangeNoData",
        ),
        (node("Huge"), Array, Quality::OUT_OF_RANGE, "give the point an index range"),
        (node("LongText"), Text, Quality::OUT_OF_RANGE, "a text of 70000 bytes"),
        (node("Null"), F64, Quality::WAITING, "no value yet"),
        (
            part("Machine", json!({"field": "Axis.Speed"})),
            F64,
            Quality::CONFIGURATION_ERROR,
            "it has Position, Name, Limits",
        ),
        (part("Double", json!({"field": "x"})), F64, Quality::CONFIGURATION_ERROR, "no structure"),
        (node("Weir"), F64, Quality::from_code(0x8035_0000), "only variables have values"),
        (
            node("Failing"),
            F64,
            Quality::from_code(0x808C_0000),
            "BadSensorFailure (0x808C0000): the server says that the sensor",
        ),
    ];
    let mut points: Vec<_> =
        cases.iter().map(|(address, data_type, ..)| (address.clone(), *data_type)).collect();
    points.push((node("Double"), F64));
    points.push((node("Analog"), F64));
    plant
        .peer
        .ask(&json!({"do": "write", "node": "Failing", "value": 0.0, "status": 0x808C_0000_u32}));
    plant
        .peer
        .ask(&json!({"do": "write", "node": "Analog", "value": 51.0, "status": 0x4094_0000_u32}));
    let bench = plant.bench();
    let device = plant.device(1, points);
    let report = bench.supervisor.test(&device).await.unwrap();
    for ((address, _, _, told), read) in cases.iter().zip(&report.values) {
        let error = read.error.clone().unwrap_or_default();
        assert!(error.contains(told), "{address}: {error}");
    }
    bench.apply(device).await;
    bench.until("the good ones", |b| b.value(1, cases.len()) == Some(json!(1.5))).await;
    bench.until("all told", |b| (0..cases.len()).all(|i| b.last(1, i).is_some())).await;
    for (i, (address, _, quality, _)) in cases.iter().enumerate() {
        assert_eq!(bench.last(1, i).unwrap().quality, *quality, "{address}");
    }
    let uncertain = bench.last(1, cases.len() + 1).unwrap();
    assert_eq!(
        (uncertain.quality, uncertain.value),
        (Quality::from_code(0x4094_0000), Some(Value::F64(51.0)))
    );
    bench.until_state(1, State::Degraded).await;
    assert_eq!(bench.status(1).counters.reconnects, 0);
    // A point that recovers is good again.
    plant.write("Failing", json!(7.0));
    bench.until("recovered", |b| b.value(1, 9) == Some(json!(7.0))).await;
}

async fn browse_all(plant: &Plant, settings: &Json, at: &str) -> Vec<BrowseItem> {
    let (mut items, mut next) = (Vec::new(), Some(at.to_owned()));
    while let Some(at) = next {
        let page = plant.driver.browse(settings, Some(&at)).await.unwrap();
        assert!(page.items.len() <= 200);
        items.extend(page.items);
        next = page.next;
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn browsing_shows_what_things_are_whatever_they_are_called() {
    let mut plant = Plant::new(&[]);
    plant.peer.ask(&json!({"do": "many", "count": 450}));
    let settings = plant.peer.settings.clone();
    let root = plant.driver.browse(&settings, None).await.unwrap();
    let folder = |name: &str| root.items.iter().find(|i| i.name == name).unwrap().at.clone();
    let items: HashMap<_, _> = browse_all(&plant, &settings, &folder("Weir"))
        .await
        .into_iter()
        .map(|i| (i.name.clone(), i))
        .collect();
    let analog = &items["Analog"];
    assert_eq!((analog.unit.as_deref(), analog.writable), (Some("°C"), Some(true)));
    assert_eq!((analog.description.as_str(), analog.expandable), ("炉膛温度", true));
    assert_eq!(
        (analog.data_type, analog.value.clone()),
        (Some(DataType::F64), Some(Value::F64(50.0)))
    );
    assert_eq!(analog.address, Some(node("Analog")));
    assert_eq!(items["ReadOnly"].writable, Some(false));
    assert_eq!(items["State"].data_type, Some(DataType::Enumeration));
    assert_eq!(items["State"].value, Some(Value::Enumeration(1)));
    assert_eq!(items["Array"].data_type, Some(DataType::Array));
    assert_eq!(items["Machine"].data_type, Some(DataType::Text));
    assert!(items["Huge"].value.is_none() && items["LongText"].value.is_none());
    let method = items["multiply"].method.clone().unwrap();
    assert_eq!(method["object"], node("Weir")["node"]);
    assert!(items["multiply"].address.is_none() && items["Strange"].expandable);

    let strange = browse_all(&plant, &settings, &items["Strange"].at).await;
    assert_eq!(strange.len(), 3);
    // An identifier of 64 kB is no address: it is shown, and says why it is not offered.
    let endless: Vec<_> = strange.iter().filter(|item| item.address.is_none()).collect();
    assert_eq!(endless.len(), 1);
    assert!(
        endless[0].description.contains("longer than an address"),
        "{}",
        endless[0].description
    );
    let addresses = strange.iter().filter_map(|item| item.address.clone());
    let addresses = addresses.map(|address| (address, DataType::F64)).collect();
    let device = plant.device(1, addresses);
    let report = plant.bench().supervisor.test(&device).await.unwrap();
    let mut values: Vec<_> =
        report.values.iter().filter_map(|v| v.value.as_ref()?.as_f64()).collect();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [1.0, 3.0]);

    let many = browse_all(&plant, &settings, &folder("Many")).await;
    let names: std::collections::BTreeSet<_> = many.iter().map(|item| item.name.clone()).collect();
    assert_eq!((many.len(), names.len()), (450, 450));
    let error = plant.driver.browse(&settings, Some("ns=2;s=nothing")).await.unwrap_err();
    assert!(error.to_string().contains("BadNodeIdInvalid"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn addresses_survive_a_change_of_namespace_indexes() {
    for (shift, before) in [("0", 2), ("3", 5)] {
        let plant = Plant::new(&["--shift", shift]);
        let bench = plant.bench();
        let points = vec![
            (node("Double"), DataType::F64),
            (json!({"node": "i=2255"}), DataType::Array),
            (json!({"node": format!("ns={before};s=Double")}), DataType::F64),
        ];
        let report = bench.supervisor.test(&plant.device(1, points)).await.unwrap();
        for point in [0, 2] {
            assert_eq!(report.values[point].value, Some(Value::F64(1.5)), "{:?}", report.values);
        }
        let Some(Value::Array(namespaces)) = &report.values[1].value else { panic!("an array") };
        assert_eq!(namespaces[before], Value::text("urn:weir:peer").unwrap());
    }
}
