use proptest::prelude::*;

use super::*;

fn series(measurement: &str, field: &str, labels: &[(&str, &str)]) -> Series<'static> {
    let owned = |text: &str| Cow::Owned(text.to_owned());
    Series {
        measurement: owned(measurement),
        field: owned(field),
        labels: labels.iter().map(|(key, value)| (owned(key), owned(value))).collect(),
        labels_optional: true,
    }
}

#[test]
fn names_read_like_prometheus() {
    let name = |m, f, l: &[(&str, &str)]| series(m, f, l).name();
    assert_eq!(name("up", "value", &[]), "up");
    assert_eq!(name("cpu", "idle", &[]), "cpu.idle");
    assert_eq!(
        name("cpu", "idle", &[("host", "a b"), ("cpu", "0\"1\\2\n3")]),
        r#"cpu.idle{cpu="0\"1\\2\n3",host="a b"}"#
    );
    assert_eq!(name("x", "value", &[("k", "\u{202E}v\u{7}")]), r#"x{k="\u{202e}v\u{7}"}"#);
}

#[test]
fn long_names_are_cut_and_stay_apart() {
    let long = |end: &str| series("cpu", "idle", &[("path", &("压".repeat(200) + end))]);
    let (a, b) = (long("a"), long("b"));
    assert!(a.name().len() <= NAME_BYTES_MAX && a.name() != b.name());
    assert!(a.name().starts_with("cpu.idle{path=\"压压"));
    assert!(
        a.description().ends_with("压a\"}") && series("cpu", "idle", &[]).description().is_empty()
    );
}

proptest! {
    /// Different series have different names, whatever they are made of.
    #[test]
    fn names_tell_series_apart(
        a in prop::collection::btree_map("[a,=\"{}\\\\]{1,3}", "[a,=\"{}\\\\]{1,3}", 0..3),
        b in prop::collection::btree_map("[a,=\"{}\\\\]{1,3}", "[a,=\"{}\\\\]{1,3}", 0..3),
    ) {
        let of = |labels: &std::collections::BTreeMap<String, String>| {
            let labels: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            series("m", "value", &labels).name()
        };
        prop_assert_eq!(of(&a) == of(&b), a == b);
    }
}
