//! The JSON of the HTTP interface, compared with the wire form of the same values.

use std::collections::HashMap;

use weir_handle::{Answer, Flags, List, Reader, Request, json};

use crate::capture::{message, read};

/// The values of each handle that was asked for as a whole, in their wire form with the count.
fn records() -> HashMap<String, Vec<u8>> {
    let mut records = HashMap::new();
    for exchange in &read("01_resolve.json.gz").exchanges {
        let (requests, responses) = (exchange.request.messages(), exchange.response.messages());
        let (Some(Ok(asked)), Some(Ok(answered))) =
            (requests.first().map(|b| message(b)), responses.first().map(|b| message(b)))
        else {
            continue;
        };
        let (Ok(Request::Resolution { handle, indexes, types }), Ok(answer)) =
            (asked.request(), answered.response())
        else {
            continue;
        };
        let all = indexes.is_empty() && types.is_empty() && asked.header.flags.has(Flags::PUBL);
        if let (Answer::Resolution { values, .. }, true) = (answer.answer, all) {
            let mut wire = Vec::new();
            values.write(&mut wire);
            records.insert(String::from_utf8(handle.to_vec()).unwrap(), wire);
        }
    }
    records
}

#[test]
fn values_are_written_as_the_reference_server_writes_them() {
    let records = records();
    let mut compared = HashMap::new();
    for exchange in &read("14_http.json.gz").exchanges {
        let recorded = &exchange.json["response"]["json"];
        if recorded.get("values").is_none() {
            continue;
        }
        // Every record is read, and written as it was.
        let record: json::Record = serde_json::from_value(recorded.clone()).unwrap();
        assert_eq!(&serde_json::to_value(&record).unwrap(), recorded, "{}", exchange.name);
        let handle = record.handle.unwrap();
        let Some(wire) = records.get(&handle) else { continue };
        let values: List<'_, weir_handle::Value<'_>> = Reader::new(wire).list().unwrap();
        let ours: HashMap<i32, (weir_handle::Value<'_>, &[u8])> = {
            let mut each = values.iter();
            std::iter::from_fn(move || each.next_with_wire())
                .map(|(value, wire)| (value.index, (value, wire)))
                .collect()
        };
        for recorded in record.values.unwrap() {
            let Some((value, wire)) = ours.get(&recorded.index) else { continue };
            assert_eq!(json::Value::of(value), recorded, "{}", exchange.name);
            // And back: the same bytes.
            let mut back = Vec::new();
            recorded.encode(&mut back).unwrap();
            assert_eq!(&back, wire, "{}: {}", exchange.name, recorded.index);
            compared.insert((handle.clone(), recorded.index), ());
        }
    }
    println!("{} values compared", compared.len());
    assert!(compared.len() >= 40, "{}", compared.len());
}

#[test]
fn what_clients_send_is_read() {
    let read = |text: &str| -> Result<Vec<u8>, weir_handle::Error> {
        let value: json::Value = serde_json::from_str(text).unwrap();
        let mut wire = Vec::new();
        value.encode(&mut wire).map(|()| wire)
    };
    let wire = read(r#"{"index": 3, "type": "X", "data": "plain string"}"#).unwrap();
    let value = weir_handle::Value::decode(&wire).unwrap();
    assert_eq!(value, weir_handle::Value::new(3, b"X", b"plain string", 0));
    let wire = read(r#"{"index":1,"type":"X","data":{"format":"hex","value":"00fF"},"ttl":60}"#);
    assert_eq!(weir_handle::Value::decode(&wire.unwrap()).unwrap().data, [0, 255]);
    for wrong in [
        r#"{"index":1,"data":{"format":"hex","value":"0"}}"#,
        r#"{"index":1,"data":{"format":"hex","value":"zz"}}"#,
        r#"{"index":1,"data":{"format":"base64","value":"*"}}"#,
        r#"{"index":1,"data":"","permissions":"12"}"#,
        r#"{"index":1,"data":"","permissions":"11111"}"#,
        r#"{"index":1,"data":"","ttl":"tomorrow"}"#,
        r#"{"index":1,"data":"","timestamp":"9999-01-01T00:00:00Z"}"#,
        r#"{"index":1,"data":{"format":"key","value":{"kty":"EC","crv":"P-256","x":"","y":""}}}"#,
        r#"{"index":1,"data":{"format":"key","value":{"kty":"RSA","n":"!","e":"AQAB"}}}"#,
        r#"{"index":1,"data":{"format":"admin","value":{"handle":"a","permissions":"2"}}}"#,
    ] {
        assert!(matches!(read(wrong), Err(weir_handle::Error::Json { .. })), "{wrong}");
    }
}
