use std::collections::BTreeMap;

use proptest::prelude::*;
use weir_model::{DataType, Quality, Sample, TagId, Value};

use super::*;

/// Tags by identifier.
struct Tags(BTreeMap<&'static str, TagFacts>);

impl Lookup for Tags {
    fn find(&self, id: &str) -> Result<TagFacts, Failure> {
        let unknown = || Failure::new(ProblemCode::UnknownTag, format!("there is no tag {id}"));
        self.0.get(id).copied().ok_or_else(unknown)
    }
}

fn tags() -> Tags {
    let all = [
        ("1/f", DataType::F64),
        ("1/i", DataType::I64),
        ("1/u", DataType::U64),
        ("1/b", DataType::Bool),
        ("1/t", DataType::Text),
        ("1/a", DataType::Array),
    ];
    let facts = |n, data_type| TagFacts { tag: TagId(n), data_type };
    Tags(all.into_iter().zip(1..).map(|((name, t), n)| (name, facts(n, t))).collect())
}

const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

#[derive(Debug)]
struct Found {
    samples: Samples,
    producer: Option<Producer>,
}

fn read(format: Format, body: &[u8]) -> Result<Found, Failure> {
    let (samples, envelope) = match format {
        Format::Json => read_json(body, NOW, &Envelope::default(), &tags())?,
        _ => (read_csv(body, NOW, &tags())?, Envelope::default()),
    };
    Ok(Found { samples, producer: envelope.producer })
}

fn batch(format: Format, body: &str) -> Result<Found, Failure> {
    read(format, body.as_bytes())
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// Status, field and the batch's problem.
fn wrong(format: Format, body: &str) -> (u16, String, String) {
    let problem = batch(format, body).unwrap_err().problem;
    let field = problem.errors.first().map(|error| error.field.clone()).unwrap_or_default();
    (problem.status, field, problem.detail)
}

#[test]
fn json_in_all_types() {
    let body = r#"{"producer":"gateway","sequence":"7","samples":[
        {"tag":"1/f","time":"2026-11-23T08:00:00.123456789Z","value":2705.5,"quality":"good"},
        {"tag":"1/i","value":"9007199254740993"},
        {"tag":"1/u","value":18446744073709551615},
        {"tag":"1/b","value":true,"quality":"uncertain"},
        {"tag":"1/t","value":"läuft"},
        {"tag":"1/a","value":[1,2.5,"x"]},
        {"tag":"1/f","value":null,"quality":"bad:0x80310000"}
    ]}"#;
    let batch = batch(Format::Json, body).unwrap();
    assert_eq!(batch.producer, Some(Producer::new("gateway", 7).unwrap()));
    let values: Vec<_> = batch.samples.iter().map(|(tag, s)| (tag.0, s.value.clone())).collect();
    assert_eq!(values[1], (2, Some(Value::I64(9_007_199_254_740_993))));
    assert_eq!(values[2], (3, Some(Value::U64(u64::MAX))));
    assert_eq!(values[6], (1, None));
    assert_eq!(batch.samples.sample(0).time, at("2026-11-23T08:00:00.123456789Z"));
    assert_eq!(batch.samples.sample(1).time, NOW);
    assert_eq!(batch.samples.sample(3).quality, Quality::UNCERTAIN);
    assert_eq!(batch.samples.sample(6).quality, Quality::NO_COMMUNICATION);
}

#[test]
fn json_problems_point_at_the_place() {
    let sample =
        |fields: &str| format!(r#"{{"samples":[{{"tag":"1/f","value":1}},{{{fields}}}]}}"#);
    let cases = [
        (sample(r#""tag":"1/nope","value":1"#), 422, "/samples/1/tag"),
        (sample(r#""tag":"1/f","value":"x""#), 422, "/samples/1/value"),
        (sample(r#""tag":"1/f","value":1,"time":"yesterday""#), 422, "/samples/1/time"),
        (sample(r#""tag":"1/f","value":1,"quality":"fine""#), 422, "/samples/1/quality"),
        (sample(r#""tag":"1/f","value":null"#), 422, "/samples/1/value"),
        (sample(r#""tag":"1/f","value":1,"colour":1"#), 422, "/samples/1/colour"),
        (sample(r#""tag":7,"value":1"#), 422, "/samples/1/tag"),
        (r#"{"samples":{}}"#.into(), 422, "/samples"),
        (r#"{}"#.into(), 422, "/samples"),
        (r#"{"samples":[],"producer":"p"}"#.into(), 422, "/sequence"),
        (r#"{"samples":[],"sequence":1}"#.into(), 422, "/producer"),
        (r#"{"samples":["#.into(), 400, ""),
        ("[]".into(), 422, ""),
        ("".into(), 400, ""),
    ];
    for (body, status, field) in cases {
        let (found_status, found, detail) = wrong(Format::Json, &body);
        assert_eq!((found_status, found.as_str()), (status, field), "{body}: {detail}");
    }
    let (_, _, detail) = wrong(Format::Json, &sample(r#""tag":"1/nope","value":1"#));
    assert!(detail.contains("1/nope"), "{detail}");
}

#[test]
fn csv_in_any_order_of_columns() {
    let body = "\u{feff}time,tag,value,quality\r\n\
                2026-11-23T08:00:00Z,1/f,1.5,good\r\n\
                ,1/t,\"a \"\"quoted\"\", text\nwith lines\",\r\n\
                \r\n\
                ,1/f,,bad\r\n\
                ,1/t,\"\",";
    let batch = batch(Format::Csv, body).unwrap();
    let samples: Vec<Sample> = batch.samples.iter().map(|(_, sample)| sample).collect();
    assert_eq!(samples[0], Sample::good(at("2026-11-23T08:00:00Z"), Value::F64(1.5)));
    let text = Value::text("a \"quoted\", text\nwith lines").unwrap();
    assert_eq!(samples[1], Sample::good(NOW, text));
    assert_eq!(samples[2], Sample::without_value(NOW, Quality::BAD));
    assert_eq!(samples[3], Sample::good(NOW, Value::text("").unwrap()));
}

#[test]
fn csv_problems_name_the_line() {
    let cases = [
        ("", 400, "Line 1 "),
        ("tag,value,colour\n", 400, "colour"),
        ("tag,time\n", 400, "value"),
        ("tag,value,tag\n", 400, "twice"),
        ("tag,value\n1/f,1\n1/f\n", 400, "Line 3 "),
        ("tag,value\n1/f,1\n\"1/f,1\n", 400, "never closed"),
        ("tag,value\n1/f,\"1\"x\n", 400, "behind a closing quote"),
        ("tag,value\n1/f,1\"2\n", 400, "quote inside"),
        ("tag,value\n1/f,1\n1/nope,1\n", 422, "1/nope"),
        ("tag,value\n1/f,x\n", 422, "f64"),
    ];
    for (body, status, word) in cases {
        let (found, _, detail) = wrong(Format::Csv, body);
        assert_eq!(found, status, "{body:?}: {detail}");
        assert!(detail.contains(word), "{body:?}: {detail}");
    }
}

#[test]
fn many_wrong_rows_end_the_reading() {
    let rows = "1/nope,1\n".repeat(100_000);
    let failure = batch(Format::Csv, &format!("tag,value\n{rows}")).unwrap_err();
    assert_eq!(failure.problem.errors.len(), crate::failure::FIELD_ERRORS_MAX);
    assert_eq!(failure.problem.errors[19].field, "/samples/19/tag");
    let rows = vec![r#"{"tag":"1/nope","value":1}"#; 1000].join(",");
    let failure = batch(Format::Json, &format!(r#"{{"samples":[{rows}]}}"#)).unwrap_err();
    assert_eq!(failure.problem.errors.len(), crate::failure::FIELD_ERRORS_MAX);
}

fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

proptest! {
    /// Whatever comes, no parser panics, and what it accepts is within its bounds.
    #[test]
    fn any_text_is_read_or_refused(body in "[ -~\\n\\r\"\\\\,=#π]{0,200}") {
        for format in [Format::Json, Format::Csv] {
            if let Ok(batch) = batch(format, &body) {
                prop_assert!(batch.samples.len() <= body.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in [Format::Json, Format::Csv] {
            let _ = read(format, &body);
        }
    }

    /// Bodies that are nearly right reach deeper than noise does.
    #[test]
    fn mutated_bodies_are_read_or_refused(at in 0_usize..120, with in any::<u8>()) {
        let bodies = [
            (Format::Json, r#"{"samples":[{"tag":"1/f","time":"2026-11-23T08:00:00Z","value":1.5}]}"#),
            (Format::Csv, "tag,time,value,quality\n1/t,2026-11-23T08:00:00Z,\"a\"\"b\",good\n"),
        ];
        for (format, body) in bodies {
            let mut bytes = body.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = read(format, &bytes);
        }
    }

    /// Any text survives the quoting.
    #[test]
    fn texts_survive(text in "\\PC{0,40}[\\n\",\\\\ =]{0,6}\\PC{0,10}") {
        let csv = format!("tag,value\n1/t,{}\n", cell(&text));
        let want = Value::text(&text).unwrap();
        prop_assert_eq!(batch(Format::Csv, &csv).unwrap().samples.value(0), Some(want.clone()));
    }

    /// Any finite number survives every format to its last bit.
    #[test]
    fn numbers_survive(x in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
        let json = format!(r#"{{"samples":[{{"tag":"1/f","value":{x:?}}}]}}"#);
        for (format, body) in [
            (Format::Json, json),
            (Format::Csv, format!("tag,value\n1/f,{x:?}\n")),
        ] {
            prop_assert_eq!(&batch(format, &body).unwrap().samples.value(0), &Some(Value::F64(x)));
        }
    }
}

#[test]
fn names_of_the_nodes_own_producers_are_refused() {
    let body = |name: &str| {
        format!(r#"{{"producer":"{name}","sequence":1,"samples":[{{"tag":"1/f","value":1}}]}}"#)
    };
    let (status, field, _) = wrong(Format::Json, &body("device:1/plc"));
    assert_eq!((status, field.as_str()), (422, "/producer"));
    assert!(batch(Format::Json, &body("devices")).unwrap().producer.is_some());
    assert!(producer(Some("device:x"), Some(1), "").is_err());
}

#[test]
fn json_samples_are_objects() {
    let (status, field, _) = wrong(Format::Json, r#"{"samples":[["1/f",null,5,null]]}"#);
    assert_eq!((status, field.as_str()), (422, "/samples/0"));
}
