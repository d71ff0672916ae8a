//! What reading line protocol takes by itself: points a second of one processor, by number of series.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Instant;

use weir_ingest::{Found, Lookup, Precision, Read, Series, SeriesCache, TagFacts, Unknown, line};
use weir_model::{DataType, TagId, Timestamp};

/// Every series is a tag of its number.
struct Numbered;

impl Lookup for Numbered {
    fn find(&self, series: &Series<'_>) -> Result<Found, Unknown> {
        let number = series.measurement.rsplit('_').next().and_then(|number| number.parse().ok());
        let tag = TagId(number.ok_or_else(|| Unknown::Refused(String::new()))?);
        Ok(TagFacts { tag, data_type: DataType::F64 }.into())
    }
}

/// Lines of a request.
const LINES: usize = 10_000;

fn main() {
    let now = Timestamp::from_nanos(0);
    for (series, late) in
        [(10_000, 0), (10_000, 100), (100_000, 100), (1_000_000, 0), (1_000_000, 100)]
    {
        let bodies: Vec<String> =
            (0..2 * series).step_by(LINES).map(|from| body(from, series, late)).collect();
        let cache = SeriesCache::new(256 << 20);
        for body in &bodies {
            let read = line::read::<Infallible>(
                body,
                Precision::Nanoseconds,
                now,
                &cache.at(1),
                &Numbered,
                &mut |_| Ok(()),
            );
            assert!(matches!(read, Ok(Read::Samples(_))));
        }
        let rounds = (10_000_000 / (2 * series)).max(1);
        let started = Instant::now();
        for body in (0..rounds).flat_map(|_| &bodies) {
            let read = line::read::<Infallible>(
                body,
                Precision::Nanoseconds,
                now,
                &cache.at(1),
                &Numbered,
                &mut |_| Ok(()),
            );
            assert!(matches!(read, Ok(Read::Samples(samples)) if samples.len() == LINES));
        }
        let points = (rounds * bodies.len() * LINES) as f64;
        let per_s = points / started.elapsed().as_secs_f64();
        let late = if late == 0 { "none late" } else { "one in a hundred late" };
        println!(
            "{series:8} series, {late}: {:.2} M points/s, cache {} MB",
            per_s / 1e6,
            cache.bytes() >> 20
        );
    }
}

/// Lines of the series in their order; one in so many is of another that had its turn before.
fn body(from: usize, series: usize, late: usize) -> String {
    let mut text = String::new();
    for place in from..from + LINES {
        let is_late = late > 0 && place % late == 0;
        let number = if is_late { place.wrapping_mul(7919) % series } else { place % series };
        let (value, time) =
            ((place % 1000) as f64 / 10.0, 1_795_392_000_000_000_000 + place * 1_234_567);
        let _ = writeln!(
            text,
            "machine_{number},site=chengdu,line={} value={value} {time}",
            number / 1000
        );
    }
    text
}
