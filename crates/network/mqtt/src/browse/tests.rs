use proptest::prelude::*;

use super::*;

fn messages(list: &[(&str, &[u8])]) -> Messages {
    list.iter()
        .map(|(topic, payload)| ((*topic).to_owned(), Bytes::copy_from_slice(payload)))
        .collect()
}

fn at(topic: &str) -> Place {
    Place { topic: Some(topic.to_owned()), after: None }
}

#[test]
fn topics_are_a_tree_with_values() {
    let heard = messages(&[
        ("线/1/t", b"21.5"),
        ("线/1/motor", br#"{"speed":1450,"state":{"on":true},"a/b":[1,2]}"#),
        ("线/1/motor/raw", &[0xFF, 0xFE]),
        ("线/2", b"ON"),
        ("/odd", b"hello"),
    ]);
    let root = arrange(&Place::default(), &heard);
    let names: Vec<_> = root.items.iter().map(|i| (i.name.as_str(), i.expandable)).collect();
    assert_eq!(names, [("(empty)", true), ("线", true)]);
    let line = arrange(&at("线/1"), &heard);
    let t = line.items.iter().find(|i| i.name == "t").unwrap();
    assert_eq!(t.address, Some(json!({"topic": "线/1/t", "format": "json"})));
    assert_eq!(
        (t.data_type, &t.value, t.expandable),
        (Some(DataType::F64), &Some(Value::F64(21.5)), false)
    );
    let motor = arrange(&serde_json::from_str(&line.items[0].at).unwrap(), &heard);
    let names: Vec<_> = motor.items.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["/a~1b", "/speed", "/state/on", "raw"]);
    assert_eq!(
        motor.items[2].address,
        Some(json!({"topic": "线/1/motor", "format": "json", "path": "/state/on"}))
    );
    assert_eq!(
        motor.items[3].address,
        Some(json!({"topic": "线/1/motor/raw", "format": "raw", "type": "u16"}))
    );
    let empty = arrange(&at(""), &heard);
    assert_eq!(empty.items[0].address, Some(json!({"topic": "/odd", "format": "text"})));
    assert_eq!(arrange(&at("线"), &heard).items[1].value, Some(Value::Bool(true)));
}

#[test]
fn long_levels_come_in_pages() {
    let heard: Messages =
        (0..450).map(|n| (format!("t/{n:03}"), Bytes::from_static(b"1"))).collect();
    let (mut place, mut names, mut pages) = (at("t"), Vec::new(), 0);
    loop {
        let page = arrange(&place, &heard);
        pages += 1;
        names.extend(page.items.into_iter().map(|i| i.name));
        let Some(next) = page.next else { break };
        place = serde_json::from_str(&next).unwrap();
    }
    assert_eq!((pages, names.len()), (3, 450));
    assert!(names.is_sorted());
}

#[test]
fn names_without_end_and_of_control_characters_are_shown_and_kept_apart() {
    let long = "长".repeat(20_000);
    let deep = format!("{{\"{}\":{{\"a\":1,\"b\":2}},\"ok\":3}}", "k".repeat(2000));
    let heard = messages(&[
        (&long, b"1"),
        (&format!("{long}!"), b"2"),
        ("bell\u{7}", b"3"),
        ("SPEED", b"4"),
        ("speed", b"5"),
        ("🛢️", deep.as_bytes()),
    ]);
    let root = arrange(&Place::default(), &heard);
    let names: Vec<_> = root.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names.len(), 6);
    assert!(names.iter().all(|name| name.chars().count() <= NAME_CHARS_MAX + 1));
    let places: std::collections::BTreeSet<_> = root.items.iter().map(|item| &item.at).collect();
    assert_eq!(places.len(), 6, "each can be told from the others");
    let tank = root.items.iter().find(|item| item.name == "🛢️").unwrap();
    let below = arrange(&serde_json::from_str(&tank.at).unwrap(), &heard);
    let names: Vec<_> = below.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["/ok"], "what no address can name is left out");
}

proptest! {
    #[test]
    fn any_messages_are_shown(list in prop::collection::vec(("[a-c/]{1,6}", prop::collection::vec(any::<u8>(), 0..20)), 0..20), json in "[\\[\\]{}\":,0-9a]{0,30}") {
        let mut heard: Messages = list.into_iter().map(|(t, p)| (t, Bytes::from(p))).collect();
        heard.insert("a".to_owned(), Bytes::from(json));
        for place in [Place::default(), at("a"), at(""), at("a/b")] {
            let _ = arrange(&place, &heard);
        }
    }
}
