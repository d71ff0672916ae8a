use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;
use weir_model::{DataType, Samples, TagId, Value};

use super::*;
use crate::{FAULTS_MAX, Found, NewTag, Series, SeriesCache, Unknown};

/// Tags by name, and whether others are made.
struct Tags(BTreeMap<&'static str, TagFacts>, bool);

impl Lookup for Tags {
    fn find(&self, series: &Series<'_>) -> Result<Found, Unknown> {
        let found = self.0.get(series.base().as_str()).copied().map(Found::from);
        found.ok_or_else(|| match self.1 {
            true => Unknown::New,
            false => Unknown::Refused(format!("there is no tag {}", series.name())),
        })
    }
}

fn tags(create: bool) -> Tags {
    let all = [
        ("1/f", DataType::F64),
        ("1/i", DataType::I64),
        ("1/u", DataType::U64),
        ("1/b", DataType::Bool),
        ("1/t", DataType::Text),
        ("1/a", DataType::Array),
        ("pump,1 x.speed rpm", DataType::F64),
        ("pump,1 x.run", DataType::Bool),
        ("1/e", DataType::Enumeration),
    ];
    let facts = |n, data_type| TagFacts { tag: TagId(n), data_type };
    Tags(all.into_iter().zip(1..).map(|((name, t), n)| (name, facts(n, t))).collect(), create)
}

const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

fn try_read(body: &str, cache: &SeriesCache, tags: &Tags) -> Result<Read, ReadError<Infallible>> {
    read(body, Precision::Nanoseconds, NOW, &cache.at(1), tags, &mut |_| Ok(()))
}

fn samples(body: &str) -> Samples {
    let cache = SeriesCache::new(1 << 20);
    let first = try_read(body, &cache, &tags(false)).unwrap();
    // What is remembered reads the same.
    assert_eq!(try_read(body, &cache, &tags(false)).unwrap(), first);
    let Read::Samples(samples) = first else { panic!("{first:?}") };
    samples
}

fn faults(body: &str) -> Vec<(usize, FaultKind, String)> {
    let cache = SeriesCache::new(1 << 20);
    match try_read(body, &cache, &tags(false)) {
        Err(ReadError::Faults(faults)) => {
            faults.into_iter().map(|fault| (fault.place, fault.kind, fault.detail)).collect()
        }
        other => panic!("{body:?}: {other:?}"),
    }
}

#[test]
fn lines_of_all_types() {
    let body = "# a comment with \"a quote\n\
                1/f value=2705.5 1700000000000000001\n\
                1/f,site=a\\ b,unit=x value=1e3\r\n\
                \n\
                1/i value=-3i 17\n\
                1/u value=18446744073709551615u\n\
                1/b value=T\n\
                1/t value=\"say \\\"hi\\\",\nplease\" 18\n\
                pump\\,1\\ x speed\\ rpm=3,run=false 19 \n\
                1/e  value=4i  20\n\
                1/i value=5 21\n\
                1/a value=\"[1,2.5]\"";
    let nanos = Timestamp::from_nanos;
    let found: Vec<_> = samples(body)
        .iter()
        .map(|(tag, sample)| (tag.0, sample.value.unwrap(), sample.time))
        .collect();
    let array = Value::array(vec![Value::I64(1), Value::F64(2.5)]).unwrap();
    let want = [
        (1, Value::F64(2705.5), nanos(1_700_000_000_000_000_001)),
        (1, Value::F64(1000.0), NOW),
        (2, Value::I64(-3), nanos(17)),
        (3, Value::U64(u64::MAX), NOW),
        (4, Value::Bool(true), NOW),
        (5, Value::text("say \"hi\",\nplease").unwrap(), nanos(18)),
        (7, Value::F64(3.0), nanos(19)),
        (8, Value::Bool(false), nanos(19)),
        (9, Value::Enumeration(4), nanos(20)),
        (2, Value::I64(5), nanos(21)),
        (6, array, NOW),
    ];
    assert_eq!(found, want);
}

#[test]
fn units_of_time() {
    for (word, nanos) in [
        ("ns", 1),
        ("u", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ] {
        let precision: Precision = word.parse().unwrap();
        let cache = SeriesCache::new(1 << 20);
        let read = read::<Infallible>(
            "1/f value=1 -17",
            precision,
            NOW,
            &cache.at(1),
            &tags(false),
            &mut |_| Ok(()),
        );
        let Ok(Read::Samples(samples)) = read else { panic!() };
        assert_eq!(samples.times(), [Timestamp::from_nanos(-17 * nanos)], "{word}");
    }
    assert_eq!("d".parse::<Precision>(), Err(PrecisionError));
}

#[test]
fn faults_name_the_line() {
    use FaultKind::{Syntax, UnknownTag, Value};
    let cases = [
        ("1/f", 1, Syntax, "no field"),
        ("1/f value=1\n\n1/f value", 3, Syntax, "without a value"),
        ("1/f value=x", 1, Syntax, "no number"),
        ("1/f value=NaN", 1, Syntax, "no number"),
        ("1/f value=-inf", 1, Syntax, "no number"),
        ("1/f value=1x", 1, Syntax, "no number"),
        ("1/f value=1.5i", 1, Syntax, "no number"),
        ("1/f value=-1u", 1, Syntax, "no number"),
        ("1/f value=", 1, Syntax, "no number"),
        ("1/f value=1,", 1, Syntax, "without a value"),
        ("1/f =1", 1, Syntax, "without a name"),
        ("1/f value=1 12.5", 1, Syntax, "no integer"),
        ("1/f value=1 99999999999999999999", 1, Syntax, "no integer"),
        ("1/f value=\"x", 1, Syntax, "never closed"),
        ("1/f value=\"x\"y", 1, Syntax, "behind a closing"),
        ("1/f,a value=1", 1, Syntax, "tag without a value"),
        ("1/f,a= value=1", 1, Syntax, "empty tag"),
        (" ,a=b value=1", 1, Syntax, "no measurement"),
        ("1/t value=\"a\nb\"\n1/nope value=1", 3, UnknownTag, "1/nope"),
        ("pump speed=1", 1, UnknownTag, "pump.speed"),
        ("1/b value=2", 1, Value, "bool"),
        ("1/t value=2", 1, Value, "text"),
    ];
    for (body, place, kind, word) in cases {
        let found = faults(body);
        assert_eq!((found[0].0, found[0].1), (place, kind), "{body:?}: {found:?}");
        assert!(found[0].2.contains(word), "{body:?}: {found:?}");
    }
    assert_eq!(faults(&"1/nope value=1\n".repeat(100_000)).len(), FAULTS_MAX);
    assert_eq!(faults("1/f value=x 1\n1/f value=1 2\n1/f value=y 3\n").len(), 2);
}

#[test]
fn seconds_beyond_the_range_of_time() {
    let cache = SeriesCache::new(1 << 20);
    let read = read::<Infallible>(
        "1/f value=1 9999999999999",
        Precision::Seconds,
        NOW,
        &cache.at(1),
        &tags(false),
        &mut |_| Ok(()),
    );
    let Err(ReadError::Faults(faults)) = read else { panic!() };
    assert!(faults[0].detail.contains("out of range"));
}

#[test]
fn series_without_a_tag_may_get_one() {
    let body = "cpu,host=a,cpu=0 idle=1,name=\"x\" 17\ncpu,cpu=0,host=a idle=2i 18\n1/f value=3\n";
    let cache = SeriesCache::new(1 << 20);
    let new =
        |name: &str, data_type| NewTag { name: name.into(), description: String::new(), data_type };
    let Ok(Read::New(found, samples)) = try_read(body, &cache, &tags(true)) else { panic!() };
    // What stands for the new ones has its time and its value.
    assert_eq!(samples.tags(), [TagId(0), TagId(0), TagId(0), TagId(1)]);
    assert_eq!(samples.times()[2], Timestamp::from_nanos(18));
    let want = [
        new("cpu.idle{cpu=\"0\",host=\"a\"}", DataType::F64),
        new("cpu.name{cpu=\"0\",host=\"a\"}", DataType::Text),
    ];
    assert_eq!(found, want);
    let many: String = (0..=crate::CREATED_MAX).map(|n| format!("m{n} value=1\n")).collect();
    assert!(matches!(try_read(&many, &cache, &tags(true)), Err(ReadError::TooManyTags)));
    // What is wrong otherwise comes first.
    let wrong = try_read("m value=1\nm value=x\n", &cache, &tags(true));
    assert!(matches!(wrong, Err(ReadError::Faults(_))));
}

#[test]
fn memory_is_asked_for_before_it_is_taken() {
    let body = "1/f value=1\n".repeat(100_000);
    let cache = SeriesCache::new(1 << 20);
    let mut asked = Vec::new();
    let mut room = |bytes: usize| {
        asked.push(bytes);
        if bytes > 1 << 20 { Err("full") } else { Ok(()) }
    };
    let read = read(&body, Precision::Nanoseconds, NOW, &cache.at(1), &tags(false), &mut room);
    assert!(matches!(read, Err(ReadError::Room("full"))));
    assert!(asked.is_sorted() && asked.len() > 3);
    let many = "1/f value=1\n".repeat(crate::SAMPLES_MAX + 1);
    assert!(matches!(try_read(&many, &cache, &tags(false)), Err(ReadError::TooMany)));
}

/// No series has a tag; counts what it is asked.
#[derive(Default)]
struct Nothing {
    create: bool,
    asked: std::cell::Cell<usize>,
    bytes: std::cell::Cell<usize>,
}

impl Lookup for Nothing {
    fn find(&self, series: &Series<'_>) -> Result<Found, Unknown> {
        self.asked.set(self.asked.get() + 1);
        self.bytes.set(self.bytes.get() + series.measurement.len() + series.field.len());
        Err(if self.create { Unknown::New } else { Unknown::Refused("no such tag".to_owned()) })
    }
}

fn read_of_nothing(body: &str, lookup: &Nothing) -> Result<Read, ReadError<Infallible>> {
    let cache = SeriesCache::new(1 << 20);
    read(body, Precision::Nanoseconds, NOW, &cache.at(1), lookup, &mut |_| Ok(()))
}

fn fields(count: usize) -> String {
    (0..count).map(|n| format!("f{n}=1")).collect::<Vec<_>>().join(",")
}

#[test]
fn series_and_field_names_have_a_longest() {
    let lookup = Nothing { create: true, ..Nothing::default() };
    let (long, longer) = ("x".repeat(65_535), "x".repeat(65_536));
    for fits in [format!("{long} f=1"), format!("m {long}=1"), format!("m,a={} f=1", &long[4..])] {
        assert!(matches!(read_of_nothing(&fits, &lookup), Ok(Read::New(..))), "{}", fits.len());
    }
    let asked = lookup.asked.get();
    let tags = "m,a=b".to_owned() + &",a=b".repeat(20_000);
    for (series, field) in [(longer.as_str(), "f"), ("m", &longer), (&tags, "f")] {
        let refused = read_of_nothing(&format!("{series} {field}=1,{}\n", fields(4000)), &lookup);
        let Err(ReadError::Faults(faults)) = refused else { panic!("{}", series.len()) };
        assert!(faults[0].detail.contains("more than 65535 bytes"), "{}", faults[0].detail);
    }
    assert_eq!(lookup.asked.get(), asked, "nothing was asked for what is too long");
    let text = format!("m t=\"{}\"", "\\\"".repeat(3 << 20));
    assert!(matches!(read_of_nothing(&text, &lookup), Err(ReadError::Faults(_))));
}

#[test]
fn a_line_of_unknown_fields_ends_with_the_last_fault_that_is_told() {
    let lookup = Nothing::default();
    let Err(ReadError::Faults(faults)) = read_of_nothing(&format!("m {}\n", fields(4000)), &lookup)
    else {
        panic!()
    };
    assert_eq!((faults.len(), lookup.asked.get()), (FAULTS_MAX, FAULTS_MAX));
}

#[test]
fn many_fields_of_long_series_are_refused_before_they_cost_much() {
    let lookup = Nothing { create: true, ..Nothing::default() };
    let body = format!("{} {}\n", "x".repeat(60_000), fields(4000)).repeat(2);
    assert!(matches!(read_of_nothing(&body, &lookup), Err(ReadError::TooLong)));
    assert!(lookup.bytes.get() <= (16 << 20) + 16 * body.len(), "{}", lookup.bytes.get());
    // What a machine with long tags and many fields sends is not.
    let body = format!("{} {}\n", "x".repeat(500), fields(1000)).repeat(9);
    assert!(matches!(read_of_nothing(&body, &lookup), Ok(Read::New(..))));
}

#[test]
fn memory_of_what_is_learned_is_asked_for() {
    let label = "y".repeat(500);
    let body: String = (0..20_000).map(|n| format!("1/f,x={label}{n} value=1\n")).collect();
    let (cache, mut most) = (SeriesCache::new(1 << 20), 0);
    let mut room = |bytes: usize| {
        most = most.max(bytes);
        Ok::<(), ()>(())
    };
    read(&body, Precision::Nanoseconds, NOW, &cache.at(1), &tags(false), &mut room).unwrap();
    assert!(most > 20_000 * 500, "{most}");
}

proptest! {
    /// Whatever comes, the reader does not panic, and what it accepts is within its bounds.
    #[test]
    fn any_text_is_read_or_refused(body in "[ -~\\n\\r\"\\\\,=#π]{0,200}") {
        if let Ok(Read::Samples(samples)) = try_read(&body, &SeriesCache::new(1 << 20), &tags(false)) {
            prop_assert!(samples.len() <= body.len());
        }
    }

    /// Bodies that are nearly right reach deeper than noise does.
    #[test]
    fn mutated_bodies_are_read_or_refused(at in 0_usize..60, with in any::<char>()) {
        let body = "1/f,a=b value=1.5,value=-2e3 17\n1/t,c=d value=\"x\\\"y\" 18\n";
        let mutated: String = body.chars().enumerate().map(|(n, c)| if n == at { with } else { c }).collect();
        let cache = SeriesCache::new(1 << 20);
        let _ = try_read(body, &cache, &tags(false));
        let warm = try_read(&mutated, &cache, &tags(false)).ok();
        let cold = try_read(&mutated, &SeriesCache::new(1 << 20), &tags(false)).ok();
        prop_assert_eq!(warm, cold);
    }

    /// A cache, whatever it remembers, changes nothing of what is read.
    #[test]
    fn what_is_remembered_reads_the_same(
        bodies in prop::collection::vec(
            prop::collection::vec(("(1/f|1/i|1/t|pump\\\\,1\\\\ x)", "(,a=b|,c=d)?", "(value=1|speed\\\\ rpm=2,run=t|value=\"x\"|run=f)"), 0..12),
            1..6,
        ),
    ) {
        let cache = SeriesCache::new(1 << 20);
        for body in bodies {
            let body: String = body.iter().map(|(m, t, f)| format!("{m}{t} {f} 17\n")).collect();
            let warm = try_read(&body, &cache, &tags(false));
            let cold = try_read(&body, &SeriesCache::new(1 << 20), &tags(false));
            prop_assert_eq!(format!("{warm:?}"), format!("{cold:?}"));
        }
    }

    /// Any text survives the quoting.
    #[test]
    fn texts_survive(text in "\\PC{0,40}[\\n\",\\\\ =]{0,6}\\PC{0,10}") {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        let found = samples(&format!("1/t value=\"{escaped}\" 17\n1/f value=1"));
        prop_assert_eq!(found.len(), 2);
        prop_assert_eq!(found.value(0), Some(Value::text(&text).unwrap()));
    }

    /// Any finite number survives to its last bit.
    #[test]
    fn numbers_survive(x in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO) {
        prop_assert_eq!(samples(&format!("1/f value={x:?}")).value(0), Some(Value::F64(x)));
        prop_assert_eq!(samples(&format!("1/f value={x:e} 1")).value(0), Some(Value::F64(x)));
    }

    #[test]
    fn integers_survive(i in any::<i64>(), u in any::<u64>()) {
        let found = samples(&format!("1/i value={i}i 1\n1/u value={u}u 1\n"));
        prop_assert_eq!(found.value(0), Some(Value::I64(i)));
        prop_assert_eq!(found.value(1), Some(Value::U64(u)));
    }
}
