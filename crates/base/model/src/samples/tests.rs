use super::*;

fn all_kinds() -> Vec<(TagId, Sample)> {
    let at = |n: i64| Timestamp::from_nanos(n);
    let text = Value::text("läuft").unwrap();
    let array = Value::array(vec![Value::F64(0.5), Value::Bool(true)]).unwrap();
    let values = [
        Value::F64(-0.0),
        text.clone(),
        Value::I64(i64::MIN),
        array,
        Value::U64(u64::MAX),
        Value::Bool(true),
        text,
        Value::Enumeration(-3),
        Value::F64(f64::NAN),
    ];
    let mut samples: Vec<_> = values
        .into_iter()
        .enumerate()
        .map(|(n, value)| (TagId(n as u32 % 3), Sample::good(at(n as i64), value)))
        .collect();
    samples.push((TagId(9), Sample::without_value(at(-1), Quality::NO_COMMUNICATION)));
    samples
}

#[test]
fn columns_give_back_what_was_pushed() {
    let rows = all_kinds();
    let samples = Samples::from(rows.clone());
    assert_eq!(samples.len(), rows.len());
    assert_eq!(samples.iter().collect::<Vec<_>>(), rows);
    let backwards: Vec<u32> = (0..samples.len() as u32).rev().collect();
    let picked = samples.pick(&backwards);
    assert!(picked.iter().eq(rows.iter().rev().cloned()));
    let mut twice = samples.clone();
    twice.append(&picked);
    assert!(twice.iter().eq(rows.iter().cloned().chain(rows.iter().rev().cloned())));
    twice.clear();
    assert_eq!(twice, Samples::default());
}

#[test]
fn columns_that_are_no_samples_are_refused() {
    let samples = Samples::from(all_kinds());
    let build = |change: &dyn Fn(&mut Samples)| {
        let mut other = samples.clone();
        change(&mut other);
        let Samples { tags, times, qualities, kinds, words, apart } = other;
        Samples::from_columns(tags, times, qualities, kinds, words, apart)
    };
    assert_eq!(build(&|_| ()), Ok(samples.clone()));
    for change in [
        &|other: &mut Samples| other.words[1] = 1,
        &|other: &mut Samples| other.words[5] = 2,
        &|other: &mut Samples| other.words[9] = 1,
        &|other: &mut Samples| other.kinds[1] = Kind::Array,
        &|other: &mut Samples| other.apart.truncate(1),
        &|other: &mut Samples| other.apart.push(Value::text("").unwrap()),
        &|other: &mut Samples| other.tags.truncate(1),
    ] as [&dyn Fn(&mut Samples); 7]
    {
        assert_eq!(build(change), Err(SamplesError));
    }
}

#[test]
fn a_byte_of_a_kind_is_that_of_the_values_bytes() {
    for (_, sample) in all_kinds() {
        let Some(value) = sample.value else { continue };
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let kind = Kind::from_byte(bytes[0]).unwrap();
        assert_eq!((kind, kind as u8), (value.word().0, bytes[0]));
    }
    assert_eq!(Kind::from_byte(8), None);
}
