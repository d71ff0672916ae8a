use std::convert::Infallible;

use proptest::prelude::*;
use weir_model::{Kind, Samples, TagId};

use super::*;
use crate::{Found, SeriesCache, Unknown};

struct Tags;

impl Lookup for Tags {
    fn find(&self, series: &Series<'_>) -> Result<Found, Unknown> {
        match series.name().as_str() {
            "up{instance=\"a:9100\",job=\"node\"}" => {
                Ok(TagFacts { tag: TagId(1), data_type: DataType::F64 }.into())
            }
            "state" => Ok(TagFacts { tag: TagId(2), data_type: DataType::I64 }.into()),
            name => Err(Unknown::Refused(format!("there is no tag {name}"))),
        }
    }
}

fn try_read(message: &[u8], version: Version) -> Result<Read, ReadError<Infallible>> {
    let cache = SeriesCache::new(1 << 20);
    read(message, version, &cache.at(1), &Tags, &mut |_| Ok(()))
}

/// A field of wire type 2.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    put_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

fn put_varint(mut x: u64, out: &mut Vec<u8>) {
    while x >= 0x80 {
        out.push(x as u8 | 0x80);
        x >>= 7;
    }
    out.push(x as u8);
}

fn label(name: &str, value: &str) -> Vec<u8> {
    bytes(1, &[bytes(1, name.as_bytes()), bytes(2, value.as_bytes())].concat())
}

fn sample(value: f64, millis: i64) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend_from_slice(&value.to_le_bytes());
    out.push(2 << 3);
    put_varint(millis.cast_unsigned(), &mut out);
    bytes(2, &out)
}

fn series(parts: &[Vec<u8>]) -> Vec<u8> {
    bytes(1, &parts.concat())
}

fn samples(read: Result<Read, ReadError<Infallible>>) -> Samples {
    let Ok(Read::Samples(samples)) = read else { panic!("{read:?}") };
    samples
}

#[test]
fn version_one() {
    let stale = f64::from_bits(STALE);
    let up = [label("instance", "a:9100"), label("job", "node"), label("__name__", "up")].concat();
    let message = [
        series(&[up.clone(), sample(1.0, 1_700_000_000_001), sample(stale, 1_700_000_000_002)]),
        // Metadata and an exemplar are left aside.
        bytes(3, &bytes(2, b"up")),
        series(&[label("__name__", "state"), sample(3.0, -5), bytes(3, b"")]),
        series(&[label("__name__", "nothing to say")]),
    ];
    let found = samples(try_read(&message.concat(), Version::One));
    assert_eq!(found.tags(), [TagId(1), TagId(1), TagId(2)]);
    assert_eq!(found.times()[0], Timestamp::from_nanos(1_700_000_000_001_000_000));
    assert_eq!(found.times()[2], Timestamp::from_nanos(-5_000_000));
    assert_eq!(found.kinds(), [Kind::F64, Kind::None, Kind::I64]);
    assert!(found.qualities()[1].is_bad() && !found.qualities()[0].is_bad());
}

#[test]
fn version_two() {
    let symbols = ["", "__name__", "up", "instance", "a:9100", "job", "node"];
    let mut message: Vec<u8> = symbols.iter().flat_map(|text| bytes(4, text.as_bytes())).collect();
    let content = [bytes(1, &[1, 2, 3, 4, 5, 6]), sample(0.5, 7)].concat();
    message.extend(bytes(5, &content));
    let found = samples(try_read(&message, Version::Two));
    assert_eq!((found.tags(), found.words()), (&[TagId(1)][..], &[0.5_f64.to_bits()][..]));
    for odd in [&[1, 2, 3][..], &[1, 99]] {
        let wrong = [message.clone(), bytes(5, &bytes(1, odd))].concat();
        assert!(matches!(try_read(&wrong, Version::Two), Err(ReadError::Message(_))), "{odd:?}");
    }
}

#[test]
fn faults_name_the_series() {
    let fault = |message: &[u8]| match try_read(message, Version::One) {
        Err(ReadError::Faults(faults)) => {
            (faults[0].place, faults[0].kind, faults[0].detail.clone())
        }
        other => panic!("{other:?}"),
    };
    let good = series(&[label("__name__", "state"), sample(1.0, 1)]);
    let cases = [
        (series(&[label("__name__", "nope"), sample(1.0, 1)]), FaultKind::UnknownTag, "nope"),
        (series(&[label("job", "x"), sample(1.0, 1)]), FaultKind::Syntax, "__name__"),
        (series(&[label("__name__", "state"), sample(1.5, 1)]), FaultKind::Value, "i64"),
        (series(&[label("__name__", "state"), sample(1.0, i64::MAX)]), FaultKind::Value, "range"),
        (series(&[label("a", "b").repeat(300), sample(1.0, 1)]), FaultKind::Syntax, "labels"),
    ];
    for (wrong, kind, word) in cases {
        let (place, found, detail) = fault(&[good.clone(), wrong].concat());
        assert_eq!((place, found), (2, kind), "{detail}");
        assert!(detail.contains(word), "{detail}");
    }
    for broken in [&[0x0A, 5, 1][..], &[0x0B], &[0x08], &[0x0A, 1, 0xFF]] {
        assert!(matches!(try_read(broken, Version::One), Err(ReadError::Message(_))), "{broken:?}");
    }
}

/// A message of version 2.0 whose series, so many, all have these references, and a sample.
fn sharing(symbols: &[&str], references: &[u8], count: usize, samples: &[u8]) -> Vec<u8> {
    let mut message: Vec<u8> = symbols.iter().flat_map(|text| bytes(4, text.as_bytes())).collect();
    let series = bytes(5, &[&bytes(1, references), samples].concat());
    message.extend(series.repeat(count));
    message
}

#[test]
fn labels_are_bounded_as_often_as_they_are_referred_to() {
    let sample = sample(1.0, 1);
    let long = "x".repeat(4 << 20);
    let message = sharing(&["", &long], &[1; 510], 1, &sample);
    let told = |read| match read {
        Err(ReadError::<Infallible>::Faults(faults)) => faults[0].detail.clone(),
        other => panic!("{other:?}"),
    };
    let detail = told(try_read(&message, Version::Two));
    assert!(detail.contains("labels of more than 65535 bytes"), "{detail}");
    for (length, word) in [(65_535 - 9, "no tag"), (65_536 - 9, "labels of more")] {
        let labels = [label("__name__", "m"), label("", &"x".repeat(length))].concat();
        let detail = told(try_read(&series(&[labels, sample.clone()]), Version::One));
        assert!(detail.contains(word), "{length}: {detail}");
    }
}

#[test]
fn series_that_share_long_texts_end_at_a_bound() {
    let long = "x".repeat(60_000);
    let symbols = ["", "__name__", "state", &long];
    // Without a sample, nothing is asked; with one, each is.
    for samples in [vec![], sample(1.0, 1)] {
        let message = sharing(&symbols, &[1, 2, 0, 3], 400, &samples);
        let cache = SeriesCache::new(1 << 20);
        let asked = std::cell::Cell::new(0);
        let read =
            read::<Infallible>(&message, Version::Two, &cache.at(1), &New(&asked), &mut |_| Ok(()));
        assert!(matches!(read, Err(ReadError::TooLong)), "{read:?}");
        assert!(asked.get() < 320, "{}", asked.get());
    }
    // Prometheus' own: a kilobyte of labels, most of which all series have.
    let symbols = ["", "__name__", "state", &long[..1000]];
    let message = sharing(&symbols, &[1, 2, 0, 3], 10_000, &sample(1.0, 1));
    let cache = SeriesCache::new(1 << 20);
    let asked = std::cell::Cell::new(0);
    let read =
        read::<Infallible>(&message, Version::Two, &cache.at(1), &New(&asked), &mut |_| Ok(()));
    let Ok(Read::New(tags, samples)) = read else { panic!("{read:?}") };
    assert_eq!((tags.len(), samples.len()), (1, 10_000));
}

/// No series has a tag, and each may get one.
struct New<'c>(&'c std::cell::Cell<usize>);

impl Lookup for New<'_> {
    fn find(&self, _: &Series<'_>) -> Result<Found, Unknown> {
        self.0.set(self.0.get() + 1);
        Err(Unknown::New)
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = try_read(&message, Version::One);
        let _ = try_read(&message, Version::Two);
    }

    /// Messages that are nearly right reach deeper than noise does.
    #[test]
    fn mutated_messages_are_read_or_refused(at in any::<usize>(), with in any::<u8>()) {
        let mut message = [
            series(&[label("__name__", "state"), sample(1.0, 1), sample(2.0, 2)]),
            series(&[label("__name__", "nope"), sample(1.0, 1)]),
        ].concat();
        let at = at % message.len();
        message[at] = with;
        let _ = try_read(&message, Version::One);
        let _ = try_read(&message, Version::Two);
    }
}
