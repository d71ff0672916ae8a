use std::collections::BTreeMap;

use proptest::prelude::*;
use weir_model::{Quality, Sample, Samples, Value};

use super::*;

const TENANT: TenantId = TenantId(3);

fn value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        any::<f64>().prop_map(|x| Some(Value::F64(x))),
        any::<i64>().prop_map(|x| Some(Value::I64(x))),
        any::<u64>().prop_map(|x| Some(Value::U64(x))),
        any::<bool>().prop_map(|x| Some(Value::Bool(x))),
        (-3i64..3).prop_map(|x| Some(Value::Enumeration(x))),
        "[a-c]{0,3}".prop_map(|text| Some(Value::Text(text.as_str().into()))),
        prop::collection::vec(-9i64..9, 1..4)
            .prop_map(|array| Some(array.into_iter().map(Value::I64).collect())),
    ]
}

fn written() -> impl Strategy<Value = Vec<(u32, i64, Option<Value>, bool)>> {
    prop::collection::vec((0u32..80, 0i64..50, value(), any::<bool>()), 0..200)
}

/// Rows of a page as they are compared: number, time, quality, the bits of the number, the text.
type Row = (u32, i64, Quality, Option<u64>, Option<String>);

proptest! {
    #[test]
    fn a_page_has_what_a_plain_map_of_newest_samples_has(
        all in written(),
        asked in prop::collection::btree_set(0u32..90, 0..90),
        reversed in any::<bool>(),
        (from, to) in (0i64..50, 0i64..60),
        columns in any::<[bool; 4]>(),
    ) {
        let (mut last, mut newest) = (LastValues::default(), BTreeMap::<u32, Sample>::new());
        for (position, (tag, time, value, is_good)) in (1..).zip(all) {
            let quality = if is_good { Quality::GOOD } else { Quality::BAD };
            let sample = Sample { time: Timestamp::from_nanos(time), value, quality };
            last.insert(TENANT, position, &Samples::from_iter([(TagId(tag), sample.clone())]));
            if newest.get(&tag).is_none_or(|old| old.time <= sample.time) {
                newest.insert(tag, sample);
            }
        }
        let mut asked: Vec<TagId> = asked.into_iter().map(TagId).collect();
        if reversed {
            asked.reverse();
        }
        let span = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
        let [times, numbers, qualities, texts] = columns;
        let columns = SampleColumns { times, numbers, qualities, texts };
        let mut page = SamplePage::default();
        last.fill(TENANT, &asked, span, columns, &mut page);

        let expected: Vec<Row> = asked
            .iter()
            .filter_map(|tag| Some((tag, newest.get(&tag.0)?)))
            .filter(|(_, sample)| span.0 <= sample.time && sample.time < span.1)
            .map(|(tag, sample)| {
                let number = sample.value.as_ref().and_then(Value::as_f64);
                let text = sample.value.as_ref().and_then(Value::as_text);
                let text = text.filter(|_| texts).map(|text| text.into_owned());
                (
                    tag.0,
                    if times { sample.time.nanos() } else { 0 },
                    if qualities { sample.quality } else { Quality::GOOD },
                    number.filter(|_| numbers).map(f64::to_bits),
                    text,
                )
            })
            .collect();
        let mut texts = page.texts.iter().peekable();
        let mut all_qualities = page.qualities.iter().flat_map(|(q, n)| (0..*n).map(move |_| *q));
        let found: Vec<Row> = page
            .tags
            .iter()
            .enumerate()
            .map(|(row, (tag, rows))| {
                assert_eq!(*rows, 1);
                let present = page.present.get(row).copied().unwrap_or_default();
                (
                    tag.0,
                    page.times.get(row).copied().unwrap_or_default(),
                    all_qualities.next().unwrap_or(Quality::GOOD),
                    present.then(|| page.numbers[row].to_bits()),
                    texts.next_if(|(at, _)| *at == row).map(|(_, text)| text.to_owned()),
                )
            })
            .collect();
        prop_assert_eq!(found, expected);
        prop_assert!(texts.next().is_none());
    }
}
