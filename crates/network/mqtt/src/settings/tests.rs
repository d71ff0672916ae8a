use proptest::prelude::*;
use serde_json::{Value as Json, json};
use weir_connect::Fields;
use weir_connect::tls::CERTIFICATES_MAX;

use super::*;

fn parse(json: Json) -> Result<LinkSettings, Vec<String>> {
    let mut errors = Vec::new();
    let mut fields = Fields::of(&json, "/settings".to_owned(), &mut errors);
    let settings = LinkSettings::read(&mut fields);
    fields.finish();
    if errors.is_empty() {
        Ok(settings)
    } else {
        Err(errors.into_iter().map(|e| e.field).collect())
    }
}

fn outside(json: Json) -> Outside {
    match parse(json).unwrap().place {
        Place::Outside(outside) => *outside,
        Place::Inside => panic!("an outside broker"),
    }
}

#[test]
fn fills_in_what_is_usual() {
    let settings = parse(json!({"host": "h"})).unwrap();
    assert_eq!((settings.endpoint().as_str(), settings.persistent), ("h:1883", true));
    assert_eq!(outside(json!({"host": "h", "transport": "tls"})).port, 8883);
    assert_eq!(outside(json!({"host": "[::1]"})).endpoint(), "[::1]:1883");
    assert_eq!(outside(json!({"host": "h", "version": "5", "keep_alive_s": 1})).keep_alive_s, 5);
    assert_eq!(parse(json!({"broker": "inside"})).unwrap().place, Place::Inside);
}

#[test]
fn names_each_wrong_field() {
    let cases = [
        (json!({}), "/settings/host"),
        (json!({"host": "mqtt://h"}), "/settings/host"),
        (json!({"host": "a..b", "transport": "tls"}), "/settings/host"),
        (json!({"host": "h", "port": 0}), "/settings/port"),
        (json!({"host": "h", "transport": "udp"}), "/settings/transport"),
        (json!({"host": "h", "version": "4"}), "/settings/version"),
        (json!({"host": "h", "websocket_path": "mqtt"}), "/settings/websocket_path"),
        (json!({"host": "h", "password": "p"}), "/settings/user"),
        (json!({"host": "h", "user": "u", "password": 1}), "/settings/password"),
        (json!({"host": "h", "trusted": ["AB"]}), "/settings/trusted"),
        (json!({"host": "h", "accept_expired": "x"}), "/settings/accept_expired"),
        (json!({"host": "h", "ca": "x"}), "/settings/ca"),
        (json!({"host": "h", "client_certificate": "x"}), "/settings/client_key"),
        (json!({"host": "h", "client_key": "x"}), "/settings/client_certificate"),
        (json!({"host": "h", "keep_alive_s": 0}), "/settings/keep_alive_s"),
        (json!({"host": "h", "timeout_ms": 1}), "/settings/timeout_ms"),
        (json!({"host": "h", "qos": 1}), "/settings/qos"),
    ];
    for (json, field) in cases {
        let errors = parse(json.clone()).unwrap_err();
        assert!(errors.iter().any(|e| e == field), "{json}: {errors:?}");
    }
}

#[test]
fn a_list_of_authorities_is_never_cut() {
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
    let with = |count| json!({"host": "h", "transport": "tls", "ca": pem.repeat(count), "accept_expired": true});
    assert!(outside(with(CERTIFICATES_MAX)).trust.accept_expired);
    assert_eq!(parse(with(CERTIFICATES_MAX + 1)).unwrap_err(), ["/settings/ca"]);
}

#[test]
fn secrets_are_not_shown() {
    let settings = outside(json!({"host": "h", "user": "u", "password": "geheim"}));
    assert!(!format!("{settings:?}").contains("geheim"));
}

#[test]
fn the_form_names_the_fields() {
    let fields = link_fields();
    assert_eq!(fields.len(), LINK_FIELDS.len());
    assert!(LINK_FIELDS.iter().all(|name| fields.contains_key(*name)));
}

proptest! {
    /// Whatever stands in a field, it is taken or refused by name.
    #[test]
    fn any_texts_are_judged(field in prop::sample::select(LINK_FIELDS.to_vec()), text in ".{0,60}", number in any::<i64>()) {
        for value in [json!(text), json!(number), json!([text]), json!({"a": text}), Json::Null, json!(true)] {
            for transport in ["tcp", "websocket_tls"] {
                let mut json = json!({"host": "h", "transport": transport});
                json[field] = value.clone();
                if let Err(errors) = Settings::parse(&json) {
                    prop_assert!(errors.iter().all(|e| e.field.starts_with("/settings/")));
                }
            }
        }
    }
}
