use std::collections::BTreeMap;

use proptest::prelude::*;
use weir_model::{Level, TagId, Unit};

use super::*;
use crate::plant::Asset;

fn tag() -> Tag {
    Tag {
        id: Identifier::parse("demo.tep/reactor-pressure").unwrap(),
        tag: TagId(7),
        parent: None,
        name: "Reactor pressure".to_owned(),
        names: BTreeMap::from([
            ("en".to_owned(), "Reactor pressure".to_owned()),
            ("zh-CN".to_owned(), "反应器压力".to_owned()),
        ]),
        description: "Gauge pressure".to_owned(),
        unit: Some(Unit::parse("kPa").unwrap()),
        data_type: DataType::F64,
        range: Some((0.0, 3000.0)),
        labels: BTreeMap::new(),
        writable: false,
    }
}

#[test]
fn node_ids_are_identifiers() {
    let id = NodeId::new(WEIR, "demo.tep/reactor-pressure");
    assert_eq!(Target::of(&id), Target::Thing(tag().id));
    assert_eq!(thing_id(&tag().id), id);
    assert_eq!(Target::of(&root_id()), Target::Root);
    let range = property_id(Property::EuRange, &tag().id);
    assert_eq!(Target::of(&range), Target::Property(Property::EuRange, tag().id));
    for unknown in ["", "no-slash", "Weir"] {
        assert_eq!(Target::of(&NodeId::new(WEIR, unknown)), Target::Unknown, "{unknown}");
    }
    assert_eq!(Target::of(&NodeId::new(9, "a/b")), Target::Unknown);
    assert_eq!(Target::of(&NodeId::new(PROPERTY, "Other:a/b")), Target::Unknown);
}

#[test]
fn names_come_in_the_clients_language() {
    let node = Node::Tag(tag());
    let name = |locales: &[&str]| {
        let locales: Vec<String> = locales.iter().map(|l| (*l).to_owned()).collect();
        display_name(&node, &locales).text.to_string()
    };
    assert_eq!(name(&["zh-CN"]), "反应器压力");
    assert_eq!(name(&["zh"]), "反应器压力");
    assert_eq!(name(&["de", "en-US"]), "Reactor pressure");
    assert_eq!(name(&[]), "Reactor pressure");
}

#[test]
fn a_tag_is_an_analog_item_with_what_it_has() {
    let mut tag = tag();
    let properties = |tag: &Tag| Property::of(tag).map(Property::name).collect::<Vec<_>>();
    assert_eq!(properties(&tag), ["EURange", "EngineeringUnits"]);
    let id = NodeId::from(VariableTypeId::AnalogItemType);
    assert_eq!(type_definition(&Node::Tag(tag.clone())), id);
    tag.range = None;
    assert_eq!(properties(&tag), ["EngineeringUnits"]);
    tag.data_type = DataType::Bool;
    assert_eq!(properties(&tag), [""; 0]);
    tag.data_type = DataType::Enumeration;
    tag.labels = BTreeMap::from([(0, "off".to_owned()), (1, "on".to_owned())]);
    assert_eq!(properties(&tag), ["EnumValues", "ValueAsText"]);
    let sample = Sample::good(weir_model::Timestamp::from_nanos(0), Value::Enumeration(1));
    let shown = property_attribute(Property::ValueAsText, &tag, Some(&sample), AttributeId::Value);
    assert_eq!(shown, Some(text("on").into()));
}

#[test]
fn attributes_follow_the_node() {
    let mut tag = tag();
    let access = |tag: &Tag| attribute(&Node::Tag(tag.clone()), AttributeId::AccessLevel, &[]);
    assert_eq!(access(&tag), Some(Variant::Byte(5)));
    tag.writable = true;
    assert_eq!(access(&tag), Some(Variant::Byte(7)));
    let asset = Node::Asset(Asset {
        id: Identifier::parse("demo.tep/area").unwrap(),
        parent: None,
        name: "Area".to_owned(),
        names: BTreeMap::new(),
        description: String::new(),
        level: Level::Area,
    });
    assert_eq!(attribute(&asset, AttributeId::AccessLevel, &[]), None);
    assert_eq!(attribute(&asset, AttributeId::NodeClass, &[]), Some(Variant::Int32(1)));
}

proptest! {
    #[test]
    fn any_node_id_is_something(namespace in 0_u16..6, name in ".{0,60}") {
        let _ = Target::of(&NodeId::new(namespace, name.as_str()));
    }
}

#[test]
fn no_value_of_the_standard_is_large() {
    /// Bounds of an answer are looked at with each value, so that one by itself must not be large.
    const BYTES_MAX: usize = 4 << 10;
    let facts = standard::Facts {
        application_uri: "urn:weir:test:opcua".to_owned(),
        started: weir_model::Timestamp::from_nanos(0),
        limits: crate::Limits::default(),
    };
    let standard = standard::Standard::new(facts);
    let context = crate::wire::message::context(1 << 20);
    let context = context.context();
    let now = weir_model::Timestamp::from_nanos(0);
    let sizes = (0..40_000_u32).filter_map(|number| {
        let id = NodeId::new(0, number);
        let value = standard.read(&id, AttributeId::Value, now)?;
        Some((opcua::types::BinaryEncodable::byte_len(&value, &context), number))
    });
    let (largest, number) = sizes.max().unwrap();
    assert!(largest <= BYTES_MAX, "i={number}: {largest} bytes");
}
