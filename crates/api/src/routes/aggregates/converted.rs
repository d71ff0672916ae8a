//! Aggregates in another unit than their tag's. Conversions are straight lines, so that means and extremes of
//! converted numbers are the converted means and extremes.

use weir_historian::Aggregate;
use weir_model::Conversion;

/// What a bucket says in another unit.
pub(super) fn converted(row: Aggregate, conversion: &Conversion) -> Aggregate {
    let in_unit = |number| conversion.apply(number);
    let numbers = row.numbers.map(|mut numbers| {
        // The sum of many has the offset as many times.
        let count = numbers.count as f64;
        numbers.sum = in_unit(numbers.sum / count) * count;
        let ends = (in_unit(numbers.min), in_unit(numbers.max));
        (numbers.min, numbers.max) = (ends.0.min(ends.1), ends.0.max(ends.1));
        numbers.first.1 = in_unit(numbers.first.1);
        numbers.last.1 = in_unit(numbers.last.1);
        numbers
    });
    let weighted = row.weighted.map(|mut weighted| {
        weighted.mean = weighted.mean.map(in_unit);
        // Of units with different zeros a product with time cannot be told without the time that was
        // summed over.
        let has_same_zero = in_unit(0.0) == 0.0;
        weighted.total = weighted.total.filter(|_| has_same_zero).map(in_unit);
        weighted
    });
    Aggregate { numbers, weighted, ..row }
}

#[cfg(test)]
mod tests {
    use weir_historian::{Numbers, Weighted};
    use weir_model::{TagId, Timestamp, Unit};

    use super::*;

    #[test]
    fn sums_and_means_are_those_of_converted_numbers() {
        // 10, 20 and 60 degrees, of which the last held 2 s and the others 1 s.
        let at = Timestamp::from_nanos;
        let row = Aggregate {
            tag: TagId(1),
            start: at(0),
            samples: 3,
            count: 3,
            numbers: Some(Numbers {
                count: 3,
                sum: 90.0,
                min: 10.0,
                max: 60.0,
                first: (at(0), 10.0),
                last: (at(2), 60.0),
            }),
            first_quality: None,
            last_quality: None,
            weighted: Some(Weighted {
                mean: Some(37.5),
                total: Some(150.0),
                good_ns: 4,
                uncertain_ns: 0,
                bad_ns: 0,
            }),
        };
        let to = |from: &str, to: &str| {
            Conversion::new(&Unit::parse(from).unwrap(), &Unit::parse(to).unwrap()).unwrap()
        };
        let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-9, "{x} is not {y}");
        let fahrenheit = converted(row, &to("Cel", "[degF]"));
        let (numbers, weighted) = (fahrenheit.numbers.unwrap(), fahrenheit.weighted.unwrap());
        near(numbers.sum, 50.0 + 68.0 + 140.0);
        near(numbers.min, 50.0);
        near(numbers.max, 140.0);
        near(weighted.mean.unwrap(), (50.0 + 68.0 + 2.0 * 140.0) / 4.0);
        assert_eq!(weighted.total, None);
        assert_eq!((fahrenheit.samples, weighted.good_ns), (3, 4));
        let pascal = converted(row, &to("kPa", "Pa")).weighted.unwrap();
        near(pascal.total.unwrap(), 150_000.0);
    }
}
